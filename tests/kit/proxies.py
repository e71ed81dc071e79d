"""Proxies of our own: one that does just enough of HTTP's CONNECT and of SOCKS 5, and one that says what it is told."""

import array
import asyncio
import fcntl
import socket
import termios
import threading


class Proxy:
    """A proxy in a thread of its own: `with Proxy("http") as proxy: … proxy.url … proxy.asked`.

    One for "https" needs a TLS `context`.
    """

    def __init__(self, scheme, context=None, host="127.0.0.1"):
        self.asked = []
        self._tasks = set()  # asyncio itself holds no task but weakly
        self._scheme = scheme
        self._host = host
        self._context = context
        self._greet = self._greet_socks if scheme == "socks5" else self._greet_http
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def __exit__(self, *exception):
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self):
        self._server = await asyncio.start_server(self._serve, self._host, 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"{self._scheme}://{self._host}:{self.port}"

    async def _stop(self):
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # what those tasks closed says goodbye in the next round

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        try:
            host, port = await self._greet(reader, writer)
            self.asked.append(f"{host}:{port}")
            far_reader, far_writer = await asyncio.open_connection(host, port)
            try:
                await asyncio.gather(relay(reader, far_writer), relay(far_reader, writer))
            finally:
                far_writer.close()
        except OSError:
            pass
        finally:
            writer.close()

    async def _greet_http(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        host, port = head.split()[1].decode().rsplit(":", 1)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return host, int(port)

    async def _greet_socks(self, reader, writer):
        # RFC 1928: no authentication, CONNECT, then an IPv4 address or a name
        _, methods = await reader.readexactly(2)
        await reader.readexactly(methods)
        writer.write(b"\x05\x00")
        kind = (await reader.readexactly(4))[3]
        length = 4 if kind == 1 else (await reader.readexactly(1))[0]
        address = await reader.readexactly(length)
        host = ".".join(map(str, address)) if kind == 1 else address.decode()
        port = int.from_bytes(await reader.readexactly(2), "big")
        writer.write(b"\x05\x00\x00\x01\0\0\0\0\0\0")
        return host, port


async def relay(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


class Script:
    """A proxy that gives one of `answers` to each request, in pieces of `size` bytes, and then says what it hears.

    None among them ends the connection at once. It runs in the loop of the client, which it can therefore wait for:
    `async with Script(…) as script: await open_tunnel(…, script.dial, …)`; then `script.heard` has the requests.
    """

    def __init__(self, *answers, size=65536, context=None):
        self.heard = []
        self._tasks = set()
        self._answers = answers
        self._size = size
        self._context = context

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exception):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks)

    async def dial(self, host, port):
        """Connect to this proxy, wherever it is said to be."""
        self.socket = socket.socket()
        self.socket.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(self.socket, ("127.0.0.1", self.port))
        except BaseException:
            self.socket.close()
            raise
        return self.socket

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        try:
            for answer in self._answers:
                if answer is None:
                    return
                self.heard.append(await reader.read(65536))
                for start in range(0, len(answer), self._size):
                    writer.write(answer[start : start + self._size])
                    await self._taken()
            while data := await reader.read(65536):
                writer.write(data)
        except (OSError, RuntimeError, asyncio.CancelledError):
            pass  # the client has left, which uvloop tells by a RuntimeError, or all is over
        finally:
            writer.transport.abort()

    async def _taken(self):
        """Wait until the client has read what was written, or left, or reads no more."""
        unread = array.array("i", [1])
        for _ in range(100):
            await asyncio.sleep(0)
            if self.socket.fileno() < 0:
                return
            fcntl.ioctl(self.socket, termios.FIONREAD, unread)
            if not unread[0]:
                return

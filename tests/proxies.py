"""Proxies of our own, just enough of HTTP's CONNECT and of SOCKS 5, that note where they were asked to connect to."""

import asyncio
import threading


class Proxy:
    """A proxy in a thread of its own: `with Proxy("http") as proxy: … proxy.url … proxy.asked`."""

    def __init__(self, scheme):
        self.asked = []
        self._scheme = scheme
        self._greet = {"http": self._greet_http, "socks5": self._greet_socks}[scheme]
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
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"{self._scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _stop(self):
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # what those tasks closed says goodbye in the next round

    async def _serve(self, reader, writer):
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

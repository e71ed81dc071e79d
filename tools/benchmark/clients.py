"""The clients: each does the same work by its library's own means. A message is counted when the program has it.

`plain` ones compress nothing, take messages of any size and send no pings, so that they do the same; others are as
their library makes them by default. `authority` is a file with the certificate of the authority to trust.
"""

import asyncio
import ssl
import sys
from collections.abc import Callable
from typing import Any

ROOM = 1 << 20  # bytes of unsent messages at which a sender waits

# What the extra "speed" of pyws installs.
SPEED = ("isal", "zlib_ng")


class Pyws:
    """pyws: events. What the extra "speed" installs is hidden from it."""

    extra = False
    settings: dict[str, Any] = {}

    def __init__(self, plain: bool, authority: str | None) -> None:
        if not self.extra:
            sys.modules.update(dict.fromkeys(SPEED))  # type: ignore[arg-type] # None is a module that is not there
        import pyws

        pyws.UserAgent(authorities=authority, **self.settings).use()

    async def open(self, url: str) -> Any:
        import pyws

        ws = pyws.WebSocket(url)
        counted, wanted, to_send = 0, -1, 0
        message: Callable[[], str] = str
        done = asyncio.get_running_loop().create_future()

        def count(event: pyws.MessageEvent) -> None:
            nonlocal counted, to_send
            assert event.data
            counted += 1
            if counted == wanted:
                done.set_result(None)
            elif to_send:
                to_send -= 1
                ws.send(message())

        async def until(n: int, more: int, text: Callable[[], str]) -> None:
            """Wait for `n` messages; send one for each that comes, `more` in all."""
            nonlocal wanted, to_send, message
            wanted, to_send, message = n, more, text
            if counted < n:
                await done

        opened = asyncio.get_running_loop().create_future()
        ws.onopen = opened.set_result
        ws.onerror = lambda event: opened.set_exception(ConnectionError(url))
        ws.onmessage = count  # from the first message on
        self.until = until
        await opened
        return ws

    async def close(self, ws: Any) -> None:
        closed = asyncio.get_running_loop().create_future()
        ws.onclose = closed.set_result
        ws.close()
        await closed

    async def receive(self, ws: Any, n: int) -> None:
        await self.until(n, 0, str)

    async def exchange(self, ws: Any, n: int, in_flight: int, message: Callable[[], str]) -> None:
        for _ in range(in_flight):
            ws.send(message())
        await self.until(n, n - in_flight, message)

    async def send(self, ws: Any, n: int, message: str) -> None:
        for _ in range(n):
            ws.send(message)
            if ws.bufferedAmount > ROOM:
                await asyncio.sleep(0)
        await self.until(1, 0, str)


class SpeedPyws(Pyws):
    """pyws with the extra "speed"."""

    extra = True


class FastPyws(SpeedPyws):
    """pyws with the extra "speed", and with its setting for speed."""

    settings = {"compression": "fast"}


def tls(authority: str | None) -> ssl.SSLContext | None:
    """One context for all connections: to make one takes longer than to connect."""
    return ssl.create_default_context(cafile=authority) if authority else None


class Websockets:
    """websockets: coroutines."""

    def __init__(self, plain: bool, authority: str | None) -> None:
        self.options: dict[str, Any] = {}
        if plain:
            self.options = {"compression": None, "max_size": None, "ping_interval": None}
        if authority:
            self.options["ssl"] = tls(authority)

    async def open(self, url: str) -> Any:
        from websockets.asyncio.client import connect

        return await connect(url, **self.options)

    async def close(self, ws: Any) -> None:
        await ws.close()

    async def receive(self, ws: Any, n: int) -> None:
        async for message in ws:
            assert message
            n -= 1
            if not n:
                return

    async def exchange(self, ws: Any, n: int, in_flight: int, message: Callable[[], str]) -> None:
        for _ in range(in_flight):
            await ws.send(message())
        for received in range(n):
            assert await ws.recv()
            if received < n - in_flight:
                await ws.send(message())

    async def send(self, ws: Any, n: int, message: str) -> None:
        for _ in range(n):
            await ws.send(message)
        await ws.recv()


class Aiohttp:
    """aiohttp: coroutines."""

    settings: dict[str, Any] = {}

    def __init__(self, plain: bool, authority: str | None) -> None:
        import aiohttp

        # By default it opens 100 connections at most.
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        self.options = dict(self.settings)
        if plain:
            self.options["max_msg_size"] = 0
        if authority:
            self.options["ssl"] = tls(authority)

    async def open(self, url: str) -> Any:
        return await self.session.ws_connect(url, **self.options)

    async def close(self, ws: Any) -> None:
        await ws.close()

    async def receive(self, ws: Any, n: int) -> None:
        async for message in ws:
            assert message.data
            n -= 1
            if not n:
                return

    async def exchange(self, ws: Any, n: int, in_flight: int, message: Callable[[], str]) -> None:
        for _ in range(in_flight):
            await ws.send_str(message())
        for received in range(n):
            assert (await ws.receive()).data
            if received < n - in_flight:
                await ws.send_str(message())

    async def send(self, ws: Any, n: int, message: str) -> None:
        for _ in range(n):
            await ws.send_str(message)
        await ws.receive()


class ReceivingAiohttp(Aiohttp):
    """aiohttp by its fastest way to receive many messages."""

    async def receive(self, ws: Any, n: int) -> None:
        for _ in range(n):
            assert (await ws.receive()).data


class CompressingAiohttp(Aiohttp):
    """aiohttp with compression, as its users set it."""

    settings = {"compress": 15}


class Picows:
    """picows: a bare callback of C, which counts the frame and leaves its text alone."""

    takes_text = False

    def __init__(self, plain: bool, authority: str | None) -> None:
        self.options: dict[str, Any] = {"ssl_context": tls(authority)} if authority else {}

    async def open(self, url: str) -> Any:
        import picows

        text = self.text = picows.WSMsgType.TEXT
        takes_text = self.takes_text

        class Listener(picows.WSListener):
            wanted = -1
            counted = to_send = 0

            def on_ws_frame(self, transport: Any, frame: Any) -> None:
                if frame.msg_type is text:
                    if takes_text:
                        assert frame.get_payload_as_utf8_text()
                    self.counted += 1
                    if self.counted == self.wanted:
                        self.done.set_result(None)
                    elif self.to_send:
                        self.to_send -= 1
                        transport.send(text, self.message().encode())

            async def until(self, n: int, to_send: int, message: Callable[[], str]) -> None:
                """Wait for `n` messages; send one for each that comes, `to_send` in all."""
                self.wanted, self.to_send, self.message = n, to_send, message
                self.done = asyncio.get_running_loop().create_future()
                if self.counted < n:
                    await self.done

        return await picows.ws_connect(Listener, url, **self.options)

    async def close(self, ws: Any) -> None:
        transport, _ = ws
        transport.send_close(1000)
        await transport.wait_disconnected()

    async def receive(self, ws: Any, n: int) -> None:
        await self.exchange(ws, n, 0, lambda: "")

    async def exchange(self, ws: Any, n: int, in_flight: int, message: Callable[[], str]) -> None:
        transport, listener = ws
        for _ in range(in_flight):
            transport.send(self.text, message().encode())
        await listener.until(n, n - in_flight if in_flight else 0, message)

    async def send(self, ws: Any, n: int, message: str) -> None:
        transport, listener = ws
        below = transport.underlying_transport
        for _ in range(n):
            transport.send(self.text, message.encode())
            while below.get_write_buffer_size() > ROOM:
                await asyncio.sleep(0)
        await listener.until(1, 0, lambda: message)


class TextPicows(Picows):
    """picows, and the callback takes the text, as all others do."""

    takes_text = True

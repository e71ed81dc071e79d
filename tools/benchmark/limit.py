"""The limit of what asyncio can do: a protocol that counts bytes, and writes ready-made frames."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .raw import BLOB, frame

ROOM = 1 << 20  # bytes of unsent messages at which a sender waits


class Bare(asyncio.Protocol):
    """A client with the methods of those in `clients.py`, which hands no message to anybody."""

    def __init__(self, plain: bool = True, authority: str | None = None) -> None:
        self.counted = self.wanted = 0
        self.frame_in = 1
        self.on_bytes: Callable[[int], None] | None = None
        self.opened = asyncio.get_running_loop().create_future()
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(None)

    def data_received(self, data: bytes) -> None:
        if not self.opened.done():
            _, _, data = data.partition(b"\r\n\r\n")
            self.opened.set_result(None)
        self.counted += len(data)
        if self.on_bytes is not None:
            self.on_bytes(self.counted)

    async def open(self, url: str) -> Any:
        parts = urlsplit(url)
        size = int(parse_qs(parts.query).get("size", ["0"])[0])
        _, ws = await asyncio.get_running_loop().create_connection(Bare, str(parts.hostname), int(parts.port or 80))
        ws.frame_in = len(frame(b"a" * size))
        ws.transport.write(
            f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        await ws.opened
        return ws

    async def close(self, ws: Any) -> None:
        ws.transport.write(b"\x88\x80abcd")
        await ws.lost

    async def receive(self, ws: Any, n: int) -> None:
        await self.exchange(ws, n, 0, lambda: "")

    async def exchange(self, ws: Any, n: int, in_flight: int, message: Callable[[], str]) -> None:
        done = asyncio.get_running_loop().create_future()
        ready = masked(message()) if in_flight else b""
        seen, sent = 0, in_flight
        clock = message if in_flight == 1 else lambda: ""  # the round trip takes the time there

        def on_bytes(counted: int) -> None:
            nonlocal seen, sent
            received = counted // ws.frame_in
            if received >= n:
                if not done.done():
                    done.set_result(None)
            elif in_flight:
                new = min(received - seen, n - sent)
                seen = received
                sent += new
                clock()
                ws.transport.write(ready * new)

        ws.on_bytes = on_bytes
        ws.transport.write(ready * in_flight)
        on_bytes(ws.counted)
        await done

    async def send(self, ws: Any, n: int, message: str) -> None:
        done = asyncio.get_running_loop().create_future()
        ready = masked(message)
        ws.on_bytes = done.set_result  # the one answer
        together = max(1, BLOB // len(ready))
        blob = ready * together
        while n:
            number = min(n, together)
            n -= number
            ws.transport.write(blob if number == together else ready * number)
            while ws.transport.get_write_buffer_size() > ROOM:
                await asyncio.sleep(0)
        await done


def masked(text: str) -> bytes:
    """A frame of a client whose mask is zero."""
    whole = frame(text.encode())
    head = len(whole) - len(text)
    return bytes([whole[0], whole[1] | 128]) + whole[2:head] + bytes(4) + whole[head:]

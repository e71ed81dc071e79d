"""A raw server: its answers are ready-made, so that the client is what is measured.

    python -m benchmark.raw [--core N]

prints its address, and serves until its input ends. It knows the size of each frame that will come, and counts them
without a look inside.
"""

import argparse
import asyncio
import base64
import hashlib
import json
import struct
import sys
from urllib.parse import parse_qs, urlsplit

from .process import HOST, pin

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
BLOB = 1 << 18  # bytes that the flood writes at a time
SMALL = 10_000  # bytes of a frame that no client cuts apart


def frame(payload: bytes, first: int = 0x81) -> bytes:
    """One frame of a server."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", first, size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", first, 126, size)
    else:
        head = struct.pack("!BBQ", first, 127, size)
    return head + payload


class Raw(asyncio.Protocol):
    """One connection; its URL says what to do: /flood, /echo, /binary or /sink, with `size` and `n`."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.head = b""
        self.open = False
        self.work = ""
        self.size = self.left = 0
        self.blob = b""
        self.paused = False
        self.reply = b""
        self.missing = 0  # bytes until the next frame begins
        self.rest = b""  # of a frame's head that is cut

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.open:
            self.take(data)
            return
        self.head += data
        head, end, rest = self.head.partition(b"\r\n\r\n")
        if end:
            self.open = True
            self.accept(head)
            if rest:
                self.take(rest)

    def accept(self, head: bytes) -> None:
        request, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        url = urlsplit(request.split(" ")[1])
        query = parse_qs(url.query)
        self.work = url.path.strip("/")
        self.size = int(query.get("size", ["0"])[0])
        self.left = int(query.get("n", ["0"])[0])
        key = base64.b64encode(hashlib.sha1(headers["sec-websocket-key"].encode() + GUID).digest()).decode()
        answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        answer += f"Sec-WebSocket-Accept: {key}\r\n"
        self.reply = frame(b"\xaa" * self.size, 0x82) if self.work == "binary" else frame(b"a" * self.size)
        self.transport.write(answer.encode() + b"\r\n")
        if self.work == "flood":
            self.flood()

    def flood(self) -> None:
        together = max(1, BLOB // len(self.reply))
        self.blob = self.blob or self.reply * together
        while self.left and not self.paused:
            number = min(self.left, together)
            self.left -= number
            self.transport.write(self.blob if number == together else self.reply * number)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        if self.work == "flood":
            self.flood()

    def take(self, data: bytes) -> None:
        """Answer whole frames; a Close ends it all."""
        if self.rest:
            data, self.rest = self.rest + data, b""
        position, frames, end = self.missing, 0, len(data)
        fixed = self.work in ("echo", "binary", "sink")
        while position < end:
            if data[position] & 0x0F == 8:
                self.answer(frames)
                self.transport.write(frame(b"\x03\xe8", 0x88))
                self.transport.close()
                return
            code = data[position + 1] & 127 if position + 1 < end else 126
            head = {126: 4, 127: 10}.get(code, 2)
            if end - position < head:
                self.rest = data[position:]
                position = end
                break
            length = code if code < 126 else int.from_bytes(data[position + 2 : position + head], "big")
            whole = head + 4 + length  # the mask
            # Small frames are of one size: look only at the last that is here. A browser may cut large ones apart.
            many = max(1, (end - position) // whole - 1) if fixed and self.size < SMALL else 1
            if data[position] & 0x80:
                frames += many
            position += whole * many
        self.missing = position - end
        # The answer to a frame whose end is still to come goes out early, by less than one frame.
        self.answer(frames)

    def answer(self, frames: int) -> None:
        if self.work in ("echo", "binary"):
            self.transport.write(self.reply * frames)
        elif self.work == "sink" and self.left:
            self.left -= frames
            if self.left <= 0:
                self.left = 0
                self.transport.write(self.reply)


async def serve() -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Raw, HOST, 0, backlog=1024)
    print(json.dumps({"ws:": f"ws://{HOST}:{server.sockets[0].getsockname()[1]}"}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--core", type=int)
    pin(parser.parse_args().core)
    asyncio.run(serve())


if __name__ == "__main__":
    main()

"""Who takes part in the benchmark: a raw server, and the same work done by pyws and by its peers.

`tools/bench.py` runs this file, once for the server and once for each figure:

    python tools/bench_peers.py server                    prints its address, serves until its input ends
    python tools/bench_peers.py pyws echo ADDRESS 256 …   does the work, prints its figures as JSON

The server knows the size of each frame that will come, so that it counts them without a look inside, and its
answers are ready-made: the client is what is measured.
"""

import argparse
import asyncio
import base64
import hashlib
import json
import os
import random
import resource
import struct
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

HOST = "127.0.0.1"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
BLOB = 1 << 18  # bytes that the flood writes at a time
ROOM = 1 << 20  # bytes of unsent messages at which a sender waits
SMALL = 10_000  # bytes of a frame that no client cuts apart
DOCUMENTS = 50  # different ones, so that a compressor has something to do

Figures = dict[str, Any]


def document(number: int, size: int) -> str:
    """JSON of exactly `size` ASCII characters, as a program would send it."""
    chance = random.Random(number)
    rows: list[str] = []
    while sum(len(row) for row in rows) < size:
        values = {
            "id": chance.randrange(1 << 30),
            "name": f"user {chance.randrange(999)}",
            "price": chance.random() * 100,
        }
        rows.append(json.dumps(values))
    return f"[{', '.join(rows)}"[: size - 1] + "]"


# The server.


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


def deflated(text: str) -> bytes:
    """A compressed text frame that needs no other before it."""
    compressor = zlib.compressobj(wbits=-15)
    data = compressor.compress(text.encode()) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return frame(data[:-4], 0xC1)


class Raw(asyncio.Protocol):
    """One connection; its URL says what to do: /flood, /echo, /sink or /documents, with `size` and `n`."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.head = b""
        self.open = False
        self.work = ""
        self.size = self.left = 0
        self.blob = b""
        self.paused = False
        self.answers: list[bytes] = []
        self.answered = 0
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
        if self.work == "documents":
            answer += "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n"
            self.answers = [deflated(document(number, self.size)) for number in range(DOCUMENTS)]
        elif self.work == "binary":
            self.answers = [frame(b"\xaa" * self.size, 0x82)]
        else:
            self.answers = [frame(b"a" * self.size)]
        self.transport.write(answer.encode() + b"\r\n")
        if self.work == "flood":
            self.flood()

    def flood(self) -> None:
        [one] = self.answers
        together = max(1, BLOB // len(one))
        self.blob = self.blob or one * together
        while self.left and not self.paused:
            number = min(self.left, together)
            self.left -= number
            self.transport.write(self.blob if number == together else one * number)

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
            self.transport.write(self.answers[0] * frames)
        elif self.work == "documents":
            for _ in range(frames):
                self.transport.write(self.answers[self.answered % DOCUMENTS])
                self.answered += 1
        elif self.work == "sink" and self.left:
            self.left -= frames
            if self.left <= 0:
                self.left = 0
                self.transport.write(self.answers[0])


async def serve() -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Raw, HOST, 0, backlog=1024)
    print(f"ws://{HOST}:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


# The clients. Each does the same work by its library's own means; a message is counted when the program has it.


class Pyws:
    """pyws: events."""

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


class Websockets:
    """websockets: coroutines."""

    compression: str | None = None

    async def open(self, url: str) -> Any:
        from websockets.asyncio.client import connect

        return await connect(url, compression=self.compression, max_size=None, ping_interval=None)

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
        received, sent = 0, in_flight
        async for data in ws:
            assert data
            received += 1
            if received == n:
                return
            if sent < n:
                sent += 1
                await ws.send(message())

    async def send(self, ws: Any, n: int, message: str) -> None:
        for _ in range(n):
            await ws.send(message)
        await ws.recv()


class Aiohttp:
    """aiohttp: coroutines."""

    session: Any = None
    compress = 0

    async def open(self, url: str) -> Any:
        import aiohttp

        self.session = self.session or aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return await self.session.ws_connect(url, max_msg_size=0, compress=self.compress)

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
        received, sent = 0, in_flight
        async for data in ws:
            assert data.data
            received += 1
            if received == n:
                return
            if sent < n:
                sent += 1
                await ws.send_str(message())

    async def send(self, ws: Any, n: int, message: str) -> None:
        for _ in range(n):
            await ws.send_str(message)
        await ws.receive()


class Picows:
    """picows: a bare callback of C, which counts the frame and leaves its text alone."""

    async def open(self, url: str) -> Any:
        import picows

        text = self.text = picows.WSMsgType.TEXT

        class Listener(picows.WSListener):
            wanted = -1
            counted = to_send = 0

            def on_ws_frame(self, transport: Any, frame: Any) -> None:
                if frame.msg_type is text:
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

        return await picows.ws_connect(Listener, url)

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


class Bare(asyncio.Protocol):
    """The limit: a protocol of asyncio that counts bytes, and writes ready-made frames."""

    def __init__(self) -> None:
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


def client(name: str) -> Any:
    if name == "bare":
        return Bare()
    return {"pyws": Pyws, "websockets": Websockets, "aiohttp": Aiohttp, "picows": Picows}[name]()


# The work.


async def work(name: str, kind: str, address: str, size: int, n: int, in_flight: int) -> Figures:
    """Do it once; seconds of the clock and of this process, and what else there is to tell."""
    peer = client(name)
    message = "a" * size
    figures: Figures = {"n": n}
    try:
        if kind == "documents":
            peer.compression, peer.compress = "deflate", 15
            documents = [document(number, size) for number in range(DOCUMENTS)]
            cycle = iter(range(1 << 60))
            await clocked(
                figures,
                peer,
                f"{address}/documents?size={size}",
                lambda ws: peer.exchange(ws, n, in_flight, lambda: documents[next(cycle) % DOCUMENTS]),
            )
        elif kind == "flood":
            ws = await peer.open(f"{address}/flood?size={size}&n={n}")
            start, cpu = time.perf_counter(), time.process_time()
            await peer.receive(ws, n)
            figures |= {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}
            await peer.close(ws)
        elif kind == "echo":
            url = f"{address}/echo?size={size}"
            await clocked(figures, peer, url, lambda ws: peer.exchange(ws, n, in_flight, lambda: message))
        elif kind == "round trip":
            times: list[float] = []

            def next_message() -> str:
                times.append(time.perf_counter())
                return message

            await clocked(
                figures, peer, f"{address}/echo?size={size}", lambda ws: peer.exchange(ws, n, 1, next_message)
            )
            spans = sorted(after - before for before, after in zip(times, times[1:], strict=False))
            figures |= {"p50": spans[len(spans) // 2], "p99": spans[len(spans) * 99 // 100]}
        elif kind == "send":
            url = f"{address}/sink?size={size}&n={n}"
            await clocked(figures, peer, url, lambda ws: peer.send(ws, n, message))
        elif kind == "open and close":
            cpu, start = time.process_time(), time.perf_counter()
            for _ in range(n):
                await peer.close(await peer.open(f"{address}/echo?size=1"))
            figures |= {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}
        elif kind == "idle":
            sockets = [await peer.open(f"{address}/echo?size=1")]
            before = resident()
            for _ in range(n):
                sockets.append(await peer.open(f"{address}/echo?size=1"))
            figures["bytes"] = (resident() - before) / n
            for ws in sockets:
                await peer.close(ws)
    finally:
        if getattr(peer, "session", None) is not None:
            await peer.session.close()
    return figures


async def clocked(figures: Figures, peer: Any, url: str, job: Callable[[Any], Any]) -> None:
    ws = await peer.open(url)
    start, cpu = time.perf_counter(), time.process_time()
    await job(ws)
    figures |= {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}
    await peer.close(ws)


def resident() -> int:
    """Bytes of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("kind", nargs="?")
    parser.add_argument("address", nargs="?")
    parser.add_argument("--size", type=int, default=0)
    parser.add_argument("--n", type=int, default=0)
    parser.add_argument("--in-flight", type=int, default=0)
    parser.add_argument("--core", type=int)
    parser.add_argument("--uvloop", action="store_true")
    options = parser.parse_args()
    if options.core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {options.core})
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 1 << 16), hard))
    factory = None
    if options.uvloop:
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        if options.name == "server":
            runner.run(serve())
        else:
            job = work(options.name, options.kind, options.address, options.size, options.n, options.in_flight)
            print(json.dumps(runner.run(job)))


if __name__ == "__main__":
    main()

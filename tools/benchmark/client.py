"""One client does one piece of work: a process of its own, which prints its figures as JSON.

python -m benchmark.client pyws echo ws://127.0.0.1:1234 --size 256 --n 1000 --in-flight 64 [--core N] …
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from typing import Any

from .clients import (
    Aiohttp,
    CompressingAiohttp,
    FastPyws,
    Picows,
    Pyws,
    ReceivingAiohttp,
    SpeedPyws,
    TextPicows,
    Websockets,
)
from .documents import documents
from .limit import Bare
from .process import carried, pin, resident

Figures = dict[str, Any]
CLIENTS: dict[str, Callable[[bool, str | None], Any]] = {
    "pyws": Pyws,
    "pyws[speed]": SpeedPyws,
    "pyws[speed], fast": FastPyws,
    "websockets": Websockets,
    "aiohttp": Aiohttp,
    "aiohttp, receive()": ReceivingAiohttp,
    "aiohttp, compress=15": CompressingAiohttp,
    "picows": Picows,
    "picows, text": TextPicows,
    "bare": Bare,
}


@contextmanager
def clocked(figures: Figures) -> Iterator[None]:
    """Write down the seconds of the clock, and those of this process."""
    start, cpu = time.perf_counter(), time.process_time()
    yield
    figures |= {"cpu": time.process_time() - cpu, "seconds": time.perf_counter() - start}


class Work:
    """What a client does with a server; each method does one kind, and writes its figures down."""

    def __init__(self, peer: Any, address: str, size: int, n: int, in_flight: int) -> None:
        self.peer, self.address, self.size, self.n, self.in_flight = peer, address, size, n, in_flight
        self.message = "a" * size
        self.figures: Figures = {"n": n}

    async def flood(self) -> None:
        """Receive what a raw server sends as fast as it can."""
        ws = await self.peer.open(f"{self.address}/flood?size={self.size}&n={self.n}")
        with clocked(self.figures):
            await self.peer.receive(ws, self.n)
        await self.peer.close(ws)

    async def send(self) -> None:
        """Send as fast as the raw server takes it."""
        ws = await self.peer.open(f"{self.address}/sink?size={self.size}&n={self.n}")
        with clocked(self.figures):
            await self.peer.send(ws, self.n, self.message)
        await self.peer.close(ws)

    async def echo(self) -> None:
        """Send a message for each one that comes back from a raw server."""
        ws = await self.peer.open(f"{self.address}/echo?size={self.size}")
        with clocked(self.figures):
            await self.peer.exchange(ws, self.n, self.in_flight, lambda: self.message)
        await self.peer.close(ws)

    async def round_trip(self) -> None:
        """Have one message on its way: how long it takes in most cases, and at worst."""
        times: list[float] = []

        def next_message() -> str:
            times.append(time.perf_counter())
            return self.message

        ws = await self.peer.open(f"{self.address}/echo?size={self.size}")
        with clocked(self.figures):
            await self.peer.exchange(ws, self.n, 1, next_message)
        await self.peer.close(ws)
        spans = sorted(after - before for before, after in zip(times, times[1:], strict=False))
        self.figures |= {"p50": spans[len(spans) // 2], "p99": spans[len(spans) * 99 // 100]}

    async def documents(self) -> None:
        """Exchange JSON documents with an echo server; the bytes on the wire are those of a message."""
        texts = cycle(documents(self.size))
        ws = await self.peer.open(self.address)
        sent, received = carried()
        with clocked(self.figures):
            await self.peer.exchange(ws, self.n, self.in_flight, lambda: next(texts))
        sent_now, received_now = carried()
        self.figures |= {"sent": (sent_now - sent) / self.n, "received": (received_now - received) / self.n}
        await self.peer.close(ws)

    async def open_and_close(self) -> None:
        """Open and close connections, one after the other; the bytes on the wire are those of opening one."""
        await self.peer.close(await self.peer.open(self.address))  # what is made once is there
        with clocked(self.figures):
            for _ in range(self.n):
                await self.peer.close(await self.peer.open(self.address))
        ws = await self.peer.open(self.address)
        self.figures["sent"], self.figures["received"] = carried()
        await self.peer.close(ws)

    async def idle(self) -> None:
        """Hold many connections: bytes of memory for each, when each has exchanged `in_flight` messages."""

        async def connect() -> Any:
            ws = await self.peer.open(self.address)
            if self.in_flight:
                texts = cycle(documents(self.size))
                await self.peer.exchange(ws, self.in_flight, 1, lambda: next(texts))
            return ws

        sockets = [await connect()]
        before = resident()
        sockets += [await connect() for _ in range(self.n)]
        self.figures["bytes"] = (resident() - before) / self.n
        for ws in sockets:
            await self.peer.close(ws)


async def run(options: argparse.Namespace) -> Figures:
    """Do the work once."""
    peer = CLIENTS[options.name](options.plain, options.authority)
    work = Work(peer, options.address, options.size, options.n, options.in_flight)
    try:
        await getattr(work, options.kind.replace(" ", "_"))()
    finally:
        if isinstance(peer, Aiohttp):
            await peer.session.close()
    return work.figures


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=CLIENTS)
    parser.add_argument("kind", help="a method of Work")
    parser.add_argument("address")
    parser.add_argument("--size", type=int, default=0, help="bytes of a message")
    parser.add_argument("--n", type=int, default=0, help="how many messages, or connections")
    parser.add_argument("--in-flight", type=int, default=0, help="how many messages are on their way at a time")
    parser.add_argument("--plain", action="store_true", help="without what libraries do by default")
    parser.add_argument("--authority", help="a PEM file, for wss:")
    parser.add_argument("--core", type=int)
    parser.add_argument("--uvloop", action="store_true")
    options = parser.parse_args()
    pin(options.core)
    factory = None
    if options.uvloop:
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        print(json.dumps(runner.run(run(options))))


if __name__ == "__main__":
    main()

"""Put pyws under load for minutes, on this machine only: nothing may be lost, reordered or left behind.

python3 tools/soak.py [--quick] [--crowd N] [--churn N] [--messages N] [--picture FILE]

The server is the `websockets` library's, in another process, and sends every message back; each carries its number
and a checksum, and some readers are slow on either side. After each act the tasks, descriptors and memory of this
process must be what they were. A picture of its memory over time is written, by default web/soak.svg.
"""

import argparse
import asyncio
import contextlib
import ctypes
import gc
import random
import subprocess
import sys
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import environment

if __name__ == "__main__":
    environment.enter("test")

sys.path.insert(0, str(environment.ROOT))

import psutil
from pyws import WebSocket
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

HOST = "127.0.0.1"
PATIENCE = 60  # seconds without any progress
SPARE = 200  # descriptors besides one per socket
LANES = 50  # sockets at a time, where it is not all at once
IN_FLIGHT = 64  # messages of one socket on their way
MEMORY = 24 << 20  # bytes that the process may have grown by since its first crowd
BLOCKS = 0.02  # the same for objects of Python, as a part

POOL = random.Random(1).randbytes(1 << 17)
TEXT = "".join(random.Random(2).choices("abc xyz äöü €√ 😀\n", k=1 << 17))


def compose(number: int) -> str | bytes:
    """A message of random size that carries its number and a checksum; every third is text."""
    size = int(random.expovariate(1 / random.choice((20, 20, 20, 200, 2000, 2000 if number % 50 else 60_000))))
    start = random.randrange(len(POOL) // 2)
    if number % 3 == 0:
        text = TEXT[start : start + size]
        return f"{number:012x}{zlib.crc32(text.encode(), number):08x}{text}"
    data = POOL[start : start + size]
    return number.to_bytes(8, "big") + zlib.crc32(data, number).to_bytes(4, "big") + data


def inspect(data: str | bytes) -> int:
    """The number that a message carries; -1 if it is damaged."""
    if isinstance(data, str):
        number, checksum, payload = int(data[:12], 16), int(data[12:20], 16), data[20:].encode()
    else:
        number, checksum, payload = int.from_bytes(data[:8], "big"), int.from_bytes(data[8:12], "big"), data[12:]
    return number if zlib.crc32(payload, number) == checksum else -1


# The server, in a process of its own.


async def echo(connection: ServerConnection) -> None:
    """Send every message back; under /slow with pauses."""
    slow = connection.request is not None and connection.request.path == "/slow"
    try:
        async for message in connection:
            await connection.send(message)
            if slow and random.random() < 0.02:
                await asyncio.sleep(0.02)
    except ConnectionClosed:
        pass


async def serve_here() -> None:
    """Serve until the standard input ends: however the parent ends, so does this process."""
    settings: dict[str, Any] = {"compression": None, "ping_interval": None, "backlog": 1000, "open_timeout": PATIENCE}
    async with serve(echo, HOST, 0, **settings) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)
        server.close()


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """The server's address."""
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None and server.stdin is not None
        port = server.stdout.readline().strip()
        if not port:
            raise environment.CommandError("The server did not start.")
        try:
            yield f"ws://{HOST}:{port}/"
        finally:
            server.stdin.close()
            try:
                server.wait(5)
            except subprocess.TimeoutExpired:
                server.kill()


# The acts.


class Socket:
    """A socket that counts: what comes back must be what was sent, in order."""

    def __init__(self, url: str, sluggish: bool = False) -> None:
        self.sent = self.received = 0
        self.sluggish = sluggish
        self.code = 0
        self.moved = asyncio.Event()
        self.ws = WebSocket(url)
        self.ws.binaryType = "arraybuffer"
        self.ws.onopen = self.ws.onclose = self._note
        self.ws.onmessage = self._receive

    def _note(self, event: Any) -> None:
        if event.type == "close":
            self.code = event.code if event.wasClean else -event.code
        self.moved.set()

    def _receive(self, event: Any) -> None:
        number = inspect(event.data)
        if number != self.received:
            # An exception in a listener would only be reported.
            Soak.problems.append(f"message {self.received} was expected, {number} came (-1: damaged)")
        self.received += 1
        if self.sluggish and number % 100 == 0:
            time.sleep(0.001)
        self.moved.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition; something must move meanwhile."""
        while not condition():
            self.moved.clear()
            try:
                async with asyncio.timeout(PATIENCE):
                    await self.moved.wait()
            except TimeoutError:
                raise environment.CommandError(
                    f"Nothing moves: readyState {self.ws.readyState}, {self.sent} sent, {self.received} came back."
                ) from None

    async def opened(self) -> None:
        """Wait until it is open."""
        await self.until(lambda: self.ws.readyState == 1 or self.code != 0)
        if self.code:
            raise environment.CommandError(f"A socket closed with {self.code} (negative: unclean) before it was open.")

    async def exchange(self, count: int) -> None:
        """Send messages and see them all come back."""
        while self.sent < count:
            await self.until(lambda: self.sent - self.received < IN_FLIGHT)
            for _ in range(min(count - self.sent, IN_FLIGHT // 2)):
                self.ws.send(compose(self.sent))
                self.sent += 1
        await self.until(lambda: self.received == count)

    async def close(self) -> None:
        """Close, and see it closed cleanly."""
        self.ws.close(1000)
        await self.until(lambda: self.code != 0)
        if self.code != 1000 or self.ws.bufferedAmount:
            raise environment.CommandError(f"A socket closed with {self.code} (negative: unclean) instead of 1000.")


class Soak:
    """The run: its acts, what is watched meanwhile, and what must hold after each."""

    problems: list[str] = []

    def __init__(self, url: str) -> None:
        self.url = url
        self.process = psutil.Process()
        self.start = time.monotonic()
        self.samples: list[tuple[float, int]] = []
        self.acts: list[tuple[float, str]] = []
        self.done = self.total = 0

    async def watch(self) -> None:
        """Sample the memory, and print a line now and then."""
        for tick in range(sys.maxsize):
            self.samples.append((time.monotonic() - self.start, self.process.memory_info().rss))
            if tick % 20 == 19:
                print(f"    {self.done:>9,} of {self.total:,}   {self.samples[-1][1] >> 20} MiB", flush=True)
            await asyncio.sleep(0.1)

    @contextlib.asynccontextmanager
    async def act(self, name: str, total: int) -> AsyncIterator[None]:
        """One act: figures and, when it is over, what it left behind."""
        self.done, self.total = 0, total
        before = await self.weigh()
        print(f"{name}", flush=True)
        start = time.monotonic()
        self.acts.append((start - self.start, name))
        yield
        seconds = time.monotonic() - start
        if self.done != total:
            self.problems.append(f"{self.done} of {total} were done")
        for _ in range(100):  # the server ends TCP, and the loop frees what has ended
            after = await self.weigh()
            if after[:2] == before[:2]:
                break
            await asyncio.sleep(0.1)
        tasks, descriptors, blocks, memory = (b - a for a, b in zip(before, after, strict=True))
        print(
            f"    {total:,} in {seconds:.1f} s, {total / seconds:,.0f} /s; left behind: {tasks} tasks, {descriptors} "
            f"descriptors, {blocks:,} of {before[2]:,} blocks, {memory / (1 << 20):.1f} MiB",
            flush=True,
        )
        if tasks or descriptors:
            self.problems.append(f"{name}: {tasks} tasks and {descriptors} descriptors are left behind")
        if blocks > before[2] * BLOCKS:
            self.problems.append(f"{name}: {blocks} blocks of memory are left behind")
        if self.problems:
            raise environment.CommandError("Failed. " + "; ".join(self.problems[:5]))

    async def weigh(self) -> tuple[int, int, int, int]:
        """Tasks, descriptors, blocks of Python's memory, bytes of the process."""
        await asyncio.sleep(0.1)
        gc.collect()
        trim()
        memory = self.process.memory_info().rss
        return len(asyncio.all_tasks()), self.process.num_fds(), sys.getallocatedblocks(), memory

    async def crowd(self, count: int) -> None:
        """All sockets at once."""
        async with self.act(f"{count:,} sockets at once", count):
            empty = self.process.memory_info().rss
            sockets = [Socket(self.url) for _ in range(count)]
            for socket in sockets:
                await socket.opened()
                self.done += 1
            each = (self.process.memory_info().rss - empty) / count / 1024
            print(f"    all are open: {each:.1f} KiB each", flush=True)
            async with asyncio.TaskGroup() as group:
                for socket in sockets:
                    group.create_task(socket.exchange(2))
            async with asyncio.TaskGroup() as group:
                for socket in sockets:
                    group.create_task(socket.close())
            del sockets, socket

    async def churn(self, count: int) -> None:
        """Sockets opened and closed, some at a time."""

        async def lane(share: int) -> None:
            for _ in range(share):
                socket = Socket(self.url)
                await socket.opened()
                await socket.exchange(1)
                await socket.close()
                self.done += 1

        async with self.act(f"{count:,} sockets opened and closed", count), asyncio.TaskGroup() as group:
            for share in shares(count):
                group.create_task(lane(share))

    async def stream(self, count: int) -> None:
        """Messages both ways; a tenth of the servers and a tenth of the listeners are slow."""

        async def lane(number: int, share: int) -> None:
            socket = Socket(self.url + ("slow" if number % 10 == 0 else ""), number % 10 == 1)
            await socket.opened()
            while socket.sent < share:
                step = min(share - socket.sent, 1000)
                await socket.exchange(socket.sent + step)
                self.done += step
            await socket.close()

        async with self.act(f"{count:,} messages there and back", count), asyncio.TaskGroup() as group:
            for number, share in enumerate(shares(count)):
                group.create_task(lane(number, share))

    async def perform(self, crowd: int, churn: int, messages: int) -> None:
        """Play all acts."""
        watcher = asyncio.create_task(self.watch())
        # What is loaded once is not left behind: a rehearsal first. Nor is what allocators keep of the first crowd: the
        # second must find its place there.
        await self.churn(LANES)
        await self.crowd(crowd)
        start = (await self.weigh())[3]
        await self.churn(churn)
        await self.stream(messages)
        await self.crowd(crowd)
        grown = (await self.weigh())[3] - start
        watcher.cancel()
        peak = max(memory for _, memory in self.samples)
        print(
            f"Memory: {start >> 20} MiB after the first crowd, {peak >> 20} at most, {start + grown >> 20} at the end."
        )
        if grown > MEMORY:
            raise environment.CommandError(f"Failed. The process has grown by {grown >> 20} MiB.")


def trim() -> None:
    """Have the C library return what it holds free, so that what is weighed is in use."""
    with contextlib.suppress(OSError, AttributeError):  # other systems have no such function
        ctypes.CDLL(None).malloc_trim(0)


def shares(count: int) -> list[int]:
    """Cut a number into LANES parts."""
    return [count // LANES + (lane < count % LANES) for lane in range(LANES)]


def picture(samples: list[tuple[float, int]], acts: list[tuple[float, str]]) -> str:
    """Memory over time, as SVG."""
    width, height, left, bottom = 900, 320, 60, 40
    end = samples[-1][0] or 1
    top = max(memory for _, memory in samples) * 1.15

    def x(seconds: float) -> float:
        return round(left + seconds / end * (width - left - 20), 1)

    def y(memory: float) -> float:
        return round((height - bottom) * (1 - memory / top), 1)

    points = " ".join([f"{x(seconds)},{y(memory)}" for seconds, memory in samples])
    step = next(step for step in (5, 10, 20, 50, 100, 200, 500, 1000, 5000) if top / (step << 20) < 8)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="12"><title>pyws under load: memory of the process over time</title>'
        f'<rect width="{width}" height="{height}" fill="#fff"/>'
    ]
    for mebibytes in range(0, int(top) >> 20, step):
        level = y(mebibytes << 20)
        parts.append(f'<path d="M{left} {level}H{width - 20}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 6}" y="{level + 4}" text-anchor="end">{mebibytes} MiB</text>')
    for number, (seconds, name) in enumerate(acts):
        parts.append(f'<path d="M{x(seconds)} 0V{height - bottom}" stroke="#999" stroke-dasharray="3"/>')
        parts.append(f'<text x="{x(seconds) + 4}" y="{14 + 15 * (number % 4)}">{name}</text>')
    parts.append(f'<polyline points="{points}" fill="none" stroke="#06c" stroke-width="2"/>')
    parts.append(f'<text x="{width - 20}" y="{height - 14}" text-anchor="end">{end:.0f} s</text></svg>')
    return "\n".join(parts)


def raise_limit(descriptors: int) -> None:
    """Let this process, and the server that it starts, have that many descriptors."""
    try:
        import resource
    except ImportError:
        raise environment.CommandError(
            "This command needs a system with `resource.setrlimit`, such as Linux."
        ) from None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < descriptors:
        raise environment.CommandError(
            f"{descriptors} descriptors are needed, and this system allows {hard}: raise that with "
            f"'ulimit -Hn {descriptors}' as root, or use --crowd {hard - SPARE}."
        )
    if soft != resource.RLIM_INFINITY and soft < descriptors:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, hard))


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a twentieth of everything")
    parser.add_argument("--crowd", type=int, default=5_000, help="sockets at once")
    parser.add_argument("--churn", type=int, default=10_000, help="sockets opened and closed")
    parser.add_argument("--messages", type=int, default=1_000_000, help="messages there and back")
    parser.add_argument("--picture", type=Path, default=environment.WEB / "soak.svg", help="where to draw the memory")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve_here())
        return
    part = 20 if options.quick else 1
    raise_limit(options.crowd // part + SPARE)
    with serving() as url:
        soak = Soak(url)
        try:
            asyncio.run(soak.perform(options.crowd // part, options.churn // part, options.messages // part))
        except* environment.CommandError as failures:
            raise failures.exceptions[0] from None
        finally:
            if soak.samples:
                options.picture.write_text(picture(soak.samples, soak.acts), encoding="utf-8")
                print(f"Memory over time: {options.picture}")
    print("Nothing was lost, reordered or left behind.")


if __name__ == "__main__":
    main()

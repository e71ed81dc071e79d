"""Standard input as a stream of lines, whether it is a file, a pipe or a terminal."""

import asyncio
import codecs
import contextlib
import os
import threading


class StdinReader:
    """The lines of a file descriptor, read in a thread on request: asyncio cannot wait for files.

    Make it while the event loop runs. Call `read` again and again, one call at a time, until it returns no line.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._batches: asyncio.Queue[list[str]] = asyncio.Queue()
        self._requests = threading.Semaphore(0)
        # A daemon thread, so that the program can end while the thread is blocked in a read.
        threading.Thread(target=self._work, daemon=True).start()

    async def read(self) -> list[str]:
        """Wait for one or more lines, without their line ends; an empty list is the end of the input."""
        self._requests.release()
        return await self._batches.get()

    def _work(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        parts: list[str] = []  # of the last line, which has no end yet
        with contextlib.suppress(RuntimeError):  # the event loop is closed
            while data := os.read(self._descriptor, 65536):
                first, *others = decoder.decode(data).split("\n")
                parts.append(first)
                if others:
                    *lines, line = "".join(parts), *others
                    parts = [line]
                    self._deliver([line.removesuffix("\r") for line in lines])
            if line := "".join(parts) + decoder.decode(b"", True):
                self._deliver([line])
            self._deliver([])

    def _deliver(self, lines: list[str]) -> None:
        """Wait for a call of `read`, and let it return these lines."""
        self._requests.acquire()
        self._loop.call_soon_threadsafe(self._batches.put_nowait, lines)

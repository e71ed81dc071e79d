"""Functions that take the place of the event loop's `add_reader`, `add_writer`, and of those that take them back.

Their law: a callback runs once a turn of the loop, as long as its socket is ready, and never from inside a call.
https://docs.python.org/3/library/asyncio-eventloop.html#watching-file-descriptors
"""

import asyncio

from .blockingsockets import stream_of
from .replacing import own
from .stream import POLL_INTERVAL, Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_watches: "dict[tuple[int, bool], Watch]" = {}


class Watch:
    """One callback: it is called while the connection of a descriptor can be read, or written."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, key: tuple[int, bool], stream: Stream, call: "Callable[[], object]"
    ) -> None:
        self._loop = loop
        self._key = key
        self._stream = stream
        self._call = call
        self._pause: asyncio.Future[None] | None = None
        self._next = loop.call_soon(self._look)

    def end(self) -> None:
        """Call nothing any more."""
        self._next.cancel()
        if self._pause is not None:
            self._stream.changed.waiting.remove(self._pause)
            self._pause = None

    def _look(self) -> None:
        descriptor, writing = self._key
        if stream_of(descriptor) is not self._stream:  # closed
            _watches.pop(self._key, None)
        elif self._stream.writable if writing else self._stream.readable:
            self._next = self._loop.call_soon(self._look)
            self._call()
        elif writing:
            self._next = self._loop.call_later(POLL_INTERVAL, self._look)
        else:
            self._pause = self._loop.create_future()
            self._pause.add_done_callback(self._wake)
            self._stream.changed.waiting.append(self._pause)

    def _wake(self, pause: "asyncio.Future[None]") -> None:
        if self._pause is pause:
            self._stream.changed.waiting.remove(pause)
            self._pause = None
            self._look()


def add_reader(self: asyncio.AbstractEventLoop, fd: "Any", callback: "Callable[..., object]", *args: object) -> None:
    """Take the place of `add_reader`: call `callback(*args)` while the socket can be read.

    https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.add_reader
    """
    _add(self, "add_reader", fd, callback, args)


def add_writer(self: asyncio.AbstractEventLoop, fd: "Any", callback: "Callable[..., object]", *args: object) -> None:
    """Take the place of `add_writer`: call `callback(*args)` while the socket takes bytes.

    https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.add_writer
    """
    _add(self, "add_writer", fd, callback, args)


def remove_reader(self: asyncio.AbstractEventLoop, fd: "Any") -> bool:
    """Take the place of `remove_reader`; return whether there was a callback."""
    return _remove(fd, False)


def remove_writer(self: asyncio.AbstractEventLoop, fd: "Any") -> bool:
    """Take the place of `remove_writer`; return whether there was a callback."""
    return _remove(fd, True)


def _add(
    loop: asyncio.AbstractEventLoop, name: str, fd: "Any", callback: "Callable[..., object]", args: tuple[object, ...]
) -> None:
    stream = stream_of(fd)
    if stream is None:
        from pyodide.webloop import WebLoop

        own(WebLoop, name)(loop, fd, callback, *args)
        return
    writing = name == "add_writer"
    _remove(fd, writing)
    key = (_descriptor(fd), writing)
    _watches[key] = Watch(loop, key, stream, lambda: callback(*args))


def _remove(fd: "Any", writing: bool) -> bool:
    watch = _watches.pop((_descriptor(fd), writing), None)
    if watch is not None:
        watch.end()
    return watch is not None


def _descriptor(fd: "Any") -> int:
    number: int = fd if isinstance(fd, int) else fd.fileno()
    return number

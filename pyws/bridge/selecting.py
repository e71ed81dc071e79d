"""Functions that take the place of `select.select` and `select.poll`, on which the module `selectors` stands.

Its law: descriptors that the bridge does not own are asked by the own functions, without a wait.
https://docs.python.org/3/library/select.html
"""

import select as select_module
from select import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI

from .blockingsockets import stream_of
from .replacing import own
from .stream import POLL_INTERVAL, Stream
from .waiting import INTERRUPT_INTERVAL, wait_until

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    Lists = tuple[list[Any], list[Any], list[Any]]

# The events for which a descriptor is in the first, the second and the third list that `select` returns.
READ, WRITE, EXCEPTIONAL = POLLIN | POLLHUP | POLLERR, POLLOUT | POLLERR, POLLPRI


def select(
    rlist: "Iterable[Any]", wlist: "Iterable[Any]", xlist: "Iterable[Any]", timeout: float | None = None, /
) -> "Lists":
    """Take the place of `select.select`: wait until one of the descriptors can be read or written.

    https://docs.python.org/3/library/select.html#select.select
    """
    lists: Lists = (list(rlist), list(wlist), list(xlist))
    wanted: dict[int, int] = {}
    for items, event in zip(lists, (POLLIN, POLLOUT, POLLPRI), strict=True):
        for item in items:
            wanted[_descriptor(item)] = wanted.get(_descriptor(item), 0) | event
    if not any(map(stream_of, wanted)):
        return own(select_module, "select")(*lists, timeout)  # type: ignore[no-any-return] # untyped
    if timeout is not None and timeout < 0:
        raise ValueError("timeout must be non-negative")
    found = _wait(wanted, timeout)
    readable, writable, exceptional = (
        [item for item in items if found.get(_descriptor(item), 0) & events]
        for items, events in zip(lists, (READ, WRITE, EXCEPTIONAL), strict=True)
    )
    return readable, writable, exceptional


class Poll:
    """The object that takes the place of those of `select.poll()`.

    https://docs.python.org/3/library/select.html#polling-objects
    """

    def __init__(self) -> None:
        self._wanted: dict[int, int] = {}

    def register(self, fd: "Any", eventmask: int = POLLIN | POLLPRI | POLLOUT, /) -> None:
        """Ask for events of a descriptor from now on."""
        self._wanted[_descriptor(fd)] = eventmask

    def modify(self, fd: "Any", eventmask: int, /) -> None:
        """Ask for other events of it. Raises FileNotFoundError if it is not registered."""
        if _descriptor(fd) not in self._wanted:
            raise FileNotFoundError(f"the descriptor {_descriptor(fd)} is not registered")
        self._wanted[_descriptor(fd)] = eventmask

    def unregister(self, fd: "Any", /) -> None:
        """Ask for no events of it any more. Raises KeyError if it is not registered."""
        del self._wanted[_descriptor(fd)]

    def poll(self, timeout: float | None = None, /) -> list[tuple[int, int]]:
        """Wait for at most `timeout` milliseconds, without a limit if it is None or negative.

        Return pairs of a descriptor and its events.
        """
        seconds = None if timeout is None or timeout < 0 else timeout / 1000
        if any(map(stream_of, self._wanted)):
            return list(_wait(self._wanted, seconds).items())
        return _own_poll(self._wanted).poll(timeout)  # type: ignore[no-any-return] # untyped


def _descriptor(item: "Any") -> int:
    """Return the descriptor of an object, as `select` finds it. Raises TypeError and ValueError."""
    descriptor = item if isinstance(item, int) else getattr(item, "fileno", lambda: None)()
    if not isinstance(descriptor, int):
        raise TypeError("argument must be an int, or have a fileno() method.")
    if descriptor < 0:
        raise ValueError(f"file descriptor cannot be a negative integer ({descriptor})")
    return descriptor


def _own_poll(wanted: "dict[int, int]") -> "Any":
    """Return an own object of the system that asks for these events."""
    poll = own(select_module, "poll")()
    for descriptor, events in wanted.items():
        poll.register(descriptor, events)
    return poll


def _wait(wanted: "dict[int, int]", timeout: float | None) -> "dict[int, int]":
    """Wait until one of the descriptors has an event, for so many seconds; return the events."""
    streams = {descriptor: stream for descriptor in wanted if (stream := stream_of(descriptor)) is not None}
    others = {descriptor: events for descriptor, events in wanted.items() if descriptor not in streams}
    found: dict[int, int] = {}

    def look() -> bool:
        for descriptor, stream in streams.items():
            if events := _events(stream) & (wanted[descriptor] | POLLERR):
                found[descriptor] = events
        if others:
            found.update(_own_poll(others).poll(0))
        return bool(found)

    # Nothing tells of other descriptors, and of bytes that the network has taken.
    often = bool(others) or any(events & POLLOUT for events in wanted.values())
    signals = [stream.changed for stream in streams.values()]
    wait_until(look, timeout, signals, POLL_INTERVAL if often else INTERRUPT_INTERVAL)
    return found


def _events(stream: Stream) -> int:
    """Return the events that a connection has now."""
    return POLLIN * stream.readable | POLLOUT * stream.writable | POLLERR * stream.failed

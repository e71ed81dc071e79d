"""A journal of the events of all sockets that are opened while it is kept: rows of plain values, for one equality.

Its law: it changes nothing for the sockets. It stands where the connection calls up (see the seam in `websocket.py`),
only while it is kept, so a socket gets no listener from it, and without a journal no call costs more.
"""

import functools
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from ..websocket import WebSocket
from ..websocketstream import WebSocketStream
from .data import show
from .expectations import ask, check_plain
from .waiting import Changes

JournalRow = tuple[Any, ...]


class SocketJournal:
    """The rows of one socket."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        """The `WebSocket`, `ReconnectingWebSocket` or `WebSocketStream`."""
        self.rows: list[JournalRow] = []
        """Its rows."""


class Journal:
    """Rows of all sockets of pyws that are opened while it is kept:

        with Journal() as journal:
            ...
        assert journal.rows == [("open", "chat"), ("message", "hi"), ("close", 1000, "bye", True)]

    The rows are: `("open", protocol)`; `("message", data)`, with `str` or `bytes` for every `binaryType`; `("error",)`;
    `("close", code, reason, wasClean)`; `("reconnecting", code, reason, wasClean, attempt)`; and
    `("exception", name, text)` for an exception of a listener, which goes to `sys.excepthook` as well. A
    `WebSocketStream` has the rows that a `WebSocket` would have.

    A row is there before the listeners of its event run. `timeout`: seconds that a wait lasts by default.
    """

    def __init__(self, *, timeout: float = 5.0) -> None:
        self.rows: list[JournalRow] = []
        """The rows of all sockets, in their order."""
        self.sockets: list[SocketJournal] = []
        """The journal of each socket, in the order in which they were opened."""
        self._own: dict[int, SocketJournal] = {}
        self._changes = Changes(timeout)

    def rows_of(self, socket: Any) -> list[JournalRow]:
        """Return the rows of one socket; raise `LookupError` for one that was opened at another time."""
        if id(socket) in self._own:
            return self._own[id(socket)].rows
        raise LookupError(f"{socket!r} was not opened while this journal was kept")

    def wait_for(
        self, expected: "str | JournalRow | Callable[[JournalRow], object]", *, timeout: float | None = None
    ) -> JournalRow:
        """Block until a row is there, and return it: a row that is equal, or of that type, or right for a function.

        Rows that are there already count. In the thread of the sockets use `async_wait_for`. Raises
        `ExpectationError` after `timeout` seconds.
        """
        return self._changes.wait(self._search(expected), timeout, self._awaited(expected))

    async def async_wait_for(
        self, expected: "str | JournalRow | Callable[[JournalRow], object]", *, timeout: float | None = None
    ) -> JournalRow:
        """The same as `wait_for`, for a coroutine."""
        return await self._changes.async_wait(self._search(expected), timeout, self._awaited(expected))

    def _search(self, expected: Any) -> Callable[[], JournalRow | None]:
        if not isinstance(expected, (str, tuple)) and not callable(expected):
            raise TypeError(f"a row is a tuple: expect one, its first word or a function, not {expected!r}")
        if callable(expected):
            check_plain(expected)
        position = 0

        def look() -> JournalRow | None:
            nonlocal position
            while position < len(self.rows):
                row = self.rows[position]
                position += 1
                if ask(expected, row) if callable(expected) else expected in (row, row[0]):
                    return row
            return None

        return look

    def _awaited(self, expected: Any) -> Callable[[], str]:
        words = getattr(expected, "__name__", repr(expected)) if callable(expected) else repr(expected)
        return lambda: f"the row {words}\n{self.show()}"

    def show(self) -> str:
        """Return all rows as text, a line for each; long data is cut."""
        return "\n".join(f"  ({', '.join(map(show, row))})" for row in list(self.rows)) or "  no row came"

    # Kept from here to there

    def __enter__(self) -> Self:
        _keep(self)
        return self

    def __exit__(self, *_: object) -> None:
        _leave(self)

    # Called by the observers

    def began(self, socket: Any) -> None:
        """Note that a socket was opened."""
        self.sockets.append(SocketJournal(socket))
        self._own[id(socket)] = self.sockets[-1]

    def add(self, socket: Any, row: JournalRow) -> None:
        """Add a row of a socket, if it was opened while this journal was kept."""
        own = self._own.get(id(socket))
        if own is not None:
            own.rows.append(row)
            self.rows.append(row)
            self._changes.notify()

    def raised(self, error: BaseException) -> None:
        """Add a row for an exception of a listener."""
        self.rows.append(("exception", type(error).__name__, str(error)))
        self._changes.notify()


# The journals that are kept now, and how the classes are observed while there is one.

_lock = threading.Lock()
_journals: list[Journal] = []
_undo: list[Callable[[], object]] = []


def _keep(journal: Journal) -> None:
    with _lock:
        _journals.append(journal)
        if len(_journals) == 1:
            _observe()


def _leave(journal: Journal) -> None:
    with _lock:
        _journals.remove(journal)
        if not _journals:
            while _undo:
                _undo.pop()()


def _note(socket: Any, *row: Any) -> None:
    for journal in tuple(_journals):
        journal.add(socket, row)


def _began(socket: Any, *_: object, **__: object) -> None:
    for journal in tuple(_journals):
        journal.began(socket)


def _fired(socket: Any, event: Any) -> None:
    match event.type:
        case "open":
            _note(socket, "open", socket.protocol)
        case "error":
            _note(socket, "error")
        case "close":
            _note(socket, "close", event.code, event.reason, event.wasClean)
        case _:  # reconnecting
            _note(socket, "reconnecting", event.code, event.reason, event.wasClean, event.attempt)


def _closed(stream: Any, failed: bool, clean: bool, code: int, reason: str) -> None:
    if failed:
        _note(stream, "error")
    _note(stream, "close", code, reason, clean)


def _observe() -> None:
    _after(WebSocket, "_pyws_begin", _began)
    _before(WebSocket, "_pyws_fire", _fired)
    _before(WebSocket, "_pyws_received", lambda socket, data, _: _note(socket, "message", data))
    _after(WebSocketStream, "__init__", _began)
    _before(WebSocketStream, "_pyws_opened", lambda stream, protocol, _: _note(stream, "open", protocol))
    _before(WebSocketStream, "_pyws_received", lambda stream, data, _: _note(stream, "message", data))
    _before(WebSocketStream, "_pyws_closed", _closed)
    hook = sys.excepthook

    def report(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        for journal in tuple(_journals):
            journal.raised(error)
        hook(kind, error, traceback)

    def restore() -> None:
        if sys.excepthook is report:
            sys.excepthook = hook

    sys.excepthook = report
    _undo.append(restore)


def _before(owner: type, name: str, observer: Callable[..., object]) -> None:
    _replace(owner, name, observer, None)


def _after(owner: type, name: str, observer: Callable[..., object]) -> None:
    _replace(owner, name, None, observer)


def _replace(owner: type, name: str, before: Callable[..., object] | None, after: Callable[..., object] | None) -> None:
    """Let an observer be called before or after a method of a class, until it is undone."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def method(*arguments: Any, **keywords: Any) -> Any:
        if before is not None:
            before(*arguments, **keywords)
        result = original(*arguments, **keywords)
        if after is not None:
            after(*arguments, **keywords)
        return result

    if name in vars(owner):
        _undo.append(lambda: setattr(owner, name, original))
    else:  # a method of its base class
        _undo.append(lambda: delattr(owner, name))
    setattr(owner, name, method)

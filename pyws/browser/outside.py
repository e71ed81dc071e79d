"""The WebSocket of Node, Deno and Bun: they leave undone some things that a browser does.

Its law: an engine is known by the things that it does, not by its name. Facts that cannot be asked for are constants.
"""

import js
from pyodide.ffi import create_once_callable, create_proxy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Cancel = Callable[[], object]
    CallLater = Callable[[float, Callable[[], object]], Cancel]

CLOSING_TIMEOUT = 60.0
"""Seconds within which a server must answer a Close, as on CPython. Deno waits without limit."""

END_OF_TCP = "Unexpected EOF"
"""The message of the error event of Deno when TCP has ended without a Close: in the standard that is not an error."""

PERMISSION_ERRORS = ("NotCapable", "PermissionDenied")
"""The name of the exception of Deno for a connection that is not allowed, from version 2 on and before."""

NO_PERMISSION = "Deno has no permission to connect to "
"""The first words of the exception of pyws for that."""


def _attribute(name: str) -> "Any":
    return property(
        lambda socket: getattr(socket.js_socket, name), lambda socket, value: setattr(socket.js_socket, name, value)
    )


class Socket:
    """A WebSocket of JavaScript, and the things that it lacks, in the place of that WebSocket."""

    onopen, onmessage, binaryType = map(_attribute, ("onopen", "onmessage", "binaryType"))

    def __init__(self, js_socket: "Any", url: str, call_later: "CallLater") -> None:
        self.js_socket = js_socket
        self.url = url
        self._call_later = call_later
        self._counts: bool | None = None  # whether the engine counts the messages of this task; None: not known yet
        self._in_task = 0  # bytes that are counted until this task ends
        self._js_on_error: Any = None
        self._on_close: Any = None
        self._cancel: Cancel | None = None

    def __getattr__(self, name: str) -> "Any":
        """Return an attribute that it has not itself."""
        return getattr(self.js_socket, name)

    # `bufferedAmount` changes between two tasks only: https://websockets.spec.whatwg.org/#dom-websocket-bufferedamount
    # Bun counts only the bytes that the system refuses, and after `close` Deno counts nothing.

    @property
    def bufferedAmount(self) -> int:
        """Payload bytes that the network has not taken, and those that were sent in this task."""
        return max(self._in_task, int(getattr(self.js_socket, "bufferedAmount", 0)))

    def counting(self, send: "Callable[..., Any]") -> "Callable[..., Any]":
        """Return a function that sends, and counts the message if the engine does not."""

        def counted(data: "Any", *more: object) -> "Any":
            if self._counts:
                return send(data, *more)
            before = self.bufferedAmount
            answer = send(data, *more)
            if answer == 1:
                self._count(before, _size_of(data))
            return answer

        return counted

    def _count(self, before: int, size: int) -> None:
        if self._counts is None and size:
            self._counts = self.bufferedAmount >= before + size
        if not self._counts:
            self._keep(before + size)

    def _keep(self, amount: int) -> None:
        """Count `amount` until this task ends."""
        if not self._in_task and amount:
            # A task of JavaScript calls Python once, before its microtasks. A timer may run after the server's answer.
            js.queueMicrotask(create_once_callable(self._forget))
        self._in_task = amount

    def _forget(self) -> None:
        self._in_task = 0

    # The end.

    def _set_on_error(self, listener: "Any") -> None:
        js_before = self._js_on_error
        self._js_on_error = None
        if listener is not None:
            self._js_on_error = create_proxy(
                lambda js_event: getattr(js_event, "message", "") == END_OF_TCP or listener(js_event)
            )
        self.js_socket.onerror = self._js_on_error
        if js_before is not None:
            js_before.destroy()

    def _set_on_close(self, listener: "Any") -> None:
        self.js_socket.onclose = self._on_close = listener
        cancel = self._cancel
        if listener is None and cancel is not None:
            self._cancel = None
            cancel()

    onerror = property(None, _set_on_error)
    onclose = property(None, _set_on_close)

    def close(self, *arguments: object) -> None:
        """Begin to close. If the server does not answer in time, `onclose` is called without an event."""
        self._keep(self.bufferedAmount)
        if self._cancel is None:
            self._cancel = self._call_later(CLOSING_TIMEOUT, self._give_up)
        self.js_socket.close(*arguments)

    def _give_up(self) -> None:
        self._cancel = None
        self._on_close()


def adopt(js_socket: "Any", given: str, call_later: "CallLater") -> Socket:
    """Return the socket for a WebSocket that was made with the URL `given`.

    The user and the password of that URL stay in `url`: Deno takes them out.
    """
    url: str = js_socket.url
    if "@" in given and "@" not in url:
        js_url = js.URL.new(given, url)
        password = js_url.password and f":{js_url.password}"
        if js_url.username or password:
            url = url.replace("://", f"://{js_url.username}{password}@", 1)
    return Socket(js_socket, url, call_later)


def explained(name: str, message: str) -> "tuple[str, str]":
    """Return the message and the name of the exception of pyws for an exception of the constructor."""
    if name not in PERMISSION_ERRORS:
        return message, name
    host = message.partition('"')[2].partition('"')[0]
    return f"{NO_PERMISSION}{host}: run it with --allow-net={host}.", "SecurityError"


def _size_of(data: "Any") -> int:
    if isinstance(data, str):  # two surrogates may be one character
        return len(data.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode())
    return int(data.byteLength) if hasattr(data, "byteLength") else len(data)

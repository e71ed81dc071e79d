"""The browser's own WebSocket, for Pyodide and Brython.

Its law: a message crosses the boundary to JavaScript as a string, a number or one copy of bytes; no object of
JavaScript is made before the first connection.
https://websockets.spec.whatwg.org/
"""

from .. import loop
from ..buffersource import BLOB, kind_of, size_of
from ..loop import call_later, complete, start
from ..webidl import DOMException, usv_string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Received = Callable[[str | bytes, float], object]
    Send = Callable[[Any], int]

runtime: "Any" = loop.runtime
"""The words that only the runtimes of a page have: see `brython.py` and `pyodide.py`."""

HIGH_WATER = 1 << 20
"""Unsent bytes above which a stream waits."""

POLL_INTERVAL = 0.004
"""Seconds after which a stream reads again how many bytes are unsent."""


class UserAgent:
    """In a page the browser is the user agent, so there is nothing to set."""

    def __init__(self, **_: object) -> None:
        raise DOMException(
            "In a page the browser decides on origin, headers, cookies, TLS, proxy, limits and time-outs: "
            "its settings, its user and the server that sent the page do. UserAgent is for CPython.",
            "NotSupportedError",
        )

    @staticmethod
    def current() -> "UserAgent":
        """Raise, too."""
        return UserAgent()


class Connection:
    """A WebSocket of the browser: the other side of the seam (see `websocket.py`)."""

    refusal = None  # a page does not learn how a server refuses
    canceled = False

    held = False
    """The browser itself keeps a socket alive while its events have listeners."""

    def __init__(self, url: str, protocols: "list[str]", owner: "Any", idle: bool = False) -> None:
        self._owner = owner
        self._protocols = protocols
        self._opened = self._failed = self._given_up = self._closing = self._ended = False
        self._buffered = 0
        # The messages that wait: a Blob whose bytes are not read yet, and all later messages; their size in bytes; the
        # arguments of a `close` that comes after them.
        self._waiting: list[Any] = []
        self._waiting_size = 0
        self._close_arguments: tuple[int | None, str] | None = None
        self._send: Send | None = None
        self._send_at_once: Send | None = None  # the same, while text and bytes need not wait
        self._cancel: Callable[[], object] | None = None  # of the timer that ends it where no close comes
        # Firefox refuses the empty string, which is the page's own URL.
        js_socket: Any = Idle(url) if idle else new_socket(url or page_url().partition("#")[0], protocols)
        self._js_socket = js_socket
        self.url: str = js_socket.url
        callbacks = (self._on_open, self._on_error, self._on_close)
        self._js_functions = js_functions = [runtime.js_callable(callback) for callback in callbacks]
        js_socket.onopen, js_socket.onerror, js_socket.onclose = js_functions
        if not idle:
            js_socket.binaryType = "arraybuffer"
            self._send, js_received = self._link(js_socket)
            self._send_at_once = self._send
            js_functions.append(js_received)

    @property
    def state(self) -> int:
        """The socket's readyState."""
        if self._js_socket is None:
            return 3
        # Node's is CLOSED as soon as it is given up, before it says so.
        return 2 if self._given_up or self._close_arguments is not None else int(self._js_socket.readyState)

    @property
    def buffered(self) -> int:
        """Payload bytes that the network has not taken."""
        if self._js_socket is None:
            return self._buffered
        return self._waiting_size + int(getattr(self._js_socket, "bufferedAmount", 0))

    def send(self, data: "Any") -> int:
        """Send a message, if OPEN; the state: to ask for it would be a call of its own.

        `data` is `str`, `bytes`, a Blob of JavaScript, or a copy of a JavaScript buffer (see `buffersource.py`).
        """
        send = self._send_at_once
        if send is not None and isinstance(data, (str, bytes)):
            return send(data)
        return self._send_in_turn(data)

    def close(self, code: int | None, reason: str) -> None:
        """Start the closing handshake; while connecting, give up."""
        if self._waiting:
            self._close_arguments = (code, reason)
            self._js_socket.onmessage = None
            return
        if self.state == 0:
            self._given_up = True
            self._send_at_once = None
        self._close(code, reason)

    def time_out(self, name: str, seconds: float) -> None:
        """Give up while connecting, because a limit of that name is over."""
        self.close(None, "")

    def _close(self, code: int | None, reason: str) -> None:
        self._closing = True
        self._js_socket.onmessage = None  # in Deno, messages that have arrived would still come
        try:
            if code is None:
                self._js_socket.close()
            else:
                self._js_socket.close(code, runtime.js_text(reason))
        finally:
            self._closing = False

    # A Blob's bytes come later. A browser waits for them by itself, but WebKit and Node lose them, and what was sent
    # after them, when the socket is closed before. So what follows a Blob waits here.

    def _send_in_turn(self, data: "Any") -> int:
        if self._send is not None and not self._given_up and not self._waiting and not _is_blob(data):
            return self._send(data)
        state = self.state
        if state == 1:
            self._waiting.append(data)
            self._waiting_size += _size_of(data)
            self._send_at_once = None
            if len(self._waiting) == 1:
                start(self._send_waiting())
        return state

    async def _send_waiting(self) -> None:
        while self._waiting and self._send is not None:
            data = self._waiting[0]
            if _is_blob(data):
                data = await self._read(data)
            if data is not None and self._send is not None and self._send(data) == 1:
                self._waiting_size -= _size_of(data)  # else it never leaves, and stays counted
            self._waiting.pop(0)
        self._send_at_once = self._send
        if self._close_arguments is not None and self._send is not None:
            self._close(*self._close_arguments)

    async def _read(self, js_blob: "Any") -> "Any":
        # If a file cannot be read (any more), the program must not believe that it was sent: as in Chromium, the
        # connection fails.
        try:
            return await js_blob.arrayBuffer()
        except Exception:
            if not self._ended:
                self._failed = True
                self._close(None, "")
                self._end(False, 1006, "")
            return None

    # The events of the socket.

    def _link(self, js_socket: "Any") -> "tuple[Send, Any]":
        """Have the owner told of each message; return a function that sends, and what to release at the end."""
        send: Send
        send, js_received = runtime.link(js_socket, self._receiver())
        return send, js_received

    def _receiver(self) -> "Received":
        """Return what is called with each message."""
        received: Received = self._owner._pyws_received
        return received

    def _on_open(self, *_: object) -> None:
        js_socket = self._js_socket
        protocol = getattr(js_socket, "protocol", "")
        self._opened = protocol in self._protocols if protocol else not self._protocols
        if not self._opened:
            # Firefox and WebKit open when the server chose no subprotocol, WebKit with one in another case, too.
            js_socket.close()
            self._end(False, 1006, "")
        elif not self._given_up:  # Firefox opens a socket that was given up while its handshake was under way.
            # Node leaves white space behind a header's value.
            self._owner._pyws_opened(protocol, getattr(js_socket, "extensions", "").strip())

    def _on_error(self, *_: object) -> None:
        # Where an engine has an error and no close (a port or a policy forbids the URL), close all the same.
        self._failed = True
        if self._cancel is None:
            self._cancel = call_later(0, lambda: self._end_without_close())

    def _end_without_close(self) -> None:
        self._cancel = None
        self._end(False, 1006, "")

    def _on_close(self, js_event: "Any" = None, *_: object) -> None:
        clean = bool(getattr(js_event, "wasClean", False))
        code = getattr(js_event, "code", 1006) or (0 if clean else 1006)  # Deno says 0
        reason = getattr(js_event, "reason", "")
        # Codes that no server may send, and that Firefox takes for clean ones when one does.
        if clean and code in (1006, 1015):
            self._failed = True
            clean, code, reason = False, 1006, ""
        self._end(clean, code, reason)

    def _end(self, clean: bool, code: int, reason: str) -> None:
        """End the connection. Only the first call has an effect."""
        if self._ended:
            return
        self._ended = True
        js_socket = self._js_socket
        js_socket.onopen = js_socket.onmessage = js_socket.onerror = js_socket.onclose = None
        cancel, self._cancel = self._cancel, None
        if cancel is not None:
            cancel()
        # Firefox may have no error, or the server's code, where the end comes right behind the handshake.
        details = (self._failed, clean, code, reason)
        if self._given_up or not self._opened:
            details = (True, False, 1006, "")
        if self._closing:  # Node ends from inside the call that gives up; nothing may come up from there
            call_later(0, lambda: self._finish(*details))
        else:
            self._finish(*details)

    def _finish(self, failed: bool, clean: bool, code: int, reason: str) -> None:
        # All is released before the owner is called: a listener may raise an exception that ends the program.
        self._buffered = self.buffered
        self._js_socket = self._send = self._send_at_once = None
        js_functions, self._js_functions = self._js_functions, []
        for js_function in js_functions:
            runtime.js_release(js_function)
        complete(lambda: self._owner._pyws_closed(failed, clean, code, reason))


def _is_blob(data: "Any") -> bool:
    return not isinstance(data, (str, bytes)) and kind_of(data) == BLOB


def _size_of(data: "Any") -> int:
    return len(usv_string(data).encode()) if isinstance(data, str) else size_of(data)


class StreamConnection(Connection):
    """A connection that is asked whether the network takes more.

    A browser's WebSocket cannot stop receiving for a while, and does not report when it has sent a message: the stream
    keeps the messages that were received, and the number of unsent bytes is read repeatedly. Chromium's own
    WebSocketStream could do both, but as of version 156 it drops messages that were not read yet when the server
    closes, and when the connection is lost while it sends, the page crashes.
    """

    drained: "Callable[[], object] | None" = None
    sent = 0
    """Payload bytes of all that `send` took."""
    _gone = 0
    _waits = _polling = False
    _frozen = False  # whether what has not left never will, although it is not counted any more
    _delay = 0.0

    def send(self, data: "Any") -> int:
        """Send a message, if OPEN; the state."""
        before = self.buffered if self._gone < self.sent else 0
        state = super().send(data)
        if state == 1:
            self.sent += self.buffered - before  # only in another task will it be less
            self._delay = 0.0  # most often it leaves at once, and Firefox has counted that a moment later
        return state

    def pause(self, paused: bool) -> None:
        """Receive no more for now, or again: here nothing can be done."""
        # Deviation: WSS-17, Chromium, Firefox, WebKit, Node, Deno and Bun

    @property
    def gone(self) -> int:
        """Those of them that have left: if not all, `drained` is called in a while."""
        if self._gone < self.sent and not self._frozen:
            self._gone = self.sent - self.buffered
            self._waits = self._gone < self.sent
            if self._waits and not self._polling and self._js_socket is not None:
                self._polling = True
                # Not the bound method itself: JavaScript could not call that in Brython.
                call_later(self._delay, lambda: self._poll_unsent())
                self._delay = POLL_INTERVAL
        return self._gone

    @property
    def full(self) -> bool:
        """Whether more waits to be sent than the network takes; `drained` is called when that is over."""
        return self.sent - self._gone >= HIGH_WATER and self.sent - self.gone >= HIGH_WATER

    def _receiver(self) -> "Received":
        def received(data: "str | bytes", timestamp: float) -> None:
            self._owner._pyws_received(data, timestamp)
            if self.drained is not None and self._gone < self.sent:
                self.drained()  # perhaps it is an answer to what was sent

        return received

    def _finish(self, failed: bool, clean: bool, code: int, reason: str) -> None:
        # Node counts what it throws away, too: there, what was last seen to wait has not left.
        self._frozen = not clean and self._waits and runtime.is_outside()
        super()._finish(failed, clean, code, reason)

    def _poll_unsent(self) -> None:
        self._polling = False
        if self.drained is not None:
            self.drained()


class Idle:
    """In the place of a WebSocket, one that connects to nothing and waits for its close.

    A browser may have asked the server already when a WebSocket is closed at once.
    """

    readyState = 0
    bufferedAmount = 0
    onerror: "Any"

    def __init__(self, url: str) -> None:
        self.url: str = runtime.js_href(needed("URL"), url, page_url())
        if self.url[:4] == "http":
            self.url = "ws" + self.url[4:]
        if self.url.partition(":")[0] not in ("ws", "wss") or "#" in self.url:
            raise DOMException(f"The URL '{url}' is no address of a WebSocket.", "SyntaxError")

    def close(self) -> None:
        """End, but not from inside this call."""
        self.onerror()


def new_socket(url: str, protocols: "list[str]") -> "Any":
    """Make a WebSocket of JavaScript; `DOMException` with the name and the message of its exception."""
    needed("WebSocket")
    js_socket, failure = runtime.js_new_socket(url, protocols)
    if failure is not None:
        raise DOMException(*failure)
    return js_socket


def page_url() -> str:
    """Return the URL of the page, or of the worker's script; "" where there is none."""
    document, location = getattr(runtime.js_global, "document", None), getattr(runtime.js_global, "location", None)
    return str(getattr(document, "baseURI", None) or getattr(location, "href", None) or "")


def needed(name: str) -> "Any":
    """Return what JavaScript's global object must have; "NotSupportedError" if it has not."""
    js_value = getattr(runtime.js_global, name, None)
    if js_value is None:
        raise DOMException(
            f"There is no {name} here: it takes a browser, a Node of version 22 or newer, or a host that gives "
            f"Python one, in the `jsglobals` of loadPyodide.",
            "NotSupportedError",
        )
    return js_value

"""The browser's own WebSocket, for Pyodide and Brython: they differ only in the shim at the head of this file.

Its law: what crosses the boundary to JavaScript for a message is a string, a number or one bulk copy of bytes; nothing
of JavaScript is made before the first connection; a message's bytes are nobody else's while they cross.
https://websockets.spec.whatwg.org/
"""

import sys

from ..buffersource import BLOB, kind_of, size_of
from ..loop import insist, later, now, start
from ..webidl import DOMException, usv_string

# Of a stream on a browser's WebSocket: bytes that wait to be sent above which it waits too, and seconds until it looks.
HIGH_WATER = 1 << 20
GLANCE = 0.004

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Received = Callable[[str | bytes, float], object]
    Send = Callable[[Any], int]

if sys.platform == "brython":
    from browser import self as js_global  # what a page calls window; a worker has one too

    from ..loop import JsFunction

    def js_callable(function: "Callable[..., object]") -> "Any":
        """Make `function` callable from JavaScript: a plain function is, a bound method is not."""
        return lambda *arguments: function(*arguments)

    def js_release(function: "Any") -> None:
        """JavaScript will not call `function` any more."""

    # Brython forgets the name of what JavaScript throws.
    js_new = JsFunction(
        "url",
        "protocols",
        """
        try {
            return {socket: new WebSocket(url, protocols)};
        } catch (error) {
            return {failure: error.name, message: error.message};
        }
        """,
    )

    def js_open(url: str, protocols: "list[str]") -> "Any":
        """Make a WebSocket."""
        js_answer = js_new(url, protocols)
        if hasattr(js_answer, "failure"):
            raise DOMException(js_answer.message, js_answer.failure)
        return js_answer.socket

    # A message crosses as a string or, bytes, as an object with a list of numbers.
    js_link = JsFunction(
        "socket",
        "received",
        """
        socket.onmessage = ({data, timeStamp}) =>
            received(typeof data === "string" ? data : new Uint8Array(data), timeStamp);
        return (data) => {
            const state = socket.readyState;
            if (state === 1) socket.send(data.source ? Uint8Array.from(data.source) : data);
            return state;
        };
        """,
    )

    def link(js_socket: "Any", received: "Received") -> "tuple[Send, Any]":
        """Let messages come up by `received`; what sends them, and what to release in the end."""

        def lift(data: "Any", moment: float) -> None:
            received(data if isinstance(data, str) else bytes(data), moment)

        return js_link(js_socket, lift), lift

    def is_node() -> bool:
        """Tell whether this is Node: Brython does not run there."""
        return False
else:
    import js as js_global
    from pyodide.ffi import JsException, create_proxy, to_js

    js_callable = create_proxy

    def js_release(function: "Any") -> None:
        """JavaScript will not call `function` any more."""
        function.destroy()

    def js_open(url: str, protocols: "list[str]") -> "Any":
        """Make a WebSocket of the `js` that Pyodide was given."""
        js_class = needed("WebSocket")
        try:
            return js_class.new(url, to_js(protocols))
        except JsException as error:
            raise DOMException(str(error.message), str(error.name)) from None

    # There are two ways to link a WebSocket. The fast one is JavaScript made from a string: a message crosses in memory
    # that both sides see, and its size beside it, because Pyodide itself would copy text by the character, and make a
    # proxy of an array. What is too large crosses as a Uint8Array; text, as an Array of one.
    #
    # Any Python may run between two lines (a tracer, `__del__`, a signal), and send or receive itself. So what comes up
    # and what goes down have a memory each, which belongs to one message from before its first byte until it has been
    # read, and whatever meets an occupied one crosses in an array of its own. JavaScript fills what comes up: no Python
    # runs between its test and its setting of `occupied`. What goes down is occupied by `pop`, one step of the
    # interpreter's. The engine's own `send` has copied what it is given when it returns. Anybody else's (a host's, or a
    # page's in its place) may keep that, and gets a copy.
    ROOM = 1 << 20
    FAST = """
        const encoder = new TextEncoder();
        const memory = (python) => {
            let buffer = python.getBuffer();
            return () => {
                if (!buffer.data.length) {  // Python's memory has grown, which made it another one
                    buffer.release();
                    buffer = python.getBuffer();
                }
                return buffer.data;
            };
        };
        const arriving = memory(up), leaving = memory(down);
        let occupied = false;
        const alone = (data) => {
            if (typeof data !== "string") return new Uint8Array(data);
            const array = new Uint8Array(data.length * 3);  // `encode` takes three times as long
            return [array.subarray(0, encoder.encodeInto(data, array).written)];
        };
        const together = (data) => {
            const bytes = arriving();
            if (typeof data === "string") {
                return data.length * 3 > bytes.length ? alone(data) : encoder.encodeInto(data, bytes).written;
            }
            const array = new Uint8Array(data);
            if (array.length > bytes.length) return array;
            bytes.set(array);
            return ~array.length;
        };
        const engines = /^function send\\(\\)\\s*\\{\\s*\\[native code\\]\\s*\\}$/;
        return (socket, received) => {
            const {send} = socket;
            const copied = typeof send === "function" && engines.test(Function.prototype.toString.call(send));
            socket.onmessage = ({data, timeStamp}) => {
                if (occupied) return received(alone(data), timeStamp);
                occupied = true;
                try {
                    received(together(data), timeStamp);
                } finally {
                    occupied = false;
                }
            };
            return (data) => {
                const state = socket.readyState;
                if (state !== 1) return state;
                if (typeof data !== "number") socket.send(data);
                else if (copied && socket.send === send) socket.send(leaving().subarray(0, data));
                else socket.send(leaving().slice(0, data));
                return state;
            };
        };
        """

    class Fast:
        """The fast way, made once: `JsException` where no code may be made of strings."""

        def __init__(self) -> None:
            self._arriving = memoryview(bytearray(ROOM))
            self._leaving = [memoryview(bytearray(ROOM))]  # empty while a message is on its way down
            js_proxies = [create_proxy(memory) for memory in (self._arriving, self._leaving[0])]
            try:
                self._js_link = js_global.Function.new("up", "down", FAST)(*js_proxies)
            except BaseException:
                for js_proxy in js_proxies:
                    js_proxy.destroy()
                raise

        def link(self, js_socket: "Any", received: "Received") -> "tuple[Send, Any]":
            """Let messages come up by `received`; what sends them, and what to release in the end."""
            arriving, leaving = self._arriving, self._leaving

            def lift(data: "Any", moment: "float | None") -> None:
                if type(data) is int:
                    message = str(arriving[:data], "utf-8") if data >= 0 else arriving[:~data].tobytes()
                else:
                    is_text = not hasattr(data, "to_bytes")
                    message = (data[0] if is_text else data).to_bytes()
                    if is_text:
                        message = message.decode()
                received(message, moment or now())

            def send(data: "Any") -> int:
                if type(data) is not bytes:
                    return js_send(data)
                size = len(data)
                if size > ROOM:
                    return js_send(to_js(data))
                try:
                    memory = leaving.pop()
                except IndexError:
                    return js_send(to_js(data))
                try:
                    memory[:size] = data
                    return js_send(size)
                finally:
                    leaving.append(memory)

            js_lift = create_proxy(lift)
            js_send: Send = self._js_link(js_socket, js_lift)
            return send, js_lift

    class Plain:
        """The way that needs no code made of strings: an event and its data cross by Pyodide's own means."""

        def link(self, js_socket: "Any", received: "Received") -> "tuple[Send, Any]":
            """Let messages come up by `received`; what sends them, and what to release in the end."""

            def lift(event: "Any") -> None:
                data = event.data
                received(data if isinstance(data, str) else data.to_bytes(), getattr(event, "timeStamp", 0) or now())

            def send(data: "Any") -> int:
                state: int = js_socket.readyState
                if state == 1:
                    js_socket.send(to_js(data) if type(data) is bytes else data)
                return state

            js_socket.onmessage = js_lift = create_proxy(lift)
            return send, js_lift

    def is_node() -> bool:
        """Tell whether this is Node, and no page."""
        return hasattr(getattr(getattr(js_global, "process", None), "versions", None), "node")

    ways: "list[Fast | Plain]" = []  # the one that was found, once there was a connection

    def link(js_socket: "Any", received: "Received") -> "tuple[Send, Any]":
        """Let messages come up by `received`; what sends them, and what to release in the end."""
        if not ways:
            ways.append(find_way())
        return ways[0].link(js_socket, received)

    def find_way() -> "Fast | Plain":
        """Take the fast way where it may be.

        A page cannot ask its own policy whether code may be made of strings: it has to be tried, and where it is
        forbidden, the browser writes that to its console (and to the policy's `report-uri`) once. Pages of extensions
        are known not to have that right.
        """
        location = getattr(js_global, "location", None)
        if not hasattr(js_global, "Function") or str(getattr(location, "protocol", "")).endswith("-extension:"):
            return Plain()
        try:
            return Fast()
        except JsException:
            return Plain()


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
    """A WebSocket of the browser's: the other side of the seam (see `websocket.py`)."""

    refusal = None  # a page does not learn how a server refuses
    canceled = False

    held = False
    """The browser itself keeps a socket alive that somebody listens to."""

    def __init__(self, url: str, protocols: "list[str]", user: "Any", idle: bool = False) -> None:
        self._user = user
        self._protocols = protocols
        self._opened = self._failed = self._given_up = self._closing = self._ended = False
        self._buffered = 0
        # What was sent since a Blob whose bytes are not read yet, and how many bytes; then how to close.
        self._waiting: list[Any] = []
        self._waiting_size = 0
        self._farewell: tuple[int | None, str] | None = None
        self._send: Send | None = None
        self._cancel: Callable[[], object] | None = None  # of the timer that ends it where no close comes
        # Firefox refuses the empty string, which is the page's own URL.
        js_socket: Any = Idle(url) if idle else js_open(url or page_url().partition("#")[0], protocols)
        self._js_socket = js_socket
        self.url: str = js_socket.url
        self._js_functions = js_functions = [js_callable(f) for f in (self._on_open, self._on_error, self._on_close)]
        js_socket.onopen, js_socket.onerror, js_socket.onclose = js_functions
        if not idle:
            js_socket.binaryType = "arraybuffer"
            self._send, js_received = link(js_socket, self._receiver())
            js_functions.append(js_received)

    @property
    def state(self) -> int:
        """The socket's readyState."""
        if self._js_socket is None:
            return 3
        # Node's is CLOSED as soon as it is given up, before it says so.
        return 2 if self._given_up or self._farewell is not None else int(self._js_socket.readyState)

    @property
    def buffered(self) -> int:
        """Payload bytes that the network has not taken."""
        if self._js_socket is None:
            return self._buffered
        return self._waiting_size + int(getattr(self._js_socket, "bufferedAmount", 0))

    def send(self, data: "Any") -> int:
        """Send a message, if OPEN; the state: to ask for it would be a call of its own.

        `data` is `str` or `bytes`; in a page also JavaScript's: a Blob, or a copy of a buffer (see `buffersource.py`).
        """
        if self._send is None or self._given_up:
            return self.state
        if self._waiting or (type(data) is not str and type(data) is not bytes and _is_blob(data)):
            return self._send_in_turn(data)
        return self._send(data)

    def close(self, code: int | None, reason: str) -> None:
        """Start the closing handshake; while connecting, give up."""
        if self._waiting:
            self._farewell = (code, reason)
            self._js_socket.onmessage = None
            return
        if self.state == 0:
            self._given_up = True
        self._close(code, reason)

    def time_out(self, name: str, seconds: float) -> None:
        """Give up while connecting, because a limit of that name is over."""
        self.close(None, "")

    def _close(self, code: int | None, reason: str) -> None:
        self._closing = True
        try:
            if code is None:
                self._js_socket.close()
            else:
                self._js_socket.close(code, reason)
        finally:
            self._closing = False

    # A Blob's bytes come later. A browser waits for them by itself, but WebKit and Node lose them, and what was sent
    # after them, when the socket is closed before. So what follows a Blob waits here.

    def _send_in_turn(self, data: "Any") -> int:
        state = self.state
        if state == 1:
            self._waiting.append(data)
            self._waiting_size += _size_of(data)
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
        if self._farewell is not None and self._send is not None:
            self._close(*self._farewell)

    async def _read(self, js_blob: "Any") -> "Any":
        # Whoever sent a file that cannot be read (any more) must not take it for sent: as in Chromium, it is a failure.
        try:
            return await js_blob.arrayBuffer()
        except Exception:
            if not self._ended:
                self._failed = True
                self._close(None, "")
                self._end(False, 1006, "")
            return None

    # What the socket says.

    def _receiver(self) -> "Received":
        """Return what is called with each message."""
        received: Received = self._user._pyws_received
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
            self._user._pyws_opened(protocol, getattr(js_socket, "extensions", "").strip())

    def _on_error(self, *_: object) -> None:
        # Where an engine has an error and no close (a port or a policy forbids the URL), close all the same.
        self._failed = True
        if self._cancel is None:
            self._cancel = later(0, lambda: self._ring())

    def _ring(self) -> None:
        self._cancel = None
        self._end(False, 1006, "")

    def _on_close(self, js_event: "Any" = None, *_: object) -> None:
        clean = bool(getattr(js_event, "wasClean", False))
        code = getattr(js_event, "code", 1006)
        reason = getattr(js_event, "reason", "")
        # Codes that no server may send, and that Firefox takes for clean ones when one does.
        if clean and code in (1006, 1015):
            self._failed = True
            clean, code, reason = False, 1006, ""
        self._end(clean, code, reason)

    def _end(self, clean: bool, code: int, reason: str) -> None:
        """End, in whatever way: the first time counts."""
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
            later(0, lambda: self._finish(*details))
        else:
            self._finish(*details)

    def _finish(self, failed: bool, clean: bool, code: int, reason: str) -> None:
        # All is released before anybody is told: a listener may raise what nobody catches.
        self._buffered = self.buffered
        self._js_socket = self._send = None
        js_functions, self._js_functions = self._js_functions, []
        for js_function in js_functions:
            js_release(js_function)
        insist(lambda: self._user._pyws_closed(failed, clean, code, reason))


def _is_blob(data: "Any") -> bool:
    return not isinstance(data, (str, bytes)) and kind_of(data) == BLOB


def _size_of(data: "Any") -> int:
    return len(usv_string(data).encode()) if isinstance(data, str) else size_of(data)


class StreamConnection(Connection):
    """A connection that is asked whether the network takes more.

    A browser's WebSocket cannot be told to wait, and does not say when it has sent: what it receives is kept above,
    what waits to be sent is looked at every now and then. Chromium's own WebSocketStream could do both, but as of
    version 156 it drops what was not read yet when the server closes, and when the connection is lost while it sends,
    the page crashes.
    """

    drained: "Callable[[], object] | None" = None
    sent = 0
    """Payload bytes of all that `send` took."""
    _gone = 0
    _waits = _glancing = False
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
        # Deviation: WSS-17, Chromium, Firefox, WebKit and Node

    @property
    def gone(self) -> int:
        """Those of them that have left: if not all, `drained` is called in a while."""
        if self._gone < self.sent and not self._frozen:
            self._gone = self.sent - self.buffered
            self._waits = self._gone < self.sent
            if self._waits and not self._glancing and self._js_socket is not None:
                self._glancing = True
                later(self._delay, lambda: self._glance())  # a bound method is not callable in Brython's JavaScript
                self._delay = GLANCE
        return self._gone

    @property
    def full(self) -> bool:
        """Whether more waits to be sent than the network takes; `drained` is called when that is over."""
        return self.sent - self._gone >= HIGH_WATER and self.sent - self.gone >= HIGH_WATER

    def _receiver(self) -> "Received":
        def received(data: "str | bytes", moment: float) -> None:
            self._user._pyws_received(data, moment)
            if self.drained is not None and self._gone < self.sent:
                self.drained()  # perhaps it is an answer to what was sent

        return received

    def _finish(self, failed: bool, clean: bool, code: int, reason: str) -> None:
        # Node counts what it throws away, too: there, what was last seen to wait has not left.
        self._frozen = not clean and self._waits and is_node()
        super()._finish(failed, clean, code, reason)

    def _glance(self) -> None:
        self._glancing = False
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
        js_class, base = needed("URL"), page_url()
        try:
            self.url: str = (js_class.new(url, base) if base else js_class.new(url)).href
        except Exception:
            self.url = ""
        if self.url[:4] == "http":
            self.url = "ws" + self.url[4:]
        if self.url.partition(":")[0] not in ("ws", "wss") or "#" in self.url:
            raise DOMException(f"The URL '{url}' is no address of a WebSocket.", "SyntaxError")

    def close(self) -> None:
        """End, but not from inside this call."""
        self.onerror()


def page_url() -> str:
    """Return the URL of the page, or of the worker's script; "" where there is none."""
    document, location = getattr(js_global, "document", None), getattr(js_global, "location", None)
    return str(getattr(document, "baseURI", None) or getattr(location, "href", None) or "")


def needed(name: str) -> "Any":
    """Return what JavaScript's global object must have; "NotSupportedError" if it has not."""
    js_value = getattr(js_global, name, None)
    if js_value is None:
        raise DOMException(
            f"There is no {name} here: it takes a browser, a Node of version 22 or newer, or a host that gives "
            f"Python one, in the `jsglobals` of loadPyodide.",
            "NotSupportedError",
        )
    return js_value

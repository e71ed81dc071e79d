"""The browser's own WebSocket, for Pyodide and Brython: they differ only in the shim at the head of this file.

Its law: what crosses the boundary to JavaScript is a string, a number or one bulk copy of bytes, never an event.
https://websockets.spec.whatwg.org/
"""

import sys

from .dom import DOMException
from .loop import later

# Of a stream on a browser's WebSocket: bytes that wait to be sent above which it waits too, and seconds until it looks.
HIGH_WATER = 1 << 20
GLANCE = 0.004

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

if sys.platform == "brython":
    from browser import self as js_global  # what a page calls window; a worker has one too

    js_Function = js_global.Function

    def js_callable(function: "Callable[..., object]") -> "Any":
        """Make `function` callable from JavaScript: a plain function is, a bound method is not."""
        return lambda *arguments: function(*arguments)

    def js_release(function: "Any") -> None:
        """JavaScript will not call `function` any more."""

    def js_list(strings: "list[str]") -> "Any":
        """Copy a list of strings to JavaScript."""
        return strings

    # A message crosses as a string or, bytes, as an object with a list of numbers.
    js_lift = js_Function.new("data", 'return typeof data === "string" ? data : new Uint8Array(data)')
    js_land = js_Function.new("data", "return data.source ? Uint8Array.from(data.source) : data")

    def lift(data: "Any") -> "str | bytes":
        """Take a message from JavaScript, as `js_lift` returned it."""
        return data if isinstance(data, str) else bytes(data)

    def land(data: "str | bytes") -> "Any":
        """Give a message to JavaScript, for `js_land`."""
        return data

    def is_node() -> bool:
        """Tell whether this is Node: Brython does not run there."""
        return False
else:
    import js
    from js import Function as js_Function
    from pyodide.ffi import create_proxy, to_js

    js_callable = create_proxy
    js_list = to_js

    def js_release(function: "Any") -> None:
        """JavaScript will not call `function` any more."""
        function.destroy()

    # A message crosses in memory that both sides see, and its size beside it: Pyodide itself would copy text by the
    # character, and make a proxy of an array. What is too large crosses as a Uint8Array; text, as an Array of one.
    shared = memoryview(bytearray(1 << 20))
    js_lift, js_land = js_Function.new(
        "shared",
        """
        const encoder = new TextEncoder();
        let buffer = shared.getBuffer();
        const room = () => {
            if (!buffer.data.length) {  // the memory has grown, which made it another one
                buffer.release();
                buffer = shared.getBuffer();
            }
            return buffer.data;
        };
        const lift = (data) => {
            const bytes = room();
            if (typeof data === "string") {
                const most = data.length * 3;
                if (most <= bytes.length) return encoder.encodeInto(data, bytes).written;
                const array = new Uint8Array(most);  // `encode` takes three times as long
                return [array.subarray(0, encoder.encodeInto(data, array).written)];
            }
            const array = new Uint8Array(data);
            if (array.length > bytes.length) return array;
            bytes.set(array);
            return ~array.length;
        };
        const land = (data) => typeof data === "number" ? room().subarray(0, data) : data;
        return [lift, land];
        """,
    )(create_proxy(shared))

    def lift(data: "Any") -> "str | bytes":
        """Take a message from JavaScript, as `js_lift` returned it."""
        if type(data) is int:
            return str(shared[:data], "utf-8") if data >= 0 else shared[:~data].tobytes()
        is_text = not hasattr(data, "to_bytes")
        large: bytes = (data[0] if is_text else data).to_bytes()
        return large.decode() if is_text else large

    def land(data: "str | bytes") -> "Any":
        """Give a message to JavaScript, for `js_land`."""
        if isinstance(data, str):
            return data
        size = len(data)
        if size > len(shared):
            return to_js(data)
        shared[:size] = data
        return size

    def is_node() -> bool:
        """Tell whether this is Node, and no page."""
        return hasattr(getattr(getattr(js, "process", None), "versions", None), "node")


js_connect = js_Function.new(
    "url",
    "protocols",
    "up",
    "lift",
    "land",
    """
    const page = globalThis.document?.baseURI ?? globalThis.location?.href ?? "";
    let socket;
    try {
        // Firefox refuses the empty string, which is the page's own URL.
        socket = new WebSocket(url || page.split("#")[0], protocols);
    } catch (error) {
        return {failure: error.name, message: error.message};
    }
    socket.binaryType = "arraybuffer";
    let opened = false, failed = false, ended = false, closing = false;
    const end = (clean, code, reason) => {
        if (ended) return;
        ended = true;
        socket.onopen = socket.onmessage = socket.onerror = socket.onclose = null;
        // Firefox may have no error, or the server's code, where the end comes right behind the handshake.
        const ending = opened ? ["closed", 0, failed, clean, code, reason] : ["closed", 0, true, false, 1006, ""];
        // Node ends from inside the call that gives up; nothing may come up from there.
        if (closing) setTimeout(up, 0, ...ending);
        else up(...ending);
    };
    const fail = () => { failed = true; end(false, 1006, ""); };
    socket.onopen = () => {
        const {protocol, extensions} = socket;
        opened = protocol ? protocols.includes(protocol) : !protocols.length;
        // Node leaves white space behind a header's value.
        if (opened) return up("opened", 0, protocol, extensions.trim());
        // Firefox and WebKit open when the server chose no subprotocol, WebKit with one in another case, too.
        socket.close();
        end();
    };
    socket.onmessage = ({data, timeStamp}) => up(lift(data), timeStamp);
    // Where an engine has an error and no close (a port or a policy forbids the URL), close all the same.
    socket.onerror = () => { failed = true; setTimeout(end, 0, false, 1006, ""); };
    socket.onclose = ({wasClean, code, reason}) => {
        // Codes that no server may send, and that Firefox takes for clean ones when one does.
        if (wasClean && (code === 1006 || code === 1015)) fail();
        end(wasClean, code, reason);
    };
    return {
        socket,
        send: data => {
            const state = socket.readyState;
            if (state === 1) socket.send(land(data));
            return state;
        },
        close: (code, reason) => {
            closing = true;
            code === 0 ? socket.close() : socket.close(code, reason);
            closing = false;
        },
    };
    """,
)


# Of what connects to nothing: a browser may have asked the server already when a WebSocket is closed at once.
js_idle = js_Function.new(
    "url",
    "protocols",
    "up",
    """
    const page = globalThis.document?.baseURI ?? globalThis.location?.href;
    let address;
    try {
        address = new URL(url, page);
        address.protocol = address.protocol.replace("http", "ws");
        if (!/^wss?:$/.test(address.protocol) || address.href.includes("#")) throw address;
    } catch {
        return {failure: "SyntaxError", message: `The URL '${url}' is no address of a WebSocket.`};
    }
    return {
        socket: {url: address.href, readyState: 0, bufferedAmount: 0},
        send: () => 3,
        close: () => setTimeout(up, 0, "closed", 0, true, false, 1006, ""),
    };
    """,
)


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

    def __init__(self, url: str, protocols: "list[str]", user: "Any", js_connect: "Any" = js_connect) -> None:
        self._user = user
        self._given_up = False
        self._buffered = 0
        self._js_up = js_callable(self._happened)
        js_parts = js_connect(url, js_list(protocols), self._js_up, js_lift, js_land)
        if hasattr(js_parts, "failure"):
            js_release(self._js_up)
            raise DOMException(js_parts.message, js_parts.failure)
        self._js_socket = js_parts.socket
        self._js_send = js_parts.send
        self._js_close = js_parts.close
        self.url: str = self._js_socket.url

    @property
    def state(self) -> int:
        """The socket's readyState."""
        if self._js_socket is None:
            return 3
        # Node's is CLOSED as soon as it is given up, before it says so.
        return 2 if self._given_up else int(self._js_socket.readyState)

    @property
    def buffered(self) -> int:
        """Payload bytes that the network has not taken."""
        return self._buffered if self._js_socket is None else int(self._js_socket.bufferedAmount)

    def send(self, data: "str | bytes") -> int:
        """Send a message, if OPEN; the state: to ask for it would be a call of its own."""
        if self._js_socket is None or self._given_up:
            return self.state
        state: int = self._js_send(land(data))
        return state

    def close(self, code: int | None, reason: str) -> None:
        """Start the closing handshake; while connecting, give up."""
        if self.state == 0:
            self._given_up = True
        self._js_close(0 if code is None else code, reason)

    def _happened(self, data: "Any", moment: float, *details: "Any") -> None:
        user = self._user
        if not details:
            user._pyws_received(lift(data), moment)
        elif data == "opened":
            # Firefox opens a socket that was given up while its handshake was under way.
            if not self._given_up:
                user._pyws_opened(*details)
        else:
            self._buffered = self.buffered
            self._js_socket = self._js_send = self._js_close = None
            js_release(self._js_up)
            if self._given_up:
                details = (True, False, 1006, "")
            user._pyws_closed(*details)


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
    _waits = _failed = _glancing = False
    _delay = 0.0

    def __init__(self, url: str, protocols: "list[str]", user: "Any", idle: bool) -> None:
        super().__init__(url, protocols, user, js_idle if idle else js_connect)

    def send(self, data: "str | bytes") -> int:
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
        if self._gone < self.sent and not self._failed:
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

    def _happened(self, data: "Any", moment: float, *details: "Any") -> None:
        if data == "closed" and details and not details[1]:
            # Node counts what it throws away, too: there, what was last seen to wait has not left.
            self._failed = self._waits and is_node()
        super()._happened(data, moment, *details)
        if not details and self.drained is not None and self._gone < self.sent:
            self.drained()  # perhaps it is an answer to what was sent

    def _glance(self) -> None:
        self._glancing = False
        if self.drained is not None:
            self.drained()

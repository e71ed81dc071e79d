"""How messages cross the boundary between Python and JavaScript in Pyodide: by a fast codec, or by a plain one.

Its law: nothing of JavaScript is made before the first connection; no other code changes the bytes of a message while
they cross.
"""

import js
from pyodide.ffi import JsException, create_proxy, to_js

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Received = Callable[[str | bytes, float], object]
    Send = Callable[[Any], int]

CAPACITY = 1 << 20
"""Bytes of the memory for each direction: a larger message crosses as an array."""

LONG_TEXT = 1 << 14
"""Characters of text from which on it is sent as UTF-8, unless it is ASCII: from there on that is faster."""

# Read when this module is imported, because a memory snapshot of the interpreter has no files.
_loader: "Any" = __spec__.loader  # a file system, or a zip archive
SOURCE: str = _loader.get_data(f"{__file__.rpartition('/')[0]}/codec.js").decode()
"""The functions of the fast codec in JavaScript."""


class FastCodec:
    """The codec that has functions in `codec.js`: a message crosses in memory that Python and JavaScript share.

    Only its size crosses beside it, because Pyodide itself would copy text by the character, and make a proxy of an
    array. But ASCII, and text that is not long, it copies fast on the way to JavaScript: that is sent as it is. A
    message that is larger than the memory crosses as a Uint8Array; text, as an Array of one.

    Any Python code may run between two lines (a tracer, `__del__`, a signal), and may send or receive itself. So each
    direction has a memory of its own, which belongs to one message from before its first byte is written until the
    last byte has been read. A message that meets an occupied memory crosses as an array. JavaScript occupies the memory
    of received messages: no Python code runs between its test and its assignment. The memory of sent messages is
    occupied by `pop`, which is one step of the interpreter.
    """

    def __init__(self, now: "Callable[[], float]") -> None:
        """Make the functions of JavaScript; `JsException` where no code may be made of strings."""
        self._now = now
        self.received = memoryview(bytearray(CAPACITY))
        self.sent = [memoryview(bytearray(CAPACITY))]  # empty while a message is in it
        js_proxies = [create_proxy(memory) for memory in (self.received, self.sent[0])]
        try:
            self.js_functions = js.Function.new(f"{SOURCE}\nreturn createLink;")()(*js_proxies)
        except BaseException:
            for js_proxy in js_proxies:
                js_proxy.destroy()
            raise

    def link(self, js_socket: "Any", received: "Received") -> "tuple[Send, Any]":
        """Have `received` called with each message; return a function that sends, and what to release at the end."""
        memory, free, now = self.received, self.sent, self._now

        def unpack(packed: "Any", timestamp: "float | None") -> None:
            if type(packed) is int:
                message = str(memory[:packed], "utf-8") if packed >= 0 else memory[:~packed].tobytes()
            else:
                is_text = not hasattr(packed, "to_bytes")
                message = (packed[0] if is_text else packed).to_bytes()
                if is_text:
                    message = message.decode()
            received(message, timestamp or now())

        def send(data: "Any") -> int:
            is_text = type(data) is str
            if is_text:
                if len(data) < LONG_TEXT or data.isascii():
                    return js_send(data)
                try:
                    payload = data.encode()
                except UnicodeEncodeError:  # lone surrogates
                    return js_send(data)
            elif type(data) is bytes:
                payload = data
            else:
                return js_send(data)
            size = len(payload)
            if size > CAPACITY:
                return send_array(payload, is_text)
            try:
                memory = free.pop()
            except IndexError:
                return send_array(payload, is_text)
            try:
                memory[:size] = payload
                return js_send(~size if is_text else size)
            finally:
                free.append(memory)

        def send_array(payload: bytes, is_text: bool) -> int:
            js_array = to_js(payload)
            return js_send(to_js([js_array]) if is_text else js_array)

        js_unpack = create_proxy(unpack)
        js_send: Send = self.js_functions.link(js_socket, js_unpack)
        return send, js_unpack


class PlainCodec:
    """The codec that needs no code made of strings: Pyodide converts each event and its data."""

    def __init__(self, now: "Callable[[], float]") -> None:
        self._now = now

    def link(self, js_socket: "Any", received: "Received") -> "tuple[Send, Any]":
        """Have `received` called with each message; return a function that sends, and what to release at the end."""
        now = self._now

        def unpack(event: "Any") -> None:
            data = event.data
            received(data if isinstance(data, str) else data.to_bytes(), getattr(event, "timeStamp", 0) or now())

        def send(data: "Any") -> int:
            state: int = js_socket.readyState
            if state == 1:
                js_socket.send(to_js(data) if type(data) is bytes else data)
            return state

        js_socket.onmessage = js_unpack = create_proxy(unpack)
        return send, js_unpack


chosen: "list[FastCodec | PlainCodec]" = []
"""The codec of all connections; empty before the first connection."""


def link(js_socket: "Any", received: "Received", now: "Callable[[], float]") -> "tuple[Send, Any]":
    """Have `received` called with each message; return a function that sends, and what to release at the end.

    `received` gets the message and its time stamp, by `now` where the event of JavaScript has none.
    """
    return choose(now).link(js_socket, received)


def choose(now: "Callable[[], float]") -> "FastCodec | PlainCodec":
    """Return the codec of all connections: it is made by the first call."""
    if not chosen:
        chosen.append(_make(now))
    return chosen[0]


def _make(now: "Callable[[], float]") -> "FastCodec | PlainCodec":
    # A page cannot ask its own policy whether code may be made of strings: it has to try, and where the policy forbids
    # it, the browser writes that to its console (and to the policy's `report-uri`) once. Pages of extensions never may.
    location = getattr(js, "location", None)
    if not hasattr(js, "Function") or str(getattr(location, "protocol", "")).endswith("-extension:"):
        return PlainCodec(now)
    try:
        return FastCodec(now)
    except JsException:
        return PlainCodec(now)

"""How the payloads of frames cross the boundary between Python and JavaScript: as bytes, text too.

Its law: a payload is copied once each way, where code may be made of strings: JavaScript takes the mask off, and
makes text of UTF-8 and UTF-8 of text. Else Python does. See `browser/codec.py`, too.
"""

import js
from pyodide.ffi import create_proxy, to_js

from .. import loop
from ..websocket import Connection
from . import masks
from .frames import BINARY, TEXT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .masks import Payload

    Mask = Callable[[Payload, int], bytes]
    Received = Callable[[int, Payload], object]
    Send = Callable[[Payload, int, bool], bool]

runtime: "Any" = loop.runtime
"""The words of Pyodide, which other runtimes do not have."""
codec: "Any" = runtime.codec

# Read when this module is imported, because a memory snapshot of the interpreter has no files.
_loader: "Any" = __spec__.loader  # a file system, or a zip archive
SOURCE: str = _loader.get_data(f"{__file__.rpartition('/')[0]}/payloads.js").decode()
"""The functions of JavaScript."""


class PayloadConnection(Connection):
    """A connection of the page whose messages are payloads.

    Its owner has `_pyws_payload(opcode, payload)` instead of `_pyws_received`: the payload is a part of a memory that
    has another content after that call.
    """

    _owner: "Any"
    _send: "Any"

    def send_payload(self, payload: "Payload", mask: int, is_text: bool) -> bool:
        """Send a message, if OPEN; return False for text that is not UTF-8. `mask` is 0 where there is none."""
        return self._send is None or bool(self._send(payload, mask, is_text))

    def _link(self, js_socket: "Any") -> "tuple[Any, Any]":
        send, js_received = runtime.linked(js_socket, lambda js_socket: link(js_socket, self._owner._pyws_payload))
        return send, js_received


_js_functions: "list[Any]" = []
"""The functions of JavaScript; empty before the first connection."""


def link(js_socket: "Any", received: "Received") -> "tuple[Send, Any]":
    """Have `received` called with each message; return a function that sends, and what to release at the end."""
    chosen = codec.choose(runtime.now)
    if isinstance(chosen, codec.PlainCodec):
        return _link_plain(chosen, js_socket, received)
    if not _js_functions:
        _js_functions.append(js.Function.new(f"{SOURCE}\nreturn createPayloads;")()(chosen.js_functions.sent))
        masks.in_javascript.append(_mask_in(chosen.sent, _js_functions[0].mask))
    return _link_fast(chosen, js_socket, received)


def _mask_in(free: "list[memoryview[int]]", js_mask: "Callable[[int, int], object]") -> "Mask":
    """Return a function that masks in the memory of messages that Python sends."""
    capacity = codec.CAPACITY

    def mask(data: "Payload", key: int) -> bytes:
        size = len(data)
        if size > capacity:
            view = memoryview(data)
            return b"".join(masks.apply(view[start : start + capacity], key) for start in range(0, size, capacity))
        try:
            memory = free.pop()
        except IndexError:
            return masks.apply_in_python(data, key)
        try:
            memory[:size] = data
            js_mask(size, key)
            return memory[:size].tobytes()
        finally:
            free.append(memory)

    return mask


def _link_fast(chosen: "Any", js_socket: "Any", received: "Received") -> "tuple[Send, Any]":
    """Let messages cross in the memories of `FastCodec`."""
    memory, free, capacity = chosen.received, chosen.sent, codec.CAPACITY

    def unpack(packed: "Any", timestamp: "float | None") -> None:
        if type(packed) is int:
            if packed >= 0:
                received(TEXT, memory[:packed])
            else:
                received(BINARY, memory[:~packed])
        elif hasattr(packed, "to_bytes"):
            received(BINARY, packed.to_bytes())
        else:
            received(TEXT, packed[0].to_bytes())

    js_unpack = create_proxy(unpack)
    js_send: Callable[[Any, int, bool], bool] = _js_functions[0].link(chosen.js_functions.link(js_socket, js_unpack))

    def send(payload: "Payload", mask: int, is_text: bool) -> bool:
        size = len(payload)
        if size > capacity:
            return js_send(to_js(payload), mask, is_text)
        try:
            memory = free.pop()
        except IndexError:
            return js_send(to_js(payload), mask, is_text)
        try:
            memory[:size] = payload
            return js_send(size, mask, is_text)
        finally:
            free.append(memory)

    return send, js_unpack


def _link_plain(chosen: "Any", js_socket: "Any", received: "Received") -> "tuple[Send, Any]":
    """Let messages cross as Pyodide converts them."""

    def on_message(data: "str | bytes", timestamp: float) -> None:
        if isinstance(data, str):
            received(TEXT, data.encode())
        else:
            received(BINARY, data)

    plain_send, js_received = chosen.link(js_socket, on_message)

    def send(payload: "Payload", mask: int, is_text: bool) -> bool:
        data = masks.apply(payload, mask)
        try:
            plain_send(data.decode() if is_text else data)
        except UnicodeDecodeError:
            return False
        return True

    return send, js_received

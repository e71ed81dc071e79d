"""The words of the runtime that only Pyodide has: see `loop.py`."""

import asyncio
from os import urandom
from time import perf_counter

# No value is taken out of `js` when this module is imported: the memory of an interpreter that has imported it may be
# saved and be restored in another page, and a host may give Python a `js` that lacks the value.
import js
from pyodide.ffi import JsException, JsProxy, create_once_callable, create_proxy, to_js

from . import codec, outside, page
from .page import LoopThread as LoopThread
from .page import after_read as after_read
from .page import js_href as js_href

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .codec import Received, Send


def now() -> float:
    """Return the milliseconds of `performance.now`, which is the clock of Pyodide."""
    return perf_counter() * 1000


def to_milliseconds(timestamp: float) -> float:
    """Return `timestamp`, to the nanosecond.

    The rest is noise, of the multiplication in `now` and of a browser. But the clock of a browser stands still for a
    tenth of a millisecond or longer, and then an event that Python makes could seem to be later than one of JavaScript
    that follows.
    """
    return round(float(timestamp), 6)


def random() -> float:
    """Return a random number: the module `random` would repeat its numbers after a memory snapshot."""
    return int.from_bytes(urandom(6), "big") / 2**48


def call_later(seconds: float, callback: "Callable[[], object]") -> "Callable[[], object]":
    """Run `callback` after `seconds`."""
    if not hasattr(js, "setTimeout") or not hasattr(js, "clearTimeout"):
        return asyncio.get_event_loop().call_later(seconds, callback).cancel
    js_callback = create_once_callable(callback)
    number = js.setTimeout(js_callback, min(seconds * 1000, page.LONGEST_TIMEOUT))

    def cancel() -> None:
        js.clearTimeout(number)
        js_callback.destroy()

    return cancel


def call_later_alive(
    seconds: float, callback: "Callable[[], object]", interrupted: "Callable[[], object]"
) -> "Callable[[], object]":
    """Run `callback` after `seconds`: a page does not end with its tasks, and nothing interrupts this."""
    return call_later(seconds, callback)


def on_wake(callback: "Callable[[], object]") -> "Callable[[], object]":
    """Run `callback` each time that the page is online, visible or shown again."""
    return page.on_wake(callback, js, js_callable, js_release)


def call_soon(callback: "Callable[..., object]", *arguments: object) -> None:
    """Run `callback` in the next turn of the loop."""
    asyncio.get_event_loop().call_soon(callback, *arguments)


future: "Callable[[], Any]" = asyncio.Future

HAS_JAVASCRIPT = True


def is_js(value: object) -> bool:
    """Tell whether `value` is an object of JavaScript."""
    return isinstance(value, JsProxy)


def is_js_dictionary(value: "Any") -> bool:
    """Tell whether an object of JavaScript is neither iterable nor a function."""
    return not hasattr(value, "__iter__") and not callable(value)


def is_null(value: object) -> bool:
    """Tell whether `value` is None (JavaScript's undefined) or JavaScript's null."""
    return value is None or type(value).__name__ == "JsNull"


def js_class_name(value: "Any") -> str:
    """Return the name of the class of an object of JavaScript, such as "Uint8Array"; "" for any other value."""
    if not isinstance(value, JsProxy):
        return ""
    js_object = getattr(js, "Object", None)
    if js_object is None:
        return str(value.constructor.name)
    return str(js_object.prototype.toString.call(value))[8:-1]  # "[object Uint8Array]"


def js_bytes(js_buffer: "Any") -> bytes:
    """Return a copy of the bytes of a buffer of JavaScript."""
    return js_buffer.to_bytes() if js_buffer.byteLength else b""


js_copy = js_bytes


def js_blob(data: bytes, type: str) -> "Any":
    """Make a Blob of JavaScript."""
    return js.Blob.new(to_js([to_js(data)]), type=type)


js_once = create_once_callable

# Only for browser/connection.py

js_global = js
js_callable = create_proxy
js_text: "Callable[[str], Any]" = str


def js_release(js_function: "Any") -> None:
    """Release a function of `js_callable`."""
    js_function.destroy()


def js_new_socket(url: str, protocols: "list[str]") -> "tuple[Any, tuple[str, str] | None]":
    """Make a WebSocket."""
    try:
        js_socket = js.WebSocket.new(url, to_js(protocols))
    except JsException as error:
        return None, outside.explained(str(error.name), str(error.message))
    if is_outside():
        return outside.adopt(js_socket, url, call_later), None
    return js_socket, None


def link(js_socket: "Any", received: "Received") -> "tuple[Send, Any]":
    """Have `received` called with each message."""
    return linked(js_socket, lambda js_socket: codec.link(js_socket, received, now))


def linked(js_socket: "Any", link: "Callable[[Any], tuple[Any, Any]]") -> "tuple[Any, Any]":
    """Return what `link` returns for the socket of JavaScript: a function that sends, and what to release."""
    if not isinstance(js_socket, outside.Socket):
        return link(js_socket)
    send, js_received = link(js_socket.js_socket)
    return js_socket.counting(send), js_received


def is_outside() -> bool:
    """Tell whether there is no browser around: Deno and Bun have this mark of Node, too."""
    return hasattr(getattr(getattr(js, "process", None), "versions", None), "node")

"""The words of the runtime in Brython: see `loop.py`."""

import _sys
from browser import aio
from browser import self as js_global  # the global object of a page or of a worker

from . import page
from .page import LoopThread as LoopThread
from .page import after_read as after_read
from .page import js_href as js_href

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    Received = Callable[[str | bytes, float], object]
    Send = Callable[[Any], int]


def _js_functions() -> "Any":
    # The script that packs this package for Brython finds the name of the file here, and adds the file.
    with open("pyws/browser/brython.js") as file:
        return js_global.Function.new(file.read() + "return functions")()


js_functions = _js_functions()


def _knows_brython() -> bool:
    """Tell whether JavaScript makes bytes and text as Brython does: how that makes them is not documented."""
    every = bytes(range(256))
    made = js_functions.toBytes(b"", js_functions.toArray(every))
    return type(made) is bytes and made + made == every + every and js_functions.hold("text") == "text"


# The pattern of bytes for JavaScript; None where Python itself has to make them, one number after the other.
_bytes: "bytes | None" = b"" if _knows_brython() else None

now = js_global.performance.now
to_milliseconds = float  # an `int` is possible, too
random: "Callable[[], float]" = js_global.Math.random


def call_later(seconds: float, callback: "Callable[[], object]") -> "Callable[[], object]":
    """Run `callback` after `seconds`."""
    number = js_global.setTimeout(callback, min(seconds * 1000, page.LONGEST_TIMEOUT))
    return lambda: js_global.clearTimeout(number)


def call_later_alive(
    seconds: float, callback: "Callable[[], object]", interrupted: "Callable[[], object]"
) -> "Callable[[], object]":
    """Run `callback` after `seconds`: a page does not end with its tasks, and nothing interrupts this."""
    return call_later(seconds, callback)


def on_wake(callback: "Callable[[], object]") -> "Callable[[], object]":
    """Run `callback` each time that the page is online, visible or shown again."""
    return page.on_wake(callback, js_global, js_callable, js_release)


def call_soon(callback: "Callable[..., object]", *arguments: object) -> None:
    """Run `callback` in a task of its own."""
    js_global.setTimeout(lambda: callback(*arguments), 0)


future = aio.Future


def when_done(future: "Any", callback: "Callable[[], object]") -> None:
    """Do nothing: this is for futures that are canceled, and Brython cannot cancel any."""


def mark_handled(future: "Any") -> None:
    """Mark an exception of `future` as handled."""
    js_functions.markHandled(future)


# Deviation: WHN-06, Brython
js_registries: "list[Any]" = []  # one FinalizationRegistry after the first call of `on_collected`


def on_collected(value: object, callback: "Callable[[], object]") -> object:
    """Run `callback` when `value` is garbage."""
    if not js_registries:
        js_registries.append(js_functions.newRegistry())
    js_registries[0].register(value, callback)
    return None


def is_coroutine(value: object) -> bool:
    """Tell whether `value` is a coroutine."""
    return type(value).__name__ == "coroutine"


is_awaitable = is_coroutine


def mark_started(coroutine: object) -> None:
    """Mark a coroutine as started: else Brython warns when the function that has made it ends."""
    js_functions.markStarted(coroutine)


def is_cancellation(error: BaseException) -> bool:
    """Tell whether `error` is the cancellation of a task: of asyncio, if a program loads that."""
    return type(error).__name__ == "CancelledError"


def schedule(awaitable: "Awaitable[object]") -> object:
    """Start a task when the current one has ended: `aio.run` would start it now."""
    mark_started(awaitable)
    js_global.queueMicrotask(lambda: aio.run(awaitable))
    return awaitable


_turns: "list[Any]" = []
_channels: "list[Any]" = []


def next_turn() -> "Awaitable[None]":
    """Return an awaitable of the next task."""
    # A timer would come 4 ms later: https://html.spec.whatwg.org/multipage/timers-and-user-prompts.html#timers
    if not _channels:
        _channels.append(js_global.MessageChannel.new())
        _channels[0].port1.onmessage = lambda _: _turns.pop(0).set_result(None)
    turn: Any = future()
    _turns.append(turn)
    _channels[0].port2.postMessage(0)
    return turn  # type: ignore[no-any-return] # a future of Brython


def decode(data: bytes) -> str:
    """Decode UTF-8: `bytes.decode` of Brython would drop a byte order mark."""
    string: str = js_functions.decode(_to_js(data))
    return string


def join(parts: "list[bytes]") -> bytes:
    """Return a copy of the bytes of all `parts`: most operations on `bytes` take long in Brython, or copy nothing."""
    if _bytes is None:
        return b"".join(parts)
    joined: bytes = js_functions.join(_bytes, parts)
    return joined


def _to_js(data: bytes) -> "Any":
    return js_functions.toArray(data) if _bytes is not None else js_global.Uint8Array.new(list(data))


def system() -> "Any":
    """Return the module `sys`, or, where the standard library of Brython is not loaded, the module below it."""
    return _sys.modules.get("sys", _sys)


def excepthook() -> "Any":
    """Return `sys.excepthook`."""
    return system().excepthook


HAS_JAVASCRIPT = True


def is_js(value: object) -> bool:
    """Tell whether `value` is an object of JavaScript."""
    kind = type(value).__name__
    return kind == "JSObject" or "Javascript" in kind  # such as IterableJavascriptObject


def is_js_dictionary(value: object) -> bool:
    """Tell whether an object of JavaScript is not an Array, or another iterable."""
    return type(value).__name__ == "JSObject"


def is_null(value: object) -> bool:
    """Tell whether `value` is None, or JavaScript's null or undefined."""
    return value is None or type(value).__name__ in ("NullType", "UndefinedType")


def js_class_name(value: object) -> str:
    """Return the name of the class of an object of JavaScript, such as "Uint8Array"; "" for any other value."""
    name: str = js_functions.className(value) if is_js(value) else ""
    return name


def js_bytes(js_buffer: "Any") -> bytes:
    """Return a copy of the bytes of a buffer of JavaScript."""
    js_array = js_copy(js_buffer)
    return bytes(js_array) if _bytes is None else js_functions.toBytes(_bytes, js_array)


def js_copy(js_buffer: "Any") -> "Any":
    """Return a copy of a buffer, as a Uint8Array: the bytes of Brython are larger, and slow."""
    return js_functions.copy(js_buffer)


def js_blob(data: bytes, type: str) -> "Any":
    """Make a Blob of JavaScript."""
    return js_global.Blob.new([_to_js(data)], {"type": type})


def js_once(callback: "Callable[..., object]") -> "Any":
    """Return `callback`."""
    return callback


# Only for browser/connection.py


def js_callable(function: "Callable[..., object]") -> "Any":
    """Return a function that JavaScript can call: it cannot call a bound method."""
    return lambda *arguments: function(*arguments)


js_text: "Callable[[str], Any]" = str


def js_release(js_function: "Any") -> None:
    """Do nothing: functions are garbage by themselves."""


def js_new_socket(url: str, protocols: "list[str]") -> "tuple[Any, tuple[str, str] | None]":
    """Make a WebSocket."""
    js_answer = js_functions.newSocket(url, protocols)
    if hasattr(js_answer, "failure"):
        return None, (js_answer.message, js_answer.failure)
    return js_answer.socket, None


def link(js_socket: "Any", received: "Received") -> "tuple[Send, Any]":
    """Have `received` called with each message."""

    def unpack(data: "Any", timestamp: float) -> bool:
        received(data if _bytes is not None or isinstance(data, str) else bytes(data), timestamp)
        return True  # which Brython converts faster than None

    js_send: Send = js_functions.link(js_socket, unpack, False if _bytes is None else _bytes)

    def send(data: "Any") -> int:
        return js_send(_to_js(data) if isinstance(data, bytes) else data)

    return (send if _bytes is None else js_send), unpack


def is_outside() -> bool:
    """Return False: Brython runs in browsers only."""
    return False

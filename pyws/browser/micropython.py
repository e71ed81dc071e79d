"""The words of the runtime in MicroPython: see `loop.py`.

Its law: nothing crosses to JavaScript in a form that MicroPython would change. An `int` loses all but 32 bits, a `str`
the text behind a NUL and a byte order mark at its front; an exception of JavaScript passes through every `except`. A
function of JavaScript that was once asked of an object (`document.addEventListener`) can never again be
called without one (`js.addEventListener`, by any code): so the functions that are called here are all of our own.
"""

import asyncio
import sys
from weakref import ref

import js
from jsffi import JsException as JsException
from jsffi import JsProxy, create_proxy

from .micropythontasks import Future, Task, call, js_functions
from .micropythontasks import call_later as call_later
from .micropythontasks import call_soon as call_soon
from .page import LoopThread as LoopThread
from .page import after_read as after_read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    Received = Callable[[str | bytes, float], object]
    Send = Callable[[Any], int]


# The clock, and chance

now = js_functions.now


def to_milliseconds(timestamp: float) -> float:
    """Return the milliseconds of a time stamp, to the nanosecond."""
    return round(float(timestamp) * 1000, 6)


random: "Callable[[], float]" = js.Math.random

# Timers and turns of the loop


def call_later_alive(
    seconds: float, callback: "Callable[[], object]", interrupted: "Callable[[], object]"
) -> "Callable[[], object]":
    """Run `callback` after `seconds`: a page does not end with its tasks, and nothing interrupts this."""
    return call_later(seconds, callback)


def next_turn() -> "Awaitable[None]":
    """Return an awaitable of the next task: `asyncio.sleep(0)` would not let JavaScript have its turn."""
    turn = Future()
    call_soon(turn.set_result, None)
    return turn


def on_wake(callback: "Callable[[], object]") -> "Callable[[], object]":
    """Run `callback` each time that the page is online, visible or shown again."""
    stop: Callable[[], object] = js_functions.onWake(lambda: call(callback))
    return lambda: stop()


# Futures and tasks


future = Future


def when_done(future: "Any", callback: "Callable[[], object]") -> None:
    """Run `callback` when `future` is done."""
    future.add_done_callback(lambda _: callback())


def mark_handled(future: "Any") -> None:
    """Do nothing: no error of a future is reported."""


schedule = Task


def is_awaitable(value: object) -> bool:
    """Tell whether `value` can be awaited: a coroutine is a generator, and the other way round."""
    if isinstance(value, JsProxy):
        return hasattr(value, "then")
    return hasattr(value, "send") or isinstance(value, asyncio.Task) or hasattr(value, "__await__")


def is_coroutine(value: object) -> bool:
    """Tell whether `value` is a coroutine, or a generator."""
    return type(value).__name__ == "generator"


def mark_started(coroutine: object) -> None:
    """Do nothing: no warning follows."""


def is_cancellation(error: BaseException) -> bool:
    """Tell whether `error` is the cancellation of a task."""
    return isinstance(error, asyncio.CancelledError)


# The interpreter


class Interface:
    """The base class of interfaces: there are no metaclasses."""


def has_method(value: object, name: str) -> bool:
    """Tell whether `value` has that special method: of builtin types they do not show."""
    if isinstance(value, JsProxy):
        return name == "__iter__" and bool(js_functions.isIterable(value))
    if hasattr(value, name):
        return True
    if name == "__iter__":
        try:
            iter(value)  # type: ignore[call-overload] # it raises for any other
            return True
        except TypeError:
            return False
    if name == "__index__":
        return isinstance(value, (int, bool))
    return name == "__contains__" and isinstance(value, (set, frozenset, list, tuple, dict, range))


_room = [1 << 16]  # the size of the largest object that had room
_BLOCKS = [1 << 16] * 16  # bytes


def _make_room(size: int) -> None:
    """Let the memory grow until it has room for an object of `size` bytes.

    By itself it grows only for objects that are smaller than all of it, and in PyScript that is 1 MiB in the beginning.
    """
    blocks: list[bytearray] = []
    while size > _room[0]:
        try:
            bytearray(size)
            _room[0] = size
        except MemoryError:
            blocks += [bytearray(block) for block in _BLOCKS]


def _hex(data: bytes) -> str:
    _make_room(len(data) * 2)
    return data.hex()


def is_same_method(one: object, other: object) -> bool:
    """Tell whether both are the same method of the same object: of objects that are equal, they are."""
    return type(one).__name__ == type(other).__name__ == "bound_method" and one == other


def to_scalar_values(string: str, decode: object = None) -> str:
    """Return the plain `str`: surrogate pairs joined, each lone surrogate U+FFFD."""
    _make_room(len(string) * 4)
    data = string.encode()
    if type(string) is str and b"\xed" not in data:  # a byte that each surrogate begins with
        return string
    codes: list[int] = []
    for character in string:
        code = ord(character)
        if 0xDC00 <= code < 0xE000 and codes and 0xD800 <= codes[-1] < 0xDC00:
            code = 0x10000 + (codes.pop() - 0xD800) * 1024 + code - 0xDC00
        codes.append(code)
    return "".join([chr(0xFFFD if 0xD800 <= code < 0xE000 else code) for code in codes])


def on_collected(value: object, callback: "Callable[[], object]") -> object:
    """Run `callback` when `value` is garbage."""
    return ref(value, lambda _: callback())


def buffer_bytes(value: "Any") -> bytes:
    """Return the bytes of a buffer; `TypeError` for any other value."""
    if isinstance(value, str):
        raise TypeError("str is no buffer")
    return bytes(memoryview(value))


def decode(data: bytes) -> str:
    """Decode UTF-8: MicroPython raises for malformed bytes."""
    string: str = js_functions.decode(_hex(data))
    return string


def join(parts: "list[bytes]") -> bytes:
    """Return the bytes of all `parts`."""
    _make_room(sum(map(len, parts)))
    return b"".join(parts)


def without_traceback(error: BaseException) -> BaseException:
    """Return `error` without its traceback."""
    error.__traceback__ = None
    return error


class Hooks:
    """In the place of hooks of `sys`, which there are not: the exception handler of the loop."""

    # Deviation: HND-10, MicroPython

    def excepthook(self, kind: "type[BaseException]", error: BaseException, traceback: object) -> None:
        """Tell the handler, if the program has set one."""
        loop: Any = asyncio.get_event_loop()
        handler = loop.get_exception_handler()
        if handler is None:
            self.__excepthook__(kind, error, traceback)
        else:
            handler(loop, {"message": "An exception of a listener", "exception": error, "future": None})

    def __excepthook__(self, kind: "type[BaseException]", error: BaseException, traceback: object) -> None:
        """Write the exception with its traceback."""
        sys.print_exception(error, sys.stderr)  # type: ignore[attr-defined] # of MicroPython


def excepthook() -> "Any":
    """Return the hook for an exception."""
    return Hooks().excepthook


def system() -> "Any":
    """Return what has the hooks for exceptions."""
    return Hooks()


# JavaScript

HAS_JAVASCRIPT = True


def is_js(value: object) -> bool:
    """Tell whether `value` is an object of JavaScript."""
    return isinstance(value, JsProxy)


def is_js_dictionary(value: "Any") -> bool:
    """Tell whether an object of JavaScript is neither iterable nor a function."""
    return js_class_name(value) != "Function" and not js_functions.isIterable(value)


def is_null(value: object) -> bool:
    """Tell whether `value` is None (JavaScript's null) or JavaScript's undefined."""
    return value is None or type(value).__name__ == "undefined"


def js_class_name(value: object) -> str:
    """Return the name of the class of an object of JavaScript, such as "Uint8Array"; "" for any other value."""
    name: str = js_functions.className(value) if isinstance(value, JsProxy) else ""
    return name


def js_bytes(js_buffer: "Any") -> bytes:
    """Return a copy of the bytes of a buffer of JavaScript."""
    _make_room(js_buffer.byteLength * 2)
    return bytes.fromhex(js_functions.toHex(js_buffer))


js_copy = js_functions.copy


def js_blob(data: bytes, type: str) -> "Any":
    """Make a Blob of JavaScript."""
    return js_functions.blob(_hex(data), type)


def js_once(callback: "Callable[..., object]") -> "Any":
    """Return `callback`."""
    return callback


# Only for browser/connection.py

js_global = js
js_callable = create_proxy


def js_release(js_function: "Any") -> None:
    """Release what `link` has returned; functions are garbage by themselves."""
    if hasattr(js_function, "release"):
        js_function.release()


def js_text(string: str) -> "Any":
    """Return a string, or an object of JavaScript, that JavaScript takes for the string."""
    plain = to_scalar_values(string)
    return js_functions.text(plain.encode().hex()) if "\0" in plain or plain[:1] == "\ufeff" else plain


def js_new_socket(url: str, protocols: "list[str]") -> "tuple[Any, tuple[str, str] | None]":
    """Make a WebSocket."""
    js_answer = js_functions.newSocket(js_text(url), ",".join(protocols))
    if hasattr(js_answer, "failure"):
        return None, (js_answer.message, js_answer.failure)
    return js_answer.socket, None


def js_href(js_class: "Any", url: str, base: str) -> str:
    """Return a URL in full; "" if it can be none. `js_class` is JavaScript's URL."""
    href: str = js_functions.href(js_class, js_text(url), js_text(base))
    return href


def link(js_socket: "Any", received: "Received") -> "tuple[Send, Any]":
    """Have `received` called with each message."""

    def unpack(timestamp: float, is_text: bool, size: int, data: "str | None") -> None:
        if data is None:
            _make_room(size)
            data = js_link.take()
        received(data if is_text else bytes.fromhex(data), timestamp)

    js_link = js_functions.link(js_socket, unpack)

    def send(data: "Any") -> int:
        state: int
        if isinstance(data, bytes):
            state = js_link.send(_hex(data), True)
        else:
            state = js_link.send(js_text(data) if isinstance(data, str) else data, False)
        return state

    return send, js_link


def is_outside() -> bool:
    """Tell whether this is outside of browsers: Node."""
    return hasattr(getattr(getattr(js, "process", None), "versions", None), "node")

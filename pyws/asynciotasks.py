"""The words of the runtime that asyncio gives on CPython and in Pyodide: see `loop.py`."""

import asyncio
import sys
from weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any


def when_done(future: "Any", callback: "Callable[[], object]") -> None:
    """Run `callback` when `future` is done."""
    future.add_done_callback(lambda _: callback())


def mark_handled(future: "Any") -> None:
    """Mark an exception of `future` as handled."""
    future.add_done_callback(lambda _: future.cancelled() or future.exception())


def on_collected(value: object, callback: "Callable[[], object]") -> object:
    """Run `callback` when `value` is garbage."""
    return ref(value, lambda _: callback())


def is_awaitable(value: object) -> bool:
    """Tell whether `value` can be awaited."""
    return hasattr(value, "__await__")


def is_coroutine(value: object) -> bool:
    """Tell whether `value` is a coroutine."""
    return asyncio.iscoroutine(value)


def mark_started(coroutine: object) -> None:
    """Do nothing: Python warns only if a coroutine is garbage and was never started."""


def is_cancellation(error: BaseException) -> bool:
    """Tell whether `error` is the cancellation of a task."""
    return isinstance(error, asyncio.CancelledError)


def schedule(awaitable: "Awaitable[object]") -> object:
    """Start a task."""
    return asyncio.ensure_future(awaitable)


def next_turn() -> "Awaitable[None]":
    """Return an awaitable of the next turn of the loop."""
    return asyncio.sleep(0)


def decode(data: bytes) -> str:
    """Decode UTF-8."""
    return data.decode("utf-8", "replace")


def join(parts: "list[bytes]") -> bytes:
    """Return the bytes of all `parts`."""
    return b"".join(parts)


def system() -> "Any":
    """Return the module `sys`."""
    return sys


def excepthook() -> "Any":
    """Return `sys.excepthook`, or, where IPython runs the program, a function that shows an exception as IPython does.

    IPython's own hooks are not for exceptions of listeners.
    """
    if "IPython" not in sys.modules:
        return sys.excepthook
    from . import ipython

    return ipython.excepthook(sys.excepthook)

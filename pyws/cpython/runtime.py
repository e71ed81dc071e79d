"""The words of the runtime that only CPython has: see `loop.py`."""

import asyncio
import time
from random import random as random
from threading import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

now = time.perf_counter
_ORIGIN = now()


def to_milliseconds(timestamp: float) -> float:
    """Return the milliseconds since import."""
    return (timestamp - _ORIGIN) * 1000


def call_later(seconds: float, callback: "Callable[[], object]") -> "Callable[[], object]":
    """Run `callback` after `seconds`."""
    return asyncio.get_running_loop().call_later(seconds, callback).cancel


def call_later_alive(
    seconds: float, callback: "Callable[[], object]", interrupted: "Callable[[], object]"
) -> "Callable[[], object]":
    """Run `callback` after `seconds`, and have a task until then."""

    async def sleep() -> None:
        await asyncio.sleep(seconds)
        callback()

    def on_done(task: "asyncio.Task[None]") -> None:
        if task.cancelled():
            interrupted()

    task = asyncio.get_running_loop().create_task(sleep())
    task.add_done_callback(on_done)

    def cancel() -> None:
        task.remove_done_callback(on_done)
        task.cancel()

    return cancel


def after_read(callback: "Callable[[], object]") -> None:
    """Run `callback` in the next turn of the loop: all events of the last read were fired then."""
    asyncio.get_running_loop().call_soon(callback)


def on_wake(callback: "Callable[[], object]") -> "Callable[[], object]":
    """Do nothing: there is no page."""
    return lambda: None


class LoopThread:
    """The running event loop and its thread."""

    __slots__ = ("loop", "thread")

    def __init__(self) -> None:
        try:
            self.loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(
                "WebSocket needs a running event loop: open it inside `async def main()` and run that with "
                "`asyncio.run(main())`, or run the whole script with `python -m pyws run script.py`"
            ) from None
        self.thread = get_ident()

    def ensure_current(self) -> None:
        """Raise `RuntimeError` in another thread: a message that is sent there may be lost, or wait for ever."""
        if get_ident() == self.thread:
            return
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is not self.loop:
            raise RuntimeError(
                "a WebSocket belongs to the thread of its event loop: in another one call "
                "`loop.call_soon_threadsafe(ws.send, data)`, or `(ws.close)`"
            )
        self.thread = get_ident()  # the loop had stopped, and goes on in this thread


def call_soon(callback: "Callable[..., object]", *arguments: object) -> None:
    """Run `callback` in the next turn of the loop."""
    asyncio.get_running_loop().call_soon(callback, *arguments)


def future() -> "Any":
    """Make a future of the running loop."""
    return asyncio.get_running_loop().create_future()


# There is no JavaScript.

HAS_JAVASCRIPT = False


def is_js(value: object) -> bool:
    """Return False."""
    return False


is_js_dictionary = is_js


def is_null(value: object) -> bool:
    """Tell whether `value` is None."""
    return value is None


def js_class_name(value: object) -> str:
    """Return ""."""
    return ""


def js_once(callback: "Callable[..., object]") -> "Any":
    """Return `callback`."""
    return callback  # pragma: no cover - in a page


def js_bytes(js_buffer: "Any") -> "NoReturn":  # pragma: no cover - in a page
    """Raise: never called."""
    raise NotImplementedError


js_copy = js_bytes


def js_blob(data: bytes, type: str) -> "NoReturn":  # pragma: no cover - in a page
    """Raise: never called."""
    raise NotImplementedError

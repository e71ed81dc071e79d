"""How a call waits without `await`: Python stops in it, and the rest of the page goes on.

Its law: nothing waits where Python cannot; the call raises RuntimeError there, before it has changed anything.
https://github.com/WebAssembly/js-promise-integration
"""

import asyncio
import time

import js
import pyodide_js
from pyodide.ffi import can_run_sync, run_sync

from ..loop import call_later, call_soon

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from typing import Any, TypeVar

    Result = TypeVar("Result")

# Seconds after which a call that waits looks for Ctrl-C: nothing of JavaScript tells when it comes.
INTERRUPT_INTERVAL = 0.25

NO_JSPI = (
    "Python cannot wait in this browser, which lacks JSPI (JavaScript Promise Integration): Chromium and Node have it, "
    "Firefox by the preference javascript.options.wasm_js_promise_integration. "
)
CALLED_SYNCHRONOUSLY = (
    "Python cannot wait here: JavaScript has called this code, and does not wait for it. Run the code by "
    "pyodide.runPythonAsync instead of runPython, and make a listener `async def`. "
)
ELSE = (
    "In every browser an asynchronous library works, with await: websockets.asyncio, aiohttp, or pyws.WebSocketStream."
)


class Signal:
    """An object that changes, and the calls that wait for that."""

    def __init__(self) -> None:
        self.waiting: list[asyncio.Future[None]] = []

    def notify(self) -> None:
        """Wake the calls that wait: they go on in a later turn of the loop, not from inside this method."""
        for pause in self.waiting:
            _end(pause)


class UnableAgainError(RuntimeError, KeyboardInterrupt):
    """The RuntimeError of a second call in one task of the page.

    A library that tries again and again without end would make the page stand still: most take this for Ctrl-C.
    """


_refused = False  # whether a call was refused in this task of the page


def ensure_possible() -> None:
    """Raise RuntimeError, with the way out, if Python cannot wait here."""
    global _refused
    if can_run_sync():
        return
    kind = UnableAgainError if _refused else RuntimeError
    if not _refused:
        _refused = True
        call_soon(_forget)
    has_jspi = hasattr(js.WebAssembly, "Suspending")
    raise kind((CALLED_SYNCHRONOUSLY if has_jspi else NO_JSPI) + ELSE)


def _forget() -> None:
    global _refused
    _refused = False


def wait_until(
    condition: "Callable[[], object]",
    timeout: float | None,
    signals: "Iterable[Signal]",
    interval: float = INTERRUPT_INTERVAL,
) -> bool:
    """Wait until `condition()` is true, and return whether it is.

    It is examined when a signal changes, and every `interval` seconds. `timeout` is in seconds, None for no limit. If
    it is 0 the page gets one turn all the same: a program that asks again and again would wait without end for what the
    page cannot bring. Raises RuntimeError where Python cannot wait, unless the condition is true or `timeout` is 0;
    KeyboardInterrupt.
    """
    if condition():
        return True
    if timeout is not None and timeout <= 0:
        if can_run_sync():
            _pause(0, signals)
        return bool(condition())
    ensure_possible()
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        left = interval if deadline is None else deadline - time.monotonic()
        _pause(min(left, interval), signals)
        if condition():
            return True
        if deadline is not None and time.monotonic() >= deadline:
            return False


def _pause(seconds: float, signals: "Iterable[Signal]") -> None:
    """Let the page go on until a signal changes, for at most so many seconds. Raises KeyboardInterrupt."""
    loop = asyncio.get_event_loop()
    pause: asyncio.Future[None] = asyncio.Future(loop=loop)

    interrupts: list[KeyboardInterrupt] = []
    cancel: Callable[[], object] | None

    def over() -> None:
        nonlocal cancel
        try:
            cancel = None
            pyodide_js.checkInterrupt()
        except KeyboardInterrupt as error:  # else it would end this callback, and not the call that waits
            interrupts.append(error)
        _end(pause)

    cancel = call_later(seconds, over) if seconds > 0 else loop.call_soon(over).cancel
    for signal in signals:
        signal.waiting.append(pause)
    try:
        run_sync(pause)
    finally:
        if cancel is not None:
            cancel()
        for signal in signals:
            signal.waiting.remove(pause)
    if interrupts:
        raise interrupts[0]


def _end(pause: "asyncio.Future[None]") -> None:
    """Have the call that waits go on."""
    if not pause.done():
        pause.set_result(None)


def complete(coroutine: "Coroutine[Any, Any, Result]", timeout: float | None = None) -> "Result":
    """Run a coroutine as a task until it ends, and return its result.

    The part before it has to wait is done at once. Raises its exception; TimeoutError after `timeout` seconds, and
    then it is canceled; RuntimeError, and it is canceled, too, if it has to wait where Python cannot.
    """
    ended = Signal()
    begin: Any = asyncio.Task
    task: asyncio.Task[Result] = begin(coroutine, loop=asyncio.get_event_loop(), eager_start=True)
    if not task.done():
        task.add_done_callback(lambda _: ended.notify())
    try:
        in_time = wait_until(task.done, timeout, [ended])
    except BaseException:
        task.add_done_callback(lambda _: task.cancelled() or task.exception())  # nothing else reports it
        task.cancel()
        raise
    if not in_time:
        task.cancel()
        wait_until(task.done, None, [ended])
        if task.cancelled():
            raise TimeoutError(f"timed out in {timeout:.1f}s")
    return task.result()

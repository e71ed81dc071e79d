"""Timers, futures and tasks in MicroPython, as asyncio has them elsewhere: see `micropython.py`."""

import asyncio

import js

from . import page

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any


def _js_functions() -> "Any":
    with open(__file__.rpartition("/")[0] + "/micropython.js") as file:
        return js.Function.new(file.read() + "return functions")()


js_functions = _js_functions()


def call_later(seconds: float, callback: "Callable[[], object]") -> "Callable[[], object]":
    """Run `callback` after `seconds`."""
    number = js_functions.setTimeout(lambda: call(callback), min(seconds * 1000, page.LONGEST_TIMEOUT))
    return lambda: js_functions.clearTimeout(number)


def call_soon(callback: "Callable[..., object]", *arguments: object) -> None:
    """Run `callback` in a task of its own."""
    js_functions.setTimeout(lambda: call(callback, *arguments), 0)


def call(callback: "Callable[..., object]", *arguments: object) -> None:
    """Call, and return nothing to JavaScript."""
    # JavaScript would start a generator that it returns.
    callback(*arguments)


class Future:
    """A future that is canceled with a task that awaits it, and that `asyncio.wait_for` takes: asyncio's own is not."""

    def __init__(self) -> None:
        self._settled = asyncio.Event()
        self._value: object = None
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[Future], object]] = []
        self._waiting: Any = None

    def done(self) -> bool:
        """Tell whether it has a value or an error, or is canceled."""
        return self._settled.is_set()

    def cancelled(self) -> bool:
        """Tell whether it is canceled."""
        return isinstance(self._error, asyncio.CancelledError)

    def result(self) -> object:
        """Return its value, or raise its error."""
        if self._error is not None:
            raise self._error
        return self._value

    def exception(self) -> "BaseException | None":
        """Return its error, or None."""
        return self._error

    def set_result(self, value: object) -> None:
        """Give it a value."""
        self._settle(value, None)

    def set_exception(self, error: BaseException) -> None:
        """Give it an error."""
        self._settle(None, error)

    def cancel(self) -> bool:
        """Cancel it, unless it is done."""
        if self.done():
            return False
        self._settle(None, asyncio.CancelledError())
        return True

    def add_done_callback(self, callback: "Callable[[Future], object]") -> None:
        """Call `callback` with this, in a task of its own, when it is done."""
        if self.done():
            call_soon(callback, self)
        else:
            self._callbacks.append(callback)

    def _settle(self, value: object, error: "BaseException | None") -> None:
        self._value, self._error = value, error
        self._settled.set()
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            call_soon(callback, self)

    async def _wait(self) -> object:
        try:
            await self._settled.wait()
        except asyncio.CancelledError:
            self.cancel()
            raise
        return self.result()

    def __iter__(self) -> "Any":  # for `await`
        return self._wait()

    __await__ = __iter__

    def send(self, value: object) -> object:
        """Go on, in a task of its own, which asyncio makes for `wait_for` and `gather`."""
        self._waiting = self._waiting or self._wait()
        return self._waiting.send(value)

    def throw(self, error: BaseException) -> object:
        """Raise `error` in that task."""
        self._waiting = self._waiting or self._wait()
        return self._waiting.throw(error)


class Task(Future):
    """A task that tells when it is done, and how often it was canceled: asyncio's own does not."""

    def __init__(self, awaitable: "Awaitable[object]") -> None:
        super().__init__()
        self._cancels = 0
        self._has_begun = False
        self._task = asyncio.create_task(self._run(awaitable))

    async def _run(self, awaitable: "Awaitable[object]") -> None:
        self._has_begun = True
        try:
            self.set_result(await awaitable)
        except (KeyboardInterrupt, SystemExit) as error:
            # It would end the loop of asyncio, and no other task would go on.
            self.set_exception(error)
            call_soon(_raise, error)
        except BaseException as error:
            self.set_exception(error)

    def cancel(self) -> bool:
        """Raise asyncio's CancelledError in the task, unless it is done."""
        if self.done():
            return False
        self._cancels += 1
        if not self._has_begun:
            super().cancel()
        if self._task is asyncio.current_task():  # asyncio would refuse that
            call_soon(self._task.cancel)
        else:
            self._task.cancel()
        return True

    def cancelling(self) -> int:
        """Return how often it was canceled."""
        return self._cancels


def _raise(error: BaseException) -> None:
    raise error

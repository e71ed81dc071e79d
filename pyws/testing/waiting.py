"""How a test waits for something that another thread, or another task, does.

Its law: a wait looks once more after each change, so that it misses none, and ends at the latest after its time limit.
"""

import asyncio
import contextlib
import functools
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from .arguments import check_seconds
from .expectations import ExpectationError

P = ParamSpec("P")
T = TypeVar("T")


class Changes:
    """Wakes the tests that wait. `timeout`: seconds that they wait by default."""

    def __init__(self, timeout: float = 5.0) -> None:
        self.timeout = timeout
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], object]] = []

    def notify(self) -> None:
        """Wake them in their threads. Call it after each change, in any thread."""
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener()

    def subscribe(self, listener: Callable[[], object]) -> Callable[[], None]:
        """Call `listener` after each change, in the thread of the change; return a function that ends that."""
        with self._lock:
            self._listeners.append(listener)

        def unsubscribe() -> None:
            with self._lock:
                self._listeners.remove(listener)

        return unsubscribe

    def wait(self, ready: Callable[[], T | None], timeout: float | None, awaited: Callable[[], str]) -> T:
        """Block this thread until `ready()` is not None, and return that.

        After `timeout` seconds it raises `ExpectationError` with the words of `awaited()`. `ready` may raise as well.
        Raises `RuntimeError` in a coroutine: it would block the event loop.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise RuntimeError("this would block the event loop: await the method of the same name with async_ before")
        check_seconds("timeout", timeout)
        limit = self.timeout if timeout is None else timeout
        changed = threading.Event()
        unsubscribe = self.subscribe(changed.set)
        try:
            end = time.monotonic() + limit
            while (result := ready()) is None:
                if not changed.wait(min(max(0.0, end - time.monotonic()), threading.TIMEOUT_MAX)):
                    raise ExpectationError(f"waited {seconds(limit)} for {awaited()}")
                changed.clear()
            return result
        finally:
            unsubscribe()

    async def async_wait(self, ready: Callable[[], T | None], timeout: float | None, awaited: Callable[[], str]) -> T:
        """The same for a coroutine: other tasks of its loop go on."""
        check_seconds("timeout", timeout)
        limit = self.timeout if timeout is None else timeout
        loop = asyncio.get_running_loop()
        changed = asyncio.Event()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(changed.set)

        unsubscribe = self.subscribe(wake)
        try:
            async with asyncio.timeout(limit):
                while (result := ready()) is None:
                    await changed.wait()
                    changed.clear()
                return result
        except TimeoutError:
            raise ExpectationError(f"waited {seconds(limit)} for {awaited()}") from None
        finally:
            unsubscribe()


def seconds(limit: float | None) -> str:
    """Return words for a time limit."""
    return f"{limit:g} s"


def in_its_loop(method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Let a coroutine of an object that lives in the event loop `_loop` be awaited in every loop."""

    @functools.wraps(method)
    async def call(*arguments: P.args, **keywords: P.kwargs) -> T:
        loop: asyncio.AbstractEventLoop = arguments[0]._loop  # type: ignore[attr-defined] # it is `self`
        if asyncio.get_running_loop() is loop:
            return await method(*arguments, **keywords)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(method(*arguments, **keywords), loop))

    return call

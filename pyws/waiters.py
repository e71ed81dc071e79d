"""Objects to wait for: a turn (`Waiters`), the next message (`MessageQueue`), one value or error (`Promise`).

Its law: the tasks that wait are served in the order in which they came, and a task that is canceled takes nothing away
from the others.
"""

from . import loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any


class Waiters:
    """Tasks that wait until `ready()` is true, each one until the task before it has called `release`.

    A task calls `await acquire()`, then `release()`. Call `wake_next()` after each change that may make `ready()` true.
    """

    def __init__(self, ready: "Callable[[], object]") -> None:
        self._ready = ready
        # The futures of the tasks that wait. The first entry is that of the task that has its turn: None, if it did not
        # have to wait. It stays until `release`, because in Brython every `await` lets other tasks run.
        self._waiting: list[Any] = []

    def __len__(self) -> int:
        return len(self._waiting)

    async def acquire(self) -> None:
        """Wait until this task has its turn, which lasts until it calls `release`."""
        if not self._waiting and self._ready():
            self._waiting.append(None)
            return
        waiter: Any = loop.future()
        self._waiting.append(waiter)
        error = None  # in Brython, a name that is first bound in a `try` is lost after it if other tasks have run
        try:
            error = await waiter
        except BaseException:  # most often the task is canceled: the next one gets its turn
            self._waiting.remove(waiter)
            self.wake_next()
            waiter = None  # the future has the exception, which has this frame: else this would be a reference cycle
            raise
        if error is not None:
            self._waiting.remove(waiter)
            self.wake_next()
            raise error

    def release(self) -> None:
        """End the turn of the task that calls this, and wake the next one."""
        self._waiting.pop(0)
        self.wake_next()

    def wake_next(self) -> None:
        """Wake the first task that waits, if `ready()`. Call it as often as you like."""
        if self._waiting and self._ready():
            self._wake(self._waiting[0], None)

    def reject_all(self, error: BaseException) -> None:
        """Raise `error` in all tasks that wait and were not woken yet."""
        for waiter in self._waiting:
            self._wake(waiter, error)

    def _wake(self, waiter: "Any", error: "BaseException | None") -> None:
        if waiter is not None and not waiter.done():
            waiter.set_result(error)


class MessageQueue:
    """Messages from their arrival until a task takes them. After the last one, `take` raises."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.error: BaseException | None = None
        """The exception that `take` raises when nothing is left; None before the end."""
        self.waiters = Waiters(lambda: self.items or self.error)

    def put(self, item: object) -> None:
        """Add an item. Call it only before the end."""
        self.items.append(item)
        self.waiters.wake_next()

    def end(self, error: BaseException | None = None) -> None:
        """Say that no more items come: after the last one, `take` raises `error`, or ends the iteration.

        Only the first call has an effect.
        """
        if self.error is None:
            self.error = error or StopAsyncIteration()
            self.waiters.wake_next()

    async def take(self) -> "Any":
        """Wait for the next item, remove it and return it."""
        await self.waiters.acquire()
        if self.items:
            item = self.items.pop(0)
            self.waiters.release()
            return item
        self.waiters.release()
        assert self.error is not None
        raise loop.without_traceback(self.error)  # else the traceback would grow with each task that takes


class Promise:
    """A value or an error that comes once, for any number of tasks that wait for it.

    `told(error)` is called each time that the error is raised in a task.
    https://webidl.spec.whatwg.org/#idl-promise
    """

    def __init__(self, told: "Callable[[BaseException], object]") -> None:
        self.settled = False
        self._told = told
        self._value: Any = None
        self._error: BaseException | None = None
        self._waiting: list[Any] = []

    def wait(self) -> "Awaitable[Any]":
        """Return a future of the value or the error, to be awaited once; if no task awaits it, nothing is reported."""
        future: Awaitable[Any] = loop.future()
        loop.mark_handled(future)
        if self.settled:
            self._tell(future)
        else:
            self._waiting = [other for other in self._waiting if not other.done()]  # a canceled one is done
            self._waiting.append(future)
        return future

    def resolve(self, value: object = None) -> None:
        """Give the value to all tasks that wait, or will. Only the first `resolve` or `reject` has an effect."""
        self._settle(value, None)

    def reject(self, error: BaseException) -> None:
        """Raise `error` in all tasks that wait, or will. Only the first `resolve` or `reject` has an effect."""
        self._settle(None, error)

    def replace(self, error: BaseException) -> "Promise":
        """Raise `error` in all tasks that wait for this, or will; return a promise that takes its place for others."""
        other = Promise(self._told)
        if self.settled:
            other._settle(self._value, self._error)
        self._settle(None, error)
        self._error = error
        return other

    def _settle(self, value: object, error: BaseException | None) -> None:
        if self.settled:
            return
        self.settled = True
        self._value, self._error = value, error
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                self._tell(future)

    def _tell(self, future: "Any") -> None:
        if self._error is None:
            future.set_result(self._value)
        else:
            self._told(self._error)
            future.set_exception(loop.without_traceback(self._error))  # without the frames of other tasks

"""The Observable proposal, as far as events are awaited with it: the result of `EventTarget.when`.

Its law: an iteration that is left, canceled or collected leaves no listener at its target.
https://wicg.github.io/observable/
"""

from . import loop
from .loop import Interface
from .waiters import MessageQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Observable(Interface):
    """The events of one type at one target: `EventTarget.when` makes it.

    Each `async for` and each `first()` listens for itself, from the moment it begins. An `async for` misses nothing
    while its body runs, and ends when the target does: a WebSocket after its `close` event, other targets never.
    Leaving it early leaves no listener behind.
    https://wicg.github.io/observable/
    """

    def __init__(self, target: "Any", type: str, capture: bool, passive: bool) -> None:
        self._target = target  # an EventTarget
        self._type = type
        self._capture = capture
        self._passive = passive

    def first(self) -> "Any":
        """Listen, from now on, for one event; return a future of it.

        If the target ends before, the future raises `LookupError`: the counterpart of the proposal's RangeError.
        https://wicg.github.io/observable/#dom-observable-first
        """
        future = loop.future()

        def succeed(event: object) -> None:
            subscription.stop()
            if not future.done():
                future.set_result(event)

        def fail() -> None:
            if not future.done():
                future.set_exception(LookupError(f"the target ended before its first {self._type!r} event"))

        subscription = self._subscribe(succeed, fail)
        loop.when_done(future, subscription.stop)
        return future

    def __aiter__(self) -> "Events":
        # Deviation: WHN-04, Brython
        return Events(self)

    def _subscribe(self, next: "Callable[[Any], object]", end: "Callable[[], object]") -> "Subscription":
        return Subscription(self._target, self._type, self._capture, self._passive, next, end)


class Subscription:
    """A listener at a target that calls `next(event)` for each event, until `stop`; `end()` when the target ends."""

    def __init__(
        self,
        target: "Any",
        type: str,
        capture: bool,
        passive: bool,
        next: "Callable[[Any], object]",
        end: "Callable[[], object]",
    ) -> None:
        self.end = end
        self.finalizer: object = None  # the value of `loop.on_collected`, which has to be kept
        self._target = target
        self._type = type
        self._listener: Any = None
        if target._pyws_ended:
            end()
        else:
            self._listener = target._pyws_listen(type, next, capture, passive)
            target._pyws_subscriptions = target._pyws_subscriptions + (self,)

    def stop(self) -> None:
        """Remove the listener. Call it as often as you like."""
        target = self._target
        listener, self._listener = self._listener, None
        if listener is not None:
            target._pyws_remove(self._type, listener)
        target._pyws_subscriptions = tuple(other for other in target._pyws_subscriptions if other is not self)


class Events:
    """The iterator of an `async for` over an observable; when it is collected as garbage, it stops listening.

    For that, the target refers to the queue, not to this object: only the task that waits for an event refers to it.
    """

    def __init__(self, observable: Observable) -> None:
        self._queue = queue = MessageQueue()
        # No lambda here: in Brython it would refer to all local names, `self` included.
        self._subscription = observable._subscribe(queue.put, queue.end)
        self._subscription.finalizer = loop.on_collected(self, self._subscription.stop)

    def __aiter__(self) -> "Events":
        return self

    async def __anext__(self) -> "Any":
        return await self._queue.take()

    async def aclose(self) -> None:
        """Stop listening now; events that were not taken are lost."""
        self._subscription.stop()
        self._queue.items.clear()
        self._queue.end()

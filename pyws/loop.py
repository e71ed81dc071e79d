"""What HTML calls the event loop: the clock, the tasks and the timers of the runtime.

The one room that knows which runtime it is in, besides the choice of `Connection` in `websocket.py`.
https://html.spec.whatwg.org/multipage/webappapis.html#event-loops
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

# Milliseconds, 24 days: to a browser a longer time is none.
# https://html.spec.whatwg.org/multipage/timers-and-user-prompts.html#dom-settimeout
_LONGEST = 2**31 - 1

if sys.platform == "emscripten":
    import asyncio
    from weakref import ref

    from js import performance, setTimeout
    from pyodide.ffi import create_once_callable

    now: "Callable[[], float]" = performance.now
    milliseconds = float

    def later(seconds: float, callback: "Callable[[], object]") -> None:
        """Run `callback` once, in a task of its own, after `seconds`."""
        setTimeout(create_once_callable(callback), min(seconds * 1000, _LONGEST))

    js_once = create_once_callable

    future: "Callable[[], Any]" = asyncio.Future

    def when_canceled(future: "Any", callback: "Callable[[], object]") -> None:
        """Run `callback` when `future` is done with, canceled too."""
        future.add_done_callback(lambda _: callback())

    def hush(future: "Any") -> None:
        """Let nobody be told of an exception of `future` that nobody awaits."""
        future.add_done_callback(lambda _: future.cancelled() or future.exception())

    def watch(thing: object, callback: "Callable[[], object]") -> object:
        """Run `callback` when `thing` is garbage, for as long as what is returned is kept."""
        return ref(thing, lambda _: callback())

    def awaitable(value: object) -> bool:
        """Tell whether `value` is what an `async def` listener returned."""
        return hasattr(value, "__await__")

    def schedule(job: "Awaitable[object]") -> object:
        """Start `job` as a task of the runtime."""
        return asyncio.ensure_future(job)

    def decode(data: bytes) -> str:
        """Decode UTF-8: what is malformed becomes U+FFFD, a byte order mark stays."""
        return data.decode("utf-8", "replace")

    def system() -> "Any":
        """Return the module `sys`."""
        return sys

elif sys.platform == "brython":
    import _sys
    from browser import aio
    from browser import self as js_global  # what a page calls window; a worker has one too

    now = js_global.performance.now
    milliseconds = float

    def later(seconds: float, callback: "Callable[[], object]") -> None:
        """Run `callback` once, in a task of its own, after `seconds`."""
        js_global.setTimeout(callback, min(seconds * 1000, _LONGEST))

    def js_once(callback: "Callable[..., object]") -> "Any":
        """Make `callback` a function that JavaScript may call once."""
        return callback

    future = aio.Future

    def when_canceled(future: "Any", callback: "Callable[[], object]") -> None:
        """Run `callback` when `future` is canceled: here none can be."""

    # Deviation: WHN-06, Brython
    js_registry = js_global.Function.new("return new FinalizationRegistry((callback) => callback())")()

    js_hush = js_global.Function.new("promise", "promise.catch(() => {})")

    def hush(future: "Any") -> None:
        """Let nobody be told of an exception of `future` that nobody awaits."""
        js_hush(future)

    def watch(thing: object, callback: "Callable[[], object]") -> object:
        """Run `callback` when JavaScript has collected `thing`."""
        js_registry.register(thing, callback)
        return None

    def awaitable(value: object) -> bool:
        """Tell whether `value` is what an `async def` listener returned."""
        return type(value).__name__ == "coroutine"

    def schedule(job: "Awaitable[object]") -> object:
        """Start `job` as a task of the runtime: not now, as `aio.run` would, but when what runs now has ended."""
        js_global.queueMicrotask(lambda: aio.run(job))
        return job

    js_decode = js_global.Function.new(
        "data", "return new TextDecoder('utf-8', {ignoreBOM: true}).decode(Uint8Array.from(data.source))"
    )

    def decode(data: bytes) -> str:
        """Decode UTF-8: what is malformed becomes U+FFFD, a byte order mark stays; Brython's own drops one."""
        string: str = js_decode(data)
        return string

    def system() -> "Any":
        """Return the module `sys`; what it is made of where Brython's standard library, which has it, is not loaded."""
        return _sys.modules.get("sys", _sys)

else:
    import asyncio
    import time
    from weakref import ref

    now = time.perf_counter
    _ORIGIN = now()

    def milliseconds(moment: float) -> float:
        """Turn what `now` returned into milliseconds since import: few events are ever asked for it."""
        return (moment - _ORIGIN) * 1000

    def later(seconds: float, callback: "Callable[[], object]") -> None:
        """Run `callback` once, in a task of its own, after `seconds`."""
        asyncio.get_running_loop().call_later(seconds, callback)

    def js_once(callback: "Callable[..., object]") -> "Any":
        """Make `callback` a function that JavaScript may call once: here there is none."""
        return callback

    def future() -> "Any":
        """Make a future of the loop that runs."""
        return asyncio.get_running_loop().create_future()

    def when_canceled(future: "Any", callback: "Callable[[], object]") -> None:
        """Run `callback` when `future` is done with, canceled too."""
        future.add_done_callback(lambda _: callback())

    def hush(future: "Any") -> None:
        """Let nobody be told of an exception of `future` that nobody awaits."""
        future.add_done_callback(lambda _: future.cancelled() or future.exception())

    def watch(thing: object, callback: "Callable[[], object]") -> object:
        """Run `callback` when `thing` is garbage, for as long as what is returned is kept."""
        return ref(thing, lambda _: callback())

    def awaitable(value: object) -> bool:
        """Tell whether `value` is what an `async def` listener returned."""
        return hasattr(value, "__await__")

    def schedule(job: "Awaitable[object]") -> object:
        """Start `job` as a task of the runtime."""
        return asyncio.ensure_future(job)

    def decode(data: bytes) -> str:
        """Decode UTF-8: what is malformed becomes U+FFFD, a byte order mark stays."""
        return data.decode("utf-8", "replace")

    def system() -> "Any":
        """Return the module `sys`."""
        return sys


class Line:
    """Those who wait until `ready()`, each called in the order of their coming.

    Who was called acts, then says `next()`. Whoever makes it ready says `next()` too.
    """

    def __init__(self, ready: "Callable[[], object]") -> None:
        self._ready = ready
        self._waiting: list[Any] = []

    async def turn(self) -> None:
        """Wait until it is ready, and nobody who came earlier still waits."""
        if not self._waiting and self._ready():
            return
        ticket: Any = future()
        self._waiting.append(ticket)
        try:
            error = await ticket
        except BaseException:  # most often, who waits is canceled: nothing is lost, the next one is called
            self._waiting.remove(ticket)
            self.next()
            ticket = None  # it knows the exception, which knows this frame: a circle, to be garbage only by and by
            raise
        self._waiting.remove(ticket)
        if error is not None:
            self.next()
            raise error

    def next(self) -> None:
        """Call the first in line, if it is ready."""
        if self._waiting and self._ready() and not self._waiting[0].done():
            self._waiting[0].set_result(None)

    def dismiss(self, error: BaseException) -> None:
        """Raise `error` for all who wait and were not called."""
        for ticket in self._waiting:
            if not ticket.done():
                ticket.set_result(error)


class Queue:
    """What arrives, until it is taken; at the end of it taking raises."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.error: BaseException | None = None
        """What `take` raises when nothing is left, once the end was said."""
        self.line = Line(lambda: self.items or self.error)

    @property
    def waiting(self) -> int:
        """How many wait for an item."""
        return len(self.line._waiting)

    def put(self, item: object) -> None:
        """Let `item` be taken."""
        self.items.append(item)
        self.line.next()

    def end(self, error: BaseException | None = None) -> None:
        """Say that nothing more comes, because of `error` or else as an iteration ends: the first time counts."""
        if self.error is None:
            self.error = error or StopAsyncIteration()
            self.line.next()

    async def take(self) -> "Any":
        """Wait for the next item and remove it."""
        await self.line.turn()
        if self.items:
            item = self.items.pop(0)
            self.line.next()
            return item
        self.line.next()
        assert self.error is not None
        raise self.error.with_traceback(None)  # else it would collect the frames of everyone who asks


_running: "set[object]" = set()


def start(job: "Awaitable[Any]") -> None:
    """Start what an `async def` listener returned; its exceptions are reported like any listener's."""

    async def attempt() -> None:
        try:
            await job
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            if type(error).__name__ == "CancelledError":
                raise
            report(error)
        finally:
            _running.discard(task)

    # The runtime refers to a task only weakly: this set keeps it alive until it ends.
    task = schedule(attempt())
    _running.add(task)


def report(error: BaseException) -> None:
    """Report an exception, as the page's console would: by `sys.excepthook`, with its traceback.

    https://html.spec.whatwg.org/multipage/webappapis.html#report-the-exception
    """
    # Deviation: HND-10, everywhere
    try:
        system().excepthook(type(error), error, error.__traceback__)
    except Exception as another:  # raised while `error` is handled: the traceback has both
        system().__excepthook__(type(another), another, another.__traceback__)

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
    from os import urandom
    from time import perf_counter
    from weakref import ref

    # Nothing of JavaScript is taken out of `js` here: a memory snapshot of an interpreter that has imported this is
    # restored in another page, and a host's own `js` may lack it.
    import js
    from pyodide.ffi import create_once_callable, create_proxy

    def now() -> float:
        """Return the milliseconds of the clock that JavaScript calls `performance.now`: it is Pyodide's, too."""
        return perf_counter() * 1000

    milliseconds = float

    def random() -> float:
        """Return a number from 0 to 1, never 1; the module `random` would repeat itself after a memory snapshot."""
        return int.from_bytes(urandom(6), "big") / 2**48

    def later(seconds: float, callback: "Callable[[], object]") -> "Callable[[], object]":
        """Run `callback` once, in a task of its own, after `seconds`; what is returned cancels that."""
        if not hasattr(js, "setTimeout") or not hasattr(js, "clearTimeout"):
            return asyncio.get_event_loop().call_later(seconds, callback).cancel
        js_callback = create_once_callable(callback)
        number = js.setTimeout(js_callback, min(seconds * 1000, _LONGEST))

        def cancel() -> None:
            js.clearTimeout(number)
            js_callback.destroy()

        return cancel

    def wait(
        seconds: float, callback: "Callable[[], object]", interrupted: "Callable[[], object]"
    ) -> "Callable[[], object]":
        """As `later`: no program ends with its tasks here, and nothing interrupts this."""
        return later(seconds, callback)

    def when_read(callback: "Callable[[], object]") -> None:
        """Run `callback` when what has come from the network is told: here that is now."""
        callback()

    def js_scope() -> "Any":
        """Return what JavaScript calls globalThis."""
        return js

    js_lasting = create_proxy

    def js_release(function: "Any") -> None:
        """JavaScript will not call `function` any more."""
        function.destroy()

    js_once = create_once_callable

    def interrupt(error: BaseException) -> None:
        """Raise what ends a program, such as SystemExit, in the next turn of the loop, where nothing is cut short."""
        asyncio.get_event_loop().call_soon(_raise, error)

    future: "Callable[[], Any]" = asyncio.Future

    def when_done(future: "Any", callback: "Callable[[], object]") -> None:
        """Run `callback` when `future` is done with, canceled too."""
        future.add_done_callback(lambda _: callback())

    def mark_handled(future: "Any") -> None:
        """Mark an exception of `future` as handled, so that it is not reported if nobody awaits it."""
        future.add_done_callback(lambda _: future.cancelled() or future.exception())

    def on_collected(thing: object, callback: "Callable[[], object]") -> object:
        """Run `callback` when `thing` is garbage, for as long as what is returned is kept."""
        return ref(thing, lambda _: callback())

    def awaitable(value: object) -> bool:
        """Tell whether `value` is what an `async def` listener returned."""
        return hasattr(value, "__await__")

    def schedule(job: "Awaitable[object]") -> object:
        """Start `job` as a task of the runtime."""
        return asyncio.ensure_future(job)

    def next_turn() -> "Awaitable[None]":
        """Return what is awaited, once, for the next turn of the loop: what asked for one earlier has run then."""
        return asyncio.sleep(0)

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
    random: "Callable[[], float]" = js_global.Math.random
    milliseconds = float

    def later(seconds: float, callback: "Callable[[], object]") -> "Callable[[], object]":
        """Run `callback` once, in a task of its own, after `seconds`; what is returned cancels that."""
        number = js_global.setTimeout(callback, min(seconds * 1000, _LONGEST))
        return lambda: js_global.clearTimeout(number)

    def wait(
        seconds: float, callback: "Callable[[], object]", interrupted: "Callable[[], object]"
    ) -> "Callable[[], object]":
        """As `later`: no program ends with its tasks here, and nothing interrupts this."""
        return later(seconds, callback)

    def when_read(callback: "Callable[[], object]") -> None:
        """Run `callback` when what has come from the network is told: here that is now."""
        callback()

    def js_scope() -> "Any":
        """Return what JavaScript calls globalThis."""
        return js_global

    def js_lasting(callback: "Callable[..., object]") -> "Any":
        """Make `callback` a function that JavaScript may call until `js_release`."""
        return callback

    def js_release(function: "Any") -> None:
        """JavaScript will not call `function` any more."""

    class JsFunction:
        """A function of JavaScript's, made of its parameters and its body when it is first called."""

        def __init__(self, *source: str) -> None:
            self._source = source
            self._js_function: Any = None

        def __call__(self, *arguments: object) -> "Any":
            if self._js_function is None:
                self._js_function = js_global.Function.new(*self._source)
            return self._js_function(*arguments)

    def js_once(callback: "Callable[..., object]") -> "Any":
        """Make `callback` a function that JavaScript may call once."""
        return callback

    def interrupt(error: BaseException) -> None:
        """Raise what ends a program, such as SystemExit, in a task of its own, where nothing is cut short."""
        js_global.setTimeout(lambda: _raise(error), 0)

    future = aio.Future

    def when_done(future: "Any", callback: "Callable[[], object]") -> None:
        """Run `callback` when `future` is canceled: here none can be."""

    # Deviation: WHN-06, Brython
    js_new_registry = JsFunction("return new FinalizationRegistry((callback) => callback())")
    js_registries: "list[Any]" = []  # one, once there is something to watch

    js_mark_handled = JsFunction("promise", "promise.catch(() => {})")

    def mark_handled(future: "Any") -> None:
        """Mark an exception of `future` as handled, so that it is not reported if nobody awaits it."""
        js_mark_handled(future)

    def on_collected(thing: object, callback: "Callable[[], object]") -> object:
        """Run `callback` when JavaScript has collected `thing`."""
        if not js_registries:
            js_registries.append(js_new_registry())
        js_registries[0].register(thing, callback)
        return None

    # Where the function that called an `async def` ends, Brython warns that nobody awaited it, unless it has begun.
    js_begun = JsFunction("job", "job.$sent = true")

    def awaitable(value: object) -> bool:
        """Tell whether `value` is what an `async def` listener returned, which will then be started."""
        found = type(value).__name__ == "coroutine"
        if found:
            js_begun(value)
        return found

    def schedule(job: "Awaitable[object]") -> object:
        """Start `job` as a task of the runtime: not now, as `aio.run` would, but when what runs now has ended."""
        js_begun(job)
        js_global.queueMicrotask(lambda: aio.run(job))
        return job

    _turns: "list[Any]" = []
    _channels: "list[Any]" = []

    def next_turn() -> "Awaitable[None]":
        """Return what is awaited, once, for the next task: what asked for one earlier has run then."""
        # A timer would come 4 ms later: https://html.spec.whatwg.org/multipage/timers-and-user-prompts.html#timers
        if not _channels:
            _channels.append(js_global.MessageChannel.new())
            _channels[0].port1.onmessage = lambda _: _turns.pop(0).set_result(None)
        turn: Any = future()
        _turns.append(turn)
        _channels[0].port2.postMessage(0)
        return turn  # type: ignore[no-any-return] # a runtime's own

    js_decode = JsFunction(
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
    from random import random as random
    from threading import get_ident
    from weakref import ref

    now = time.perf_counter
    _ORIGIN = now()

    def milliseconds(moment: float) -> float:
        """Turn what `now` returned into milliseconds since import: few events are ever asked for it."""
        return (moment - _ORIGIN) * 1000

    def later(seconds: float, callback: "Callable[[], object]") -> "Callable[[], object]":
        """Run `callback` once, in a task of its own, after `seconds`; what is returned cancels that."""
        return asyncio.get_running_loop().call_later(seconds, callback).cancel

    def wait(
        seconds: float, callback: "Callable[[], object]", interrupted: "Callable[[], object]"
    ) -> "Callable[[], object]":
        """As `later`, with a task of asyncio's until then: a program that ends with its tasks goes on.

        Whoever else cancels that task, as programs do that end, makes `interrupted` run.
        """

        async def sleep() -> None:
            await asyncio.sleep(seconds)
            callback()

        def ended(task: "asyncio.Task[None]") -> None:
            if task.cancelled():
                interrupted()

        task = asyncio.get_running_loop().create_task(sleep())
        task.add_done_callback(ended)

        def cancel() -> None:
            task.remove_done_callback(ended)
            task.cancel()

        return cancel

    def when_read(callback: "Callable[[], object]") -> None:
        """Run `callback` when what the last read from the network has brought is told."""
        asyncio.get_running_loop().call_soon(callback)

    def on_wake(callback: "Callable[[], object]") -> "Callable[[], object]":
        """Run `callback` whenever the page is online, visible or shown again: here there is none."""
        return lambda: None

    class Home:
        """The event loop that runs, and its thread: there what was made belongs."""

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

        def check(self) -> None:
            """Raise in another thread, where what is sent may be lost, or wait for ever."""
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

    def interrupt(error: BaseException) -> None:
        """Raise what ends a program, such as SystemExit, in the next turn of the loop, where nothing is cut short."""
        asyncio.get_running_loop().call_soon(_raise, error)

    def js_once(callback: "Callable[..., object]") -> "Any":
        """Make `callback` a function that JavaScript may call once: here there is none."""
        return callback

    def future() -> "Any":
        """Make a future of the loop that runs."""
        return asyncio.get_running_loop().create_future()

    def when_done(future: "Any", callback: "Callable[[], object]") -> None:
        """Run `callback` when `future` is done with, canceled too."""
        future.add_done_callback(lambda _: callback())

    def mark_handled(future: "Any") -> None:
        """Mark an exception of `future` as handled, so that it is not reported if nobody awaits it."""
        future.add_done_callback(lambda _: future.cancelled() or future.exception())

    def on_collected(thing: object, callback: "Callable[[], object]") -> object:
        """Run `callback` when `thing` is garbage, for as long as what is returned is kept."""
        return ref(thing, lambda _: callback())

    def awaitable(value: object) -> bool:
        """Tell whether `value` is what an `async def` listener returned."""
        return hasattr(value, "__await__")

    def schedule(job: "Awaitable[object]") -> object:
        """Start `job` as a task of the runtime."""
        return asyncio.ensure_future(job)

    def next_turn() -> "Awaitable[None]":
        """Return what is awaited, once, for the next turn of the loop: what asked for one earlier has run then."""
        return asyncio.sleep(0)

    def decode(data: bytes) -> str:
        """Decode UTF-8: what is malformed becomes U+FFFD, a byte order mark stays."""
        return data.decode("utf-8", "replace")

    def system() -> "Any":
        """Return the module `sys`."""
        return sys


if sys.platform == "emscripten" or sys.platform == "brython":

    class Home:
        """The event loop that runs, and its thread: here there are no others."""

        loop: "Any"
        thread: int

        def check(self) -> None:
            """Do nothing."""

    def on_wake(callback: "Callable[[], object]") -> "Callable[[], object]":
        """Run `callback` whenever the page is online, visible or shown again; what is returned ends that.

        A worker learns only that it is online, and Node nothing.
        """
        js_window = js_scope()
        js_document: Any = getattr(js_window, "document", None)

        def happened(event: "Any") -> None:
            if event.type == "visibilitychange" and js_document.visibilityState != "visible":
                return
            if event.type != "pageshow" or event.persisted:
                callback()

        js_happened = js_lasting(happened)
        pairs = (js_window, "online"), (js_window, "pageshow"), (js_document, "visibilitychange")
        # In a worker Brython has a document of its own making.
        listening = [(target, type) for target, type in pairs if hasattr(target, "addEventListener")]
        for target, type in listening:
            target.addEventListener(type, js_happened)

        def end() -> None:
            for target, type in listening:
                target.removeEventListener(type, js_happened)
            js_release(js_happened)

        return end


def insist(call: "Callable[[], object]") -> None:
    """Call again what an exception that ends the program cuts short, until it has returned; then raise that.

    `call` goes on where it was. An exception of a listener of `error`, one of `close`, and Ctrl-C: more do not come.
    """
    ending: BaseException | None = None
    for _ in range(5):
        try:
            call()
            break
        except (KeyboardInterrupt, SystemExit) as error:
            ending = ending or error
    if ending is not None:
        raise ending


def stop_short(error: BaseException) -> None:
    """Let an exception that cut short what nobody waits for go its way: end the program, or be reported."""
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        interrupt(error)
    else:
        report(error)


def _raise(error: BaseException) -> None:
    raise error


_running: "set[object]" = set()


def start(job: "Awaitable[Any]") -> object:
    """Start what an `async def` listener returned, as a task; its exceptions are reported like any listener's."""

    async def attempt() -> None:
        try:
            if task is None:  # the loop begins its tasks eagerly: not before what runs now has ended
                await next_turn()
            await job
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            if type(error).__name__ == "CancelledError":
                raise
            report(error)
        finally:
            _running.discard(task)

    def forget(task: "Any") -> None:
        # A task that is canceled before it began never comes to its `finally`; one that ends the program has said so.
        _running.discard(task)
        if not task.cancelled():
            task.exception()
        if type(job).__name__ == "coroutine":
            job.close()  # type: ignore[attr-defined] # asked for by name, for Brython

    awaitable(job)  # begun, to Brython: else it warns where the function that made this coroutine ends
    # The runtime refers to a task only weakly: this set keeps it alive until it ends.
    task: object = None
    task = schedule(attempt())
    _running.add(task)
    if hasattr(task, "add_done_callback"):
        task.add_done_callback(forget)
    return task


def report(error: BaseException) -> None:
    """Report an exception, as the page's console would: by `sys.excepthook`, with its traceback.

    https://html.spec.whatwg.org/multipage/webappapis.html#report-the-exception
    """
    # Deviation: HND-10, everywhere
    try:
        system().excepthook(type(error), error, error.__traceback__)
    except (KeyboardInterrupt, SystemExit) as ending:
        interrupt(ending)
    except BaseException as another:  # raised while `error` is handled: the traceback has both
        system().__excepthook__(type(another), another, another.__traceback__)

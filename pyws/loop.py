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

    from js import performance, setTimeout
    from pyodide.ffi import create_once_callable

    now: "Callable[[], float]" = performance.now
    milliseconds = float

    def later(seconds: float, callback: "Callable[[], object]") -> None:
        """Run `callback` once, in a task of its own, after `seconds`."""
        setTimeout(create_once_callable(callback), min(seconds * 1000, _LONGEST))

    js_once = create_once_callable

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

    # Where the function that called an `async def` ends, Brython warns that nobody awaited it, unless it has begun.
    js_begun = js_global.Function.new("job", "job.$sent = true")

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

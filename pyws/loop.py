"""The words of the runtime: its clock, timers and tasks, and the objects of JavaScript where there is JavaScript.

Each word has one implementation in a runtime. Here is the one place that chooses; besides, `websocket.py` chooses the
connection. No other module asks for the platform.
https://html.spec.whatwg.org/multipage/webappapis.html#event-loops
"""

import sys

if sys.platform == "webassembly":
    from .browser import micropython

    runtime = tasks = interpreter = micropython
else:
    from . import interpreter

    if sys.platform == "brython":
        from .browser import brython

        runtime = tasks = brython
    else:
        from . import asynciotasks as tasks

        if sys.platform == "emscripten":
            from .browser import pyodide

            runtime = pyodide
        else:
            from .cpython import runtime as runtime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

# The clock, and chance

now = runtime.now
"""now() -> float: return a time stamp, in a unit of the runtime."""

to_milliseconds = runtime.to_milliseconds
"""to_milliseconds(timestamp) -> float: return the milliseconds of a time stamp, as `Event.timeStamp` has them."""

random = runtime.random
"""random() -> float: return a random number from 0 to 1, and never 1."""

# Timers and turns of the loop

call_later = runtime.call_later
"""call_later(seconds, callback): run `callback()` once, in a task of its own; return a function that cancels that."""

call_later_alive = runtime.call_later_alive
"""call_later_alive(seconds, callback, interrupted): the same, with a task of asyncio until then.

A program that ends with its tasks goes on until then. If other code cancels that task, as programs do that end,
`interrupted()` runs instead.
"""

call_soon = runtime.call_soon
"""call_soon(callback, *arguments): run `callback` in the next turn of the loop."""

next_turn = tasks.next_turn
"""next_turn(): return an awaitable of the next turn of the loop. It can be awaited once.

An awaitable that other code has asked for before is done before.
"""

after_read = runtime.after_read
"""after_read(callback): run `callback()` when the events of all messages that the last read has brought were fired."""

on_wake = runtime.on_wake
"""on_wake(callback): run `callback()` each time that the page is online, visible or shown again.

Return a function that ends that.
"""

LoopThread = runtime.LoopThread
"""LoopThread(): the running event loop and its thread. An object that belongs to them has one.

Its method `ensure_current()` raises `RuntimeError` in any other thread.
"""

# Futures and tasks

future = runtime.future
"""future(): make a future of the running loop."""

when_done = tasks.when_done
"""when_done(future, callback): run `callback()` when the future is done; a canceled future is done, too."""

mark_handled = tasks.mark_handled
"""mark_handled(future): mark an exception of the future as handled: it is not reported if no task awaits it."""

schedule = tasks.schedule
"""schedule(awaitable): start a task of the runtime."""

is_awaitable = tasks.is_awaitable
"""is_awaitable(value) -> bool: tell whether `value` is something that an `async def` listener returned."""

is_coroutine = tasks.is_coroutine
"""is_coroutine(value) -> bool: tell whether `value` is a coroutine."""

is_cancellation = tasks.is_cancellation
"""is_cancellation(error) -> bool: tell whether an exception is the cancellation of a task."""

# The interpreter

on_collected = tasks.on_collected
"""on_collected(value, callback): run `callback()` when `value` is garbage, as long as the return value is kept."""

Interface = interpreter.Interface
"""The base class of interfaces: their constants (names in capitals) can be neither changed nor removed.

https://webidl.spec.whatwg.org/#idl-constants
"""

has_method = interpreter.has_method
"""has_method(value, name) -> bool: tell whether the type of `value` has that special method, such as "__iter__"."""

is_same_method = interpreter.is_same_method
"""is_same_method(one, other) -> bool: tell whether both are the same method of the same object."""

to_scalar_values = interpreter.to_scalar_values
"""to_scalar_values(string, decode) -> str: return a plain `str`: surrogate pairs joined, each lone surrogate U+FFFD.

`decode` is the word below.
"""

buffer_bytes = interpreter.buffer_bytes
"""buffer_bytes(value) -> bytes: return the bytes of a buffer; `TypeError` for any other value."""

without_traceback = interpreter.without_traceback
"""without_traceback(error): return `error` without its traceback."""

decode = tasks.decode
"""decode(data) -> str: decode UTF-8. Malformed bytes become U+FFFD, a byte order mark stays."""

join = tasks.join
"""join(parts) -> bytes: return the bytes of all `parts`, which are `bytes`; a later change of a buffer changes none."""

# JavaScript

HAS_JAVASCRIPT = runtime.HAS_JAVASCRIPT
"""Whether Python runs beside JavaScript."""

is_js = runtime.is_js
"""is_js(value) -> bool: tell whether `value` is an object of JavaScript."""

is_js_dictionary = runtime.is_js_dictionary
"""is_js_dictionary(value) -> bool: tell whether an object of JavaScript can be a dictionary, and is not a list."""

is_null = runtime.is_null
"""is_null(value) -> bool: tell whether `value` is None, or JavaScript's null or undefined."""

js_class_name = runtime.js_class_name
"""js_class_name(value) -> str: return the name of the class of an object of JavaScript; "" for any other value."""

js_bytes = runtime.js_bytes
"""js_bytes(js_buffer) -> bytes: return a copy of the bytes of a buffer; a transferred buffer has none."""

js_copy = runtime.js_copy
"""js_copy(js_buffer): return a copy of a buffer of JavaScript that `Connection.send` takes."""

js_blob = runtime.js_blob
"""js_blob(data, type): make a Blob of JavaScript."""

js_once = runtime.js_once
"""js_once(callback): make a function that JavaScript may call once."""


# The functions below are the same in all runtimes.


def complete(call: "Callable[[], object]") -> None:
    """Call again if an exception that ends the program leaves `call`, until it returns; then raise the exception.

    A further call has to go on where the one before was left. There are at most three such exceptions: of a listener
    of `error`, of a listener of `close`, and that of Ctrl-C.
    """
    ending: BaseException | None = None
    for _ in range(5):  # pragma: no branch - it is left before
        try:
            call()
            break
        except (KeyboardInterrupt, SystemExit) as error:
            ending = ending or error
    if ending is not None:
        raise ending


def interrupt(error: BaseException) -> None:
    """Raise an exception that ends the program, such as SystemExit, in the next turn of the loop: nothing runs there
    that it would cut short."""
    call_soon(_raise, error)


def interrupt_or_report(error: BaseException) -> None:
    """Interrupt the program by an exception that ends it; report any other. Call it where no caller could handle it."""
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        interrupt(error)
    else:
        report(error)


def _raise(error: BaseException) -> None:
    raise error


_running: "set[object]" = set()


def start(job: "Awaitable[Any]") -> object:
    """Start an awaitable that an `async def` listener returned, as a task; an exception of it is reported."""

    async def attempt() -> None:
        try:
            # If the loop starts its tasks eagerly: the task must not run before the caller has ended.
            if task is None:  # pragma: no cover - with eager tasks, from Python 3.12 on
                await next_turn()
            await job
        except (KeyboardInterrupt, SystemExit, GeneratorExit):  # the last one: the program has ended
            raise
        except BaseException as error:
            if is_cancellation(error):
                raise
            report(error)
        finally:
            _running.discard(task)

    def on_done(task: "Any") -> None:
        # A task that is canceled before it starts never reaches its `finally`. The exception of a task that ends the
        # program was raised by the loop already.
        _running.discard(task)
        if not task.cancelled():
            task.exception()
        if is_coroutine(job):
            job.close()  # type: ignore[attr-defined] # a coroutine has this method

    tasks.mark_started(job)
    # The runtime refers to a task only weakly: this set keeps it alive until it ends.
    task: object = None
    task = schedule(attempt())
    _running.add(task)
    if hasattr(task, "add_done_callback"):  # pragma: no branch - not in Brython
        task.add_done_callback(on_done)
    return task


def report(error: BaseException) -> None:
    """Report an exception by `sys.excepthook`, with its traceback: as the console of a page does.

    https://html.spec.whatwg.org/multipage/webappapis.html#report-the-exception
    """
    # Deviation: HND-10, everywhere
    try:
        tasks.excepthook()(type(error), error, getattr(error, "__traceback__", None))
    except (KeyboardInterrupt, SystemExit) as ending:
        interrupt(ending)
    except BaseException as another:  # raised while `error` is handled: the traceback has both
        tasks.system().__excepthook__(type(another), another, getattr(another, "__traceback__", None))

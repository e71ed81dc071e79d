"""SIGTERM, the signal that ends services (docker stop, systemd, Kubernetes): it ends a program as Ctrl-C does.

Its law: the first SIGTERM cancels the main task, and sockets close with 1001, as for a page that is left; the second,
or Ctrl-C, ends the process at once. A handler that the program sets replaces this one.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Coroutine
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")

STATUS = 128 + signal.SIGTERM
"""The exit status after SIGTERM, by the convention of shells."""

GRACE_PERIOD = 2.0
"""Seconds that the event loop has to handle SIGTERM; then the code that blocks the loop is interrupted."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine by `asyncio.run`; SIGTERM cancels it and raises `SystemExit(STATUS)`."""
    if sys.platform == "win32" or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return asyncio.run(main)  # Windows has no SIGTERM; or it is ignored, or has a handler already
    termination = Termination()
    try:
        result = asyncio.run(termination.guard(main))
    except asyncio.CancelledError:
        if not termination.requested:
            raise
    else:
        if not termination.requested:  # pragma: no branch - in Python 3.11 coverage sees nothing after a catch
            return result
    finally:
        termination.release()
    raise SystemExit(STATUS)


class Termination:
    """The handler of SIGTERM while a program runs. Await `guard` as the main task, then call `release`."""

    requested = False
    """Whether SIGTERM has come."""

    def __init__(self) -> None:
        self._handled = threading.Event()  # set when the loop has handled the signal
        self._overdue = False  # whether the grace period is over
        self._interrupted = False  # whether the code that blocked the loop was interrupted

    async def guard(self, main: Coroutine[Any, Any, T]) -> T:
        """Handle SIGTERM from now on, and run `main` in this task."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._sigint_handler = signal.getsignal(signal.SIGINT)
        # A handler of the loop would run too late if the program blocks the loop, so it does nothing. But because of it
        # the loop wakes up at a signal that comes just before the loop waits.
        self._loop.add_signal_handler(signal.SIGTERM, lambda: None)
        signal.signal(signal.SIGTERM, self._terminate)
        os.register_at_fork(before=self._block, after_in_parent=self._unblock, after_in_child=self._release_child)
        return await main

    def release(self) -> None:
        """Restore the default actions, unless the program has set handlers."""
        for number, default in ((signal.SIGTERM, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
            if signal.getsignal(number) in (self._terminate, self._end):
                signal.signal(number, default)

    # A forked process has the default action of SIGTERM. The signal is blocked during the fork, so that a SIGTERM for
    # the child waits until the handler is gone.

    def _block(self) -> None:
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def _unblock(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def _release_child(self) -> None:
        signal.set_wakeup_fd(-1)  # the file descriptor belongs to the loop of the parent
        self.release()
        self._unblock()

    # The signal handlers.

    def _terminate(self, number: int, _: FrameType | None) -> None:
        self.requested = True
        assert self._task is not None
        if self._task.done():
            os._exit(128 + number)
        signal.signal(number, self._end)
        if callable(self._sigint_handler) and signal.getsignal(signal.SIGINT) is self._sigint_handler:  # asyncio's own
            signal.signal(signal.SIGINT, self._end)
        self._loop.call_soon_threadsafe(self._cancel)  # thread-safe, because that wakes the loop
        threading.Thread(target=self._watch, daemon=True).start()

    def _cancel(self) -> None:
        if not self._interrupted:
            self._handled.set()
            assert self._task is not None
            self._task.cancel()

    def _watch(self) -> None:
        if not self._handled.wait(GRACE_PERIOD):
            self._overdue = True
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)

    def _end(self, number: int, _: FrameType | None) -> None:
        if not self._overdue:
            os._exit(128 + number)
        # This signal comes from `_watch`. It interrupts the code that blocks the loop, which ends the program.
        self._overdue = False
        if not self._handled.is_set():  # pragma: no branch - else it was handled in this moment
            self._interrupted = True
            raise SystemExit(STATUS)

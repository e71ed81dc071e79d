"""SIGTERM, by which services are told to end (docker stop, systemd, Kubernetes): it ends a program as Ctrl-C does.

Its law: the first SIGTERM cancels the main task, and sockets close with 1001, as for a page that is left; the second,
or Ctrl-C, ends the process at once. A handler of the program's own takes the place of this one.
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
"""The exit status, as shells have it."""

PATIENCE = 2.0
"""Seconds that the event loop has to go on after SIGTERM; then what blocks it is interrupted."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine by `asyncio.run`; at SIGTERM it is canceled, and `SystemExit` with `STATUS` is raised."""
    if sys.platform == "win32" or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return asyncio.run(main)  # Windows has none, or whoever started this has decided
    termination = Termination()
    try:
        result = asyncio.run(termination.guard(main))
    except asyncio.CancelledError:
        if not termination.asked:
            raise
    else:
        if not termination.asked:
            return result
    finally:
        termination.release()
    raise SystemExit(STATUS)


class Termination:
    """The handler of SIGTERM while a program runs."""

    asked = False
    """Whether SIGTERM has come."""

    def __init__(self) -> None:
        self._answered = threading.Event()  # whether the loop goes on
        self._overdue = False  # whether it has not for too long
        self._blocked = False  # whether something was interrupted for that

    async def guard(self, main: Coroutine[Any, Any, T]) -> T:
        """Handle SIGTERM from now on, and run `main` in this task."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._interrupt = signal.getsignal(signal.SIGINT)
        # A handler of the loop's comes too late where something blocks the loop. But with one, a signal that comes when
        # the loop is about to wait wakes it up.
        self._loop.add_signal_handler(signal.SIGTERM, lambda: None)
        signal.signal(signal.SIGTERM, self._terminate)
        os.register_at_fork(before=self._hold, after_in_parent=self._let, after_in_child=self._let_go)
        return await main

    def release(self) -> None:
        """Handle no signal any more."""
        for number, default in ((signal.SIGTERM, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
            if signal.getsignal(number) in (self._terminate, self._end):
                signal.signal(number, default)

    # A process that is forked has no such handler, at no moment: what it is sent meanwhile waits.

    def _hold(self) -> None:
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def _let(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def _let_go(self) -> None:
        signal.set_wakeup_fd(-1)  # it leads to the loop of the other process
        self.release()
        self._let()

    # What a signal does.

    def _terminate(self, number: int, _: FrameType | None) -> None:
        self.asked = True
        assert self._task is not None
        if self._task.done():
            os._exit(128 + number)
        signal.signal(number, self._end)
        if callable(self._interrupt) and signal.getsignal(signal.SIGINT) is self._interrupt:  # asyncio's
            signal.signal(signal.SIGINT, self._end)
        self._loop.call_soon_threadsafe(self._cancel)  # which wakes the loop, too
        threading.Thread(target=self._watch, daemon=True).start()

    def _cancel(self) -> None:
        if not self._blocked:
            self._answered.set()
            assert self._task is not None
            self._task.cancel()

    def _watch(self) -> None:
        if not self._answered.wait(PATIENCE):
            self._overdue = True
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)

    def _end(self, number: int, _: FrameType | None) -> None:
        if not self._overdue:
            os._exit(128 + number)
        # This is no second signal, but ours: it interrupts what blocks, and that ends the program.
        self._overdue = False
        if not self._answered.is_set():
            self._blocked = True
            raise SystemExit(STATUS)

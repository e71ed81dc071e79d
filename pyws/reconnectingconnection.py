"""The connection of a `ReconnectingWebSocket`: one connection of the runtime after the other, and the waits between.

It stands on both sides of the seam of `websocket.py`: to the interface above it is the connection, and it owns one
connection after the other. Its law: its owner is called as a connection would call it, and once for each loss after
which it connects again.
"""

from . import loop
from .buffersource import size_of
from .webidl import DOMException, usv_string
from .websocket import Connection, protocol_list, protocols_of, url_string, validate_subprotocols

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from .backoff import Backoff, FinalAnswers

    class Owner(Protocol):
        """The object above the seam that it belongs to."""

        def _pyws_opened(self, protocol: str, extensions: str) -> None: ...
        def _pyws_received(self, data: str | bytes, timestamp: float) -> None: ...
        def _pyws_lost(self, clean: bool, code: int, reason: str, attempt: int, delay: float) -> None: ...
        def _pyws_closed(self, failed: bool, clean: bool, code: int, reason: str) -> None: ...


WAKE_PAUSE = 1.0
"""Seconds between two attempts that a page's `online` and its like begin before their time."""


class ReconnectingConnection:
    """The connection of a `ReconnectingWebSocket`, and the owner of one connection of the runtime, or none."""

    held = False
    """Set from above, and without effect: its timer, its task or its connection keep it alive."""

    def __init__(
        self,
        url: "Any",
        protocols: "Any",
        owner: "Owner",
        backoff: "Backoff",
        final_answers: "FinalAnswers",
        min_uptime: float,
        connect_timeout: "float | None",
        max_queued: int,
    ) -> None:
        self._loop_thread = loop.LoopThread()
        self._url = url if is_function(url) else url_string(url)
        self._protocols = protocols if is_function(protocols) else protocol_list(protocols_of(protocols))
        self._owner = owner
        self._pyws_received = owner._pyws_received  # a message passes this by
        self._backoff = backoff
        self._final_answers = final_answers
        self._min_uptime = min_uptime
        self._connect_timeout = connect_timeout
        self._max_queued = max_queued
        self.url = ""
        self._connection: Connection | None = None
        self._is_open = self._is_closing = self._has_ended = False
        self._opened_at = 0.0
        self._queue: list[Any] = []
        self._queued = 0  # bytes
        self._is_holding = False  # whether it is open, and the queue is not handed over yet
        # Under way besides the connection: a timer, as the function that ends it, or the task that calls the functions.
        self._cancel: Callable[[], object] | None = None
        self._task: Any = None
        self._is_calling = False
        self._attempt_id = 0  # a task that finds another number than its own has come too late
        # While it waits for its next attempt: when that is due, and what stops listening for the page to wake.
        self._due = 0.0  # milliseconds
        self._stop_listening: Callable[[], object] | None = None
        self._woken = float("-inf")  # milliseconds: when such an attempt began, or will
        if is_function(url) or is_function(protocols):
            self._set_timer(0, self._begin)
        else:
            self._connect(self._url, self._protocols)
            self._limit_time()

    # The seam: calls down.

    @property
    def state(self) -> int:
        """CONNECTING while it is away, and while the server closes: only then is it known how that goes on."""
        if self._has_ended:
            return 3
        if self._is_closing:
            return 2
        return 1 if self._is_open and self._connection is not None and self._connection.state == 1 else 0

    @property
    def buffered(self) -> int:
        """Payload bytes that wait here, or in the connection."""
        return self._queued + (0 if self._connection is None else self._connection.buffered)

    def send(self, data: "Any") -> int:
        """Send a message, or keep it for the next connection; OPEN if it was taken, else the state."""
        state = self.state
        if state == 1 and not self._is_holding and self._connection is not None:
            return self._connection.send(data)
        if state < 2:
            self._keep(data, state == 1)
            return 1
        return state

    def _keep(self, data: "Any", always: bool) -> None:
        self._loop_thread.ensure_current()
        size = len(usv_string(data).encode()) if isinstance(data, str) else size_of(data)
        full = self._queued + size > self._max_queued or len(self._queue) >= self._max_queued
        if full and not always:
            raise DOMException(
                f"There is no connection, and no more than max_queued, {self._max_queued} bytes, may wait for one.",
                "QuotaExceededError",
            )
        self._queue.append(data)
        self._queued += size

    def reconnect(self) -> None:
        """Begin the next attempt in the next task, if it is being waited for."""
        self._loop_thread.ensure_current()
        if self._is_closing or self._has_ended:
            raise DOMException("It was closed, and does not come back: make a new one.", "InvalidStateError")
        if self._stop_listening is not None:
            self._stop()
            self._set_timer(0, self._begin)

    def close(self, code: "int | None", reason: str) -> None:
        """Close the connection for good; where there is none, give up."""
        self._loop_thread.ensure_current()
        self._is_closing = True
        if self._connection is None:
            self._stop()
            self._set_timer(0, lambda: self._end(True, False, 1006, ""))
            return
        self._hand_over()
        if self._connection.state < 2:
            self._connection.close(code, reason)

    # One attempt, from calling the functions to the end of its connection.

    def _begin(self) -> None:
        self._stop()
        self._limit_time()
        self._is_calling = True
        attempt = self._attempt_id
        task: Any = loop.start(self._resolve_endpoint(attempt))
        if attempt == self._attempt_id:
            self._task = task
        # It ran at once, and a function has closed this.
        elif hasattr(task, "cancel"):  # pragma: no cover - with eager tasks, from Python 3.12 on
            task.cancel()
        if hasattr(task, "add_done_callback"):  # pragma: no branch - not in Brython
            task.add_done_callback(
                lambda _: self._interrupt() if self._is_calling and attempt == self._attempt_id else None
            )

    def _limit_time(self) -> None:
        if self._connect_timeout is not None:
            self._set_timer(self._connect_timeout, self._give_up)

    def _give_up(self) -> None:
        if self._connection is None:
            self._finish(True, False, 1006, "")
        else:
            self._connection.time_out("connect_timeout", self._connect_timeout or 0)

    async def _resolve_endpoint(self, attempt: int) -> None:
        """Call the functions for the URL and the subprotocols, and connect."""
        if attempt != self._attempt_id:  # pragma: no cover - in Brython, where no task can be canceled
            return
        try:
            url = await _call_or_value(self._url)
            protocols = await _call_or_value(self._protocols)
            if attempt == self._attempt_id:
                self._is_calling = False
                self._connect(url, protocols)
        except GeneratorExit:
            raise  # the program has ended
        except BaseException as error:
            ends = isinstance(error, (KeyboardInterrupt, SystemExit))
            # A function may wait for a task that was canceled: then the attempt has failed. Or this task was canceled,
            # by `_stop` or at the end of the program.
            canceled = loop.is_cancellation(error)
            if canceled and (attempt != self._attempt_id or (self._task is not None and self._task.cancelling())):
                raise
            if not ends:
                loop.report(error)
            if attempt == self._attempt_id:
                # A connection that is not allowed now will not be allowed later: no other attempt follows.
                if not self._is_calling and getattr(error, "name", "") == "SecurityError":
                    self._is_closing = True
                self._is_calling = False
                self._finish(True, False, 1006, "")
            if ends:
                raise

    def _connect(self, url: "Any", protocols: "Any") -> None:
        connection = Connection(url_string(url), validate_subprotocols(protocols_of(protocols)), self)
        connection.held = True
        self.url = connection.url
        self._connection = connection

    # The seam: calls up, of its connection.

    def _pyws_opened(self, protocol: str, extensions: str) -> None:
        self._stop()  # the time limit
        self._is_open = True
        self._opened_at = loop.now()
        self._final_answers.reset()
        if self._queue:
            self._is_holding = True
            loop.after_read(self._hand_over)
        self._owner._pyws_opened(protocol, extensions)

    def _pyws_closed(self, failed: bool, clean: bool, code: int, reason: str) -> None:
        if self._connection is not None:  # else this is the second call, after a listener has ended the program
            self._finish(failed, clean, code, reason)

    def _hand_over(self) -> None:
        """Give the queue to the connection, unless its Close came right behind the handshake: then to the next."""
        if not self._is_holding:
            return
        self._is_holding = False
        connection = self._connection
        if connection is None or connection.state != 1:
            return
        queue = self._queue
        self._queue = []
        self._queued = 0
        for data in queue:
            connection.send(data)

    def _finish(self, failed: bool, clean: bool, code: int, reason: str) -> None:
        """End the attempt, or its connection, and with it everything unless there is another attempt."""
        self._stop()
        connection = self._connection
        refusal = None if connection is None else connection.refusal
        uptime = loop.to_milliseconds(loop.now()) - loop.to_milliseconds(self._opened_at)
        if self._is_open and uptime >= self._min_uptime * 1000:
            self._backoff.reset()
        delay = None
        is_last = self._is_closing or (connection is not None and connection.canceled)
        if not is_last and not self._final_answers.is_final(code, None if refusal is None else refusal.status):
            delay = self._backoff.next(None if refusal is None else refusal.retry_after)
        if delay is None:
            self._end(failed, clean, code, reason)
            return
        self._wait(delay)
        self._is_open = self._is_holding = False
        self._connection = None
        self._owner._pyws_lost(clean, code, reason, self._backoff.attempts, delay)

    def _end(self, failed: bool, clean: bool, code: int, reason: str) -> None:
        self._queued = self.buffered  # messages that are left stay counted, as in the standard
        self._queue = []
        self._connection = None
        self._has_ended = True
        loop.complete(lambda: self._owner._pyws_closed(failed, clean, code, reason))

    def _interrupt(self) -> None:
        """End because a task was canceled, as all are where the program ends; a connection knows that by itself."""
        self._stop()
        if self._connection is None:
            self._end(False, False, 1006, "")

    # Timers and tasks.

    def _wait(self, seconds: float) -> None:
        """Wait for the next attempt, but no longer than until the page wakes."""
        self._due = loop.to_milliseconds(loop.now()) + seconds * 1000
        self._set_timer(seconds, self._begin)
        # Not the bound method: Brython's JavaScript cannot call one.
        self._stop_listening = loop.on_wake(lambda: self._wake())

    def _wake(self) -> None:  # pragma: no cover - in a page
        self._backoff.shorten()
        now = loop.to_milliseconds(loop.now())
        moment = max(now, self._woken + WAKE_PAUSE * 1000)  # a page may wake many times in a second
        if moment < self._due:
            self._woken = moment
            self._stop()
            self._wait((moment - now) / 1000)

    def _set_timer(self, seconds: float, action: "Callable[[], object]") -> None:
        def fire() -> None:
            self._cancel = None
            action()

        def interrupt() -> None:
            if self._cancel is cancel:
                self._interrupt()

        self._cancel = cancel = loop.call_later_alive(seconds, fire, interrupt)

    def _stop(self) -> None:
        """Stop what is under way besides the connection."""
        self._attempt_id += 1
        cancel, self._cancel = self._cancel, None
        if cancel is not None:
            cancel()
        stop_listening, self._stop_listening = self._stop_listening, None
        if stop_listening is not None:
            stop_listening()
        task, self._task = self._task, None
        # In Brython no task can be canceled: it ends by itself, and comes too late.
        if self._is_calling and hasattr(task, "cancel"):
            task.cancel()
        self._is_calling = False


def is_function(source: object) -> bool:
    """Tell whether a URL, or the subprotocols, are given by a function. A URL of JavaScript may be callable, too."""
    return callable(source) and not hasattr(source, "href")


async def _call_or_value(source: "Any") -> "Any":
    answer = source() if is_function(source) else source
    return await answer if loop.is_awaitable(answer) else answer

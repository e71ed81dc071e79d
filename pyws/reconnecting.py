"""A WebSocket that comes back: the interface of the standard over one connection after the other.

Its law: there is one `close` event in every case, and it is the last. Where another connection will follow, the loss
of one is the event `reconnecting` instead, because in the standard CLOSED is final, and listeners of `close` rely on
that. It stands on both sides of the seam of `websocket.py`: to the interface above it is the
connection, and it owns one connection after the other.
"""

from . import loop
from .buffersource import size_of
from .dom import event_handler
from .events import CloseEvent
from .webidl import DOMException, usv_string
from .websocket import Connection, WebSocket, origin_of, protocol_list, protocols_of, url_string, validate_subprotocols

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Container, Iterable, Mapping
    from typing import Any

    Protocols = str | Iterable[str] | Mapping[str, object] | None

FINAL_STATUSES = (400, 401, 403, 404, 410, 426)
"""The statuses of HTTP by which a server says that the same request will be refused again."""

AUTHORIZATION = (401, 403)
"""Those of them that another token may change."""

WAKE_PAUSE = 1.0
"""Seconds between two attempts that a page's `online` and its like begin before their time."""


class ReconnectingEvent(CloseEvent):
    """The connection is lost, or an attempt has failed, and after a delay another attempt follows.

    `wasClean`, `code` and `reason` are those of the `close` event that there would have been.
    """

    _pyws_MEMBERS = (*CloseEvent._pyws_MEMBERS, "attempt", "delay")
    _pyws_SHOWN = (*CloseEvent._pyws_SHOWN, "attempt", "delay")

    _pyws_attempt = 0
    _pyws_delay = 0.0

    def _pyws_initialize(self, init: "dict[str, Any]") -> None:
        super()._pyws_initialize(init)
        self._pyws_attempt = int(init.get("attempt", 0))
        self._pyws_delay = float(init.get("delay", 0))

    @property
    def attempt(self) -> int:
        """Which attempt in a row to come back follows: 1 is the first."""
        return self._pyws_attempt

    @property
    def delay(self) -> float:
        """The seconds until then."""
        return self._pyws_delay


class ReconnectingWebSocket(WebSocket):
    """A `WebSocket` that connects again when its connection is lost, or could not be made.

        ws = ReconnectingWebSocket("wss://example.org/chat")

    Everything is as in `WebSocket`, with these differences: `readyState` is CONNECTING (0) while it is away, and `open`
    comes with each connection. A loss after which it tries again is a `reconnecting` event (a `ReconnectingEvent`);
    `close`, after `error` if it failed, comes once, at the very end: `close()` was called, the server closed with a
    `final` code or refused with a final status, `max_attempts` are used up, or the program's tasks are canceled.

    `url` and `protocols` may be functions, `async def` too, that are called for each attempt, so that it has a fresh
    token; an exception in one is reported, and the attempt has failed. It has failed, too, if what they give can be no
    URL or subprotocols, and that is reported; without functions it raises "SyntaxError" here, as for `WebSocket`.

    Messages that are sent while it is away wait, and go out in their order before the next `open` event. A message
    that was given to a connection is never sent again: when the connection is lost, the message may have arrived or
    not, so each message arrives at most once. Number them where one more is better than one less.

    `first_delay`: seconds until the first attempt to come back, `max_delay`: the most, `growth`: how many times as
    long each delay is as the one before. `jitter`: which share of each delay is left to chance, from 0 to 1, so that
    not all clients of a server come back at once. By default that is 0 to 5 seconds, as RFC 6455, 7.2.3 proposes,
    then 0 to 10, 0 to 20 and so on to a minute. `reconnect()` tries now. A page tries as soon as it is online, visible
    or shown again, and from then on the delays are short again.
    `min_uptime`: seconds that a connection has to last for the count and the delays to start again.
    `max_attempts`: how many attempts in a row to come back; None for no limit.
    `connect_timeout`: seconds for each attempt, with its functions; None for no limit but that of the runtime.
    `max_queued`: bytes (and messages) that may wait while it is away.
    `final`: codes of a `close` after which it does not come back, a set or a range, such as `{1000, 4001}`.
    `final_statuses`: statuses of a server's refusal after which it does not come back, a set or a range; None for 400,
    401, 403, 404, 410 and 426, but where `url` or `protocols` is a function, 401 and 403 only the second time since
    there was a connection: the first time, its token may have been too old.
    `max_retry_after`: seconds; a server that refuses and says by Retry-After when to come back is not asked before,
    but so many seconds later at the latest; 0 to pay no attention to it.
    In a page, which does not learn how a server refuses, these two have no effect.

    It lives until its end, also without listeners: to drop it, `close()` it. Raises what `WebSocket` raises,
    and `ValueError` for an option that cannot be.
    """

    _pyws_connection: "Any"

    onreconnecting: "Callable[[ReconnectingEvent], object] | None" = event_handler("reconnecting")

    def __init__(
        self,
        url: "Any",
        protocols: "Protocols | Callable[[], Protocols | Awaitable[Protocols]]" = None,
        *,
        first_delay: float = 5.0,
        max_delay: float = 60.0,
        growth: float = 2.0,
        jitter: float = 1.0,
        min_uptime: float = 5.0,
        max_attempts: int | None = None,
        connect_timeout: float | None = 10.0,
        max_queued: int = 2**20,
        final: "Container[int]" = (1000,),
        final_statuses: "Container[int] | None" = None,
        max_retry_after: float = 3600.0,
    ) -> None:
        if not (0 <= first_delay <= max_delay and first_delay < float("inf") and min_uptime >= 0):
            raise ValueError("first_delay, max_delay and min_uptime must be seconds, and max_delay the longer one")
        if not (1 <= growth < float("inf") and 0 <= jitter <= 1):
            raise ValueError("growth must be a number from 1 on, and jitter from 0 to 1")
        if not (max_queued >= 0 and (max_attempts is None or max_attempts >= 0)):
            raise ValueError("max_queued and max_attempts must not be negative")
        if not (connect_timeout is None or connect_timeout > 0):
            raise ValueError(f"connect_timeout must be a positive number of seconds, not {connect_timeout!r}")
        if not max_retry_after >= 0:
            raise ValueError(f"max_retry_after must be a number of seconds, not {max_retry_after!r}")
        _check_set(final, "final")
        forgiven: tuple[int, ...] = ()
        if final_statuses is not None:
            _check_set(final_statuses, "final_statuses")
        elif _is_function(url) or _is_function(protocols):
            forgiven = AUTHORIZATION
        backoff = Backoff(first_delay, max_delay, growth, jitter, max_attempts, max_retry_after)
        final_answers = FinalAnswers(final, FINAL_STATUSES if final_statuses is None else final_statuses, forgiven)
        self._pyws_begin(
            ReconnectingConnection(
                url, protocols, self, backoff, final_answers, min_uptime, connect_timeout, max_queued
            )
        )

    @property
    def url(self) -> str:
        """The URL of the connection that is, or was last; "" before there is one."""
        return super().url

    def reconnect(self) -> None:
        """Try now: where it waits for its next attempt, that begins as soon as control returns to the event loop.

        While it connects or is open, nothing happens. The delays after it go on as if it had waited. After `close()`,
        and when it has ended, raises `InvalidStateError`. In another thread than the event loop's use
        `loop.call_soon_threadsafe(ws.reconnect)`.
        """
        self._pyws_connection.reconnect()

    # https://websockets.spec.whatwg.org/#feedback-from-the-protocol

    def _pyws_opened(self, protocol: str, extensions: str) -> None:
        self._pyws_origin = origin_of(self.url)
        super()._pyws_opened(protocol, extensions)

    def _pyws_lost(self, clean: bool, code: int, reason: str, attempt: int, delay: float) -> None:
        self._pyws_protocol = self._pyws_extensions = ""
        event = ReconnectingEvent("reconnecting")
        event._pyws_was_clean = clean
        event._pyws_code = code
        event._pyws_reason = reason
        event._pyws_attempt = attempt
        event._pyws_delay = delay
        self._pyws_fire(event)


class Backoff:
    """The delays between attempts: each one `growth` times as long as the one before, and partly left to chance."""

    def __init__(
        self,
        first_delay: float,
        max_delay: float,
        growth: float,
        jitter: float,
        max_attempts: int | None,
        max_retry_after: float = 0.0,
    ) -> None:
        self._first_delay = first_delay
        self._max_delay = max_delay
        self._growth = growth
        self._jitter = jitter
        self._max_attempts = max_attempts
        self._max_retry_after = max_retry_after
        self.reset()

    def reset(self) -> None:
        """Start again."""
        self.attempts = 0
        """How many delays there were in a row."""
        self.shorten()

    def shorten(self) -> None:
        """Let the delays be short again, and go on counting."""
        self._longest = self._first_delay

    def next(self, retry_after: "float | None" = None) -> "float | None":
        """Return the next delay, in seconds, as long as the server asks for if it does; None if there is none."""
        if self.attempts == self._max_attempts:
            return None
        self.attempts += 1
        longest = self._longest
        self._longest = min(longest * self._growth, self._max_delay)
        return max(longest * (1 - self._jitter * loop.random()), min(retry_after or 0, self._max_retry_after))


class FinalAnswers:
    """The answers of a server after which another attempt is useless."""

    def __init__(self, codes: "Container[int]", statuses: "Container[int]", forgiven: "Container[int]") -> None:
        self._codes = codes
        self._statuses = statuses
        self._forgiven = forgiven
        self._forgave = False

    def reset(self) -> None:
        """Start again: there is a connection."""
        self._forgave = False

    def is_final(self, code: int, status: "int | None") -> bool:
        """Tell whether a close code, or the status of a refusal, is final; one that is forgiven is the second time."""
        if status is None or status not in self._statuses:
            return code in self._codes
        if status in self._forgiven and not self._forgave:
            self._forgave = True
            return False
        return True


class ReconnectingConnection:
    """The connection of a `ReconnectingWebSocket`, and the owner of one connection of the runtime, or none."""

    held = False
    """Set from above, and without effect: its timer, its task or its connection keep it alive."""

    def __init__(
        self,
        url: "Any",
        protocols: "Any",
        owner: ReconnectingWebSocket,
        backoff: Backoff,
        final_answers: FinalAnswers,
        min_uptime: float,
        connect_timeout: "float | None",
        max_queued: int,
    ) -> None:
        self._loop_thread = loop.LoopThread()
        self._url = url if _is_function(url) else url_string(url)
        self._protocols = protocols if _is_function(protocols) else protocol_list(protocols_of(protocols))
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
        if _is_function(url) or _is_function(protocols):
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
        elif hasattr(task, "cancel"):  # it ran at once, and a function has closed this
            task.cancel()
        if hasattr(task, "add_done_callback"):
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
        if attempt != self._attempt_id:
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

    def _wake(self) -> None:
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


def _check_set(numbers: object, name: str) -> None:
    if not hasattr(numbers, "__contains__") or isinstance(numbers, (str, bytes)):
        raise TypeError(f"{name} must be a set of numbers, or a range, not {type(numbers).__name__}")


def _is_function(source: object) -> bool:
    return callable(source) and not hasattr(source, "href")


async def _call_or_value(source: "Any") -> "Any":
    answer = source() if _is_function(source) else source
    return await answer if loop.is_awaitable(answer) else answer

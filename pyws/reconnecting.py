"""A WebSocket that comes back: the interface of the standard over one connection after the other.

Its law: whatever happens, there is one `close` event and it is the last. A connection that is lost and will be
followed by another is told by `reconnecting` instead, because in the standard CLOSED is final, and listeners of
`close` rely on that. It stands on both sides of the seam of `websocket.py`: to the interface above it is the
connection, below it is one `WebSocket` at a time.
"""

from . import javascript, loop
from .dom import DOMException, Event, EventTarget, event_handler, scalar
from .websocket import CloseEvent, MessageEvent, WebSocket, address_of, names_of, origin_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Container, Iterable, Mapping
    from typing import Any, Literal, Unpack, overload

    from .websocket import ListenerOptions, Listens

    Protocols = str | Iterable[str] | None


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

    Everything is as `WebSocket` has it, but: `readyState` is CONNECTING (0) while it is away, and `open` comes with
    each connection. A loss after which it tries again is a `reconnecting` event (a `ReconnectingEvent`); `close`,
    after `error` if it failed, comes once, at the very end: `close()` was called, the server closed with a `final`
    code, or `max_attempts` are used up.

    `url` and `protocols` may be functions, `async def` too, that are called for each attempt, so that it has a fresh
    token; an exception in one is reported, and the attempt has failed. It has failed, too, if what they give can be no
    URL or subprotocols, and that is reported; without functions it raises "SyntaxError" here, as for `WebSocket`.

    What is sent while it is away waits, and goes out in its order before the next `open` event. What was given to a
    connection is never sent again: when that is lost, nobody knows what of it has arrived, and each message arrives
    at most once. Number them where one more is better than one less.

    `first_delay`: seconds until the first attempt to come back, `max_delay`: the most, `growth`: how many times as
    long each delay is as the one before. `jitter`: which share of each delay is left to chance, from 0 to 1, so that
    not all clients of a server come back at once. By default that is 0 to 5 seconds, as RFC 6455, 7.2.3 proposes,
    then 0 to 10, 0 to 20 and so on to a minute.
    `min_uptime`: seconds that a connection has to last for the count and the delays to begin anew.
    `max_attempts`: how many attempts in a row to come back; None for no limit.
    `connect_timeout`: seconds for each attempt, with what the functions take; None for no limit but the runtime's.
    `max_queued`: bytes (and messages) that may wait while it is away.
    `final`: codes of a `close` after which it does not come back, a set or a range, such as `{1000, 4001}`.

    It lives until its end, whether anybody listens or not: to drop it, `close()` it. Raises what `WebSocket` raises,
    and `ValueError` for an option that cannot be.
    """

    _pyws_connection: "Any"

    onreconnecting: "Callable[[ReconnectingEvent], object] | None" = event_handler("reconnecting")

    if TYPE_CHECKING:

        @overload
        def addEventListener(
            self,
            type: Literal["message"],
            callback: Listens[MessageEvent],
            options: bool | Mapping[str, object] | None = None,
            **keywords: Unpack[ListenerOptions],
        ) -> None: ...
        @overload
        def addEventListener(
            self,
            type: Literal["close"],
            callback: Listens[CloseEvent],
            options: bool | Mapping[str, object] | None = None,
            **keywords: Unpack[ListenerOptions],
        ) -> None: ...
        @overload
        def addEventListener(
            self,
            type: Literal["reconnecting"],
            callback: Listens[ReconnectingEvent],
            options: bool | Mapping[str, object] | None = None,
            **keywords: Unpack[ListenerOptions],
        ) -> None: ...
        @overload
        def addEventListener(
            self,
            type: str,
            callback: Listens[Event],
            options: bool | Mapping[str, object] | None = None,
            **keywords: Unpack[ListenerOptions],
        ) -> None: ...
        def addEventListener(self, *arguments: Any, **keywords: Any) -> None:
            """See `EventTarget.addEventListener`; an editor knows the event by its type."""

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
    ) -> None:
        if not (0 <= first_delay <= max_delay and min_uptime >= 0):
            raise ValueError("first_delay, max_delay and min_uptime must be seconds, and max_delay the longer one")
        if not (growth >= 1 and 0 <= jitter <= 1):
            raise ValueError("growth must be 1 or more, and jitter from 0 to 1")
        if not (max_queued >= 0 and (max_attempts is None or max_attempts >= 0)):
            raise ValueError("max_queued and max_attempts must not be negative")
        if not (connect_timeout is None or connect_timeout > 0):
            raise ValueError(f"connect_timeout must be a positive number of seconds, not {connect_timeout!r}")
        if not hasattr(final, "__contains__") or isinstance(final, (str, bytes)):
            raise TypeError(f"final must be a set of codes, or a range, not {type(final).__name__}")
        EventTarget.__init__(self)  # not WebSocket's: connections are made below
        self._pyws_binary_type = "blob"
        self._pyws_protocol = self._pyws_extensions = self._pyws_origin = ""
        self._pyws_unsent = 0
        backoff = Backoff(first_delay, max_delay, growth, jitter, max_attempts)
        self._pyws_connection = Reconnection(
            url, protocols, self, backoff, min_uptime, connect_timeout, max_queued, final
        )

    @property
    def url(self) -> str:
        """The URL of the connection that is, or was last; "" before there is one."""
        url: str = self._pyws_connection.url
        return url

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
        self, first_delay: float, max_delay: float, growth: float, jitter: float, max_attempts: int | None
    ) -> None:
        self._first_delay = first_delay
        self._max_delay = max_delay
        self._growth = growth
        self._jitter = jitter
        self._max_attempts = max_attempts
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.attempts = 0
        """How many delays there were in a row."""
        self._longest = self._first_delay

    def next(self) -> "float | None":
        """Return the next delay, in seconds; None if there is none."""
        if self.attempts == self._max_attempts:
            return None
        self.attempts += 1
        longest = self._longest
        self._longest = min(longest * self._growth, self._max_delay)
        return longest * (1 - self._jitter * loop.random())


class Reconnection:
    """One connection to the interface above; below, one `WebSocket` at a time, or none."""

    held = False
    """It needs nobody to be kept alive: its timer, or the listeners of its `WebSocket`, know it."""

    def __init__(
        self,
        url: "Any",
        protocols: "Any",
        user: ReconnectingWebSocket,
        backoff: Backoff,
        min_uptime: float,
        connect_timeout: "float | None",
        max_queued: int,
        final: "Container[int]",
    ) -> None:
        self._home = loop.Home()
        self._url = url if _is_function(url) else address_of(url)
        self._protocols = protocols if _is_function(protocols) else names_of(protocols)
        self._user = user
        self._backoff = backoff
        self._min_uptime = min_uptime
        self._connect_timeout = connect_timeout
        self._max_queued = max_queued
        self._final = final
        self.url = ""
        self._socket: WebSocket | None = None
        self._open = self._failed = self._given_up = self._ended = False
        self._opened_at = 0.0
        self._queue: list[str | bytes] = []
        self._queued = 0  # bytes
        # What is under way besides the socket: a timer, by what cancels it, or the task that asks the functions.
        self._cancel: Callable[[], object] | None = None
        self._task: Any = None
        self._asking = False
        self._turn = 0  # a task that finds another turn than its own has come too late
        if _is_function(url) or _is_function(protocols):
            self._set_timer(0, self._begin)
        else:
            self._connect(self._url, self._protocols)
            self._limit_time()

    # What the interface above asks.

    @property
    def state(self) -> int:
        """CONNECTING while it is away, and while the server closes: only then is it known how that goes on."""
        if self._ended:
            return 3
        if self._given_up:
            return 2
        return 1 if self._open and self._socket is not None and self._socket.readyState == 1 else 0

    @property
    def buffered(self) -> int:
        """Payload bytes that wait here, or in the connection."""
        return self._queued + (0 if self._socket is None else self._socket.bufferedAmount)

    def send(self, data: "str | bytes") -> int:
        """Send a message, or keep it for the next connection; OPEN if it was taken, else the state."""
        state = self.state
        if state == 0:
            self._keep(data)
            return 1
        if state == 1 and self._socket is not None:
            self._socket.send(data)
        return state

    def _keep(self, data: "str | bytes") -> None:
        self._home.check()
        size = len(scalar(data).encode()) if isinstance(data, str) else javascript.size_of(data)
        if self._queued + size > self._max_queued or len(self._queue) >= self._max_queued:
            raise DOMException(
                f"There is no connection, and no more than max_queued, {self._max_queued} bytes, may wait for one.",
                "QuotaExceededError",
            )
        self._queue.append(data)
        self._queued += size

    def close(self, code: "int | None", reason: str) -> None:
        """Close the connection for good; where there is none, give up."""
        self._home.check()
        self._given_up = True
        if self._socket is not None:
            self._socket.close(code, reason)
        else:
            self._stop()
            self._set_timer(0, lambda: self._end(True, False, 1006, ""))

    # One attempt, from asking the functions to the end of its connection.

    def _begin(self) -> None:
        self._limit_time()
        self._task = loop.start(self._ask(self._turn))

    def _limit_time(self) -> None:
        if self._connect_timeout is not None:
            self._set_timer(self._connect_timeout, self._give_up)

    def _give_up(self) -> None:
        if self._socket is None:
            self._finish(True, False, 1006, "")
        else:
            self._socket.close()

    async def _ask(self, turn: int) -> None:
        if turn != self._turn:
            return
        self._asking = True
        try:
            url = await _answer(self._url)
            protocols = await _answer(self._protocols)
            if turn == self._turn:
                self._asking = False
                self._connect(url, protocols)
        except BaseException as error:
            if type(error).__name__ == "CancelledError":
                # What a function waits for was canceled, which fails; or this task, by us or where the program ends.
                if turn != self._turn or self._task.cancelling():
                    raise
            elif not isinstance(error, Exception):
                raise
            loop.report(error)
            if turn == self._turn:
                self._asking = False
                self._finish(True, False, 1006, "")

    def _connect(self, url: "Any", protocols: "Any") -> None:
        socket = WebSocket(url, protocols)
        socket.binaryType = "arraybuffer"
        socket.onopen = lambda _: self._opened(socket)
        socket.onmessage = lambda event: self._user._pyws_received(event.data, event._pyws_time_stamp)
        socket.onerror = lambda _: self._note_failure()
        socket.onclose = lambda event: self._finish(self._failed, event.wasClean, event.code, event.reason)
        self.url = socket.url
        self._failed = False
        self._socket = socket

    def _opened(self, socket: WebSocket) -> None:
        self._stop()  # the time limit
        self._open = True
        self._opened_at = loop.now()
        queue = self._queue
        self._queue = []
        self._queued = 0
        for data in queue:
            socket.send(data)
        self._user._pyws_opened(socket.protocol, socket.extensions)

    def _note_failure(self) -> None:
        self._failed = True

    def _finish(self, failed: bool, clean: bool, code: int, reason: str) -> None:
        """End the attempt, or its connection, and with it everything unless there is another attempt."""
        self._stop()
        uptime = loop.milliseconds(loop.now()) - loop.milliseconds(self._opened_at)
        if self._open and uptime >= self._min_uptime * 1000:
            self._backoff.reset()
        delay = None if self._given_up or code in self._final else self._backoff.next()
        if delay is None:
            self._end(failed, clean, code, reason)
        else:
            self._socket = None
            self._open = False
            self._set_timer(delay, self._begin)
            self._user._pyws_lost(clean, code, reason, self._backoff.attempts, delay)

    def _end(self, failed: bool, clean: bool, code: int, reason: str) -> None:
        self._queued = self.buffered  # what is left stays counted, as the standard has it
        self._queue = []
        self._socket = None
        self._ended = True
        self._user._pyws_closed(failed, clean, code, reason)

    # Timers and tasks.

    def _set_timer(self, seconds: float, action: "Callable[[], object]") -> None:
        def ring() -> None:
            self._cancel = None
            action()

        self._cancel = loop.wait(seconds, ring)

    def _stop(self) -> None:
        """Stop what is under way besides the socket."""
        self._turn += 1
        cancel, self._cancel = self._cancel, None
        if cancel is not None:
            cancel()
        task, self._task = self._task, None
        if self._asking and hasattr(task, "cancel"):  # in Brython none can be canceled: its turn is over all the same
            task.cancel()
        self._asking = False


def _is_function(source: object) -> bool:
    return callable(source) and not hasattr(source, "href")


async def _answer(source: "Any") -> "Any":
    answer = source() if _is_function(source) else source
    return await answer if loop.awaitable(answer) else answer

"""A WebSocket that comes back: the interface of the standard over one connection after the other.

Its law: there is one `close` event in every case, and it is the last. Where another connection will follow, the loss
of one is the event `reconnecting` instead, because in the standard CLOSED is final, and listeners of `close` rely on
that. Below the seam of `websocket.py` it has a connection of its own: see `reconnectingconnection.py`.
"""

from . import loop
from .backoff import AUTHORIZATION, FINAL_STATUSES, Backoff, FinalAnswers
from .dom import event_handler
from .events import CloseEvent
from .reconnectingconnection import ReconnectingConnection, is_function
from .websocket import WebSocket, origin_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Container, Iterable, Mapping
    from typing import Any

    Protocols = str | Iterable[str] | Mapping[str, object] | None


class ReconnectingEvent(CloseEvent):
    """The connection is lost, or an attempt has failed, and after a delay another attempt follows.

    `wasClean`, `code` and `reason` are those of the `close` event that there would have been.
    """

    _pyws_MEMBERS = CloseEvent._pyws_MEMBERS + ("attempt", "delay")
    _pyws_SHOWN = CloseEvent._pyws_SHOWN + ("attempt", "delay")

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
    `final` code or refused with a final status, `max_attempts` are used up, the connection is not allowed (a
    "SecurityError", which is reported), or the program's tasks are canceled.

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
        elif is_function(url) or is_function(protocols):
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
        return self._pyws_connection.url  # type: ignore[no-any-return] # a str

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


def _check_set(numbers: object, name: str) -> None:
    if not loop.has_method(numbers, "__contains__") or isinstance(numbers, (str, bytes)):
        raise TypeError(f"{name} must be a set of numbers, or a range, not {type(numbers).__name__}")

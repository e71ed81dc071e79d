"""When the next attempt to connect comes, and after which answers of a server there is none.

Its law: it only counts; the caller waits and connects, and calls `reset` when a connection was good.
"""

from . import loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

FINAL_STATUSES = (400, 401, 403, 404, 410, 426)
"""The statuses of HTTP by which a server says that the same request will be refused again."""

AUTHORIZATION = (401, 403)
"""Those of them that another token may change."""


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

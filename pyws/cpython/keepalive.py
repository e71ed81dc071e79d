"""Pings, if the user agent asks for them: a connection whose server no longer answers is failed.

https://www.rfc-editor.org/rfc/rfc6455#section-5.5.2
"""

import asyncio
from typing import Protocol


class Watched(Protocol):
    """The part of a connection that is used here."""

    def ping(self) -> bool:
        """Send a Ping, unless the end has begun; return whether it was sent."""

    def expire(self, seconds: float) -> None:
        """Fail the connection: the server has given no sign of life for `seconds`."""

    @property
    def progress(self) -> int:
        """Written bytes that the other side has taken, as far as the system can tell."""

    @property
    def paused(self) -> bool:
        """Whether the connection does not read for now."""


class Keepalive:
    """Send a Ping after `interval` seconds, wait `timeout` seconds for a sign of life, and repeat this until `stop()`.

    A sign of life is any data that arrives, or progress of data on its way to the server: the Ping is behind that data.
    """

    __slots__ = ("_connection", "_interval", "_progress", "_timeout", "_timer", "heard")

    def __init__(self, connection: Watched, interval: float, timeout: float) -> None:
        self._connection = connection
        self._interval = interval
        self._timeout = timeout
        self._progress = 0
        self.heard = False
        """The connection sets it to True when data arrives."""
        self._timer = asyncio.get_running_loop().call_later(interval, self._ping)

    def stop(self) -> None:
        """Send no more Pings; it may be called in any state."""
        self._timer.cancel()

    def _ping(self) -> None:
        self.heard = False
        if self._connection.ping():
            self._wait()

    def _wait(self) -> None:
        self._progress = self._connection.progress
        self._timer = asyncio.get_running_loop().call_later(self._timeout, self._check)

    def _check(self) -> None:
        # While the connection does not read, a Pong cannot arrive, although the server may be alive.
        if self.heard or self._connection.paused:
            self._timer = asyncio.get_running_loop().call_later(self._interval, self._ping)
        elif self._connection.progress > self._progress:
            self._wait()
        else:
            self._connection.expire(self._timeout)

"""Pings, if the user agent's owner asks for them: whether the server still lives.

https://www.rfc-editor.org/rfc/rfc6455#section-5.5.2
"""

import asyncio
from typing import Protocol


class Watched(Protocol):
    """A connection, as far as this needs to know it."""

    def ping(self) -> bool:
        """Send a Ping, unless the end has begun; whether it was sent."""

    def expire(self, seconds: float) -> None:
        """Fail the connection: there was no sign of life for so long."""

    @property
    def progress(self) -> int:
        """A number that grows as the other side takes what was sent."""

    @property
    def paused(self) -> bool:
        """Whether nothing is read for now."""


class Keepalive:
    """After `interval` seconds of silence a Ping, then `timeout` seconds for a sign of life; `stop()` at the end.

    A sign of life is anything received, and bytes that the other side takes: the Ping waits behind them.
    """

    __slots__ = ("_connection", "_interval", "_progress", "_timeout", "_timer", "heard")

    def __init__(self, connection: Watched, interval: float, timeout: float) -> None:
        self._connection = connection
        self._interval = interval
        self._timeout = timeout
        self._progress = 0
        self.heard = False
        """Set by the connection when anything was received."""
        self._timer = asyncio.get_running_loop().call_later(interval, self._ping)

    def stop(self) -> None:
        """End it, in any state."""
        self._timer.cancel()

    def _ping(self) -> None:
        self.heard = False
        if self._connection.ping():
            self._wait()

    def _wait(self) -> None:
        self._progress = self._connection.progress
        self._timer = asyncio.get_running_loop().call_later(self._timeout, self._check)

    def _check(self) -> None:
        # A program that does not read does not see the Pong: that says nothing about the server.
        if self.heard or self._connection.paused:
            self._timer = asyncio.get_running_loop().call_later(self._interval, self._ping)
        elif self._connection.progress > self._progress:
            self._wait()
        else:
            self._connection.expire(self._timeout)

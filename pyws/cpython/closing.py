"""The end of TCP of one open connection: in order, after a time limit, or at once; `connection.py` says which.

https://www.rfc-editor.org/rfc/rfc6455#section-7.1.1
"""

import asyncio
import contextlib
from collections.abc import Callable

from websockets.client import ClientProtocol

from .sender import Sender

TCP_CLOSE_TIMEOUT = 2.0
"""Seconds for the server to end TCP after both Close frames (RFC 6455, 7.1.1), as in Chromium."""


class Closing:
    """Ends the TCP of a connection. The connection calls `lost` when the transport says that TCP has ended.

    Every other method may be called in any state, and again.
    """

    __slots__ = ("_lost", "_sender", "_timer", "_transport", "is_aborted", "is_lost")

    def __init__(self, transport: asyncio.Transport, sender: Sender) -> None:
        self._transport = transport
        self._sender = sender
        self._timer: asyncio.TimerHandle | None = None
        self._lost: asyncio.Future[None] | None = None  # while a task waits for the end of TCP
        self.is_aborted = False
        """Whether the connection did not wait for the server, or waited too long."""
        self.is_lost = False
        """Whether TCP has ended."""

    def close(self) -> None:
        """End TCP after everything that was written."""
        self._sender.finish()
        self._transport.close()

    def abort(self) -> None:
        """End TCP now, without the data that waits to be sent."""
        if not self.is_lost:  # asyncio's transport may raise then
            self.is_aborted = True
            self._transport.abort()

    def abort_after(self, seconds: float) -> None:
        """Abort after that time; an earlier call of this kind has no effect any more."""
        self._set_timer(seconds, self.abort)

    def close_after(self, seconds: float, timeout: float) -> None:
        """Close after that time, unless the server ends TCP before; abort `timeout` seconds later."""

        def close() -> None:
            self.close()
            self.abort_after(timeout)

        self._set_timer(seconds, close)

    def stop_timer(self) -> None:
        """Cancel the timer of `abort_after` or `close_after`."""
        if self._timer is not None:
            self._timer.cancel()

    def lost(self) -> None:
        """Say that TCP has ended."""
        self.is_lost = True
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(None)

    def wait_lost(self) -> asyncio.Future[None]:
        """Return a future that is done when TCP has ended, and canceled with the task that awaits it. Await it once."""
        self._lost = asyncio.get_running_loop().create_future()
        if self.is_lost:
            self._lost.set_result(None)
        return self._lost  # not a coroutine, whose frame every idle connection would keep

    async def close_now(self) -> None:
        """Close, or else abort within a moment, and wait until TCP has ended: the program ends."""
        self.close()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TCP_CLOSE_TIMEOUT):
                    await self.wait_lost()
        finally:
            self.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TCP_CLOSE_TIMEOUT):
                await self.wait_lost()

    def describe_unclean(self, core: ClientProtocol, is_within_message: bool, closing_timeout: float) -> str:
        """Return why it has not ended in order, when nothing has failed: the reason for the log."""
        if core.close_rcvd is not None:
            lost = self._sender.lost
            what = f"{lost} bytes that wait to be sent" if lost else "our Close frame"
            return f"the server closed it before {what} had left"
        if core.close_sent is not None:
            late = f" within closing_timeout, {closing_timeout:g} seconds" if self.is_aborted else ""
            return f"the server did not answer the Close frame{late}"
        within = " in the middle of a message" if is_within_message else ""
        return f"the server ended the connection{within}, without a Close frame"

    def _set_timer(self, seconds: float, action: Callable[[], object]) -> None:
        self.stop_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, action)

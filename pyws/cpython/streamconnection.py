"""The connection of a WebSocketStream: it can stop reading, and says what has left.

https://streams.spec.whatwg.org/#backpressure
"""

from collections.abc import Callable

from .connection import OPEN, Connection
from .receiver import Owner


class StreamConnection(Connection):
    """One connection of a stream; one that is idle connects to nothing, and ends."""

    __slots__ = ("_is_paused", "drained", "sent")

    def __init__(self, url: str, protocols: list[str], owner: Owner, idle: bool) -> None:
        super().__init__(url, protocols, owner)
        self._is_paused = False
        self.drained: Callable[[], object]
        """Called, from the loop, when more may be sent or more has left; the owner sets it at once."""
        self.sent = 0
        """Payload bytes of all that `send` took."""
        if idle:
            self.close(None, "")

    # The seam: calls down.

    def send(self, data: str | bytes) -> int:
        """Send a message as soon as control returns to the loop, if OPEN; the state."""
        queued = self._sender.queued if self.state == OPEN else 0
        state = super().send(data)
        if state == OPEN:
            self.sent += self._sender.queued - queued
        return state

    def close(self, code: int | None, reason: str) -> None:
        """Start the closing handshake, after what was sent; while connecting, give up."""
        super().close(code, reason)
        self.pause(False)  # the server's answer is still to be read

    def pause(self, paused: bool) -> None:
        """Read no more from the network for now, or again; bytes that were read already are delivered still."""
        if paused == self._is_paused or (paused and self.state != OPEN):
            return
        self._is_paused = paused
        # A transport that does not read stands in no selector: without this set, nothing alive would refer to it.
        (_paused.add if paused else _paused.discard)(self)
        if self._transport is not None and not self._transport.is_closing():
            (self._transport.pause_reading if paused else self._transport.resume_reading)()

    @property
    def paused(self) -> bool:  # type: ignore[override] # of a plain connection it is a constant
        """Whether nothing is read for now."""
        return self._is_paused

    @property
    def full(self) -> bool:
        """Whether more waits to be sent than the network takes; `drained` is called when that may be over."""
        return self._transport is not None and self._sender.is_full

    @property
    def gone(self) -> int:
        """Bytes of `sent` that have left: `drained` is called when there are more."""
        return self.sent - self.buffered

    # The same steps as any connection, and what follows from them for a stream.

    def close_received(self) -> None:
        """Answer the server's Close frame, which the library has read."""
        super().close_received()
        self.pause(False)  # no message comes any more, but the end of TCP

    def flush(self, whole: bool = False) -> None:
        """Write what the program has sent so far; much that is compressed takes several turns, unless `whole`."""
        had_queue = bool(self._sender.queue)
        super().flush(whole)
        if had_queue:
            self._tell_drained()

    def resume_writing(self) -> None:
        """Learn that the network has taken all."""
        super().resume_writing()
        self._tell_drained()

    def _conclude(self) -> tuple[bool, bool, int, str]:
        _paused.discard(self)
        return super()._conclude()

    def _tell_drained(self) -> None:
        self._loop_thread.loop.call_soon(self.drained)


_paused: set[StreamConnection] = set()

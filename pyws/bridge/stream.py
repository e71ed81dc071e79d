"""The end of a connection that a blocking socket holds: bytes that have come, and how the connection has ended.

Its law: nothing waits here; `changed` says that it is worth looking again. Bytes that came before the end are read
before it.
"""

import errno

from .server import Server
from .waiting import Signal

# Bytes that may wait to be sent before a call that sends has to wait: about as many as a system takes.
HIGH_WATER = 1 << 20
# Seconds until it is looked again whether the network has taken what was sent: a browser does not tell.
POLL_INTERVAL = 0.004


class Stream:
    """The bytes of one connection, both ways, with the server of RFC 6455 at the other end."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.changed = Signal()
        self.used = False
        """Whether the library has sent something."""
        self._incoming = bytearray()
        self._input_ended = False
        self._output_ended = False
        self._error: Exception | None = None
        server.attach(self)

    # Calls of the socket.

    @property
    def available(self) -> int:
        """The number of bytes that can be read."""
        return len(self._incoming)

    @property
    def readable(self) -> bool:
        """Whether `read` has an answer: bytes, the end, or an error."""
        return bool(self._incoming) or self.ended

    @property
    def writable(self) -> bool:
        """Whether `write` takes bytes without a wait."""
        return self._output_ended or self.failed or self.server.waiting <= HIGH_WATER

    @property
    def ended(self) -> bool:
        """Whether nothing comes any more."""
        return self._input_ended or self.failed

    @property
    def failed(self) -> bool:
        """Whether the connection has ended with an error."""
        return self._error is not None

    def read(self, size: int, keep: bool = False) -> bytes:
        """Return at most `size` bytes that have come, b"" after the end; `keep` leaves them for the next call.

        Call it when it is `readable`. Raises the error with which the connection has ended, after its bytes.
        """
        if not self._incoming and size and self._error is not None:
            raise self._error
        data = bytes(memoryview(self._incoming)[:size])
        if not keep:
            del self._incoming[:size]
        return data

    def write(self, data: bytes) -> None:
        """Take bytes of the library. Raises OSError if the connection has ended.

        As with TCP, the first bytes after the end of the other side are taken, and are lost.
        """
        if self._error is not None:
            raise self._error
        if self._output_ended:
            raise BrokenPipeError(errno.EPIPE, "the connection has ended")
        self._output_ended = self._input_ended
        self.used = True
        self.server.read(data)
        if self._error is not None:
            raise self._error

    def take_error(self) -> int:
        """Return the number of the error with which the connection has ended, 0 for none."""
        if self._error is None:
            return 0
        return getattr(self._error, "errno", None) or errno.ECONNRESET

    def end_output(self) -> None:
        """Take no bytes of the library any more; bytes that have come can be read, and then the end."""
        self._output_ended = True
        self.server.end_output()
        self.changed.notify()

    def close(self) -> None:
        """End the connection, the first time: bytes that were sent still leave, and nothing comes any more."""
        self._output_ended = self._input_ended = True
        self.server.leave(pending=True)
        self.changed.notify()

    # Methods that the server of this connection calls.

    def deliver(self, *data: bytes) -> None:
        """Keep bytes for the library."""
        for part in data:
            self._incoming += part
        self.changed.notify()

    def deliver_soon(self, data: bytes) -> None:
        """Keep bytes for the library."""
        self.deliver(data)

    def end_input(self) -> None:
        """Keep in mind that nothing comes any more."""
        self._input_ended = True
        self.changed.notify()

    def pause_writing(self) -> None:
        """Do nothing: a library that has sent its request waits for the answer."""

    def resume_writing(self) -> None:
        """Do nothing, too."""

    def fail(self, error: Exception) -> None:
        """End the connection with an error."""
        self._error = error
        self.server.leave()
        self.changed.notify()

    lose = fail

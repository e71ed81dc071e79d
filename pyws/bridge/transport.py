"""The transport, as asyncio calls it: the end of a connection that a library holds.

Its law: nothing reaches the library's protocol from inside a call of the library; `connection_lost` reports the
end once, and nothing comes after it.
https://docs.python.org/3/library/asyncio-protocol.html
"""

import asyncio
import contextvars

from ..loop import call_later
from . import pieces, zeromasks
from .server import Server
from .sockets import TransportSocket
from .tls import BrowserTLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# Bytes that may wait to be sent, unless the library says otherwise: asyncio's own number.
HIGH_WATER = 1 << 16
# Bytes that do not count as waiting: a system takes about as many for a TCP connection, sent or not, before a write has
# to wait, and takes more when a third of them has left. Here they are in the browser.
TAKEN = 1 << 20
ROOM = TAKEN // 3
# Seconds until it is looked again whether the network has taken what was sent: a browser does not tell.
POLL_INTERVAL = 0.004


class Transport(asyncio.Transport):
    """A connection of the event loop. https://docs.python.org/3/library/asyncio-protocol.html#transports"""

    needs_no_mask = True
    """No network sees the frames that are written to it: see `zeromasks`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, server: Server) -> None:
        super().__init__()
        self._loop = loop
        self._server = server
        self._sock = TransportSocket(server.host, server.port)
        self._protocol: Any = None
        self._is_buffered = False
        self._feed_head: Callable[[bytes], None] | None = None  # of a protocol that need not be called for a head
        # From the library.
        self._high, self._low = HIGH_WATER, HIGH_WATER // 4
        self._unconfirmed = 0  # no more than this waits to be sent
        self._writing_paused = False
        self._stop_polling: Callable[[], object] | None = None
        # To the library.
        self._incoming: list[bytes] = []
        self._input_ended = False
        self._reading_paused = False
        self._flush_is_due = False
        self._closing = False
        self._error: BaseException | None = None
        self._context = contextvars.copy_context()
        server.attach(self)

    def __repr__(self) -> str:
        return f"<Transport of pyws.bridge{', closing' * self._closing}>"

    # Calls of the library about the whole connection.

    def get_extra_info(self, name: str, default: "Any" = None) -> "Any":
        """Return what is known: "socket", "peername", "sockname" and, of TLS, "ssl_object" and "sslcontext".

        https://docs.python.org/3/library/asyncio-protocol.html#asyncio.BaseTransport.get_extra_info
        """
        if name == "socket":
            return self._sock
        if name == "peername":
            return self._sock.getpeername()
        if name == "sockname":
            return self._sock.getsockname()
        tls: BrowserTLS | None = self._server.tls
        if tls is not None and name in ("ssl_object", "sslcontext"):
            return tls if name == "ssl_object" else tls.context
        return default

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol, which gets the events of the connection."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Tell this protocol what happens from now on."""
        self._protocol = protocol
        self._is_buffered = isinstance(protocol, asyncio.BufferedProtocol)
        self._feed_head = pieces.adopt(protocol)
        zeromasks.adopt(protocol)

    def is_closing(self) -> bool:
        """Return whether the connection ends, or has ended."""
        return self._closing

    def close(self) -> None:
        """End the connection: data that was sent still leaves.

        https://docs.python.org/3/library/asyncio-protocol.html#asyncio.BaseTransport.close
        """
        self._end(None, pending=True)

    def abort(self) -> None:
        """End the connection; a page cannot take back what was sent."""
        self._end(None)

    def begin_tls(self, context: object, name: str) -> None:
        """Make this a connection with TLS: see `Server.begin_tls`."""
        self._server.begin_tls(context, name)

    # Data from the library.

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        """Take what the library sends.

        https://docs.python.org/3/library/asyncio-protocol.html#asyncio.WriteTransport.write
        """
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data: expecting a bytes-like instance, got {type(data).__name__}")
        if not self._closing and data:
            self._server.read(bytes(data))
            self._unconfirmed += len(data)
            if self._unconfirmed > self._high + TAKEN:
                self._pause_or_resume()

    def writelines(self, list_of_data: "Any") -> None:
        """Take what the library sends, in pieces."""
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        """Return False, as for TLS: there is no half of an end."""
        return False

    def write_eof(self) -> None:
        """Raise NotImplementedError."""
        raise NotImplementedError("a page's WebSocket has no half of an end: close the transport")

    def get_write_buffer_size(self) -> int:
        """Return the number of bytes that wait to be sent."""
        return self._server.waiting

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return both limits: the low one, the high one."""
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set how many bytes may wait to be sent before the protocol is asked to pause, and to go on.

        https://docs.python.org/3/library/asyncio-protocol.html#asyncio.WriteTransport.set_write_buffer_limits
        """
        if high is None:
            high = HIGH_WATER if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._high, self._low = high, low
        if not self._closing:
            self._pause_or_resume()

    def _pause_or_resume(self) -> None:
        """Ask the protocol to pause or to go on with writing, as the bytes that wait and the limits say."""
        self._unconfirmed = self._server.waiting
        if self._writing_paused:
            if self._unconfirmed <= self._low + TAKEN - ROOM and not self._server.asks:
                self.resume_writing()
            else:
                self._poll()
        elif self._unconfirmed > self._high + TAKEN:
            self.pause_writing()
            self._poll()

    def _poll(self) -> None:
        if self._stop_polling is None and not self._server.asks:
            self._stop_polling = call_later(POLL_INTERVAL, self._polled)

    def _polled(self) -> None:
        self._stop_polling = None
        self._pause_or_resume()

    # Methods that the server of this connection calls; it may not call them when the connection is over.

    def pause_writing(self) -> None:
        """Ask the protocol to write no more, unless it was asked already."""
        if not self._writing_paused:
            self._writing_paused = True
            self._call(self._protocol.pause_writing)

    def resume_writing(self) -> None:
        """Let the protocol write again."""
        if self._writing_paused:
            self._writing_paused = False
            self._call(self._protocol.resume_writing)

    def deliver(self, *data: bytes) -> None:
        """Give bytes to the protocol now, behind those that wait: never from inside its calls."""
        if self._writing_paused:
            self._pause_or_resume()  # perhaps it is an answer to what was sent
        self._incoming += data
        self._flush()

    def deliver_soon(self, data: bytes) -> None:
        """Give bytes to the protocol in the next turn of the loop, together with others."""
        self._incoming.append(data)
        if not self._flush_is_due:
            self._flush_soon()

    def end_input(self) -> None:
        """Tell the protocol that nothing comes any more, soon; then the connection is over."""
        self._input_ended = True
        self._flush_soon()

    def fail(self, error: Exception) -> None:
        """End the connection in the next turn, because the library must be changed; it may write no more until then.

        Most libraries have written their request, and wait until they may write more: there they raise `error`. As a
        connection that is lost it would be one to try again, and some do not tell why.
        """
        self.pause_writing()
        self._loop.call_soon(self._end, error)

    def lose(self, error: Exception) -> None:
        """End the connection with an error."""
        self._end(error)

    # Data for the library.

    def is_reading(self) -> bool:
        """Return whether the protocol gets what comes."""
        return not self._reading_paused and not self._closing

    def pause_reading(self) -> None:
        """Keep what comes: a page cannot make the server wait."""
        self._reading_paused = True

    def resume_reading(self) -> None:
        """Give what was kept to the protocol."""
        self._reading_paused = False
        if self._incoming or self._input_ended:
            self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flush_is_due:
            self._flush_is_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Give the protocol what waits, in one piece; in the turn after the last one, the end."""
        self._flush_is_due = False
        if self._reading_paused or self._closing:
            return
        if self._incoming:
            if self._input_ended:
                self._flush_soon()
            self._call(self._give)
        elif self._input_ended:
            self._call(self._protocol.eof_received)
            self._end(None)

    def _give(self) -> None:
        """Give the protocol what waits, while it takes it: a large piece alone, what stands before it together."""
        while self._incoming and not self._reading_paused and not self._closing:
            incoming = self._incoming
            count, size = 1, len(incoming)
            if len(incoming[0]) < pieces.LARGE:
                while count < size and len(incoming[count]) < pieces.LARGE:
                    count += 1
            self._incoming = incoming[count:]
            data = incoming[0] if count == 1 else b"".join(incoming[:count])
            if self._is_buffered:
                _feed(self._protocol, data)
            elif self._feed_head is not None and count < size and len(data) < pieces.LARGE:
                self._feed_head(data)
            else:
                self._protocol.data_received(data)

    def _call(self, method: "Callable[..., object]", *arguments: object) -> None:
        """Call the protocol, in the context of `create_connection`.

        An exception ends the connection and is reported, as by asyncio's own transports.
        """
        try:
            self._context.copy().run(method, *arguments)  # one context cannot be entered from inside itself
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._loop.call_exception_handler(
                {
                    "message": "Fatal error: a call of the protocol failed.",
                    "exception": error,
                    "transport": self,
                    "protocol": self._protocol,
                }
            )
            self._end(error)

    # The end.

    def _end(self, error: BaseException | None, pending: bool = False) -> None:
        """End the connection, the first time; `connection_lost` is called in the next turn of the loop.

        `pending` is whether data that the library has sent already still leaves.
        """
        if self._closing:
            return
        self._closing = True
        self._error = error
        self._incoming.clear()
        if self._stop_polling is not None:
            self._stop_polling()
            self._stop_polling = None
        self._server.leave(pending)
        self._loop.call_soon(self._connection_lost, context=self._context)

    def _connection_lost(self) -> None:
        error, self._error = self._error, None
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.connection_lost(error)


def _feed(protocol: asyncio.BufferedProtocol, data: bytes) -> None:
    """Give bytes to a protocol that has a buffer of its own.

    https://docs.python.org/3/library/asyncio-protocol.html#buffered-streaming-protocols
    """
    rest = memoryview(data)
    while rest:
        buffer = memoryview(protocol.get_buffer(len(rest)))
        size = min(len(buffer), len(rest))
        if not size:
            raise RuntimeError("get_buffer() returned an empty buffer")
        buffer[:size] = rest[:size]
        protocol.buffer_updated(size)
        rest = rest[size:]

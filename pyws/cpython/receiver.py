"""Bytes of the server into messages: whole messages are read here, everything else by the library.

The library decides what is right by the protocol. Only one fault, which it accepts and RFC 6455 does not, is refused
here: a length that is not encoded in the fewest bytes.
https://www.rfc-editor.org/rfc/rfc6455#section-5.2
"""

import codecs
import sys
from typing import Any, Protocol

from websockets.client import ClientProtocol
from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.frames import Frame, Opcode

from ..loop import now
from .deflate import Deflate
from .opcodes import BINARY, COMPRESSED, LARGE_MESSAGE, TEXT

OPEN = 1  # the one state in which messages are received


class Owner(Protocol):
    """The object above the seam that a connection belongs to (see `websocket.py`)."""

    def _pyws_opened(self, protocol: str, extensions: str) -> None: ...
    def _pyws_received(self, data: str | bytes, timestamp: float) -> None: ...
    def _pyws_closed(self, failed: bool, clean: bool, code: int, reason: str) -> None: ...


class Receiving(Protocol):
    """The part of a connection that the receiver uses."""

    state: int
    is_ending: bool
    """Whether the end has begun: nothing more is received."""

    @property
    def owner(self) -> Owner | None:
        """The object to call; None when the program has dropped it."""

    def flush(self) -> None:
        """Write what the program has sent so far."""

    def answer(self) -> None:
        """Write the answer to a frame that the library has ready: a Pong."""

    def close_received(self) -> None:
        """Answer the server's Close frame, which the library has read."""

    def fail(self, code: int, reason: str) -> None:
        """Fail the connection, with this code in our Close frame."""

    def failed(self, reason: str) -> None:
        """Fail the connection: the library has its Close frame ready."""

    def interrupted(self, error: BaseException) -> None:
        """Let the program end by an exception of a listener, and call `feed` again later."""


class PartialMessage:
    """A message of which a part has come: text is decoded part by part."""

    __slots__ = ("_decode", "_parts")

    def __init__(self, is_text: bool) -> None:
        self._decode = _utf8_decoder().decode if is_text else None
        self._parts: list[Any] = []

    def add(self, data: bytes, final: bool) -> None:
        """Take the next part; raises UnicodeDecodeError for bytes that are not UTF-8."""
        self._parts.append(data if self._decode is None else self._decode(data, final))

    def joined(self) -> str | bytes:
        """Return the message, after its final part."""
        nothing: str | bytes = b"" if self._decode is None else ""
        return nothing.join(self._parts)


class Receiver:
    """The bytes that one open connection has received and not yet delivered.

    The connection calls `feed` for each read until its end, and then drops this.
    """

    __slots__ = (
        "_chunks", "_chunks_size", "_connection", "_core", "_deflate", "_frame_size", "_inflate_size", "_partial",
        "_payload_missing",
    )  # fmt: skip

    takes_short_cuts = True
    """Whether whole messages are read here; a test leaves them to the library, too."""

    def __init__(self, connection: Receiving, core: ClientProtocol) -> None:
        self._connection = connection
        self._core = core
        deflate = core.extensions[0] if core.extensions else None
        self._deflate = deflate if isinstance(deflate, Deflate) else None
        # The beginning of a frame, until it has `_frame_size` bytes, as far as that is known.
        self._chunks = NO_CHUNKS
        self._chunks_size = self._frame_size = 0
        # A message that is fragmented, or large and in one frame, of which `_payload_missing` bytes are to come.
        self._partial = NO_MESSAGE
        self._payload_missing = 0
        self._inflate_size: int | None = None  # if it is compressed: how large it is by now

    def feed(self, data: bytes) -> None:
        """Deliver every message that `data` completes; call it while OPEN or CLOSING, once for each read.

        If a listener ends the program in the midst of it, the rest is kept: then `has_whole_frame` says whether to
        call again, with b"".
        """
        connection = self._connection
        if connection.is_ending:
            return
        owner = connection.owner
        position = 0  # everything before it was handled
        try:
            if self._chunks:
                self._chunks.append(data)
                self._chunks_size += len(data)
                if self._chunks_size < self._frame_size:
                    return
                data = b"".join(self._chunks)
                self._chunks = NO_CHUNKS
            elif self._payload_missing:
                position = self._payload_missing
                message = self._add_to_large(data[:position])
                if message is not None and owner is not None:
                    owner._pyws_received(message, now())
                if connection.is_ending:
                    return
            core = self._core
            max_size = sys.maxsize if core.max_message_size is None else core.max_message_size
            is_plain = core.current_size is None and self.takes_short_cuts  # no fragmented message is in progress
            end = len(data)
            while position < end:
                first = data[position]
                start = position + 2
                try:
                    length = data[position + 1]
                    if length > 125:
                        # RFC 6455, 5.2: "the minimal number of bytes", "the most significant bit MUST be 0"
                        if length == 126:
                            start += 2
                            length = data[position + 2] << 8 | data[position + 3]
                            is_valid = length > 125
                        elif length == 127:
                            start += 8
                            length = int.from_bytes((*data[position + 2 : start - 1], data[start - 1]), "big")
                            is_valid = 65535 < length < 1 << 63
                        else:
                            self._feed_core(data[position:start])  # masked: the library refuses it
                            return
                        if not is_valid:
                            connection.fail(1002, "the length of a frame is encoded against RFC 6455, 5.2")
                            return
                except IndexError:
                    self.keep(data[position:], start - position)
                    return
                stop = start + length
                if length > max_size and not (first & COMPRESSED and length - max_size <= max_size + 64):
                    connection.fail(1009, f"a message of {length} bytes is larger than max_size, {max_size} bytes")
                    return
                if stop > end:
                    plain = first ^ COMPRESSED if self._deflate is not None and first & COMPRESSED else first
                    if length >= LARGE_MESSAGE and is_plain and plain in (TEXT, BINARY):
                        self._partial = PartialMessage(plain == TEXT)
                        self._payload_missing = length
                        self._inflate_size = None if plain == first else 0
                        self._add_to_large(data[start:])
                    else:
                        self.keep(data[position:], stop - position)
                    return
                frame = position
                position = stop
                if is_plain and first == TEXT:
                    if connection.state == OPEN and owner is not None:
                        try:
                            text = data[start:stop].decode()
                        except UnicodeDecodeError as error:
                            connection.fail(1007, f"a text message is not UTF-8: {error}")
                            return
                        owner._pyws_received(text, now())
                elif is_plain and first == BINARY:
                    if connection.state == OPEN and owner is not None:
                        owner._pyws_received(data[start:stop], now())
                else:
                    if is_plain and self._deflate is not None and first ^ COMPRESSED in (TEXT, BINARY):
                        message = self._whole_compressed(first ^ COMPRESSED, data[start:stop])
                    else:
                        message = self._feed_core(data[frame:stop])
                    if message is not None and connection.state == OPEN and owner is not None:
                        owner._pyws_received(message, now())
                    if connection.is_ending:
                        return
                    is_plain = core.current_size is None and self.takes_short_cuts
        except (KeyboardInterrupt, SystemExit) as error:
            if not _is_of_listener(error):
                raise
            self.keep(data[position:], 0)
            connection.interrupted(error)

    def keep(self, data: bytes, frame_size: int) -> None:
        """Keep the beginning of a frame, which is handled when `frame_size` bytes of it are there; in any state."""
        self._chunks = [data]
        self._chunks_size = len(data)
        self._frame_size = frame_size

    @property
    def has_whole_frame(self) -> bool:
        """Whether what was kept is enough to go on with."""
        return bool(self._chunks) and self._chunks_size >= self._frame_size

    @property
    def is_within_message(self) -> bool:
        """Whether a part of a message, or of a frame, has come and the rest has not."""
        return bool(self._chunks or self._payload_missing or self._core.current_size is not None)

    def _add_to_large(self, data: bytes) -> str | bytes | None:
        """Add to a large message in one frame; the message, if it is whole."""
        self._payload_missing -= len(data)
        is_last = not self._payload_missing
        if self._inflate_size is None:
            return self._add(data, is_last)
        assert self._deflate is not None
        max_size = self._core.max_message_size
        try:
            inflated = self._deflate.decompress(
                data, is_last, None if max_size is None else max_size - self._inflate_size
            )
        except (PayloadTooBig, ProtocolError) as error:
            self._refuse(error)
            return None
        self._inflate_size += len(inflated)
        return self._add(inflated, is_last)

    def _whole_compressed(self, first: int, data: bytes) -> str | bytes | None:
        """Return the message of a compressed frame; None if it is not valid, or comes too late."""
        assert self._deflate is not None
        try:
            # Late ones, too: later messages may refer to them.
            inflated = self._deflate.decompress(data, True, self._core.max_message_size)
            if self._connection.state != OPEN:
                return None
            return inflated if first == BINARY else inflated.decode()
        except (PayloadTooBig, ProtocolError, UnicodeDecodeError) as error:
            self._refuse(error)
            return None

    def _refuse(self, error: Exception) -> None:
        """Fail the connection, because a message cannot be taken."""
        if isinstance(error, UnicodeDecodeError):
            self._connection.fail(1007, f"a text message is not UTF-8: {error}")
        elif isinstance(error, PayloadTooBig):
            self._connection.fail(1009, f"a message is larger than max_size, {self._core.max_message_size} bytes")
        else:
            self._connection.fail(1002, f"the server broke the protocol: {error}")

    def _add(self, data: bytes, final: bool) -> str | bytes | None:
        if self._connection.state != OPEN:
            return None
        try:
            self._partial.add(data, final)
        except UnicodeDecodeError as error:
            self._refuse(error)
            return None
        if not final:
            return None
        message, self._partial = self._partial.joined(), NO_MESSAGE
        return message

    def _feed_core(self, data: bytes) -> str | bytes | None:
        """Give the library one whole frame, and do what it says; the message, if one is whole now."""
        core, connection = self._core, self._connection
        message = None
        if data[0] & 0x0F != 8:
            # The library may answer, or fail the connection: messages that were sent before are written first.
            connection.flush()
        elif core.current_size is not None:
            core.current_size = None  # RFC 6455, 5.4: a Close frame may come between fragments; the library refuses
        core.receive_data(data)
        for frame in core.events_received():
            assert isinstance(frame, Frame)
            if frame.opcode is Opcode.CLOSE:
                connection.close_received()
            elif frame.opcode is Opcode.PING:
                connection.answer()
            elif frame.opcode is not Opcode.PONG and connection.state == OPEN:
                if frame.opcode is not Opcode.CONT:
                    self._partial = PartialMessage(frame.opcode is Opcode.TEXT)
                message = self._add(bytes(frame.data), frame.fin)
        if core.parser_exc is not None:
            connection.failed(f"the server broke the protocol: {core.parser_exc}")
        return message


# One empty list for all connections that have received everything; never changed.
NO_CHUNKS: list[bytes] = []
_utf8_decoder = codecs.getincrementaldecoder("utf-8")
NO_MESSAGE = PartialMessage(False)


def _is_of_listener(error: BaseException) -> bool:
    """Tell whether an exception that `feed` has caught came up from the program, and not from between two lines."""
    below = error.__traceback__ and error.__traceback__.tb_next
    return below is not None and below.tb_frame.f_code.co_name == "_pyws_received"

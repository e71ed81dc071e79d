"""Frames as a server of RFC 6455 has them: it reads masked ones and writes others.

Its law: no I/O; the data that is fed may end anywhere; bytes that wait for the rest of their frame are joined once.
https://www.rfc-editor.org/rfc/rfc6455#section-5.2
"""

from struct import Struct

from . import masks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

# The first byte of a frame that is a whole message.
WHOLE = 0x80 | TEXT, 0x80 | BINARY

# https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
NORMAL_CLOSURE, GOING_AWAY, PROTOCOL_ERROR, NO_STATUS, INVALID_DATA = 1000, 1001, 1002, 1005, 1007

# The first byte and the size of a frame, in each of the three forms of a head; then, in frames of a client, the mask.
SHORT, MEDIUM, LONG = Struct("!BB"), Struct("!BBH"), Struct("!BBQ")
MASKED_SHORT, MASKED_MEDIUM, MASKED_LONG = Struct("!BBL"), Struct("!BBHL"), Struct("!BBQL")


class ProtocolError(Exception):
    """The data that was read breaks the protocol: `code` and `reason` are for the Close frame that answers it."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class FrameReader:
    """A client's frames, from bytes to messages."""

    def __init__(self) -> None:
        self.size = 0
        """Bytes that wait for the rest of their frame."""
        self._chunks: list[bytes] = []
        self._needed = 0  # bytes without which there is nothing to do
        self._head: tuple[int, int, int] | None = None  # of a frame whose payload is read: first byte, size, mask
        self._opcode = CONTINUATION  # of the message whose fragments are read
        self._fragments: list[bytes] = []

    def feed_usual(self, data: bytes) -> "tuple[tuple[int, bytes | memoryview[int], int], ...] | None":
        """Return at once what `feed` would yield, if the data is a whole message, its head, or all behind its head.

        Most data is. Else return None; then nothing has happened, and the data is to be given to `feed`.
        """
        if self._chunks or self._opcode:
            return None
        size = len(data)
        if self._head is not None:
            first, expected, mask = self._head
            if size != expected or first not in WHOLE:
                return None
            self._head = None
            return ((first & 15, data, mask),)
        if size < 6 or data[0] not in WHOLE:
            return None
        second, start = data[1], 6
        expected = second - 128
        if expected > 125:
            start = 8 if expected == 126 else 14
            expected = int.from_bytes(data[2 : start - 4], "big")
        if expected < 0 or size not in (start, start + expected):
            return None
        mask = masks.KEY.unpack_from(data, start - 4)[0]
        if expected and size == start:
            self._head = data[0], expected, mask
            return ()
        return ((data[0] & 15, memoryview(data)[start:], mask),)

    def feed(self, data: bytes) -> "Iterator[tuple[int, bytes | memoryview[int], int]]":
        """Yield the opcode, the payload and its mask of each message and control frame that is complete.

        `masks.apply` takes the mask off; it is 0 where there is none. The fragments of a message are joined; whether
        text is UTF-8 is not examined. Raises `ProtocolError`: do not feed it again then.
        """
        if self._chunks:
            self._chunks.append(data)
            self.size += len(data)
            if self.size < self._needed:
                return
            data = b"".join(self._chunks)
            self._chunks.clear()
        self.size = 0
        view, position, end = memoryview(data), 0, len(data)
        while True:
            if self._head is None:
                self._needed = 2
                if end - position < 2:
                    break
                first, second = data[position], data[position + 1]
                self._examine(first, second)
                short = second & 127
                self._needed = 6 if short < 126 else 8 if short == 126 else 14
                if end - position < self._needed:
                    break
                start, position = position + 2, position + self._needed
                size = short if short < 126 else int.from_bytes(data[start : position - 4], "big")
                self._head = first, size, masks.KEY.unpack_from(data, position - 4)[0]
            first, size, mask = self._head
            self._needed = size
            if end - position < size:
                break
            payload = view[position : position + size]
            position += size
            self._head = None
            opcode = first & 15
            if opcode >= CLOSE or (opcode != CONTINUATION and first & 128):
                yield opcode, payload, mask
                continue
            if opcode != CONTINUATION:
                self._opcode = opcode
            self._fragments.append(masks.apply(payload, mask))
            if first & 128:
                opcode, self._opcode = self._opcode, CONTINUATION
                fragments, self._fragments = self._fragments, []
                yield opcode, b"".join(fragments), 0
        if position < end:
            self._chunks.append(data[position:])
            self.size = end - position

    def _examine(self, first: int, second: int) -> None:
        """Raise `ProtocolError` for the first two bytes of a frame that may not be here."""
        opcode = first & 15
        if not second & 128:
            raise ProtocolError(PROTOCOL_ERROR, "a client's frame is not masked")
        if first & 0x70:
            raise ProtocolError(PROTOCOL_ERROR, "a reserved bit is set, and no extension is in use")
        if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise ProtocolError(PROTOCOL_ERROR, f"the opcode {opcode} is not known")
        if opcode >= CLOSE:
            if second & 127 > 125 or not first & 128:
                raise ProtocolError(PROTOCOL_ERROR, "a control frame is too long, or a fragment")
        elif (opcode == CONTINUATION) != (self._opcode != CONTINUATION):
            raise ProtocolError(PROTOCOL_ERROR, "a fragment is not in its place")


def frame_head(opcode: int, size: int) -> bytes:
    """Return what stands before the payload of a frame that is a message, or control frame, of its own."""
    if size < 126:
        return SHORT.pack(0x80 | opcode, size)
    if size < 1 << 16:
        return MEDIUM.pack(0x80 | opcode, 126, size)
    return LONG.pack(0x80 | opcode, 127, size)


def masked_head(first: int, size: int) -> bytes:
    """Return what stands before the payload of a client's frame that begins with the byte `first`; its mask is 0."""
    if size < 126:
        return MASKED_SHORT.pack(first, 0x80 | size, 0)
    if size < 1 << 16:
        return MASKED_MEDIUM.pack(first, 0x80 | 126, size, 0)
    return MASKED_LONG.pack(first, 0x80 | 127, size, 0)


def frame(opcode: int, payload: bytes) -> bytes:
    """Return a whole frame."""
    return frame_head(opcode, len(payload)) + payload


def parse_close(payload: bytes) -> tuple[int, str]:
    """Return the code and the reason that a Close frame has; without a code it is `NO_STATUS`.

    Raises `ProtocolError`.
    https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
    """
    if not payload:
        return NO_STATUS, ""
    if len(payload) == 1:
        raise ProtocolError(PROTOCOL_ERROR, "a Close frame has half a code")
    return int.from_bytes(payload[:2], "big"), parse_text(payload[2:])


def close_payload(code: int, reason: str) -> bytes:
    """Return the payload of a Close frame."""
    return b"" if code == NO_STATUS else code.to_bytes(2, "big") + reason.encode()


def parse_text(payload: bytes) -> str:
    """Return the text of a payload. Raises `ProtocolError` if it is not UTF-8."""
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise ProtocolError(INVALID_DATA, "a text is no UTF-8") from None


def sendable_code(code: int) -> int:
    """Return the code that a page may send, for one that a library sends: a page has none, 1000, and 3000 to 4999.

    1001, "going away", is a normal end, too. Others become private codes with the same last digits: 1011 is 4011.
    https://websockets.spec.whatwg.org/#dom-websocket-close
    """
    if code in (NORMAL_CLOSURE, NO_STATUS) or 3000 <= code <= 4999:
        return code
    return NORMAL_CLOSURE if code == GOING_AWAY else 4000 + code % 1000

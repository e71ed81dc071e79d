"""Frames as a server of RFC 6455 has them: it reads masked ones and writes others.

Its law: no I/O; the data that is fed may end anywhere; bytes that wait for the rest of their frame are joined once.
https://www.rfc-editor.org/rfc/rfc6455#section-5.2
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

# https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
NORMAL_CLOSURE, GOING_AWAY, PROTOCOL_ERROR, NO_STATUS, INVALID_DATA = 1000, 1001, 1002, 1005, 1007


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
        self._needed = 2  # bytes without which there is nothing to do
        self._opcode = CONTINUATION  # of the message whose fragments are read
        self._fragments: list[bytes] = []

    def feed(self, data: bytes) -> "Iterator[tuple[int, bytes]]":
        """Yield the opcode and the payload of each message and control frame that is complete.

        The fragments of a message are joined; whether text is UTF-8 is not examined. Raises `ProtocolError`: do not
        feed it again then.
        """
        self.size += len(data)
        self._chunks.append(data)
        if self.size < self._needed:
            return
        if len(self._chunks) > 1:
            data = b"".join(self._chunks)
        self._chunks.clear()
        self.size = 0
        position, end = 0, len(data)
        while True:
            self._needed = 2
            if end - position < self._needed:
                break
            first, second = data[position], data[position + 1]
            start, size = position + 2, second & 127
            if size >= 126:
                length = 2 if size == 126 else 8
                self._needed += length
                if end - position < self._needed:
                    break
                size = int.from_bytes(data[start : start + length], "big")
                start += length
            self._examine(first, second, size)
            self._needed += 4 + size
            if end - position < self._needed:
                break
            position += self._needed
            payload = unmask(data[start + 4 : position], data[start : start + 4])
            yield from self._frame(first, payload)
        if position < end:
            self._chunks.append(data[position:])
            self.size = end - position

    def _examine(self, first: int, second: int, size: int) -> None:
        """Raise `ProtocolError` for a frame that may not be here."""
        opcode = first & 15
        if not second & 128:
            raise ProtocolError(PROTOCOL_ERROR, "a client's frame is not masked")
        if first & 0x70:
            raise ProtocolError(PROTOCOL_ERROR, "a reserved bit is set, and no extension is in use")
        if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise ProtocolError(PROTOCOL_ERROR, f"the opcode {opcode} is not known")
        if opcode >= CLOSE:
            if size > 125 or not first & 128:
                raise ProtocolError(PROTOCOL_ERROR, "a control frame is too long, or a fragment")
        elif (opcode == CONTINUATION) != (self._opcode != CONTINUATION):
            raise ProtocolError(PROTOCOL_ERROR, "a fragment is not in its place")

    def _frame(self, first: int, payload: bytes) -> "Iterator[tuple[int, bytes]]":
        """Yield a control frame, or the message that this frame ends."""
        opcode = first & 15
        if opcode >= CLOSE or (opcode != CONTINUATION and first & 128):
            yield opcode, payload
            return
        if opcode != CONTINUATION:
            self._opcode = opcode
        self._fragments.append(payload)
        if first & 128:
            message = self._opcode, b"".join(self._fragments)
            self._opcode = CONTINUATION
            self._fragments = []
            yield message


def unmask(data: bytes, mask: bytes) -> bytes:
    """Take the mask, 4 bytes, off a payload.

    https://www.rfc-editor.org/rfc/rfc6455#section-5.3
    """
    size = len(data)
    pattern = int.from_bytes(mask * (size // 4) + mask[: size % 4], sys.byteorder)
    return (int.from_bytes(data, sys.byteorder) ^ pattern).to_bytes(size, sys.byteorder)


def frame_head(opcode: int, size: int) -> bytes:
    """Return what stands before the payload of a frame that is a message, or control frame, of its own."""
    if size < 126:
        return bytes((0x80 | opcode, size))
    if size < 1 << 16:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big")
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big")


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

"""Large payloads for connections of `websockets.asyncio`, which gets them as they are.

The bridge hands over the payload of a large message in one piece, behind its head. The library would copy it into its
buffer, out of that, and then into an object of bytes; here a read of exactly this piece returns the piece. Its law:
only readers of connections of the bridge are changed; each read has the result that the library's own has.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

# Bytes of a payload from which on it is a piece of its own: the library reads each piece in a call of its own, and that
# costs as much time as some copies of less.
LARGE = 1 << 14

_derived: "dict[type, type]" = {}
"""By the library's class of readers, the one that is derived from it here."""


def adopt(reader: "Any") -> None:
    """Let a reader of `websockets` return pieces, if it is one that is known. Call it before it has got data."""
    cls = getattr(sys.modules.get("websockets.streams"), "StreamReader", None)
    if cls is None or type(reader) is not cls or vars(reader) != {"buffer": bytearray(), "eof": False}:
        return
    if cls not in _derived:
        methods = {"read_exact": read_exact, "feed_data": feed_data, "discard": discard}
        _derived[cls] = type(cls.__name__, (cls,), {"library": cls, "wanted": 0, "piece": None, **methods})
    reader.__class__ = _derived[cls]


def read_exact(self: "Any", n: int) -> "Generator[None, None, bytes | bytearray]":
    """Read `n` bytes, as the method of the library does."""
    return self.library.read_exact(self, n) if n < LARGE else read_piece(self, n)  # type: ignore[no-any-return] # untyped


def read_piece(self: "Any", n: int) -> "Generator[None, None, bytes | bytearray]":
    """Read `n` bytes: those of a piece, if it comes when nothing else has come."""
    if not self.buffer and not self.eof:
        self.wanted = n
        try:
            yield
            if self.piece is not None:
                return self.piece  # type: ignore[no-any-return] # untyped
        except GeneratorExit:
            keep(self)
            raise
        finally:
            self.wanted, self.piece = 0, None
    return (yield from self.library.read_exact(self, n))


def feed_data(self: "Any", data: "bytes | bytearray") -> None:
    """Take data, as the method of the library does."""
    if data and len(data) == self.wanted and type(data) is bytes and self.piece is None and not (self.buffer or self.eof):
        self.piece = data
    else:
        keep(self)
        self.library.feed_data(self, data)


def discard(self: "Any") -> None:
    """Discard the data that has come."""
    self.piece = None
    self.library.discard(self)


def keep(self: "Any") -> None:
    """Put a piece into the buffer of the library: it is not what is read next."""
    if self.piece is not None:
        self.buffer += self.piece
        self.piece = None

"""Large payloads for connections of `websockets.asyncio`, which gets them as they are.

The bridge hands over the payload of a large message in one piece, behind its head. The library would copy it into its
buffer, out of that, and then into an object of bytes; here a read of exactly this piece returns the piece. Its law:
only readers of connections of the bridge are changed; each read has the result that the library's own has.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    Read = Generator[None, None, Any]

# Bytes of a payload from which on it is a piece of its own: below, what a library does with one more piece takes as
# much time as the copies.
LARGE = 1 << 15


def adopt(protocol: "Any") -> "Callable[[bytes], None] | None":
    """Let a connection of `websockets` read pieces, if it is one that is known; return its reader's `feed_head`.

    Call it with the protocol of a transport. A class that overrides `data_received` gets the heads there, too: None.
    """
    connection: Any = getattr(sys.modules.get("websockets.asyncio.connection"), "Connection", None)
    if connection is None or not isinstance(protocol, connection):
        return None
    feed = adopt_reader(getattr(protocol.protocol, "reader", None))
    return feed if type(protocol).data_received is connection.data_received else None


def adopt_reader(reader: "Any") -> "Callable[[bytes], None] | None":
    """Do so with a reader, if it has got no data yet."""
    cls: Any = getattr(sys.modules.get("websockets.streams"), "StreamReader", None)
    if cls is None or type(reader) is not cls or vars(reader) != {"buffer": bytearray(), "eof": False}:
        return None
    if cls not in _derived:
        _derived[cls] = type(cls.__name__, (cls,), {"library": cls, **STATE, **METHODS})
    reader.__class__ = _derived[cls]
    return reader.feed_head  # type: ignore[no-any-return] # untyped


_derived: "dict[type, type]" = {}
"""By the library's class of readers, the one that is derived from it here."""

# `piece` stands behind the buffer; `wanted` is the size of the piece for which a read waits while the buffer is empty;
# `between` is whether a read waits for the next frame; `expects` is whether the next data may be a piece.
STATE = {"piece": None, "wanted": 0, "between": False, "expects": False}


def feed_head(self: "Any", data: bytes) -> None:
    """Take data, as `feed_data` does; the next call of that, before any read, may bring a piece."""
    if self.between and not self.buffer and self.piece is None and not self.eof:
        self.buffer += data
        self.expects = True
    else:
        self.feed_data(data)


def feed_data(self: "Any", data: "bytes | bytearray") -> None:
    """Take data, as the method of the library does."""
    size = len(data)
    is_expected = size >= LARGE if self.expects else size and size == self.wanted and not self.buffer
    self.expects = False
    if is_expected and type(data) is bytes and self.piece is None and not self.eof:
        self.piece = data
    else:
        keep(self)
        self.library.feed_data(self, data)


def read_exact(self: "Any", n: int) -> "Read":
    """Read `n` bytes, as the method of the library does, or the piece if it is that, or if one comes that is."""
    if 0 <= n <= len(self.buffer):
        data = self.buffer[:n]
        del self.buffer[:n]
        return data
    if n >= LARGE and not self.buffer:
        if self.piece is None and not self.eof:
            self.wanted = n
            try:
                yield
            finally:
                self.wanted = 0
        piece = self.piece
        if piece is not None and len(piece) == n:
            self.piece = None
            return piece
    keep(self)
    return (yield from self.library.read_exact(self, n))


def at_eof(self: "Any") -> "Read":
    """Wait until there is data, or the end; return whether it is the end."""
    while not self.buffer and self.piece is None:
        if self.eof:
            return True
        self.between = True
        try:
            yield
        finally:
            self.between = False
    return False


def read_line(self: "Any", *arguments: "Any") -> "Read":
    """Read a line, as the method of the library does."""
    keep(self)
    return self.library.read_line(self, *arguments)  # type: ignore[no-any-return] # untyped


def read_to_eof(self: "Any", *arguments: "Any") -> "Read":
    """Read all, as the method of the library does."""
    keep(self)
    return self.library.read_to_eof(self, *arguments)  # type: ignore[no-any-return] # untyped


def discard(self: "Any") -> None:
    """Discard the data that has come."""
    self.piece = None
    self.library.discard(self)


def keep(self: "Any") -> None:
    """Put the piece into the buffer of the library, which may wait for more there: no piece is expected then."""
    self.expects = False
    if self.piece is not None:
        self.buffer += self.piece
        self.piece = None


METHODS = {
    method.__name__: method for method in (feed_head, feed_data, read_exact, at_eof, read_line, read_to_eof, discard)
}

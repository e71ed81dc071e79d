"""permessage-deflate: messages are compressed one by one, each with what came before it as its dictionary.

`websockets` negotiates the extension. Whole messages are compressed and decompressed by `Sender` and `Receiver`, which
call `compress` and `decompress`; of a message in several frames, the library calls `decode` for each frame.
https://www.rfc-editor.org/rfc/rfc7692
"""

import sys
from collections.abc import Sequence
from typing import Any

from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.extensions import ClientExtensionFactory, Extension
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import CTRL_OPCODES, Frame, Opcode
from websockets.typing import ExtensionName, ExtensionParameter

from .zlibs import FAST, SMALL, Zlib, first_of

NAME = ExtensionName("permessage-deflate")

EMPTY_BLOCK = b"\x00\x00\xff\xff"
"""The end of what a compressor gives when it is flushed: it is not sent (RFC 7692, 7.2.1)."""

LARGE = 4096
"""Bytes of a message from which on another compressor needs less time: one with more memory, or of another library."""


class DeflateFactory(ClientExtensionFactory):
    """The offer of the extension, which is sent to each server."""

    name = NAME

    def __init__(self, fast: bool) -> None:
        self._zlib = first_of(FAST if fast else SMALL)
        self._zlib_for_large = first_of(SMALL)
        self._offer = ClientPerMessageDeflateFactory()

    def get_request_params(self) -> Sequence[ExtensionParameter]:
        """Return the parameters of the offer, those of Chromium."""
        return self._offer.get_request_params()

    def process_response_params(
        self, params: Sequence[ExtensionParameter], accepted_extensions: Sequence[Extension]
    ) -> "Deflate":
        """Return the extension with the server's parameters; raises `NegotiationError` if they are not acceptable."""
        # zlib cannot compress with a window of 8 bits: messages are then sent uncompressed, which is always allowed.
        smallest = ("client_max_window_bits", "8")
        replaced = [("client_max_window_bits", "9") if pair == smallest else pair for pair in params]
        agreed = self._offer.process_response_params(replaced, accepted_extensions)
        return Deflate(
            self._zlib,
            self._zlib_for_large,
            smallest not in params,
            agreed.local_no_context_takeover,
            agreed.local_max_window_bits,
            agreed.remote_max_window_bits,
        )


class Deflate(Extension):
    """The extension with the parameters that were negotiated with one server.

    A connection that is idle has neither compressor nor decompressor: the first message of its direction makes it. The
    decompressor keeps its context always: messages that do not use it are decompressed all the same.
    """

    __slots__ = (
        "_compressor", "_decompressor", "_is_for_large", "_is_within_message", "_keeps_context", "_local_bits",
        "_remote_bits", "_zlib", "_zlib_for_large", "compresses",
    )  # fmt: skip

    name = NAME

    def __init__(
        self,
        library: Zlib,
        library_for_large: Zlib,
        compresses: bool,
        no_context_takeover: bool,
        local_bits: int,
        remote_bits: int,
    ) -> None:
        self._zlib = library
        self._zlib_for_large = library_for_large
        self.compresses = compresses
        """Whether messages may be compressed; if not, those of the server are decompressed all the same."""
        self._keeps_context = not no_context_takeover
        self._local_bits = local_bits
        self._remote_bits = remote_bits
        self._compressor: Any = None
        self._is_for_large = False
        self._decompressor: Any = None
        self._is_within_message = False  # a fragmented one that is compressed

    def compress(self, data: "bytes | memoryview", size: int, final: bool = True) -> bytes:
        """Return the next part of a compressed message; `size` is that of the whole message, in bytes.

        Call it for all parts, one after the other, of which the last is `final`, before those of another message.
        """
        compressor = self._compressor
        if compressor is None or (size >= LARGE and not self._is_for_large):
            self._is_for_large = size >= LARGE
            if self._is_for_large:
                compressor = self._zlib_for_large.compressor(self._local_bits, 8)
            else:
                compressor = self._zlib.compressor(self._local_bits, 5)
            self._compressor = compressor
        compressed: bytes = compressor.compress(data)
        if final:
            compressed += compressor.flush(self._zlib.library.Z_SYNC_FLUSH)
            if not self._keeps_context:
                self._compressor = None
            return compressed[:-4]
        return compressed

    def decompress(self, data: bytes, final: bool, max_size: int | None) -> bytes:
        """Return the next part of a message; raises `PayloadTooBig` if it has more than `max_size` bytes.

        Call it for all parts, one after the other. Raises `ProtocolError` for what is not DEFLATE.
        """
        # With one byte more it is too large; none can have `sys.maxsize` bytes.
        limit = 0 if max_size is None or max_size >= sys.maxsize else max_size + 1
        decompressor = self._decompressor
        if decompressor is None:
            decompressor = self._decompressor = self._zlib.decompressor(self._remote_bits)
        try:
            if final:
                data += EMPTY_BLOCK
            found: bytes = decompressor.decompress(data, limit)
            if decompressor.eof:
                found = self._go_on_behind_end(found, limit)
        except self._zlib.library.error as error:
            raise ProtocolError("decompression failed") from error
        if limit and len(found) >= limit:
            raise PayloadTooBig(None, max_size)
        return found

    def _go_on_behind_end(self, found: bytes, limit: int) -> bytes:
        """RFC 7692, 7.2.3.4: a block with BFINAL ends what a decompressor reads, and more may follow it.

        Return all that follows, too; or, unless the limit is 0, no more than `limit` bytes.
        """
        rest, position, parts, size = memoryview(self._decompressor.unused_data), 0, [found], len(found)
        while self._decompressor.eof:
            decompressor = self._decompressor = self._zlib.decompressor(self._remote_bits)
            while position < len(rest) and not decompressor.eof and not (limit and size >= limit):
                chunk = rest[position : position + 1024]  # small, because the library copies the bytes behind the end
                parts.append(decompressor.decompress(chunk, limit - size if limit else 0))
                position += len(chunk) - len(decompressor.unused_data)
                size += len(parts[-1])
        return b"".join(parts)

    # Calls of the library, for frames of fragmented messages, or for all frames if a test takes no short cuts.

    def encode(self, frame: Frame) -> Frame:
        """Compress a frame, which has a whole message, unless it may not be compressed."""
        if frame.opcode in CTRL_OPCODES or not self.compresses:
            return frame
        return Frame(frame.opcode, self.compress(bytes(frame.data), len(frame.data)), frame.fin, True)

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        """Decompress a frame; raises `PayloadTooBig` if it has more than `max_size` bytes, and `ProtocolError`."""
        if frame.opcode in CTRL_OPCODES:
            return frame
        if frame.opcode is Opcode.CONT:
            if not self._is_within_message:
                return frame
            if frame.rsv1:
                raise ProtocolError("RSV1 bit set in continuation frame")
        elif not frame.rsv1:
            return frame
        self._is_within_message = not frame.fin
        data = self.decompress(bytes(frame.data), frame.fin, max_size)
        return Frame(frame.opcode, data, frame.fin, False, frame.rsv2, frame.rsv3)

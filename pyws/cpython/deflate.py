"""permessage-deflate: the extension of `websockets`, and two cases of the standard that it lacks.

https://www.rfc-editor.org/rfc/rfc7692
"""

import zlib
from collections.abc import Iterator, Sequence

from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, PerMessageDeflate
from websockets.frames import Frame
from websockets.typing import ExtensionParameter


class DeflateFactory(ClientPerMessageDeflateFactory):
    """The offer of the extension, which is sent to each server."""

    def process_response_params(
        self, params: Sequence[ExtensionParameter], accepted_extensions: Sequence[Extension]
    ) -> PerMessageDeflate:
        """Return the extension with the server's parameters; raises `NegotiationError` if they are not acceptable."""
        # zlib cannot compress with a window of 8 bits: messages are then sent uncompressed, which is always allowed.
        smallest = ("client_max_window_bits", "8")
        replaced = [("client_max_window_bits", "9") if pair == smallest else pair for pair in params]
        agreed = super().process_response_params(replaced, accepted_extensions)
        extension = Deflate(
            False,  # the decompressor keeps its context: messages that do not use it are decompressed all the same
            agreed.local_no_context_takeover,
            agreed.remote_max_window_bits,
            agreed.local_max_window_bits,
            agreed.compress_settings,
        )
        extension.compresses = smallest not in params
        return extension


class Deflate(PerMessageDeflate):
    """The extension with the parameters that were negotiated with one server."""

    compresses = True

    def encode(self, frame: Frame) -> Frame:
        """Compress a frame, unless zlib lacks the window size that the server asks for."""
        return super().encode(frame) if self.compresses else frame

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        """Decompress a frame; raises `PayloadTooBig` if it becomes larger than `max_size` bytes."""
        frame = super().decode(frame, max_size=max_size)
        if self.decoder.eof:
            # RFC 7692, 7.2.3.4: a block with BFINAL ends a stream of zlib, and another stream may follow.
            frame.data = b"".join([frame.data, *self._further_streams(len(frame.data), max_size)])
        return frame

    def _further_streams(self, size: int, max_size: int | None) -> Iterator[bytes]:
        rest, position = memoryview(self.decoder.unused_data), 0
        while self.decoder.eof:
            self.decoder = zlib.decompressobj(wbits=-self.remote_max_window_bits)
            while position < len(rest) and not self.decoder.eof:
                chunk = rest[position : position + 1024]  # small, because zlib copies the bytes that follow the stream
                try:
                    data = self.decoder.decompress(chunk)
                except zlib.error as error:
                    raise ProtocolError("decompression failed") from error
                position += len(chunk) - len(self.decoder.unused_data)
                size += len(data)
                if max_size is not None and size > max_size:
                    raise PayloadTooBig(size, max_size)
                yield data

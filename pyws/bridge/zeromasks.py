"""Frames with the mask 0, which changes no byte: libraries write them where the bridge itself reads them.

A client masks its frames, and the bridge takes the mask off again. The mask 0 costs neither of them time, and the
frames are still those of RFC 6455. Its law: only frames for a transport of the bridge get this mask. On a real socket a
mask that is known to others is a security fault: there the library draws a random mask as ever, while the bridge is
installed, too.
https://www.rfc-editor.org/rfc/rfc6455#section-10.3
"""

import sys
from types import MethodType

from . import replacing
from .frames import masked_head

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Bytes of a message from which on its head is written before it: to join them would be another copy.
LARGE = 1 << 15


def adopt(protocol: "Any") -> None:
    """Have the frames of a connection of `websockets.asyncio` made here. Call it with the protocol of a transport."""
    connection: Any = getattr(sys.modules.get("websockets.asyncio.connection"), "Connection", None)
    if connection is None or not isinstance(protocol, connection):
        return
    frames, library = protocol.protocol, sys.modules["websockets.protocol"]
    is_known = type(frames).send_frame is library.Protocol.send_frame and hasattr(frames, "writes")
    if is_known and frames.side is library.CLIENT:
        frames.send_frame = MethodType(send_frame, frames)


def send_frame(self: "Any", frame: "Any") -> None:
    """Take the place of `Protocol.send_frame` of websockets: of a frame with the mask 0, if it is a usual one."""
    data = frame.data
    if type(data) is not bytes or self.extensions or frame.rsv1 or frame.rsv2 or frame.rsv3:
        type(self).send_frame(self, frame)
        return
    if self.debug:
        self.logger.debug("> %s", frame)
    frame.check()
    head = masked_head(0x80 * frame.fin | frame.opcode, len(data))
    if len(data) < LARGE:
        self.writes.append(head + data)
    else:
        self.writes += head, data


def replace_writer() -> None:
    """Have the frames of each client of aiohttp that connects to the bridge made here, until `replacing.put_back`."""
    writer: Any = getattr(sys.modules.get("aiohttp._websocket.writer"), "WebSocketWriter", None)
    own: Any = getattr(writer, "__init__", None)
    write: Any = getattr(writer, "_write_websocket_frame", None)
    if write is None or getattr(own, "__module__", __name__) == __name__:
        return

    def __init__(self: "Any", protocol: "Any", transport: "Any", **options: "Any") -> None:  # noqa: N807 - it replaces it
        own(self, protocol, transport, **options)
        is_known = type(self)._write_websocket_frame is write and hasattr(self, "_output_size")
        if is_known and self.use_mask and getattr(type(transport), "needs_no_mask", False):
            self._write_websocket_frame = MethodType(write_frame, self)

    replacing.replace(writer, "__init__", __init__)


def write_frame(self: "Any", message: "Any", opcode: int, rsv: int) -> None:
    """Take the place of `WebSocketWriter._write_websocket_frame` of aiohttp."""
    if type(message) is not bytes or self.transport.is_closing():
        type(self)._write_websocket_frame(self, message, opcode, rsv)
        return
    size = len(message)
    head = masked_head(0x80 | rsv | opcode, size)
    if size < LARGE:
        self.transport.write(head + message)
    else:
        self.transport.write(head)
        self.transport.write(message)
    self._output_size += len(head) + size

"""Messages of the program into masked frames: those of one task are written together when it ends.

It is also the home of what `bufferedAmount` counts: see `Sender.buffered`.
https://www.rfc-editor.org/rfc/rfc6455#section-5.3
"""

import asyncio
import os
import sys
from collections import deque
from typing import TYPE_CHECKING

from websockets.client import ClientProtocol
from websockets.protocol import State

from .deflate import Deflate
from .opcodes import COMPRESSED, LARGE_MESSAGE, TEXT

if TYPE_CHECKING:

    def apply_mask(data: bytes, mask: bytes) -> bytes:
        """Mask `data`."""
else:
    try:
        from websockets.speedups import apply_mask
    except ImportError:  # pragma: no cover - where websockets has no compiled wheel
        from websockets.utils import apply_mask

HIGH_WATER = 65536
"""Bytes that wait to be sent, above which a stream waits too: asyncio's own limit for a transport."""

PIECE = 1 << 20
"""Bytes that are compressed at once: it takes about ten milliseconds, and then others have their turn."""

MESSAGE = 512
"""Bytes that take as long as what each message takes besides, however short it is."""


class Sender:
    """The messages and frames that one open connection sends.

    The connection appends to `queue` and adds to `queued`, message by message, and calls `flush` when control returns
    to the loop. It calls `pause` and `resume` when the transport asks it to, `stop` when the end begins, and `finish`
    before it closes the transport.
    """

    __slots__ = (
        "_backlog", "_backlog_size", "_compressed", "_core", "_deflate", "_is_full", "_is_stopped", "_is_tls",
        "_never_sent", "_position", "_transport", "_unconfirmed", "_unconfirmed_writes", "_written", "close_frame",
        "flush_is_due", "has_turn", "is_cut", "queue", "queued",
    )  # fmt: skip

    takes_short_cuts = True
    """Whether plain messages become frames here; a test leaves them to the library, too."""

    def __init__(self, transport: asyncio.Transport, core: ClientProtocol) -> None:
        self._transport = transport
        self._core = core
        deflate = core.extensions[0] if core.extensions else None
        self._deflate = deflate if isinstance(deflate, Deflate) and deflate.compresses else None
        # TLS of the server, or of a proxy. `_write` has to learn at once when the network does not take everything.
        self._is_tls = transport.get_extra_info("ssl_object") is not None
        transport.set_write_buffer_limits(1 if self._is_tls else 0, 0)

        self.queue: list[tuple[int, bytes]] = []
        """Messages that are not written yet: the first byte of the frame, and the payload."""
        self.queued = 0
        """Payload bytes of them."""
        # If the first one is very large: its parts that are compressed already, and how many of its bytes these were.
        self._compressed = NOTHING_YET
        self._position = 0
        self.flush_is_due = False
        """Whether `flush` will be called anyway."""
        self.has_turn = False
        """Whether a turn of the loop is asked for, in which `flush` is called."""
        self.is_cut = False
        """Whether the rest of the queue waits for that turn, because enough was compressed in this one."""
        self.close_frame: tuple[int | None, str] | None = None
        """Code and reason of the Close frame that follows them."""
        self._is_stopped = False

        # Written here, while the transport is full: it is given little, so that asking how much it holds costs little.
        self._is_full = False
        self._backlog = NOTHING_WAITS
        self._backlog_size = 0

        # Bytes that were written in all; and of each write that the network has not taken, where it ends among them,
        # and its payload bytes, which `_unconfirmed` sums up.
        self._written = 0
        self._unconfirmed_writes = NO_WRITES
        self._unconfirmed = 0
        self._never_sent = 0  # payload bytes of messages that came too late

    # Questions of the connection.

    @property
    def buffered(self) -> int:
        """Payload bytes that the network has not taken: those in the queue, those written, and those never sent.

        https://websockets.spec.whatwg.org/#dom-websocket-bufferedamount
        """
        self._confirm()
        return self.queued + self._unconfirmed + self._never_sent

    @property
    def is_full(self) -> bool:
        """Whether more waits than a stream should add to."""
        return self.queued + self._unconfirmed >= HIGH_WATER and self.buffered >= HIGH_WATER

    @property
    def lost(self) -> int:
        """Payload bytes that, if this is the end, the network has not taken."""
        return self._never_sent + self._unconfirmed

    @property
    def has_lost(self) -> bool:
        """Whether anything, a Close frame too, was not taken if this is the end."""
        return bool(self._never_sent or self._unconfirmed_writes)

    @property
    def progress(self) -> int:
        """A number that grows as the other side takes what was written."""
        self._confirm()
        waiting = self._transport.get_write_buffer_size() + _unacknowledged(self._transport)
        return self._written - self._backlog_size - waiting

    # Messages and frames.

    def flush(self, whole: bool = False) -> bool:
        """Write the queue, then the Close frame if one was asked for; whether that was written. In any state.

        Much is compressed piece by piece, unless the `whole` queue is asked for: if any of it is left, call this again
        in the next turn, with `is_cut` set back.
        """
        self.flush_is_due = False
        if self.queue:
            if self._core.state is not State.OPEN or self._is_stopped:
                self.drop_queue()
            elif whole or not self.is_cut:
                self.write_queue(whole)
        if self.close_frame is None or self.queue:
            return False
        (code, reason), self.close_frame = self.close_frame, None
        if self._core.state is not State.OPEN or self._is_stopped:
            return False
        self._core.send_close(code, reason)
        self.write_core()
        return True

    def stop(self) -> None:
        """Let nothing of the program be written any more, but what was written; in any state."""
        self._is_stopped = True

    def drop_queue(self) -> None:
        """Count what is in the queue as never sent; in any state."""
        self._never_sent += self.queued
        self.queued = 0
        self.queue = []
        self._compressed = NOTHING_YET

    def write_core(self) -> None:
        """Write what the library has ready: its answers, and Close frames."""
        data = b"".join(self._core.data_to_send())
        if data:
            self._write(data, 0)

    def write_queue(self, whole: bool = True) -> None:
        """Write each message as one frame, masked (RFC 6455, 5.2 and 5.3), and small ones together.

        Call it before `write_core`, and again if it was not for the `whole` queue and any of that is left.
        """
        queue = self.queue
        if not queue:
            return
        core = self._core
        if not self.takes_short_cuts and core.state is State.OPEN:
            for first, payload in queue:
                (core.send_text if first == TEXT else core.send_binary)(payload)
            self._write(b"".join(core.data_to_send()), self.queued)
            self.queue = []
            self.queued = 0
            return
        deflate = self._deflate
        most = len(queue) if deflate is None or whole else PIECE // MESSAGE + 1
        masks = os.urandom(4 * min(len(queue), most))
        parts = []
        joined = position = spent = 0
        for first, payload in queue:
            size = length = len(payload)
            if deflate is not None:
                compressed = None
                if spent < PIECE or whole:
                    compressed = deflate.compress(payload, size) if size <= PIECE else self._compress(payload, whole)
                    spent += size + MESSAGE
                if compressed is None:
                    self.is_cut = True
                    written, self.queue = queue[: position // 4], queue[position // 4 :]
                    self.queued -= sum([len(payload) for _, payload in written])
                    break
                first, payload, length = first | COMPRESSED, compressed, len(compressed)
            if length < 126:
                parts.append(bytes((first, 128 | length)))
            elif length < 65536:
                parts.append(bytes((first, 254, length >> 8, length & 255)))
            else:
                parts.append(bytes((first, 255)) + length.to_bytes(8, "big"))
            mask = masks[position : position + 4]
            position += 4
            parts.append(mask)
            if length >= LARGE_MESSAGE:
                self._write(b"".join(parts), joined)
                self._write(apply_mask(payload, mask), size)
                parts = []
                joined = 0
            else:
                parts.append(apply_mask(payload, mask))
                joined += size
        else:
            self.queue = []
            self.queued = 0
        if parts:
            self._write(b"".join(parts), joined)

    def _compress(self, payload: bytes, whole: bool) -> bytes | None:
        """Compress the next piece of the first message, or all that is left of it; None if it has more pieces."""
        assert self._deflate is not None
        if not self._position:
            self._compressed = []
        is_last = False
        while not is_last:
            piece = memoryview(payload)[self._position : self._position + PIECE]
            self._position += len(piece)
            is_last = self._position == len(payload)
            self._compressed.append(self._deflate.compress(piece, len(payload), is_last))
            if not is_last and not whole:
                return None
        compressed = b"".join(self._compressed)
        self._compressed, self._position = NOTHING_YET, 0
        return compressed

    # Bytes.

    def _write(self, data: bytes, payload: int) -> None:
        """Write to the network, or behind what waits for it; `payload` bytes of it belong to messages."""
        if self._is_tls and len(data) > HIGH_WATER:
            # A transport of TLS counts what it has encrypted as taken. Of what comes in pieces, it refuses the next.
            for start in range(0, len(data), HIGH_WATER):
                piece = data[start : start + HIGH_WATER]
                self._write(piece, payload if start + len(piece) == len(data) else 0)
            return
        self._written += len(data)
        if self._is_full:
            if not self._backlog:
                self._backlog = deque()
            self._backlog.append(data)
            self._backlog_size += len(data)
        elif not self._transport.is_closing():  # else uvloop raises
            self._transport.write(data)
            if not self._is_full and not self._transport.is_closing():
                return  # the network has taken everything
        self._unconfirmed += payload
        if not self._unconfirmed_writes:
            self._unconfirmed_writes = deque()
        self._unconfirmed_writes.append((self._written, payload))

    def pause(self) -> None:
        """Learn that the network does not take all of it now."""
        self._is_full = True

    def resume(self) -> None:
        """Learn that the network has taken all that the transport had."""
        self._is_full = False
        self._confirm()
        self._write_backlog(False)

    def finish(self) -> None:
        """Give everything that waits to the transport, because nothing follows; in any state."""
        self._write_backlog(True)

    def release(self) -> None:
        """Forget the bytes that wait, which stay counted, and the compressor: call it when TCP has ended."""
        self._backlog = NOTHING_WAITS
        self._deflate = None

    def confirm_all(self) -> None:
        """Count everything that was written as taken: TCP has ended in order."""
        self._unconfirmed_writes = NO_WRITES
        self._unconfirmed = 0

    def _write_backlog(self, whole: bool) -> None:
        backlog, transport = self._backlog, self._transport
        while backlog and (whole or not self._is_full) and not transport.is_closing():
            parts = [backlog.popleft()]
            size = len(parts[0])
            while backlog and size < HIGH_WATER:
                parts.append(backlog.popleft())
                size += len(parts[-1])
            self._backlog_size -= size
            transport.write(b"".join(parts))

    def _confirm(self) -> None:
        """Count as taken what the network has taken. A transport that is closing may have dropped its buffer."""
        writes = self._unconfirmed_writes
        if writes and not self._transport.is_closing():
            taken = self._written - self._backlog_size - self._transport.get_write_buffer_size()
            while writes and writes[0][0] <= taken:
                self._unconfirmed -= writes.popleft()[1]


# For all connections that have written everything, never changed: one more deque takes 760 bytes.
NOTHING_YET: list[bytes] = []
NOTHING_WAITS: deque[bytes] = deque(maxlen=0)
NO_WRITES: deque[tuple[int, int]] = deque(maxlen=0)


def _unacknowledged(transport: asyncio.Transport) -> int:
    """Return how many bytes the kernel holds that the other side has not acknowledged, where the system tells; or 0."""
    sock = transport.get_extra_info("socket")
    if sock is None or sys.platform != "linux":  # pragma: no cover - on macOS and Windows
        return 0
    import fcntl
    import struct
    import termios

    try:
        return int(struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0])
    except OSError:  # pragma: no cover - where the kernel does not count them
        return 0

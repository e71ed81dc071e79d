"""The bytes between a server of a test and one client: frames of RFC 6455, by the protocol of `websockets`.

Its law: it answers Ping and Close by itself, as the standard demands, and calls up with all that comes, in order:

    up  owner._requested(request)    the request of the opening handshake
        owner._received(message)     a whole message, str or bytes
        owner._controlled(name, data)  a Ping or a Pong, by the name "ping" or "pong"
        owner._closed(code, reason)  the Close frame of the client
        owner._broken(words)         bytes that break the protocol; the connection fails
        owner._lost()                TCP has ended: always the last call
"""

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Callable, Iterable
from typing import Any

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

CHUNK = 2**16
"""Bytes that are read at once."""

# The library logs headers, which may have secrets; a test sees the conversation.
_logger = logging.getLogger("pyws.testing.wire")
_logger.disabled = True


class Wire:
    """The reading and the writing of one TCP connection."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        owner: Any,
        compression: bool,
        choose: Callable[[Iterable[str]], str | None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._owner = owner
        self._readable = asyncio.Event()
        self._readable.set()
        self._parts: list[bytes] = []
        self._binary = False
        self.protocol = ServerProtocol(
            extensions=[ServerPerMessageDeflateFactory()] if compression else [],
            # No bound method: the library would call it without the protocol. Its types want an own kind of `str`.
            select_subprotocol=lambda _, offered: choose(offered),  # type: ignore[arg-type, return-value]
            max_size=None,
            logger=_logger,
        )

    @property
    def open(self) -> bool:
        """Whether messages can be sent."""
        return self.protocol.state is State.OPEN

    # Out

    def answer(self, response: Response) -> None:
        """Answer the opening handshake."""
        self.protocol.send_response(response)
        self.flush()

    def send(self, parts: list[bytes], binary: bool) -> None:
        """Send a message, a frame for each part."""
        begin = self.protocol.send_binary if binary else self.protocol.send_text
        begin(parts[0], fin=len(parts) == 1)
        for number, part in enumerate(parts[1:], 2):
            self.protocol.send_continuation(part, fin=number == len(parts))
        self.flush()

    def ping(self, data: bytes) -> None:
        """Send a Ping."""
        self.protocol.send_ping(data)
        self.flush()

    def close(self, code: int | None, reason: str) -> None:
        """Send a Close frame with any code, also one that the library does not send."""
        payload = b"" if code is None else struct.pack("!H", code) + reason.encode()
        self.protocol.send_frame(Frame(Opcode.CLOSE, payload))
        self.protocol.close_sent = Close(1005 if code is None else code, reason)
        self.protocol.state = State.CLOSING
        self.flush()

    def write(self, data: bytes) -> None:
        """Write bytes as they are."""
        self._writer.write(data)

    def flush(self) -> None:
        """Write all that the protocol has to say."""
        for data in self.protocol.data_to_send():
            if data:
                self._writer.write(data)
            elif self._writer.can_write_eof():
                # The client may have reset the connection already.
                with contextlib.suppress(OSError):
                    self._writer.write_eof()
            else:  # TLS
                self._writer.close()

    async def drain(self) -> None:
        """Wait until the network takes more; raise `OSError` if the connection is lost."""
        await self._writer.drain()

    def end(self) -> None:
        """End TCP when all bytes have left: the client sees the end of the stream."""
        self._writer.close()

    def reset(self) -> None:
        """Reset TCP."""
        linger = struct.pack("ii", 1, 0)
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.abort()

    def abort(self) -> None:
        """End TCP at once."""
        self._writer.transport.abort()

    # In

    def pause(self, paused: bool) -> None:
        """Read no more from now on, or again."""
        if paused:
            self._readable.clear()
        else:
            self._readable.set()

    async def read(self) -> None:
        """Read until TCP ends. Run this once, as a task, from the start."""
        data, silent = b"more", True
        while data:
            await self._readable.wait()
            try:
                data = await self._reader.read(CHUNK)
            except OSError:
                data = b""
            if data:
                silent = False
                self.protocol.receive_data(data)
            else:
                self.protocol.receive_eof()
            for event in self.protocol.events_received():
                self._handle(event)
            self.flush()
            error = self.protocol.parser_exc or self.protocol.handshake_exc
            if error is not None and not isinstance(error, EOFError) and not silent:
                self._owner._broken(str(error))
        self._owner._lost()

    def _handle(self, event: Any) -> None:
        if isinstance(event, Request):
            self._owner._requested(event)
        elif event.opcode is Opcode.PING or event.opcode is Opcode.PONG:
            self._owner._controlled(event.opcode.name.lower(), event.data)
        elif event.opcode is Opcode.CLOSE:
            close = self.protocol.close_rcvd
            assert close is not None
            self._owner._closed(close.code, close.reason)
        else:
            if event.opcode is not Opcode.CONT:
                self._binary = event.opcode is Opcode.BINARY
            self._parts.append(event.data)
            if event.fin:
                data = b"".join(self._parts)
                self._parts.clear()
                self._deliver(data)

    def _deliver(self, data: bytes) -> None:
        """Call up with a message; fail the connection for a text that is not UTF-8, as the standard demands."""
        if self._binary:
            self._owner._received(data)
            return
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            self.protocol.fail(1007, "a text message is not UTF-8")
            self._owner._broken(f"a text message is not UTF-8: {error.reason} at byte {error.start}")
        else:
            self._owner._received(text)

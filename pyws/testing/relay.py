"""One recorded connection: messages go both ways through it, and the end of one leg becomes the end of the other.

Its law: an event is written before it is passed on.
"""

import asyncio
import contextlib

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close as CloseFrame
from websockets.protocol import State

from .recorded import Close, Lost, Message, Side
from .recordingfile import RecordingFile

CLOSING_TIMEOUT = 5.0
"""Seconds that each side has to answer a Close frame."""


class Relay:
    """Passes on what `client` and `server` say, written to `file` as the conversation `number`. Await `run` once."""

    def __init__(self, number: int, client: ServerConnection, server: ClientConnection, file: RecordingFile) -> None:
        self.number = number
        self.client = client
        self.server = server
        self.ended_by: Side | None = None
        """The side that has ended the connection; None until then, and if the recorder has ended it."""
        self.stopping = False
        """Set this before both legs are closed by the recorder: then the end is not one of the recording."""
        self._file = file

    @property
    def is_ending(self) -> bool:
        """Whether a side has begun to end the connection."""
        return any(leg.protocol.state is not State.OPEN for leg in (self.client, self.server))

    async def run(self) -> None:
        """Pass everything on, until both legs have ended."""
        pumps = {
            asyncio.ensure_future(self._pump(self.client, self.server, "client")): self.client,
            asyncio.ensure_future(self._pump(self.server, self.client, "server")): self.server,
        }
        try:
            done, _ = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            if self.stopping or self._file.failure is not None:
                await self._close_both()
            else:
                # If both have ended in the same moment, the client is named: the order is not known.
                await self._end("client" if any(pumps[pump] is self.client for pump in done) else "server")
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self.client.transport.abort()
            self.server.transport.abort()

    async def _pump(self, source: Connection, target: Connection, sender: Side) -> None:
        """Pass messages on in one direction until the source has ended."""
        masks, file = self._file.masks, self._file
        with contextlib.suppress(ConnectionClosed):
            while True:
                data = await source.recv()
                try:
                    masked = masks.text(data) if isinstance(data, str) else masks.binary(data)
                except Exception as error:
                    file.fail(error)
                    return
                if not file.write(self.number, Message(sender, masked, file.now())):
                    return
                with contextlib.suppress(ConnectionClosed):  # the other pump sees its end
                    await target.send(data)

    async def _end(self, sender: Side) -> None:
        """Write that a side has ended the connection, and end the other leg in the same way."""
        ended: Connection = self.client if sender == "client" else self.server
        other: Connection = self.server if sender == "client" else self.client
        at, frame, clean = self._file.now(), _close_of(ended), False
        try:
            if frame is None:
                other.transport.abort()
            else:
                await _close(other, frame)
                clean = other.protocol.close_rcvd is not None
        finally:
            if frame is None:
                self._file.write(self.number, Lost(sender, at))
            else:
                code = None if frame.code == 1005 else int(frame.code)
                try:
                    reason = self._file.masks.text(frame.reason)
                except Exception as error:
                    self._file.fail(error)
                    reason = ""
                self._file.write(self.number, Close(sender, code, reason, clean, at))
            self.ended_by = sender

    async def _close_both(self) -> None:
        frame = CloseFrame(1001, "")
        await asyncio.gather(_close(self.client, frame), _close(self.server, frame))


def _close_of(ended: Connection) -> CloseFrame | None:
    """Return the Close frame by which the other end of a leg has closed; None if it was lost or broke the protocol."""
    protocol = ended.protocol
    return protocol.close_rcvd if protocol.close_rcvd_then_sent else None


async def _close(leg: Connection, frame: CloseFrame) -> None:
    """Send a Close frame on a leg, if it is open, and wait for its end, for a limited time."""
    if leg.protocol.state is State.OPEN:
        with contextlib.suppress(ConnectionClosed):
            async with leg.send_context():
                if frame.code == 1005:
                    leg.protocol.send_close()
                else:
                    leg.protocol.send_close(frame.code, frame.reason)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(leg.wait_closed(), CLOSING_TIMEOUT)

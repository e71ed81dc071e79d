"""The WebSocket protocol on CPython: an asyncio transport around the sans-I/O core of `websockets`.

Its law: only `_finish` ends a connection, when its task is done by whatever way, and so exactly once. The
library is the judge of the protocol; only plain whole messages take a short cut, in `_receive` and `_flush`.
https://www.rfc-editor.org/rfc/rfc6455
"""

import asyncio
import codecs
import contextlib
import logging
import os
import sys
import weakref
from collections import deque
from collections.abc import Callable
from threading import get_ident
from typing import TYPE_CHECKING, Any, Protocol

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State

from .. import loop as runtime
from ..dom import DOMException, scalar
from ..loop import Home, now
from .handshake import FailedError, describe_loss
from .keepalive import Keepalive
from .opening import Opening
from .refusal import Refusal, escape
from .url import parse
from .useragent import UserAgent

if TYPE_CHECKING:

    def apply_mask(data: bytes, mask: bytes) -> bytes:
        """Mask `data`."""
else:
    try:
        from websockets.speedups import apply_mask
    except ImportError:
        from websockets.utils import apply_mask

CONNECTING, OPEN, CLOSING, CLOSED = range(4)
TEXT, BINARY, CLOSE = 0x81, 0x82, 0x88  # the first byte of a message in one frame, and of a Close

LINGER = 2.0
"""Seconds for the server to end TCP after both Close frames (RFC 6455, 7.1.1), as in Chromium."""

LARGE = 65536
"""Bytes of a message from which on it is worth the trouble not to join and copy it once more."""

HIGH_WATER = 65536
"""Bytes that wait to be sent, above which a stream waits too: asyncio's own limit for a transport."""

logger = logging.getLogger("pyws")

# glibc gives memory back to the system, only to ask for it again, page by page, for the next large message, unless it
# has once seen a larger block freed: then it keeps up to twice that. This one is never touched, and costs nothing.
bytes(1 << 22)


class User(Protocol):
    """Who is above the seam (see `websocket.py`)."""

    def _pyws_opened(self, protocol: str, extensions: str) -> None: ...
    def _pyws_received(self, data: str | bytes, moment: float) -> None: ...
    def _pyws_closed(self, failed: bool, clean: bool, code: int, reason: str) -> None: ...


class Pieces:
    """A message that comes in pieces: text is decoded as it comes."""

    __slots__ = ("_decode", "_parts")

    def __init__(self, text: bool) -> None:
        self._decode = _utf8().decode if text else None
        self._parts: list[Any] = []

    def add(self, data: bytes, final: bool) -> None:
        """Take the next piece; raise UnicodeDecodeError for what is no text."""
        self._parts.append(data if self._decode is None else self._decode(data, final))

    def joined(self) -> str | bytes:
        """Return the message."""
        nothing: str | bytes = b"" if self._decode is None else ""
        return nothing.join(self._parts)


class Connection(asyncio.Protocol):
    """One connection, from connecting to its end: the other side of the seam."""

    # A third of the memory that a dict of them takes.
    __slots__ = (
        "_aborted", "_address", "_agent", "_backlog", "_backlog_size", "_chunks", "_closing", "_core", "_deaf",
        "_dropped", "_failure", "_flushing", "_full", "_given_up", "_held", "_home", "_in_transport", "_is_lost",
        "_keepalive", "_loop", "_lost", "_max_size", "_missing", "_needed", "_opening", "_outcome", "_paused",
        "_pieces", "_protocols", "_queue", "_queued", "_size", "_task", "_timer", "_tls", "_transport", "_unconfirmed",
        "_user", "_written", "canceled", "drained", "refusal", "state", "url", "__weakref__",
    )  # fmt: skip

    def __init__(self, url: str, protocols: list[str], user: User) -> None:
        self._home = Home()
        self._loop: asyncio.AbstractEventLoop = self._home.loop
        self._agent = agent = UserAgent.current()
        self._address = parse(url, agent.base)
        if agent.forbids(self._address):
            raise DOMException(f"{self._address.href!r} is not secure, and the origin is: use wss://", "SecurityError")
        self._protocols = protocols
        self.url = self._address.href
        self.state = CONNECTING

        # The program's object is held only while it listens: otherwise it may be collected.
        self._user = weakref.ref(user, self._collected)
        self._held: User | None = None

        # While connecting there is an opening, from then on a transport and the library's core.
        self._opening: Opening | None = None
        self._transport: asyncio.Transport | None = None
        self._tls = False  # whether TLS is the transport's: by the server's or by a proxy's
        self._core: ClientProtocol
        self._is_lost = False
        self._lost: asyncio.Future[None] | None = None  # while somebody waits for that
        self._failure: str | None = None
        self._given_up = self._deaf = self._aborted = False
        self._timer: asyncio.TimerHandle | None = None
        self._keepalive: Keepalive | None = None
        self._outcome: tuple[bool, bool, int, str] | None = None  # while it is told
        self.refusal: Refusal | None = None
        """What the server answered instead of accepting; for `ReconnectingWebSocket`."""
        self.canceled = False
        """Whether the program's tasks, and this one with them, were canceled."""

        # Received: chunks of a frame that needs `_needed` bytes, or the pieces of a message that is fragmented, or
        # large and `_missing` bytes.
        self._max_size = sys.maxsize if agent.max_size is None else agent.max_size
        self._chunks: list[bytes] = []
        self._size = self._needed = 0
        self._missing = 0
        self._pieces = NOTHING

        # Sent by the program and not yet written; then the Close frame that follows it.
        self._queue: list[tuple[int, bytes]] = []
        self._closing: tuple[int | None, str] | None = None
        self._flushing = False

        # What a stream asks for.
        self.drained: Callable[[], object] | None = None
        self._paused = False

        # Written, but the transport is full: it holds little, so that to ask how much costs the same always.
        self._full = False
        self._backlog: deque[bytes] = EMPTY
        self._backlog_size = 0

        # Payload bytes: in the queue; written, in all and each with the byte of the stream it ends at; never sent.
        self._queued = 0
        self._unconfirmed = 0
        self._in_transport: deque[tuple[int, int]] = EMPTY
        self._written = 0
        self._dropped = 0

        self._task: asyncio.Task[None] | None = None
        self._task = self._loop.create_task(self._run())
        self._task.add_done_callback(self._finish)

    # What the program asks.

    def send(self, data: str | bytes) -> int:
        """Send a message as soon as control returns to the loop, if OPEN; the state."""
        if self.state != OPEN:
            return self.state
        if get_ident() != self._home.thread:
            self._home.check()
        if not self._flushing:
            self._flush_soon()
        if isinstance(data, bytes):
            first, payload = BINARY, data
        else:
            try:
                first, payload = TEXT, data.encode()
            except UnicodeEncodeError:
                first, payload = TEXT, scalar(data).encode()
        self._queued += len(payload)
        self._queue.append((first, payload))
        if self._agent.max_buffered is not None and self.buffered > self._agent.max_buffered:
            self._loop.call_soon(self._overflow)
        return OPEN

    def close(self, code: int | None, reason: str) -> None:
        """Start the closing handshake, after what was sent; while connecting, give up."""
        self._home.check()
        if self.state == CONNECTING:
            self._given_up = self._deaf = True
            if self._task is not None and self._opening is not None:  # and not on its way to the end already
                self._task.cancel()
        else:
            self._closing = (code, reason)
            self._flush_soon()
            self.pause(False)  # the server's answer is still to be read
        self.state = CLOSING

    def time_out(self, name: str, seconds: float) -> None:
        """Give up while connecting, because a limit of that name is over: the log says what took the time."""
        if self._opening is not None and self.state == CONNECTING:
            self._failure = self._opening.timed_out(name, seconds)
        self.close(None, "")

    @property
    def held(self) -> bool:
        """Whether the program's object stays alive although nothing else may refer to it."""
        return self._held is not None

    @held.setter
    def held(self, value: bool) -> None:
        self._held = self._user() if value else None

    @property
    def buffered(self) -> int:
        """Payload bytes that the network has not taken: in the queue, written and not confirmed, or never sent."""
        self._account()
        return self._queued + self._unconfirmed + self._dropped

    # What a stream asks.

    def pause(self, paused: bool) -> None:
        """Read no more from the network for now, or again; the rest of what was read comes up still."""
        if paused == self._paused or (paused and self.state != OPEN):
            return
        self._paused = paused
        # What is paused stands in no selector: without this, nothing alive would know it.
        (_paused.add if paused else _paused.discard)(self)
        if self._transport is not None and not self._transport.is_closing():
            (self._transport.pause_reading if paused else self._transport.resume_reading)()

    @property
    def paused(self) -> bool:
        """Whether nothing is read for now."""
        return self._paused

    @property
    def full(self) -> bool:
        """Whether more waits to be sent than the network takes; `drained` is called when that may be over."""
        return self._queued + self._unconfirmed >= HIGH_WATER and self.buffered >= HIGH_WATER

    def _tell_drained(self) -> None:
        if self.drained is not None:
            self._loop.call_soon(self.drained)

    # The life of a connection: one task, and when it is done, `_finish` is the one ending.

    async def _run(self) -> None:
        """Live until TCP has ended: nothing is above this in the task, and nothing of the ending is left undone."""
        try:
            if self._task is None:  # a loop may begin its tasks eagerly: nothing may happen inside the constructor
                await asyncio.sleep(0)
            if self._given_up:
                return
            await self._open()
            if self._transport is not None:
                await self._until_lost()
        except asyncio.CancelledError:
            self.canceled = True
            # The program ends: https://html.spec.whatwg.org/multipage/document-lifecycle.html#unloading-documents
            self._go_away()
            await self._hang_up()
            raise
        except GeneratorExit:  # the loop was closed before, and no callback of it will ever run
            self.state = CLOSED
            self._held = None
            raise

    async def _open(self) -> None:
        """Connect; what fails is kept as the reason, and what was given up by `close()` is no failure."""
        agent = self._agent
        opening = self._opening = Opening(self._address, agent, self._protocols, self._begin)
        try:
            async with asyncio.timeout(agent.opening_timeout) as limit:
                await opening.run()
        except asyncio.CancelledError:
            if not self._given_up:
                raise
        except Exception as error:
            if self._transport is not None:
                return  # the server has accepted in the very last moment
            if limit.expired():
                self._failure = opening.timed_out("opening_timeout", agent.opening_timeout)
            else:
                self._failure = str(error) if isinstance(error, FailedError) else describe(error)
        finally:
            self._opening = None
            if self._transport is None and opening.refusal is not None:  # whatever has ended it while its body came
                self.refusal = opening.refusal
                self._failure = opening.refused()

    def _begin(self, transport: asyncio.Transport, core: ClientProtocol, response: Response, rest: bytes) -> None:
        """Take over from the opening handshake, with what has come behind it."""
        if self.state != CONNECTING:
            transport.abort()
            return
        is_calling = False  # whether the program is called
        try:
            self._transport, self._core = transport, core
            transport.set_protocol(self)
            # What the network does not take at once is to be told at once: see `_write`. (TLS, a proxy's too, compares
            # otherwise.)
            self._tls = transport.get_extra_info("ssl_object") is not None
            transport.set_write_buffer_limits(1 if self._tls else 0, 0)
            self.state = OPEN
            agent = self._agent
            if agent.ping_interval is not None:
                self._keepalive = Keepalive(self, agent.ping_interval, agent.ping_timeout)
            extensions = ", ".join(response.headers.get_all("Sec-WebSocket-Extensions"))
            response.headers.clear()  # the library keeps them for as long as the connection lives
            if rest:  # to be received whatever the program does meanwhile
                self._keep(rest, 0, 0)
            user = self._user()
            is_calling = user is not None
            if user is not None:
                user._pyws_opened(core.subprotocol or "", extensions)
            is_calling = False
            self._go_on()
        except BaseException as error:
            if not (is_calling and isinstance(error, (KeyboardInterrupt, SystemExit))):
                self._break(error)
                return
            runtime.interrupt(error)  # of a listener
            self._go_on_later()

    def _finish(self, _: object = None) -> None:
        """End it, when the task is done, and tell who is above.

        Listeners, and Ctrl-C between any two lines, may cut it short: then it goes on where it was.
        https://websockets.spec.whatwg.org/#dom-websocket-close, "when the WebSocket connection is closed"
        """
        try:
            runtime.insist(self._end)
        except BaseException as error:
            runtime.stop_short(error)

    def _end(self) -> None:
        if self.state != CLOSED:
            self._outcome = self._conclude()
            self.state = CLOSED
        if self._outcome is not None:
            user, self._held = self._user(), None
            if user is not None:
                user._pyws_closed(*self._outcome)
            self._outcome = None

    def _conclude(self) -> tuple[bool, bool, int, str]:
        """Clear up, and say how it has ended: failed, clean, the server's code and reason."""
        was_open = self._transport is not None
        assert self._task is not None
        if self._task.cancelled():
            self.canceled = True
        elif (error := self._task.exception()) is not None:
            self._failure = self._failure or describe(error)
        close = self._core.close_rcvd if was_open else None
        failed = self._failure is not None or (not was_open and not self.canceled)
        self._end_timers()
        _paused.discard(self)
        if self._transport is not None:
            self._transport.abort()  # it has ended, unless somebody has canceled the task twice
        self._drop_queue()
        clean = close is not None and not failed and self._core.close_sent is not None
        clean = clean and not self._dropped and not self._in_transport
        if not clean:
            self._log_end(failed)
        self._backlog = EMPTY
        self._chunks.clear()
        self._pieces = NOTHING
        return (failed, clean, 1006, "") if close is None else (failed, clean, int(close.code), close.reason)

    def _log_end(self, failed: bool) -> None:
        """Tell why the end is not clean: the one line of this connection."""
        level = logging.WARNING
        if self._failure is not None:
            reason = self._failure
        elif self.canceled:
            level, reason = logging.INFO, "the program's tasks were canceled"
        elif self._transport is None:
            reason = "the program closed it before it was open"
        elif self._core.close_rcvd is None and self._core.close_sent is None:
            within = " in the middle of a message" if self._is_within_message() else ""
            reason = f"the server ended the connection{within}, without a Close frame"
        elif self._core.close_rcvd is None:
            timeout = f" within closing_timeout, {self._agent.closing_timeout:g} seconds" if self._aborted else ""
            reason = f"the server did not answer the Close frame{timeout}"
        else:
            lost = self._dropped + self._unconfirmed
            what = f"{lost} bytes that wait to be sent" if lost else "our Close frame"
            reason = f"the server closed it before {what} had left"
        how = "failed" if failed else "did not end cleanly"
        self._log(level, f"{how}: {reason}")

    def _log(self, level: int, outcome: str) -> None:
        logger.log(level, "WebSocket connection to %r %s", self._address.public, outcome)

    def _is_within_message(self) -> bool:
        return bool(self._chunks or self._missing or self._core.current_size is not None)

    def _until_lost(self) -> asyncio.Future[None]:
        """Return what is done when TCP has ended, canceled if who waits is: for one to wait for, once."""
        self._lost = self._loop.create_future()
        if self._is_lost:
            self._lost.set_result(None)
        return self._lost  # and no coroutine, whose frame every idle connection would keep

    async def _hang_up(self) -> None:
        """End TCP, within a moment, and wait until it has ended: the program ends."""
        if self._transport is None or self._is_lost:
            return
        self._deaf = True
        self._close_transport()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER):
                    await self._until_lost()
        finally:
            self._abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                await self._until_lost()

    def _go_away(self) -> None:
        # https://websockets.spec.whatwg.org/#make-disappear
        if self._transport is not None and self._core.state is State.OPEN and not self._deaf:
            self._flush()
            if self._core.state is State.OPEN:
                self._core.send_close(1001)
                self._write_core()
            self._write_backlog(True)
        if self.state == OPEN:
            self.state = CLOSING

    def _collected(self, _: object) -> None:
        # https://websockets.spec.whatwg.org/#garbage-collection; this may run in any thread
        try:
            self._loop.call_soon_threadsafe(self._forsaken)
        except RuntimeError:
            return  # the loop is closed, and with it the connection

    def _forsaken(self) -> None:
        if self.state < CLOSING:
            self.close(None, "")

    # What the transport tells.

    def connection_lost(self, exc: Exception | None) -> None:
        """TCP has ended: by a reset if there is an exception."""
        try:
            self._end_timers()
            if exc is not None and self._core.close_rcvd is None and self._failure is None and not self.canceled:
                self._failure = describe_loss(exc)
            if exc is None and not self._aborted:
                self._in_transport = EMPTY
                self._unconfirmed = 0
        finally:
            self._is_lost = True
            if self._lost is not None and not self._lost.done():
                self._lost.set_result(None)

    def _end_timers(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._keepalive is not None:
            self._keepalive.stop()

    def eof_received(self) -> None:
        """End TCP from our side too, after what is being written."""
        try:
            self._deaf = True
            self._write_backlog(True)
            self._set_timer(self._agent.closing_timeout if self._core.close_rcvd else LINGER, self._abort)
        except BaseException as error:
            self._break(error)

    def data_received(self, data: bytes) -> None:
        """Take what arrived: each message is dispatched at once, one after the other."""
        try:
            if self._keepalive is not None:
                self._keepalive.heard = True
            self._flush()
            self._flushing = True  # what listeners send goes out together, right here
            try:
                self._receive(data)
            finally:
                self._flush()
        except BaseException as error:
            self._break(error)

    def _go_on_later(self) -> None:
        """Receive what was kept when the loop goes on: uvloop ends its turn before it raises what ends a program."""
        self._loop.call_soon(self._loop.call_soon, self._go_on)

    def _go_on(self) -> None:
        """Receive what was kept, if it is enough, and unless the program has ended."""
        if self._chunks and self._size >= self._needed and self._task is not None and not self._task.cancelling():
            self.data_received(b"")

    def _break(self, error: BaseException) -> None:
        """End TCP after an exception between any two lines here, such as Ctrl-C: nobody knows what was done."""
        self._deaf = True
        self._failure = self._failure or f"it was cut short by {type(error).__name__}"
        self._abort()
        runtime.stop_short(error)

    # Receiving: whole plain messages here, everything else through the library.

    def _receive(self, data: bytes) -> None:
        """Take the next bytes of the server. What a listener cuts off that ends the program is kept for later."""
        if self._deaf:
            return
        position = 0  # all before it was handled
        user = self._user()
        try:
            if self._chunks:
                self._chunks.append(data)
                self._size += len(data)
                if self._size < self._needed:
                    return
                data = b"".join(self._chunks)
                self._chunks = []
            elif self._missing:
                position = self._missing
                message = self._receive_more(data[:position])
                if message is not None and user is not None:
                    user._pyws_received(message, now())
            core, max_size = self._core, self._max_size
            whole = core.current_size is None  # no fragmented message is in progress
            end = len(data)
            while position < end:
                first = data[position]
                start = position + 2
                try:
                    length = data[position + 1]
                    if length > 125:
                        if length > 127:
                            self._judge(data[position:start])  # masked: the library refuses it
                            return
                        start += 2 if length == 126 else 8
                        shortest = 126 if length == 126 else 65536
                        length = data[position + 2] << 8 | data[position + 3]
                        if shortest > 126:
                            length = int.from_bytes((*data[position + 2 : start - 1], data[start - 1]), "big")
                        # RFC 6455, 5.2: "the minimal number of bytes", "the most significant bit MUST be 0"
                        if length < shortest or length >> 63:
                            self._fail(1002, "the length of a frame is encoded against RFC 6455, 5.2")
                            return
                except IndexError:
                    self._keep(data, position, start)
                    return
                stop = start + length
                if length > max_size:
                    self._fail(1009, f"a message of {length} bytes is larger than max_size, {self._max_size} bytes")
                    return
                if stop > end:
                    if length >= LARGE and whole and first in (TEXT, BINARY):
                        self._pieces = Pieces(first == TEXT)
                        self._missing = length
                        self._receive_more(data[start:])
                    else:
                        self._keep(data, position, stop)
                    return
                frame = position
                position = stop
                if whole and first == TEXT:
                    if self.state == OPEN and user is not None:
                        try:
                            text = data[start:stop].decode()
                        except UnicodeDecodeError as error:
                            self._fail(1007, f"a text message is not UTF-8: {error}")
                            return
                        user._pyws_received(text, now())
                elif whole and first == BINARY:
                    if self.state == OPEN and user is not None:
                        user._pyws_received(data[start:stop], now())
                else:
                    message = self._judge(data[frame:stop])
                    if message is not None and self.state == OPEN and user is not None:
                        user._pyws_received(message, now())
                    if self._deaf:
                        return
                    whole = core.current_size is None
        except (KeyboardInterrupt, SystemExit) as ending:
            if not _is_of_listener(ending):
                raise
            if not self._deaf:
                self._keep(data, position, position)
            runtime.interrupt(ending)
            self._go_on_later()

    def _keep(self, data: bytes, start: int, stop: int) -> None:
        """Wait for the rest of a frame, or of its head."""
        self._chunks = [data[start:]]
        self._size = len(data) - start
        self._needed = stop - start

    def _receive_more(self, data: bytes) -> str | bytes | None:
        """Add to a large message, which is never joined before it is whole; the message, if it is."""
        self._missing -= len(data)
        return self._add(data, not self._missing)

    def _add(self, data: bytes, final: bool) -> str | bytes | None:
        if self.state != OPEN:
            return None
        try:
            self._pieces.add(data, final)
        except UnicodeDecodeError as error:
            self._fail(1007, f"a text message is not UTF-8: {error}")
            return None
        if not final:
            return None
        message, self._pieces = self._pieces.joined(), NOTHING
        return message

    def _judge(self, data: bytes) -> str | bytes | None:
        """Leave a frame to the library, and do what it says; the message, if one is whole now."""
        core = self._core
        message = None
        if data[0] & 0x0F != 8:
            self._flush()  # what was sent before a frame that may be the last goes out before the answer to that
        elif core.current_size is not None:
            core.current_size = None  # RFC 6455, 5.4: a Close frame may come between fragments; the library refuses
        core.receive_data(data)
        for frame in core.events_received():
            assert isinstance(frame, Frame)
            if frame.opcode is Opcode.CLOSE:
                self._receive_close()
            elif frame.opcode is Opcode.PING:
                self._write_core()
            elif frame.opcode is not Opcode.PONG and self.state == OPEN:
                message = self._receive_fragment(frame)
        if core.parser_exc is not None:
            self._failed(f"the server broke the protocol: {core.parser_exc}")
        return message

    def _receive_fragment(self, frame: Frame) -> str | bytes | None:
        if frame.opcode is not Opcode.CONT:
            self._pieces = Pieces(frame.opcode is Opcode.TEXT)
        return self._add(bytes(frame.data), frame.fin)

    # What the user agent's owner may ask for.

    def ping(self) -> bool:
        """Send a Ping, unless the end has begun; whether it was sent."""
        if self.state != OPEN or self._deaf:
            return False
        self._core.send_ping(b"")
        self._write_core()
        return True

    @property
    def progress(self) -> int:
        """A number that grows as the other side takes what was sent."""
        self._account()
        waiting = 0 if self._transport is None else self._transport.get_write_buffer_size()
        return self._written - self._backlog_size - waiting - unacknowledged(self._transport)

    def expire(self, seconds: float) -> None:
        """Fail the connection, whose server has given no sign of life; a program that does not read sees none."""
        if self.state == OPEN and not self._deaf:
            self._fail(1011, f"the server gave no sign of life within {seconds:g} seconds")

    def _overflow(self) -> None:
        if self.state == OPEN and not self._deaf:
            self._fail(1011, f"more than max_buffered, {self._agent.max_buffered} bytes, wait for the network")

    def _receive_close(self) -> None:
        # The closing handshake started when the frame arrived: what a listener of the same read sent or asked after
        # that is counted, never sent. The library has the answer ready.
        self._deaf = True
        self.state = CLOSING
        self._drop_queue()
        self._closing = None
        self._write_core()
        self.pause(False)  # no message comes any more, but the end of TCP
        self._set_timer(LINGER, self._end_tcp)

    def _fail(self, code: int, reason: str) -> None:
        # RFC 6455, 7.1.7
        self._flush()
        self._core.fail(code, reason[:100])
        self._failed(reason)

    def _failed(self, reason: str) -> None:
        self._deaf = True
        self._failure = reason
        # What was sent before the failure goes out before the library's Close frame.
        self._write_queue()
        self._write_core()
        self._close_transport()
        self._set_timer(LINGER, self._abort)

    # Sending: everything that one task sent is written together when it ends.

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Write what waits in the queue, and then the Close frame; in any state."""
        try:
            self._flushing = False
            if self._queue:
                core = self._core
                if core.state is not State.OPEN or self._deaf:
                    self._drop_queue()
                elif core.extensions:
                    for first, payload in self._queue:
                        if first == TEXT:
                            core.send_text(payload)
                        else:
                            core.send_binary(payload)
                    self._write(b"".join(core.data_to_send()), self._queued)
                    self._queue = []
                    self._queued = 0
                else:
                    self._write_queue()
                self._tell_drained()
            if self._closing is not None:
                code, reason = self._closing
                self._closing = None
                if self._core.state is State.OPEN and not self._deaf:
                    self._core.send_close(code, reason)
                    self._write_core()
                    self._set_timer(self._agent.closing_timeout, self._abort)
        except BaseException as error:
            self._break(error)

    def _write_queue(self) -> None:
        """Write each message as one frame, masked (RFC 6455, 5.2 and 5.3), and small ones together."""
        if not self._queue:
            return
        masks = os.urandom(4 * len(self._queue))
        parts = []
        size = position = 0
        for first, payload in self._queue:
            length = len(payload)
            if length < 126:
                parts.append(bytes((first, 128 | length)))
            elif length < 65536:
                parts.append(bytes((first, 254, length >> 8, length & 255)))
            else:
                parts.append(bytes((first, 255)) + length.to_bytes(8, "big"))
            mask = masks[position : position + 4]
            position += 4
            parts.append(mask)
            if length >= LARGE:
                self._write(b"".join(parts), size)
                self._write(apply_mask(payload, mask), length)
                parts = []
                size = 0
            else:
                parts.append(apply_mask(payload, mask))
                size += length
        if parts:
            self._write(b"".join(parts), size)
        self._queue = []
        self._queued = 0

    def _drop_queue(self) -> None:
        self._dropped += self._queued
        self._queued = 0
        self._queue = []

    def _write_core(self) -> None:
        data = b"".join(self._core.data_to_send())
        if data:
            self._write(data, 0)

    def _write(self, data: bytes, payload: int) -> None:
        """Write to the network, or behind what waits for it; `payload` bytes of it are the program's."""
        assert self._transport is not None
        if self._tls and len(data) > HIGH_WATER:
            # A transport of TLS counts what it has encrypted as taken. Of what comes in pieces, it refuses the next.
            for start in range(0, len(data), HIGH_WATER):
                piece = data[start : start + HIGH_WATER]
                self._write(piece, payload if start + len(piece) == len(data) else 0)
            return
        self._written += len(data)
        if self._full:
            if not self._backlog:
                self._backlog = deque()
            self._backlog.append(data)
            self._backlog_size += len(data)
        elif not self._transport.is_closing():  # else uvloop raises
            self._transport.write(data)
            if not self._full and not self._transport.is_closing():
                return  # the network has taken all
        self._unconfirmed += payload
        if not self._in_transport:
            self._in_transport = deque()
        self._in_transport.append((self._written, payload))

    def pause_writing(self) -> None:
        """Learn from the transport that the network does not take all of it now."""
        self._full = True

    def resume_writing(self) -> None:
        """Learn that the network has taken all."""
        self._full = False
        self._account()
        self._write_backlog()
        self._tell_drained()

    def _write_backlog(self, whole: bool = False) -> None:
        """Write what has waited, as much as the network takes, or the whole of it because nothing more follows."""
        backlog, transport = self._backlog, self._transport
        assert transport is not None
        while backlog and (whole or not self._full):
            parts = [backlog.popleft()]
            size = len(parts[0])
            while backlog and size < HIGH_WATER:
                parts.append(backlog.popleft())
                size += len(parts[-1])
            self._backlog_size -= size
            if not transport.is_closing():
                transport.write(b"".join(parts))

    def _account(self) -> None:
        """Forget what the network has taken. A transport that is closing may have thrown its buffer away."""
        written = self._in_transport
        if written and self._transport is not None and not self._transport.is_closing():
            taken = self._written - self._backlog_size - self._transport.get_write_buffer_size()
            while written and written[0][0] <= taken:
                self._unconfirmed -= written.popleft()[1]

    # The end of TCP.

    def _set_timer(self, seconds: float, action: Callable[[], object]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, action)

    def _close_transport(self) -> None:
        """End TCP after all that was written."""
        assert self._transport is not None
        self._write_backlog(True)
        self._transport.close()

    def _end_tcp(self) -> None:
        self._close_transport()
        self._set_timer(self._agent.closing_timeout, self._abort)

    def _abort(self) -> None:
        self._aborted = True
        if self._transport is not None:
            self._transport.abort()


_paused: set[Connection] = set()
EMPTY: deque[Any] = deque(maxlen=0)  # what each idle connection has in common: nothing waits
_utf8 = codecs.getincrementaldecoder("utf-8")
NOTHING = Pieces(False)


class StreamConnection(Connection):
    """A connection of a stream; one that is idle connects to nothing, and ends."""

    __slots__ = ("sent",)

    def __init__(self, url: str, protocols: list[str], user: User, idle: bool) -> None:
        super().__init__(url, protocols, user)
        self._given_up = idle
        self.sent = 0
        """Payload bytes of all that `send` took."""

    def send(self, data: str | bytes) -> int:
        """Send a message as soon as control returns to the loop, if OPEN; the state."""
        queued = self._queued
        state = super().send(data)
        self.sent += self._queued - queued
        return state

    @property
    def gone(self) -> int:
        """Those of them that have left: `drained` is called when there are more."""
        return self.sent - self.buffered


def _is_of_listener(error: BaseException) -> bool:
    """Tell whether an exception that the caller has caught came up from the program, and not from between two lines."""
    below = error.__traceback__ and error.__traceback__.tb_next
    return below is not None and below.tb_frame.f_code.co_name == "_pyws_received"


def describe(error: BaseException) -> str:
    """Tell an exception in one line: an error of the operating system as it is."""
    return escape(str(error)) or type(error).__name__


def unacknowledged(transport: asyncio.Transport | None) -> int:
    """Return how many bytes the kernel holds that the other side has not acknowledged, where the system tells; or 0."""
    sock = None if transport is None else transport.get_extra_info("socket")
    if sock is None or sys.platform != "linux":
        return 0
    import fcntl
    import struct
    import termios

    try:
        return int(struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0])
    except OSError:
        return 0

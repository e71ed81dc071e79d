"""The WebSocket protocol on CPython: an asyncio transport around the sans-I/O core of `websockets`.

Its law: one task lives as long as the connection, and its end is the one ending. The library is the judge of the
protocol; only plain whole messages take a short cut, in `_receive` and `_flush`.
https://www.rfc-editor.org/rfc/rfc6455
"""

import asyncio
import base64
import codecs
import contextlib
import logging
import os
import re
import socket
import sys
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import unquote_to_bytes

from aiohappyeyeballs import AddrInfoType, start_connection
from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Origin, Subprotocol
from websockets.uri import WebSocketURI

from .deflate import DeflateFactory
from .dom import DOMException, scalar
from .loop import Home, now
from .url import BAD_PORTS, parse
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

HEAD_START = 0.25
"""Seconds that one address of a host has before the next is tried too (RFC 8305, 5), as in Chromium."""

LONGEST_HEAD = 262144
"""Bytes of the head of the server's answer, as in Chromium."""
USER_AGENT = "pyws/0.1.0"

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


class FailedError(Exception):
    """The connection is failed: the message says why, and what to do."""


class Connection(asyncio.Protocol):
    """One connection, from connecting to its end: the other side of the seam."""

    # A third of the memory that a dict of them takes.
    __slots__ = (
        "_aborted", "_address", "_agent", "_answer", "_attempting", "_chunks", "_closing", "_core", "_deaf",
        "_dropped", "_failure", "_flushing", "_full", "_given_up", "_head", "_heard", "_held", "_home",
        "_in_transport", "_life", "_loop", "_loss", "_lost", "_max_size", "_missing", "_needed", "_paused",
        "_pieces", "_protocols", "_queue", "_queued", "_reset", "_size", "_task", "_timer", "_transport", "_user",
        "_written", "drained", "state", "url", "__weakref__",
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

        self._transport: asyncio.Transport | None = None
        self._core: ClientProtocol
        self._answer: asyncio.Future[Response | None] | None = None  # while there is none
        self._lost = False
        self._loss: asyncio.Future[None] | None = None
        self._reset: Exception | None = None
        self._failure: FailedError | None = None
        self._given_up = self._attempting = self._deaf = self._aborted = False
        self._timer: asyncio.TimerHandle | None = None
        self._life: asyncio.TimerHandle | None = None
        self._heard = False

        # Received: the head of the response; chunks of a frame that needs `_needed` bytes, or the pieces of a message
        # that is fragmented, or large and `_missing` bytes.
        self._head = b""
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
        self._full = self._paused = False

        # Payload bytes: in the queue; in the transport, each with the byte of the stream it ends at; never sent.
        self._queued = 0
        self._in_transport: list[tuple[int, int]] = []
        self._written = 0
        self._dropped = 0

        self._task = self._loop.create_task(self._live())

    # What the program asks.

    def send(self, data: str | bytes) -> int:
        """Send a message as soon as control returns to the loop, if OPEN; the state."""
        if self.state != OPEN:
            return self.state
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
            if self._attempting:  # and not on its way to the end already
                self._task.cancel()
        else:
            self._closing = (code, reason)
            self._flush_soon()
            self.pause(False)  # the server's answer is still to be read
        self.state = CLOSING

    @property
    def held(self) -> bool:
        """Whether the program's object stays alive although nothing else may refer to it."""
        return self._held is not None

    @held.setter
    def held(self, value: bool) -> None:
        self._held = self._user() if value else None

    @property
    def buffered(self) -> int:
        """Payload bytes that the network has not taken."""
        self._account()
        return self._queued + sum(size for _, size in self._in_transport) + self._dropped

    # What a stream asks.

    def pause(self, paused: bool) -> None:
        """Read no more from the network for now, or again; the rest of what was read comes up still."""
        if paused == self._paused or (paused and self.state != OPEN):
            return
        self._paused = paused
        if self._transport is not None and not self._transport.is_closing():
            (self._transport.pause_reading if paused else self._transport.resume_reading)()

    @property
    def full(self) -> bool:
        """Whether more waits to be sent than the network takes; `drained` is called when that is over."""
        return self._full or self._queued >= HIGH_WATER

    def pause_writing(self) -> None:
        """Learn from the transport that its buffer is full."""
        self._full = True

    def resume_writing(self) -> None:
        """Learn that it is not any more."""
        self._full = False
        self._tell_drained()

    def _tell_drained(self) -> None:
        if self.drained is not None and not self.full:
            self._loop.call_soon(self.drained)

    # The life of a connection: one task, and its end is the one ending.

    async def _live(self) -> None:
        failed = True
        try:
            if not self._given_up:
                self._attempting = True
                try:
                    async with asyncio.timeout(self._agent.opening_timeout):
                        await self._establish()
                finally:
                    self._attempting = False
                await self._until_lost()
                reason = self._failure or (self._reset if self._core.close_rcvd is None else None)
                failed = reason is not None
                if failed:
                    self._log(reason)
        except asyncio.CancelledError:
            if not self._given_up:
                # The program ends: https://html.spec.whatwg.org/multipage/document-lifecycle.html#unloading-documents
                self._go_away()
                await self._hang_up(LINGER)
                self.state = CLOSED
                raise
        except TimeoutError:
            self._log(f"the server did not answer the opening handshake within {self._agent.opening_timeout:g} seconds")
        except Exception as error:
            self._log(error)
        await self._hang_up()
        self._end(failed)

    def _end(self, failed: bool) -> None:
        # https://websockets.spec.whatwg.org/#dom-websocket-close, "when the WebSocket connection is closed"
        self.state = CLOSED
        self._dropped += self._queued
        self._queued = 0
        self._queue.clear()
        self._chunks.clear()
        self._pieces = NOTHING
        user, self._held = self._user(), None
        close = None if self._transport is None else self._core.close_rcvd
        if user is None:
            return
        if close is None:
            user._pyws_closed(failed, False, 1006, "")
        else:
            clean = not failed and self._core.close_sent is not None and not self._dropped and not self._in_transport
            user._pyws_closed(failed, clean, int(close.code), close.reason)

    async def _establish(self) -> None:
        address = self._address
        if self._agent.blocked_ports and address.port in BAD_PORTS:
            raise FailedError(
                f"port {address.port} is blocked (https://fetch.spec.whatwg.org/#port-blocking): use another"
            )
        # RFC 6455, 4.1: one connection to an address and port is CONNECTING at a time; a proxy's are known by name.
        proxy = self._agent.proxy_for(address.secure, address.host, address.port)
        places: Sequence[AddrInfoType] = ()  # of a host that has a name
        if proxy is None and not _is_address(address.host):
            places = await self._loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        hosts = {str(place[4][0]) for place in places} or {address.host}
        async with contextlib.AsyncExitStack() as turns:
            for host in sorted(hosts):
                turn = _turns.setdefault((self._loop, host, address.port), asyncio.Lock())
                await turns.enter_async_context(turn)
            response = await self._attempt(proxy, places)
            if response.status_code == 401 and (address.username or address.password) and _asks_for_basic(response):
                await self._hang_up()
                response = await self._attempt(proxy, places, _basic(address.username, address.password))
        if response.status_code != 101:
            raise FailedError(
                f"the server answered {response.status_code} {response.reason_phrase} instead of 101: "
                "is this the URL of a WebSocket?"
            )

    async def _attempt(
        self, proxy: str | None, places: Sequence[AddrInfoType], authorization: str | None = None
    ) -> Response:
        address, agent = self._address, self._agent
        self._core = ClientProtocol(
            WebSocketURI(address.secure, address.host, address.port, "", ""),
            origin=None if agent.origin is None else Origin(agent.origin),
            extensions=[DeflateFactory(compress_settings={"memLevel": 5})] if agent.compression else None,
            subprotocols=[Subprotocol(name) for name in self._protocols] or None,
            max_size=agent.max_size,
            logger=logger,
        )
        self._head = b""
        self._answer = self._loop.create_future()
        self._lost = False
        try:
            await self._connect(proxy, places)
        except BaseException:
            # What it had begun ends in the next round; uvloop then tells nobody that the transport was lost.
            self._attempting = False
            await asyncio.sleep(0)
            self._transport = None
            raise
        request = self._core.connect()
        request.path = address.resource
        request.headers["Pragma"] = "no-cache"
        request.headers["Cache-Control"] = "no-cache"
        request.headers["User-Agent"] = USER_AGENT
        for name, value in agent.headers.items():
            request.headers.pop(name, None)
            request.headers[name] = value
        if authorization is not None:
            request.headers.pop("Authorization", None)
            request.headers["Authorization"] = authorization
        if cookie := agent.cookie_for(address):
            request.headers["Cookie"] = cookie
        self._core.send_request(request)
        self._write_core()
        response = await self._answer
        self._answer = None
        if self._failure is not None:
            raise self._failure
        assert response is not None
        return response

    async def _connect(self, proxy: str | None, places: Sequence[AddrInfoType]) -> None:
        """Bring TCP about, through a proxy or to one of several places, and TLS on it."""
        address, agent = self._address, self._agent
        host: str | None = address.host
        port: int | None = address.port
        options: dict[str, object] = {}
        if address.secure:
            options.update(ssl=agent.context(), server_hostname=host, ssl_shutdown_timeout=LINGER)
        if proxy is not None:
            from python_socks.async_.asyncio import Proxy  # seldom needed, and slow to import

            options["sock"] = await Proxy.from_url(proxy).connect(address.host, address.port)
            host = port = None
        elif places:
            options["sock"] = await start_connection(places, happy_eyeballs_delay=HEAD_START)
            host = port = None
        # mypy cannot see which of its overloads fits options that are put together by name.
        await self._loop.create_connection(lambda: self, host, port, **options)  # type: ignore[call-overload]

    async def _hang_up(self, patience: float = 0) -> None:
        """End TCP, after `patience` seconds at most, and wait until it has ended."""
        if self._transport is None or self._lost:
            return
        if patience:
            self._transport.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._until_lost(), patience)
        self._abort()
        await self._until_lost()

    def _until_lost(self) -> asyncio.Future[None]:
        loss = self._loss = self._loop.create_future()
        if self._lost:
            loss.set_result(None)
        return loss  # and no coroutine, whose frame every idle connection would keep

    def _go_away(self) -> None:
        # https://websockets.spec.whatwg.org/#make-disappear
        if self._transport is not None and self._core.state is State.OPEN:
            self._flush()
            if self._core.state is State.OPEN:
                self._core.send_close(1001)
                self._write_core()

    def _collected(self, _: object) -> None:
        # https://websockets.spec.whatwg.org/#garbage-collection; this may run in any thread
        try:
            self._loop.call_soon_threadsafe(self._forsaken)
        except RuntimeError:
            return  # the loop is closed, and with it the connection

    def _forsaken(self) -> None:
        if self.state < CLOSING:
            self.close(None, "")

    def _log(self, reason: object) -> None:
        reason = str(reason) or type(reason).__name__
        logger.warning("WebSocket connection to %r failed: %s", self._address.public, reason)

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TCP, and TLS, are there."""
        self._transport = cast(asyncio.Transport, transport)
        self._written = 0

    def connection_lost(self, exc: Exception | None) -> None:
        """TCP has ended: by a reset if there is an exception."""
        for timer in (self._timer, self._life):
            if timer is not None:
                timer.cancel()
        if self._unanswered:
            self._fail_opening("the server ended the connection before it answered the opening handshake")
        if exc is None and not self._aborted:
            self._in_transport.clear()
        self._reset = exc
        self._lost = True
        if self._loss is not None and not self._loss.done():
            self._loss.set_result(None)

    def eof_received(self) -> None:
        """End TCP from our side too, after what is being written."""
        if self._unanswered:
            self._core.receive_eof()
            self._read_answer()
        self._deaf = True
        self._set_timer(self._agent.closing_timeout if self._core.close_rcvd else LINGER, self._abort)

    def data_received(self, data: bytes) -> None:
        """Take what arrived: each message is dispatched at once, one after the other."""
        try:
            if self.state == CONNECTING:
                self._receive_head(data)
            else:
                self._heard = True
                self._flush()
                self._flushing = True  # what listeners send goes out together, right here
                try:
                    self._receive(data)
                finally:
                    self._flush()
        except (KeyboardInterrupt, SystemExit) as error:
            # A listener ends the program. To uvloop it would be an error of this protocol, and the loop would go on.
            self._loop.call_soon(_interrupt, error)

    # The opening handshake.

    def _receive_head(self, data: bytes) -> None:
        if not self._unanswered:
            return
        seen = len(self._head)
        self._head += data
        end = self._head.find(b"\r\n\r\n", max(0, seen - 3)) + 4
        rest = b""
        if (end if end >= 4 else len(self._head)) > LONGEST_HEAD:
            self._fail_opening(f"the head of the server's answer is longer than {LONGEST_HEAD} bytes")
            return
        if end >= 4:
            data, rest = data[: end - seen], data[end - seen :]
        self._core.receive_data(data)
        self._read_answer()
        if self.state == OPEN:
            self._receive(rest)
            self._flush()
        elif end >= 4 and self._unanswered:
            # The library waits for the body of a refusal. Browsers do not.
            self._answered(_refusal(self._head[:end]))

    def _read_answer(self) -> None:
        core = self._core
        response = next((event for event in core.events_received() if isinstance(event, Response)), None)
        if response is not None:
            self._agent.keep_cookies(self._address, response.headers.raw_items())
        if core.handshake_exc is not None and (response is None or response.status_code == 101):
            self._fail_opening(str(core.handshake_exc.__cause__ or core.handshake_exc))
        elif response is None:
            return
        elif response.status_code != 101:
            self._answered(response)
        elif self._protocols and core.subprotocol is None:
            self._fail_opening(f"the server chose none of the subprotocols {', '.join(self._protocols)}")
        else:
            self._answered(response)
            self.state = OPEN
            if self._agent.ping_interval is not None:
                self._life = self._loop.call_later(self._agent.ping_interval, self._ask_for_life)
            user = self._user()
            if user is not None:
                extensions = ", ".join(response.headers.get_all("Sec-WebSocket-Extensions"))
                user._pyws_opened(core.subprotocol or "", extensions)
            response.headers.clear()  # the library keeps them for as long as the connection lives

    @property
    def _unanswered(self) -> bool:
        return self._answer is not None and not self._answer.done()

    def _answered(self, response: Response | None) -> None:
        assert self._answer is not None
        self._answer.set_result(response)

    def _fail_opening(self, reason: str) -> None:
        self._failure = FailedError(reason)
        self._answered(None)

    # Receiving: whole plain messages here, everything else through the library.

    def _receive(self, data: bytes) -> None:
        if self._deaf:
            return
        if self._chunks:
            self._chunks.append(data)
            self._size += len(data)
            if self._size < self._needed:
                return
            data = b"".join(self._chunks)
            self._chunks = []
        elif self._missing:
            data = self._receive_more(data)
        user, core, max_size = self._user(), self._core, self._max_size
        whole = core.current_size is None  # no fragmented message is in progress
        position, end = 0, len(data)
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
                self._judge(data[position:stop])
                if self._deaf:
                    return
                whole = core.current_size is None
            position = stop

    def _keep(self, data: bytes, start: int, stop: int) -> None:
        """Wait for the rest of a frame, or of its head."""
        self._chunks = [data[start:]]
        self._size = len(data) - start
        self._needed = stop - start

    def _receive_more(self, data: bytes) -> bytes:
        """Add to a large message, which is never joined before it is whole; what follows it."""
        missing = self._missing
        self._missing = max(0, missing - len(data))
        self._add(data[:missing], not self._missing)
        return data[missing:]

    def _add(self, data: bytes, final: bool) -> None:
        if self.state != OPEN:
            return
        try:
            self._pieces.add(data, final)
        except UnicodeDecodeError as error:
            self._fail(1007, f"a text message is not UTF-8: {error}")
            return
        if final and (user := self._user()) is not None:
            user._pyws_received(self._pieces.joined(), now())
            self._pieces = NOTHING

    def _judge(self, data: bytes) -> None:
        core = self._core
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
                self._receive_fragment(frame)
        if core.parser_exc is not None:
            self._failed(f"the server broke the protocol: {core.parser_exc}")

    def _receive_fragment(self, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._pieces = Pieces(frame.opcode is Opcode.TEXT)
        self._add(bytes(frame.data), frame.fin)

    # What the user agent's owner may ask for.

    def _ask_for_life(self) -> None:
        if self.state == OPEN and not self._deaf:
            self._heard = False
            self._core.send_ping(b"")
            self._write_core()
            self._life = self._loop.call_later(self._agent.ping_timeout, self._check_life)

    def _check_life(self) -> None:
        # A program that does not read does not see the Pong: that says nothing about the server.
        if (self._heard or self._paused) and self._agent.ping_interval is not None:
            self._life = self._loop.call_later(self._agent.ping_interval, self._ask_for_life)
        elif self.state == OPEN and not self._deaf:
            self._fail(1011, f"the server gave no sign of life within {self._agent.ping_timeout:g} seconds")

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
        self._failure = FailedError(reason)
        # What was sent before the failure goes out before the library's Close frame.
        self._write_queue()
        self._write_core()
        assert self._transport is not None
        self._transport.close()
        self._set_timer(LINGER, self._abort)

    # Sending: everything that one task sent is written together when it ends.

    def _flush_soon(self) -> None:
        if not self._flushing:
            # Asked of the first message of a batch only: of each, it would cost a tenth of `send`.
            self._home.check()
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
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
            if self.drained is not None:
                self._tell_drained()
        if self._closing is not None:
            code, reason = self._closing
            self._closing = None
            if self._core.state is State.OPEN and not self._deaf:
                self._core.send_close(code, reason)
                self._write_core()
                self._set_timer(self._agent.closing_timeout, self._abort)

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
        assert self._transport is not None
        self._written += len(data)
        self._in_transport.append((self._written, payload))
        if not self._transport.is_closing():  # else uvloop raises
            self._transport.write(data)
        self._account()

    def _account(self) -> None:
        """Forget what the network has taken. A transport that is closing may have thrown its buffer away."""
        if self._in_transport and self._transport is not None and not self._transport.is_closing():
            taken = self._written - self._transport.get_write_buffer_size()
            gone = 0
            for end, _ in self._in_transport:
                if end > taken:
                    break
                gone += 1
            del self._in_transport[:gone]

    # The end of TCP.

    def _set_timer(self, seconds: float, action: Callable[[], object]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, action)

    def _end_tcp(self) -> None:
        assert self._transport is not None
        self._transport.close()
        self._set_timer(self._agent.closing_timeout, self._abort)

    def _abort(self) -> None:
        assert self._transport is not None
        self._aborted = True
        self._transport.abort()


_utf8 = codecs.getincrementaldecoder("utf-8")
NOTHING = Pieces(False)


class StreamConnection(Connection):
    """A connection of a stream; one that is idle connects to nothing, and ends."""

    __slots__ = ()

    def __init__(self, url: str, protocols: list[str], user: User, idle: bool) -> None:
        super().__init__(url, protocols, user)
        self._given_up = idle


def _is_address(host: str) -> bool:
    """Tell whether a host of the URL standard is an IP address."""
    return ":" in host or host.replace(".", "").isdigit()


def _interrupt(error: BaseException) -> None:
    raise error


def _refusal(head: bytes) -> Response:
    """Return a head that the library has found well-formed as a response without a body."""
    status_line, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    _, status, reason = status_line.split(" ", 2)
    headers = Headers()
    for line in lines:
        name, _, value = line.partition(":")
        headers[name] = value.strip(" \t")
    return Response(int(status), reason, headers)


def _asks_for_basic(response: Response) -> bool:
    # https://www.rfc-editor.org/rfc/rfc9110#name-www-authenticate
    challenges = response.headers.get_all("WWW-Authenticate")
    return any(re.search(r"(^|,)\s*basic(\s|,|$)", challenge, re.IGNORECASE) for challenge in challenges)


def _basic(username: str, password: str) -> str:
    """Return the value of Authorization for a URL's credentials (RFC 7617)."""
    pair = unquote_to_bytes(username) + b":" + unquote_to_bytes(password)
    return "Basic " + base64.b64encode(pair).decode()


_turns: weakref.WeakValueDictionary[tuple[object, str, int], asyncio.Lock] = weakref.WeakValueDictionary()

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
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, cast
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

HEAD_START = 0.25
"""Seconds that one address of a host has before the next is tried too (RFC 8305, 5), as in Chromium."""

LONGEST_HEAD = 262144
"""Bytes of the head of the server's answer, as in Chromium."""
USER_AGENT = "pyws/0.1.0"

logger = logging.getLogger("pyws")


class User(Protocol):
    """Who is above the seam (see `websocket.py`)."""

    def _opened(self, protocol: str, extensions: str) -> None: ...
    def _received(self, data: str | bytes) -> None: ...
    def _closed(self, failed: bool, clean: bool, code: int, reason: str) -> None: ...


class FailedError(Exception):
    """The connection is failed: the message says why, and what to do."""


class Connection(asyncio.Protocol):
    """One connection, from connecting to its end: the other side of the seam."""

    def __init__(self, url: str, protocols: list[str], user: User) -> None:
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(
                "WebSocket needs a running event loop: open it inside `async def main()` and run that with "
                "`asyncio.run(main())`, or run the whole script with `python -m pyws run script.py`"
            ) from None
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
        self._answer: asyncio.Future[Response | None]
        self._lost: asyncio.Event
        self._reset: Exception | None = None
        self._failure: FailedError | None = None
        self._given_up = self._started = self._deaf = self._aborted = False
        self._timer: asyncio.TimerHandle | None = None
        self._life: asyncio.TimerHandle | None = None
        self._heard = False

        # Received: the head of the response; chunks of a frame that needs `_needed` bytes; a fragmented message.
        self._head = b""
        self._max_size = sys.maxsize if agent.max_size is None else agent.max_size
        self._chunks: list[bytes] = []
        self._size = self._needed = 0
        self._fragments: list[bytes] = []
        self._decoder: codecs.IncrementalDecoder | None = None

        # Sent by the program and not yet written; then the Close frame that follows it.
        self._queue: list[str | bytes] = []
        self._closing: tuple[int | None, str] | None = None
        self._flushing = False

        # Payload bytes: in the queue; in the transport, each with the byte of the stream it ends at; never sent.
        self._queued = 0
        self._in_transport: deque[tuple[int, int]] = deque()
        self._written = 0
        self._dropped = 0

        self._task = self._loop.create_task(self._live())

    # What the program asks.

    def send(self, data: str | bytes) -> None:
        """Send a message as soon as control returns to the loop."""
        if isinstance(data, bytes) or data.isascii():
            self._queued += len(data)
        else:
            data = scalar(data)
            self._queued += len(data.encode())
        self._queue.append(data)
        self._flush_soon()
        if self._agent.max_buffered is not None and self.buffered > self._agent.max_buffered:
            self._loop.call_soon(self._overflow)

    def close(self, code: int | None, reason: str) -> None:
        """Start the closing handshake, after what was sent; while connecting, give up."""
        if self.state == CONNECTING:
            self._given_up = True
            if self._started:
                self._task.cancel()
        else:
            self._closing = (code, reason)
            self._flush_soon()
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

    # The life of a connection: one task, and its end is the one ending.

    async def _live(self) -> None:
        self._started = True
        failed = True
        try:
            if not self._given_up:
                async with asyncio.timeout(self._agent.opening_timeout):
                    await self._establish()
                await self._lost.wait()
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
        user, self._held = self._user(), None
        close = None if self._transport is None else self._core.close_rcvd
        if user is None:
            return
        if close is None:
            user._closed(failed, False, 1006, "")
        else:
            clean = not failed and self._core.close_sent is not None and not self._dropped and not self._in_transport
            user._closed(failed, clean, int(close.code), close.reason)

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
        self._lost = asyncio.Event()
        try:
            await self._connect(proxy, places)
        except BaseException:
            # What it had begun ends in the next round; uvloop then tells nobody that the transport was lost.
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
        await self._loop.create_connection(lambda: self, host, port, **options)  # type: ignore[call-overload]

    async def _hang_up(self, patience: float = 0) -> None:
        """End TCP, after `patience` seconds at most, and wait until it has ended."""
        if self._transport is None or self._lost.is_set():
            return
        if patience:
            self._transport.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._lost.wait(), patience)
        self._abort()
        await self._lost.wait()

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
        if not self._answer.done():
            self._fail_opening("the server ended the connection before it answered the opening handshake")
        if exc is None and not self._aborted:
            self._in_transport.clear()
        self._reset = exc
        self._lost.set()

    def eof_received(self) -> None:
        """End TCP from our side too, after what is being written."""
        if not self._answer.done():
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
                self._receive(data)
                self._flush()
        except (KeyboardInterrupt, SystemExit) as error:
            # A listener ends the program. To uvloop it would be an error of this protocol, and the loop would go on.
            self._loop.call_soon(_interrupt, error)

    # The opening handshake.

    def _receive_head(self, data: bytes) -> None:
        if self._answer.done():
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
        elif end >= 4 and not self._answer.done():
            # The library waits for the body of a refusal. Browsers do not.
            self._answer.set_result(_refusal(self._head[:end]))

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
            self._answer.set_result(response)
        elif self._protocols and core.subprotocol is None:
            self._fail_opening(f"the server chose none of the subprotocols {', '.join(self._protocols)}")
        else:
            self._answer.set_result(response)
            self.state = OPEN
            if self._agent.ping_interval is not None:
                self._life = self._loop.call_later(self._agent.ping_interval, self._ask_for_life)
            user = self._user()
            if user is not None:
                extensions = ", ".join(response.headers.get_all("Sec-WebSocket-Extensions"))
                user._opened(core.subprotocol or "", extensions)

    def _fail_opening(self, reason: str) -> None:
        self._failure = FailedError(reason)
        self._answer.set_result(None)

    # Receiving: whole plain messages here, everything else through the library.

    def _receive(self, data: bytes) -> None:
        if self._chunks:
            self._chunks.append(data)
            self._size += len(data)
            if self._size < self._needed:
                return
            data = b"".join(self._chunks)
            self._chunks = []
        core = self._core
        position, end = 0, len(data)
        while position < end and not self._deaf:
            start = position + 2
            length = data[position + 1] if start <= end else 0
            if length > 127:
                self._judge(data[position:start])  # masked: the library refuses it
                return
            if length > 125:
                start += 2 if length == 126 else 8
                shortest = 126 if length == 126 else 65536
                length = int.from_bytes(data[position + 2 : start], "big") if start <= end else 0
                # RFC 6455, 5.2: "the minimal number of bytes", "the most significant bit MUST be 0"
                if start <= end and (length < shortest or length >> 63):
                    self._fail(1002, "the length of a frame is encoded against RFC 6455, 5.2")
                    return
            stop = start + length
            if length > self._max_size:
                self._fail(1009, f"a message of {length} bytes is larger than max_size, {self._max_size} bytes")
                return
            if stop > end:
                self._chunks = [data[position:]]
                self._size = end - position
                self._needed = stop - position
                return
            first = data[position]
            if (first != TEXT and first != BINARY) or core.current_size is not None:
                if first == CLOSE:
                    core.current_size = None  # RFC 6455, 5.4: it may come between fragments; none will be waited for
                self._judge(data[position:stop])
            elif self.state == OPEN:
                payload = data[start:stop]
                if first == BINARY:
                    self._deliver(payload)
                else:
                    try:
                        text = payload.decode()
                    except UnicodeDecodeError as error:
                        self._fail(1007, f"a text message is not UTF-8: {error}")
                        return
                    self._deliver(text)
            position = stop

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
            self._fragments = []
            self._decoder = _utf8() if frame.opcode is Opcode.TEXT else None
        self._fragments.append(bytes(frame.data))
        if self._decoder is not None:
            try:
                self._decoder.decode(self._fragments[-1], frame.fin)
            except UnicodeDecodeError as error:
                self._fail(1007, f"a text message is not UTF-8: {error}")
                return
        if frame.fin:
            message = b"".join(self._fragments)
            self._fragments = []
            self._deliver(message if self._decoder is None else message.decode())

    def _deliver(self, message: str | bytes) -> None:
        user = self._user()
        if user is not None:
            user._received(message)

    # What the user agent's owner may ask for.

    def _ask_for_life(self) -> None:
        if self.state == OPEN and not self._deaf:
            self._heard = False
            self._core.send_ping(b"")
            self._write_core()
            self._life = self._loop.call_later(self._agent.ping_timeout, self._check_life)

    def _check_life(self) -> None:
        if self._heard and self._agent.ping_interval is not None:
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
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self._queue:
            core = self._core
            if core.state is not State.OPEN or self._deaf:
                self._drop_queue()
            elif core.extensions:
                for data in self._queue:
                    if isinstance(data, str):
                        core.send_text(data.encode())
                    else:
                        core.send_binary(data)
                self._write(b"".join(core.data_to_send()), self._queued)
                self._queue = []
                self._queued = 0
            else:
                self._write_queue()
        if self._closing is not None:
            code, reason = self._closing
            self._closing = None
            if self._core.state is State.OPEN and not self._deaf:
                self._core.send_close(code, reason)
                self._write_core()
                self._set_timer(self._agent.closing_timeout, self._abort)

    def _write_queue(self) -> None:
        if self._queue:
            self._write(b"".join([part for data in self._queue for part in _frame(data)]), self._queued)
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
            while self._in_transport and self._in_transport[0][0] <= taken:
                self._in_transport.popleft()

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


def _is_address(host: str) -> bool:
    """Tell whether a host of the URL standard is an IP address."""
    return ":" in host or host.replace(".", "").isdigit()


def _interrupt(error: BaseException) -> None:
    raise error


def _frame(data: str | bytes) -> tuple[bytes, bytes, bytes]:
    """Return the parts of a frame with the whole message, masked (RFC 6455, 5.2 and 5.3)."""
    if isinstance(data, str):
        first, payload = TEXT, data.encode()
    else:
        first, payload = BINARY, data
    length = len(payload)
    if length < 126:
        head = bytes((first, 128 | length))
    elif length < 65536:
        head = bytes((first, 254)) + length.to_bytes(2, "big")
    else:
        head = bytes((first, 255)) + length.to_bytes(8, "big")
    mask = os.urandom(4)
    return head, mask, apply_mask(payload, mask)


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


_utf8 = codecs.getincrementaldecoder("utf-8")

_turns: weakref.WeakValueDictionary[tuple[object, str, int], asyncio.Lock] = weakref.WeakValueDictionary()

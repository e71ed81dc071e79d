"""The server that a library talks to: it answers the library and passes the messages on to the page's WebSocket.

Its law: the library gets the events of the page's WebSocket as bytes that a server of RFC 6455 would send; when both
Close frames have passed, TCP ends at once. Nothing reaches the library from inside `read`.
https://www.rfc-editor.org/rfc/rfc6455
"""

import asyncio

from .. import loop
from ..loop import call_later, is_awaitable
from ..webidl import DOMException
from . import accelerators, masks, pieces, tls
from .frames import (
    BINARY,
    CLOSE,
    INVALID_DATA,
    NO_STATUS,
    PING,
    PONG,
    TEXT,
    FrameReader,
    ProtocolError,
    close_payload,
    frame,
    frame_head,
    parse_close,
    sendable_code,
)
from .handshake import ONLY_WEBSOCKETS, Request, head_size, log, parse_request, report, report_hook, say_once
from .payloads import PayloadConnection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from . import Hook

    class Transport(Protocol):
        """The methods of its transport that a server calls; it calls none after `Server.leave`."""

        def deliver(self, *data: bytes) -> None:
            """Give bytes to the library now: not from inside `read`."""

        def deliver_soon(self, data: bytes) -> None:
            """Give bytes to the library in the next turn of the loop, together with others."""

        def end_input(self) -> None:
            """Tell the library, after what was given to it, that TCP has ended."""

        def pause_writing(self) -> None:
            """Ask the library to write no more."""

        def resume_writing(self) -> None:
            """Let the library write again."""

        def fail(self, error: Exception) -> None:
            """End the connection, because of something that no later attempt would mend."""

        def lose(self, error: Exception) -> None:
            """End the connection."""


# Bytes of a message that is delivered at once, and not together with others.
LARGE = 1 << 13
# Seconds after which a library that has said nothing waits for the server to speak first.
SILENCE = 10

runtime: "Any" = loop.runtime
NO_PERMISSION: str = runtime.outside.NO_PERMISSION
"""The first words of the exception for a connection that Deno does not allow."""

CONNECTION_FAILED = (
    "the browser could not open the WebSocket, and tells a page nothing more: its console knows the reason "
    "(no server, a refusal such as 401 or 404, a certificate, a policy of the page)."
)


REFUSED_URL = (
    "the browser does not connect to this URL ({}): a page that came by https: needs wss:, and the URL and the "
    "subprotocols must be valid."
)


class Nobody:
    """The transport of a library that is gone."""

    def deliver(self, *data: bytes) -> None:
        """Do nothing, as all of its methods."""

    deliver_soon = deliver

    def end_input(self) -> None:
        """Do nothing."""

    pause_writing = resume_writing = end_input

    def fail(self, error: Exception) -> None:
        """Do nothing."""

    lose = fail


class Server:
    """The other end of one connection."""

    def __init__(self, host: str, port: int, hook: "Hook | None") -> None:
        self.host = host
        self.port = port
        self.tls: tls.BrowserTLS | None = None
        self.asks = False
        """Whether the hook is awaited: the library should write no more then."""
        self._hook = hook
        self._transport: Transport
        self._reader = FrameReader()
        # The opening handshake.
        self._head = b""
        self._request: Request | None = None
        self._opened = False
        self._early = b""  # frames that came before the answer has gone
        self._asking: asyncio.Task[None] | None = None
        self._stop_waiting: Callable[[], object] | None = None
        # The connection, from its beginning to its end.
        self._connection: PayloadConnection | None = None
        self._over = False
        self._is_abandoned = False  # the library has gone, and what it has sent waits for the WebSocket to open
        self._half_closed = False
        # The closing handshake: the library's code, and the one that the page has sent instead of it.
        self._close_sent: tuple[int, int] | None = None
        self._close_received = False

    def attach(self, transport: "Transport") -> None:
        """Begin to serve: once, before anything else."""
        self._transport = transport
        self._stop_waiting = call_later(SILENCE, self._waited)

    def begin_tls(self, context: object, name: str) -> None:
        """Make this a connection with TLS. Raises OSError if a page cannot do what the context asks for, or too late.

        `name` is the name to which the certificate must belong, "" for none.
        """
        if self._head or self._request is not None:
            raise OSError("a page cannot begin TLS when something was sent already: connect with ssl= from the start.")
        tls.examine(context)
        self.tls = tls.BrowserTLS(context, name)

    @property
    def waiting(self) -> int:
        """Bytes that the library has sent and the network has not taken."""
        waiting = 0 if self._connection is None else self._connection.buffered
        return len(self._head) + len(self._early) + self._reader.size + waiting

    def leave(self, pending: bool = False) -> None:
        """Let the page's WebSocket go: the library's connection is over. The transport is not called any more.

        `pending` is whether frames that were sent before the WebSocket is open leave when it is.
        """
        if pending and self._early and self._connection is not None and not self._over:
            self._is_abandoned = True
            self._transport = Nobody()
            return
        self._over = True
        self._head = self._early = b""
        if self._stop_waiting is not None:
            self._stop_waiting()
            self._stop_waiting = None
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None
        connection, self._connection = self._connection, None
        if connection is not None and self._close_sent is None:
            connection.close(None, "")

    def end_output(self) -> None:
        """Take note that the library sends nothing any more, and waits for the end: a WebSocket has no half of it."""
        if self._opened and not self._over and self._close_sent is None and self._connection is not None:
            self._half_closed = True
            self._connection.close(None, "")

    def read(self, data: bytes) -> None:
        """Read what the library sends: its request, then its frames."""
        if self._over:
            return
        if self._opened:
            self._read_frames(data)
        elif self._request is not None:
            self._early += data
        else:
            self._read_head(data)

    # The opening handshake.

    def _read_head(self, data: bytes) -> None:
        """Read the library's request, as far as it has come."""
        if self._stop_waiting is not None:
            self._stop_waiting()
            self._stop_waiting = None
        self._head += data
        try:
            if self.tls is None and self._head[:1] == tls.MARK[:1]:
                name, size = tls.read_mark(self._head)
                if not size:
                    return
                self._head = self._head[size:]
                self.tls = tls.BrowserTLS(None, name)
            size = head_size(self._head)
            if not size:
                return
            scheme, name = ("ws", "") if self.tls is None else ("wss", self.tls.server_hostname or "")
            request = parse_request(self._head[:size], scheme, self.host, self.port, name)
            self._early, self._head = self._head[size:], b""
            self._request = request
            if self._hook is None:
                self._connect(request)
                return
            try:
                asking = self._hook(request)
            except (Exception, asyncio.CancelledError) as error:
                self._refuse_by_hook(error)
                return
            if not is_awaitable(asking):
                self._connect(request)
            else:
                self.asks = True
                self._transport.pause_writing()
                self._asking = asyncio.ensure_future(self._ask(asking, request))
        except Exception as error:
            self._refuse(error)

    async def _ask(self, asking: "Any", request: Request) -> None:
        """Connect when a hook that is `async def` has ended."""
        try:
            await asking
        except (Exception, asyncio.CancelledError) as error:
            if self._over:  # the library has gone, and `leave` has canceled this
                raise
            self._asking = None
            self._refuse_by_hook(error)
            return
        self._asking = None
        try:
            self._connect(request)
        except Exception as error:
            self._refuse(error)
            return
        self.asks = False
        self._transport.resume_writing()

    def _connect(self, request: Request) -> None:
        """Connect. Raises OSError if the library asks for what a page cannot do."""
        request.examine()
        try:
            owner: Any = self
            self._connection = PayloadConnection(request.url, request.protocols, owner)
        except DOMException as error:
            if error.message.startswith(NO_PERMISSION):
                raise PermissionError(error.message) from None
            # Not the browser's own words: they have the URL, and that may have a token.
            raise OSError(REFUSED_URL.format(error.name)) from None
        accelerators.provide()

    def _refuse(self, error: Exception) -> None:
        """End a connection that a page cannot have."""
        if self._over:
            return
        report(error)
        self._over = True
        self._transport.fail(error)

    def _refuse_by_hook(self, error: BaseException) -> None:
        """End a connection whose hook has raised an exception, or was canceled."""
        if not self._over:
            report_hook(error)
            self._over = True
            self._transport.fail(error if isinstance(error, Exception) else OSError("the handshake hook was canceled"))

    def _waited(self) -> None:
        self._stop_waiting = None
        self._refuse(OSError(ONLY_WEBSOCKETS.format("the library waits for the server to speak first")))

    # Frames of the library.

    def _read_frames(self, data: bytes) -> None:
        if self._close_sent is not None:
            return  # nothing may follow a Close frame
        try:
            messages = self._reader.feed_usual(data)
            for opcode, payload, mask in self._reader.feed(data) if messages is None else messages:
                if opcode in (TEXT, BINARY):
                    connection = self._connection
                    if connection is not None and not connection.send_payload(payload, mask, opcode == TEXT):
                        raise ProtocolError(INVALID_DATA, "a text is no UTF-8")
                elif opcode == PING:
                    self._transport.deliver_soon(frame(PONG, masks.apply(payload, mask)))
                elif opcode == CLOSE:
                    self._close(*parse_close(masks.apply(payload, mask)))
                    return
        except ProtocolError as error:
            self._close(error.code, error.reason)
            self._transport.deliver_soon(frame(CLOSE, close_payload(error.code, error.reason)))
            self._transport.end_input()
            self._over = True

    def _close(self, code: int, reason: str) -> None:
        """Pass on a Close frame of the library; if it is the answer to another one, end the connection."""
        sent = sendable_code(code)
        self._close_sent = code, sent
        if self._close_received:
            self._transport.end_input()
        elif self._connection is not None:
            if sent not in (code, NO_STATUS):
                say_once(f"A page cannot close with the code {code} of a library: the server gets {sent}.")
            self._connection.close(*(None, "") if sent == NO_STATUS else (sent, reason))

    # Events of the page's WebSocket.

    def _pyws_opened(self, protocol: str, extensions: str) -> None:
        """Answer the library's request. Extensions are between the browser and the server."""
        if self._over or self._request is None:
            return
        self._opened = True
        self._transport.deliver(self._request.answer(protocol))
        early, self._early = self._early, b""
        if early and not self._over:
            self._read_frames(early)
        if self._is_abandoned:
            self.leave()

    def _pyws_payload(self, opcode: int, payload: "bytes | memoryview[int]") -> None:
        """Give a message to the library."""
        if not self._over:
            size = len(payload)
            head = frame_head(opcode, size)
            if size >= pieces.LARGE:
                self._transport.deliver(head, bytes(payload))
            elif size >= LARGE:
                self._transport.deliver(b"".join((head, payload)))
            else:
                self._transport.deliver_soon(b"".join((head, payload)))

    def _pyws_closed(self, failed: bool, clean: bool, code: int, reason: str) -> None:
        """Tell the library how the connection has ended, with the code that the library knows."""
        self._connection = None
        if self._over:
            return
        if not self._opened:
            log.error("A library's connection has failed: %s", CONNECTION_FAILED)
            self._transport.lose(ConnectionError(CONNECTION_FAILED))
            return
        if self._half_closed and self._close_sent is None:
            self._transport.end_input()
            return
        if clean:
            self._close_received = True
            if self._close_sent is not None and code == self._close_sent[1]:
                code = self._close_sent[0]
            self._transport.deliver_soon(frame(CLOSE, close_payload(code, reason)))
        if not clean or self._close_sent is not None:
            self._transport.end_input()

"""The opening handshake of RFC 6455: one attempt sends the request, reads the answer, and hands TCP over.

https://www.rfc-editor.org/rfc/rfc6455#section-4.1
"""

import asyncio
import base64
import contextlib
import logging
import re
import select
from collections.abc import Callable
from typing import cast
from urllib.parse import unquote_to_bytes

from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHeader
from websockets.http11 import Response
from websockets.typing import Origin, Subprotocol
from websockets.uri import WebSocketURI

from .. import loop
from ..version import __version__
from .deflate import DeflateFactory
from .refusal import Refusal, describe, escape, redact
from .url import Address
from .useragent import UserAgent

MAX_RESPONSE_HEAD = 262144
"""Bytes of the head of the server's answer at most, as in Chromium."""

MAX_REFUSAL_BODY = 4096
"""Bytes of the body of a refusal to wait for at most: the log shows their text."""

REFUSAL_BODY_TIMEOUT = 1.0
"""Seconds to wait for them at most."""

USER_AGENT = f"pyws/{__version__}"

# https://www.rfc-editor.org/rfc/rfc9112#name-message-parsing: a line may end with LF alone
_END_OF_HEAD = re.compile(rb"\n\r?\n")

# At level DEBUG the library would log all headers, Authorization too.
silent_logger = logging.Logger("pyws", logging.CRITICAL + 1)

Accept = Callable[[asyncio.Transport, ClientProtocol, Response, bytes], None]
"""Called when the server has accepted: the transport, the library's core, the response, the bytes after its head."""


class FailedError(Exception):
    """The connection is failed: the message has the reason, and advice."""


class Handshake(asyncio.Protocol):
    """One attempt: the protocol of the transport from the request until the server has answered.

    Call `send_request()` once, when the transport is connected, and await `answer`. Its result is None if the server
    has accepted: `accept` has been called then, and has set another protocol for the transport. Its result is a
    `Refusal` if the server has refused; it raises `FailedError` if there is no valid answer. Then, or at any moment to
    give up, call `abort()` and await `lost`: TCP has ended when it is done.
    """

    def __init__(
        self,
        address: Address,
        agent: UserAgent,
        protocols: list[str],
        authorization: str | None,
        secrets: Callable[[], list[str]],
        accept: Accept,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._address = address
        self._agent = agent
        self._protocols = protocols
        self._authorization = authorization
        self._accept = accept
        self._core = ClientProtocol(
            WebSocketURI(address.secure, address.host, address.port, "", ""),
            origin=None if agent.origin is None else Origin(agent.origin),
            extensions=[DeflateFactory(agent.compression == "fast")] if agent.compression else None,
            subprotocols=[Subprotocol(name) for name in protocols] or None,
            max_size=agent.max_size,
            logger=silent_logger,
        )
        self._is_sent = False
        self._received = b""  # of the head, or of the body of a refusal, until it is whole
        self._secrets = secrets
        self._refusal: Refusal | None = None  # with the part of its body that has arrived
        self._timer: asyncio.TimerHandle | None = None
        self.transport: asyncio.Transport | None = None
        self.answer: asyncio.Future[Refusal | None] = self._loop.create_future()
        self.lost: asyncio.Future[None] = self._loop.create_future()

    def abort(self) -> None:
        """Cancel `answer`, and abort TCP. Call it in any state; if TCP was connected, await `lost` next."""
        self.answer.cancel()
        if self._timer is not None:
            self._timer.cancel()
        if self.transport is not None:
            self.transport.abort()

    @property
    def refusal(self) -> Refusal | None:
        """The refusal, from the moment when its head is whole; None before, or without one. Ask in any state."""
        return self._refusal

    def has_unread(self) -> bool:
        """Tell whether the socket has bytes that the loop has not read, False if that is unknown; ask in any state."""
        sock = None if self.transport is None else self.transport.get_extra_info("socket")
        if sock is None or sock.fileno() < 0 or not hasattr(select, "poll"):  # pragma: no cover - on Windows
            return False
        poll = select.poll()
        poll.register(sock.fileno(), select.POLLIN)
        return bool(poll.poll(0))

    def send_request(self) -> None:
        """Send the request: call it once, after the loop has returned the transport, and await `answer` next."""
        core, agent = self._core, self._agent
        request = core.connect()
        request.path = self._address.resource
        request.headers["Pragma"] = "no-cache"
        request.headers["Cache-Control"] = "no-cache"
        request.headers["User-Agent"] = USER_AGENT
        for name, value in agent.headers.items():
            request.headers.pop(name, None)
            request.headers[name] = value
        if self._authorization is not None:
            request.headers.pop("Authorization", None)
            request.headers["Authorization"] = self._authorization
        # A Cookie header of the user agent is sent instead of that of the jar, as in httpx and requests.
        if "Cookie" not in request.headers and (cookie := agent.cookie_for(self._address)):
            request.headers["Cookie"] = cookie
        core.send_request(request)
        if self.transport is not None and not self.answer.done():
            self.transport.write(b"".join(core.data_to_send()))
            self._is_sent = True
            early_data, self._received = self._received, b""
            if early_data:
                self.data_received(early_data)

    # The transport calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, when TLS is ready, too. The owner calls `send_request` next, or has called `abort`."""
        self.transport = cast(asyncio.Transport, transport)
        if self.answer.done():  # pragma: no cover - where a loop connects although the task was canceled
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read the answer: `accept` gets the bytes that follow its head. Before `send_request`, keep the bytes."""
        if self.answer.done():
            return
        try:
            if self._refusal is not None:
                self._read_body(data)
            elif self._is_sent:
                self._read_head(data)
            else:  # the server sends before it has got the request
                self._received += data
                self._check_size(len(self._received))
        except BaseException as error:  # Ctrl-C may raise between any two lines
            if not self.answer.done():
                self._fail(f"it was cut short by {type(error).__name__}")
            loop.interrupt_or_report(error)

    def _check_size(self, size: int) -> bool:
        """Fail if a head of `size` bytes is too long; return whether it is short enough. `answer` must not be done."""
        if size > MAX_RESPONSE_HEAD:
            self._fail(f"the head of the server's answer is longer than {MAX_RESPONSE_HEAD} bytes")
        return size <= MAX_RESPONSE_HEAD

    def _read_head(self, data: bytes) -> None:
        """Collect the head, and call `_read_answer` when it is whole; called until then."""
        seen = len(self._received)
        self._received += data
        found = _END_OF_HEAD.search(self._received, max(0, seen - 3))
        end = found.end() if found else len(self._received)
        if not self._check_size(end):
            return
        if found:
            self._core.receive_data(self._received[:end])
            self._read_answer(True, self._received[end:])
        elif not b"HTTP/".startswith(self._received[:5]):
            self._fail(self._invalid(""))

    def eof_received(self) -> None:
        """Take the end of the input: the body of a refusal is whole; a head that is not whole is invalid."""
        if self.answer.done():
            return
        if self._refusal is not None:
            self._settle(self._refusal)
        elif self._received:
            self._core.receive_data(self._received)
            self._core.receive_eof()
            self._read_answer(False, b"")

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail if there is no answer yet, and set the result of `lost`, because TCP has ended."""
        if not self.answer.done():
            if self._refusal is not None:
                self._settle(self._refusal)
            else:
                hint = "" if exc is not None or self._address.secure or self._received else "; does it want wss://?"
                self._fail(f"{describe_loss(exc)} before it answered the opening handshake{hint}")
        if not self.lost.done():
            self.lost.set_result(None)

    # The answer.

    def _read_answer(self, complete: bool, rest: bytes) -> None:
        """Act on the head that the library was given; `complete` is False if the input ended within it. Called once."""
        core = self._core
        response = next((event for event in core.events_received() if isinstance(event, Response)), None)
        if response is None and complete:
            response = _refusal_of(self._received)  # the library waits for the body, or has not accepted the headers
        if response is not None:
            self._agent.keep_cookies(self._address, response.headers.raw_items())
        if response is not None and response.status_code != 101:
            self._timer = self._loop.call_later(REFUSAL_BODY_TIMEOUT, lambda: self._read_body(b"", True))
            self._refusal = Refusal(response.status_code, response.reason_phrase, response.headers)
            self._received = b""
            self._read_body(rest)
        elif core.handshake_exc is not None:
            self._fail(self._invalid(str(core.handshake_exc.__cause__ or core.handshake_exc)))
        elif response is not None and self._protocols and core.subprotocol is None:
            # The message does not contain their names: some services put tokens there.
            self._fail(f"the server chose none of the subprotocols, of which there are {len(self._protocols)}")
        else:
            transport, self.transport = self.transport, None  # the protocol that `accept` sets owns it now
            assert transport is not None and response is not None
            self.lost.set_result(None)
            self.answer.set_result(None)
            self._accept(transport, core, response, rest)

    def _read_body(self, data: bytes, is_last: bool = False) -> None:
        """Collect the beginning of a refusal's body, and give `answer` when it is whole, long enough, or `is_last`.

        Call it only when there is a refusal, and `answer` is not done.
        """
        refusal = self._refusal
        assert refusal is not None
        self._received += data
        body = self._received
        lengths = refusal.headers.get_all("Content-Length")
        if "chunked" in ",".join(refusal.headers.get_all("Transfer-Encoding")).lower():
            body, is_whole = _decode_chunked(body)
        elif refusal.status in (204, 304) or refusal.status < 200:
            body, is_whole = b"", True
        else:
            is_whole = (
                bool(lengths)
                and lengths[0].strip().isascii()
                and lengths[0].strip().isdigit()
                and len(body) >= int(lengths[0][:15])
            )
        self._refusal = Refusal(refusal.status, refusal.phrase, refusal.headers, body[:MAX_REFUSAL_BODY])
        if is_last or is_whole or len(self._received) >= MAX_REFUSAL_BODY:
            self._settle(self._refusal)

    def _settle(self, refusal: Refusal) -> None:
        """Give the refusal as `answer`, which must not be done; the owner calls `abort` next."""
        assert self._timer is not None
        self._timer.cancel()
        self.answer.set_result(refusal)

    def _fail(self, reason: str) -> None:
        """Give the failure as `answer`, which must not be done; the owner calls `abort` next."""
        self.answer.set_exception(FailedError(reason))

    def _invalid(self, error: str) -> str:
        """Return the reason for `_fail`: the answer is not HTTP, or the library refuses it with `error`."""
        beginning = self._received[:100]
        if beginning[:1] in (b"\x15", b"\x16"):  # an alert or a handshake of TLS (RFC 8446, 5.1)
            return f"the server speaks TLS on port {self._address.port}: use wss://"
        if not b"HTTP/".startswith(beginning[:5]):
            words = escape(redact(self._received.decode("latin-1").strip(), self._secrets()), 60)
            return f'the server does not speak HTTP on port {self._address.port}, it says "{words}"'
        return escape(redact(error, self._secrets()))


def describe_loss(error: BaseException | None) -> str:
    """Return how TCP or TLS has ended, in words for the log."""
    if error is None:
        return "the server ended the connection"
    reason = getattr(error, "reason", None)  # of an ssl.SSLError
    if isinstance(reason, str) and "ALERT" in reason:
        words = reason.rpartition("ALERT_")[2].replace("_", " ").lower()
        return f'the server ended TLS with the alert "{words}"'
    if isinstance(error, ConnectionResetError):
        return "the server reset the connection"
    return f"the connection broke ({describe(error)})"


def _refusal_of(head: bytes) -> Response | None:
    """Return the head of a refusal as a response without a body; None if it is not the head of a refusal."""
    lines = _END_OF_HEAD.split(head, 1)[0].decode("latin-1").replace("\r\n", "\n").rstrip("\r").split("\n")
    status = re.match(r"HTTP/\d\.\d +(\d{3})(?: +(.*))?$", lines[0])
    if status is None or status[1] == "101":
        return None
    headers = Headers()
    for line in lines[1:]:
        name, _, value = line.partition(":")
        with contextlib.suppress(InvalidHeader):
            headers[name] = value.strip(" \t\r")
    return Response(int(status[1]), status[2] or "", headers)


def _decode_chunked(data: bytes) -> tuple[bytes, bool]:
    """Return the part of a chunked body that has arrived (RFC 9112, 7.1), and whether that is all of it."""
    parts: list[bytes] = []
    while match := re.match(rb"([0-9A-Fa-f]{1,8})[^\r\n]*\r\n", data):
        size = int(match[1], 16)
        if not size:
            return b"".join(parts), True
        parts.append(data[match.end() : match.end() + size])
        data = data[match.end() + size + 2 :]
    return b"".join(parts), False


def asks_for_basic(refusal: Refusal) -> bool:
    """Tell whether the server asks for credentials, and of the scheme Basic.

    https://www.rfc-editor.org/rfc/rfc9110#name-www-authenticate
    """
    challenges = refusal.headers.get_all("WWW-Authenticate")
    is_basic = any(re.search(r"(^|,)\s*basic(\s|,|$)", challenge, re.IGNORECASE) for challenge in challenges)
    return refusal.status == 401 and is_basic


def basic(username: str, password: str) -> str:
    """Return the value of Authorization for a URL's credentials (RFC 7617)."""
    pair = unquote_to_bytes(username) + b":" + unquote_to_bytes(password)
    return "Basic " + base64.b64encode(pair).decode()

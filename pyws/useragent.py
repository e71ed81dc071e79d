"""What a browser decides for a page, and on CPython the program's owner: the settings of a user agent.

Its law: nothing here changes the interface. Code that opens sockets stays the same in every runtime.
"""

import functools
import os
import ssl
import string
from collections.abc import Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .url import Address

if TYPE_CHECKING:
    from collections.abc import Iterable
    from email.message import Message
    from http.cookiejar import CookieJar
    from urllib.request import Request

# Headers of the opening handshake that are not the owner's to change; Origin has a setting of its own.
RESERVED = frozenset(("host", "upgrade", "connection", "origin", "content-length", "transfer-encoding"))
TOKEN = frozenset("!#$%&'*+-.^_`|~" + string.ascii_letters + string.digits)


@dataclass(frozen=True, kw_only=True)
class UserAgent:
    """Settings for the sockets that a program, or a block of code, opens; each default is what browsers do.

        UserAgent(origin="https://example.org").use()      # from here on, and in tasks started from here
        with UserAgent(headers={"Authorization": token}):  # for a block, and the tasks started in it
            ws = WebSocket("wss://example.org/")

    `origin`: the Origin header; None sends none. With "https://..." a `ws:` URL raises "SecurityError", as in a page,
    unless it leads to this machine.
    `base`: the URL that relative URLs are relative to.
    `headers`: more headers of the opening handshake, such as Authorization.
    `cookies`: an `http.cookiejar.CookieJar`, for cookies to send and to keep.
    `tls`: an `ssl.SSLContext` of your own; `authorities`: a PEM file of certificate authorities trusted besides
    the system's.
    `proxy`: the URL of an HTTP or SOCKS proxy; "" for none. None asks the environment (HTTPS_PROXY, NO_PROXY, ...).
    `compression`: whether to offer permessage-deflate.
    `max_size`: bytes of the largest message taken, after decompression; None for no limit.
    `max_buffered`: bytes of `bufferedAmount` beyond which the connection is failed; None for no limit.
    `opening_timeout`, `closing_timeout`: seconds for either handshake.
    `ping_interval`: seconds of silence after which the server is asked for a sign of life; None never asks.
    `ping_timeout`: seconds for that sign to come.
    `blocked_ports`: whether the ports that browsers block are blocked.

    In a page it raises "NotSupportedError": there the browser decides.
    """

    origin: str | None = None
    base: str = "about:blank"
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: "CookieJar | None" = None
    tls: ssl.SSLContext | None = None
    authorities: str | None = None
    proxy: str | None = None
    compression: bool = True
    max_size: int | None = None
    max_buffered: int | None = None
    opening_timeout: float = 240.0
    closing_timeout: float = 60.0
    ping_interval: float | None = None
    ping_timeout: float = 20.0
    blocked_ports: bool = True

    def __post_init__(self) -> None:
        for name in ("opening_timeout", "closing_timeout", "ping_interval", "ping_timeout"):
            seconds = getattr(self, name)
            if seconds is not None and not seconds > 0:
                raise ValueError(f"{name} must be a positive number of seconds, not {seconds!r}")
        for name in ("max_size", "max_buffered"):
            size = getattr(self, name)
            if size is not None and not size >= 0:
                raise ValueError(f"{name} must be a number of bytes, or None for no limit, not {size!r}")
        for name, value in self.headers.items():
            if name.lower() in RESERVED or name.lower().startswith("sec-websocket-"):
                raise ValueError(f"the header {name} belongs to the protocol: UserAgent cannot set it")
            if not TOKEN.issuperset(name) or not name or any(character in value for character in "\r\n\0"):
                raise ValueError(f"{name!r}: {value!r} is not a header of HTTP")
        if self.tls is not None and self.authorities is not None:
            raise ValueError("give either tls or authorities: load the authorities into the context of your own")

    def use(self) -> None:
        """Make this the user agent of the running task and of all that it starts; at top level, of the program."""
        _current.set(self)

    def __enter__(self) -> "UserAgent":
        _blocks.set((*_blocks.get(), _current.set(self)))
        return self

    def __exit__(self, *_: object) -> None:
        *outer, token = _blocks.get()
        _blocks.set(tuple(outer))
        _current.reset(token)

    @staticmethod
    def current() -> "UserAgent":
        """Return the user agent in use here."""
        return _current.get() or _DEFAULT

    def context(self) -> ssl.SSLContext:
        """Return the TLS context for `wss:` (RFC 6455, 4.1): the certificate must verify, HTTP/1.1 is asked for."""
        return self.tls or _tls_context(self.authorities)

    def proxy_for(self, secure: bool, host: str, port: int) -> str | None:
        """Return the URL of the proxy to that host, None to connect directly."""
        if self.proxy is not None:
            return self.proxy or None
        if not any(name.lower().endswith("_proxy") for name in os.environ):
            return None
        from websockets.proxy import get_proxy
        from websockets.uri import WebSocketURI

        return get_proxy(WebSocketURI(secure, host, port, "", ""))

    def cookie_for(self, address: Address) -> str | None:
        """Return the Cookie header for a handshake (RFC 6265), None for none."""
        if self.cookies is None:
            return None
        request = _http_request(address)
        self.cookies.add_cookie_header(request)
        return request.get_header("Cookie")

    def keep_cookies(self, address: Address, headers: "Iterable[tuple[str, str]]") -> None:
        """Keep what the headers of a response say of cookies."""
        if self.cookies is None:
            return
        from email.message import Message

        message = Message()
        for name, value in headers:
            message[name] = value
        self.cookies.extract_cookies(_Response(message), _http_request(address))  # type: ignore[arg-type] # all it asks

    def forbids(self, address: Address) -> bool:
        """Tell whether this is mixed content: an insecure socket from a secure origin, not to this machine.

        https://w3c.github.io/webappsec-mixed-content/#should-block-fetch
        """
        secure = any((url or "").startswith(("https://", "wss://")) for url in (self.origin, self.base))
        return secure and not address.secure and not _is_this_machine(address.host)


class _Response:
    """What a cookie jar asks of a response."""

    def __init__(self, message: "Message") -> None:
        self.message = message

    def info(self) -> "Message":
        """Return the headers."""
        return self.message


def _http_request(address: Address) -> "Request":
    """Return the request as a cookie jar knows requests: `ws:` is `http:`, `wss:` is `https:` (RFC 6455, 4.1)."""
    from urllib.request import Request

    return Request("http" + address.href.removeprefix("ws"))


@functools.cache
def _tls_context(authorities: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if authorities is not None:
        context.load_verify_locations(authorities)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _is_this_machine(host: str) -> bool:
    # https://w3c.github.io/webappsec-secure-contexts/#is-origin-trustworthy
    return host == "::1" or host.startswith("127.") or host.rstrip(".").rpartition(".")[2] == "localhost"


_DEFAULT = UserAgent()
_current: ContextVar[UserAgent | None] = ContextVar("pyws.UserAgent", default=None)
_blocks: ContextVar[tuple[Token[UserAgent | None], ...]] = ContextVar("pyws.UserAgent blocks", default=())

"""What a browser decides for a page, and on CPython the program's owner: the settings of a user agent.

Its law: nothing here changes the interface. Code that opens sockets stays the same in every runtime.
"""

import asyncio
import os
import re
import ssl
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from .proxies import SETTING, parse
from .url import Address, is_address, is_base, is_origin, is_secure, is_this_machine

if TYPE_CHECKING:
    from collections.abc import Iterable
    from http.cookiejar import CookieJar
    from urllib.request import Request

# Headers of the opening handshake that are not the owner's to change; Origin has a setting of its own.
RESERVED = frozenset(
    ("host", "upgrade", "connection", "origin", "content-length", "transfer-encoding")
    + ("te", "trailer", "expect", "keep-alive", "proxy-connection")
)
# https://www.rfc-editor.org/rfc/rfc9110#name-field-names and what follows there of values
NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


@dataclass(frozen=True, kw_only=True)
class UserAgent:
    """Settings for the sockets that a program, or a block of code, opens; each default is what browsers do.

        UserAgent(origin="https://example.org").use()      # from here on, and in tasks started from here
        with UserAgent(headers={"Authorization": token}):  # for a block, and the tasks started in it
            ws = WebSocket("wss://example.org/")

    `origin`: the Origin header; None sends none. With "https://..." a `ws:` URL raises "SecurityError", as in a page,
    unless it leads to this machine.
    `base`: the URL that relative URLs are relative to.
    `headers`: more headers of the opening handshake, such as Authorization; a copy is made. What is no ASCII goes out
    as Latin-1.
    `cookies`: an `http.cookiejar.CookieJar`, for cookies to send and to keep. A Cookie in `headers` is sent instead.
    `tls`: an `ssl.SSLContext` of your own; `authorities`: a PEM file of certificate authorities trusted besides
    the system's, which is read again when it has changed.
    `proxy`: the URL of a proxy for every connection, this machine's own too: "http://user:password@host:port", or with
    https, socks4, socks4a, socks5; "" for none. None asks the environment (HTTPS_PROXY, ALL_PROXY, NO_PROXY, ...) and
    never uses its proxy for this machine.
    `compression`: whether to offer permessage-deflate.
    `max_size`: bytes of the largest message taken, after decompression; None for no limit.
    `max_buffered`: bytes of `bufferedAmount` beyond which the connection is failed; None for no limit.
    `opening_timeout`, `closing_timeout`: seconds for either handshake; infinite ones are allowed.
    `ping_interval`: seconds of silence after which the server is asked for a sign of life; None never asks.
    `ping_timeout`: seconds for that sign to come.
    `blocked_ports`: whether the ports that browsers block are blocked.

    Raises TypeError and ValueError for what cannot be, with the name of the setting; an authority that cannot be read
    is a ValueError. In a page it raises "NotSupportedError": there the browser decides.
    """

    origin: str | None = None
    base: str = "about:blank"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    cookies: "CookieJar | None" = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    authorities: "str | os.PathLike[str] | None" = None
    proxy: str | None = field(default=None, repr=False)
    compression: bool = True
    max_size: int | None = None
    max_buffered: int | None = None
    opening_timeout: float = 240.0
    closing_timeout: float = 60.0
    ping_interval: float | None = None
    ping_timeout: float = 20.0
    blocked_ports: bool = True

    def __post_init__(self) -> None:
        if self.tls is not None and self.authorities is not None:
            raise ValueError("give either tls or authorities: load the authorities into the context of your own")
        if self.origin is not None and not is_origin(_text("origin", self.origin)):
            raise ValueError("origin must be as browsers write it: 'https://example.org', 'http://[::1]:8080', 'null'")
        if _text("base", self.base) != "about:blank" and not is_base(self.base):
            raise ValueError("base must be a URL that others can be relative to, such as 'https://example.org/page'")
        object.__setattr__(self, "headers", _headers(self.headers))
        if self.cookies is not None:
            from http.cookiejar import CookieJar

            if not isinstance(self.cookies, CookieJar):
                raise TypeError(f"cookies must be an http.cookiejar.CookieJar, not {_kind(self.cookies)}")
        if self.tls is not None:
            if not isinstance(self.tls, ssl.SSLContext):
                raise TypeError(f"tls must be an ssl.SSLContext, not {_kind(self.tls)}")
            if self.tls.protocol == ssl.PROTOCOL_TLS_SERVER:
                raise ValueError("tls must be a context for clients, as ssl.create_default_context() makes them")
        if self.authorities is not None:
            if not isinstance(self.authorities, (str, os.PathLike)):
                raise TypeError(f"authorities must be the path of a file, not {_kind(self.authorities)}")
            try:
                _read(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "authorities", self.authorities)
            except OSError as error:
                raise ValueError(str(error)) from None
        if self.proxy is not None and _text("proxy", self.proxy).strip():
            parse(self.proxy, SETTING)
        for name in ("compression", "blocked_ports"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False, not {_kind(getattr(self, name))}")
        for name in ("opening_timeout", "closing_timeout", "ping_interval", "ping_timeout"):
            _check_seconds(name, getattr(self, name))
        for name in ("max_size", "max_buffered"):
            _check_size(name, getattr(self, name))

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

    def load(self) -> None:
        """Read the certificate authorities, if their files are new or have changed; OSError if that cannot be done.

        A connection does so by itself, in a thread. To have it done, and known to be possible, before the first:
        `await asyncio.to_thread(agent.load)`; at a program's start also without a thread. It takes tens of ms.
        """
        self.context()

    def context(self) -> ssl.SSLContext:
        """Return the TLS context for `wss:` (RFC 6455, 4.1): the certificate must verify, HTTP/1.1 is asked for.

        It may read files, as `load` does.
        """
        return self.tls or _tls_context(_Sources.of(self.authorities))

    async def context_soon(self) -> ssl.SSLContext:
        """Return the TLS context, without making the event loop wait for files."""
        if self.tls is not None:
            return self.tls
        return await asyncio.wrap_future(_in_thread(_Sources.of(self.authorities)))

    def cookie_for(self, address: Address) -> str | None:
        """Return the Cookie header for a handshake (RFC 6265), None for none; ValueError for what is no header."""
        if self.cookies is None:
            return None
        request = _http_request(address)
        self.cookies.add_cookie_header(request)
        cookie = request.get_header("Cookie")
        if cookie is not None and not VALUE.fullmatch(cookie):
            raise ValueError("a cookie of the jar has characters that HTTP does not allow in a header")
        return cookie

    def keep_cookies(self, address: Address, headers: "Iterable[tuple[str, str]]") -> None:
        """Keep what the headers of a response say of cookies, whatever its status (RFC 6265, 3)."""
        if self.cookies is None:
            return
        request = _http_request(address)
        for name, value in headers:
            if name.lower() == "set-cookie" and VALUE.fullmatch(value):
                # One by one: for one that it cannot read, the jar lets all of them go.
                response = _Response(_set_cookie(value, address.host))
                self.cookies.extract_cookies(response, request)  # type: ignore[arg-type] # all it asks

    def forbids(self, address: Address) -> bool:
        """Tell whether this is mixed content: an insecure socket from a secure origin, not to this machine.

        https://w3c.github.io/webappsec-mixed-content/#should-block-fetch
        """
        secure = is_secure(self.base) or (self.origin is not None and is_secure(self.origin))
        return secure and not address.secure and not is_this_machine(address.host)


# What a UserAgent refuses. A message names the setting and the header, and no value that may be a secret.


def _kind(value: object) -> str:
    return type(value).__name__


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be str, not {_kind(value)}")
    return value


def _check_seconds(name: str, seconds: object) -> None:
    if seconds is None and name == "ping_interval":
        return
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(f"{name} must be a number of seconds, not {_kind(seconds)}")
    try:
        positive = float(seconds) > 0
    except OverflowError:
        positive = False
    if not positive:
        raise ValueError(f"{name} must be a positive number of seconds, not {seconds!r}")
    if name == "ping_interval" and seconds == float("inf"):
        raise ValueError("ping_interval must be finite: None never asks")


def _check_size(name: str, size: object) -> None:
    if size is None:
        return
    if isinstance(size, bool) or not isinstance(size, int):
        raise TypeError(f"{name} must be a whole number of bytes, or None for no limit, not {_kind(size)}")
    if size <= 0:
        raise ValueError(f"{name} must be a positive number of bytes, or None for no limit, not {size!r}")


def _headers(headers: object) -> Mapping[str, str]:
    """Return a copy of `headers`, or say what is wrong with them."""
    if not isinstance(headers, Mapping):
        raise TypeError(f"headers must be a mapping of names to values, not {_kind(headers)}")
    copy: dict[str, str] = {}
    seen: set[str] = set()
    for name, value in headers.items():
        if not isinstance(name, str):
            raise TypeError(f"headers: the name of a header must be str, not {_kind(name)}")
        if not NAME.fullmatch(name):
            # What follows may be a value, as in "Authorization: Bearer ...".
            shown = re.split(r"[:\s]", name, maxsplit=1)[0][:40]
            raise ValueError(f"headers: {shown!r} is not the name of a header")
        if name.lower() in RESERVED or name.lower().startswith("sec-websocket-"):
            raise ValueError(f"headers: the header {name} belongs to the protocol: UserAgent cannot set it")
        if name.lower() in seen:
            raise ValueError(f"headers: the header {name} is there twice, in different letter case")
        if not isinstance(value, str):
            raise TypeError(f"headers: the value of the header {name} must be str, not {_kind(value)}")
        if not VALUE.fullmatch(value):
            raise ValueError(f"headers: the value of the header {name} has characters that HTTP does not allow there")
        if value.strip(" \t") != value:
            raise ValueError(f"headers: the value of the header {name} begins or ends with white space")
        seen.add(name.lower())
        copy[name] = value
    return MappingProxyType(copy)


# Certificate authorities: read once, and again when a file has changed. To read the system's takes tens of ms.

Path = str | os.PathLike[str]
PLACES = ssl.get_default_verify_paths()


@dataclass(frozen=True)
class _Sources:
    """Where authorities are read from: `authorities`, and what the environment says now."""

    authorities: Path | None
    file: str | None
    folders: str | None

    @classmethod
    def of(cls, authorities: Path | None) -> "_Sources":
        environ = os.environ
        return cls(authorities, environ.get(PLACES.openssl_cafile_env), environ.get(PLACES.openssl_capath_env))

    def states(self) -> list[object]:
        """Return what changes when one of the files does."""
        paths = [self.authorities, self.file or PLACES.openssl_cafile, PLACES.openssl_capath]
        for folder in (self.folders or "").split(os.pathsep):
            paths += [folder, *_certificates(folder)]
        return [_state(path) for path in paths]


def _tls_context(sources: _Sources) -> ssl.SSLContext:
    with _reading:
        states = sources.states()
        known = _contexts.get(sources)
        if known is not None and known[0] == states:
            return known[1]
        context = ssl.create_default_context()
        context.hostname_checks_common_name = False  # browsers look at subjectAltName only (RFC 9525, 2)
        context.set_alpn_protocols(["http/1.1"])
        # OpenSSL says nothing of a file that the environment names and that it cannot read.
        if sources.file and not context.cert_store_stats()["x509"]:
            _read(context, PLACES.openssl_cafile_env, sources.file)
        if sources.authorities is not None:
            _read(context, "authorities", sources.authorities)
        _contexts[sources] = states, context
        return context


def _read(context: ssl.SSLContext, setting: str, path: Path) -> None:
    """Trust the authorities in a file; OSError, with the name of the setting, if that cannot be done."""
    shown = f"{setting}: {os.fspath(path)!r}"
    try:
        context.load_verify_locations(path)
    except ssl.SSLError:
        raise OSError(f"{shown} cannot be read: it has no certificate, or is damaged") from None
    except (OSError, ValueError) as error:
        raise OSError(f"{shown} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not context.cert_store_stats()["x509"]:
        raise OSError(f"{shown} cannot be read: it has no certificate")


def _state(path: Path | None) -> tuple[int, ...] | None:
    """Return what changes when a file does, None for none."""
    try:
        status = os.stat(path or "")
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _certificates(folder: str) -> list[str]:
    """Return the files of a folder that OpenSSL may read: a hash of who is certified, and a number."""
    try:
        names = os.listdir(folder) if folder else []
    except (OSError, ValueError):
        return []
    return [os.path.join(folder, name) for name in sorted(names) if re.fullmatch(r"[0-9a-f]{8}\.[0-9]+", name)]


def _in_thread(sources: _Sources) -> "Future[ssl.SSLContext]":
    """Make the TLS context in a thread, unless one is at it already; its future.

    It is a thread of its own: the loop's executor may be busy, and is waited for when the program ends.
    """
    with _beginning:
        future = _begun.get(sources)
        if future is None:
            future = Future()
            future.set_running_or_notify_cancel()  # nobody who waits for it can cancel it for the others
            threading.Thread(target=_make, args=(sources, future), name="pyws", daemon=True).start()
            _begun[sources] = future
        return future


def _make(sources: _Sources, future: "Future[ssl.SSLContext]") -> None:
    context = error = None
    try:
        context = _tls_context(sources)
    except Exception as exception:
        error = exception
    with _beginning:
        del _begun[sources]
    if context is not None:
        future.set_result(context)
    else:
        future.set_exception(error)


_reading, _beginning = threading.Lock(), threading.Lock()
_contexts: dict[_Sources, tuple[list[object], ssl.SSLContext]] = {}
_begun: "dict[_Sources, Future[ssl.SSLContext]]" = {}


# Cookies, as the standard library's jar has them.


class _Response:
    """What a cookie jar asks of a response, and of its headers."""

    def __init__(self, set_cookie: str) -> None:
        self._set_cookie = set_cookie

    def info(self) -> "_Response":
        """Return the headers."""
        return self

    def get_all(self, name: str, default: list[str]) -> list[str]:
        """Return the values of a header."""
        return [self._set_cookie] if name.lower() == "set-cookie" else default


def _http_request(address: Address) -> "Request":
    """Return the request as a cookie jar knows requests: `ws:` is `http:`, `wss:` is `https:` (RFC 6455, 4.1)."""
    from urllib.request import Request

    return Request("http" + address.public.removeprefix("ws"))


def _set_cookie(text: str, host: str) -> str:
    """Return a Set-Cookie header with the attributes that RFC 6265, 5.2, heeds; a jar takes others amiss."""
    cookie, *attributes = text.split(";")
    heeded = [cookie]
    for attribute in attributes:
        name, _, value = attribute.partition("=")
        name, value = name.strip().lower(), value.strip()
        match name:
            case "secure" | "httponly":
                heeded.append(name)
            case "max-age" if re.fullmatch("-?[0-9]+", value):
                # 31 years are for good.
                heeded.append("max-age=" + ("0" if value[0] == "-" else value.lstrip("0")[:9] or "0"))
            case "path" if value.startswith("/"):
                heeded.append(f"path={value}")
            case "domain" if value.strip("."):
                if is_address(host) or "." not in host:
                    # There is nothing below such a host: the cookie is for it alone, or not for it.
                    if value.lower().strip("[].") != host:
                        return ""
                else:
                    heeded.append(f"domain={value}")
            case "expires" | "samesite" if value:
                heeded.append(f"{name}={value}")
    return ";".join(heeded)


_DEFAULT = UserAgent()
_current: ContextVar[UserAgent | None] = ContextVar("pyws.UserAgent", default=None)
_blocks: ContextVar[tuple[Token[UserAgent | None], ...]] = ContextVar("pyws.UserAgent blocks", default=())

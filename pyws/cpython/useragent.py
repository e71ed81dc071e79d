"""The settings of a user agent: on CPython the program decides what a browser decides for a page.

Its law: no setting changes the interface. Code that opens sockets stays the same in every runtime.
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
from typing import TYPE_CHECKING, Literal

from ..loop import now
from .proxies import SETTING, parse
from .url import Address, is_address, is_base, is_origin, is_secure, is_this_machine

if TYPE_CHECKING:
    from collections.abc import Iterable
    from http.cookiejar import CookieJar
    from urllib.request import Request

# Headers of the opening handshake that `headers` must not contain; Origin has a setting of its own.
RESERVED = frozenset(
    ("host", "upgrade", "connection", "origin", "content-length", "transfer-encoding")
    + ("te", "trailer", "expect", "keep-alive", "proxy-connection")
)
# https://www.rfc-editor.org/rfc/rfc9110#name-field-names, and the section after it for values
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
    `headers`: more headers of the opening handshake, such as Authorization; a copy is made. Characters
    beyond ASCII are sent as Latin-1.
    `cookies`: an `http.cookiejar.CookieJar`, for cookies to send and to keep. A Cookie in `headers` is sent instead.
    `tls`: an `ssl.SSLContext` of your own; `authorities`: a PEM file of certificate authorities to trust besides
    those of the system; it is read again when it has changed.
    `proxy`: the URL of a proxy for every connection, to this machine too: "http://user:password@host:port", or with
    https, socks4, socks4a, socks5; "" for none. None asks the environment (HTTPS_PROXY, ALL_PROXY, NO_PROXY, ...) and
    never uses its proxy for this machine.
    `compression`: whether to offer permessage-deflate; "fast" sends up to half more bytes in less time.
    `max_size`: bytes of the largest message taken, after decompression; None for no limit.
    `max_buffered`: bytes of `bufferedAmount` beyond which the connection is failed; None for no limit.
    `opening_timeout`, `closing_timeout`: seconds for either handshake; infinite ones are allowed.
    `ping_interval`: seconds to wait before each Ping; None sends no Pings.
    `ping_timeout`: seconds to wait after it for a sign of life from the server, such as the Pong.
    `blocked_ports`: whether the ports that browsers block are blocked.

    Raises TypeError or ValueError, with the name of the setting, for a value that is not possible; `authorities` that
    cannot be read raise ValueError. In a page it raises "NotSupportedError": there the browser decides.
    """

    origin: str | None = None
    base: str = "about:blank"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    cookies: "CookieJar | None" = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    authorities: "str | os.PathLike[str] | None" = None
    proxy: str | None = field(default=None, repr=False)
    compression: bool | Literal["fast"] = True
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
        if self.origin is not None and not is_origin(_require_str("origin", self.origin)):
            raise ValueError("origin must be as browsers write it: 'https://example.org', 'http://[::1]:8080', 'null'")
        if _require_str("base", self.base) != "about:blank" and not is_base(self.base):
            raise ValueError("base must be a URL that others can be relative to, such as 'https://example.org/page'")
        object.__setattr__(self, "headers", _copy_headers(self.headers))
        if self.cookies is not None:
            from http.cookiejar import CookieJar

            if not isinstance(self.cookies, CookieJar):
                raise TypeError(f"cookies must be an http.cookiejar.CookieJar, not {_type_name(self.cookies)}")
        if self.tls is not None:
            if not isinstance(self.tls, ssl.SSLContext):
                raise TypeError(f"tls must be an ssl.SSLContext, not {_type_name(self.tls)}")
            if self.tls.protocol == ssl.PROTOCOL_TLS_SERVER:
                raise ValueError("tls must be a context for clients, as ssl.create_default_context() makes them")
        if self.authorities is not None:
            if not isinstance(self.authorities, (str, os.PathLike)):
                raise TypeError(f"authorities must be the path of a file, not {_type_name(self.authorities)}")
            try:
                _load_authorities(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "authorities", self.authorities)
            except OSError as error:
                raise ValueError(str(error)) from None
        if self.proxy is not None and _require_str("proxy", self.proxy).strip():
            parse(self.proxy, SETTING)
        if not isinstance(self.compression, bool) and self.compression != "fast":
            shown = repr(self.compression) if isinstance(self.compression, str) else _type_name(self.compression)
            raise TypeError(f'compression must be True, False or "fast", not {shown}')
        if not isinstance(self.blocked_ports, bool):
            raise TypeError(f"blocked_ports must be True or False, not {_type_name(self.blocked_ports)}")
        for name in ("opening_timeout", "closing_timeout", "ping_interval", "ping_timeout"):
            _check_seconds(name, getattr(self, name))
        for name in ("max_size", "max_buffered"):
            _check_size(name, getattr(self, name))

    def use(self) -> None:
        """Make this the user agent of the running task and of tasks that it starts; at top level, of the program."""
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
        """Return the user agent of the running task."""
        return _current.get() or _DEFAULT

    def load(self) -> None:
        """Read the certificate authorities, if files are new or have changed; raises OSError if one cannot be read.

        A connection does this by itself, in a thread. To read them, and to see errors, before the first connection:
        `await asyncio.to_thread(agent.load)`; when a program starts, also without a thread. It takes tens of ms.
        """
        self.context()

    def context(self) -> ssl.SSLContext:
        """Return the TLS context for `wss:` (RFC 6455, 4.1): certificates are verified, and ALPN offers HTTP/1.1.

        It may read files, as `load` does.
        """
        return self.tls or _tls_context(_Sources.of(self.authorities))

    async def context_soon(self) -> ssl.SSLContext:
        """Return the TLS context; files are read in a thread, so that the event loop does not wait for them."""
        if self.tls is not None:
            return self.tls
        sources = _Sources.of(self.authorities)
        known = _known_context(sources)
        return known if known is not None else await asyncio.wrap_future(_make_in_thread(sources))

    def cookie_for(self, address: Address) -> str | None:
        """Return the Cookie header for a handshake (RFC 6265), None without cookies; ValueError if one is not valid."""
        if self.cookies is None:
            return None
        request = _http_request(address)
        self.cookies.add_cookie_header(request)
        cookie = request.get_header("Cookie")
        if cookie is not None and not VALUE.fullmatch(cookie):
            raise ValueError("a cookie of the jar has characters that HTTP does not allow in a header")
        return cookie

    def keep_cookies(self, address: Address, headers: "Iterable[tuple[str, str]]") -> None:
        """Keep the cookies that the headers of a response set, with any status (RFC 6265, 3)."""
        if self.cookies is None:
            return
        request = _http_request(address)
        for name, value in headers:
            if name.lower() == "set-cookie" and VALUE.fullmatch(value):
                # One at a time: if there is one that the jar cannot read, it drops all.
                response = _Response(_set_cookie(value, address.host))
                self.cookies.extract_cookies(response, request)  # type: ignore[arg-type] # it has the methods that are called

    def forbids(self, address: Address) -> bool:
        """Tell whether this is mixed content: an insecure socket from a secure origin to another machine.

        https://w3c.github.io/webappsec-mixed-content/#should-block-fetch
        """
        secure = is_secure(self.base) or (self.origin is not None and is_secure(self.origin))
        return secure and not address.secure and not is_this_machine(address.host)


# Checks of the settings. A message names the setting and the header, and no value that may be a secret.


def _type_name(value: object) -> str:
    return type(value).__name__


def _require_str(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be str, not {_type_name(value)}")
    return value


def _check_seconds(name: str, seconds: object) -> None:
    if seconds is None and name == "ping_interval":
        return
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(f"{name} must be a number of seconds, not {_type_name(seconds)}")
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
        raise TypeError(f"{name} must be a whole number of bytes, or None for no limit, not {_type_name(size)}")
    if size <= 0:
        raise ValueError(f"{name} must be a positive number of bytes, or None for no limit, not {size!r}")


def _copy_headers(headers: object) -> Mapping[str, str]:
    """Return a copy of `headers`; raises TypeError or ValueError for a header that cannot be sent."""
    if not isinstance(headers, Mapping):
        raise TypeError(f"headers must be a mapping of names to values, not {_type_name(headers)}")
    copy: dict[str, str] = {}
    seen: set[str] = set()
    for name, value in headers.items():
        if not isinstance(name, str):
            raise TypeError(f"headers: the name of a header must be str, not {_type_name(name)}")
        if not NAME.fullmatch(name):
            # A value may follow, as in "Authorization: Bearer ...".
            shown = re.split(r"[:\s]", name, maxsplit=1)[0][:40]
            raise ValueError(f"headers: {shown!r} is not the name of a header")
        if name.lower() in RESERVED or name.lower().startswith("sec-websocket-"):
            raise ValueError(f"headers: the header {name} belongs to the protocol: UserAgent cannot set it")
        if name.lower() in seen:
            raise ValueError(f"headers: the header {name} is there twice, in different letter case")
        if not isinstance(value, str):
            raise TypeError(f"headers: the value of the header {name} must be str, not {_type_name(value)}")
        if not VALUE.fullmatch(value):
            raise ValueError(f"headers: the value of the header {name} has characters that HTTP does not allow there")
        if value.strip(" \t") != value:
            raise ValueError(f"headers: the value of the header {name} begins or ends with white space")
        seen.add(name.lower())
        copy[name] = value
    return MappingProxyType(copy)


# Certificate authorities: read once, and again when a file has changed. Those of the system take tens of ms.

Path = str | os.PathLike[str]
VERIFY_PATHS = ssl.get_default_verify_paths()

FOLDER_CHECK = 1.0
"""Seconds after which a connection looks at each file of the folders again; it looks at the others at once."""


@dataclass(frozen=True)
class _Sources:
    """The files and folders that authorities are read from: `authorities`, and those that the environment names now."""

    authorities: Path | None
    file: str | None
    folders: str | None

    @classmethod
    def of(cls, authorities: Path | None) -> "_Sources":
        names = VERIFY_PATHS.openssl_cafile_env, VERIFY_PATHS.openssl_capath_env
        return cls(authorities, *map(os.environ.get, names))

    def file_states(self) -> list[object]:
        """Return a list that differs when a file has changed, or has come into a folder or gone."""
        paths = [self.authorities, self.file or VERIFY_PATHS.openssl_cafile, VERIFY_PATHS.openssl_capath]
        return [_file_state(path) for path in [*paths, *(self.folders or "").split(os.pathsep)]]

    def states_in_folders(self) -> list[object]:
        """Return a list that differs when a file in one of the folders has changed; there may be hundreds."""
        folders = (self.folders or "").split(os.pathsep)
        return [_file_state(path) for folder in folders for path in _certificates(folder)]


def _known_context(sources: _Sources) -> ssl.SSLContext | None:
    """Return the TLS context if it was made, and no file has changed as far as a quick look can tell."""
    known = _contexts.get(sources)
    if known is None or known.file_states != sources.file_states():
        return None
    return known.context if not sources.folders or now() - known.checked_at < FOLDER_CHECK else None


def _tls_context(sources: _Sources) -> ssl.SSLContext:
    with _contexts_lock:
        states, in_folders = sources.file_states(), sources.states_in_folders()
        known = _contexts.get(sources)
        if known is not None and (known.file_states, known.states_in_folders) == (states, in_folders):
            known.checked_at = now()
            return known.context
        context = ssl.create_default_context()
        context.hostname_checks_common_name = False  # browsers look at subjectAltName only (RFC 9525, 2)
        context.set_alpn_protocols(["http/1.1"])
        # OpenSSL does not report that it cannot read a file that the environment names.
        if sources.file and not context.cert_store_stats()["x509"]:
            _load_authorities(context, VERIFY_PATHS.openssl_cafile_env, sources.file)
        if sources.authorities is not None:
            _load_authorities(context, "authorities", sources.authorities)
        _contexts[sources] = _Known(context, states, in_folders, now())
        return context


@dataclass
class _Known:
    """A TLS context, what the files were like from which it was made, and when that was seen last."""

    context: ssl.SSLContext
    file_states: list[object]
    states_in_folders: list[object]
    checked_at: float


def _load_authorities(context: ssl.SSLContext, setting: str, path: Path) -> None:
    """Trust the authorities in a file; raises OSError, with the name of the setting, if that is not possible."""
    shown = f"{setting}: {os.fspath(path)!r}"
    try:
        context.load_verify_locations(path)
    except ssl.SSLError:
        raise OSError(f"{shown} cannot be read: it has no certificate, or is damaged") from None
    except (OSError, ValueError) as error:
        raise OSError(f"{shown} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not context.cert_store_stats()["x509"]:
        raise OSError(f"{shown} cannot be read: it has no certificate")


def _file_state(path: Path | None) -> tuple[int, ...] | None:
    """Return a value that differs when a file has changed, None if it does not exist."""
    try:
        status = os.stat(path or "")
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _certificates(folder: str) -> list[str]:
    """Return the files of a folder that OpenSSL may read: their names are a hash of the subject, and a number."""
    try:
        names = os.listdir(folder) if folder else []
    except (OSError, ValueError):
        return []
    return [os.path.join(folder, name) for name in sorted(names) if re.fullmatch(r"[0-9a-f]{8}\.[0-9]+", name)]


def _make_in_thread(sources: _Sources) -> "Future[ssl.SSLContext]":
    """Make the TLS context in a thread, unless a thread is making it already; return the future of the context.

    It is not a thread of the loop's executor: those may all be busy, and a program that ends waits for them.
    """
    with _pending_lock:
        future = _pending.get(sources)
        if future is None:
            future = Future()
            future.set_running_or_notify_cancel()  # a task that waits for it cannot cancel it for others
            threading.Thread(target=_make_context, args=(sources, future), name="pyws", daemon=True).start()
            _pending[sources] = future
        return future


def _make_context(sources: _Sources, future: "Future[ssl.SSLContext]") -> None:
    context = error = None
    try:
        context = _tls_context(sources)
    except Exception as exception:
        error = exception
    with _pending_lock:
        del _pending[sources]
    if context is not None:
        future.set_result(context)
    else:
        future.set_exception(error)


_contexts_lock, _pending_lock = threading.Lock(), threading.Lock()
_contexts: dict[_Sources, _Known] = {}
_pending: "dict[_Sources, Future[ssl.SSLContext]]" = {}


# Cookies, in the form that the jar of the standard library uses.


class _Response:
    """The methods of a response, and of its headers, that a cookie jar calls."""

    def __init__(self, set_cookie: str) -> None:
        self._set_cookie = set_cookie

    def info(self) -> "_Response":
        """Return the headers."""
        return self

    def get_all(self, name: str, default: list[str]) -> list[str]:
        """Return the values of a header."""
        return [self._set_cookie] if name.lower() == "set-cookie" else default


def _http_request(address: Address) -> "Request":
    """Return the request in the form that a cookie jar takes: `ws:` is `http:`, `wss:` is `https:` (RFC 6455, 4.1)."""
    from urllib.request import Request

    return Request("http" + address.public.removeprefix("ws"))


def _set_cookie(text: str, host: str) -> str:
    """Return a Set-Cookie header with only the attributes of RFC 6265, 5.2; a jar could misread others."""
    cookie, *attributes = text.split(";")
    kept = [cookie]
    for attribute in attributes:
        name, _, value = attribute.partition("=")
        name, value = name.strip().lower(), value.strip()
        match name:
            case "secure" | "httponly":
                kept.append(name)
            case "max-age" if re.fullmatch("-?[0-9]+", value):
                # Nine digits are 31 years: enough for any larger number.
                kept.append("max-age=" + ("0" if value[0] == "-" else value.lstrip("0")[:9] or "0"))
            case "path" if value.startswith("/"):
                kept.append(f"path={value}")
            case "domain" if value.strip("."):
                if is_address(host) or "." not in host:
                    # Such a host has no names below it: the cookie is for the host alone, or is dropped.
                    if value.lower().strip("[].") != host:
                        return ""
                else:
                    kept.append(f"domain={value}")
            case "expires" | "samesite" if value:
                kept.append(f"{name}={value}")
    return ";".join(kept)


_DEFAULT = UserAgent()
_current: ContextVar[UserAgent | None] = ContextVar("pyws.UserAgent", default=None)
_blocks: ContextVar[tuple[Token[UserAgent | None], ...]] = ContextVar("pyws.UserAgent blocks", default=())

"""The URL standard, as far as a WebSocket needs it, by the parser of Node.js (`ada-url`).

https://url.spec.whatwg.org/
"""

from dataclasses import dataclass
from functools import lru_cache

import ada_url

from ..webidl import DOMException

# https://fetch.spec.whatwg.org/#port-blocking
BAD_PORTS = frozenset(
    (0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104)
    + (109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526)
    + (530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045)
    + (4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080)
)

MAX_KEPT = 4096
"""Characters of the longest URL that is remembered when it was parsed."""


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a WebSocket URL that a connection needs."""

    href: str
    secure: bool
    host: str
    """A name or an address, without brackets."""
    port: int
    resource: str
    """Path and query, as in the request line."""
    username: str
    password: str
    public: str
    """The URL for logs: without the credentials, and without the query, which may hold a token."""


def parse(url: str, base: str = "about:blank") -> Address:
    """Parse `url` relative to `base`; raises `DOMException` "SyntaxError" if it is not a WebSocket URL.

    https://websockets.spec.whatwg.org/#dom-websocket-websocket
    """
    return (_parse_once if len(url) + len(base) <= MAX_KEPT else _parse)(url, base)


def _parse(url: str, base: str) -> Address:
    try:
        record = ada_url.URL(url, base)
    except ValueError:
        hint = "" if "://" in url else "; a relative URL needs a page to be relative to"
        raise DOMException(f"{url!r} is not a valid URL{hint}", "SyntaxError") from None
    if record.protocol in ("http:", "https:"):
        record.protocol = record.protocol.replace("http", "ws")
    if record.protocol not in ("ws:", "wss:"):
        raise DOMException(f"{url!r} must begin with ws:// or wss://", "SyntaxError")
    href = str(record.href)
    if "#" in href:
        raise DOMException(f"{url!r} must not have a fragment (#...)", "SyntaxError")
    secure = record.protocol == "wss:"
    address, _, resource = href.partition("://")[2].partition("/")
    path, query, _ = resource.partition("?")
    return Address(
        href=href,
        secure=secure,
        host=record.hostname.strip("[]"),
        port=int(record.port or (443 if secure else 80)),
        resource=f"/{resource}",
        username=record.username,
        password=record.password,
        public=f"{record.protocol}//{address.rpartition('@')[2]}/{path}{'?…' * bool(query)}",
    )


_parse_once = lru_cache(maxsize=32)(_parse)  # a program opens the same URL again and again


def dns_name(host: str) -> bytes:
    """Return a host, without brackets, for the resolver: in bytes, because Python changes a `str` by IDNA 2003.

    Raises OSError if DNS has no such names. As in Chromium, a label has 1 to 63 bytes and all of them 253 together; one
    dot may follow.
    """
    name = host.removesuffix(".")
    if len(name) > 253:
        raise OSError(f"the host name has {len(name)} bytes, DNS takes 253")
    for label in name.split("."):
        if not 0 < len(label) <= 63:
            fault = f"has {len(label)} bytes, DNS takes 63" if label else "is empty"
            raise OSError(f"a label of the host name {fault}")
    return host.encode("ascii")


def tls_name(host: str) -> str:
    """Return a host, without brackets, for TLS: in SNI and in the certificate it has no last dot (RFC 6066, 3).

    For an address `ssl` sends no SNI, and looks for it among the addresses of the certificate. Raises OSError as
    `dns_name` does, because no certificate can have such a name.
    """
    return dns_name(host).decode("ascii").removesuffix(".")


def is_address(host: str) -> bool:
    """Tell whether a host of the URL standard, without brackets, is an IP address."""
    return ":" in host or host.replace(".", "").isdigit()


def is_localhost(host: str) -> bool:
    """Tell whether a host of the URL standard is a name of this machine: ::1 and 127.0.0.1, without asking DNS.

    https://fetch.spec.whatwg.org/#resolve-an-origin
    """
    name = host.lower().removesuffix(".")
    return name == "localhost" or name.endswith(".localhost")


def is_this_machine(host: str) -> bool:
    """Tell whether a host of the URL standard, without brackets, is this machine, by its name or its address.

    https://w3c.github.io/webappsec-secure-contexts/#is-origin-trustworthy
    """
    return is_localhost(host) or host == "::1" or (is_address(host) and host.startswith("127."))


@lru_cache(maxsize=32)
def is_secure(url: str) -> bool:
    """Tell whether the scheme of a URL means TLS."""
    record = _record(url)
    return record is not None and record.protocol in ("https:", "wss:")


def is_base(url: str) -> bool:
    """Tell whether a URL can be the base of relative URLs.

    https://url.spec.whatwg.org/#concept-basic-url-parser
    """
    return _record("relative", url) is not None


def is_origin(text: str) -> bool:
    """Tell whether a text is an origin as browsers write it into the header: `https://example.org`, or `null`.

    https://html.spec.whatwg.org/multipage/browsers.html#ascii-serialisation-of-an-origin
    """
    if text in ("null", "file://"):  # the origin of a file is one of the two, by the settings of the browser
        return True
    record = _record(text)
    if record is None:
        return False
    if record.origin != "null":
        return bool(record.origin == text)
    # Apps and extensions have schemes of their own, as in capacitor://localhost.
    return bool(record.host and f"{record.protocol}//{record.host}" == text)


def _record(url: str, base: str = "about:blank") -> ada_url.URL | None:
    try:
        return ada_url.URL(url, base)
    except ValueError:
        return None

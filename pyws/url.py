"""The URL standard, as far as a WebSocket needs it, by the parser that browsers use (`ada-url`).

https://url.spec.whatwg.org/
"""

from dataclasses import dataclass

import ada_url

from .dom import DOMException

# https://fetch.spec.whatwg.org/#port-blocking
BAD_PORTS = frozenset(
    (0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104)
    + (109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526)
    + (530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045)
    + (4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080)
)


@dataclass(frozen=True, slots=True)
class Address:
    """What a connection needs to know of a WebSocket URL."""

    href: str
    secure: bool
    host: str
    """A name or an address, without brackets."""
    port: int
    resource: str
    """Path and query, as the request line has them."""
    username: str
    password: str
    public: str
    """The URL for logs: without the credentials, and without the query, which may hold a token."""


def parse(url: str, base: str = "about:blank") -> Address:
    """Parse `url` relative to `base`; raises `DOMException` "SyntaxError" if it is no WebSocket URL.

    https://websockets.spec.whatwg.org/#dom-websocket-websocket
    """
    try:
        # The empty string is the base URL itself; the parser's constructor would take it for no URL at all.
        record = ada_url.URL(url or "#", base)
    except ValueError:
        hint = "" if "://" in url else "; a relative URL needs a page to be relative to"
        raise DOMException(f"{url!r} is not a valid URL{hint}", "SyntaxError") from None
    if record.protocol in ("http:", "https:"):
        record.protocol = record.protocol.replace("http", "ws")
    if record.protocol not in ("ws:", "wss:"):
        raise DOMException(f"{url!r} must begin with ws:// or wss://", "SyntaxError")
    href = str(record.href)
    if "#" in href and url:
        raise DOMException(f"{url!r} must not have a fragment (#...)", "SyntaxError")
    href = href.rstrip("#")
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


def is_localhost(host: str) -> bool:
    """Tell whether a name means this machine, whatever the resolver says of it.

    https://w3c.github.io/webappsec-secure-contexts/#is-origin-trustworthy
    """
    return host.rstrip(".").rpartition(".")[2].lower() == "localhost"

"""Which proxy leads to a server: what the owner, the environment or the system says of it.

Its law: what cannot be used is an error that names the proxy and where it comes from, and never a password.
Rules are Chromium's, curl's where Chromium has none: https://chromium.googlesource.com/chromium/src/+/main/net/docs/proxy.md
"""

import base64
import os
import re
import sys
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import unquote_to_bytes

import ada_url

from .url import is_localhost

SETTING = "UserAgent(proxy=…)"
"""The source of a proxy that the owner has given."""

DEFAULT_PORTS = {"http": 80, "https": 443, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}


class ProxyError(ValueError):
    """A proxy that cannot be used, or did not open the way: one sentence says which, and why."""


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """A proxy server."""

    scheme: str
    """One of `DEFAULT_PORTS`."""
    host: str
    """A name in ASCII, or an address without brackets."""
    port: int
    source: str
    """The variable, or the setting, that names it."""
    credentials: tuple[bytes, bytes] | None = field(default=None, repr=False)
    """User name and password, as they are sent."""

    @property
    def public(self) -> str:
        """The URL without credentials, for logs."""
        return f"{self.scheme}://{authority(self.host, self.port)}"

    def error(self, what: str) -> ProxyError:
        """Return an error for what this proxy did or said, without what it may repeat of the credentials."""
        if self.credentials is not None:
            pair = base64.b64encode(b":".join(self.credentials)).decode()
            for secret in (pair, self.credentials[1].decode("latin-1")):
                # Of what was shortened the beginning of a secret may be left, at the end.
                what = what.replace(secret, "…") if len(secret) > 3 else what
                what = re.sub(rf"Basic {re.escape(secret[:4])}[\w+/=]*", "Basic …", what) if secret == pair else what
        return ProxyError(f"the proxy {self.public} ({self.source}) {what}")


def authority(host: str, port: int) -> str:
    """Return host and port as a URL has them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse(url: str, source: str, scheme: str = "http") -> Proxy:
    """Read the URL of a proxy, or `host:port` with `scheme`; raises ProxyError if it is none.

    User name and password may be percent-encoded, and need not be: they end at the last "@".
    """
    url = url.strip()
    if match := re.match(r"([a-z][a-z0-9+.-]*)://", url, re.IGNORECASE):
        scheme, url = match[1].lower(), url[match.end() :]
    userinfo, _, place = url.rpartition("@")
    match = re.fullmatch(r"(\[[0-9a-f:.]+\]|[^\s/?#@\\:\[\]]+)(?::([0-9]{0,9}))?/?", place, re.IGNORECASE)
    # A wrong URL is shown without whatever might belong to a password.
    shown = place if match else re.split(r"[/?#@\\:]", place)[0]
    what = f"the proxy {f'{scheme}://{shown}'!a} ({source}) cannot be used"
    if scheme == "socks":
        scheme = "socks5"
    if scheme not in DEFAULT_PORTS:
        raise ProxyError(f"{what}: its scheme must be one of {', '.join(DEFAULT_PORTS)}")
    if match is None:
        raise ProxyError(f"{what}: it must look like {scheme}://user:password@host:port")
    port = int(match[2] or DEFAULT_PORTS[scheme])
    if not 0 < port < 65536:
        raise ProxyError(f"{what}: a port is a number from 1 to 65535")
    try:
        host = ada_url.URL(f"http://{match[1]}").hostname.strip("[]")
    except ValueError:
        raise ProxyError(f"{what}: this is no name of a host") from None
    user, _, password = userinfo.partition(":")
    credentials = (_decode(user), _decode(password)) if user or password else None
    if credentials is not None:
        _check(scheme, *credentials, what)
    return Proxy(scheme=scheme, host=host, port=port, source=source, credentials=credentials)


def _decode(text: str) -> bytes:
    """Decode percent-encoding; what the environment has that is no UTF-8 stays as it is."""
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape"))


def _check(scheme: str, user: bytes, password: bytes, what: str) -> None:
    """Raise ProxyError for credentials that the protocol of a proxy has no room for."""
    if scheme in ("http", "https"):
        if b":" in user:  # https://www.rfc-editor.org/rfc/rfc7617#section-2
            raise ProxyError(f"{what}: the user name contains a colon, which HTTP does not allow")
    elif scheme in ("socks5", "socks5h"):
        if max(len(user), len(password)) > 255:  # https://www.rfc-editor.org/rfc/rfc1929
            raise ProxyError(f"{what}: user name and password have 255 bytes at most in SOCKS 5")
    elif b"\0" in user:
        raise ProxyError(f"{what}: the user name contains a zero byte, which SOCKS 4 does not allow")


def proxy_for(setting: str | None, secure: bool, host: str, port: int) -> Proxy | None:
    """Return the proxy to a host, None to connect directly; raises ProxyError for one that cannot be used.

    `setting` is the owner's word, and holds for every host; "" is none. Without it the environment is asked each
    time, and never for this machine or a link-local address. `host` is as the URL standard has it, without brackets.
    """
    if setting is not None:
        return parse(setting, SETTING) if setting.strip() else None
    named = any(name.lower().endswith("_proxy") for name in os.environ)
    if named:
        return _of_the_environment(secure, host, port)
    if sys.platform in ("darwin", "win32"):
        return _of_the_system(host, port)
    return None


def _of_the_environment(secure: bool, host: str, port: int) -> Proxy | None:
    # A proxy for WebSockets alone comes first (curl), then SOCKS, the proxy for `https:` and the one for `http:`,
    # whether `ws:` or `wss:` (https://www.rfc-editor.org/rfc/rfc6455#section-4.1, and Chromium).
    for name in ("wss_proxy" if secure else "ws_proxy", "socks_proxy", "https_proxy", "http_proxy", "all_proxy"):
        source, value = _variable(name)
        if value:
            if _bypasses(_variable("no_proxy")[1], secure, host, port):
                return None
            return _parse_socks(value, source) if name == "socks_proxy" else parse(value, source)
    return None


def _variable(name: str) -> tuple[str, str]:
    """Return a variable's name as it is spelled, and its value. Who sets it in lower case overrules upper case."""
    for spelling in (name, name.upper()):
        # In a CGI script HTTP_PROXY is a header of the request, chosen by whoever sent it (https://httpoxy.org/).
        if spelling in os.environ and not (spelling == "HTTP_PROXY" and "REQUEST_METHOD" in os.environ):
            return spelling, os.environ[spelling].strip()
    return name, ""


def _parse_socks(url: str, source: str) -> Proxy:
    """Read what stands where only a SOCKS proxy can; systems write `http://` there, or no scheme."""
    return parse(re.sub("^http://", "", url, flags=re.IGNORECASE), source, "socks5")


def _of_the_system(host: str, port: int) -> Proxy | None:
    """Ask the settings of macOS or Windows, which `urllib` can read."""
    from urllib.request import getproxies, proxy_bypass

    source = "the system's settings"
    proxies = getproxies()
    if not proxies or _is_local(host) or proxy_bypass(authority(host, port)):
        return None
    if "socks" in proxies:
        return _parse_socks(proxies["socks"], source)
    url = proxies.get("https") or proxies.get("http")
    return parse(url, source) if url else None


def _bypasses(rules: str, secure: bool, host: str, port: int) -> bool:
    """Tell whether `no_proxy`, or else that it is local, lets a host be reached directly. The last rule decides."""
    for rule in reversed(re.split(r"[\s,;]+", rules.lower())):
        if rule == "<-loopback>":
            if _is_local(host):
                return False
        elif rule and _matches(rule, secure, host.rstrip("."), port):
            return True
    return _is_local(host)


def _is_local(host: str) -> bool:
    """Tell whether a host is this machine, or has a link-local address: never behind a proxy that nobody asked for."""
    address = _address(host)
    if address is not None:
        return address.is_loopback or address.is_link_local
    return is_localhost(host)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """Return a host that is an address; an IPv4 address within IPv6 is that IPv4 address."""
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _matches(rule: str, secure: bool, name: str, port: int) -> bool:
    """Tell whether a rule of `no_proxy` is about a host.

    A rule is a name, with or without a dot before it, and means all names below it too; or a name or address in which
    "*" stands for anything; an address; a network. A port may follow, and "ws://" or "wss://" stand before it.
    """
    address = _address(name)
    if rule == "<local>":
        return address is None and "." not in name
    scheme, _, place = rule.rpartition("://")
    if scheme and scheme != ("wss" if secure else "ws"):
        return False
    if "/" in place:
        try:
            # What does not fit the address's version is just not in the network.
            return address is not None and address in ip_network(re.sub(r"[\[\]]", "", place), strict=False)
        except ValueError:
            return False
    if match := re.fullmatch(r"(\[.*\]|[^:]*):([0-9]{1,5})", place):
        place = match[1]
        if int(match[2]) != port:
            return False
    place = place.strip("[]")
    if address is not None:
        wanted = _address(place)
        return re.fullmatch(_pattern(place), name) is not None if wanted is None else wanted == address
    place = place.strip(".")
    if not place.isascii():
        try:
            place = ada_url.URL(f"http://{place}").hostname
        except ValueError:
            return False
    return re.fullmatch(rf"(.*\.)?{_pattern(place)}", name) is not None


def _pattern(place: str) -> str:
    """Return the regular expression of a name in which "*" stands for any characters."""
    return ".*".join(map(re.escape, place.split("*")))

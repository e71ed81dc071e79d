"""The choice of the proxy to a server, by the user agent's setting, the environment, or the system's settings.

Its law: a proxy that cannot be used is an error. The message names the proxy and its source, and never a password.
The rules are those of Chromium, or of curl where Chromium has none:
https://chromium.googlesource.com/chromium/src/+/main/net/docs/proxy.md
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
"""The source of a proxy that the user agent names."""

DEFAULT_PORTS = {"http": 80, "https": 443, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}


class ProxyError(ValueError):
    """A proxy cannot be used, or did not open the tunnel: the message names it and the reason in one sentence."""


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """A proxy server."""

    scheme: str
    """One of `DEFAULT_PORTS`."""
    host: str
    """A name in ASCII, or an address without brackets."""
    port: int
    source: str
    """The variable or the setting that names it."""
    credentials: tuple[bytes, bytes] | None = field(default=None, repr=False)
    """User name and password, as the bytes that are sent."""

    @property
    def public(self) -> str:
        """The URL without credentials, for logs."""
        return f"{self.scheme}://{authority(self.host, self.port)}"

    def error(self, problem: str) -> ProxyError:
        """Return an error for a problem of this proxy; credentials that `problem` repeats are left out."""
        if self.credentials is not None:
            pair = base64.b64encode(b":".join(self.credentials)).decode()
            for secret in (pair, self.credentials[1].decode("latin-1")):
                # The text may have been shortened: its end may be the beginning of a secret.
                if len(secret) > 3:
                    problem = problem.replace(secret, "…")
                if secret == pair:
                    problem = re.sub(rf"Basic {re.escape(secret[:4])}[\w+/=]*", "Basic …", problem)
        return ProxyError(f"the proxy {self.public} ({self.source}) {problem}")


def authority(host: str, port: int) -> str:
    """Return host and port as in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse(url: str, source: str, scheme: str = "http") -> Proxy:
    """Read the URL of a proxy, or `host:port` with `scheme`; raises ProxyError for anything else.

    User name and password may be percent-encoded, but need not be: they end at the last "@".
    """
    url = url.strip()
    if match := re.match(r"([a-z][a-z0-9+.-]*)://", url, re.IGNORECASE):
        scheme, url = match[1].lower(), url[match.end() :]
    userinfo, _, host_port = url.rpartition("@")
    match = re.fullmatch(r"(\[[0-9a-f:.]+\]|[^\s/?#@\\:\[\]]+)(?::([0-9]{0,9}))?/?", host_port, re.IGNORECASE)
    # A wrong URL is shown up to its first delimiter only: a password may follow.
    shown = host_port if match else re.split(r"[/?#@\\:]", host_port)[0]
    problem = f"the proxy {f'{scheme}://{shown}'!a} ({source}) cannot be used"
    if scheme == "socks":
        scheme = "socks5"
    if scheme not in DEFAULT_PORTS:
        raise ProxyError(f"{problem}: its scheme must be one of {', '.join(DEFAULT_PORTS)}")
    if match is None:
        raise ProxyError(f"{problem}: it must look like {scheme}://user:password@host:port")
    port = int(match[2] or DEFAULT_PORTS[scheme])
    if not 0 < port < 65536:
        raise ProxyError(f"{problem}: a port is a number from 1 to 65535")
    try:
        host = ada_url.URL(f"http://{match[1]}").hostname.strip("[]")
    except ValueError:
        raise ProxyError(f"{problem}: this is no name of a host") from None
    user, _, password = userinfo.partition(":")
    credentials = (_decode(user), _decode(password)) if user or password else None
    if credentials is not None:
        _check_credentials(scheme, *credentials, problem)
    return Proxy(scheme=scheme, host=host, port=port, source=source, credentials=credentials)


def _decode(text: str) -> bytes:
    """Decode percent-encoding; bytes of the environment that are not UTF-8 stay as they are."""
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape"))


def _check_credentials(scheme: str, user: bytes, password: bytes, problem: str) -> None:
    """Raise ProxyError for credentials that cannot be sent in the protocol of the proxy."""
    if scheme in ("http", "https"):
        if b":" in user:  # https://www.rfc-editor.org/rfc/rfc7617#section-2
            raise ProxyError(f"{problem}: the user name contains a colon, which HTTP does not allow")
    elif scheme in ("socks5", "socks5h"):
        if max(len(user), len(password)) > 255:  # https://www.rfc-editor.org/rfc/rfc1929
            raise ProxyError(f"{problem}: user name and password have 255 bytes at most in SOCKS 5")
    elif b"\0" in user:
        raise ProxyError(f"{problem}: the user name contains a zero byte, which SOCKS 4 does not allow")


def proxy_for(setting: str | None, secure: bool, host: str, port: int) -> Proxy | None:
    """Return the proxy to a host, None to connect directly; raises ProxyError for a proxy that cannot be used.

    `setting` is that of the user agent, and holds for every host; "" means no proxy. If it is None, the environment is
    read at each call, or else the settings of the system. They are not used for this machine or a link-local address,
    unless `no_proxy` contains "<-loopback>". `host` is a host of the URL standard, without brackets.
    """
    if setting is not None:
        return parse(setting, SETTING) if setting.strip() else None
    if any(name.lower().endswith("_proxy") for name in os.environ):
        return _from_environment(secure, host, port)
    if sys.platform in ("darwin", "win32"):
        return _from_system(host, port)
    return None


def _from_environment(secure: bool, host: str, port: int) -> Proxy | None:
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
    """Return a variable's name as it is spelled, and its value. The name in lower case is preferred."""
    for spelling in (name, name.upper()):
        # In a CGI script HTTP_PROXY is a header of the request, so that a client could set it (https://httpoxy.org/).
        if spelling in os.environ and not (spelling == "HTTP_PROXY" and "REQUEST_METHOD" in os.environ):
            return spelling, os.environ[spelling].strip()
    return name, ""


def _parse_socks(url: str, source: str) -> Proxy:
    """Read a setting that can only be a SOCKS proxy; systems write it with `http://` or without a scheme."""
    return parse(re.sub("^http://", "", url, flags=re.IGNORECASE), source, "socks5")


def _from_system(host: str, port: int) -> Proxy | None:
    """Read the settings of macOS or Windows, by `urllib`."""
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
    """Tell whether to connect to a host directly, by the last matching rule of `no_proxy`, or else by `_is_local`."""
    for rule in reversed(re.split(r"[\s,;]+", rules.lower())):
        if rule == "<-loopback>":
            if _is_local(host):
                return False
        elif rule and _matches(rule, secure, host.rstrip("."), port):
            return True
    return _is_local(host)


def _is_local(host: str) -> bool:
    """Tell whether a host is this machine, or has a link-local address: it has no proxy unless a setting says so."""
    address = _address(host)
    if address is not None:
        return address.is_loopback or address.is_link_local
    return is_localhost(host)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """Return a host as an address, None for a name; an IPv4 address within IPv6 becomes that IPv4 address."""
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _matches(rule: str, secure: bool, name: str, port: int) -> bool:
    """Tell whether a rule of `no_proxy` matches a host.

    A rule is a name, with or without a dot before it, which also matches all names below it; a name or an address in
    which "*" stands for any characters; an address; or a network. "ws://" or "wss://" may stand before it, and a port
    after it.
    """
    address = _address(name)
    if rule == "<local>":
        return address is None and "." not in name
    scheme, _, pattern = rule.rpartition("://")
    if scheme and scheme != ("wss" if secure else "ws"):
        return False
    if "/" in pattern:
        try:
            # An address of the other IP version is not in the network.
            return address is not None and address in ip_network(re.sub(r"[\[\]]", "", pattern), strict=False)
        except ValueError:
            return False
    if match := re.fullmatch(r"(\[.*\]|[^:]*):([0-9]{1,5})", pattern):
        pattern = match[1]
        if int(match[2]) != port:
            return False
    pattern = pattern.strip("[]")
    if address is not None:
        wanted = _address(pattern)
        return re.fullmatch(_wildcard(pattern), name) is not None if wanted is None else wanted == address
    pattern = pattern.strip(".")
    if not pattern.isascii():
        try:
            pattern = ada_url.URL(f"http://{pattern}").hostname
        except ValueError:
            return False
    return re.fullmatch(rf"(.*\.)?{_wildcard(pattern)}", name) is not None


def _wildcard(pattern: str) -> str:
    """Return the regular expression for a pattern in which "*" stands for any characters."""
    return ".*".join(map(re.escape, pattern.split("*")))

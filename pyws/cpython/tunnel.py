"""Through a proxy to a server: CONNECT of HTTP, and SOCKS 4, 4a and 5.

Its law: reading is paused while nobody waits for the proxy's answer. So the bytes that follow the answer are either
returned, or still to be read by whoever takes over; and whatever goes wrong, nothing stays open.
https://www.rfc-editor.org/rfc/rfc9110#name-connect
https://www.rfc-editor.org/rfc/rfc1928
https://www.openssh.com/txt/socks4.protocol
"""

import asyncio
import base64
import socket
import ssl
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import cast

import h11

from .dialing import resolve
from .proxies import Proxy, ProxyError, authority
from .refusal import escape
from .url import tls_name

LONGEST_HEAD = 262144
"""Bytes of the head of an HTTP proxy's answer, as in Chromium."""

NEVER = 31536000.0
"""Seconds for TLS: who waits has a limit of their own."""

LINGER = 2.0
"""Seconds for the proxy to end TLS."""

MAX_SHOWN = 100
"""Characters of a proxy's words that the log shows."""

# RFC 1928, 6
REFUSALS_5 = {
    1: "general failure",
    2: "not allowed by its rules",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "time to live expired",
    7: "command not supported",
    8: "address type not supported",
}
REFUSALS_4 = {
    91: "rejected or failed",
    92: "it cannot reach identd on this machine",
    93: "identd on this machine names another user",
}


async def open_tunnel(
    proxy: Proxy,
    host: str,
    port: int,
    dial: Callable[[str, int], Awaitable[socket.socket]],
    context: Callable[[], Awaitable[ssl.SSLContext]],
) -> tuple[asyncio.Transport, bytes]:
    """Open a tunnel to `host`: the transport at whose other end the server is, and what the server has said already.

    Reading is paused, so that the caller can change the protocol, or start TLS, and lose nothing. `dial` connects to
    the proxy; `context` is asked for an `https:` proxy only. There is no time limit: cancel it.
    Raises ProxyError with a sentence for the log.
    """
    tls = await context() if proxy.scheme == "https" else None
    try:
        sock = await dial(proxy.host, proxy.port)
    except OSError as error:
        raise proxy.error(f"cannot be reached: {error}") from error
    talk = Talk(proxy)
    try:
        transport, _ = await talk.loop.create_connection(lambda: talk, sock=sock)
        transport.pause_reading()
        if tls is not None:
            await _start_tls(talk, tls)
        if proxy.scheme in ("http", "https"):
            await _connect_http(talk, host, port)
        elif proxy.scheme in ("socks5", "socks5h"):
            await _connect_socks5(talk, host, port)
        else:
            await _connect_socks4(talk, host, port)
    except BaseException:
        if talk.transport is not None:
            talk.transport.abort()
            await asyncio.sleep(0)  # it ends in the next round
        raise
    assert talk.transport is not None
    return talk.transport, talk.take()


class Talk(asyncio.Protocol):
    """The conversation with a proxy, from TCP to the server's first byte."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.transport: asyncio.Transport | None = None
        self.loop = asyncio.get_running_loop()
        self._received = b""
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._reset: Exception | None = None

    def write(self, data: bytes) -> None:
        """Send to the proxy."""
        if self.transport is not None and not self._ended:
            self.transport.write(data)

    async def read(self) -> bytes:
        """Return what has come, at least one byte."""
        if not self._received:
            if self._ended or self.transport is None:
                raise self._early_end()
            self._waiter = self.loop.create_future()
            self.transport.resume_reading()
            await self._waiter
            if not self._received:
                raise self._early_end()
        return self.take()

    async def read_exactly(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        data = b""
        while len(data) < size:
            data += await self.read()
        self.give_back(data[size:])
        return data[:size]

    def give_back(self, data: bytes) -> None:
        """Take back what was read and is not the proxy's."""
        self._received = data

    def take(self) -> bytes:
        """Return what has come and nobody has read."""
        data, self._received = self._received, b""
        return data

    def _early_end(self) -> ProxyError:
        kind = "HTTP" if self.proxy.scheme.startswith("http") else "SOCKS"
        ended = f"ended the connection ({self._reset})" if self._reset else "ended the connection"
        return self.proxy.error(f"{ended} before it answered: is this the port of {kind}?")

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TCP is there."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Keep what came, and let nothing more come."""
        self._received += data
        if self.transport is not None and not self.transport.is_closing():
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """The proxy says no more."""
        self._ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """TCP has ended: by a reset if there is an exception."""
        self._ended = True
        self._reset = exc
        self._wake()


async def _start_tls(talk: Talk, context: ssl.SSLContext) -> None:
    assert talk.transport is not None
    try:
        transport = await talk.loop.start_tls(
            talk.transport, talk, context, server_hostname=tls_name(talk.proxy.host),
            ssl_handshake_timeout=NEVER, ssl_shutdown_timeout=LINGER,
        )  # fmt: skip
    except ssl.SSLCertVerificationError as error:
        raise talk.proxy.error(f"has a certificate that cannot be trusted: {error.verify_message}") from error
    except ssl.SSLError as error:
        hint = ": write http:// if it does not speak TLS" if error.reason == "WRONG_VERSION_NUMBER" else ""
        raise talk.proxy.error(f"failed the TLS handshake ({error.reason or error}){hint}") from error
    except OSError as error:
        what = f"ended the connection during the TLS handshake ({str(error) or type(error).__name__})"
        raise talk.proxy.error(f"{what}: write http:// if it does not speak TLS") from error
    assert transport is not None
    talk.transport = transport
    transport.pause_reading()


async def _connect_http(talk: Talk, host: str, port: int) -> None:
    # https://www.rfc-editor.org/rfc/rfc9110#name-connect
    proxy, target = talk.proxy, authority(host, port)
    headers = [("Host", target)]
    if proxy.credentials is not None:
        pair = base64.b64encode(b":".join(proxy.credentials)).decode()
        headers.append(("Proxy-Authorization", f"Basic {pair}"))  # RFC 7617
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=LONGEST_HEAD)
    request = http.send(h11.Request(method="CONNECT", target=target, headers=headers))
    talk.write((request or b"") + (http.send(h11.EndOfMessage()) or b""))
    begin = b""
    try:
        while not isinstance(event := http.next_event(), h11.Response):
            if event is h11.NEED_DATA:
                data = await talk.read()
                http.receive_data(data)
                begin = (begin + data)[:MAX_SHOWN]
                if not begin.startswith(b"HTTP/"[: len(begin)]):
                    raise _no_http(proxy, begin)  # and may wait for us
    except h11.RemoteProtocolError as error:
        raise proxy.error(f"gave an answer that is not as HTTP has it: {escape(str(error), MAX_SHOWN)}") from error
    if not 200 <= event.status_code < 300:
        raise _refusal(proxy, port, event)
    talk.give_back(http.trailing_data[0])


def _no_http(proxy: Proxy, begin: bytes) -> ProxyError:
    """Return the error for an answer that is no HTTP."""
    hint = ": write https:// if it speaks TLS" if begin[:1] in (b"\x15", b"\x16") else ""  # RFC 8446, 5.1
    return proxy.error(f"does not speak HTTP, its answer begins with '{escape(begin.decode('latin-1'))}'{hint}")


def _refusal(proxy: Proxy, port: int, response: h11.Response) -> ProxyError:
    """Return the error for an answer other than success, with what to do about it."""
    answer = f"{response.status_code} {escape(response.reason.decode('latin-1'), MAX_SHOWN)}".strip()
    hint = ""
    if response.status_code in (401, 407):
        # https://www.rfc-editor.org/rfc/rfc9110#name-proxy-authenticate, and what tinyproxy says instead
        names = (b"proxy-authenticate", b"www-authenticate")
        challenges = [value.decode("latin-1") for name, value in response.headers if name in names]
        schemes = [challenge.split()[0] for challenge in challenges if challenge.strip()]
        if schemes and not any(scheme.lower() == "basic" for scheme in schemes):
            hint = f": it asks for {escape(', '.join(schemes), MAX_SHOWN)}, and only Basic is known here"
        elif proxy.credentials is None:
            hint = f": put user name and password in its URL, {proxy.scheme}://user:password@host:port"
        else:
            hint = ": it does not accept the user name and password in its URL"
    elif response.status_code in (403, 405) and port != 443:
        hint = ": many proxies allow port 443 only, that of wss:"
    return proxy.error(f"did not open the way, it answered {answer}{hint}")


async def _connect_socks5(talk: Talk, host: str, port: int) -> None:
    # https://www.rfc-editor.org/rfc/rfc1928#section-3
    proxy = talk.proxy
    destination = _destination(proxy, host) + port.to_bytes(2, "big")
    talk.write(b"\5\1\0" if proxy.credentials is None else b"\5\2\0\2")
    version, method = await _read_two(talk, 5)
    if method == 2 and proxy.credentials is not None:
        # https://www.rfc-editor.org/rfc/rfc1929
        user, password = proxy.credentials
        talk.write(b"\1" + bytes([len(user)]) + user + bytes([len(password)]) + password)
        if (await talk.read_exactly(2))[1] != 0:
            raise proxy.error("does not accept the user name and password in its URL")
    elif method != 0:
        if proxy.credentials is None:
            raise proxy.error(
                f"asks who you are: put user name and password in its URL, {proxy.scheme}://user:password@host:port"
            )
        raise proxy.error("takes neither a user name with password nor nobody's")
    talk.write(b"\5\1\0" + destination)
    version, reply = await _read_two(talk, 5)
    if reply != 0:
        raise proxy.error(f"did not open the way: {REFUSALS_5.get(reply, f'reply code {reply}')}")
    # The address from which the proxy connected: nobody needs it.
    kind = (await talk.read_exactly(2))[1]
    if kind == 3:
        size = (await talk.read_exactly(1))[0]
    elif kind in (1, 4):
        size = 4 * kind
    else:
        raise proxy.error(f"gave an answer that is not as SOCKS 5 has it: address type {kind}")
    await talk.read_exactly(size + 2)


def _destination(proxy: Proxy, host: str) -> bytes:
    """Return a host as SOCKS 5 has it: names are resolved by the proxy."""
    try:
        address = ip_address(host)
    except ValueError:
        name = host.encode("ascii")
        if len(name) > 255:
            raise proxy.error("speaks SOCKS 5, in which the name of a host has 255 bytes at most") from None
        return b"\3" + bytes([len(name)]) + name
    return (b"\1" if address.version == 4 else b"\4") + address.packed


async def _connect_socks4(talk: Talk, host: str, port: int) -> None:
    # https://www.openssh.com/txt/socks4.protocol, and for names https://www.openssh.com/txt/socks4a.protocol
    proxy = talk.proxy
    user = b"" if proxy.credentials is None else proxy.credentials[0]
    name = b""
    try:
        address = ip_address(host).packed
    except ValueError:
        address = b""
    if len(address) != 4:
        if proxy.scheme == "socks4a":
            address, name = b"\0\0\0\1", host.encode("ascii") + b"\0"
        elif address:
            raise proxy.error("speaks SOCKS 4, which has no IPv6 addresses: write socks5:// if it knows that too")
        else:
            address = await _resolve(proxy, host, port)
    talk.write(b"\4\1" + port.to_bytes(2, "big") + address + user + b"\0" + name)
    version, reply = await _read_two(talk, 0)
    if reply != 90:
        raise proxy.error(f"did not open the way: {REFUSALS_4.get(reply, f'reply code {reply}')}")
    await talk.read_exactly(6)


async def _resolve(proxy: Proxy, host: str, port: int) -> bytes:
    """Return the IPv4 address of a name."""
    try:
        places = await resolve(host, port)
    except OSError as error:
        raise proxy.error(f"speaks SOCKS 4, which resolves no names, and {host} was not found: {error}") from error
    for family, _, _, _, address in places:
        if family == socket.AF_INET:
            return socket.inet_aton(str(address[0]))
    raise proxy.error(
        f"speaks SOCKS 4, which has no IPv6 addresses, and {host} has no other: write socks5:// if it knows that too"
    )


async def _read_two(talk: Talk, version: int) -> bytes:
    """Return the first two bytes of an answer: the version of the protocol, and what is meant."""
    data = await talk.read_exactly(1)
    # SOCKS 4 answers with 0, and some proxies with 4.
    if data[0] != version and not (version == 0 and data[0] == 4):
        begin = escape((data + talk.take()).decode("latin-1"), MAX_SHOWN)
        raise talk.proxy.error(f"does not speak SOCKS {version or 4}, its answer begins with '{begin}'")
    return data + await talk.read_exactly(1)

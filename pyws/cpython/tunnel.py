"""A tunnel through a proxy to a server: CONNECT of HTTP, and SOCKS 4, 4a and 5.

Its laws: the transport reads only while the proxy's answer is awaited. So the bytes that follow the answer are either
returned, or left to the protocol that takes over. After an error or a cancellation nothing stays open.
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

MAX_RESPONSE_HEAD = 262144
"""Bytes of the head of an HTTP proxy's answer at most, as in Chromium."""

NO_TIMEOUT = 31536000.0
"""Seconds for the TLS handshake: in effect no limit, because the caller has one."""

TLS_SHUTDOWN_TIMEOUT = 2.0
"""Seconds that the proxy has to end TLS, as in `opening.py`."""

MAX_SHOWN = 100
"""Characters of a text from the proxy that the log shows."""

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
    """Open a tunnel to `host`; return the transport, and the bytes that the server has sent already.

    Reading is paused, so that the caller can change the protocol, or start TLS, without losing bytes: the caller then
    resumes it. `dial` connects to the proxy; `context` is called for an `https:` proxy only. There is no time limit:
    the caller cancels it. Raises ProxyError with a sentence for the log.
    """
    tls = await context() if proxy.scheme == "https" else None
    try:
        sock = await dial(proxy.host, proxy.port)
    except OSError as error:
        raise proxy.error(f"cannot be reached: {error}") from error
    connection = ProxyConnection(proxy)
    try:
        transport, _ = await connection.loop.create_connection(lambda: connection, sock=sock)
        transport.pause_reading()
        if tls is not None:
            await _start_tls(connection, tls)
        if proxy.scheme in ("http", "https"):
            await _connect_http(connection, host, port)
        elif proxy.scheme in ("socks5", "socks5h"):
            await _connect_socks5(connection, host, port)
        else:
            await _connect_socks4(connection, host, port)
    except BaseException:
        if connection.transport is not None:  # pragma: no branch - a loop may fail before it has a transport
            connection.transport.abort()
            await asyncio.sleep(0)  # the transport closes its socket in the next iteration of the loop
        raise
    assert connection.transport is not None
    return connection.transport, connection.take()


class ProxyConnection(asyncio.Protocol):
    """The protocol of the transport until the tunnel is open; the transport reads only while `read` waits."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.transport: asyncio.Transport | None = None
        self.loop = asyncio.get_running_loop()
        self._received = b""
        self._waiter: asyncio.Future[None] | None = None
        self._input_ended = False
        self._loss: Exception | None = None

    def write(self, data: bytes) -> None:
        """Send bytes to the proxy; after the end of the connection they are dropped."""
        if self.transport is not None and not self._input_ended:  # pragma: no branch - at an early end of TLS
            self.transport.write(data)

    async def read(self) -> bytes:
        """Return the bytes that have arrived, at least one; raises ProxyError if the connection ends before."""
        if not self._received:
            if self._input_ended or self.transport is None:  # pragma: no cover - at an early end of TLS
                raise self._early_end()
            self._waiter = self.loop.create_future()
            self.transport.resume_reading()
            await self._waiter
            if not self._received:
                raise self._early_end()
        return self.take()

    async def read_exactly(self, size: int) -> bytes:
        """Return the next `size` bytes; raises ProxyError if the connection ends before."""
        data = b""
        while len(data) < size:
            data += await self.read()
        self.unread(data[size:])
        return data[:size]

    def unread(self, data: bytes) -> None:
        """Put back bytes that `read` has returned too early; the next `read` or `take` returns them."""
        self._received = data

    def take(self) -> bytes:
        """Return the bytes that have arrived and were not read, maybe none."""
        data, self._received = self._received, b""
        return data

    def _early_end(self) -> ProxyError:
        kind = "HTTP" if self.proxy.scheme.startswith("http") else "SOCKS"
        ended = f"ended the connection ({self._loss})" if self._loss else "ended the connection"
        return self.proxy.error(f"{ended} before it answered: is this the port of {kind}?")

    def _wake_reader(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # The transport calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TCP is connected."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Keep the bytes, and pause reading until `read` waits again."""
        self._received += data
        if self.transport is not None and not self.transport.is_closing():  # pragma: no branch - at the end of TLS
            self.transport.pause_reading()
        self._wake_reader()

    def eof_received(self) -> None:
        """The proxy sends no more."""
        self._input_ended = True
        self._wake_reader()

    def connection_lost(self, exc: Exception | None) -> None:
        """TCP has ended: by a reset if there is an exception."""
        self._input_ended = True
        self._loss = exc
        self._wake_reader()


async def _start_tls(connection: ProxyConnection, context: ssl.SSLContext) -> None:
    assert connection.transport is not None
    try:
        transport = await connection.loop.start_tls(
            connection.transport, connection, context, server_hostname=tls_name(connection.proxy.host),
            ssl_handshake_timeout=NO_TIMEOUT, ssl_shutdown_timeout=TLS_SHUTDOWN_TIMEOUT,
        )  # fmt: skip
    except ssl.SSLCertVerificationError as error:
        raise connection.proxy.error(f"has a certificate that cannot be trusted: {error.verify_message}") from error
    except ssl.SSLError as error:
        hint = ": write http:// if it does not speak TLS" if error.reason == "WRONG_VERSION_NUMBER" else ""
        raise connection.proxy.error(f"failed the TLS handshake ({error.reason or error}){hint}") from error
    except OSError as error:
        problem = f"ended the connection during the TLS handshake ({str(error) or type(error).__name__})"
        raise connection.proxy.error(f"{problem}: write http:// if it does not speak TLS") from error
    assert transport is not None
    connection.transport = transport
    transport.pause_reading()


async def _connect_http(connection: ProxyConnection, host: str, port: int) -> None:
    # https://www.rfc-editor.org/rfc/rfc9110#name-connect
    proxy, target = connection.proxy, authority(host, port)
    headers = [("Host", target)]
    if proxy.credentials is not None:
        pair = base64.b64encode(b":".join(proxy.credentials)).decode()
        headers.append(("Proxy-Authorization", f"Basic {pair}"))  # RFC 7617
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_RESPONSE_HEAD)
    request = http.send(h11.Request(method="CONNECT", target=target, headers=headers))
    connection.write((request or b"") + (http.send(h11.EndOfMessage()) or b""))
    beginning = b""
    try:
        while not isinstance(event := http.next_event(), h11.Response):
            if event is h11.NEED_DATA:
                data = await connection.read()
                http.receive_data(data)
                beginning = (beginning + data)[:MAX_SHOWN]
                if not beginning.startswith(b"HTTP/"[: len(beginning)]):
                    raise _not_http(proxy, beginning)  # do not wait for more: the proxy may wait, too
    except h11.RemoteProtocolError as error:
        raise proxy.error(f"gave an answer that is not valid HTTP: {escape(str(error), MAX_SHOWN)}") from error
    if not 200 <= event.status_code < 300:
        raise _refusal(proxy, port, event)
    connection.unread(http.trailing_data[0])


def _not_http(proxy: Proxy, beginning: bytes) -> ProxyError:
    """Return the error for an answer that is not HTTP."""
    hint = ": write https:// if it speaks TLS" if beginning[:1] in (b"\x15", b"\x16") else ""  # RFC 8446, 5.1
    return proxy.error(f"does not speak HTTP, its answer begins with '{escape(beginning.decode('latin-1'))}'{hint}")


def _refusal(proxy: Proxy, port: int, response: h11.Response) -> ProxyError:
    """Return the error for an answer other than success, with advice."""
    answer = f"{response.status_code} {escape(response.reason.decode('latin-1'), MAX_SHOWN)}".strip()
    hint = ""
    if response.status_code in (401, 407):
        # https://www.rfc-editor.org/rfc/rfc9110#name-proxy-authenticate; tinyproxy sends the other header
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
    return proxy.error(f"did not connect to the server: it answered {answer}{hint}")


async def _connect_socks5(connection: ProxyConnection, host: str, port: int) -> None:
    # https://www.rfc-editor.org/rfc/rfc1928#section-3
    proxy = connection.proxy
    destination = _destination(proxy, host) + port.to_bytes(2, "big")
    connection.write(b"\5\1\0" if proxy.credentials is None else b"\5\2\0\2")
    version, method = await _read_two(connection, 5)
    if method == 2 and proxy.credentials is not None:
        # https://www.rfc-editor.org/rfc/rfc1929
        user, password = proxy.credentials
        connection.write(b"\1" + bytes([len(user)]) + user + bytes([len(password)]) + password)
        if (await connection.read_exactly(2))[1] != 0:
            raise proxy.error("does not accept the user name and password in its URL")
    elif method != 0:
        if proxy.credentials is None:
            raise proxy.error(
                "wants a user name and a password: "
                f"put user name and password in its URL, {proxy.scheme}://user:password@host:port"
            )
        raise proxy.error("allows neither a login with user name and password nor access without a login")
    connection.write(b"\5\1\0" + destination)
    version, reply = await _read_two(connection, 5)
    if reply != 0:
        raise proxy.error(f"did not connect to the server: {REFUSALS_5.get(reply, f'reply code {reply}')}")
    # The address from which the proxy has connected follows; it is not used.
    kind = (await connection.read_exactly(2))[1]
    if kind == 3:
        size = (await connection.read_exactly(1))[0]
    elif kind in (1, 4):
        size = 4 * kind
    else:
        raise proxy.error(f"gave an answer that is not valid SOCKS 5: address type {kind}")
    await connection.read_exactly(size + 2)


def _destination(proxy: Proxy, host: str) -> bytes:
    """Return a host in the form of SOCKS 5: names are resolved by the proxy."""
    try:
        address = ip_address(host)
    except ValueError:
        name = host.encode("ascii")
        if len(name) > 255:
            raise proxy.error("speaks SOCKS 5, in which the name of a host has 255 bytes at most") from None
        return b"\3" + bytes([len(name)]) + name
    return (b"\1" if address.version == 4 else b"\4") + address.packed


async def _connect_socks4(connection: ProxyConnection, host: str, port: int) -> None:
    # https://www.openssh.com/txt/socks4.protocol, and for names https://www.openssh.com/txt/socks4a.protocol
    proxy = connection.proxy
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
    connection.write(b"\4\1" + port.to_bytes(2, "big") + address + user + b"\0" + name)
    version, reply = await _read_two(connection, 0)
    if reply != 90:
        raise proxy.error(f"did not connect to the server: {REFUSALS_4.get(reply, f'reply code {reply}')}")
    await connection.read_exactly(6)


async def _resolve(proxy: Proxy, host: str, port: int) -> bytes:
    """Return the IPv4 address of a name."""
    try:
        addresses = await resolve(host, port)
    except OSError as error:
        raise proxy.error(f"speaks SOCKS 4, which resolves no names, and {host} was not found: {error}") from error
    for family, _, _, _, address in addresses:
        if family == socket.AF_INET:
            return socket.inet_aton(str(address[0]))
    raise proxy.error(
        f"speaks SOCKS 4, which has no IPv6 addresses, and {host} has no other: write socks5:// if it knows that too"
    )


async def _read_two(connection: ProxyConnection, version: int) -> bytes:
    """Return the first two bytes of an answer: the version of the protocol, and the result."""
    data = await connection.read_exactly(1)
    # SOCKS 4 answers with 0, and some proxies with 4.
    if data[0] != version and not (version == 0 and data[0] == 4):
        beginning = escape((data + connection.take()).decode("latin-1"), MAX_SHOWN)
        raise connection.proxy.error(f"does not speak SOCKS {version or 4}, its answer begins with '{beginning}'")
    return data + await connection.read_exactly(1)

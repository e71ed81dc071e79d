"""The steps from a URL to an open WebSocket: name, lock, TCP, proxy, TLS, HTTP.

https://websockets.spec.whatwg.org/#concept-websocket-establish
"""

import asyncio
import contextlib
import re
import socket
import ssl
import weakref
from typing import Any
from urllib.parse import unquote

from aiohappyeyeballs import AddrInfoType

from ..loop import now
from . import dialing
from .handshake import Accept, FailedError, Handshake, asks_for_basic, basic
from .proxies import Proxy, ProxyError, proxy_for
from .refusal import Refusal, escape
from .url import BAD_PORTS, Address, tls_name
from .useragent import UserAgent

TLS_SHUTDOWN_TIMEOUT = 2.0
"""Seconds that the server has to end TLS after our side has ended it."""

TLS_BUFFER = 65536
"""Bytes that are read of TLS at once. asyncio's own buffer has 256 KiB, for as long as the connection lives."""

TLS_RECORD = 16384
"""Bytes of the largest record of TLS (RFC 8446, 5.1); OpenSSL gives one record at once."""


class Opening:
    """The opening of one connection: call `run()` once, in the connection's task, under one time limit.

    `step` says in words what is awaited, for the log.
    """

    def __init__(self, address: Address, agent: UserAgent, protocols: list[str], accept: Accept) -> None:
        self._loop = asyncio.get_running_loop()
        self._address = address
        self._agent = agent
        self._protocols = protocols
        self._accept = accept
        self.step = ""
        self._step_started_at = now()
        self._handshake: Handshake | None = None  # the last one

    def _start_step(self, step: str) -> None:
        self.step = step
        self._step_started_at = now()

    @property
    def refusal(self) -> Refusal | None:
        """The answer of a server that refuses, as far as it has arrived; None without one. In any state."""
        return None if self._handshake is None else self._handshake.refusal

    def describe_refusal(self) -> str:
        """Return the sentence about the refusal for the log, "" without a refusal."""
        return "" if self.refusal is None else self.refusal.sentence(self._secrets())

    def describe_timeout(self, name: str, seconds: float) -> str:
        """Return the reason for the log, when the time limit `name` has ended the opening: which step took the time."""
        return (
            f"it was not open within {name}, {seconds:g} seconds: "
            f"the last {now() - self._step_started_at:.1f} of them were spent {self.step}"
        )

    async def run(self) -> None:
        """Do all steps; when it returns, `accept` has been called. Raises FailedError or OSError, with the reason."""
        address, agent = self._address, self._agent
        if agent.blocked_ports and address.port in BAD_PORTS:
            raise FailedError(
                f"port {address.port} is blocked (https://fetch.spec.whatwg.org/#port-blocking): use another"
            )
        try:
            proxy = proxy_for(agent.proxy, address.secure, address.host, address.port)
        except ProxyError as error:
            raise FailedError(str(error)) from error
        addresses = [] if proxy is not None else await self._resolve()
        # RFC 6455, 4.1: one connection at a time is CONNECTING to an address and port; by a proxy, to a name and port.
        hosts = {str(sockaddr[0]) for *_, sockaddr in addresses} or {address.host}
        async with contextlib.AsyncExitStack() as locks:
            self._start_step(f"waiting until other WebSockets to {address.host}, port {address.port}, have connected")
            for host in sorted(hosts):
                lock = _connecting.setdefault((self._loop, host, address.port), asyncio.Lock())
                await locks.enter_async_context(lock)
            refusal = await self._attempts(proxy, addresses)
        if refusal is not None:
            raise FailedError(self.describe_refusal())

    async def _resolve(self) -> list[AddrInfoType]:
        host, port = self._address.host, self._address.port
        self._start_step(f"asking the resolver for the address of {host}")
        try:
            return await dialing.resolve(host, port)
        except OSError as error:
            raise FailedError(f"the name {host} could not be resolved: {error}") from error

    async def _attempts(self, proxy: Proxy | None, addresses: list[AddrInfoType]) -> Refusal | None:
        """Attempt it, and once more with the credentials of the URL if the server asks for them."""
        user, password = self._address.username, self._address.password
        refusal = await self._attempt(proxy, addresses)
        if refusal is not None and (user or password) and asks_for_basic(refusal):
            refusal = await self._attempt(proxy, addresses, basic(user, password))
        return refusal

    async def _attempt(
        self, proxy: Proxy | None, addresses: list[AddrInfoType], authorization: str | None = None
    ) -> Refusal | None:
        """Connect and do the opening handshake once; return the refusal, None if the server has accepted."""
        handshake = self._handshake = Handshake(
            self._address, self._agent, self._protocols, authorization, self._secrets, self._accept
        )
        connected = False
        try:
            await self._open_transport(handshake, proxy, addresses)
            connected = True
            if self._address.secure:
                # Read an alert of TLS that has arrived already: the error of a write that fails would hide it.
                await asyncio.sleep(0)
                while (
                    handshake.has_unread() and not handshake.answer.done()
                ):  # pragma: no cover - if bytes came so soon
                    await asyncio.sleep(0)
            handshake.send_request()
            self._start_step("waiting for the server's answer to the opening handshake")
            refusal = await handshake.answer
        except BaseException:
            handshake.abort()
            if connected:
                await handshake.lost
            else:
                await asyncio.sleep(0)  # a transport that asyncio was making closes in the next iteration of the loop
            raise
        if refusal is not None:
            handshake.abort()
            await handshake.lost
        return refusal

    async def _open_transport(self, handshake: Handshake, proxy: Proxy | None, addresses: list[AddrInfoType]) -> None:
        """Open TCP, through the proxy or to one of the addresses, and TLS over it."""
        if proxy is not None:
            await self._open_through_proxy(proxy, handshake)
            return
        address = self._address
        options = {"ssl": await self._context(), **self._tls_options()} if address.secure else {}
        self._start_step(f"waiting for TCP to port {address.port} of {address.host}")
        sock = await dialing.connect(addresses)
        if address.secure:
            self._start_step(f"waiting for the TLS handshake with {address.host}")
        try:
            transport, _ = await self._loop.create_connection(lambda: handshake, sock=sock, **options)
        except ssl.SSLError as error:
            raise FailedError(self._tls_failure(error)) from error
        _save_memory(transport)

    async def _open_through_proxy(self, proxy: Proxy, handshake: Handshake) -> None:
        from .tunnel import open_tunnel  # seldom needed

        address = self._address
        context = await self._context() if address.secure else None

        async def dial(host: str, port: int) -> socket.socket:
            self._start_step(f"asking the resolver for the address of the proxy {host}")
            addresses = await dialing.resolve(host, port)
            self._start_step(f"waiting for TCP to port {port} of the proxy {host}")
            sock = await dialing.connect(addresses)
            self._start_step(f"waiting for the proxy {proxy.public} ({proxy.source})")
            return sock

        try:
            transport, rest = await open_tunnel(proxy, address.host, address.port, dial, self._agent.context_soon)
        except ProxyError as error:
            raise FailedError(str(error)) from error
        try:
            if context is None:
                transport.set_protocol(handshake)
            elif rest:
                raise FailedError(f"the server speaks before TLS on port {address.port}: {escape(repr(rest), 60)}")
            else:
                self._start_step(f"waiting for the TLS handshake with {address.host}")
                secured = await self._loop.start_tls(transport, handshake, context, **self._tls_options())
                assert secured is not None
                transport = secured
                _save_memory(transport)
        except BaseException as error:
            transport.abort()
            if isinstance(error, ssl.SSLError):
                raise FailedError(self._tls_failure(error)) from error
            raise
        handshake.connection_made(transport)
        if rest:
            handshake.data_received(rest)
        transport.resume_reading()

    async def _context(self) -> ssl.SSLContext:
        self._start_step("reading the certificates of authorities")
        return await self._agent.context_soon()

    def _tls_options(self) -> dict[str, Any]:
        return {
            "server_hostname": tls_name(self._address.host),
            # opening_timeout is over before it, and its message names the step.
            "ssl_handshake_timeout": self._agent.opening_timeout + 1,
            "ssl_shutdown_timeout": TLS_SHUTDOWN_TIMEOUT,
        }

    def _tls_failure(self, error: ssl.SSLError) -> str:
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"the server's certificate cannot be trusted: {error.verify_message}"
        if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST"):
            return f"the server does not speak TLS on port {self._address.port}: use ws://, or the port that has TLS"
        if error.reason and "ALERT" in error.reason:
            words = error.reason.rpartition("ALERT_")[2].replace("_", " ").lower()
            return f'the server refused TLS with the alert "{words}"'
        return f"TLS failed: {escape(str(error))}"

    def _secrets(self) -> list[str]:
        """Return the texts that the log must not contain, even if the server repeats them, whole or in parts."""
        address, headers = self._address, self._agent.headers
        secrets = [basic(address.username, address.password)]
        for part in (address.username, address.password, address.resource.partition("?")[2]):
            secrets += [part, unquote(part), *re.split("[&=]", part), *re.split("[&=]", unquote(part))]
        values = [value for name, value in headers.items() if _is_secret(name)]
        with contextlib.suppress(ValueError):
            values.append(self._agent.cookie_for(address) or "")
        for value in values:
            secrets += [value, *re.split(r"[\s;,=]+", value), *value.split()]
        # The name of a scheme is not secret, and a short text is part of many words.
        return [secret for secret in secrets if len(secret) > 3 and secret.lower() not in ("basic", "bearer", "digest")]


def _save_memory(transport: asyncio.BaseTransport) -> None:
    """Give asyncio's TLS a smaller buffer to read into: call it between two reads, when TLS is ready.

    There is no public way. Where a loop or a version of Python has other names, nothing happens.
    """
    tls: Any = getattr(transport, "_ssl_protocol", None)
    if isinstance(getattr(tls, "_ssl_buffer", None), bytearray) and hasattr(tls, "max_size"):
        tls.max_size = TLS_RECORD
        tls._ssl_buffer = bytearray(TLS_BUFFER)
        tls._ssl_buffer_view = memoryview(tls._ssl_buffer)


def _is_secret(name: str) -> bool:
    """Tell whether the value of a header may be a secret."""
    return any(word in name.lower() for word in ("auth", "cookie", "token", "key", "secret"))


_connecting: weakref.WeakValueDictionary[tuple[object, str, int], asyncio.Lock] = weakref.WeakValueDictionary()
"""The locks of addresses and ports, for each loop; a lock lives while an opening refers to it."""

"""A TCP connection to a host and a port: the name is resolved, and its addresses are tried by Happy Eyeballs.

https://fetch.spec.whatwg.org/#connections
"""

import asyncio
import socket
import threading

from aiohappyeyeballs import AddrInfoType, start_connection

from .url import dns_name, is_address, is_localhost

CONNECTION_ATTEMPT_DELAY = 0.25
"""Seconds from the attempt at one address of a host to the attempt at the next (RFC 8305, 5), as in Chromium."""

KEEPALIVE = 45
"""Seconds without data after which TCP sends a keep-alive probe, and between two probes, as in Chromium. Without probes
a connection whose other side has vanished stays open for ever."""

_KEEPALIVE_OPTIONS = [
    (socket.IPPROTO_TCP, getattr(socket, name))
    for name in ("TCP_KEEPIDLE", "TCP_KEEPALIVE", "TCP_KEEPINTVL")
    if hasattr(socket, name)
]


async def resolve(host: str, port: int) -> list[AddrInfoType]:
    """Return the addresses of a host; raises OSError if it has none.

    The resolver of the system runs in a thread of its own. `loop.getaddrinfo` would use the threads of the loop, which
    may all be busy, and the end of the program would wait for it.
    """
    name = dns_name(host)
    if is_localhost(host):
        # These names are never resolved: https://fetch.spec.whatwg.org/#resolve-an-origin
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port)),
        ]
    if is_address(host):
        return _look_up(name, port, socket.AI_NUMERICHOST)
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[AddrInfoType]] = loop.create_future()

    def settle(addresses: list[AddrInfoType], error: Exception | None) -> None:
        if found.done():  # the task that waited for it was canceled
            return
        if error is None:
            found.set_result(addresses)
        else:
            found.set_exception(error)

    def work() -> None:
        addresses: list[AddrInfoType] = []
        failure = None
        try:
            addresses = _look_up(name, port)
        except Exception as error:
            failure = error
        try:
            loop.call_soon_threadsafe(settle, addresses, failure)
        except RuntimeError:
            return  # the loop is closed

    threading.Thread(target=work, name=f"pyws resolves {host}", daemon=True).start()
    return await found


def _look_up(name: bytes, port: int, flags: int = 0) -> list[AddrInfoType]:
    return list(socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=flags))


async def connect(addresses: list[AddrInfoType]) -> socket.socket:
    """Return a TCP connection to the address that answers first; raises OSError if none does."""
    return await start_connection(
        addresses, happy_eyeballs_delay=CONNECTION_ATTEMPT_DELAY, interleave=1, socket_factory=_make_socket
    )


def _make_socket(address: AddrInfoType) -> socket.socket:
    family, kind, protocol, _, _ = address
    sock = socket.socket(family, kind, protocol)
    # Send small messages at once; asyncio sets this only on sockets that were made with the number of TCP.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for level, option in _KEEPALIVE_OPTIONS:
        sock.setsockopt(level, option, KEEPALIVE)
    return sock

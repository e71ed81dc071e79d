"""Functions that take the place of methods of Pyodide's event loop: names of hosts, and connections.

Its law: for a socket of the library only the address is kept that it is meant to be connected to; the socket is closed
as soon as there is a transport. Calls that have nothing to do with TCP go to the event loop's own methods.
https://docs.python.org/3/library/asyncio-eventloop.html
"""

import asyncio
import socket
import ssl as ssl_module
from weakref import WeakKeyDictionary

from . import addresses, blockingsockets, replacing
from .handshake import report
from .server import Server
from .transport import Transport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Address = tuple[Any, ...]

_connected: "WeakKeyDictionary[socket.socket, Address]" = WeakKeyDictionary()


def own(name: str) -> "Callable[..., Any]":
    """Return the event loop's own method of that name."""
    from pyodide.webloop import WebLoop

    return replacing.own(WebLoop, name)


async def create_connection(
    self: asyncio.AbstractEventLoop,
    protocol_factory: "Callable[[], asyncio.BaseProtocol]",
    host: "str | bytes | None" = None,
    port: "int | str | None" = None,
    *,
    ssl: object = None,
    family: int = 0,
    proto: int = 0,
    flags: int = 0,
    sock: "socket.socket | None" = None,
    local_addr: object = None,
    server_hostname: "str | None" = None,
    **_: object,
) -> "tuple[asyncio.BaseTransport, asyncio.BaseProtocol]":
    """Take the place of `create_connection`: the WebSocket is opened later, by the request of the library.

    https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.create_connection
    """
    if server_hostname is not None and not ssl:
        raise ValueError("server_hostname is only meaningful with ssl")
    if sock is not None and (host is not None or port is not None):
        raise ValueError("host/port and sock can not be specified at the same time")
    if sock is None and (host is None or port is None):
        raise ValueError("host and port was not specified and no sock specified")
    if sock is not None and ssl and server_hostname is None:
        raise ValueError("You must set server_hostname when using ssl without a host")
    try:
        if local_addr is not None:
            raise OSError("a page cannot choose its own address: leave out local_addr.")
        if sock is not None and sock not in _connected:
            server = blockingsockets.hand_over(sock)
        else:
            address = addresses.lookup(host, port, family)[0][4] if sock is None else _connected[sock]
            addresses.examine_port(address[1])
            server = Server(address[0], address[1], replacing.hook)
        if ssl:
            context = ssl_module.create_default_context() if ssl is True else ssl
            server.begin_tls(context, server.host if server_hostname is None else server_hostname)
    except OSError as error:
        report(error)
        raise
    await asyncio.sleep(0)
    protocol = protocol_factory()
    transport = Transport(self, server)
    transport.set_protocol(protocol)
    if sock is not None:
        sock.close()
    protocol.connection_made(transport)
    return transport, protocol


async def sock_connect(self: asyncio.AbstractEventLoop, sock: socket.socket, address: "Address") -> None:
    """Take the place of `sock_connect`: remember the address.

    https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.sock_connect
    """
    if sock.type != socket.SOCK_STREAM or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return await own("sock_connect")(self, sock, address)  # type: ignore[no-any-return] # a method of Pyodide
    await asyncio.sleep(0)
    addresses.examine_port(address[1])
    _connected[sock] = addresses.lookup(address[0], address[1], sock.family)[0][4]


async def getaddrinfo(
    self: asyncio.AbstractEventLoop,
    host: "str | bytes | None",
    port: "int | str | bytes | None",
    *,
    family: int = 0,
    type: int = 0,
    proto: int = 0,
    flags: int = 0,
) -> "list[tuple[int, int, int, str, Address]]":
    """Take the place of `getaddrinfo`: the address of a host is its name, which the browser looks up.

    https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.getaddrinfo
    """
    await asyncio.sleep(0)
    return addresses.lookup(host, port, family)


async def start_tls(
    self: asyncio.AbstractEventLoop,
    transport: asyncio.WriteTransport,
    protocol: asyncio.BaseProtocol,
    sslcontext: object,
    *,
    server_side: bool = False,
    server_hostname: "str | None" = None,
    **options: object,
) -> asyncio.BaseTransport | None:
    """Take the place of `start_tls`: for a connection over which nothing went yet.

    https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.start_tls
    """
    if not isinstance(transport, Transport):
        options |= {"server_side": server_side, "server_hostname": server_hostname}
        start = own("start_tls")
        return await start(self, transport, protocol, sslcontext, **options)  # type: ignore[no-any-return] # untyped
    transport.begin_tls(sslcontext, server_hostname or "")
    transport.set_protocol(protocol)
    return transport


def call_at(
    self: asyncio.AbstractEventLoop,
    when: float,
    callback: "Callable[..., object]",
    *arguments: object,
    context: "Any" = None,
) -> asyncio.Handle:
    """Take the place of `call_at`, which raises ValueError if the time has just passed: time-outs were lost by that.

    https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.call_at
    """
    return self.call_later(max(0, when - self.time()), callback, *arguments, context=context)

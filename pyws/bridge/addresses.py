"""Addresses, as sockets have them: the address of a host is its name, which the browser looks up.

https://docs.python.org/3/library/socket.html#socket-families
"""

import socket
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Address = tuple[Any, ...]
    Info = tuple[int, int, int, str, Address]

PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}

# The numbers that Pyodide's own `gethostbyname` gives to names: it has a table of them.
INVENTED = "172.29."


def lookup(host: "str | bytes | None", port: "int | str | bytes | None", family: int) -> "list[Info]":
    """Return the one address of a host, as `getaddrinfo` does. Raises `socket.gaierror` for a port with no number."""
    name = (host.decode() if isinstance(host, bytes) else host or "localhost").strip("[]")
    if isinstance(port, bytes):
        port = port.decode()
    if isinstance(port, str) and not port.isdecimal():
        if port not in PORTS:
            raise socket.gaierror(socket.EAI_SERVICE, f"no number is known of the port {port!r}")
        port = PORTS[port]
    family = family or family_of(name)
    info = address(family, name, int(port or 0))
    return [(socket.AddressFamily(family), socket.SOCK_STREAM, socket.IPPROTO_TCP, "", info)]


def family_of(host: str) -> int:
    """Return the family of a host: names have that of IPv4."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def address(family: int, host: str, port: int) -> "Address":
    """Return an address of a socket of that family."""
    return (host, port, 0, 0) if family == socket.AF_INET6 else (host, port)


def examine_port(port: int) -> None:
    """Raise OverflowError if the number cannot be a port, as `connect` does."""
    if not 0 <= port <= 65535:
        raise OverflowError("connect(): port must be 0-65535.")


def host_and_port(family: int, address: "Any") -> "tuple[str, int]":
    """Return the name of the host in an address, and the port, for a connection to it.

    Raises TypeError and OverflowError, as `connect` does.
    """
    if not isinstance(address, tuple) or not 2 <= len(address) <= 4:
        raise TypeError(f"{socket.AddressFamily(family).name} address must be tuple, such as (host, port)")
    host, port = address[:2]
    if not isinstance(host, (str, bytes)) or not isinstance(port, int):
        raise TypeError("a host is str, bytes or bytearray, and a port is int")
    examine_port(port)
    name = str(lookup(host, port, family)[0][4][0])
    if name.startswith(INVENTED):
        with suppress(OSError):  # it may be a real address
            name = socket.gethostbyaddr(name)[0]
    return name, port

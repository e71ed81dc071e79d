"""The object that takes the place of a socket, where a library asks for one.

Its law: it tells where the connection goes and takes every option; nothing is read or written here.
"""

import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class TransportSocket:
    """The value of `get_extra_info("socket")`, with the methods that asyncio's own `TransportSocket` has.

    https://docs.python.org/3/library/asyncio-protocol.html#asyncio.BaseTransport.get_extra_info
    """

    type = socket.SOCK_STREAM
    proto = socket.IPPROTO_TCP

    def __init__(self, host: str, port: int) -> None:
        self.family = socket.AF_INET6 if ":" in host else socket.AF_INET
        more = (0, 0) if self.family == socket.AF_INET6 else ()
        self._peer: tuple[Any, ...] = (host, port, *more)
        # A page does not learn its own address.
        self._own: tuple[Any, ...] = ("::" if more else "0.0.0.0", 0, *more)

    def __repr__(self) -> str:
        return "<TransportSocket of pyws.bridge>"

    def getpeername(self) -> "tuple[Any, ...]":
        """Return where the connection goes: the name of the host, as the browser does not tell its address."""
        return self._peer

    def getsockname(self) -> "tuple[Any, ...]":
        """Return an address that says that there is none."""
        return self._own

    def fileno(self) -> int:
        """Return -1: there is no descriptor."""
        return -1

    def setsockopt(self, *_: object) -> None:
        """Take an option of TCP: the browser has its own."""

    def getsockopt(self, level: int, name: int, size: int = 0) -> "int | bytes":
        """Return zero."""
        return bytes(size) if size else 0

    def gettimeout(self) -> float:
        """Return 0: it does not block."""
        return 0.0

    def settimeout(self, value: "float | None") -> None:
        """Raise `ValueError` for what would block, as asyncio's own does."""
        if value != 0:
            raise ValueError("settimeout(): only 0 timeout is allowed on transport sockets")

    def setblocking(self, flag: bool) -> None:
        """Raise `ValueError` for what would block, as asyncio's own does."""
        if flag:
            raise ValueError("setblocking(): transport sockets cannot be blocking")

    def shutdown(self, how: int) -> None:
        """Do nothing: it is the transport that ends the connection."""

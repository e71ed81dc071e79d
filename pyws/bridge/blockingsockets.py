"""Sockets that block, as `socket.socket` makes them: functions that take the place of its methods.

Its law: a socket belongs to the bridge from `connect` on, and until it is closed, also after `uninstall`. It keeps its
descriptor, which is a number of the system; by this number the bridge finds the connection, as `select` does.
https://docs.python.org/3/library/socket.html#socket-objects
"""

import errno
import os
import socket
import sys
from weakref import ref

from . import addresses, replacing
from .replacing import own
from .server import Server
from .stream import POLL_INTERVAL, Stream
from .waiting import ensure_possible, wait_until

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Buffer = Any  # it has the buffer protocol

    Address = Any

_streams: "dict[int, Stream]" = {}  # by descriptor
_owners: "dict[int, ref[socket.socket]]" = {}  # the socket that closes the descriptor, if there is one

# Flags of `recv`; the others change nothing.
PEEK, WAIT_ALL, DO_NOT_WAIT = socket.MSG_PEEK, socket.MSG_WAITALL, socket.MSG_DONTWAIT


def stream_of(descriptor: "Any") -> "Stream | None":
    """Return the connection of a descriptor, or of an object that has one; None if it has none."""
    if not isinstance(descriptor, int):
        descriptor = descriptor.fileno()
    return _streams.get(descriptor)


def is_tcp(sock: socket.socket) -> bool:
    """Return whether a socket is one that the bridge can connect."""
    return sock.type == socket.SOCK_STREAM and sock.family in (socket.AF_INET, socket.AF_INET6)


def release(descriptor: int) -> "Stream | None":
    """Forget the connection of a descriptor, and return it."""
    _owners.pop(descriptor, None)
    return _streams.pop(descriptor, None)


def adopt(sock: socket.socket, base: "type[BridgeSocket]") -> None:
    """Give a socket with a connection the methods of the bridge. Its own class keeps those that it defines itself."""
    cls: type[socket.socket] = type(sock)
    descriptor = sock.fileno()

    def closed(_: object) -> None:
        if stream := release(descriptor):
            stream.close()

    _owners[descriptor] = ref(sock, closed)
    if not issubclass(cls, base):
        sock.__class__ = derive(cls, base)


def derive(cls: "type[socket.socket]", base: "type[BridgeSocket]") -> "type[BridgeSocket]":
    """Return a class that has the methods of `base` behind those that `cls` adds to its own bases."""
    if cls in base.__mro__:
        return base
    if (cls, base) not in _derived:
        _derived[cls, base] = type(cls.__name__, (cls, base), {"__slots__": (), "__module__": cls.__module__})
    return _derived[cls, base]


_derived: "dict[tuple[type, type], type[BridgeSocket]]" = {}


def hand_over(sock: socket.socket) -> Server:
    """Return a server for another end of the connection of a socket, which keeps only its descriptor and its address.

    Raises OSError if it has no connection, or if something was sent.
    """
    stream = stream_of(sock)
    if stream is None:
        raise OSError("a page cannot use this socket: it was not connected by the bridge.")
    if stream.used:
        raise OSError("a page cannot use this socket: something was sent over it already.")
    before = stream.server
    before.leave()
    server = Server(before.host, before.port, replacing.hook)
    if before.tls is not None:
        server.begin_tls(before.tls.context, before.tls.server_hostname or "")
    return server


# Functions that take the place of methods of `socket.socket`, and of `socket.getaddrinfo`.


def getaddrinfo(
    host: "str | bytes | None", port: "Any", family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
) -> "list[addresses.Info]":
    """Take the place of `getaddrinfo`: the address of a host is its name.

    https://docs.python.org/3/library/socket.html#socket.getaddrinfo
    """
    if host is None or type not in (0, socket.SOCK_STREAM) or flags & (socket.AI_NUMERICHOST | socket.AI_PASSIVE):
        return own(socket, "getaddrinfo")(host, port, family, type, proto, flags)  # type: ignore[no-any-return] # untyped
    return addresses.lookup(host, port, family)


def __init__(  # noqa: N807 - the method that it replaces
    self: socket.socket, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None
) -> None:
    """Take the place of the initializer: a descriptor that a socket has detached brings its connection along."""
    stream = None if fileno is None else _streams.get(fileno)
    if stream is not None:  # the system cannot tell what it is
        family, type, proto = addresses.family_of(stream.server.host), socket.SOCK_STREAM, socket.IPPROTO_TCP
    own(socket.socket, "__init__")(self, family, type, proto, fileno)
    if stream is not None:
        adopt(self, BridgeSocket)
    elif fileno is None and (closed := release(self.fileno())):
        closed.close()  # its descriptor was closed without its socket


def connect(self: socket.socket, address: "Address") -> None:
    """Take the place of `connect`.

    https://docs.python.org/3/library/socket.html#socket.socket.connect
    """
    if is_tcp(self):
        open_stream(self, address)
        adopt(self, BridgeSocket)
    else:
        own(socket.socket, "connect")(self, address)


def connect_ex(self: socket.socket, address: "Address") -> int:
    """Take the place of `connect_ex`."""
    if not is_tcp(self):
        return int(own(socket.socket, "connect_ex")(self, address))
    try:
        self.connect(address)
    except OSError as error:
        if error.errno is None:
            raise
        return error.errno
    return 0


def open_stream(sock: socket.socket, address: "Address") -> None:
    """Give a socket a connection: the WebSocket is opened later, by the request of the library.

    Raises RuntimeError if the socket blocks and Python cannot wait here.
    """
    host, port = addresses.host_and_port(sock.family, address)
    descriptor = sock.fileno()
    if descriptor < 0:
        raise error_of(errno.EBADF)
    if descriptor in _streams:
        raise error_of(errno.EISCONN)
    if sock.gettimeout() != 0:
        ensure_possible()
    _streams[descriptor] = Stream(Server(host, port, replacing.hook))


def error_of(number: int) -> OSError:
    """Return the exception of an error of the system."""
    return OSError(number, os.strerror(number))


class BridgeSocket(socket.socket):
    """A socket that is connected by the bridge."""

    __slots__ = ()

    def connect(self, address: "Address") -> None:
        """Connect, unless it is connected."""
        open_stream(self, address)
        adopt(self, BridgeSocket)

    connect_ex = connect_ex

    # Reading

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Return at most `bufsize` bytes, b"" after the end.

        https://docs.python.org/3/library/socket.html#socket.socket.recv
        """
        if bufsize < 0:
            raise ValueError("negative buffersize in recv")
        stream = self._stream()
        if bufsize:
            self._wait_to_read(stream, bufsize if flags & WAIT_ALL else 1, flags)
        return stream.read(bufsize, bool(flags & PEEK))

    def recv_into(self, buffer: "Buffer", nbytes: int = 0, flags: int = 0) -> int:
        """Read into a buffer, and return the number of bytes.

        https://docs.python.org/3/library/socket.html#socket.socket.recv_into
        """
        with memoryview(buffer) as view, view.cast("B") as octets:
            if nbytes < 0:
                raise ValueError("negative buffersize in recv_into")
            if nbytes > len(octets):
                raise ValueError("buffer too small for requested bytes")
            data = self.recv(nbytes or len(octets), flags)
            octets[: len(data)] = data
        return len(data)

    def recvfrom(self, bufsize: int, flags: int = 0, /) -> "tuple[bytes, Address]":
        """Return bytes, and None for the address, as for each connection."""
        return self.recv(bufsize, flags), None

    def recvfrom_into(self, buffer: "Buffer", nbytes: int = 0, flags: int = 0) -> "tuple[int, Address]":
        """Read into a buffer, and return None for the address, too."""
        return self.recv_into(buffer, nbytes, flags), None

    def recvmsg(self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /) -> "tuple[bytes, list[Any], int, Address]":
        """Return bytes, and nothing else: TCP has no ancillary data."""
        return self.recv(bufsize, flags), [], 0, None

    # Writing

    def send(self, data: "Buffer", flags: int = 0, /) -> int:
        """Send bytes, and return their number: all of them, once the browser takes some.

        https://docs.python.org/3/library/socket.html#socket.socket.send
        """
        stream = self._stream()
        octets = _octets(data)
        self._wait_to_write(stream, flags)
        stream.write(octets)
        return len(octets)

    def sendall(self, data: "Buffer", flags: int = 0, /) -> None:
        """Send bytes."""
        self.send(data, flags)

    def sendmsg(self, buffers: "Any", ancdata: "Any" = (), flags: int = 0, address: "Address | None" = None, /) -> int:
        """Send the bytes of several buffers, and return their number."""
        return self.send(b"".join(map(_octets, buffers)), flags)

    def sendto(self, data: "Buffer", *more: "Any") -> int:
        """Send bytes; an address is ignored, as for each connection."""
        return self.send(data)

    # The connection

    def getpeername(self) -> "Address":
        """Return where the connection goes: the name of the host, as the browser does not tell its address."""
        server = self._stream().server
        return addresses.address(self.family, server.host, server.port)

    def getsockname(self) -> "Address":
        """Return an address that says that there is none."""
        return addresses.address(self.family, "::" if self.family == socket.AF_INET6 else "0.0.0.0", 0)

    def setsockopt(self, *_: object) -> None:
        """Take an option of TCP: the browser has its own."""

    def getsockopt(self, level: int, optname: int, buflen: int = 0, /) -> "Any":
        """Return the error of the connection for SO_ERROR, the type for SO_TYPE, and zero for the others."""
        value = 0
        if level == socket.SOL_SOCKET and optname == socket.SO_ERROR:
            value = self._stream().take_error()
        elif level == socket.SOL_SOCKET and optname == socket.SO_TYPE:
            value = self.type
        return int(value).to_bytes(buflen, sys.byteorder) if buflen else int(value)

    def shutdown(self, how: int, /) -> None:
        """End one half of the connection, or both. A page's WebSocket has no half of an end: it is closed.

        Messages that the server sends from then on are lost.

        https://docs.python.org/3/library/socket.html#socket.socket.shutdown
        """
        stream = self._stream()
        if how == socket.SHUT_WR:
            stream.end_output()
        else:
            stream.close()

    def listen(self, *_: object) -> None:
        """Raise OSError, as of any socket that is connected; `bind` and `accept`, too."""
        raise error_of(errno.EINVAL)

    bind = accept = listen  # type: ignore[assignment] # they return nothing either

    def dup(self) -> "BridgeSocket":
        """Raise OSError: a connection has one descriptor."""
        raise error_of(errno.EOPNOTSUPP)

    def detach(self) -> int:
        """Return the descriptor, which keeps the connection: `socket.socket(fileno=...)` goes on with it."""
        _owners.pop(self.fileno(), None)
        return super().detach()

    def _real_close(self, *_: object) -> None:
        """End the connection, when nothing of the program uses the socket any more; `close` calls this."""
        if stream := release(self.fileno()):
            stream.close()
        super()._real_close()  # type: ignore[misc] # of the module socket

    def _stream(self) -> Stream:
        """Return its connection. Raises OSError if it has none."""
        stream = _streams.get(self.fileno())
        if stream is None:
            raise error_of(errno.EBADF if self.fileno() < 0 else errno.ENOTCONN)
        return stream

    def _wait_to_read(self, stream: Stream, size: int, flags: int) -> None:
        """Wait until so many bytes, or the end, have come. Raises TimeoutError, and BlockingIOError."""
        timeout = 0 if flags & DO_NOT_WAIT else self.gettimeout()

        def has_come() -> bool:
            return stream.available >= size or stream.ended

        if not wait_until(has_come, timeout, [stream.changed]):
            raise _late(timeout)
        if self.fileno() < 0:
            raise error_of(errno.EBADF)

    def _wait_to_write(self, stream: Stream, flags: int) -> None:
        """Wait until the browser takes bytes. Raises TimeoutError, and BlockingIOError."""
        timeout = 0 if flags & DO_NOT_WAIT else self.gettimeout()
        if not stream.writable and not wait_until(lambda: stream.writable, timeout, [stream.changed], POLL_INTERVAL):
            raise _late(timeout)


def _octets(data: "Any") -> bytes:
    """Return a copy of the bytes of a buffer."""
    with memoryview(data) as view:
        return view.tobytes()


def _late(timeout: float | None) -> OSError:
    """Return the exception of a call that could not wait longer."""
    if timeout == 0:
        return BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return TimeoutError("timed out")

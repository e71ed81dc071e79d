"""Blocking sockets with TLS: the function that takes the place of `SSLContext.wrap_socket`.

Its law: no byte is changed; the browser does TLS, when the request of the library opens the WebSocket.
https://docs.python.org/3/library/ssl.html#ssl-sockets
"""

import socket
import ssl

from . import tls
from .blockingsockets import BridgeSocket, adopt, derive, is_tcp, stream_of
from .handshake import report
from .replacing import own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Buffer = Any  # it has the buffer protocol


class TLSSocket(BridgeSocket, ssl.SSLSocket):  # type: ignore[misc] # the methods have other names of arguments
    """A socket for which the browser does TLS. https://docs.python.org/3/library/ssl.html#ssl.SSLSocket"""

    def connect(self, address: "Any") -> None:
        """Connect a socket that was wrapped before."""
        super().connect(address)
        self._stream().server.begin_tls(self.context, self.server_hostname or "")

    def read(self, len: int = 1024, buffer: "Any" = None) -> "Any":
        """Return at most `len` bytes, or read them into a buffer and return their number."""
        return self.recv(len) if buffer is None else self.recv_into(buffer, min(len, memoryview(buffer).nbytes))

    def write(self, data: "Buffer") -> int:
        """Send bytes, and return their number."""
        return self.send(data)

    def pending(self) -> int:
        """Return the number of bytes that can be read without a wait."""
        return self._stream().available

    def do_handshake(self, block: bool = False) -> None:
        """Do nothing: the browser does it later."""

    def unwrap(self) -> socket.socket:
        """Return the socket: there is nothing to say at the end of TLS."""
        return self


def wrap_socket(
    self: ssl.SSLContext,
    sock: socket.socket,
    server_side: bool = False,
    do_handshake_on_connect: bool = True,
    suppress_ragged_eofs: bool = True,
    server_hostname: "str | bytes | None" = None,
    session: "Any" = None,
) -> ssl.SSLSocket:
    """Take the place of `SSLContext.wrap_socket`.

    Raises OSError if a page cannot do what the context asks for, or if something was sent already.
    https://docs.python.org/3/library/ssl.html#ssl.SSLContext.wrap_socket
    """
    name = server_hostname.decode() if isinstance(server_hostname, bytes) else server_hostname
    if not is_tcp(sock):
        options = (server_side, do_handshake_on_connect, suppress_ragged_eofs, name, session)
        return own(ssl.SSLContext, "wrap_socket")(self, sock, *options)  # type: ignore[no-any-return] # untyped
    stream = stream_of(sock)
    try:
        if server_side:
            raise OSError("a page cannot be a server")
        tls.examine(self)
        if self.check_hostname and not name:
            raise ValueError("check_hostname requires server_hostname")
        if stream is not None:
            stream.server.begin_tls(self, name or "")
    except OSError as error:
        report(error)
        raise
    timeout = sock.gettimeout()
    create: Any = derive(self.sslsocket_class, TLSSocket)._create  # type: ignore[attr-defined] # of the module ssl
    wrapped: ssl.SSLSocket = create(sock, False, False, suppress_ragged_eofs, name, self, session)
    wrapped.settimeout(timeout)
    if stream is not None:
        adopt(wrapped, TLSSocket)
    return wrapped

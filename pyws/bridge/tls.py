"""TLS where the browser does it: the options of a library are examined, and its bytes pass through.

Its law: an option that the browser would not follow in the same way is an error that names the option.
https://www.rfc-editor.org/rfc/rfc6455#section-3
"""

import ssl
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The bytes that `BrowserTLS` writes as its handshake: a connection that begins with them is meant to be TLS. They begin
# as a record of TLS does, and no version has this number.
MARK = b"\x16\xff\xffpyws"


def examine(context: object) -> None:
    """Raise OSError if a page cannot do what an `ssl` argument asks for.

    A value that is not an `SSLContext`, such as True, asks for nothing. The module `ssl` of Pyodide keeps the options
    of a context in attributes of its own.
    """
    if not isinstance(context, ssl.SSLContext):
        return
    if not context.check_hostname or context.verify_mode != ssl.CERT_REQUIRED:
        raise OSError(
            "a page cannot switch off the examination of certificates: leave out check_hostname=False, "
            "verify_mode=CERT_NONE and ssl=False, and let the browser trust the server's certificate."
        )
    if getattr(context, "_certfile_data", None) is not None:
        raise OSError(
            "a page cannot choose a client certificate: leave out load_cert_chain; the browser asks its user for one."
        )
    authorities = getattr(context, "_ca_data", None)
    if authorities is not None and authorities != _public_authorities():
        raise OSError(
            "a page cannot bring certificate authorities: leave out cafile, cadata and load_verify_locations, and let "
            "the browser trust the authority."
        )


def _public_authorities() -> "str | None":
    """Return what the package certifi has, if the program uses it: the authorities that browsers trust."""
    certifi = sys.modules.get("certifi")
    return None if certifi is None else str(certifi.contents())


def mark(name: str) -> bytes:
    """Return what stands at the beginning of a connection that is meant to be TLS with that name."""
    data = name.encode()
    return MARK + len(data).to_bytes(2, "big") + data


def read_mark(data: bytes) -> tuple[str, int]:
    """Return the name in a mark at the beginning of `data`, and the size of the mark: 0 if it is not complete.

    Raises OSError if `data` begins in another way.
    """
    start = len(MARK) + 2
    if data[: len(MARK)] != MARK[: len(data)]:
        raise OSError("a page's TLS is the browser's: connect with ssl=, not with a TLS of the library's own.")
    end = start + int.from_bytes(data[len(MARK) : start], "big")
    return (data[start:end].decode(), end) if len(data) >= max(start, end) else ("", 0)


class BrowserTLS:
    """The object that a library takes for its TLS: it has the methods of `ssl.SSLObject`, and changes no byte.

    It stands on the memory BIOs of `SSLContext.wrap_bio`, or tells only what it is.
    """

    def __init__(
        self, context: "Any", server_hostname: "str | None", incoming: "Any" = None, outgoing: "Any" = None
    ) -> None:
        self.context = context
        self.server_hostname = server_hostname
        self.server_side = False
        self.session = None
        self.session_reused = False
        self._incoming = incoming
        self._outgoing = outgoing

    def do_handshake(self) -> None:
        """Say that this connection is meant to be TLS."""
        self._outgoing.write(mark(self.server_hostname or ""))

    def write(self, data: "Any") -> int:
        """Pass on bytes; their number."""
        return int(self._outgoing.write(data))

    def read(self, size: int = 1024, buffer: "Any" = None) -> "bytes | int":
        """Return bytes that have come, b"" after the end, or put them into `buffer` and return their number."""
        if not self._incoming.pending and not self._incoming.eof:
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "nothing has come")
        data: bytes = self._incoming.read(size if buffer is None else min(size, len(buffer)))
        if buffer is None:
            return data
        buffer[: len(data)] = data
        return len(data)

    def unwrap(self) -> None:
        """End TLS: here there is nothing to say."""

    def pending(self) -> int:
        """Return the number of bytes that can be read."""
        return 0 if self._incoming is None else int(self._incoming.pending)

    # A page learns nothing of the browser's TLS.

    def getpeercert(self, binary_form: bool = False) -> None:
        """Return None: not known."""

    def get_channel_binding(self, cb_type: str = "tls-unique") -> None:
        """Return None: not known."""

    def selected_alpn_protocol(self) -> None:
        """Return None: HTTP/1.1."""

    def cipher(self) -> None:
        """Return None: not known."""

    def shared_ciphers(self) -> None:
        """Return None: not known."""

    def compression(self) -> None:
        """Return None: not known."""

    def version(self) -> None:
        """Return None: not known."""


def wrap_bio(
    context: ssl.SSLContext,
    incoming: "Any",
    outgoing: "Any",
    server_side: bool = False,
    server_hostname: "str | bytes | None" = None,
    session: object = None,
) -> BrowserTLS:
    """Take the place of `SSLContext.wrap_bio`.

    https://docs.python.org/3/library/ssl.html#ssl.SSLContext.wrap_bio
    """
    if server_side:
        raise OSError("a page cannot be a server")
    examine(context)
    name = server_hostname.decode() if isinstance(server_hostname, bytes) else server_hostname
    return BrowserTLS(context, name, incoming, outgoing)

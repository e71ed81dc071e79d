"""Certificates of a server of tests, by an authority that only tests trust.

Its law: there is one authority for each process, and its key is never written to a file.
"""

import atexit
import functools
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import trustme

NAMES = ("127.0.0.1", "localhost", "::1")
"""The names and addresses that the certificate is for."""


@functools.cache
def _authority() -> "trustme.CA":
    try:
        import trustme
    except ImportError as error:
        raise ImportError(
            "certificates for wss: need trustme: install the extra, 'pyws-websocket[testing]'", name=error.name
        ) from None
    return trustme.CA()


@functools.cache
def authorities() -> str:
    """Return the path of a PEM file with the certificate of the authority; it is there until the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="pyws-testing-")
    atexit.register(folder.cleanup)
    path = Path(folder.name, "authorities.pem")
    _authority().cert_pem.write_to_path(path)
    return str(path)


@functools.cache
def server_context() -> ssl.SSLContext:
    """Return the TLS context of the server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _authority().issue_cert(*NAMES).configure_cert(context)
    return context

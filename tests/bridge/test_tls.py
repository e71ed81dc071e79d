"""Libraries over `wss:`: the same scripts, where the browser does TLS."""

import itertools

import pytest

import bridge
import wheels
from peer import Peer
from runtimes import Node, required

numbers = itertools.count()
# Those that talk to the peer; it has a certificate, and other servers have none.
ALONE = [name for name, library in wheels.PINS.items() if "server" not in library and name != "autobahn"]
SCRIPTS = [(kind, name) for kind in ("script", "blocking") for name in ALONE if kind in wheels.PINS[name]]


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    """A peer that speaks TLS, and the file with its authority, which Python and Node trust."""
    with Peer(tls=True) as peer, pytest.MonkeyPatch.context() as patch:
        path = tmp_path_factory.mktemp("tls") / "authority.pem"
        peer.authority.cert_pem.write_to_path(path)
        patch.setenv("SSL_CERT_FILE", str(path))
        patch.setenv("NODE_EXTRA_CA_CERTS", str(path))
        yield peer


@pytest.fixture(scope="module")
def node(secure):
    """Pyodide under Node."""
    with required(), Node("pyodide-node-tls") as node:
        yield node


@pytest.mark.once
@pytest.mark.parametrize("kind, name", SCRIPTS)
@pytest.mark.requirements("BRG-19")
def test_library(node, secure, peer, kind, name):
    script = wheels.LIBRARIES / wheels.PINS[name][kind]
    key = f"{kind}-{name}-{next(numbers)}"
    provided = wheels.provide(name)
    # On CPython, websockets.sync 17.4 hangs over TLS in this script.
    origin = peer.origin if kind == "blocking" else secure.origin
    expected = bridge.play_on_cpython(script, origin, f"{key}-cpython", provided)
    result = bridge.play_in_pyodide(node, script, secure.origin, key, provided)
    assert result == expected, "\n".join(filter(None, [result["error"], expected["error"]]))

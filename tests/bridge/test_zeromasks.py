"""The mask 0: on connections of the bridge, and on no other ones."""

import itertools
from pathlib import Path

import pytest

import bridge
import wheels
from runtimes import Node, required

SCRIPT = Path(__file__).with_name("zeromasking.py")
WEBSOCKETS, AIOHTTP = ["websockets-15", "websockets-16", "websockets-17"], ["aiohttp-3.13", "aiohttp-3"]
numbers = itertools.count()


@pytest.mark.pyodide
@pytest.mark.parametrize("name", WEBSOCKETS + AIOHTTP)
@pytest.mark.requirements("BRG-28")
def test_on_the_bridge(runtime, peer, name):
    """The frames are the library's own, but for the mask; on another transport it is random."""
    with required():
        provided = wheels.provide(name)
    function = name.partition("-")[0]
    examine(bridge.play_in_pyodide(runtime, SCRIPT, peer.origin, f"zero-masks-{next(numbers)}", provided, function))


@pytest.fixture(scope="module")
def node():
    """Pyodide under Node, where it has the sockets of Node."""
    with required(), Node("pyodide-node-sockets") as node:
        bridge.run(node, "import pyodide_js\nawait pyodide_js.useNodeSockFS()\nTrue")
        yield node


@pytest.mark.once
@pytest.mark.parametrize("name", ["websockets-17", "aiohttp-3"])
@pytest.mark.requirements("BRG-28")
def test_on_a_real_socket(node, peer, name):
    """It is random, while the bridge is installed and used, too."""
    with required():
        provided = wheels.provide(name)
    function = f"{name.partition('-')[0]}_on_a_socket"
    examine(bridge.play_in_pyodide(node, SCRIPT, peer.origin, f"zero-masks-{next(numbers)}", provided, function))


def examine(result):
    """The journal is the one that is expected, and nothing is left."""
    assert [result["error"], result["journal"], result["tasks"]] == [None, result["expected"], []]

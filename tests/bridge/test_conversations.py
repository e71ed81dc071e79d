"""What asyncio's own connections do over the bridge, and what they do on CPython."""

import itertools
from pathlib import Path

import pytest
from conversations import CONVERSATIONS, EVERYWHERE

import bridge

SCRIPT = Path(__file__).with_name("conversations.py")
numbers = itertools.count()


@pytest.mark.pyodide
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_conversation(runtime, peer, name):
    """Played over the bridge."""
    examine(bridge.play_in_pyodide(runtime, SCRIPT, peer.origin, f"bridge-{next(numbers)}", name=name))


@pytest.mark.parametrize("name", sorted(EVERYWHERE))
def test_the_same_on_cpython(peer, name):
    """Played on sockets."""
    examine(bridge.play_on_cpython(SCRIPT, peer.origin, f"sockets-{next(numbers)}", name=name))


def examine(result):
    """The journal is the one that is expected, and nothing is left."""
    assert [result["error"], result["journal"], result["tasks"]] == [None, result["expected"], []]

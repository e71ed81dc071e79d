"""The two short cuts of the connection change no journal: every scenario again, with the library doing all of it."""

import itertools

import pytest
from pyws.cpython.receiver import Receiver
from pyws.cpython.sender import Sender
from websockets.client import ClientProtocol

from runtimes import CPython
from stage import SCENARIOS

numbers = itertools.count()


@pytest.fixture
def long_way(monkeypatch):
    """Leave every frame that comes to the library, and every message that goes: the number of each."""
    counts = {"came": 0, "went": 0}
    feed_core, send_text, send_binary = Receiver._feed_core, ClientProtocol.send_text, ClientProtocol.send_binary

    def counting(name, original):
        def counted(self, data, *arguments):
            counts[name] += 1
            return original(self, data, *arguments)

        return counted

    monkeypatch.setattr(Receiver, "takes_short_cuts", False)
    monkeypatch.setattr(Sender, "takes_short_cuts", False)
    monkeypatch.setattr(Receiver, "_feed_core", counting("came", feed_core))
    monkeypatch.setattr(ClientProtocol, "send_text", counting("went", send_text))
    monkeypatch.setattr(ClientProtocol, "send_binary", counting("went", send_binary))
    return counts


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_long_way_has_the_same_journal(long_way, peer, name):
    with CPython("cpython") as runtime:
        result = runtime.run(name, peer.origin, f"long-{name}-{next(numbers)}")
    assert (result["error"], result["journal"]) == (None, result["expected"])


def test_the_long_way_is_long(long_way, peer):
    """The fixture does what it says."""
    with CPython("cpython") as runtime:
        runtime.run("a_mebibyte_survives_the_round_trip", peer.origin, "long")
    assert long_way == {"came": 3, "went": 2}  # the server's Close too

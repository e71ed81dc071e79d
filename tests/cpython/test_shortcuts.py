"""The two short cuts of the connection change no journal: every scenario again, with the library doing all of it."""

import itertools

import pytest
from pyws.cpython import connection as sockets

from runtimes import CPython
from stage import SCENARIOS

numbers = itertools.count()


@pytest.fixture
def long_way(monkeypatch):
    """Leave every frame that comes to the library, and every message that goes: the number of each."""
    counts = {"came": 0, "went": 0}
    judge = sockets.Connection._judge

    def counting_judge(self, data):
        counts["came"] += 1
        return judge(self, data)

    def write_queue(self):
        queue, self._queue, self._queued = self._queue, [], 0
        for first, payload in queue:
            counts["went"] += 1
            (self._core.send_text if first == sockets.TEXT else self._core.send_binary)(payload)
            self._write(b"".join(self._core.data_to_send()), len(payload))

    # No frame begins with these, so that none is taken for plain and whole.
    monkeypatch.setattr(sockets, "TEXT", 0x181)
    monkeypatch.setattr(sockets, "BINARY", 0x182)
    monkeypatch.setattr(sockets.Connection, "_judge", counting_judge)
    monkeypatch.setattr(sockets.Connection, "_write_queue", write_queue)
    return counts


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_long_way_has_the_same_journal(long_way, peer, name):
    with CPython("cpython") as cell:
        result = cell.run(name, peer.origin, f"long-{name}-{next(numbers)}")
    assert (result["error"], result["journal"]) == (None, result["expected"])


def test_the_long_way_is_long(long_way, peer):
    """The fixture does what it says."""
    with CPython("cpython") as cell:
        cell.run("a_mebibyte_survives_the_round_trip", peer.origin, "long")
    assert long_way == {"came": 3, "went": 2}  # the server's Close too

"""Readers of websockets that return pieces: each read has the result that the library's own has."""

import asyncio
import random

import pytest
from pyws.bridge import pieces
from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.streams import StreamReader
from websockets.uri import parse_uri

LARGE = 8  # instead of some kilobytes
SIZES = [0, 1, 2, 5, LARGE - 1, LARGE, LARGE + 1, 3 * LARGE]


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Let short data be pieces."""
    monkeypatch.setattr(pieces, "LARGE", LARGE)


def adopted():
    """A reader that returns pieces."""
    reader = StreamReader()
    pieces.adopt_reader(reader)
    assert type(reader) is not StreamReader
    return reader


class Play:
    """Calls of one reader; each returns what comes of it. Only one read is under way at a time."""

    def __init__(self, reader):
        self.reader = reader
        self.reading = None

    def feed(self, data):
        return outcome(self.reader.feed_data, data)

    def feed_head(self, data):
        feed = getattr(self.reader, "feed_head", self.reader.feed_data)
        return outcome(feed, data)

    def end(self):
        return outcome(self.reader.feed_eof)

    def discard(self):
        return outcome(self.reader.discard)

    def read(self, method, *arguments):
        """Begin to read, or go on with what was begun: `waits`, or what was read."""
        if self.reading is None:
            self.reading = getattr(self.reader, method)(*arguments)
        result = outcome(next, self.reading)
        if result is None:
            return "waits"
        self.reading = None
        return result

    def give_up(self):
        if self.reading is not None:
            self.reading.close()
        self.reading = None


def outcome(function, *arguments):
    """What a function or a generator returns, or its exception."""
    try:
        return function(*arguments)
    except StopIteration as stop:
        return stop.value
    except (EOFError, RuntimeError) as error:
        return repr(error)


def some_call(chance):
    """A method of `Play`, and its arguments."""
    kinds = ["feed"] * 8 + ["feed_head"] * 3 + ["read"] * 9 + ["give_up", "discard"] + ["end"] * (chance.random() < 0.1)
    kind = chance.choice(kinds)
    if kind in ("feed", "feed_head"):
        data = bytes(chance.choices(b"ab\n", weights=(9, 9, 1), k=chance.choice(SIZES)))
        return kind, chance.choice([bytes, bytes, bytearray])(data)
    if kind == "read":
        method = chance.choice(["read_exact"] * 5 + ["at_eof"] * 2 + ["read_line", "read_to_eof"])
        return kind, method, *([] if method == "at_eof" else [chance.choice(SIZES)])
    return (kind,)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.requirements("BRG-07")
def test_as_the_library(seed):
    """Whatever is fed and read in whatever order."""
    chance = random.Random(seed)
    for _ in range(100):
        own, ours = Play(StreamReader()), Play(adopted())
        for method, *arguments in [some_call(chance) for _ in range(30)] + [("give_up",), ("end",)]:
            expected = getattr(own, method)(*arguments)
            assert getattr(ours, method)(*arguments) == expected, (method, arguments)
        assert ours.read("read_to_eof", 999) == own.read("read_to_eof", 999)


def test_a_piece_is_not_copied():
    """The reader that waits for it returns it, and keeps nothing of it."""
    play, piece = Play(adopted()), b"x" * LARGE
    for _ in range(2):
        play.feed(b"\x81\x08")
        assert play.read("at_eof") is False
        assert play.read("read_exact", 2) == b"\x81\x08"
        assert play.read("read_exact", LARGE) == "waits"
        play.feed(piece)
        assert play.read("read_exact", LARGE) is piece
        assert piece not in vars(play.reader).values()


@pytest.mark.requirements("BRG-07")
def test_a_read_between_a_head_and_its_payload():
    """It waits in the buffer of the library, and finds there what comes."""
    play = Play(adopted())
    assert play.read("at_eof") == "waits"
    play.feed_head(b"ab")
    assert play.read("at_eof") is False
    assert play.read("read_exact", 5) == "waits"
    play.feed(b"x" * LARGE)
    assert play.read("read_exact", 5) == b"abxxx"


def test_readers_that_are_left_as_they_are():
    """Those of other classes, and those that have got data."""

    class Derived(StreamReader):
        pass

    used = StreamReader()
    used.feed_data(b"a")
    for reader in Derived(), used, object():
        kind = type(reader)
        pieces.adopt_reader(reader)
        assert type(reader) is kind


@pytest.mark.requirements("BRG-07")
def test_a_connection_with_a_method_of_its_own_gets_all_data():
    """A head goes past `data_received` only where that is the library's own."""

    class Derived(ClientConnection):
        def data_received(self, data):
            super().data_received(data)

    async def connected(cls):
        return cls(ClientProtocol(parse_uri("ws://localhost/")))

    connections = [asyncio.run(connected(cls)) for cls in (ClientConnection, Derived)]
    assert [pieces.adopt(connection) is None for connection in connections] == [False, True]

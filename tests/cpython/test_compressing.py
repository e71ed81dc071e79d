"""Compression on CPython: by each library that can do it, of any size, without stopping the loop for long."""

import asyncio
import functools
import importlib
import itertools
import json
import os
import random
import sys
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyws import UserAgent, WebSocket
from pyws.cpython import deflate
from pyws.cpython.deflate import LARGE, Deflate
from pyws.cpython.sender import PIECE
from pyws.cpython.zlibs import FAST, SMALL, Zlib, first_of
from test_handshake import COMPRESSED
from test_hostile import SETTINGS, bodies, conversations
from websockets.asyncio.server import serve
from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

from notation import show
from offline import AGENTS, DEFLATE, NORMAL, Conversation, deflated, frame, head, offline_server
from runtimes import CPython
from stage import SCENARIOS, Stage

numbers = itertools.count()
LIBRARIES = sorted(SMALL)
TAIL = b"\0\0\xff\xff"


@pytest.fixture(params=LIBRARIES, ids=[name for name, _ in LIBRARIES], scope="module")
def library(request):
    """Each library in turn is the one that compresses and decompresses."""
    name, level = request.param
    chosen = Zlib(importlib.import_module(name), level)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deflate, "first_of", lambda _: chosen)
        yield chosen


@functools.cache
def document(size, seed=0):
    """JSON of about that size, in which little repeats."""
    chance = random.Random(seed)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(3, 9))) for _ in range(2000)]
    parts, length = [], 0
    while length < size:
        parts.append(json.dumps({"id": chance.randrange(10**9), "text": " ".join(chance.choices(words, k=9))}))
        length += len(parts[-1])
    return "".join(parts)[:size].encode()


# The libraries


def test_the_fastest_is_chosen():
    """The tests have all of them; without any, the standard library's is left."""
    assert [first_of(names).library.__name__ for names in (SMALL, FAST)] == ["isal.isal_zlib", "zlib_ng.zlib_ng"]
    assert first_of((("no.such.library", 9), *SMALL[-1:])) == first_of(SMALL[-1:]) == Zlib(zlib, 2)
    assert first_of((("no.such.library", 9),)).library is zlib


@pytest.mark.parametrize("name", [name for name, scenario in SCENARIOS.items() if "PMD" in str(scenario.ids)])
def test_the_scenarios_of_compression(library, peer, name):
    """They have the standard's journal whatever compresses."""
    with CPython("cpython") as runtime:
        result = runtime.run(name, peer.origin, f"compressing-{next(numbers)}")
    assert (result["error"], result["journal"]) == (None, result["expected"])


@pytest.fixture(scope="module")
def server(library):
    with offline_server() as server:
        yield server


@SETTINGS
@given(conversations(bodies.map((head(DEFLATE) + b"%b").__mod__)))
def test_any_frames(server, conversation):
    """What `test_hostile.py` asks of the library that is chosen, of each."""
    server.play(conversation)


@SETTINGS
@given(st.binary(max_size=300), st.integers(0, 300), st.binary(max_size=9))
def test_any_damage(server, data, place, garbage):
    """A valid message in which some bytes are others: a message comes of it, or the connection fails."""
    valid = deflated(data * 3)
    damaged = frame(0xC2, valid[:place] + garbage + valid[place + len(garbage) :])
    events = server.play(Conversation(head(DEFLATE) + frame(0xC2, valid) + damaged + NORMAL))
    assert events[1].data == data * 3
    assert [event.type for event in events[2:]] in (["message", "close"], ["error", "close"])


@pytest.mark.requirements("PMD-09")
def test_a_bomb_costs_what_the_limit_says(server):
    """In one frame; and the largest message that is allowed, even if compression makes it larger."""
    agent = next(index for index, agent in enumerate(AGENTS) if agent.max_size == 1000)
    noise = random.Random(1).randbytes(1001)
    for data, outcome in [
        (bytes(50 << 20), ["error", "close"]),
        (noise, ["error", "close"]),
        (noise[:1000], ["message", "close"]),
    ]:
        conversation = Conversation(head(DEFLATE) + frame(0xC2, deflated(data)) + NORMAL, (700,), agent=agent)
        assert [event.type for event in server.play(conversation)] == ["open", *outcome]
        words = [reason.partition(" is ")[2] for reason in server.reasons]
        assert words == ["larger than max_size, 1000 bytes"] * ("error" in outcome)


@pytest.mark.parametrize("bits", [9, 12, 15])
@pytest.mark.parametrize("no_context", [False, True])
def test_what_is_compressed_is_the_message(library, bits, no_context):
    """Of any size, one after the other, for `zlib`, which knows no more than what was negotiated."""
    extension = Deflate(library, library, True, no_context, bits, 15)
    inflate = zlib.decompressobj(wbits=-bits)
    sizes = [0, 0, 1, 5, 125, 1000, 1000, LARGE - 1, LARGE, 100, 70000, 0, 3]
    for seed, size in enumerate(sizes):
        for data in (document(size, seed), random.Random(seed).randbytes(size), bytes(size)):
            if no_context:
                inflate = zlib.decompressobj(wbits=-bits)
            assert inflate.decompress(extension.compress(data, size) + TAIL) == data


@pytest.mark.parametrize("bits", [9, 15])
def test_what_is_decompressed_is_the_message(library, bits):
    """In any pieces, with blocks that are stored, fixed, dynamic and final."""
    extension = Deflate(library, library, True, False, 15, bits)
    chance = random.Random(7)
    for level in (0, 1, 6, 9):
        encoder = zlib.compressobj(level, wbits=-bits)
        for size in (0, 1, 1000, 2048, 65536, 300_000):
            data = document(size, size)
            compressed = (encoder.compress(data) + encoder.flush(zlib.Z_SYNC_FLUSH))[:-4]
            cuts = sorted({0, *chance.choices(range(len(compressed) + 1), k=3)})
            pieces = [compressed[start:stop] for start, stop in itertools.pairwise([*cuts, len(compressed)])]
            found = [extension.decompress(piece, piece is pieces[-1], size) for piece in pieces]
            assert b"".join(found) == data
    once = Deflate(library, library, True, False, 15, bits)
    once.decompress(deflated(b"four"), True, 4)
    with pytest.raises(PayloadTooBig):
        once.decompress(deflated(b"fives"), True, 4)
    with pytest.raises(ProtocolError):
        Deflate(library, library, True, False, 15, bits).decompress(b"\xff\xff", True, None)


@pytest.mark.once
@pytest.mark.parametrize("size", [256, 1024, 65536])
@pytest.mark.parametrize("bits", [12, 15])
def test_few_more_bytes_are_sent(library, size, bits):
    """A quarter more than by level 6 of zlib at most; half more by what is fast."""
    documents = [document(size, seed) for seed in range(max(20, 30_000 // size))]
    usual = zlib.compressobj(6, wbits=-bits)
    least = sum(len(usual.compress(data) + usual.flush(zlib.Z_SYNC_FLUSH)) - 4 for data in documents)
    fast = Zlib(library.library, dict(FAST)[library.library.__name__])
    for chosen, share in [(library, 1.25), (fast, 1.5)]:
        extension = Deflate(chosen, library, True, False, bits, 15)
        assert sum(len(extension.compress(data, size)) for data in documents) < share * least


@pytest.mark.requirements("PMD-01")
@pytest.mark.parametrize("compression", [True, "fast"])
def test_the_setting_chooses_the_library(runner, monkeypatch, compression):
    """The offer is the same, and so is what arrives."""
    monkeypatch.setattr(deflate, "first_of", first_of)  # another test may need what `library` has set

    async def echo(connection):
        offers.append(connection.request.headers["Sec-WebSocket-Extensions"])
        async for message in connection:
            await connection.send(message)

    async def main():
        async with serve(echo, "127.0.0.1", 0) as server:
            with UserAgent(compression=compression):
                ws = WebSocket(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
            await ws.when("open").first()
            ws.send(text)
            event = await ws.when("message").first()
            assert event.data == text
            used.append(ws._pyws_connection._sender._deflate._zlib)
            ended = ws.when("close").first()
            ws.close()
            await ended

    offers, used, text = [], [], document(5000).decode()
    runner.run(main())
    assert offers == ["permessage-deflate; client_max_window_bits"]
    assert used == [first_of(FAST if compression == "fast" else SMALL)]


# Messages that take long


@pytest.fixture
def talk(runner):
    """Run `async def conversation(ws, heard)` with a server that reads; what it has heard and how it ended."""

    def talk(conversation, handle=None, **options):
        heard = []

        async def read(connection):
            if handle is not None:
                await handle(connection)
            async for message in connection:
                heard.append(message)
            heard.append(connection.close_code)

        async def main():
            async with serve(read, "127.0.0.1", 0, max_size=None, **options) as server:
                with UserAgent(proxy="", closing_timeout=50):
                    ws = WebSocket(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
                await ws.when("open").first()
                ended = asyncio.ensure_future(ws.when("close").first())
                try:
                    await conversation(ws, heard)
                finally:
                    ws.close(1000)
                    event = await ended
                return event.wasClean

        return runner.run(main()), heard

    return talk


@pytest.mark.requirements("BUF-04", "SND-16")
@pytest.mark.parametrize("pieces", [1, 2, 7.5])
@pytest.mark.parametrize("takeover", [False, True])
def test_a_large_message_is_compressed_in_many_turns(talk, pieces, takeover):
    """Meanwhile others have theirs; what is sent behind it arrives behind it, and all is counted until it has left."""
    large = random.Random(3).randbytes(int(pieces * PIECE) + 1)

    async def conversation(ws, heard):
        sender = ws._pyws_connection._sender
        ws.send("before")
        ws.send(large)
        ws.send("behind")
        assert ws.bufferedAmount == len(large) + 12
        turns = 0
        while sender.queue:
            assert ws.bufferedAmount in (len(large) + 12, len(large) + 6, 6)
            await asyncio.sleep(0)
            turns += 1
        assert turns > pieces
        ws.send(large.hex()[: 2 * PIECE])
        ws.send("last")

    factory = ServerPerMessageDeflateFactory(client_no_context_takeover=not takeover)
    is_clean, heard = talk(conversation, compression=None, extensions=[factory])
    assert is_clean
    assert heard == ["before", large, "behind", large.hex()[: 2 * PIECE], "last", 1000]


def test_many_messages_are_compressed_in_many_turns(talk):
    """Of middle size, all sent in one task."""
    messages = [bytes([number]) * (PIECE // 2) for number in range(20)]

    async def conversation(ws, heard):
        for message in messages:
            ws.send(message)
        turns = 0
        while ws._pyws_connection._sender.queue:
            await asyncio.sleep(0)
            turns += 1
        assert turns > len(messages) / 4

    assert talk(conversation) == (True, [*messages, 1000])


def test_a_ping_is_answered_between_pieces(talk):
    """The server does not take the connection for dead while a message is compressed."""
    pongs = []
    large = bytes(20 * PIECE)

    async def handle(connection):
        waiter = await connection.ping()
        await waiter
        pongs.append(sender[0].queue != [])

    sender = []

    async def conversation(ws, heard):
        sender.append(ws._pyws_connection._sender)
        ws.send(large)
        while ws.bufferedAmount:
            await asyncio.sleep(0)

    assert talk(conversation, handle) == (True, [large, 1000])
    assert pongs == [True]


def test_a_turn_compresses_one_piece(monkeypatch):
    """However much arrives meanwhile: Pings, each of which is answered, and messages."""
    compress = Deflate.compress
    turn, pieces = [0], []

    def counted(self, data, size, final=True):
        if size > PIECE:
            pieces.append(turn[0])
        return compress(self, data, size, final)

    monkeypatch.setattr(Deflate, "compress", counted)

    async def handle(connection):
        for number in range(60):
            await connection.ping()
            await connection.send(str(number))
        async for _ in connection:
            break

    async def main():
        async with serve(handle, "127.0.0.1", 0, max_size=None) as server:
            with UserAgent(proxy=""):
                ws = WebSocket(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
            await ws.when("open").first()
            ws.send(bytes(30 * PIECE))
            while ws.bufferedAmount:
                await asyncio.sleep(0)
                turn[0] += 1
            await ws.when("close").first()

    asyncio.run(main())
    assert len(pieces) == 30
    assert max(map(pieces.count, pieces)) <= 2


@pytest.mark.requirements("PMD-06")
def test_a_message_that_comes_too_late_is_a_dictionary_still(peer):
    """The server compresses a fragmented message with what came after our `close()`."""
    text = "".join(random.Random(6).choices("abcdefghijklmnopqrstuvwxyz", k=300))
    verbs = [COMPRESSED, "accept", "hold", "deflated first", f"deflated {text}", f"deflated_fragment 2 {text}"]

    async def main():
        stage = Stage(peer.origin, f"compressing-{next(numbers)}", "cpython")
        ws = stage.connect(*verbs, "close 1000", "release")
        ws.addEventListener("message", lambda _: ws.close())
        await stage.closed(ws)
        return stage.journal[1:]

    # It is not clean if the server ends TCP before it has read our Close frame, and what was written before it.
    message, end = asyncio.run(main())
    assert message == "message 1 'first'" and end in ("close 3 clean 1000 ''", "close 3 unclean 1000 ''")


@pytest.mark.parametrize("max_size", [sys.maxsize, sys.maxsize - 1, 1 << 64])
def test_a_limit_may_be_as_large_as_it_likes(peer, max_size):
    """Nothing is that large."""

    async def main():
        with UserAgent(max_size=max_size):
            stage = Stage(peer.origin, f"compressing-{next(numbers)}", "cpython")
            await stage.closed(stage.connect(COMPRESSED, "accept", "deflated hello", "close 1000"))
        return stage.journal[1:]

    assert asyncio.run(main()) == ["message 1 'hello'", "close 3 clean 1000 ''"]


@pytest.mark.parametrize("end", ["cancel", "refuse", "server"])
def test_an_end_between_pieces(runner, peer, end):
    """A program that ends, and a fault of the server, let it arrive whole; a server that closes does not get it."""
    large = os.urandom(4 * PIECE)
    verbs = {
        "cancel": ["accept", "read", "hang"],
        "refuse": ["accept", "ready", "raw 8300", "read", "hang"],
        "server": ["accept", "ready", "close 1000", "hang"],
    }[end]

    async def main():
        stage = Stage(peer.origin, f"compressing-{next(numbers)}", "cpython")
        ws = stage.connect(COMPRESSED, *verbs)
        await stage.opened(ws)
        ws.send(large)
        while not ws._pyws_connection._sender._position and ws.readyState == 1:
            await asyncio.sleep(0)
        if end == "cancel":
            ws._pyws_connection._task.cancel()
        await stage.closed(ws)
        return ws.bufferedAmount, await stage.heard(ws)

    left, heard = runner.run(main())
    whole = f"heard binary {show(large)}"
    assert (left, whole in heard) == ((len(large), False) if end == "server" else (0, True))


def test_a_large_message_is_decompressed_as_it_arrives(runner):
    """Text whose characters are cut anywhere; what is too large is refused before it has come whole."""
    text = "".join(random.Random(5).choices("aé€😀", k=3_000_000))
    refused = asyncio.Event()

    async def handle(connection):
        await connection.send(text)
        await connection.send(text.encode())
        if connection.request.path == "/refused":
            await refused.wait()

    async def main():
        async with serve(handle, "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            ws = WebSocket(url)
            ws.binaryType = "arraybuffer"
            messages = [event.data async for event in ws.when("message")]
            assert messages == [text, text.encode()]
            with UserAgent(max_size=len(text.encode()) // 2):
                ws = WebSocket(url + "/refused")
            ws.onmessage = ws.onerror = lambda _: refused.set()
            return (await ws.when("close").first()).wasClean

    assert runner.run(main()) is False

"""CPython's own transport: time limits, turns and addresses to connect to, the bytes it writes, cuts at every byte."""

import array
import asyncio
import contextlib
import ctypes
import gc
import itertools
import pkgutil
import random
import select
import socket
import struct
import time
import tracemalloc

import pytest
from pyws import WebSocket
from test_handshake import COMPRESSED

from peer import NAMES, Peer
from resolver import resolving
from stage import FAILED, PATIENCE, Stage

MEBI = 1024 * 1024
DAY = 24 * 3600
numbers = itertools.count()


class TimeMachine(asyncio.SelectorEventLoop):
    """An event loop in which time passes when told so."""

    passed = 0.0

    def time(self):
        return super().time() + self.passed

    async def pass_time(self, seconds):
        """Let seconds pass at once, and what they bring about happen."""
        self.passed += seconds
        await asyncio.sleep(0.05)


@pytest.fixture
def play(peer):
    """Run `async def conversation(stage)` in an event loop of its own, which must hear of nothing; its journal."""

    def play(conversation, loop_factory=TimeMachine):
        complaints = []
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            loop = runner.get_loop()
            loop.set_exception_handler(lambda _, context: complaints.append(context))
            stage = Stage(peer.origin, f"sockets-{next(numbers):04}", "cpython")
            runner.run(conversation(stage))
            runner.run(stage.leave())
            complaints += asyncio.all_tasks(loop)
        gc.collect()
        assert complaints == []
        return stage.journal

    return play


class Relay:
    """A line to the peer, for one connection, that records what passes and can be cut after so many bytes.

    `ending` is what happens then: "fin", "reset", or "silence", where nothing more comes but TCP stays.
    """

    def __init__(self, port, host="127.0.0.1", direction=None, cut=None, ending="fin"):
        self.sent, self.received = bytearray(), bytearray()  # by the client
        self._port, self._host = port, host
        self._direction, self._cut, self._ending = direction, cut, ending
        self._silent = asyncio.Event()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._converse, self._host)
        host, port = self._server.sockets[0].getsockname()[:2]
        self.origin = f"ws://[{host}]:{port}" if ":" in host else f"ws://{host}:{port}"
        return self

    async def __aexit__(self, *_):
        self._silent.set()
        self._server.close()
        async with asyncio.timeout(PATIENCE):
            await self._task

    async def _converse(self, reader, writer):
        self._task = asyncio.current_task()  # asyncio itself holds no task but weakly
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers = [writer, there_writer]
        pumps = [
            asyncio.ensure_future(self._pump(reader, there_writer, self.sent, "sent")),
            asyncio.ensure_future(self._pump(there_reader, writer, self.received, "received")),
        ]
        # More than ConnectionError: to end the writing on a connection that was reset is an OSError.
        with contextlib.suppress(OSError):
            await asyncio.gather(*pumps)
        for pump in pumps:
            pump.cancel()
        for end in self._writers:
            end.close()
        await asyncio.gather(*pumps, *[end.wait_closed() for end in self._writers], return_exceptions=True)

    async def _pump(self, reader, writer, record, direction):
        room = self._cut if direction == self._direction else None
        while data := await reader.read(65536) if room != 0 else b"":
            data = data[:room]
            room = room and room - len(data)
            record += data
            writer.write(data)
            await writer.drain()
        if room == 0:
            await self._end()
        writer.write_eof()

    async def _end(self):
        if self._ending == "silence":
            await self._silent.wait()
        if self._ending == "reset":
            for end in self._writers:
                end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.transport.abort()
        raise ConnectionAbortedError


def frames(data):
    """What a client wrote after its request: for each frame its first byte, length as written, mask and payload."""
    data = bytes(data).partition(b"\r\n\r\n")[2]
    while data:
        assert data[1] & 0x80, "every frame of a client is masked"
        size, head = data[1] & 0x7F, 2
        if size > 125:
            head = 4 if size == 126 else 10
            size = int.from_bytes(data[2:head], "big")
        mask, payload = data[head : head + 4], data[head + 4 : head + 4 + size]
        yield data[0], head - 2, mask, bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))
        data = data[head + 4 + size :]


# Time limits


@pytest.mark.requirements("TMO-01")
def test_the_server_has_a_minute_to_answer_our_close(play):
    """Then the connection is closed, which is no error."""

    async def conversation(stage):
        ws = stage.connect("accept", "hang")
        await stage.opened(ws)
        ws.close(1000)
        await asyncio.sleep(0.02)
        await asyncio.get_running_loop().pass_time(59)
        stage.note(f"meanwhile {ws.readyState}")
        await asyncio.get_running_loop().pass_time(1)
        stage.note(f"then {ws.readyState}")
        stage.journal += await stage.heard(ws)

    assert play(conversation) == [
        *["open 1", "meanwhile 2", "close 3 unclean 1006 ''", "then 3"],
        *["heard close 1000 ''", "heard eof"],
    ]


@pytest.mark.requirements("TMO-02", "SRV-07")
@pytest.mark.parametrize("ours", [False, True], ids=["the server began", "we began"])
def test_the_server_has_two_seconds_to_end_tcp(play, ours):
    """After both Close frames; then TCP is ended from here, and that is clean."""

    async def conversation(stage):
        ws = stage.connect("accept", *(["until close"] if ours else []), "close 3000 bye", "hang")
        await stage.opened(ws)
        if ours:
            ws.close()
        await asyncio.sleep(0.05)
        await asyncio.get_running_loop().pass_time(1.8)
        stage.note(f"meanwhile {ws.readyState}")
        await asyncio.get_running_loop().pass_time(0.2)

    assert play(conversation) == ["open 1", "meanwhile 2", "close 3 clean 3000 'bye'"]


@pytest.mark.requirements("TMO-03")
def test_the_opening_handshake_has_four_minutes(play):
    """A server that accepts TCP and says nothing, or half an answer: error and close 1006."""

    async def conversation(stage):
        silent = stage.connect("hang", name="silent")
        await asyncio.sleep(0.02)
        await asyncio.get_running_loop().pass_time(239)
        stage.note(f"meanwhile {silent.readyState}")
        await asyncio.get_running_loop().pass_time(1)
        half = stage.connect(r"head HTTP/1.1 101 Switching Protocols\r\nupgrade: ", "hang", name="half")
        await asyncio.sleep(0.02)
        await asyncio.get_running_loop().pass_time(240)
        stage.journal += await stage.heard(half)

    assert play(conversation) == [
        "meanwhile 0",
        *["silent " + row for row in FAILED],
        *["half " + row for row in FAILED],
        "heard eof",
    ]


@pytest.mark.requirements("TMO-03", "TMO-04", "CLS-13")
def test_a_host_that_never_accepts_can_be_given_up(play):
    """While TCP is connecting: by the time limit and by `close()`; whoever waits for a turn has a limit too."""

    async def conversation(stage):
        with black_hole() as port:
            for name in ("first", "second", "third"):
                ws = stage.connect(origin=f"ws://127.0.0.2:{port}", name=name)
            await asyncio.sleep(0.02)
            ws.close()
            await asyncio.sleep(0.02)
            await asyncio.get_running_loop().pass_time(241)

    assert sorted(play(conversation)) == sorted(f"{n} {row}" for n in ("first", "second", "third") for row in FAILED)


@contextlib.contextmanager
def black_hole(port=0):
    """A port of 127.0.0.2 where connecting takes for ever: its queue is full."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.2", port))
        server.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()[1]


@pytest.mark.requirements("TMO-05", "PNG-04")
def test_a_day_of_silence_changes_nothing(play):
    """No Ping goes out and no limit of time ends an open connection."""

    async def conversation(stage):
        ws = stage.connect("accept", "echo")
        await stage.opened(ws)
        for _ in range(3):
            await asyncio.get_running_loop().pass_time(DAY)
        ws.send("good morning")
        await stage.messages(ws, 1)
        ws.close()
        await stage.closed(ws)
        stage.journal += await stage.heard(ws)

    assert play(conversation) == [
        *["open 1", "message 1 'good morning'", "close 3 clean 1005 ''"],
        *["heard text 'good morning'", "heard close"],
    ]


@pytest.mark.requirements("ERR-09", "BUF-09", "CLS-20")
@pytest.mark.parametrize("verbs", [["stall"], ["close 1001 away", "stall"]], ids=["our close", "the server's close"])
def test_a_server_that_never_reads_is_given_up(play, verbs):
    """What it did not take stays in `bufferedAmount`; unclean, though the server's code is kept; no error."""

    async def conversation(stage):
        ws = stage.connect("accept", "read", *verbs)
        await stage.opened(ws)
        ws.send("go")
        ws.send(bytes(32 * MEBI))
        if len(verbs) == 1:
            ws.close(1000)
        await asyncio.sleep(0.1)
        await asyncio.get_running_loop().pass_time(59)
        stage.note(f"meanwhile {ws.readyState}, more than nothing left: {ws.bufferedAmount > 0}")
        await asyncio.get_running_loop().pass_time(4)
        await asyncio.get_running_loop().pass_time(60)
        stage.note(f"finally {ws.readyState}, more than nothing left: {ws.bufferedAmount > 0}")

    ending = "1006 ''" if len(verbs) == 1 else "1001 'away'"
    assert play(conversation) == [
        *["open 1", "meanwhile 2, more than nothing left: True"],
        *[f"close 3 unclean {ending}", "finally 3, more than nothing left: True"],
    ]


# Turns and addresses


@pytest.mark.requirements("TMO-04")
def test_handshakes_take_turns_per_host_and_port(play, peer):
    """Eight to one peer come one by one, in order; one to another port does not wait."""

    async def conversation(stage):
        with Peer() as other:
            names = "abcdefgh"
            waits = [f"wait {0.01 * (8 - number)}" for number in range(8)]  # the first is the slowest
            sockets = [
                stage.connect(wait, "accept", "until close", name=c) for c, wait in zip(names, waits, strict=True)
            ]
            elsewhere = stage.connect("accept", "until close", origin=other.origin, name="elsewhere")
            await stage.opened(elsewhere)
            for ws in sockets:
                await stage.opened(ws)
            stage.note("all open")
            for ws in (*sockets, elsewhere):
                ws.close()
            await stage.closed(*sockets, elsewhere)

    journal = play(conversation)
    assert journal[: journal.index("all open")] == ["elsewhere open 1", *[f"{name} open 1" for name in "abcdefgh"]]


LOOPS = pytest.mark.parametrize("loop_class", ["asyncio:SelectorEventLoop", "uvloop:Loop"])


@LOOPS
@pytest.mark.requirements("TMO-06")
def test_the_addresses_of_a_host_are_tried_in_turn(play, peer, monkeypatch, loop_class):
    """One that refuses is passed over at once, one that does not answer after a quarter of a second."""
    names = {
        "refuses.test": ["127.0.0.3", "127.0.0.1"],
        "silent.test": ["127.0.0.2", "127.0.0.1"],
        "nobody.test": ["127.0.0.3"],
    }
    resolving(monkeypatch, names)

    async def conversation(stage):
        with black_hole(peer.port):
            for name in names:
                start = time.monotonic()
                await stage.closed(stage.connect("accept", "close 1000", origin=f"ws://{name}:{peer.port}"))
                stage.note(f"soon {time.monotonic() - start < 5}")

    works = ["open 1", "close 3 clean 1000 ''", "soon True"]
    assert play(conversation, pkgutil.resolve_name(loop_class)) == [*works, *works, *FAILED, "soon True"]


@LOOPS
@pytest.mark.requirements("TMO-04")
def test_names_of_one_address_take_turns(play, peer, monkeypatch, loop_class):
    """Whatever a host is called, and wherever else it can be reached: handshakes with one address do not overlap."""
    here = "127.0.0.1"
    resolving(monkeypatch, {"a.test": [here], "b.test": [here, "127.0.0.3"], "c.test": ["127.0.0.3"]})

    async def conversation(stage):
        names = ["a.test", here, "b.test"]
        waits = ["wait 0.2", "wait 0.05", "wait 0"]  # the first is the slowest
        sockets = []
        for name, wait in zip(names, waits, strict=True):
            ws = stage.connect(wait, "accept", "until close", origin=f"ws://{name}:{peer.port}", name=name)
            while not sockets and stage._keys[id(ws)] not in peer.records:  # the first is the first at the peer
                await asyncio.sleep(0.002)
            sockets.append(ws)
        stage.connect("accept", origin=f"ws://c.test:{peer.port}", name="c.test")  # nobody is there
        for ws in sockets:
            await stage.opened(ws)
        for ws in sockets:
            ws.close()
        await stage.closed(*sockets)

    journal = play(conversation, pkgutil.resolve_name(loop_class))
    assert [row for row in journal if "open" in row] == ["a.test open 1", "127.0.0.1 open 1", "b.test open 1"]


@pytest.mark.requirements("TMO-06", "CON-07")
def test_ipv6_addresses_work(play, peer):
    """Brackets are of the URL: they are in the Host header and not in the address."""
    try:
        with socket.socket(socket.AF_INET6) as trial:
            trial.bind(("::1", 0))
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")

    async def conversation(stage):
        async with Relay(peer.port, "::1") as relay:
            ws = stage.connect("accept", "close 1000", origin=relay.origin)
            await stage.closed(ws)
            request = await stage.request(ws)
            stage.note(f"host is right {'Host: ' + relay.origin[5:] in request}")

    assert play(conversation) == ["open 1", "close 3 clean 1000 ''", "host is right True"]


@pytest.mark.requirements("TMO-07")
def test_failures_bring_no_delay(play, peer):
    """However often a server refused, the next attempt begins at once."""

    async def conversation(stage):
        start = time.monotonic()
        for _ in range(20):
            await stage.closed(stage.connect("fin", journal=False))
        await stage.closed(stage.connect("accept", "close 1000"))
        stage.note(f"soon {time.monotonic() - start < 2}")

    assert play(conversation) == ["open 1", "close 3 clean 1000 ''", "soon True"]


# What is written


@pytest.mark.requirements("SND-16", "SND-17", "FRM-17", "SND-04", "SND-15")
def test_every_frame_is_masked_afresh_and_as_short_as_can_be(play, peer):
    """Also empty messages, Pong and Close; each length has its shortest form, each message one frame."""
    sizes = [0, 0, 1, 125, 126, 65535, 65536]
    written = []

    async def conversation(stage):
        async with Relay(peer.port) as relay:
            ws = stage.connect("accept", "ping ", f"read {2 * len(sizes)}", origin=relay.origin)
            await stage.opened(ws)
            for size in sizes:
                ws.send(bytes(size))
                ws.send("x" * size)
            ws.close(1000)
            await stage.closed(ws)
            written.extend(frames(relay.sent))

    play(conversation)
    names = [NAMES[first & 15] for first, *_ in written]
    assert sorted(names) == sorted(["binary", "text"] * len(sizes) + ["pong", "close"])
    assert all(first & 0xF0 == 0x80 for first, *_ in written)
    assert {len(payload): length for _, length, _, payload in written} == {
        **dict.fromkeys([0, 1, 2, 125], 0),
        **dict.fromkeys([126, 65535], 2),
        65536: 8,
    }
    assert len({mask for _, _, mask, _ in written}) == len(written)


@pytest.mark.requirements("SND-06", "SND-07", "SND-08", "BUF-03")
def test_buffers_are_sent_as_their_bytes(play):
    """Items of any size in native order, the part a view shows, whatever its shape; counted in bytes."""

    class Point(ctypes.Structure):
        _fields_ = [("x", ctypes.c_uint16), ("y", ctypes.c_uint8)]

    items = array.array("H", [1, 2, 65535])
    view = memoryview(bytes(range(12)))
    cases = [
        (items, items.tobytes()),
        (memoryview(items)[1:], items.tobytes()[2:]),
        (view[::3], bytes([0, 3, 6, 9])),
        (view[::-1][:3], bytes([11, 10, 9])),
        (view.cast("B", (3, 4)), bytes(range(12))),
        (view.cast("I")[1:2], bytes([4, 5, 6, 7])),
        (Point(1, 2), bytes(Point(1, 2))),
        (array.array("d"), b""),
    ]
    received = []

    async def conversation(stage):
        ws = stage.connect("accept", "echo", journal=False)
        await stage.opened(ws)
        for data, _ in cases:
            before = ws.bufferedAmount
            ws.send(data)
            stage.note(ws.bufferedAmount - before)
        items[0] = 9
        received.extend(await stage.messages(ws, len(cases)))
        ws.close()
        await stage.closed(ws)

    assert play(conversation) == [len(expected) for _, expected in cases]
    assert received == [expected for _, expected in cases]


@pytest.mark.requirements("FRM-01", "FRM-15")
@pytest.mark.parametrize(
    ("digits", "code"),
    [
        *[(digits, 1002) for digits in ("c100", "8300", "8000", "0900", "81810000000041", "827e000100", "880103")],
        *[(digits, 1002) for digits in ("827f8000000000000000", "880203ed", "01008100")],
        *[(digits, 1007) for digits in ("8101ff", "0101c38001ff", "880303e8ff")],
    ],
)
def test_the_server_is_told_what_it_did_wrong(play, digits, code):
    """By a Close with 1002, or 1007 for bad UTF-8; then TCP is ended without waiting for an answer."""
    heard = []

    async def conversation(stage):
        ws = stage.connect("accept", f"raw {digits}", "hang")
        await stage.closed(ws)
        heard.extend(await stage.heard(ws))

    assert play(conversation) == ["open 1", *FAILED]
    assert [line[:16] for line in heard] == [f"heard close {code}", "heard eof"]


@pytest.mark.requirements("FRM-01", "FRM-15")
@pytest.mark.parametrize(
    "digits", ["880103", "880203ed", "880303e8ff", "8880", "887e0080" + "61" * 128, "0800", "c800", "8300", "8101ff"]
)
@pytest.mark.parametrize("extensions", [[], [COMPRESSED]], ids=["plain", "deflate"])
def test_an_answer_goes_out_before_the_connection_fails(play, extensions, digits):
    """A listener has sent it in the same read in which a frame, a Close too, breaks the protocol."""
    heard = []

    async def conversation(stage):
        ws = stage.connect(*extensions, "accept", "hold", "text question", f"raw {digits}", "release", "hang")
        ws.addEventListener("message", lambda _: ws.send("answer"))
        await stage.closed(ws)
        stage.note(ws.bufferedAmount)
        heard.extend(line for line in await stage.heard(ws) if line != "heard deflated")

    assert play(conversation)[1:] == ["message 1 'question'", *FAILED, 0]
    assert heard[0] == "heard text 'answer'"
    assert [line[:14] for line in heard[1:]] == ["heard close 10", "heard eof"]


@pytest.mark.requirements("SRV-08", "CLS-16", "SRV-01")
def test_close_frames_that_cross(play, peer):
    """Ours goes out although the server's has arrived unread: that is the answer, and the server's code counts."""

    async def conversation(stage):
        ws = stage.connect("accept", "sleep", "close 3001 theirs")
        await stage.opened(ws)
        peer.wake(stage._keys[id(ws)])
        wait_for(ws, select.POLLIN)
        ws.close(3000, "ours")
        await stage.closed(ws)
        stage.journal += await stage.heard(ws)

    assert play(conversation) == ["open 1", "close 3 clean 3001 'theirs'", "heard close 3000 'ours'"]


def wait_for(ws, mask):
    """Let nothing else happen until the system knows of such an event; of a reset it tells with any mask."""
    events = select.poll()
    events.register(ws._pyws_connection._transport.get_extra_info("socket"), mask)
    assert events.poll(PATIENCE * 1000)


@pytest.mark.requirements("ERR-08", "ERR-11")
def test_clean_means_that_our_answer_went_out(play):
    """TCP ends right after the server's Close: clean if the answer could be written, unclean after a reset."""

    async def conversation(stage):
        await stage.closed(stage.connect("hold", "accept", "close 3001 fin", "release", "fin"))
        await stage.closed(stage.connect("hold", "accept", "close 3001 read", "release", "read", "reset"))
        ws = stage.connect("accept", "close 3001 reset", "reset")
        ws.addEventListener("open", lambda _: wait_for(ws, 0))
        await stage.closed(ws)

    assert play(conversation) == [
        *["open 1", "close 3 clean 3001 'fin'"],
        *["open 1", "close 3 clean 3001 'read'"],
        *["open 1", "close 3 unclean 3001 'reset'"],
    ]


@pytest.mark.requirements("FRM-11")
def test_an_announced_length_sets_nothing_aside(play):
    """2^62 bytes are announced: memory grows with what arrives only."""

    async def conversation(stage):
        ws = stage.connect("accept", "raw 827f4000000000000000" + "00" * 1000, "read", "fin")
        await stage.opened(ws)
        tracemalloc.start()
        try:
            await asyncio.sleep(0.05)
            ws.send("go")
            await stage.closed(ws)
            stage.note(f"little {tracemalloc.get_traced_memory()[1] < MEBI}")
        finally:
            tracemalloc.stop()

    assert play(conversation) == ["open 1", FAILED[1], "little True"]


# TLS that fails


@pytest.mark.requirements("ERR-12", "ERR-02")
def test_tls_that_fails_is_1006(play):
    """A certificate that nobody trusts, and a server that speaks no TLS."""

    async def refuse(reader, writer):
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async def conversation(stage):
        with Peer(tls=True) as untrusted:
            await stage.closed(stage.connect(origin=untrusted.origin))
        async with await asyncio.start_server(refuse, "127.0.0.1") as server:
            port = server.sockets[0].getsockname()[1]
            await stage.closed(stage.connect(origin=f"wss://127.0.0.1:{port}"))

    assert play(conversation) == [*FAILED, *FAILED]


# Whatever happens: one `close`, and last


VERBS = ["accept", "text one", "fragment 2 a€b", "ping p", "binary 0001", "bulk 1 130", "read 3", "close 3000 bye"]
WHOLE = ["open", "message 'one'", "message 'a€b'", r"message b'\x00\x01'", "message 130", "close True 3000 bye"]
TOGETHER = 100


async def converse(stage, relay):
    """The recorded conversation over `relay`; what happened, with the law held against it."""
    ws = stage.connect(*VERBS, origin=relay.origin, journal=False)
    seen = []
    ws.onopen = lambda _: (seen.append("open"), ws.send("x" * 130), ws.send(b"yy"))
    ws.onmessage = lambda event: seen.append(
        f"message {event.data!r}" if len(event.data) < 10 else f"message {len(event.data)}"
    )
    ws.onerror = lambda _: seen.append("error")
    ws.onclose = lambda event: seen.append(f"close {event.wasClean} {event.code} {event.reason}")
    return ws, seen


def lawful(seen):
    """Whether `seen` is a beginning of the whole conversation, then one ending."""
    *rest, last = seen or ["nothing"]
    if rest[-1:] == ["error"]:
        rest.pop()
    endings = ["close False 1006 ", "close False 3000 bye", "close True 3000 bye"]
    return rest == WHOLE[: len(rest)] and last in endings and (last == endings[0] or len(rest) == 5)


def cuts(play, peer, direction, ending, after_cut):
    """The conversation, cut after each of its bytes in one direction; what happened, where that is not lawful."""
    unlawful = []

    async def conversation(stage):
        async with Relay(peer.port) as relay:
            ws, seen = await converse(stage, relay)
            await stage.closed(ws)
            assert seen == WHOLE
            total = len(getattr(relay, direction))
        assert total > 250
        for start in range(0, total, TOGETHER):
            async with contextlib.AsyncExitStack() as stack:
                seens, sockets = {}, []
                for cut in range(start, min(start + TOGETHER, total)):
                    relay = await stack.enter_async_context(Relay(peer.port, "127.0.0.1", direction, cut, ending))
                    ws, seens[cut] = await converse(stage, relay)
                    sockets.append(ws)
                await after_cut(sockets)
                await stage.closed(*sockets)
            unlawful.extend((cut, seen) for cut, seen in seens.items() if not lawful(seen))

    assert play(conversation) == []
    return unlawful


async def nothing(_):
    """The cut alone must end the connection."""


async def close_and_wait(sockets):
    """After a silence only `close()` and time end the connection."""
    await asyncio.sleep(0.1)
    for ws in sockets:
        ws.close()
    await asyncio.sleep(0.02)
    await asyncio.get_running_loop().pass_time(60)
    await asyncio.get_running_loop().pass_time(60)


@pytest.mark.requirements("RST-08", "ERR-04", "ERR-05", "ERR-11", "EVT-16")
@pytest.mark.parametrize("direction", ["received", "sent"])
@pytest.mark.parametrize("ending", ["fin", "reset", "silence"])
def test_a_conversation_can_be_cut_after_any_byte(play, peer, direction, ending):
    """What came before the cut is delivered in order, then there is one `close`, and it is last."""
    assert cuts(play, peer, direction, ending, close_and_wait if ending == "silence" else nothing) == []


@pytest.mark.requirements("RST-08", "FRM-01")
def test_whatever_bytes_come_there_is_one_close(play):
    """Random bytes, and random frames, after a good handshake: the connection ends, once, and never hangs."""
    chance = random.Random(6455)
    verbs = []
    for number in range(300):
        data = chance.randbytes(chance.randrange(1, 40))
        if number % 3:  # frames that are nearly right
            data = b"".join(
                bytes([chance.choice([0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x88, 0x89, 0x8A, chance.randrange(256)]), n])
                + chance.randbytes(n)
                for n in [chance.randrange(6) for _ in range(chance.randrange(1, 6))]
            )
        verbs.append(["accept", f"raw {data.hex()}", "fin"])

    async def conversation(stage):
        for start in range(0, len(verbs), TOGETHER):
            seens, sockets = [], []
            for conversation in verbs[start : start + TOGETHER]:
                ws, seen = stage.connect(*conversation, journal=False), []
                for kind in ("open", "error", "close"):
                    ws.addEventListener(kind, lambda event, seen=seen: seen.append(event.type))
                sockets.append(ws)
                seens.append(seen)
            await stage.closed(*sockets)
            await asyncio.sleep(0.01)
            stage.journal += [seen for seen in seens if seen not in (["open", "close"], ["open", "error", "close"])]

    assert play(conversation) == []


@pytest.mark.requirements("CON-17")
def test_a_hundred_sockets_at_once(play):
    """Each has its own conversation, all at the same time."""

    async def conversation(stage):
        sockets = [stage.connect("accept", "echo", journal=False) for _ in range(100)]
        for ws in sockets:
            await stage.opened(ws)
        for number, ws in enumerate(sockets):
            for part in range(10):
                ws.send(f"{number} {part}")
        for number, ws in enumerate(sockets):
            received = await stage.messages(ws, 10)
            if received != [f"{number} {part}" for part in range(10)]:
                stage.note(received)
            ws.close()
        await stage.closed(*sockets)

    assert play(conversation) == []


@pytest.mark.requirements("CON-01", "TMO-04")
def test_sockets_given_up_at_once_never_connect(play, peer):
    """`close()` in the task of the constructor: no conversation is begun, and the next in turn is not held up."""

    async def conversation(stage):
        sockets = [stage.connect("accept", journal=False) for _ in range(20)]
        before = len(peer.records)
        for ws in sockets:
            ws.close()
        await stage.closed(*sockets)
        stage.note(f"nobody came {len(peer.records) == before}")
        await stage.closed(stage.connect("accept", "close 1000"))

    assert play(conversation) == ["nobody came True", "open 1", "close 3 clean 1000 ''"]


def test_the_relay_relays(peer):
    """A subclass works like the class itself, through a relay as well."""

    class Counting(WebSocket):
        pass

    async def conversation():
        async with Relay(peer.port) as relay:
            over = asyncio.get_running_loop().create_future()
            ws = Counting(f"{relay.origin}/relay?do=accept&do=close%201000")
            ws.onclose = lambda event: over.set_result(event.code)
            assert await over == 1000
            assert bytes(relay.sent).startswith(b"GET /relay?do=accept")
            assert bytes(relay.received).endswith(b"\x88\x02\x03\xe8")

    asyncio.run(conversation())

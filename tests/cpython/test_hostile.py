"""Servers that say anything, in any pieces, and stop at any moment: the laws of `offline.py` hold.

`tools/fuzz.py` is the same at length; test_transport.py cuts real connections.
"""

import random
import struct
import tracemalloc
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyws.cpython.closing import Closing
from pyws.cpython.handshake import Handshake
from pyws.cpython.receiver import Receiver

from offline import (
    AGENTS,
    BODIES,
    CORPUS,
    DEFLATE,
    ENDS,
    MANNERS,
    NORMAL,
    Conversation,
    ViolationError,
    deflated,
    frame,
    head,
    mutated,
    offline_server,
)

pytestmark = pytest.mark.timeout(300)

MUTATED = 12_000  # conversations, about 15 seconds

SETTINGS = settings(deadline=None, max_examples=600, suppress_health_check=list(HealthCheck))

tokens = st.text(st.sampled_from('abcXYZ-_,;="\\ \t\0:/é'), max_size=12)
statuses = st.one_of(
    st.just("HTTP/1.1 101 Switching Protocols"),
    st.builds(
        "{} {} {}".format, st.sampled_from(["HTTP/1.1", "HTTP/1.0", "http/1.1", "ICY"]), st.integers(-1, 999), tokens
    ),
    tokens,
)
extensions = st.lists(
    st.sampled_from(
        [
            "permessage-deflate",
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; server_max_window_bits=8; server_no_context_takeover",
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; x=1",
            "x-other",
        ]
    ),
    min_size=1,
    max_size=2,
).map(", ".join)
lines = st.one_of(
    extensions.map("Sec-WebSocket-Extensions: {}".format),
    st.sampled_from(["Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: other", "Content-Length: 3"]),
    st.sampled_from(["Transfer-Encoding: chunked", "Upgrade: h2c, websocket", "Connection: close", "Set-Cookie: a=1"]),
    st.builds("{}{}{}".format, tokens, st.sampled_from([": ", ":", "", "\r\n ", "\n"]), tokens),
)
heads = st.builds(
    lambda status, upgrade, more: head(*more, status=status, upgrade=upgrade),
    statuses,
    st.booleans(),
    st.lists(lines, max_size=5),
)

payloads = st.one_of(
    st.binary(max_size=20),
    st.text(max_size=10).map(str.encode),
    st.sampled_from([bytes(125), bytes(126), bytes(1000), bytes(1001), bytes(65535), bytes(65536)]),
)
squeezed = st.one_of(
    st.builds(
        deflated,
        payloads | st.just(bytes(100_000)),
        st.integers(0, 9),
        st.sampled_from([zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_FINISH, zlib.Z_NO_FLUSH]),
    ),
    st.binary(max_size=30),
)
closes = st.builds(
    lambda code, reason: struct.pack("!H", code) + reason, st.integers(0, 65535), st.binary(max_size=124)
)
right = st.one_of(
    st.builds(frame, st.sampled_from([0x81, 0x82, 0x89, 0x8A, 0x01, 0x02, 0x00, 0x80]), payloads),
    st.builds(frame, st.sampled_from([0xC1, 0xC2, 0x41, 0x42, 0x00, 0x80]), squeezed),
    st.builds(frame, st.just(0x88), closes | st.binary(max_size=2)),
)
wrong = st.builds(
    frame,
    st.integers(0, 255),
    payloads | squeezed | closes,
    st.sampled_from([None, None, 7, 16, 64]),
    st.sampled_from([None, None, None, b"mask"]),
)
bodies = st.lists(st.one_of(right, right, right, wrong, st.binary(max_size=20)), max_size=8).map(b"".join)


def conversations(streams):
    """Any circumstances around what the server says."""
    return st.builds(
        Conversation,
        streams,
        st.lists(st.integers(1, 70), max_size=4).map(tuple),
        st.sampled_from(ENDS),
        st.sampled_from(sorted(set(MANNERS))),
        st.integers(0, len(AGENTS) - 1),
        st.booleans(),
        st.booleans(),
        st.sampled_from([False, False, True]),
    )


@pytest.fixture(scope="module")
def server():
    with offline_server() as server:
        yield server


@SETTINGS
@given(conversations(st.builds(lambda head, body: head + body, heads, bodies)))
def test_any_answer_to_the_handshake(server, conversation):
    server.play(conversation)


@SETTINGS
@given(conversations(bodies.map((head() + b"%b").__mod__)))
def test_any_frames(server, conversation):
    server.play(conversation)


@SETTINGS
@given(conversations(bodies.map((head(DEFLATE) + b"%b").__mod__)))
def test_any_frames_compressed(server, conversation):
    server.play(conversation)


@pytest.mark.once
def test_accidents_in_valid_conversations(server):
    """The same ones each time: what is new is for the tool."""
    accidents = random.Random(4)
    for _ in range(MUTATED):
        server.play(mutated(accidents))


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("body", BODIES[:4] + BODIES[5:7], ids=range(6))
def test_an_end_after_each_byte(server, body, end):
    """The messages that were whole arrive, in whatever pieces; `close` follows at once, or in time."""
    stream = head(DEFLATE) + body
    whole = [event.data for event in server.play(Conversation(stream)) if event.type == "message"]
    for stop in range(0, len(stream), 1 if len(stream) < 700 else 7):
        for sizes in ((), (1,)):
            events = server.play(Conversation(stream[:stop], sizes, end))
            messages = [event.data for event in events if event.type == "message"]
            assert messages == whole[: len(messages)]
            assert (events[-1].code, events[-1].wasClean) == (1006, False)


@pytest.mark.parametrize("limit", [1000, None])
def test_a_deflate_bomb(server, limit):
    """With a limit it costs what the limit says, whatever it would have become; in one frame, and in many."""
    size = 100 << 20
    bomb = deflated(bytes(size), 9)
    agent = next(index for index, agent in enumerate(AGENTS) if agent.max_size == limit)
    parts = [bomb[start : start + 500] for start in range(0, len(bomb), 500)]
    many = frame(0x42, parts[0]) + b"".join([frame(0, part) for part in parts[1:]]) + frame(0x80)
    for body in (frame(0xC2, bomb), many):
        conversation = Conversation(head(DEFLATE) + body + NORMAL, (1000,), agent=agent)
        tracemalloc.start()
        events = server.play(conversation)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        if limit is None:
            assert [len(event.data) for event in events if event.type == "message"] == [size]
        else:
            assert [event.type for event in events] == ["open", "error", "close"]
            assert peak < 2 << 20


def test_a_final_deflate_block(server):
    """A message may end its DEFLATE stream, the next begins another, and so may the rest of the same one."""
    last = deflated(b"first", flush=zlib.Z_FINISH)
    for parts in (
        [last + b"\0"],
        [last, b"\0"],
        [last[:3], last[3:] + b"\0"],
        [deflated(bytes(5000), 0, zlib.Z_FINISH) + b"\0"],
    ):
        fragments = [frame(0x80 * (part is parts[-1]) | (0x41 if part is parts[0] else 0), part) for part in parts]
        stream = head(DEFLATE) + b"".join(fragments) + frame(0xC1, deflated(b"second")) + NORMAL
        events = server.play(Conversation(stream))
        assert [event.type for event in events] == ["open", "message", "message", "close"]
        assert events[2].data == "second"
    events = server.play(Conversation(head(DEFLATE) + frame(0xC1, last + deflated(b"more")) + NORMAL))
    assert [getattr(event, "data", event.type) for event in events] == ["open", "firstmore", "close"]


def test_a_later_frame_that_says_it_is_compressed(server):
    """Only the first frame may: RFC 7692, 6."""
    data = deflated(b"text")
    stream = head(DEFLATE) + frame(0x41, data[:3]) + frame(0xC0, data[3:]) + NORMAL
    assert [event.type for event in server.play(Conversation(stream))] == ["open", "error", "close"]


@pytest.mark.parametrize(
    "stream",
    [
        b"HTTP/1.1 101 " + b"x" * 10_000_000,
        b"HTTP/1.1 101 Yes\r\n" + b"a: b\r\n" * 1_000_000,
        head("Content-Length: 10000000", status="HTTP/1.1 200 OK", upgrade=False) + b"\r\n\r\n" * 2_500_000,
    ],
    ids=["line", "headers", "body"],
)
def test_an_answer_without_end(server, stream):
    """It is refused after a bounded part of it."""
    tracemalloc.start()
    events = server.play(Conversation(stream, (4096,)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [event.type for event in events] == ["error", "close"]
    assert peak < 4 << 20


@pytest.mark.parametrize(
    ("owner", "broken", "stream"),
    [
        (Closing, "_set_timer", head()),
        (Receiver, "_add", CORPUS[2]),
        (Handshake, "_read_answer", head()),
        (Handshake, "_fail", b"x"),
    ],
)
def test_the_harness_notices(monkeypatch, owner, broken, stream):
    """Laws that nothing can break prove nothing."""
    monkeypatch.setattr(owner, broken, lambda *_: 1 / 0)
    with offline_server() as server, pytest.raises(ViolationError):
        for end in ENDS:
            server.play(Conversation(stream, end=end))

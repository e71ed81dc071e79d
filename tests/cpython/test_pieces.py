"""What a server says may come in any pieces, and before it was asked: the journal is the same (see `offline.py`)."""

import random
import zlib

import pytest

from offline import BODIES, DEFLATE, NORMAL, SIZES, Conversation, deflated, frame, head, offline_server


@pytest.fixture(scope="module")
def server():
    with offline_server() as server:
        yield server


def rows(events):
    """The journal of a conversation."""
    return [
        f"{event.type} {event.data!r}" if event.type == "message" else f"{event.type} {getattr(event, 'code', '')}"
        for event in events
    ]


@pytest.mark.parametrize("sizes", sorted(set(SIZES)))
@pytest.mark.parametrize("number", range(len(BODIES)))
def test_messages_may_come_in_any_pieces(server, number, sizes):
    """In reads of one byte, of a few, or in one."""
    stream = head(DEFLATE) + BODIES[number]
    whole = rows(server.play(Conversation(stream)))
    assert whole[0] == "open " and whole[-1].startswith("close ")
    assert rows(server.play(Conversation(stream, sizes))) == whole


@pytest.mark.requirements("FRM-16")
@pytest.mark.parametrize("kind", ["plain", "compressed", "broken"])
def test_nothing_comes_behind_a_large_message_that_fails(server, kind):
    """Its last part is in one read with the next message."""
    noise = random.Random(1)
    text = bytes(noise.choices(range(128), k=99_999)) + b"\xff"
    wrong = {
        "plain": frame(0x81, text),
        "compressed": frame(0xC1, deflated(text, 0)),
        "broken": frame(0xC2, deflated(noise.randbytes(100_000), 0)[:-3] + b"\xff" * 3),
    }[kind]
    start = head(DEFLATE)
    sizes = (len(start) + 70_000, 1 << 20)
    assert rows(server.play(Conversation(start + wrong + frame(0x81, b"late"), sizes))) == [
        "open ",
        "error ",
        "close 1006",
    ]


@pytest.mark.requirements("ERR-02", "HID-01")
def test_a_refusal_counts_although_a_reset_follows(server):
    """Its body is not whole: the log has its beginning."""
    refusal = head("Content-Length: 100", status="HTTP/1.1 403 Forbidden", upgrade=False) + b"no token"
    assert rows(server.play(Conversation(refusal, (40,), end="reset"))) == ["error ", "close 1006"]
    (reason,) = server.reasons
    assert reason.startswith("the server answered 403 Forbidden instead of 101") and reason.endswith('"no token"')


def test_a_server_may_speak_before_it_is_asked(server):
    """What it says is its answer, at most as long as an answer may be."""
    accepting = Conversation(head() + frame(0x81, b"early") + NORMAL, hasty=True)
    assert rows(server.play(accepting)) == ["open ", "message 'early'", "close 1000"]
    assert rows(server.play(Conversation(b"SSH-2.0-x\r\n", hasty=True))) == ["error ", "close 1006"]
    assert "does not speak HTTP" in server.reasons[0]
    for sizes in ((), (300_000,)):
        long = Conversation(b"HTTP/1.1 101 " + b"x" * 300_000, sizes, hasty=True)
        assert rows(server.play(long)) == ["error ", "close 1006"]
        assert "longer than 262144 bytes" in server.reasons[0]


@pytest.mark.requirements("PMD-06")
def test_the_final_blocks_of_a_message_are_counted_together(server):
    """Each is smaller than `max_size`, 1000 bytes, and the message is not."""
    blocks = deflated(bytes(600), flush=zlib.Z_FINISH)
    small, large = (frame(0xC2, blocks * count + b"\0") for count in (1, 2))
    journal = rows(server.play(Conversation(head(DEFLATE) + small + large, agent=2)))
    assert journal == ["open ", f"message {bytes(600)!r}", "error ", "close 1006"]

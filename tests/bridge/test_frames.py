"""Frames as the bridge reads them from a library, without any I/O."""

import pytest
from conversations import masked
from pyws.bridge import frames, masks

MESSAGES = [
    (frames.TEXT, b""),
    (frames.BINARY, bytes(range(256)) * 300),
    (frames.PING, b"x" * 125),
    (frames.TEXT, b"y" * 126),
    (frames.CLOSE, b"\x03\xe8bye"),
]


def read(reader, data):
    """The opcode and the payload of each message, without its mask."""
    return [(opcode, masks.apply(payload, mask)) for opcode, payload, mask in reader.feed(data)]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13, 4096, 1 << 20])
@pytest.mark.requirements("BRG-07")
def test_frames_cut_anywhere(size):
    """Whatever the pieces are, the messages are the same, and nothing is left."""
    data = b"".join(masked(0x80 | opcode, payload, b"\x00\xff\x10\x81") for opcode, payload in MESSAGES)
    reader = frames.FrameReader()
    messages = [message for start in range(0, len(data), size) for message in read(reader, data[start : start + size])]
    assert (messages, reader.size) == (MESSAGES, 0)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536])
@pytest.mark.parametrize("opcode", [frames.TEXT, frames.BINARY])
@pytest.mark.parametrize("key", [b"\x00\xff\x10\x81", bytes(4)])
def test_a_whole_message(size, opcode, key):
    """It is what `feed` would yield; the data is a byte too short or too long for one that is not whole."""
    data = masked(0x80 | opcode, b"x" * size, key)
    reader = frames.FrameReader()
    assert reader.feed_usual(data) == tuple(frames.FrameReader().feed(data))
    cut = data[:-1] if size != 1 else data[:-2]  # without the only byte of its payload it is a head
    for other in cut, data + b"\x81", data[:1] + bytes((data[1] & 127,)) + data[2:]:
        assert reader.feed_usual(other) is None
    assert read(reader, data) == [(opcode, b"x" * size)]


@pytest.mark.parametrize("size", [1, 125, 126, 127, 65535, 65536])
@pytest.mark.parametrize("key", [b"\x00\xff\x10\x81", bytes(4)])
def test_a_head_and_its_payload(size, key):
    """They may come one after the other, and then be read by either way."""
    data = masked(0x82, b"x" * size, key)
    head, payload = data[:-size], data[-size:]
    for feeding_head in frames.FrameReader.feed, frames.FrameReader.feed_usual:
        reader = frames.FrameReader()
        assert tuple(feeding_head(reader, head)) == ()
        for other in b"", payload[:-1], payload + b"\x82":
            assert reader.feed_usual(other) is None
        assert reader.feed_usual(payload) == ((frames.BINARY, payload, masks.KEY.unpack(key)[0]),)
        assert read(reader, data) == [(frames.BINARY, b"x" * size)]
    reader = frames.FrameReader()
    assert reader.feed_usual(head) == ()
    messages = read(reader, payload[: size // 2]) + read(reader, payload[size // 2 :] + data)
    assert messages == [(frames.BINARY, b"x" * size)] * 2


def test_what_is_no_whole_message():
    """Fragments, control frames, broken frames; and any data that comes inside of a frame or a message."""
    whole = masked(0x81, b"whole")
    for data in b"", b"\x81", masked(0x01, b"a"), masked(0x80, b"a"), masked(0x89, b"a"), masked(0xC1, b"a"):
        assert frames.FrameReader().feed_usual(data) is None
    for first in 0x01, 0x80, 0x89, 0xC1:
        assert frames.FrameReader().feed_usual(masked(first, b"whole")[:6]) is None
    for before in whole[:1], whole[:6], whole[:-1], masked(0x01, b"a"), masked(0x01, whole)[:6]:
        reader = frames.FrameReader()
        assert read(reader, before) == []
        assert reader.feed_usual(whole) is None


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
def test_heads_with_the_mask_0(size):
    """They are those of a client's frame."""
    assert frames.masked_head(0x82, size) + bytes(size) == masked(0x82, bytes(size), bytes(4))


def test_fragments():
    """They are joined; control frames come between them as they are."""
    data = [masked(0x02, b"a"), masked(0x89, b"?"), masked(0x00, b""), masked(0x8A, b"!"), masked(0x80, b"bc")]
    messages = read(frames.FrameReader(), b"".join(data))
    assert messages == [(frames.PING, b"?"), (frames.PONG, b"!"), (frames.BINARY, b"abc")]


@pytest.mark.parametrize(
    "data",
    [
        b"\x81\x00",
        b"\x82\x7e\x00\x7e",
        *(masked(0x81 | reserved, b"") for reserved in (0x10, 0x20, 0x40)),
        *(masked(0x80 | opcode, b"") for opcode in (3, 7, 11, 15)),
        masked(0x09, b""),
        masked(0x89, b"x" * 126),
        masked(0x80, b"no message has begun"),
        masked(0x01, b"one") + masked(0x81, b"another"),
    ],
)
@pytest.mark.requirements("BRG-11")
def test_what_breaks_the_protocol(data):
    """It is refused with the code 1002, before more of it has come than its head."""
    with pytest.raises(frames.ProtocolError) as caught:
        list(frames.FrameReader().feed(data))
    assert caught.value.code == 1002


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
def test_frames_of_the_server(size):
    """The length has its shortest form, and nothing is masked."""
    head = frames.frame_head(frames.BINARY, size)
    extra = 0 if size < 126 else 2 if size < 65536 else 8
    assert (head[0], len(head)) == (0x82, 2 + extra)
    assert (int.from_bytes(head[2:], "big") if extra else head[1]) == size


def test_close_frames():
    """With a code and a reason, with neither; half a code and bad UTF-8 are refused."""
    for code, reason in (1000, ""), (4321, "ü"), (1005, ""):
        assert frames.parse_close(frames.close_payload(code, reason)) == (code, reason)
    for payload, code in (b"\x03", 1002), (b"\x03\xe8\xff", 1007):
        with pytest.raises(frames.ProtocolError) as caught:
            frames.parse_close(payload)
        assert caught.value.code == code


@pytest.mark.requirements("BRG-10")
def test_codes_that_a_page_may_send():
    """None, 1000 and 3000 to 4999 are as they are; 1001 is a normal end; others become private codes."""
    codes = [1000, 1001, 1002, 1005, 1008, 1011, 3000, 4999]
    assert [frames.sendable_code(code) for code in codes] == [1000, 1000, 4002, 1005, 4008, 4011, 3000, 4999]

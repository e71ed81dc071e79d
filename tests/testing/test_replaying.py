"""Replay: a recording is the server, strict or lenient, for every client."""

import asyncio
import base64
import contextlib
import json
import socket
import time

import pytest
import websockets.sync.client
from clients import CLIENTS, echo
from pyws.testing import ExpectationError, Recording, RecordingError, record, replay
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

OPENING = (
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
LINES = [
    {"request": "wss://h/chat?token=~masked~", "subprotocols": ["chat", "bearer.~masked~"]},
    {"response": 101, "subprotocol": "chat"},
    {"from": "server", "text": "welcome"},
    {"from": "client", "json": {"name": "a", "password": "~masked~"}},
    {"from": "server", "json": {"ok": True}},
    {"from": "server", "base64": "AP8="},
    {"from": "client", "text": "more"},
    {"from": "server", "close": 4001, "reason": "bye"},
]


@pytest.fixture
def write(tmp_path):
    """A function that writes a recording, and returns its path."""

    def write(*lines):
        path = tmp_path / "a.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    return write


@pytest.fixture
def path(write):
    return write(*LINES)


SAID = ['{"name":"a","password":"hunter2"}', "more"]


async def talk(url, said=SAID, subprotocols=("chat", "bearer.abc"), close=None):
    """Say something, each after all that came so far; return what came, and the end."""
    heard = []
    async with connect(url, subprotocols=list(subprotocols) or None) as ws:
        heard.append(ws.subprotocol)
        with contextlib.suppress(ConnectionClosed):
            for message in said:
                await ws.send(message)
            if close:
                await ws.close(*close)
            while True:
                heard.append(await ws.recv())
    return [*heard, ws.close_code, ws.close_reason]


ALL = ["chat", "welcome", '{"ok":true}', b"\x00\xff", 4001, "bye"]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
@pytest.mark.parametrize("suffix", ["jsonl", "har"])
def test_every_client_can_be_recorded_and_replayed(websocket_server, tmp_path, client, suffix):
    """And gets the same."""
    path = tmp_path / f"a.{suffix}"
    websocket_server.accept(subprotocol="v2").send("welcome 🌍").expect("Hello").send(b"\x00\xff")
    websocket_server.expect(b"\x01\xfe").close(4001, "bye")
    with record(websocket_server.url, path) as recorder:
        heard = asyncio.run(client(recorder.address))
    with replay(path) as server:
        assert asyncio.run(client(server.url)) == heard


def test_the_fixture(websocket_server, path):
    """A masked value matches anything, JSON is compared by its value."""
    websocket_server.replay(path)
    assert asyncio.run(talk(websocket_server.url, ['{ "password": 7, "name": "a" }', "more"])) == ALL


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (['{"name":"b","password":"x"}'], "line 4: the client says something else"),
        (["x"], "line 4: the client says something else"),
        ([SAID[0], "less"], "line 7: the client says something else\n  recorded: 'more'\n  said:     'less'\n"),
        ([SAID[0], b"more"], "line 7: .*\n.*\n  said:     b'more'"),
    ],
)
def test_a_difference(path, said, words):
    """It ends the connection with 1008, and fails the test with the place, both texts, and the conversation."""
    with pytest.raises(ExpectationError, match=f"a.jsonl, {words}") as caught, replay(path) as server:
        assert asyncio.run(talk(server.url, said))[-2] == 1008
    assert "server  'welcome'" in str(caught.value)


def test_a_secret_is_not_shown_in_the_difference(path):
    """Of what the client says, either."""
    with pytest.raises(ExpectationError) as caught, replay(path) as server:
        asyncio.run(talk(server.url, ['{"name":"b","password":"hunter2"}']))
    assert """  said:     '{"name":"b","password":"~masked~"}'""" in str(caught.value)


def test_a_client_that_is_silent_or_goes(write):
    """What was recorded next is told."""
    path = write({"from": "server", "text": "welcome"}, {"from": "client", "text": "more"})
    gone = r"line 2: the client has closed\n  recorded: 'more'\n  said:     .* 3000"
    with pytest.raises(ExpectationError, match=gone), replay(path) as server:
        asyncio.run(talk(server.url, [], (), (3000,)))
    silent = r"line 2: the client is silent\n  recorded: 'more'\n  said:     .*0\.1 s"
    with pytest.raises(ExpectationError, match=silent), replay(path, timeout=0.1) as server:
        assert asyncio.run(talk(server.url, [], ()))[-2] == 1008


def test_other_subprotocols(path):
    """They are refused."""
    with pytest.raises(ExpectationError, match="line 1: the client offers other subprotocols"), replay(path) as server:
        with pytest.raises(InvalidStatus, match="400"):
            asyncio.run(talk(server.url, subprotocols=["chat"]))
        with pytest.raises(InvalidStatus, match="404"):
            asyncio.run(talk(server.url))


def test_lenient(path):
    """Nothing is compared: each message stands for one that was recorded; the client may close, or say more."""
    with replay(path, lenient=True) as server:
        assert asyncio.run(talk(server.url, ["x", b"y", "z"], subprotocols=())) == [None, *ALL[1:]]
    with replay(path, lenient=True) as server:
        assert asyncio.run(talk(server.url, ["x"], close=(1000,)))[-2:] == [1000, ""]
    with replay(path, lenient=True):
        pass


def test_lenient_about_the_end(write):
    """The client may say more before it closes, and close as it likes."""
    path = write({"from": "server", "text": "a"}, {"from": "client", "close": 1000, "reason": "x"})
    with replay(path, lenient=True) as server:
        assert asyncio.run(talk(server.url, ["more"], (), (3000,))) == [None, "a", 3000, ""]


@pytest.mark.parametrize(
    ("recorded", "close", "words"),
    [
        ({"close": 1000}, (1000,), None),
        ({"close": 1000}, (3000,), "closes differently"),
        ({"close": 1000, "reason": "x"}, (1000,), "closes differently"),
        ({"close": 1000, "reason": "x"}, (1000, "x"), None),
        ({"close": None}, (1000,), "closes differently"),
        ({"lost": True}, (1000,), None),
        ({"close": 1000}, None, "is silent"),
    ],
)
def test_how_the_client_closes(write, recorded, close, words):
    """Code and reason are compared; nobody can say how a connection was lost."""
    path = write({"from": "server", "text": "a"}, {"from": "client", **recorded})
    difference = pytest.raises(ExpectationError, match=f"line 2: the client {words}")
    expected = difference if words else contextlib.nullcontext()
    with expected, replay(path, timeout=5 if close else 0.1) as server:
        asyncio.run(talk(server.url, [], (), close))


def test_the_client_says_more(write):
    """Before its recorded end, or where the file has no end."""
    path = write({"from": "client", "text": "a"}, {"from": "client", "close": 1000})
    with pytest.raises(ExpectationError, match="line 2: the client says more"), replay(path) as server:
        asyncio.run(talk(server.url, ["a", "b"], ()))
    path = write({"from": "client", "text": "a"})
    with pytest.raises(ExpectationError, match="its end: the client says more"), replay(path) as server:
        asyncio.run(talk(server.url, ["a", "b"], ()))
    with replay(path) as server:
        asyncio.run(talk(server.url, ["a"], (), (1000,)))


def test_a_client_that_closes_early_misses_only_messages(write):
    """What the server would still have said is left out."""
    messages = [{"from": "server", "text": str(number)} for number in range(100)]
    path = write(*messages, {"from": "client", "close": 1000})
    with replay(path) as server, websockets.sync.client.connect(server.url, max_queue=None) as ws:
        assert ws.recv() == "0"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ({"close": 1011, "reason": "ü"}, 1011),
        ({"close": None}, 1005),
        ({"lost": True}, 1006),
    ],
)
def test_how_the_server_ends(write, line, code):
    """As in the recording."""
    with replay(write({"response": 101}, {"from": "server", **line})) as server:
        assert asyncio.run(talk(server.url, [], ()))[-2] == code


def test_a_refusal(write):
    """Status, headers and body; a masked header is left out. Where no answer came, none comes."""
    headers = {"Retry-After": "7", "Content-Type": "text/html", "Content-Length": "999", "Set-Cookie": "~masked~"}
    path = write(
        {"request": "wss://h/"},
        {"response": 429, "headers": headers, "body": "<b>ü"},
        {"connection": 2, "request": "wss://h/"},
        {"connection": 2, "from": "server", "lost": True},
    )
    with replay(path) as server:
        with pytest.raises(InvalidStatus) as caught:
            asyncio.run(talk(server.url, [], ()))
        response = caught.value.response
        assert (response.status_code, response.body.decode()) == (429, "<b>ü")
        assert (response.headers["Retry-After"], response.headers["Content-Type"]) == ("7", "text/html")
        assert "Set-Cookie" not in response.headers
        with pytest.raises((EOFError, OSError, websockets.InvalidMessage)):
            asyncio.run(talk(server.url, [], ()))


SEVERAL = [
    {"request": "wss://h/a?x=1"},
    {"from": "server", "text": "a1"},
    {"connection": 2, "request": "wss://h/b?token=~masked~"},
    {"connection": 2, "from": "server", "text": "b"},
    {"connection": 7, "request": "wss://h/a?x=2"},
    {"connection": 7, "from": "server", "text": "a2"},
]


async def first(url):
    async with connect(url) as ws:
        return await ws.recv()


def test_several_conversations(write):
    """The path that a client asks for decides; what none has asked for fails the test, what is not there is refused."""
    path = write(*SEVERAL)
    with replay(path) as server:
        for target, text in (("/b?token=abc", "b"), ("/a?x=2", "a2"), ("/a", "a1")):
            assert asyncio.run(first(server.url + target)) == text
    with pytest.raises(ExpectationError, match=r"a client for the conversation 2: wss://h/b"), replay(path) as server:
        assert asyncio.run(first(server.url + "/a")) == "a1"
    nothing = pytest.raises(ExpectationError, match=r"(?s)has no conversation for this client.*2: wss://h/b\?")
    with nothing, replay(path) as server, pytest.raises(InvalidStatus, match="404"):
        asyncio.run(first(server.url + "/c"))


def test_selecting(write):
    """By URL or number."""
    path = write(*SEVERAL)
    with replay(path, url="/b") as server:
        assert asyncio.run(first(server.url)) == "b"
    with replay(path, index=3) as server:
        assert asyncio.run(first(server.url)) == "a2"
    with pytest.raises(RecordingError, match=r"(?s)no WebSocket number 4; there are.*1: wss://h/a"):
        replay(path, index=4)


def test_repeating(write):
    """For as many clients as come; otherwise one too many fails."""
    path = write({"from": "server", "text": "a"})
    with replay(path, repeat=True) as server:
        assert [asyncio.run(first(server.url)) for _ in range(3)] == ["a"] * 3
    with pytest.raises(ExpectationError, match="none is left"), replay(path) as server:
        asyncio.run(first(server.url))
        with pytest.raises(InvalidStatus, match="404"):
            asyncio.run(first(server.url))


def test_delays(write):
    """Only if they are wanted, as they were, or faster."""
    path = write({"from": "server", "text": "a"}, {"time": 7200, "from": "server", "close": 1000})
    for speed, least in ((None, 0), (36000, 0.2)):
        start = time.monotonic()
        with replay(path, speed=speed) as server:
            assert asyncio.run(talk(server.url, [], ())) == [None, "a", 1000, ""]
        assert time.monotonic() - start >= least
    for speed in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="speed must be"):
            replay(path, speed=speed)


def test_many_messages(websocket_server, tmp_path):
    """Thousands of messages are recorded and replayed in order."""
    websocket_server.run(echo)
    numbers = [str(number) for number in range(2_000)]

    async def main(url):
        async with connect(url, max_queue=None) as ws:
            receiving = asyncio.ensure_future(receive(ws))
            for number in numbers:
                await ws.send(number)
            return await receiving

    async def receive(ws):
        return [await ws.recv() for _ in numbers]

    with record(websocket_server.url, tmp_path / "a.jsonl") as recorder:
        assert asyncio.run(main(recorder.address)) == numbers
    with replay(tmp_path / "a.jsonl") as server:
        assert asyncio.run(main(server.url)) == numbers
    recording = Recording(tmp_path / "a.jsonl")
    assert recording.conversations[0].messages == 4_000


def test_a_client_that_reads_nothing(write):
    """The end of the test does not wait for it without end."""
    path = write({"from": "server", "base64": base64.b64encode(bytes(2**25)).decode()})
    server = replay(path, timeout=0.2)
    with pytest.raises(ExpectationError, match="line 1: the client reads nothing"), server:
        client = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])))
        client.sendall(OPENING)
        server.wait_for_connection(timeout=5)
    client.close()

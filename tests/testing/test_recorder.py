"""Recording: everything passes through the recorder as it is, and is in the file without its secrets."""

import asyncio
import contextlib
import json
import sys

import pytest
import websockets.sync.client
from clients import CLIENTS, echo
from pyws import DOMException
from pyws.testing import Masks, Recorder, Recording, RecordingError, record
from pyws.testing.recorded import Close, Lost, Message, Request, Response
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus


@pytest.fixture
def path(tmp_path):
    """The file of the recording."""
    return tmp_path / "a.jsonl"


def events(path, number=1):
    """The events of a conversation without their times, and without the headers of answers."""
    recording = Recording(path)
    found = [placed.event for placed in recording.events(recording.conversations[number - 1])]
    times = [event.time for event in found]
    assert times == sorted(times)
    return [plain(event) for event in found]


def plain(event):
    match event:
        case Request():
            return ("request", event.subprotocols)
        case Response():
            return ("response", event.status, event.subprotocol)
        case Message():
            return (event.sender, event.data)
        case Close():
            return (event.sender, event.code, event.reason, event.clean)
        case Lost():
            return (event.sender, "lost")


CONVERSATION = [
    ("request", ("chat", "v2")),
    ("response", 101, "v2"),
    ("server", "welcome 🌍"),
    ("client", "Hello"),
    ("server", b"\x00\xff"),
    ("client", b"\x01\xfe"),
    ("server", 4001, "bye", True),
]


@pytest.fixture
def server(websocket_server):
    """The real server."""
    websocket_server.accept(subprotocol="v2").send("welcome 🌍").expect("Hello")
    websocket_server.send_fragments(b"\x00", b"", b"\xff").expect(b"\x01\xfe").close(4001, "bye")
    return websocket_server


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
@pytest.mark.parametrize("suffix", ["jsonl", "har"])
def test_every_client_is_recorded(server, tmp_path, client, suffix):
    """Text, binary, fragments, subprotocols and the close pass through, and are in the file."""
    path = tmp_path / f"a.{suffix}"
    with record(server.url, path) as recorder:
        assert asyncio.run(client(recorder.address)) == ["v2", "welcome 🌍", b"\x00\xff", 4001, "bye"]
    assert events(path) == CONVERSATION
    assert [it.name for it in tmp_path.iterdir()] == [path.name]


async def closes(url, *arguments):
    """How a client hears that the connection ends."""
    async with connect(url) as ws:
        if arguments:
            await ws.close(*arguments)
        with contextlib.suppress(ConnectionClosed):
            while True:
                await ws.recv()
    return ws.close_code, ws.close_reason


@pytest.mark.parametrize(
    ("step", "heard", "recorded"),
    [
        (lambda server: server.send("x").close(), (1005, ""), ("server", None, "", True)),
        (lambda server: server.send("x").close(1011, "ü"), (1011, "ü"), ("server", 1011, "ü", True)),
        (lambda server: server.send("x").drop(), (1006, ""), ("server", "lost")),
        (lambda server: server.send("x").drop(reset=True), (1006, ""), ("server", "lost")),
        (lambda server: server.send("x").write(b"\x83\x00"), (1006, ""), ("server", "lost")),
    ],
)
def test_how_the_server_ends(websocket_server, path, step, heard, recorded):
    """By a Close frame with or without a code, without one, or by bytes that break the protocol."""
    step(websocket_server)
    with record(websocket_server.url, path) as recorder:
        assert asyncio.run(closes(recorder.address)) == heard
    assert events(path)[2:] == [("server", "x"), recorded]


def test_how_the_client_ends(websocket_server, path):
    """The server gets the same code and reason, or the same loss."""
    with record(websocket_server.url, path) as recorder:
        asyncio.run(closes(recorder.address, 3000, "enough"))

        async def lose():
            async with connect(recorder.address) as ws:
                ws.transport.abort()

        asyncio.run(lose())
        websocket_server.wait_for_connection(2).wait_closed()
    codes = [(it.close_code, it.close_reason) for it in websocket_server.connections]
    assert codes == [(3000, "enough"), (1006, "")]
    assert events(path, 1)[2:] == [("client", 3000, "enough", True)]
    assert events(path, 2)[2:] == [("client", "lost")]


class WithoutRedirects(connect):
    def process_redirect(self, exc):
        return exc


def test_a_refusal(websocket_server, path):
    """Status, headers and body reach the client; a redirect is not followed."""
    websocket_server.refuse(429, headers={"Retry-After": "7", "Set-Cookie": "a=secret77"}, body="not secret77 now")
    websocket_server.next_connection().refuse(302, headers={"Location": "wss://h/?token=abc"})

    async def attempt(url):
        with pytest.raises(InvalidStatus) as caught:
            await WithoutRedirects(url)
        return caught.value.response

    with record(websocket_server.url, path) as recorder:
        response = asyncio.run(attempt(recorder.address))
        assert (response.status_code, response.body) == (429, b"not secret77 now")
        assert (response.headers["Retry-After"], response.headers["Set-Cookie"]) == ("7", "a=secret77")

        response = asyncio.run(attempt(recorder.address))
        assert (response.status_code, response.headers["Location"]) == (302, "wss://h/?token=abc")
    assert events(path)[1:] == [("response", 429, None)]
    assert events(path, 2)[1:] == [("response", 302, None)]
    recording = Recording(path)
    answer = list(recording.events(recording.conversations[0]))[1].event
    assert dict(answer.headers)["Retry-After"] == "7" and answer.body == "not ~masked~ now"


def test_no_server(path):
    """The client gets 502, the file a loss, and the note tells the reason."""
    notes = []
    with record("ws://127.0.0.1:9/?token=abcdef", path, proxy="", note=notes.append) as recorder:
        with pytest.raises(InvalidStatus) as caught, websockets.sync.client.connect(recorder.address):
            pass
        assert caught.value.response.status_code == 502
    assert events(path)[1:] == [("server", "lost")]
    assert "cannot be reached" in notes[0] and "abcdef" not in notes[0]


def test_what_reaches_the_server(websocket_server, path):
    """Path, headers and Origin of the client; headers of the recorder replace those of the same name."""
    with record(
        websocket_server.url + "/chat?a=1", path, headers=[("X-One", "9"), ("Origin", "https://o")]
    ) as recorder:
        for target in ("/", "/other?b=2"):
            headers = {"X-One": "1", "X-Two": "2", "Cookie": "a=b"}
            with websockets.sync.client.connect(
                recorder.address + target, additional_headers=headers, origin="http://localhost:3000"
            ):
                pass
        one, two = (websocket_server.wait_for_connection(number) for number in (1, 2))
    assert (one.path, two.path) == ("/chat?a=1", "/other?b=2")
    names = ("X-One", "X-Two", "Cookie", "Origin")
    assert [one.headers.get_all(name) for name in names] == [["9"], ["2"], ["a=b"], ["https://o"]]


def test_a_page_of_another_origin_is_refused(websocket_server, path):
    """It could use what is secret in the URL. Those of this machine, and those that are named, may connect."""
    allowed = ["http://localhost:3000", "http://127.0.0.1:8000", "http://[::1]", "https://example.org", None]
    with record(websocket_server.url, path, origins=["https://example.org"]) as recorder:
        for origin in ("https://example.com", "null", "http://localhost.evil.com", "http://["):
            with (
                pytest.raises(InvalidStatus, match="403"),
                websockets.sync.client.connect(recorder.address, origin=origin),
            ):
                pass
        for origin in allowed:
            with websockets.sync.client.connect(recorder.address, origin=origin):
                pass
    assert len(websocket_server.connections) == len(Recording(path).conversations) == len(allowed)


def test_nothing_secret_reaches_the_disk(websocket_server, tmp_path):
    """Whatever is done with it: not even in a file that is there for a while."""
    secrets = ["hunter2pass", "tokentoken1", "cookie77", "protocol9", "apikey10", "message11", "header12"]
    websocket_server.accept(subprotocol="chat", headers={"Set-Cookie": "sid=header12", "X-Echo": "tokentoken1"})
    websocket_server.expect_json({"auth": {"password": "message11"}, "text": "it is tokentoken1"})
    websocket_server.send("thanks for message11, cookie77").send(b"\xff\x00apikey10").close(4000, "tokentoken1")
    url = websocket_server.url.replace("//", "//bob:hunter2pass@") + "/?token=tokentoken1"
    seen = []

    async def main(path):
        async with Recorder(url, path) as recorder:
            headers = {"Cookie": "sid=cookie77", "X-Api-Key": "apikey10"}
            async with connect(
                recorder.address, additional_headers=headers, subprotocols=["chat", "bearer.protocol9"]
            ) as ws:
                await ws.send(json.dumps({"auth": {"password": "message11"}, "text": "it is tokentoken1"}))
                assert await ws.recv() == "thanks for message11, cookie77"
                seen.extend(it.read_bytes() for it in tmp_path.iterdir())
                assert await ws.recv() == b"\xff\x00apikey10"
                with pytest.raises(ConnectionClosed):
                    await ws.recv()
        seen.extend(it.read_bytes() for it in tmp_path.iterdir())

    asyncio.run(main(tmp_path / "a.jsonl"))
    asyncio.run(main(tmp_path / "a.har"))
    assert len(seen) == 6
    for secret in secrets:
        assert secret.encode() not in b"".join(seen)
    assert b"~masked~" in seen[0]
    (request,) = websocket_server.connections[:1]
    assert request.headers["Authorization"].startswith("Basic ")
    assert request.heard == ['{"auth": {"password": "message11"}, "text": "it is tokentoken1"}']


def test_what_is_secret_for_the_user(websocket_server, path):
    """Masks of one's own."""
    websocket_server.expect(lambda message: "a@b" in message).expect("call 1234").close()
    masks = Masks(["email"], [r"\d{4}"], show=["key"])
    with (
        record(websocket_server.url, path, masks=masks) as recorder,
        websockets.sync.client.connect(recorder.address) as ws,
    ):
        ws.send('{"email":"a@b","key":"k"}')
        ws.send("call 1234")
        with pytest.raises(ConnectionClosed):
            ws.recv()
    assert events(path)[2:4] == [("client", '{"email":"~masked~","key":"k"}'), ("client", "call ~masked~")]


def test_several_at_the_same_time(websocket_server, tmp_path):
    """Each has its number, and its place in the file."""
    websocket_server.run(echo)
    for name in ("a.jsonl", "a.har"):

        async def main(path):
            async with Recorder(websocket_server.url, path) as recorder, asyncio.TaskGroup() as group:
                for number in range(5):
                    group.create_task(talk(recorder.address, number))

        asyncio.run(main(tmp_path / name))
        found = sorted(events(tmp_path / name, number)[2][1] for number in range(1, 6))
        assert found == [f"{number}.0" for number in range(5)]
        for number in range(1, 6):
            conversation = events(tmp_path / name, number)
            first = conversation[2][1].partition(".")[0]
            expected = [(side, f"{first}.{count}") for count in range(20) for side in ("client", "server")]
            assert conversation[2:] == [*expected, ("client", 1000, "", True)]


async def talk(url, number):
    async with connect(url) as ws:
        for count in range(20):
            await ws.send(f"{number}.{count}")
            await ws.recv()


def test_the_recorder_ends_what_is_open(websocket_server, path):
    """With 1001 on both sides; that is not the end of the conversation, so none is in the file."""
    websocket_server.send("hello")

    async def main():
        async with Recorder(websocket_server.url, path) as recorder:
            ws = await connect(recorder.address)
            await ws.recv()
        await ws.wait_closed()
        return ws.close_code

    assert asyncio.run(main()) == 1001
    websocket_server.wait_for_connection().wait_closed()
    assert websocket_server.connections[0].close_code == 1001
    assert events(path)[2:] == [("server", "hello")]


def test_a_client_that_goes_before_it_is_open(websocket_server, path):
    """The server hears that; the next client is served."""
    websocket_server.run(lambda connection: connection.closed()).next_connection().accept()
    with record(websocket_server.url, path) as recorder:

        async def give_up():
            task = asyncio.ensure_future(connect(recorder.address).connect())
            await websocket_server.async_wait_for_connection()
            task.cancel()
            await asyncio.wait([task])

        asyncio.run(give_up())
        websocket_server.wait_for_connection().wait_closed()
        with websockets.sync.client.connect(recorder.address):
            pass
    assert events(path, 1)[1:] == [("client", "lost")]
    assert events(path, 2)[1:] == [("response", 101, None), ("client", 1000, "", True)]


def test_a_wrong_argument_is_an_error_at_the_call(tmp_path, path):
    """The URL, the suffix, a file that exists."""
    with pytest.raises(DOMException):
        record("ftp://h/", path)
    with pytest.raises(RecordingError, match="name the file"):
        record("ws://h/", tmp_path / "a.txt")
    for name in ("a.jsonl", "a.har"):
        (tmp_path / name).write_text("old")
        with pytest.raises(FileExistsError), record("ws://h/", tmp_path / name):
            pass
        with record("ws://h/", tmp_path / name, overwrite=True):
            pass
        assert "old" not in (tmp_path / name).read_text()
    with pytest.raises(FileNotFoundError), record("ws://h/", tmp_path / "none" / "a.jsonl"):
        pass


def test_a_port_in_use_leaves_no_file(tmp_path, path, websocket_server):
    """The file is removed again."""
    port = int(websocket_server.url.rpartition(":")[2])
    with pytest.raises(OSError), record("ws://h/", path, port=port):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_recording_that_cannot_be_written(websocket_server, path):
    """A full disk ends the connection, and is an error at the end: /dev/full says that it is one."""
    path.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"), record(websocket_server.url, path, overwrite=True):
        pass


def test_a_disk_that_becomes_full(websocket_server, path):
    """Both sides get 1001, and the error comes at the end."""
    import resource
    import signal

    websocket_server.run(echo)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with pytest.raises(OSError, match="File too large"), record(websocket_server.url, path) as recorder:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
            assert asyncio.run(closes_when_told(recorder.address)) == 1001
            with pytest.raises(InvalidStatus, match="500"):
                asyncio.run(closes_when_told(recorder.address))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert events(path)[:3] == [("request", ()), ("response", 101, None), ("client", "x" * 900)]


def test_an_archive_for_which_the_disk_is_too_small(websocket_server, tmp_path):
    """Its lines remain."""
    import resource
    import signal

    websocket_server.send("x").close(1000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with pytest.raises(OSError, match="File too large"), record(websocket_server.url, tmp_path / "a.har") as it:
            asyncio.run(closes(it.address))
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert [it.name for it in tmp_path.iterdir()] == ["a.har.jsonl"]
    assert events(tmp_path / "a.har.jsonl")[2:] == [("server", "x"), ("server", 1000, "", True)]


def test_the_recorder_ends_while_it_connects(websocket_server, path):
    """The client gets 503, the server loses the connection."""
    websocket_server.run(lambda connection: connection.closed())

    async def main():
        async with Recorder(websocket_server.url, path) as recorder:
            connecting = asyncio.ensure_future(connect(recorder.address).connect())
            await websocket_server.async_wait_for_connection()
        with pytest.raises(InvalidStatus, match="503"):
            await connecting

    asyncio.run(main())
    websocket_server.connections[0].wait_closed()


async def closes_when_told(url):
    async with connect(url) as ws:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await ws.send("x" * 900)
                await ws.recv()
    return ws.close_code


@pytest.mark.parametrize("place", ["/chat", "boom", "because"])
def test_a_function_for_masks_that_raises(websocket_server, tmp_path, place):
    """Nothing more is written, so that no secret is; the exception comes at the end, and not in a note."""

    def function(text):
        if place in text:
            raise KeyError("hunter2")
        return text

    async def answer(connection):
        async for message in connection:
            await connection.send(message)

    notes, path = [], tmp_path / "a.jsonl"
    websocket_server.run(answer)
    with (
        pytest.raises(KeyError, match="hunter2"),
        record(websocket_server.url, path, masks=Masks(function=function), note=notes.append) as recorder,
        contextlib.suppress(ConnectionClosed, InvalidStatus),
        websockets.sync.client.connect(recorder.address + "/chat") as ws,
    ):
        ws.send("hello")
        assert ws.recv() == "hello"
        if place == "because":
            ws.close(1000, "because")
        ws.send("boom")
        ws.recv()
    assert "lost" not in path.read_text()
    assert notes[-1] == "the recording cannot be written: KeyError"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other locks of files")
@pytest.mark.parametrize("name", ["a.jsonl", "a.har"])
def test_two_recorders_of_one_file(tmp_path, name):
    """The second one leaves the file as it is."""
    with record("ws://127.0.0.1:1/", tmp_path / name) as first:
        with pytest.raises(BlockingIOError, match="another recorder writes this file"):
            record("ws://127.0.0.1:1/", tmp_path / name, overwrite=True).__enter__()
        with pytest.raises(InvalidStatus):
            websockets.sync.client.connect(first.address)
    assert len(Recording(tmp_path / name).conversations) == 1


def test_wrong_headers(tmp_path):
    """They are told at the call, not to each client."""
    with pytest.raises(ValueError, match="the value of the header A"):
        record("ws://127.0.0.1:1/", tmp_path / "a.jsonl", headers={"A": "b\r\nc: d"})
    with pytest.raises(RuntimeError, match="has not started"):
        _ = record("ws://127.0.0.1:1/", tmp_path / "a.jsonl").address

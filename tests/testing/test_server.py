"""The server of `pyws.testing`: what it is told it does, what it hears it keeps, what goes wrong reaches the test."""

import asyncio
import contextlib
import re
import socket
import struct
import sys
import threading
import time

import pytest
from pyws import testing
from pyws.testing import ExpectationError, WebSocketServer
from pyws.testing.server import BLOCKED_AFTER
from visits import shown, visit
from websockets.sync.client import connect

CLOSED = ("close", 1000, "", True)
OPENING = (
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
LOST = [("error",), ("close", 1006, "", False)]


def send_bytes(server, data):
    """A client that sends these bytes and reads until the server ends TCP; it ends first if it has broken no rule."""
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as client:
        client.sendall(data)
        if data in (b"", OPENING):
            client.shutdown(socket.SHUT_WR)
        while client.recv(2**16):
            pass


def test_it_does_one_step_after_the_other(server):
    server.expect("hello").send("world").close(4001, "bye")
    assert visit(server.url, "hello") == [("open", ""), ("message", "world"), ("close", 4001, "bye", True)]
    server.check()
    (connection,) = server.connections
    assert connection.heard == ["hello"]
    assert connection.said == ["world"]
    assert (connection.path, connection.close_code, connection.close_reason) == ("/", 4001, "bye")
    assert connection.headers["Host"] == server.url.removeprefix("ws://")


def test_an_expectation_that_is_not_met(server):
    """The test is shown the conversation; the client does not wait, and is told."""
    server.expect("hello").send("world").expect("good").send("never")
    assert visit(server.url + "/chat?token=secret", "hello", "bad", protocols=["a", "b"]) == [
        ("open", "a"),
        ("message", "world"),
        ("close", 1011, "expected 'good', heard 'bad'", True),
    ]
    assert shown(server) == [
        "expected 'good', heard 'bad'",
        "client  opens /chat?…, offers 'a', 'b'",
        "server  accepts, chooses 'a', compresses",
        "client  'hello'",
        "server  'world'",
        "client  'bad'",
    ]


def even(message):
    return len(message) % 2 == 0


@pytest.mark.parametrize(
    "expected, right, wrong, words",
    [
        ("a", "a", "b", "'a'"),
        ("a", "a", b"a", "'a'"),
        (b"a", b"a", "a", "b'a'"),
        (bytearray(b"a"), b"a", b"b", "b'a'"),
        (re.compile("^a+$"), "aaa", "ab", "a message with '^a+$' in it"),
        (re.compile("b"), "abc", b"abc", "a message with 'b' in it"),
        (re.compile(b"b"), b"abc", "abc", "a message with b'b' in it"),
        (even, "ab", "abc", "a message for which even is true"),
        (even, b"ab", b"abc", "a message for which even is true"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_what_can_be_expected(expected, right, wrong, words, server):
    server.expect(expected).close(1000)
    assert visit(server.url, right)[1:] == [CLOSED]
    server.check()
    assert visit(server.url, wrong)[1][1] == 1011
    assert shown(server)[0] == f"expected {words}, heard {wrong!r}"


@pytest.mark.parametrize("expected", [{"b": 2, "a": [1]}, lambda value: value["a"] == [1]])
def test_json(expected, server):
    server.expect_json(expected).send_json({"ok": True}).close(1000)
    assert visit(server.url, '{"a":[1],\n"b":2}')[1:] == [("message", '{"ok": true}'), CLOSED]
    server.check()
    for wrong in ('{"a": [2]}', "{", b'{"a": [1], "b": 2}'):
        visit(server.url, wrong)
    words = "<lambda>" if callable(expected) else "{'b': 2, 'a': [1]}"
    assert [line for line in shown(server) if "expected" in line] == [
        f"expected the JSON {words}, heard " + repr('{"a": [2]}'),
        f"And another fault: ExpectationError: expected the JSON {words}, heard '{{'",
        f"And another fault: ExpectationError: expected the JSON {words}, heard " + repr(b'{"a": [1], "b": 2}'),
    ]


def test_a_function_that_raises(server):
    """Is no difference: its exception reaches the test, with the conversation."""
    server.expect(lambda message: message["key"])
    assert visit(server.url, "text")[1][1:3] == (1011, "string indices must be integers, not 'str'")
    with pytest.raises(TypeError, match="string indices") as caught:
        server.check()
    assert "client  'text'" in caught.value.__notes__[0]


def test_a_message_that_does_not_come(server):
    server.expect("hello", timeout=0.05)
    assert visit(server.url) == [("open", ""), ("close", 1011, "waited 0.05 s for 'hello'", True)]
    assert shown(server) == ["waited 0.05 s for 'hello'", "client  opens /", "server  accepts, compresses"]


def test_the_limit_of_all_steps():
    words = r"waited 0\.05 s for a message with 'x' in it"
    with pytest.raises(ExpectationError, match=words), WebSocketServer(timeout=0.05) as server:
        server.expect(re.compile("x"))
        visit(server.url)


@pytest.mark.parametrize(
    "close, words",
    [
        ((), "the client has closed with 1005"),
        ((3000, "done"), "the client has closed with 3000 'done'"),
    ],
)
def test_a_client_that_closes_before(close, words, server):
    server.send("hi").expect("hello")
    visit(server.url, replies=1, close=close)
    assert shown(server)[0] == f"expected 'hello', but {words}"


def test_no_connection(server):
    """What is expected of a connection that never comes, first or later, is not forgotten."""
    server.send("hi")
    server.check()
    server.expect("hello").next_connection().expect("again")
    server.at("/x").refuse(403).next_connection().expect_close(1000)
    assert shown(server) == [
        "expected 'hello', but connection 1 to the server did not come",
        "And another fault: ExpectationError: expected 'again', but connection 2 to the server did not come",
        "And another fault: ExpectationError: expected the client to close with 1000, "
        "but connection 2 to /x did not come",
    ]


def test_the_line_of_the_test(server):
    """That of the call, for an expectation that is not met and for one that no connection came to."""
    server.expect("a")
    line = sys._getframe().f_lineno - 1
    visit(server.url, "b")
    server.at("/x").expect_json(
        1,
    )
    with pytest.raises(ExpectationError) as caught:
        server.check()
    assert str(caught.value).split("\n")[1] == f"  in test_server.py, line {line}"
    assert re.search(r"line (\d+)$", caught.value.__notes__[0])[1] in (str(line + 2), str(line + 3))


def test_a_step_too_late(server):
    """An expectation that is added when the client has gone."""
    server.accept()
    visit(server.url, replies=0)
    server.connections[0].wait_closed()
    server.check()
    server.expect("hello")
    assert shown(server) == ["expected 'hello', but connection 1 to the server has left before"]


def test_one_script_for_each_connection(server):
    """The last one is for all later connections."""
    server.send("first").close(1000).next_connection().send("later").close(1001)
    assert [visit(server.url)[1] for _ in range(3)] == [
        ("message", "first"),
        ("message", "later"),
        ("message", "later"),
    ]
    server.check()


def test_a_script_for_each_path(server):
    """With any query, unless it has one itself; without steps of its own, the server knows no other path."""
    server.at("/a").send("a").close(1000)
    server.at("/b?x=1").send("b").close(1000)
    assert visit(server.url + "/a?x=2")[1] == ("message", "a")
    assert visit(server.url + "/b?x=1")[1] == ("message", "b")
    assert visit(server.url + "/b?x=2") == LOST
    assert visit(server.url) == LOST
    server.send("other").close(1000)
    assert visit(server.url)[1] == ("message", "other")
    assert [row.value for row in server.connections[3].conversation if row.side == "server"] == [404]
    server.check()


@pytest.mark.parametrize(
    "options, rows",
    [
        ({}, [("open", "a"), CLOSED]),
        ({"subprotocol": "b"}, [("open", "b"), CLOSED]),
        ({"subprotocol": "c"}, LOST),  # was not offered
        ({"subprotocol": None}, LOST),  # one has to be chosen
        ({"headers": {"Sec-WebSocket-Accept": "wrong"}}, LOST),
    ],
)
def test_how_it_accepts(options, rows, server):
    server.accept(**options).close(1000)
    assert visit(server.url, protocols=["a", "b"]) == rows
    assert server.connections[0].subprotocols == ["a", "b"]


@pytest.mark.parametrize("reset", [False, True])
def test_it_ends_tcp(reset, server):
    """Instead of an answer, or later; what it should send after that is left out."""
    server.drop(reset=reset).send("never").next_connection().accept().drop(reset=reset)
    server.next_connection().expect("hello").drop(reset=reset)
    assert visit(server.url) == LOST
    assert visit(server.url) in ([("open", ""), LOST[1]], [("open", ""), *LOST])
    assert visit(server.url, "hello")[-1] == LOST[1]
    server.check()
    server.stop()
    server.start()
    last = "resets TCP" if reset else "ends TCP without a Close frame"
    assert server.connections[2].conversation.show().endswith(f" s  server  {last}")
    assert server.connections[0].said == []


def test_a_message_arrives_before_tcp_ends(server):
    """All of it, however large."""
    server.send("x" * 2**21).drop()
    assert [(row[0], len(row[1])) for row in visit(server.url)[:2]] == [("open", 0), ("message", 2**21)]


def test_a_delay_ends_with_the_test(server):
    """And what comes after it is done at once."""
    server.delay(0).delay(3600).send("late").expect("never")

    thread = threading.Thread(target=visit, args=[server.url])
    thread.start()
    server.wait_for_connection().timeout = 0.05
    assert shown(server)[0] == "waited 0.05 s for 'never'"
    thread.join()
    assert server.connections[0].said == ["late"]


def test_bytes_as_they_are(server):
    """After the opening handshake, and instead of it."""
    server.accept().write(b"\x83\x00").next_connection().write(b"HTTP/1.1 200 OK\r\n\r\n").drop()
    assert visit(server.url) == [("open", ""), *LOST]
    assert visit(server.url) == LOST
    assert str(server.connections[0].conversation.rows[2]) == r"server  write b'\x83\x00'"


def test_fragments(server):
    server.send_fragments("hel", "lo", "").send_fragments(b"\0", bytearray(b"\1")).close(1000)
    assert visit(server.url)[1:3] == [("message", "hello"), ("message", b"\0\1")]


def test_a_ping(server):
    server.ping(b"are you there").expect("yes").close(1000)
    visit(server.url, "yes")
    rows = [str(row) for row in server.connections[0].conversation if "ng" in row.kind]
    assert rows == ["server  ping b'are you there'", "client  pong b'are you there'"]


def test_a_server_that_does_not_read(server):
    """The client's messages wait, until it reads again."""
    message = b"\0" * 2**24
    server.pause().send("ready").delay(0.05).resume().expect(message).close(1000)
    assert visit(server.url, message)[1:] == [("message", "ready"), CLOSED]
    server.check()
    rows = [str(row) for row in server.connections[0].conversation]
    assert rows.index("server  pauses reading") < rows.index("server  resumes reading")


def test_a_client_that_does_not_read(server):
    """A step that sends has a limit, too."""
    server.timeout = 0.1
    server.send(b"\0" * 2**24)
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as client:
        client.sendall(OPENING)
        server.wait_for_connection(timeout=5)
        assert shown(server)[0] == "waited 0.1 s for the client to read"


def test_a_client_that_resets(server):
    """While the network takes a message: the step is left out."""
    server.send(b"\0" * 2**24)
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as client:
        client.sendall(OPENING)
        client.recv(1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection = server.wait_for_connection()
    connection.wait_closed()
    assert connection.close_code == 1006
    server.check()


@pytest.mark.parametrize("code, reason", [(1000, "bye"), (1005, None), (None, None), (1006, None)])
def test_the_client_closes(code, reason, server):
    server.send("hi").expect_close(code, reason)
    visit(server.url, replies=1, close=(1000, "bye") if code == 1000 else ())
    if code == 1006:
        assert shown(server)[0] == "expected the client to close with 1006, but the client has closed with 1005"
    else:
        server.check()


def test_the_client_does_not_close(server):
    server.expect_close()
    visit(server.url, "hello")
    assert shown(server)[0] == "expected the client to close, heard 'hello'"


@pytest.mark.parametrize(
    "data, words",
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "the client breaks the protocol: missing Connection header"),
        (b"\x16\x03\x01\r\n\r\n", "a client has sent bytes that are not a request of HTTP: does it use wss: at the "),
        (OPENING + b"\x81\x05hello", "the client breaks the protocol: incorrect masking"),
        (OPENING + b"\x83\x80\0\0\0\0", "the client breaks the protocol: invalid opcode"),
        (OPENING, "expected 'hello', but the connection has ended without a Close frame of the client"),
    ],
    ids=["not a WebSocket", "not HTTP", "not masked", "no opcode", "no Close frame"],
)
def test_a_client_that_breaks_the_protocol(data, words, server):
    if data == OPENING:
        server.expect("hello")
    send_bytes(server, data)
    assert shown(server)[0].startswith(words)


def test_a_client_that_says_nothing(server):
    """A program that only looks whether the port is open is not a connection."""
    server.send("hello")
    send_bytes(server, b"")
    server.check()
    assert server.connections == []


def test_several_faults(server):
    """The first is raised, the others are its notes; all stand above the conversations, with their places."""
    server.expect("a")
    visit(server.url, "b")
    visit(server.url, "c")
    first, place, second, *_ = server.show().split("\n")
    assert [first, second] == [f"ExpectationError: expected 'a', heard '{wrong}'" for wrong in "bc"]
    assert place.startswith("  in test_server.py, line ")
    assert [line for line in shown(server) if "expected" in line] == [
        "expected 'a', heard 'b'",
        "And another fault: ExpectationError: expected 'a', heard 'c'",
    ]


def test_long_data_is_cut(server):
    server.expect("x" * 101)
    visit(server.url, b"\0" * 10_000)
    beginning = "\\x00" * 100
    assert shown(server)[0] == f"expected '{'x' * 100}'… (101 characters), heard b'{beginning}'… (10,000 bytes)"


def test_compression():
    """Where the client offers it, unless the server shall not."""
    for compression in (True, False):
        with WebSocketServer(compression=compression) as server:
            server.expect("a" * 1000).close(1000)
            visit(server.url, "a" * 1000)
            (accepted,) = [row for row in server.connections[0].conversation if row.kind == "accept"]
            assert str(accepted) == "server  accepts" + ", compresses" * compression


@pytest.mark.parametrize(
    "call, error",
    [
        (lambda server: server.expect(None), "TypeError: a message is str or bytes: expect one of these"),
        (lambda server: server.expect({"a": 1}), "TypeError: .*, not dict; for JSON use expect_json"),
        (lambda server: server.expect(str), "TypeError: .* not str; for JSON"),
        (lambda server: server.expect("a", timeout=-1), "ValueError: timeout must be a number of seconds that is not"),
        (lambda server: server.expect("a", timeout="1"), "TypeError: timeout must be a number of seconds, not str"),
        (lambda server: server.expect("a", timeout=float("nan")), "ValueError: timeout must be"),
        (lambda server: server.expect_close(timeout=True), "TypeError: timeout must be"),
        (lambda server: server.send(1), "TypeError: send takes str, or bytes-like, not int; for JSON use send_json"),
        (lambda server: server.send_fragments(), "TypeError: .* not nothing"),
        (lambda server: server.send_fragments("a", b"b"), "TypeError: .* not str, bytes"),
        (lambda server: server.send_json({1, 2}), "TypeError: Object of type set is not JSON serializable"),
        (lambda server: server.ping(b"a" * 126), "ValueError: a Ping has at most 125 bytes"),
        (lambda server: server.close(None, "bye"), "ValueError: a Close frame has a reason only after a code"),
        (lambda server: server.close("1000"), "TypeError: code must be int, not str"),
        (lambda server: server.close(65536), "ValueError: code must be from 0 to 65535, not 65536"),
        (lambda server: server.close(1000, b"bye"), "TypeError: reason must be str, not bytes"),
        (lambda server: server.close(1000, "é" * 62), "ValueError: reason must be at most 123 bytes of UTF-8"),
        (lambda server: server.refuse(101), "ValueError: status must be from 200 to 599, not 101"),
        (lambda server: server.refuse("403"), "TypeError: status must be int, not str"),
        (lambda server: server.delay(-1), "ValueError: seconds must be"),
        (lambda server: server.run("echo"), "TypeError: run takes a function of one argument, the connection, not str"),
        (lambda server: server.at("chat"), "ValueError: path must begin with a slash, not 'chat'"),
        (lambda server: WebSocketServer(timeout=-1), "ValueError: timeout must be"),
    ],
)
def test_what_is_wrong_is_said_at_the_call(call, error, server):
    kind, _, words = error.partition(": ")
    with pytest.raises({"TypeError": TypeError, "ValueError": ValueError}[kind], match=words):
        call(server)
    server.check()


@pytest.mark.parametrize("code", [0, 999, 1005, 1006, 1015, 65535])
def test_a_close_code_that_no_server_should_send(code, server):
    server.close(code)
    assert visit(server.url) in ([("open", ""), *LOST], [("open", ""), ("error",), ("close", 1006, "", False)])


def test_a_close_frame_without_a_code(server):
    server.close()
    assert visit(server.url) == [("open", ""), ("close", 1005, "", True)]


def test_the_names_of_the_package():
    """Each is loaded when it is named, and has a docstring."""
    assert {*testing.__all__} <= {*dir(testing)}
    for name in testing.__all__:
        assert getattr(testing, name).__doc__, name
    with pytest.raises(AttributeError, match="module 'pyws.testing' has no attribute 'Client'"):
        _ = testing.Client


def test_nothing_is_left():
    """No thread, and no task."""

    def threads():
        return [thread for thread in threading.enumerate() if thread.name == "pyws.testing"]

    before = threads()
    with WebSocketServer() as server:
        server.send("hello")
        client = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])))
        client.sendall(OPENING)
        server.wait_for_connection()
        assert len(threads()) == len(before) + 1
    with client, client.makefile("rb") as stream:
        assert stream.read().endswith(b"\x81\x05hello\x88\x12\x03\xe9the test is over")
    assert threads() == before


@pytest.mark.once
@pytest.mark.parametrize(
    ("expected", "said"),
    [({"a": True}, '{"a": 1}'), ({"a": 1}, '{"a": true}'), ([0], "[false]"), ([[1, False]], "[[1, 0]]"), (1, "true")],
)
def test_true_is_not_one(expected, said, server):
    server.expect_json(expected)
    assert visit(server.url, said)[1][1] == 1011
    assert shown(server)[0] == f"expected the JSON {expected}, heard {said!r}"


@pytest.mark.once
def test_an_answer_that_is_a_coroutine(server):
    """It would be true always."""

    async def never(message):
        return False

    server.expect(lambda message: never(message))
    visit(server.url, "hello")
    with pytest.raises(TypeError, match="its answer must be true or false, not a coroutine"):
        server.check()


@pytest.mark.once
def test_a_function_that_yields(server):
    """It would not run at all."""

    async def conversation(connection):
        await connection.send("hello")
        yield

    server.run(conversation)
    visit(server.url)
    with pytest.raises(TypeError, match="let it return, not yield"):
        server.check()


@pytest.mark.once
def test_the_last_lines_of_a_coroutine(server):
    """They may run after the client has gone, while the test ends."""
    turns = asyncio.Event()

    async def conversation(connection):
        message = await connection.receive()
        await connection.closed()
        # As a call of another library, longer than the turns of the event loop that the end of a test waits for.
        asyncio.get_running_loop().call_later(0.02, turns.set)
        await turns.wait()
        assert message == "expected"

    server.run(conversation)
    with connect(server.url) as client:
        client.send("another")
    with pytest.raises(AssertionError, match="another"):
        server.check()


@pytest.mark.once
@pytest.mark.parametrize("frames", [b"\x81\x82\0\0\0\0\xff\xfe", b"\x01\x81\0\0\0\0\xc3\x80\x81\0\0\0\0a"])
def test_text_that_is_not_utf_8(frames, server):
    server.accept()
    send_bytes(server, OPENING + frames)
    with pytest.raises(ExpectationError, match="breaks the protocol: a text message is not UTF-8"):
        server.check()
    assert server.connections[0].heard == []


@pytest.mark.once
@pytest.mark.parametrize("data", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n"])
def test_a_client_that_sends_no_request(data):
    """The end of the test does not wait for it: the server ends its connection."""
    with WebSocketServer() as server:
        client = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])))
        client.sendall(data)
        # The server knows it when a later client has been answered.
        server.close(1000)
        visit(server.url)
        start = time.monotonic()
    assert time.monotonic() - start < BLOCKED_AFTER / 2
    with client, contextlib.suppress(ConnectionResetError):
        assert client.recv(1) == b""


@pytest.mark.once
def test_a_time_without_end(server):
    server.expect("a", timeout=float("inf")).close(1000)
    visit(server.url, "a")
    assert server.wait_for("a", timeout=float("inf")) == "a"
    timer = threading.Timer(0.05, visit, [server.url, "b"])
    timer.start()
    assert server.wait_for("b", timeout=1e300) == "b"
    timer.join()


@pytest.mark.once
def test_a_wait_for_a_connection_has_the_time_of_the_server(server):
    server.timeout = 0.05
    with connect(server.url) as client:
        connection = server.wait_for_connection(timeout=5)
        with pytest.raises(ExpectationError, match=r"waited 0\.05 s for 'a'"):
            connection.wait_for("a")
        with pytest.raises(ExpectationError, match=r"waited 0\.05 s for the client to close"):
            connection.wait_closed()
        client.send("a")


@pytest.mark.once
def test_a_server_that_does_not_run():
    server = WebSocketServer()
    with pytest.raises(RuntimeError, match="the server does not run"):
        server.check()
    with server:
        pass
    with pytest.raises(RuntimeError, match="the server does not run"):
        server.check()

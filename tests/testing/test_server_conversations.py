"""Functions of a test that speak with a client, steps that are added later, and waits of the test."""

import asyncio
import threading

import pytest
from pyws.testing import ConnectionOver, ExpectationError, WebSocketServer
from visits import async_visit, shown, visit
from websockets.sync.client import connect


def test_a_coroutine(server):
    async def shout(connection):
        async for message in connection:
            await connection.send(message.upper())

    server.run(shout)
    assert visit(server.url, "a", "b", replies=2) == [
        ("open", ""),
        ("message", "A"),
        ("message", "B"),
        ("close", 1005, "", True),
    ]
    server.check()


def test_a_coroutine_beside_steps(server):
    """It may answer the opening handshake, and what it leaves is for the steps after it."""

    async def greet(connection):
        await connection.accept(subprotocol="b", headers=[("X-Room", connection.path)])
        assert await connection.receive() == "hello"
        assert await connection.expect("again") == "again"
        await connection.ping()
        await connection.delay(0)

    server.run(greet).run(lambda connection: None).expect("last").close(1000)
    with connect(server.url + "/attic", subprotocols=["a", "b"]) as ws:
        assert (ws.subprotocol, ws.response.headers["X-Room"]) == ("b", "/attic")
        for message in ("hello", "again", "last"):
            ws.send(message)
    server.check()


def test_an_error_in_a_coroutine(server):
    async def fail(connection):
        await connection.receive()
        raise LookupError("no such room")

    server.run(fail)
    assert visit(server.url, "hello")[1:] == [("close", 1011, "no such room", True)]
    with pytest.raises(LookupError, match="no such room") as caught:
        server.check()
    assert "client  'hello'" in caught.value.__notes__[0]


@pytest.mark.parametrize("fail", [lambda connection: pytest.fail("no"), lambda connection: exec("raise SystemExit(3)")])
def test_an_exception_that_is_no_error(fail, server):
    """As pytest.fail() raises it: it reaches the test, too, and the client does not wait."""
    server.run(fail)
    assert visit(server.url) == [("error",), ("close", 1006, "", False)]
    with pytest.raises(BaseException) as caught:
        server.check()
    assert type(caught.value).__name__ in ("Failed", "SystemExit")


def test_a_message_that_a_coroutine_waits_for(server):
    """In vain: that is a fault, too, unless it iterates."""

    async def listen(connection):
        await connection.receive()

    server.run(listen).next_connection().run(lambda connection: connection.receive(timeout=0.05))
    visit(server.url, replies=0)
    visit(server.url)
    assert [line for line in shown(server) if "wait" in line] == [
        "waited for a message, but the client has closed with 1005",
        "And another fault: ExpectationError: waited 0.05 s for a message",
    ]


def test_a_coroutine_that_waits_too_long_itself(server):
    """Its own time-out is its own error."""
    server.run(lambda connection: asyncio.wait_for(asyncio.sleep(3600), 0.02))
    visit(server.url)
    with pytest.raises(TimeoutError):
        server.check()


def test_a_coroutine_that_sends_until_the_client_closes(server):
    """That is no fault: the client may close when it likes."""

    async def count(connection):
        while True:
            await connection.send("tick")
            await connection.delay(0.001)

    server.run(count)
    assert visit(server.url, replies=2)[1] == ("message", "tick")
    server.check()


def test_the_end_of_the_test_waits_for_no_coroutine(server):
    """Which could go on for ever; but for a message, as long as it may."""

    async def sleep(connection):
        await connection.accept()
        await asyncio.sleep(3600)

    server.run(sleep)
    with connect(server.url) as ws:
        ws.send("hello")
        server.wait_for("hello")
        server.check()
        server.stop()
        with pytest.raises(Exception, match="1001"):
            ws.recv()
    server.start()


def test_a_function_that_blocks(server, monkeypatch):
    """Is named, instead of a test that hangs."""
    monkeypatch.setattr("pyws.testing.server.BLOCKED_AFTER", 0.05)
    go_on = threading.Event()

    async def block(connection):
        await connection.accept()
        go_on.wait()

    server.run(block)
    with connect(server.url):
        with pytest.raises(RuntimeError, match="blocks the thread of the server"):
            server.check()
        go_on.set()
    monkeypatch.undo()
    server.check()


def test_a_coroutine_that_cannot_be_canceled(server, monkeypatch):
    """It does not hold the end of the test."""
    monkeypatch.setattr("pyws.testing.server.BLOCKED_AFTER", 0.05)
    ending = []

    async def stubborn(connection):
        await connection.accept()
        while len(ending) < 2:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                ending.append("canceled")

    server.run(stubborn)
    with connect(server.url):
        server.wait_for_connection()
        server.stop()
    assert ending == ["canceled", "canceled"]
    server.start()


def test_a_coroutine_that_expects_one_after_the_other(server):
    """The end of the test waits for each, also between two of them."""

    async def converse(connection):
        for _ in range(3):
            await connection.expect("a", timeout=0.3)
            await connection.send("b")

    server.run(converse)
    with connect(server.url) as ws:
        ws.send("a")
        ws.send("a")
        assert shown(server)[0] == "waited 0.3 s for 'a'"


def test_a_server_that_has_not_started():
    with pytest.raises(RuntimeError, match="use it in a with statement"):
        _ = WebSocketServer().url


def test_it_refuses_once(server):
    async def refuse(connection):
        await connection.accept()
        await connection.refuse()

    server.run(refuse)
    visit(server.url)
    with pytest.raises(RuntimeError, match="accepted already"):
        server.check()


def test_a_client_that_sends_fragments(server):
    server.expect("hello").expect(b"\0\1")
    with connect(server.url) as ws:
        ws.send(["hel", "lo"])
        ws.send([b"\0", b"\1"])
    server.check()


def test_the_server_has_closed(server):
    """Then it sends nothing more: a step is left out, a coroutine learns it."""

    async def send(connection):
        await connection.close(1000)
        await connection.send("more")

    server.run(send).send("more")
    assert visit(server.url) == [("open", ""), ("close", 1000, "", True)]
    server.check()
    assert server.connections[0].said == []


def test_steps_are_added_while_it_is_open(server):
    """The test goes on in its own thread."""
    with connect(server.url) as ws:
        server.send("one")
        assert ws.recv() == "one"
        ws.send("two")
        assert server.wait_for("two") == "two"
        server.send("three").close(1000, "bye")
        assert list(ws) == ["three"]
        assert (ws.close_code, ws.close_reason) == (1000, "bye")
    server.check()


def test_a_connection_is_spoken_to_from_another_loop(server):
    """That of the test."""

    async def main():
        visiting = asyncio.create_task(async_visit(server.url, "hello"))
        connection = await server.async_wait_for_connection()
        assert await connection.expect("hello") == "hello"
        await connection.send("world")
        await connection.close(1000)
        await connection.closed()
        with pytest.raises(ConnectionOver, match="the client has closed the connection: 1000"):
            await connection.receive()
        with pytest.raises(ConnectionOver) as caught:
            await connection.send("more")
        assert (caught.value.code, caught.value.reason) == (1000, "")
        return await visiting

    assert asyncio.run(main())[1:] == [("message", "world"), ("close", 1000, "", True)]
    assert repr(server.connections[0]) == "<Connection '/' over=True heard=1>"


def test_a_test_waits_in_a_coroutine(server):
    server.send("hi")

    async def main():
        visiting = asyncio.create_task(async_visit(server.url, "hello", "bye", replies=2))
        assert await server.async_wait_for("hello") == "hello"
        connection = await server.async_wait_for_connection()
        server.send("more")
        assert await connection.async_wait_for("bye") == "bye"
        await connection.async_wait_closed()
        await visiting
        await server.async_check()

    asyncio.run(main())


def test_a_wait_that_would_block_the_loop(server):
    """Says which one does not."""

    async def main():
        with pytest.raises(RuntimeError, match="async_"):
            server.wait_for("hello")

    asyncio.run(main())


def test_a_test_waits_in_vain(server):
    """It is shown what has come."""
    with pytest.raises(ExpectationError, match=r"^waited 0.02 s for connection 1, but 0 came$"):
        server.wait_for_connection(timeout=0.02)
    with pytest.raises(ExpectationError, match=r"^waited 0.02 s for 'a'\nno connection came$"):
        server.wait_for("a", timeout=0.02)
    with connect(server.url) as ws:
        ws.send("b")
        connection = server.wait_for_connection()
        connection.wait_for("b")
        for place in (server, connection):
            with pytest.raises(ExpectationError, match=r"^waited 0.02 s for 'a'\n(?s:.*)client  'b'$"):
                place.wait_for("a", timeout=0.02)
        with pytest.raises(ExpectationError, match=r"^waited 0.02 s for the client to close\n"):
            connection.wait_closed(timeout=0.02)

    async def main():
        with pytest.raises(ExpectationError, match=r"^waited 0.02 s for 'a'\n"):
            await server.async_wait_for("a", timeout=0.02)

    asyncio.run(main())
    with pytest.raises(ExpectationError, match=r"^waited for 'a', but the client has closed with 1000\n"):
        connection.wait_for("a")


def test_a_wait_ends_when_a_conversation_fails(server):
    """At once: the fault is raised."""
    server.expect("hello")
    thread = threading.Thread(target=visit, args=[server.url, "bye"])
    thread.start()
    with pytest.raises(ExpectationError, match="expected 'hello', heard 'bye'"):
        server.wait_for("never", timeout=60)
    with pytest.raises(ExpectationError, match="expected 'hello', heard 'bye'"):
        server.wait_for_connection(2, timeout=60)
    thread.join()


def test_the_check_of_a_with_statement():
    """Unless another exception is on its way."""
    with pytest.raises(ExpectationError, match="expected 'a'"), WebSocketServer() as server:
        server.expect("a")
    with pytest.raises(LookupError, match="mine"), WebSocketServer() as server:
        server.expect("a")
        raise LookupError("mine")

    async def main(error):
        async with WebSocketServer() as server:
            server.expect("a").close(1000)
            if error:
                raise error
            assert (await async_visit(server.url, "a"))[1:] == [("close", 1000, "", True)]
            server.next_connection().expect("b")

    with pytest.raises(ExpectationError, match="expected 'b'"):
        asyncio.run(main(None))
    with pytest.raises(LookupError, match="mine"):
        asyncio.run(main(LookupError("mine")))

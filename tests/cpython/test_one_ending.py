"""Every way in which a connection can end, and everyone who may wait for it: one end, heard by all."""

import ast
import asyncio
import gc
import sys
from pathlib import Path

import pytest
import pyws
from pyws import ReconnectingWebSocket, UserAgent, WebSocket, WebSocketStream

# What the peer does, and what the program does once it is open (or has begun, where it never opens).
WAYS = {
    "the server closes": (["accept", "close 1000"], None),
    "the server ends TCP": (["accept", "fin"], None),
    "the server resets": (["accept", "reset"], None),
    "the server breaks the protocol": (["accept", "raw ffff", "hang"], None),
    "the server refuses": ([r"head HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"], None),
    "the server ends TCP before it answers": (["fin"], None),
    "nothing comes in time": (["hang"], "time"),
    "close()": (["accept", "until close", "close 1000"], "close"),
    "close() while connecting": (["hang"], "close"),
    "close(), and no answer": (["accept", "hang"], "close"),
    "its task is canceled": (["accept", "hang"], "cancel"),
    "its task is canceled while connecting": (["hang"], "cancel"),
    "an exception between two lines": (["accept", "text a", "hang"], "break"),
}
IMPATIENT = {"opening_timeout": 0.3, "closing_timeout": 0.2, "proxy": ""}


class Odd(BaseException):
    """Neither an Exception nor one of Python's own."""


async def outcome(waiting):
    """What waiting comes to: the name of what it gives or raises, or "hangs"."""
    try:
        async with asyncio.timeout(20):
            return type(await waiting).__name__
    except TimeoutError:
        return "hangs"
    except (Exception, asyncio.CancelledError) as error:
        return type(error).__name__


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)


def make(kind, address):
    """One of those that can end, and all that a program may wait for: a list of awaitables."""
    with UserAgent(**IMPATIENT):
        if kind == "WebSocketStream":
            stream = WebSocketStream(address)
            reading = stream._pyws_readable.getReader()
            return stream, [stream.opened, stream.closed, reading.closed, reading.read()]
        ws = WebSocket(address) if kind == "WebSocket" else ReconnectingWebSocket(address, max_attempts=0)
    return ws, [ws.when("open").first(), ws.when("close").first(), ws.when("error").first(), anext(aiter(ws.when("x")))]


async def end_it(thing, verbs, act, waiting):
    """Do what the program does of a way."""
    connection = thing._pyws_connection
    if act in ("close", "cancel") and "accept" in verbs:
        await until(lambda: connection.state != 0)
    if act == "close":
        thing.close()
    elif act == "cancel":
        for task in asyncio.all_tasks() - {asyncio.current_task(), *waiting}:
            task.cancel()


@pytest.mark.requirements("BYE-02", "EVT-01", "EVT-16")
@pytest.mark.parametrize("kind", ["WebSocket", "ReconnectingWebSocket", "WebSocketStream"])
@pytest.mark.parametrize("way", WAYS)
def test_everyone_hears_the_end(runner, url, monkeypatch, kind, way):
    """Whoever waits gets an answer, there is one `close` event, the state is CLOSED, and no task is left."""
    verbs, act = WAYS[way]
    journal = []
    monkeypatch.setattr(sys, "excepthook", lambda *_: None)
    if act == "break":

        def feed(*_):
            raise Odd

        monkeypatch.setattr("pyws.cpython.receiver.Receiver.feed", feed)
        runner.get_loop().set_debug(False)

    async def main():
        thing, waiting = make(kind, url(*verbs))
        if kind != "WebSocketStream":
            thing.onclose = lambda event: journal.append("close")
        tasks = [asyncio.ensure_future(outcome(each)) for each in waiting]
        await end_it(thing, verbs, act, tasks)
        assert "hangs" not in await asyncio.gather(*tasks)
        await until(lambda: thing._pyws_connection.state == 3)
        assert journal == ([] if kind == "WebSocketStream" else ["close"])
        await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})

    runner.run(main())


def test_a_socket_that_is_garbage_ends(runner, url):
    """Its connection is closed in order: nobody is there to hear it."""

    async def main():
        thing = WebSocket(url("accept", "until close", "close"))
        connection = thing._pyws_connection
        await until(lambda: connection.state == 1)
        del thing
        gc.collect()
        await until(lambda: connection.state == 3)
        await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})

    runner.run(main())


def test_one_place_writes_the_end():
    """Only the connection writes its state, and CLOSED in one place."""
    written = {}
    folder = Path(pyws.__file__).parent / "cpython"
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Attribute) and target.attr == "state":
                        written.setdefault(path.name, []).append(ast.unparse(node.value))
    assert list(written) == ["connection.py"]
    assert written["connection.py"].count("CLOSED") == 1

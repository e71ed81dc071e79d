"""Other threads on CPython: the loop's own door is the way in, and who takes the wall is told so."""

import asyncio
import re
import threading
from pathlib import Path

import pytest
from pyws import WebSocket

from programs import run

GUIDE = Path(__file__).parents[2] / "web" / "docs" / "guide.md"


async def event(ws, kind):
    """Wait for an event."""
    happened = asyncio.get_running_loop().create_future()
    ws.addEventListener(kind, happened.set_result, once=True)
    await happened


def elsewhere(function, *arguments):
    """Call a function in a thread of its own; the exception it raised."""
    raised = []

    def work():
        try:
            function(*arguments)
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return raised[0] if raised else None


@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
def test_four_threads_send_a_thousand_messages_each(websocket_server, debug):
    """By `call_soon_threadsafe`: none is lost, and each thread's come in its order."""

    def work(loop, ws, name):
        for number in range(1000):
            loop.call_soon_threadsafe(ws.send, f"{name} {number}")

    async def conversation():
        ws = WebSocket(websocket_server.url)
        await event(ws, "open")
        loop = asyncio.get_running_loop()
        threads = [threading.Thread(target=work, args=(loop, ws, name)) for name in "abcd"]
        for thread in threads:
            thread.start()
        await asyncio.gather(*(asyncio.to_thread(thread.join) for thread in threads))
        loop.call_soon_threadsafe(ws.close)
        await event(ws, "close")

    asyncio.run(conversation(), debug=debug)
    heard = websocket_server.connections[0].heard
    for name in "abcd":
        assert [message for message in heard if message[0] == name] == [f"{name} {n}" for n in range(1000)]
    assert len(heard) == 4000


def test_a_call_from_another_thread_raises_and_changes_nothing(websocket_server):
    """It names the door; not a byte has moved, and the socket goes on."""
    websocket_server.expect("kept").expect_close(1000)

    async def conversation():
        ws = WebSocket(websocket_server.url)
        given_up = elsewhere(ws.close)
        await event(ws, "open")
        errors = [given_up, elsewhere(ws.send, "lost"), elsewhere(ws.close), elsewhere(ws.send, b"lost")]
        assert [type(error) for error in errors] == [RuntimeError] * 4
        assert all("call_soon_threadsafe(ws.send, data)" in str(error) for error in errors)
        assert (ws.readyState, ws.bufferedAmount) == (1, 0)
        ws.send("kept")
        ws.close(1000)
        await event(ws, "close")

    asyncio.run(conversation())


def test_the_example_of_the_guide(websocket_server, tmp_path):
    """Run as the guide says of scripts like it."""
    websocket_server.expect("from another thread").close(1000)
    section = GUIDE.read_text("utf-8").partition("## Threads")[2]
    (code,) = re.findall(r"^```python\n(.*?)^```$", section.partition("\n## ")[0], re.M | re.S)
    script = tmp_path / "script.py"
    script.write_text(code.replace("wss://example.org/echo", websocket_server.url))
    assert run(script) == (0, "", "")


def test_a_loop_may_go_on_in_another_thread(websocket_server):
    """A socket belongs to its loop, wherever that runs."""
    websocket_server.expect("from there").expect_close(1000)
    loop = asyncio.new_event_loop()
    sockets = []

    async def begin():
        sockets.append(WebSocket(websocket_server.url))
        await event(sockets[0], "open")

    async def go_on():
        sockets[0].send("from there")
        sockets[0].close(1000)
        await event(sockets[0], "close")

    loop.run_until_complete(begin())
    assert elsewhere(loop.run_until_complete, go_on()) is None
    loop.close()


def test_each_message_of_a_batch_is_asked(websocket_server):
    """Not only the first: what another thread adds to a batch may be lost, or mix with it."""
    websocket_server.expect("a").expect("c").expect_close(1005)

    async def conversation():
        ws = WebSocket(websocket_server.url)
        await event(ws, "open")
        ws.send("a")
        assert isinstance(elsewhere(ws.send, "b"), RuntimeError)
        ws.send("c")
        ws.close()
        await event(ws, "close")

    asyncio.run(conversation())

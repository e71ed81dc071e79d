"""Other threads on CPython: the loop's own door is the way in, and who takes the wall is told so."""

import asyncio
import itertools
import re
import threading
from pathlib import Path

import pytest
from pyws import WebSocket

import notation
from programs import run

GUIDE = Path(__file__).parents[2] / "web" / "docs" / "guide.md"
keys = itertools.count()


def address(peer, *verbs):
    """The URL of a conversation, and its key."""
    key = f"thread-{next(keys)}"
    return notation.address(peer.origin, key, verbs), key


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
def test_four_threads_send_a_thousand_messages_each(peer, debug):
    """By `call_soon_threadsafe`: none is lost, and each thread's come in its order."""
    url, key = address(peer, "accept", "until close")

    def work(loop, ws, name):
        for number in range(1000):
            loop.call_soon_threadsafe(ws.send, f"{name} {number}")

    async def conversation():
        ws = WebSocket(url)
        await event(ws, "open")
        loop = asyncio.get_running_loop()
        threads = [threading.Thread(target=work, args=(loop, ws, name)) for name in "abcd"]
        for thread in threads:
            thread.start()
        await asyncio.gather(*(asyncio.to_thread(thread.join) for thread in threads))
        loop.call_soon_threadsafe(ws.close)
        await event(ws, "close")

    asyncio.run(conversation(), debug=debug)
    *frames, last = peer.heard(key)
    assert last == "close"
    for name in "abcd":
        assert [frame for frame in frames if f"'{name} " in frame] == [f"text '{name} {n}'" for n in range(1000)]
    assert len(frames) == 4000


def test_a_call_from_another_thread_raises_and_changes_nothing(peer):
    """It names the door; not a byte has moved, and the socket goes on."""
    url, key = address(peer, "accept", "until close")

    async def conversation():
        ws = WebSocket(url)
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
    assert peer.heard(key) == ["text 'kept'", "close 1000 ''"]


def test_the_example_of_the_guide(peer, tmp_path):
    """Run as the guide says of scripts like it."""
    url, key = address(peer, "accept", "read", "close 1000")
    section = GUIDE.read_text("utf-8").partition("## Threads")[2]
    (code,) = re.findall(r"^```python\n(.*?)^```$", section.partition("\n## ")[0], re.M | re.S)
    script = tmp_path / "script.py"
    script.write_text(code.replace("wss://example.org/echo", url))
    assert run(script) == (0, "", "")
    assert peer.heard(key) == ["text 'from another thread'", "close 1000 ''"]


def test_a_loop_may_go_on_in_another_thread(peer):
    """A socket belongs to its loop, wherever that runs."""
    url, key = address(peer, "accept", "until close")
    loop = asyncio.new_event_loop()
    sockets = []

    async def begin():
        sockets.append(WebSocket(url))
        await event(sockets[0], "open")

    async def go_on():
        sockets[0].send("from there")
        sockets[0].close(1000)
        await event(sockets[0], "close")

    loop.run_until_complete(begin())
    assert elsewhere(loop.run_until_complete, go_on()) is None
    loop.close()
    assert peer.heard(key) == ["text 'from there'", "close 1000 ''"]


def test_each_message_of_a_batch_is_asked(peer):
    """Not only the first: what another thread adds to a batch may be lost, or mix with it."""
    url, key = address(peer, "accept", "until close")

    async def conversation():
        ws = WebSocket(url)
        await event(ws, "open")
        ws.send("a")
        assert isinstance(elsewhere(ws.send, "b"), RuntimeError)
        ws.send("c")
        ws.close()
        await event(ws, "close")

    asyncio.run(conversation())
    assert peer.heard(key) == ["text 'a'", "text 'c'", "close"]

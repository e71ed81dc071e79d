"""`ReconnectingWebSocket` on CPython: its end, its garbage, its threads, and a crowd of them."""

import asyncio
import gc
import itertools
import re
import sys
import weakref
from pathlib import Path

import pytest
from pyws import ReconnectingWebSocket

from peer import Peer
from stage import encode
from test_lifetime import survives
from test_main import run
from test_threads import elsewhere, event

README = Path(__file__).parent.parent / "README.md"
QUICK = {"first_delay": 0.01, "jitter": 0}
numbers = itertools.count()


def address(peer, *parts):
    """The URL of a conversation, or several: a list of verbs for each connection."""
    queries = ["&".join(["do=" + encode(verb) for verb in verbs]) for verbs in parts]
    return f"{peer.origin}/reconnecting-{next(numbers)}?{'&then&'.join(queries)}"


def left(loop):
    """The tasks and timers that hold the loop."""
    timers = [handle for handle in getattr(loop, "_scheduled", ()) if not handle.cancelled()]
    return [*(asyncio.all_tasks(loop) - {asyncio.current_task(loop)}), *timers]


# The end


async def in_handshake(peer):
    ws = ReconnectingWebSocket(address(peer, ["hang"]))
    await asyncio.sleep(0.02)
    return ws


async def in_conversation(peer):
    ws = ReconnectingWebSocket(address(peer, ["accept"]))
    await event(ws, "open")
    return ws


async def away(peer):
    ws = ReconnectingWebSocket(address(peer, ["fin"]), first_delay=30, jitter=0)
    await event(ws, "reconnecting")
    return ws


async def back_again(peer):
    ws = ReconnectingWebSocket(address(peer, ["accept", "fin"], ["accept"]), **QUICK)
    await event(ws, "reconnecting")
    await event(ws, "open")
    return ws


async def before_it_asks(peer):
    return ReconnectingWebSocket(lambda: address(peer, ["accept"]))


async def while_it_asks(peer):
    async def ask():
        await asyncio.sleep(30)

    ws = ReconnectingWebSocket(ask)
    await asyncio.sleep(0.02)
    return ws


async def as_it_asks_again(peer):
    # Closed in the very round of the loop in which the function's task begins.
    ws = ReconnectingWebSocket(lambda: address(peer, ["fin"]), first_delay=0)
    await event(ws, "reconnecting")
    await asyncio.sleep(0)
    return ws


PHASES = [in_handshake, in_conversation, away, back_again, before_it_asks, while_it_asks, as_it_asks_again]


@pytest.mark.rows("REC-05", "REC-17")
@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.__name__)
def test_nothing_is_left_after_the_end(runner, peer, phase):
    """Whenever `close` was called, one `close` event later there is no task or timer, and the object is garbage."""

    async def main():
        ws = await phase(peer)
        seen = []
        ws.addEventListener("close", lambda event: seen.append(event.code))
        ws.close()
        assert (ws.readyState, seen) == (2, [])
        await event(ws, "close")
        await asyncio.sleep(0)
        remains = left(asyncio.get_running_loop())
        things = [weakref.ref(ws), weakref.ref(ws._pyws_connection)]
        del ws
        return seen, remains, [await survives(thing) for thing in things]

    seen, remains, alive = runner.run(main())
    assert (len(seen), remains, alive) == (1, [], [False, False])


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.__name__)
def test_a_program_may_end_in_any_phase(runner, peer, phase):
    """Without `close`: the loop is torn down, and nobody complains (warnings are errors)."""
    sockets = []

    async def main():
        sockets.append(await phase(peer))

    runner.run(main())
    runner.close()
    thing = weakref.ref(sockets.pop())
    gc.collect()
    assert thing() is None


@pytest.mark.rows("REC-05", "REC-12")
@pytest.mark.parametrize("rounds", range(8))
def test_no_function_is_asked_after_close(runner, peer, rounds):
    """In whichever round of the loop after a loss `close` was called: the task may be there, and not have begun."""

    async def main():
        asked = []
        refusing = address(peer, ["fin"])
        ws = ReconnectingWebSocket(lambda: asked.append(ws.readyState) or refusing, first_delay=0)
        await event(ws, "reconnecting")
        for _ in range(rounds):
            await asyncio.sleep(0)
        ws.close()
        before = len(asked)
        await event(ws, "close")
        await asyncio.sleep(0)
        return len(asked) - before

    assert runner.run(main()) == 0


@pytest.mark.rows("REC-12")
def test_what_a_function_waits_for_may_be_canceled(runner, peer, monkeypatch):
    """That is a failed attempt like any other, also where nothing limits its time."""

    async def main():
        token = asyncio.get_running_loop().create_future()
        url = address(peer, ["accept"])

        async def ask():
            if not token.done():
                asyncio.get_running_loop().call_soon(token.cancel)
                await token
            return url

        ws = ReconnectingWebSocket(ask, connect_timeout=None, **QUICK)
        async with asyncio.timeout(5):
            await event(ws, "open")
        ws.close()
        await event(ws, "close")

    reported = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, *_: reported.append(kind))
    runner.run(main())
    assert reported == [asyncio.CancelledError]


@pytest.mark.rows("REC-17")
def test_it_needs_nobody_to_hold_it(runner, peer):
    """A program may drop it and live on in its listeners, through several connections."""

    async def main():
        seen = asyncio.get_running_loop().create_future()
        url = address(peer, ["accept", "fin"], ["fin"], ["accept", "text back", "close 1000"])
        ReconnectingWebSocket(url, **QUICK).onmessage = lambda event: seen.set_result(event.data)
        while not seen.done():
            gc.collect()
            await asyncio.sleep(0.005)
        return seen.result()

    assert runner.run(main()) == "back"


@pytest.mark.rows("REC-17")
def test_a_script_lives_while_it_is_away(peer, tmp_path):
    """`python -m pyws run` waits for a socket that waits, and ends with it."""
    script = tmp_path / "script.py"
    script.write_text("""
import sys
from pyws import ReconnectingWebSocket
ws = ReconnectingWebSocket(lambda: sys.argv[1], first_delay=0.3, jitter=0)
for kind in ("open", "reconnecting", "error", "close"):
    ws.addEventListener(kind, print)
""")
    status, output, errors = run(script, address(peer, ["accept", "fin"], ["accept", "close 1000"]))
    assert (status, errors.count("\n")) == (0, 1)
    assert errors.endswith("did not end cleanly: the server ended the connection, without a Close frame\n")
    assert output.splitlines() == [
        "<Event 'open'>",
        "<ReconnectingEvent 'reconnecting' wasClean=False, code=1006, reason='', attempt=1, delay=0.3>",
        "<Event 'open'>",
        "<CloseEvent 'close' wasClean=True, code=1000, reason=''>",
    ]


# Chance, and crowds


@pytest.mark.rows("REC-07")
@pytest.mark.parametrize("jitter", [0, 0.5, 1])
def test_the_share_of_chance(jitter):
    """Delays are spread evenly over that share of each, and never longer than without it."""
    from pyws.reconnecting import Backoff

    for row, longest in enumerate([5, 10, 20, 40, 60, 60]):
        delays = []
        for _ in range(2000):
            backoff = Backoff(first_delay=5, max_delay=60, growth=2, jitter=jitter, max_attempts=None)
            delays.append([backoff.next() for _ in range(row + 1)][-1])
        shortest = longest * (1 - jitter)
        assert shortest <= min(delays) <= max(delays) <= longest
        if jitter:
            # Of 2000 that are spread evenly: each tenth has 200, give or take 13; six times that happens to nobody.
            tenths = [0] * 10
            for delay in delays:
                tenths[min(9, int((delay - shortest) / (longest - shortest) * 10))] += 1
            assert all(abs(tenth - 200) < 80 for tenth in tenths)


@pytest.mark.rows("REC-07")
def test_a_thousand_attempts():
    """No number grows beyond what can be reckoned with."""
    from pyws.reconnecting import Backoff

    backoff = Backoff(first_delay=1, max_delay=60, growth=10, jitter=0, max_attempts=None)
    assert [backoff.next() for _ in range(2000)] == [1, 10] + [60] * 1998


@pytest.mark.rows("REC-02", "REC-18")
def test_a_hundred_come_back_to_a_server_that_starts_anew(runner):
    """On the same port, after it refused for a while; all of them, and not all at once."""
    crowd = 100

    async def main():
        first = Peer()
        first.__enter__()
        port = first.port
        arrived = []
        sockets = []

        delays = []

        for _ in range(crowd):
            ws = ReconnectingWebSocket(address(first, ["accept"]), first_delay=1, max_delay=1)
            ws.onopen = arrived.append
            ws.onreconnecting = lambda event: delays.append(event.delay)
            sockets.append(ws)
        async with asyncio.timeout(20):
            while len(arrived) < crowd:
                await asyncio.sleep(0.01)
        arrived.clear()
        await asyncio.to_thread(first.__exit__, None, None, None)
        await asyncio.sleep(0.2)
        assert not arrived
        with Peer(port):
            async with asyncio.timeout(20):
                while len(arrived) < crowd:
                    await asyncio.sleep(0.01)
            ends = [event(ws, "close") for ws in sockets]
            for ws in sockets:
                ws.close()
            await asyncio.gather(*ends)
            await asyncio.sleep(0)
            return delays, left(asyncio.get_running_loop())

    delays, remains = runner.run(main())
    assert remains == []
    # The delays, not the moments of arrival, which are also those of a busy machine. Of a hundred or more that are
    # spread over a second, a fifth each; half of them in one fifth is seven times what chance would do.
    assert len(delays) >= crowd
    fifths = [sum(1 for delay in delays if begin <= delay < begin + 0.2) for begin in (0, 0.2, 0.4, 0.6, 0.8)]
    assert sum(fifths) == len(delays) and max(fifths) <= len(delays) / 2, fifths


# Threads, loops


@pytest.mark.rows("REC-16")
def test_another_thread_is_told_so(runner, peer):
    """`send` and `close` raise there, while it is away and while it is not; by the loop's door they work."""

    async def main():
        ws = await away(peer)
        raised = [await asyncio.to_thread(elsewhere, ws.send, "x"), await asyncio.to_thread(elsewhere, ws.close)]
        assert (ws.readyState, ws.bufferedAmount) == (0, 0)
        there = await in_conversation(peer)
        raised += [await asyncio.to_thread(elsewhere, there.send, "x"), await asyncio.to_thread(elsewhere, there.close)]
        loop = asyncio.get_running_loop()
        for socket in (ws, there):
            end = asyncio.ensure_future(event(socket, "close"))
            await asyncio.to_thread(loop.call_soon_threadsafe, socket.close)
            await end
        return [f"{type(error).__name__}: {error}" for error in raised]

    message = (
        "RuntimeError: a WebSocket belongs to the thread of its event loop: in another one call "
        "`loop.call_soon_threadsafe(ws.send, data)`, or `(ws.close)`"
    )
    assert runner.run(main()) == [message] * 4


@pytest.mark.rows("REC-14")
@pytest.mark.parametrize("url", ["ws://127.0.0.1:1/", lambda: "ws://127.0.0.1:1/"], ids=["str", "function"])
def test_it_needs_a_loop(url):
    """As `WebSocket` does."""
    with pytest.raises(RuntimeError, match=r"needs a running event loop: .*asyncio.run"):
        ReconnectingWebSocket(url)


# The package


@pytest.mark.rows("REC-19")
def test_import_does_not_load_it(cell):
    """In no runtime: only who asks for it gets it."""
    assert "pyws.websocket" in cell.imported_by_pyws()
    assert "pyws.reconnecting" not in cell.imported_by_pyws()


def test_an_unknown_name_is_one():
    """As in other modules."""
    import pyws

    with pytest.raises(AttributeError, match="module 'pyws' has no attribute 'ReconectingWebSocket'"):
        pyws.ReconectingWebSocket  # noqa: B018 - to ask for it is the test
    assert set(pyws.__all__) <= set(dir(pyws))
    assert pyws.ReconnectingWebSocket is sys.modules["pyws.reconnecting"].ReconnectingWebSocket


@pytest.mark.rows("REC-12")
def test_the_example_of_the_readme(peer, tmp_path):
    """Run as the README says of scripts like it: the server goes away once."""
    url = address(peer, ["accept", "read", "fin"], ["accept", "text news", "close 1000"])
    section = README.read_text("utf-8").partition("## Coming back")[2]
    (code,) = re.findall(r"^```python\n(.*?)^```$", section.partition("\n## ")[0], re.M | re.S)
    script = tmp_path / "script.py"
    script.write_text(re.sub(r'f?"wss://example.org/[^"]*"', repr(url), code))
    status, output, errors = run(script)
    assert (status, errors.count("\n")) == (0, 1)
    assert errors.endswith("did not end cleanly: the server ended the connection, without a Close frame\n")
    assert re.sub(r"\d\.\d", "N", output).splitlines() == [
        "here",
        "gone, 1006; back in N s",
        "here",
        "news",
        "over, 1000",
    ]
    frames = peer.heard(url.partition("?")[0].rpartition("/")[2])
    assert frames[0] == "text 'waits for the first connection'"

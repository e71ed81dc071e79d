"""`ReconnectingWebSocket` on CPython: its end, its garbage, its threads, and a crowd of them."""

import asyncio
import gc
import itertools
import re
import sys
import time
import weakref
from email.utils import formatdate
from pathlib import Path

import pytest
from pyws import DOMException, Event, EventTarget, ReconnectingWebSocket, UserAgent
from test_lifetime import inside, survives
from test_threads import elsewhere, event

import notation
from peer import Peer
from programs import run
from stage import row as shown

GUIDE = Path(__file__).parents[2] / "web" / "docs" / "guide.md"
QUICK = {"first_delay": 0.01, "jitter": 0}
numbers = itertools.count()


def address(peer, *parts):
    """The URL of a conversation, or several: a list of verbs for each connection."""
    return notation.address(peer.origin, f"reconnecting-{next(numbers)}", *parts)


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


@pytest.mark.requirements("REC-05", "REC-17")
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


@pytest.mark.requirements("REC-05", "REC-12")
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


@pytest.mark.requirements("REC-12")
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


@pytest.mark.requirements("REC-20", "REC-25")
def test_what_is_not_allowed_is_the_end(runner, monkeypatch):
    """A SecurityError of the connection, which is reported; that of a function is an exception like any other."""
    reported = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, _: reported.append(str(error)))

    async def main(*answers):
        journal, answers = [], iter(answers)

        def url():
            answer = next(answers)
            if isinstance(answer, Exception):
                raise answer
            return answer

        with UserAgent(origin="https://example.org"):
            ws = ReconnectingWebSocket(url, **QUICK)
            for kind in ("reconnecting", "error", "close"):
                ws.addEventListener(kind, lambda event: journal.append(event.type))
            await event(ws, "close")
        return journal

    journal = runner.run(main(DOMException("of a function", "SecurityError"), "ws://example.org/", "never"))
    assert journal == ["reconnecting", "error", "close"]
    assert [text.partition(": ")[0] for text in reported] == ["SecurityError"] * 2


@pytest.mark.requirements("REC-17")
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


@pytest.mark.requirements("REC-17")
def test_a_script_lives_while_it_is_away(peer, tmp_path):
    """`python -m pyws run` waits for a socket that waits, and ends with it."""
    script = tmp_path / "script.py"
    script.write_text("""
import sys
from pyws import Event, EventTarget, ReconnectingWebSocket
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


# What a server refuses


def refusal(status, *headers):
    """The verbs of a server that refuses."""
    return ["head " + r"\r\n".join([f"HTTP/1.1 {status} No", *headers, "Content-Length: 0", "", ""]), "fin"]


WELCOME = ["accept", "close 1000"]
OPENED = ["open 1", "close 3 clean 1000 ''"]
REFUSED = ["error 3", "close 3 unclean 1006 ''"]
LOST = "reconnecting 0 unclean 1006 ''"


def journal(runner, peer, *parts, function=False, **options):
    """What a socket hears to whom the peer does each of `parts`; `function` tells whether one is asked for the URL."""
    written = []

    async def main():
        url = address(peer, *parts)
        ws = ReconnectingWebSocket((lambda: url) if function else url, **{**QUICK, **options})
        for kind in ("open", "reconnecting", "error", "close"):
            ws.addEventListener(kind, lambda event: written.append(shown(ws, event)))
        async with asyncio.timeout(10):
            await event(ws, "close")
        await asyncio.sleep(0)
        assert left(asyncio.get_running_loop()) == []

    runner.run(main())
    return written


@pytest.mark.requirements("REC-20", "REC-06")
@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 426])
def test_a_refusal_that_will_not_change_is_the_end(runner, peer, status):
    """Told as the standard tells it; the server is asked no more."""
    assert journal(runner, peer, refusal(status), WELCOME) == REFUSED


@pytest.mark.requirements("REC-20")
@pytest.mark.parametrize("status", [200, 302, 402, 405, 408, 418, 429, 500, 502, 503, 504])
def test_any_other_refusal_may_change(runner, peer, status):
    """Another attempt follows."""
    assert journal(runner, peer, refusal(status), WELCOME) == [f"{LOST} attempt 1 in 10 ms", *OPENED]


@pytest.mark.requirements("REC-20", "REC-12")
@pytest.mark.parametrize("status", [401, 403])
def test_a_fresh_token_may_help_once(runner, peer, status):
    """Where a function is asked, the same refusal a second time is the end, unless there was a connection between."""
    first, second = (f"{LOST} attempt {number} in {number * 10} ms" for number in (1, 2))
    ends = {"function": True, "min_uptime": 30}
    assert journal(runner, peer, refusal(status), WELCOME, **ends) == [first, *OPENED]
    assert journal(runner, peer, refusal(status), refusal(status), WELCOME, **ends) == [first, *REFUSED]
    assert journal(runner, peer, refusal(status), ["accept", "fin"], refusal(status), WELCOME, **ends) == [
        first,
        "open 1",
        second,
        f"{LOST} attempt 3 in 40 ms",
        *OPENED,
    ]
    assert journal(runner, peer, refusal(404), WELCOME, **ends) == REFUSED


@pytest.mark.requirements("REC-20")
def test_the_program_says_which_refusals_are_final(runner, peer):
    """A set or a range; then no other is, and a function makes no difference."""
    for final in ({503}, range(500, 600)):
        parts = refusal(404), refusal(503), WELCOME
        assert journal(runner, peer, *parts, final_statuses=final) == [f"{LOST} attempt 1 in 10 ms", *REFUSED]
    assert journal(runner, peer, refusal(401), WELCOME, function=True, final_statuses={401}) == REFUSED


def delay_after(runner, peer, *headers, status=503, **options):
    """The delay after a refusal with these headers, and how long it took until the next attempt in fact, if short."""

    async def main():
        ws = ReconnectingWebSocket(address(peer, refusal(status, *headers), WELCOME), **{**QUICK, **options})
        told = asyncio.get_running_loop().create_future()
        ws.onreconnecting = lambda event: told.set_result(event.delay)
        async with asyncio.timeout(10):
            delay = await told
            began = time.monotonic()
            if delay > 2:
                ws.close()
            await event(ws, "close")
        if delay <= 2:
            assert time.monotonic() - began > delay - 0.1
        return delay

    return runner.run(main())


@pytest.mark.requirements("REC-21")
@pytest.mark.parametrize("status", [429, 503, 302, 500])
def test_a_server_may_say_when_to_come_back(runner, peer, status):
    """In seconds; it is not asked before."""
    assert delay_after(runner, peer, "Retry-After: 1", status=status) == 1
    assert delay_after(runner, peer, "retry-after:7200", status=status) == 3600
    assert delay_after(runner, peer, "Retry-After: 90 ", status=status, max_retry_after=120) == 90


@pytest.mark.requirements("REC-21")
def test_a_server_may_say_a_date(runner, peer):
    """In each of the forms of HTTP (RFC 9110, 5.6.7)."""
    moment = time.time() + 100
    for date in (
        formatdate(moment, usegmt=True),
        time.strftime("%A, %d-%b-%y %H:%M:%S GMT", time.gmtime(moment)),
        time.asctime(time.gmtime(moment)),
    ):
        assert 90 < delay_after(runner, peer, f"Retry-After: {date}") <= 100, date


@pytest.mark.requirements("REC-21")
@pytest.mark.parametrize(
    "value",
    ["", "0", "-5", "soon", "1.5", "5 s", "5, 7", "\xb2", "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 99 Oct 2090"],
    ids=ascii,
)
def test_what_says_nothing_of_the_future_is_no_word(runner, peer, value):
    """The delays are those of the program."""
    assert delay_after(runner, peer, f"Retry-After: {value}") == 0.01


@pytest.mark.requirements("REC-21")
def test_a_number_too_large_for_any_clock_is_an_hour(runner, peer):
    """However many digits it has."""
    for digits in (9, 30, 5000):
        assert delay_after(runner, peer, "Retry-After: " + "9" * digits) == 3600


@pytest.mark.requirements("REC-21")
def test_the_program_says_how_long_a_server_may_put_it_off(runner, peer):
    """Its own delay is waited for in any case, and a method tries at once."""
    assert delay_after(runner, peer, "Retry-After: 50", max_retry_after=0) == 0.01
    assert delay_after(runner, peer, "Retry-After: 50", max_retry_after=0.2) == 0.2
    assert delay_after(runner, peer, "Retry-After: 50", max_retry_after=float("inf")) == 50
    assert delay_after(runner, peer, "Retry-After: 5", first_delay=9, max_delay=9) == 9
    assert delay_after(runner, peer, "Retry-After: 5", first_delay=9, max_delay=9, jitter=1) >= 5

    async def main():
        ws = ReconnectingWebSocket(address(peer, refusal(429, "Retry-After: 3000"), WELCOME), **QUICK)
        ws.onreconnecting = lambda event: ws.reconnect()
        async with asyncio.timeout(5):
            await event(ws, "open")
            await event(ws, "close")

    runner.run(main())


# What is not given to a connection that has ended


@pytest.mark.requirements("REC-09", "REC-11")
def test_a_close_right_behind_the_handshake_takes_nothing_with_it(runner, peer):
    """What waited, and what the `open` listener sent, goes to the next connection, once and in order."""

    async def main():
        url = address(
            peer,
            ["hold", "accept", "ping", "close 1012", "release", "until close", "fin"],
            ["accept", "read 3", "close 1000"],
        )
        ws = ReconnectingWebSocket(url, **QUICK)
        ws.send("waited")
        ws.addEventListener("open", lambda _: ws.send("open"), once=True)
        ws.addEventListener("reconnecting", lambda _: ws.send("away"))
        async with asyncio.timeout(5):
            await event(ws, "close")
        return url

    key = runner.run(main()).partition("?")[0].rpartition("/")[2]
    texts = [line for line in peer.heard(key) if line.startswith("text")]
    assert texts == ["text 'waited'", "text 'open'", "text 'away'"]


@pytest.mark.requirements("REC-09", "REC-05")
def test_what_waited_is_sent_before_a_close_inside_open(runner, peer):
    """`close` in the listener of `open` ends a connection that has taken all."""

    async def main():
        url = address(peer, ["accept", "echo"])
        ws = ReconnectingWebSocket(url, **QUICK)
        ws.send("waited")
        ws.onopen = lambda _: (ws.send("open"), ws.close(3000), ws.send("late"))
        async with asyncio.timeout(5):
            await event(ws, "close")
        return url, ws.bufferedAmount

    url, left_over = runner.run(main())
    frames = peer.heard(url.partition("?")[0].rpartition("/")[2])
    assert frames == ["text 'waited'", "text 'open'", "close 3000 ''"]
    assert left_over == 4


# Cancellation


def eager(loop, coroutine, **options):
    """A task that begins at once: `asyncio.eager_task_factory`, for uvloop too, which gives it one option more."""
    return asyncio.Task(coroutine, loop=loop, **{**options, "eager_start": True})


FACTORIES = {"lazy": None} if sys.version_info < (3, 12) else {"lazy": None, "eager": eager}


@pytest.mark.requirements("REC-24")
@pytest.mark.parametrize("factory", FACTORIES)
@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.__name__)
def test_it_ends_where_all_tasks_are_canceled(runner, peer, phase, factory):
    """By a program that goes on for a moment: one `close` event, and nobody waits for ever; no task is left."""

    async def main():
        ws = await phase(peer)
        seen = []
        ws.addEventListener("error", seen.append)
        ws.addEventListener("close", seen.append)
        closed = ws.when("close").first()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        async with asyncio.timeout(5):
            await closed
        assert ws.readyState == 3
        for _ in range(5):
            await asyncio.sleep(0)
        ws.close()
        remains = left(asyncio.get_running_loop())
        return [event.type for event in seen], remains

    runner.get_loop().set_task_factory(FACTORIES[factory])
    assert runner.run(main()) == (["close"], [])


@pytest.mark.requirements("REC-24")
def test_it_ends_where_all_tasks_are_canceled_right_before_a_close(runner, peer):
    """By a listener, where the server's Close has come in the same read as its handshake."""

    async def main():
        came = ["hold", "accept", "text a", "close 1012", "release", "until close", "fin"]
        ws = ReconnectingWebSocket(address(peer, came, WELCOME), **QUICK)
        seen = []
        others = {asyncio.current_task()}

        def cancel(_):
            for task in asyncio.all_tasks() - others:
                task.cancel()

        for kind in ("open", "message", "reconnecting", "error", "close"):
            ws.addEventListener(kind, lambda event: seen.append(event.type))
        ws.addEventListener("message", cancel)
        async with asyncio.timeout(5):
            await event(ws, "close")
        await asyncio.sleep(0)
        return seen, left(asyncio.get_running_loop())

    assert runner.run(main()) == (["open", "message", "close"], [])


@pytest.mark.requirements("REC-24")
def test_a_function_whose_own_wait_is_canceled_too(runner, peer):
    """It waits for a task of the program's, that is canceled with all others."""

    async def main():
        async def ask():
            await asyncio.ensure_future(asyncio.sleep(30))

        ws = ReconnectingWebSocket(ask, connect_timeout=None, **QUICK)
        lost = []
        ws.onreconnecting = lost.append
        await asyncio.sleep(0.02)
        closed = ws.when("close").first()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        async with asyncio.timeout(5):
            await closed
        return lost, left(asyncio.get_running_loop())

    assert runner.run(main()) == ([], [])


# Exceptions that end programs


@pytest.mark.requirements("REC-25", "REC-13")
@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("place", ["url", "protocols", "open", "message", "reconnecting", "error", "close"])
def test_what_ends_a_program_ends_nothing_here(runner, peer, error, place):
    """The exception goes its way, and where the program goes on all the same, so does the socket, to its end."""
    written = []
    raised = []
    url = address(peer, ["accept", "ready", "text one", "fin"], ["fin"])

    def fail(value):
        if not raised:
            raised.append(value)
            raise error

    def ask(value, kind):
        if place == kind:
            fail(value)
        return value

    async def main():
        ws = ReconnectingWebSocket(
            lambda: ask(url, "url"), lambda: ask(None, "protocols"), **QUICK, connect_timeout=None, max_attempts=2
        )
        ws.onopen = lambda _: ws.send("ready")
        for kind in ("open", "message", "reconnecting", "error", "close"):
            ws.addEventListener(kind, lambda event: fail(event) if event.type == place else None)
            ws.addEventListener(kind, lambda event: written.append(event.type))
        async with asyncio.timeout(5):
            await ws.when("close").first()
        for _ in range(5):  # what the last listener raises comes in the next round
            await asyncio.sleep(0)
        return left(asyncio.get_running_loop())

    loop = runner.get_loop()
    program = loop.create_task(main())
    with pytest.raises(error):
        loop.run_until_complete(program)
    assert loop.run_until_complete(program) == []
    assert written.count("close") == 1 and written[-1] == "close"
    before = ["reconnecting"] if place in ("url", "protocols") else []
    assert written == [*before, "open", "message", "reconnecting", *["reconnecting"] * (not before), "error", "close"]


# Chance, and crowds


@pytest.mark.requirements("REC-07")
@pytest.mark.parametrize("jitter", [0, 0.5, 1])
def test_the_share_of_chance(jitter):
    """Delays are spread evenly over that share of each, and never longer than without it."""
    from pyws.backoff import Backoff

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


@pytest.mark.requirements("REC-07")
def test_a_thousand_attempts():
    """No number grows beyond what can be reckoned with."""
    from pyws.backoff import Backoff

    backoff = Backoff(first_delay=1, max_delay=60, growth=10, jitter=0, max_attempts=None)
    assert [backoff.next() for _ in range(2000)] == [1, 10] + [60] * 1998


@pytest.mark.requirements("REC-02", "REC-18")
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


@pytest.mark.requirements("REC-16")
def test_another_thread_is_told_so(runner, peer):
    """`send` and `close` raise there, while it is away and while it is not; by the loop's door they work."""

    async def main():
        ws = await away(peer)
        calls = (ws.send, "x"), (ws.close,), (ws.reconnect,)
        raised = [await asyncio.to_thread(elsewhere, *call) for call in calls]
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
    assert runner.run(main()) == [message] * 5


@pytest.mark.requirements("REC-14")
@pytest.mark.parametrize("url", ["ws://127.0.0.1:1/", lambda: "ws://127.0.0.1:1/"], ids=["str", "function"])
def test_it_needs_a_loop(url):
    """As `WebSocket` does."""
    with pytest.raises(RuntimeError, match=r"needs a running event loop: .*asyncio.run"):
        ReconnectingWebSocket(url)


# Pages


@pytest.mark.once
@pytest.mark.runtimes("chromium", "pyodide-firefox", "brython-firefox")
@pytest.mark.requirements("REC-22", "REC-17")
def test_a_page_is_listened_to_only_while_it_is_away(runtime, peer):
    """What waits for the page to wake leaves no listener behind."""
    inside(
        runtime,
        """
        globalThis.listening = [];
        globalThis.listened = 0;
        globalThis.unwatched = [EventTarget.prototype.addEventListener, EventTarget.prototype.removeEventListener];
        const types = ["online", "pageshow", "visibilitychange"];
        EventTarget.prototype.addEventListener = function (type, callback, ...options) {
            if (types.includes(type)) { listened++; listening.push([this ?? globalThis, type, callback]); }
            return unwatched[0].call(this ?? globalThis, type, callback, ...options);
        };
        EventTarget.prototype.removeEventListener = function (type, callback, ...options) {
            const same = (each) => each[0] === (this ?? globalThis) && each[1] === type && each[2] === callback;
            listening = listening.filter((each) => !same(each));
            return unwatched[1].call(this ?? globalThis, type, callback, ...options);
        };
        null;
        """,
    )
    try:
        for name in ("what_wakes_a_page_wakes_it", "it_tries_now", "close_ends_it_while_it_is_away"):
            result = runtime.run(name, peer.origin, f"reconnecting-{next(numbers)}")
            assert result["journal"] == result["expected"], result["error"]
    finally:
        inside(
            runtime,
            """
            [EventTarget.prototype.addEventListener, EventTarget.prototype.removeEventListener] = unwatched;
            null;
            """,
        )
    assert inside(runtime, "listened") > 0
    assert inside(runtime, "listening.length") == 0


# The package


@pytest.mark.requirements("REC-05")
def test_a_close_while_the_server_closes_is_the_end(runner, peer):
    """The server's code counts, and no attempt follows."""

    async def main():
        ws = ReconnectingWebSocket(address(peer, ["accept", "close 1001", "until close", "sleep"]), **QUICK)
        await event(ws, "open")
        async with asyncio.timeout(5):
            while ws._pyws_connection._connection.state != 2:
                await asyncio.sleep(0.001)
        ws.close(3000)
        return await ws.when("close").first(), ws.readyState

    closed, state = runner.run(main())
    assert (closed.code, closed.wasClean, state) == (1001, True, 3)


@pytest.mark.requirements("REC-13", "REC-05")
def test_a_function_that_fails_after_close_is_reported(runner, monkeypatch):
    """It was canceled by `close()`, and raises another exception: no attempt follows, and one `close`."""
    journal = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, *_: journal.append(kind.__name__))

    async def main():
        async def ask():
            try:
                await asyncio.sleep(30)
            finally:
                raise LookupError

        ws = ReconnectingWebSocket(ask, **QUICK)
        for _ in range(5):
            await asyncio.sleep(0)
        ws.close()
        await event(ws, "close")
        await asyncio.sleep(0)
        journal.append(ws.readyState)

    runner.run(main())
    assert sorted(map(str, journal)) == ["3", "LookupError"]


@pytest.mark.parametrize("place", ["a function", "a listener"])
def test_a_loop_that_ends_reports_no_coroutine(runner, monkeypatch, place):
    """What waits in a function or in an `async def` listener ends with the program."""
    reports = []
    monkeypatch.setattr(sys, "excepthook", lambda *report: reports.append(report))

    async def wait(_=None):
        await asyncio.sleep(30)

    async def main():
        if place == "a function":
            return ReconnectingWebSocket(wait, **QUICK)._pyws_connection
        target = EventTarget()
        target.addEventListener("x", wait)
        target.dispatchEvent(Event("x"))

    loop = runner.get_loop()
    connection = loop.run_until_complete(main())
    for _ in range(5):
        loop.run_until_complete(asyncio.sleep(0))
    (task,) = [task for task in asyncio.all_tasks(loop) if "attempt" in repr(task)]
    task.get_coro().close()  # what the collector does with the coroutine
    assert reports == []
    assert connection is None or connection.state == 0


@pytest.mark.requirements("REC-19")
def test_import_does_not_load_it(runtime):
    """In no runtime: only who asks for it gets it."""
    assert "pyws.websocket" in runtime.imported_by_pyws()
    assert "pyws.reconnecting" not in runtime.imported_by_pyws()


def test_an_unknown_name_is_one():
    """As in other modules."""
    import pyws

    with pytest.raises(AttributeError, match="module 'pyws' has no attribute 'ReconectingWebSocket'"):
        pyws.ReconectingWebSocket  # noqa: B018 - to ask for it is the test
    assert set(pyws.__all__) <= set(dir(pyws))
    assert pyws.ReconnectingWebSocket is sys.modules["pyws.reconnecting"].ReconnectingWebSocket


@pytest.mark.requirements("REC-12")
def test_the_example_of_the_guide(peer, tmp_path):
    """Run as the guide says of scripts like it: the server goes away once."""
    url = address(peer, ["accept", "read", "fin"], ["accept", "text news", "close 1000"])
    section = GUIDE.read_text("utf-8").partition("## Coming back")[2]
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

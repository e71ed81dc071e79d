"""One ending, heard by everyone who waits, by whatever way it is reached."""

import asyncio
import gc
import pkgutil
import re
import sys

import pytest
from pyws import AbortController, AbortSignal, ReconnectingWebSocket, UserAgent, WebSocket, WebSocketStream

KINDS = ("open", "message", "error", "close")


def watched(ws, journal):
    """Let every event of `ws` be a row of the journal."""
    for kind in KINDS:
        ws.addEventListener(kind, lambda event: journal.append(f"{event.type} {ws.readyState}"))


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def outcome(waiting):
    """What waiting comes to: the name of what it gives or raises; whoever hangs is told apart."""
    try:
        async with asyncio.timeout(5):
            return type(await waiting).__name__
    except TimeoutError:
        return "hangs"
    except (Exception, asyncio.CancelledError) as error:
        return type(error).__name__


def cancel_all():
    """Cancel all tasks but this one, as a graceful shutdown does."""
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


MOMENTS = {
    "constructed": (["accept"], lambda ws: True),
    "connecting": (["hang"], lambda ws: True),
    "open": (["accept"], lambda ws: ws.readyState == 1),
    "silent": (["accept", "hang"], lambda ws: ws.readyState == 1),
    "stalled": (["accept", "stall"], lambda ws: ws.readyState == 1),
}


@pytest.mark.requirements("BYE-02", "EVT-16")
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_canceled_socket_closes_for_all_who_wait(runner, url, moment):
    """Its task is canceled, and the program goes on: one `close`, and nobody waits for ever."""
    verbs, reached = MOMENTS[moment]
    journal = []

    async def main():
        ws = WebSocket(url(*verbs))
        watched(ws, journal)
        waiting = [ws.when("close").first(), ws.when("message").first()]
        if moment == "connecting":
            await asyncio.sleep(0.02)
        elif moment != "constructed":
            await until(lambda: reached(ws))
        journal.clear()
        cancel_all()
        heard = [await outcome(each) for each in waiting]
        assert ws.readyState == WebSocket.CLOSED
        heard.append(await outcome(anext(aiter(ws.when("message")))))
        return heard, asyncio.all_tasks() - {asyncio.current_task()}

    assert runner.run(main()) == (["CloseEvent", "LookupError", "StopAsyncIteration"], set())
    assert journal == ["close 3"]


@pytest.mark.requirements("BYE-02", "WSS-07")
@pytest.mark.parametrize("verbs", [["hang"], ["accept", "hang"]], ids=["connecting", "open"])
def test_a_canceled_stream_ends_for_all_who_wait(runner, url, verbs):
    """Each promise of it is kept or broken; who reads gets the error."""

    async def main():
        stream = WebSocketStream(url(*verbs))
        if "accept" in verbs:
            await stream.opened
        waiting = [stream.closed, stream.closed, anext(stream), stream._pyws_readable.getReader().closed]
        if "accept" not in verbs:
            waiting.append(stream.opened)
        tasks = [asyncio.ensure_future(outcome(each)) for each in waiting]
        await asyncio.sleep(0.02)
        stream._pyws_connection._task.cancel()
        return [await task for task in tasks]

    assert set(runner.run(main())) <= {"WebSocketError", "TypeError"}  # the reader has locked the stream


@pytest.mark.requirements("BYE-02")
def test_a_socket_that_is_canceled_twice_closes_once(runner, url):
    """The second time while it waits for a server that does not let go."""
    journal = []

    async def main():
        ws = WebSocket(url("accept", "stall"))
        watched(ws, journal)
        await until(lambda: ws.readyState == 1)
        ws.send(bytes(1 << 24))
        cancel_all()
        await asyncio.sleep(0.02)
        cancel_all()
        await until(lambda: ws.readyState == 3)
        await asyncio.sleep(0.02)

    runner.run(main())
    assert journal == ["open 1", "close 3"]


class Custom(BaseException):
    """Neither an Exception nor one of Python's own."""


@pytest.mark.requirements("EVT-19", "ERR-02")
@pytest.mark.parametrize("error", [Custom, GeneratorExit, asyncio.CancelledError, MemoryError, StopIteration])
@pytest.mark.parametrize("kind", KINDS)
def test_any_exception_in_any_listener_is_reported(runner, url, monkeypatch, kind, error):
    """The listeners after it, the events after it and everyone who waits hear all the same."""
    journal, reports = [], []
    monkeypatch.setattr(sys, "excepthook", lambda kind, *_: reports.append(kind))

    def fail(event):
        raise error

    async def main():
        verbs = ["accept", "text a", "text b", "close 1000"] if kind != "error" else ["fin"]
        ws = WebSocket(url(*verbs))
        ws.addEventListener(kind, fail)
        watched(ws, journal)
        return await outcome(ws.when("close").first())

    assert runner.run(main()) == "CloseEvent"
    assert set(reports) == {error}
    assert journal == (["error 3", "close 3"] if kind == "error" else ["open 1", "message 1", "message 1", "close 3"])


@pytest.mark.requirements("EVT-19")
def test_an_exception_of_the_only_listener_is_reported(runner, url, monkeypatch):
    """It is called without a look at others, and hears the next message all the same."""
    heard, reports = [], []
    monkeypatch.setattr(sys, "excepthook", lambda kind, *_: reports.append(kind))

    def fail(event):
        heard.append((event.data, event.currentTarget is ws))
        raise ZeroDivisionError

    async def main():
        nonlocal ws
        ws = WebSocket(url("accept", "text a", "text b", "close 1000"))
        ws.onmessage = fail
        return await outcome(ws.when("close").first())

    ws = None
    assert runner.run(main()) == "CloseEvent"
    assert heard == [("a", True), ("b", True)]
    assert reports == [ZeroDivisionError] * 2


@pytest.mark.requirements("EVT-19", "ERR-02")
@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("capture", [False, True])
def test_an_interrupt_goes_its_way_when_everyone_has_heard(runner, url, kind, error, capture):
    """It ends `run`; a loop that goes on after it has lost no message, and no event."""
    journal = []
    ws = None

    def end(event):
        ws.removeEventListener(kind, end, capture)
        raise error

    async def main():
        nonlocal ws
        verbs = ["hold", "accept", "text a", "text b", "raw 8101", "release", "raw 63", "close 1000"]
        ws = WebSocket(url(*verbs if kind != "error" else ["fin"]))
        ws.addEventListener(kind, end, capture)
        watched(ws, journal)
        await ws.when("close").first()

    loop = runner.get_loop()
    task = loop.create_task(main())
    with pytest.raises(error):
        loop.run_until_complete(task)
    assert [row for row in journal if row.startswith(kind)]  # the listener after it has heard, too
    loop.run_until_complete(task)
    whole = ["open 1", "message 1", "message 1", "message 1", "close 3"]
    assert journal == (["error 3", "close 3"] if kind == "error" else whole)


PLACES = [
    ("pyws.cpython.opening.Opening", "_start_step"),
    ("pyws.cpython.handshake.Handshake", "_read_head"),
    ("pyws.cpython.handshake.Handshake", "_read_answer"),
    ("pyws.cpython.useragent.UserAgent", "keep_cookies"),
    ("pyws.cpython.receiver.Receiver", "keep"),
    ("pyws.cpython.receiver.Receiver", "feed"),
    ("pyws.cpython.receiver.Receiver", "_feed_core"),
    ("pyws.cpython.connection.Connection", "close_received"),
    ("pyws.cpython.sender.Sender", "__init__"),
    ("pyws.cpython.sender.Sender", "finish"),
    ("pyws.cpython.sender.Sender", "write_queue"),
    ("pyws.cpython.sender.Sender", "write_core"),
    ("pyws.cpython.closing.Closing", "_set_timer"),
    ("pyws.cpython.connection.Connection", "_end_timers"),
    ("pyws.cpython.connection.Connection", "_conclude"),
    ("pyws.websocket.WebSocket", "_pyws_closed"),
    ("pyws.dom.EventTarget", "_pyws_end"),
]


@pytest.mark.requirements("EVT-16", "BYE-02")
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(("owner", "name"), PLACES, ids=[name for _, name in PLACES])
def test_an_interrupt_between_two_lines(runner, url, monkeypatch, owner, name, moment):
    """Ctrl-C may come in any of our functions: it goes its way, and if the loop goes on there is one end."""
    journal = []
    owner = pkgutil.resolve_name(owner)
    original = getattr(owner, name)
    raised = []

    def interrupted(*arguments):
        result = original(*arguments) if moment == "after" or raised else None
        if not raised:
            raised.append(name)
            raise KeyboardInterrupt
        return result

    async def main():
        ws = WebSocket(url("hold", "accept", "ping", "text a", "raw 8101", "release", "raw 62", "read 2", "close 1000"))
        ws.onopen = lambda event: ws.send("x")
        watched(ws, journal)
        await ws.when("close").first()

    monkeypatch.setattr(owner, name, interrupted)
    loop = runner.get_loop()
    task = loop.create_task(main())
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(task)
    if not task.done():
        loop.run_until_complete(task)
    assert raised == [name]
    assert journal.count("close 3") == 1 and journal[-1] == "close 3"
    assert journal.count("open 1") <= 1


@pytest.mark.requirements("EVT-19")
def test_an_excepthook_that_exits_ends_the_program_when_everyone_has_heard(runner, url, monkeypatch):
    """A program may end itself at its first exception."""
    journal = []

    def leave(*_):
        raise SystemExit(3)

    monkeypatch.setattr(sys, "excepthook", leave)

    async def main():
        ws = WebSocket(url("fin"))
        ws.addEventListener("error", lambda event: 1 / 0, once=True)
        watched(ws, journal)
        await ws.when("close").first()

    loop = runner.get_loop()
    task = loop.create_task(main())
    with pytest.raises(SystemExit):
        loop.run_until_complete(task)
    loop.run_until_complete(task)
    assert journal == ["error 3", "close 3"]


@pytest.mark.requirements("EVT-19")
def test_an_interrupt_in_a_listener_of_abort_stops_no_other(runner):
    """All signals are aborted, all their listeners called; then `abort()` raises it."""
    heard = []

    def leave(event):
        raise SystemExit

    controller = AbortController()
    both = AbortSignal.any([controller.signal])
    controller.signal.addEventListener("abort", leave)
    for signal in (controller.signal, both):
        signal.addEventListener("abort", lambda event: heard.append(event.target))
    with pytest.raises(SystemExit):
        controller.abort()
    assert heard == [controller.signal, both]


@pytest.mark.requirements("TMO-03")
@pytest.mark.parametrize("rounds", range(8))
def test_the_opening_timeout_at_any_moment(runner, url, rounds):
    """However late it comes there is one end, and a socket that has opened stays open."""
    journal = []

    async def main():
        with UserAgent(opening_timeout=0.0001 * 2**rounds):
            ws = WebSocket(url("accept"))
        watched(ws, journal)
        await until(lambda: ws.readyState in (1, 3))
        await asyncio.sleep(0.03)
        ws.close()
        await until(lambda: ws.readyState == 3)
        await asyncio.sleep(0.005)

    runner.run(main())
    assert journal in (["error 3", "close 3"], ["open 1", "close 3"])


def test_a_loop_that_ends_takes_its_sockets_along(runner, url):
    """Nobody complains about a socket that is garbage after its loop was closed, and it is CLOSED."""
    complaints = []

    async def main():
        ws = WebSocket(url("accept", "hang"))
        await until(lambda: ws.readyState == 1)
        return ws

    loop = runner.get_loop()
    ws = loop.run_until_complete(main())
    loop.set_exception_handler(lambda _, context: complaints.append(context["message"]))
    task = ws._pyws_connection._task
    task.get_coro().close()  # what the collector does with the coroutine
    assert ws.readyState == WebSocket.CLOSED
    del task
    gc.collect()
    ws._pyws_connection._transport.abort()


@pytest.mark.requirements("ERR-02", "TMO-03")
def test_a_refusal_counts_when_its_head_has_come(runner, caplog, monkeypatch):
    """Though the time is up while its body is still coming."""
    monkeypatch.setattr("pyws.cpython.handshake.REFUSAL_BODY_TIMEOUT", 60)

    async def main():
        async def refuse(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\nabc")
            await reader.read()
            writer.close()

        server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with UserAgent(proxy="", opening_timeout=2):
            ws = WebSocket(url)
        await ws.when("close").first()
        with UserAgent(proxy=""):
            again = ReconnectingWebSocket(url, connect_timeout=2, first_delay=0)
        await again.when("close").first()
        server.close()

    runner.run(main())
    assert [record.getMessage().partition(" failed: ")[2] for record in caplog.records if record.name == "pyws"] == [
        "the server answered 403 No instead of 101; it refuses this client: Origin, cookies or a token may be missing; "
        'it says "abc"'
    ] * 2


@pytest.mark.requirements("TMO-03")
def test_the_log_says_what_took_the_time_of_connect_timeout(runner, url, caplog):
    """As for any other limit."""

    async def main():
        ws = ReconnectingWebSocket(url("hang"), connect_timeout=0.1, max_attempts=0)
        await ws.when("close").first()

    runner.run(main())
    (line,) = [record.getMessage() for record in caplog.records if record.name == "pyws"]
    assert re.search(r"not open within connect_timeout, 0\.1 seconds: the last \d\.\d of them were spent waiting", line)


@pytest.mark.parametrize("value", ["Wed, 21 Oct 99999999999999 07:28:00 GMT", "soon", "-1", "\xb2", "1e3"])
def test_a_retry_after_that_is_none(runner, value):
    """It changes nothing."""

    async def main():
        async def refuse(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.1 503 No\r\nRetry-After: {value}\r\nContent-Length: \xb2\r\n\r\n".encode("latin-1"))
            writer.close()

        server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with UserAgent(proxy=""):
            ws = ReconnectingWebSocket(url, first_delay=0.01, jitter=0, max_attempts=1)
        event = await ws.when("reconnecting").first()
        ended = await ws.when("close").first()
        server.close()
        return event.delay, ended.code

    assert runner.run(main()) == (0.01, 1006)


@pytest.mark.requirements("EVT-19")
def test_an_async_listener_that_exits_is_not_complained_about(runner, url):
    """It ends the program, and that is all."""
    complaints = []

    async def main():
        ws = WebSocket(url("accept"))

        async def leave(event):
            raise SystemExit(3)

        ws.onopen = leave
        await asyncio.sleep(5)

    runner.get_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
    with pytest.raises(SystemExit):
        runner.run(main())
    runner.close()
    gc.collect()
    assert complaints == []

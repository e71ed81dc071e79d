"""How long a socket lives on CPython: what garbage collection, the end of the program and its interruption do to it.

And in pages, what is left of a socket once it is closed.
"""

import asyncio
import gc
import itertools
import ssl
import threading
import time
import weakref

import pytest
import pyws.cpython.closing
from pyws import DOMException, EventTarget, UserAgent, WebSocket

from peer import Peer

KINDS = ("open", "message", "error", "close")
numbers = itertools.count()


@pytest.fixture
def address(peer, url):
    """`url`; `address.heard()` is what the peer heard in the last conversation, `address.wake()` ends its `sleep`."""
    url.heard = lambda: peer.heard(url.key)
    url.wake = lambda: peer.wake(url.key)
    url.requested = lambda: bool(peer.records[url.key].request)
    return url


async def until(condition):
    """Wait until `condition()` holds."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.002)


async def survives(thing):
    """Whether what a weak reference refers to is still there when garbage was collected, a few rounds later too."""
    for _ in range(5):
        await asyncio.sleep(0)
        gc.collect()
    return thing() is not None


def leave(runner):
    """End the program, as `asyncio.run` does when its coroutine has returned."""
    runner.close()


# Garbage collection

VERBS = {"CONNECTING": ["hang"], "OPEN": ["accept"], "CLOSING": ["accept", "hang"]}
KEPT_BY = {"CONNECTING": KINDS, "OPEN": ("message", "error", "close"), "CLOSING": ("error", "close")}


async def reach(state, url):
    """A socket in that state, and nothing but a weak reference to it besides."""
    ws = WebSocket(url)
    if state != "CONNECTING":
        await until(lambda: ws.readyState == WebSocket.OPEN)
    if state == "CLOSING":
        ws.close()
    assert ws.readyState == getattr(WebSocket, state)
    return ws, weakref.ref(ws)


@pytest.mark.requirements("GCO-01", "GCO-02", "GCO-03", "GCO-07")
@pytest.mark.parametrize("by", ["addEventListener", "handler"])
@pytest.mark.parametrize("kind", [*KINDS, "other"])
@pytest.mark.parametrize("state", VERBS)
def test_a_listener_keeps_a_socket_alive_while_its_event_may_come(runner, address, state, kind, by):
    """In each state those listeners count whose event can still come; without one the socket is garbage."""

    async def main():
        ws, thing = await reach(state, address(*VERBS[state]))
        if by == "addEventListener":
            ws.addEventListener(kind, lambda event: None)
        elif kind in KINDS:
            setattr(ws, f"on{kind}", lambda event: None)
        del ws
        return await survives(thing)

    assert runner.run(main()) == (kind in KEPT_BY[state])


@pytest.mark.requirements("GCO-02", "GCO-07")
def test_a_listener_that_is_removed_keeps_nothing_alive(runner, address):
    """The rule is asked again whenever listeners or the state change."""

    async def main():
        ws, thing = await reach("OPEN", address("accept"))
        ws.onmessage = ws.onopen = lambda event: None
        ws.onmessage = None
        del ws
        return await survives(thing)

    assert not runner.run(main())


@pytest.mark.requirements("GCO-07")
def test_an_open_listener_alone_sees_open_and_no_more(runner, address):
    """It keeps a connecting socket alive, so `open` comes; after that nothing does, and the socket is closed."""

    async def main():
        opened = []
        ws = WebSocket(address("accept"))
        ws.onopen = lambda event: opened.append(event.type)
        thing = weakref.ref(ws)
        del ws
        gc.collect()
        await until(lambda: opened)
        alive = await survives(thing)
        return opened, alive, await asyncio.to_thread(address.heard)

    assert runner.run(main()) == (["open"], False, ["close"])


@pytest.mark.requirements("GCO-02")
def test_a_conversation_goes_on_without_a_reference(runner, address):
    """A program may drop its socket and live on in the listeners."""

    async def main():
        journal = []
        ended = asyncio.Event()

        def connect():
            ws = WebSocket(address("accept", "wait 0.02", "text one", "wait 0.02", "close 4000 end"))
            ws.onmessage = lambda event: journal.append(event.data)
            ws.onclose = lambda event: (journal.append(event.reason), ended.set())

        connect()
        while not ended.is_set():
            gc.collect()
            await asyncio.sleep(0.005)
        return journal

    assert runner.run(main()) == ["one", "end"]


@pytest.mark.requirements("GCO-02", "GCO-07")
def test_a_socket_is_held_while_it_listens(runner, address):
    """And its connection can say so."""

    async def main():
        ws = WebSocket(address("hang"))
        held = [ws._pyws_connection.held]
        for handler in (print, None):
            ws.onmessage = handler
            held.append(ws._pyws_connection.held)
        ws.close()
        return held

    assert runner.run(main()) == [False, True, False]


@pytest.mark.requirements("GCO-05", "PYQ-23")
def test_a_collected_socket_says_goodbye(runner, address):
    """The peer gets a Close frame without a code."""

    async def main():
        ws, thing = await reach("OPEN", address("accept"))
        del ws
        alive = await survives(thing)
        return alive, await asyncio.to_thread(address.heard)

    assert runner.run(main()) == (False, ["close"])


@pytest.mark.requirements("GCO-05", "PYQ-10")
def test_a_socket_may_be_collected_in_another_thread(runner, address):
    """The garbage collector runs where it likes; the Close frame is sent from the thread of the loop."""

    async def main():
        ws, thing = await reach("OPEN", address("accept"))
        ws.itself = ws
        gc.disable()
        try:
            del ws
            await asyncio.to_thread(gc.collect)
        finally:
            gc.enable()
        return thing() is None, await asyncio.to_thread(address.heard)

    assert runner.run(main()) == (True, ["close"])


@pytest.mark.requirements("GCO-05")
def test_a_connecting_socket_that_is_collected_is_given_up(runner, address):
    """TCP ends, and the handshake with it."""

    async def main():
        ws, thing = await reach("CONNECTING", address("hang"))
        await until(address.requested)
        del ws
        alive = await survives(thing)
        return alive, await asyncio.to_thread(address.heard)

    assert runner.run(main()) == (False, ["eof"])


@pytest.mark.requirements("GCO-04")
def test_unsent_data_is_sent_before_a_collected_socket_closes(runner, address):
    """What was given to `send` arrives whole, though the program has dropped the socket at once."""

    async def main():
        ws, thing = await reach("OPEN", address("accept", "wait 0.1"))
        ws.send("first")
        ws.send(bytes(1 << 23))
        assert ws.bufferedAmount
        del ws
        await survives(thing)
        return await asyncio.to_thread(address.heard)

    first, second, third = runner.run(main())
    assert (first, second.partition(",")[0], third) == ("text 'first'", "binary <8388608 bytes", "close")


@pytest.mark.requirements("GCO-06", "PYQ-23")
@pytest.mark.parametrize("verbs", [["accept", "close 1000"], ["accept", "raw 8300"], ["fin"]], ids=" ".join)
def test_nothing_keeps_a_closed_socket(runner, address, verbs):
    """With all its listeners, and though a listener refers to it, it is garbage, and so is the connection below."""

    async def main():
        ended = asyncio.Event()
        ws = WebSocket(address(*verbs))
        ws.onopen = ws.onmessage = ws.onerror = lambda event, itself=ws: itself.readyState
        ws.onclose = lambda event: ended.set()
        things = [weakref.ref(ws), weakref.ref(ws._pyws_connection), weakref.ref(ws._pyws_connection._task)]
        await ended.wait()
        del ws
        return [await survives(thing) for thing in things]

    assert runner.run(main()) == [False] * 3


def test_a_socket_may_outlive_its_loop(runner, address):
    """Collected when the loop is closed it does nothing and complains about nothing."""

    async def main():
        return (await reach("OPEN", address("accept")))[0]

    ws = runner.run(main())
    leave(runner)
    thing = weakref.ref(ws)
    del ws
    gc.collect()
    assert thing() is None


@pytest.mark.requirements("HND-10", "PYQ-13")
def test_an_async_listener_is_kept_until_it_ends(runner):
    """The loop refers to its tasks only weakly: what waits for something that only it knows is held by pyws."""

    async def main():
        target, seen, waits = EventTarget(), [], []

        async def listener(event):
            future = asyncio.get_running_loop().create_future()
            waits.append(weakref.ref(future))
            seen.append(await future)

        target.addEventListener("x", listener)
        target.dispatchEvent(pyws.Event("x"))
        await until(lambda: waits)
        alive = await survives(waits[0])
        waits[0]().set_result("done")
        await until(lambda: seen)
        return alive, seen, len(pyws.loop._running)

    assert runner.run(main()) == (True, ["done"], 0)


# Loops and threads


@pytest.mark.requirements("PYQ-10")
def test_without_a_running_loop_the_constructor_says_what_to_do():
    """RuntimeError, before anything is begun."""
    with pytest.raises(RuntimeError, match=r"asyncio\.run\(main\(\)\).*python -m pyws"):
        WebSocket("ws://127.0.0.1/")


@pytest.mark.requirements("PYQ-10")
def test_each_socket_belongs_to_the_loop_that_it_was_made_in(address):
    """Two loops in two threads: every event comes in the thread of its socket, and no other thread is started."""
    urls = [address("accept", "text x", "close 1000"), address("accept", "text x", "close 1000")]
    journals = [[], []]

    async def main(url, journal):
        me, ended = threading.get_ident(), asyncio.Event()
        ws = WebSocket(url)
        for kind in KINDS:
            ws.addEventListener(kind, lambda event: journal.append((event.type, threading.get_ident() == me)))
        ws.addEventListener("close", lambda event: ended.set())
        await ended.wait()
        journal.append(threading.active_count())

    before = threading.active_count()
    threads = [
        threading.Thread(target=lambda pair=pair: asyncio.run(main(*pair))) for pair in zip(urls, journals, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for journal in journals:
        assert journal.pop() <= before + 2
        assert journal == [("open", True), ("message", True), ("close", True)]


# Interruption


@pytest.mark.requirements("EVT-19", "PYQ-14")
@pytest.mark.parametrize("kind", [*KINDS, "async"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_interrupts_in_a_listener_end_the_program(runner, address, capfd, error, kind):
    """They are not reported as errors but end the run; sockets that are open then say that they go."""
    second = address("accept", "text x", "raw 8300")
    first = address("accept")

    def interrupt(event):
        raise error

    async def interrupt_later(event):
        raise error

    async def main():
        bystander = WebSocket(first)
        await until(lambda: bystander.readyState == WebSocket.OPEN)
        ws = WebSocket(second)
        if kind == "async":
            ws.onmessage = interrupt_later
        else:
            ws.addEventListener(kind, interrupt)
        await asyncio.sleep(5)

    with pytest.raises(error):
        runner.run(main())
    leave(runner)
    assert address.heard() == ["close 1001 ''"]
    gc.collect()
    assert capfd.readouterr() == ("", "")


@pytest.mark.requirements("EVT-19", "BYE-02")
def test_what_was_sent_before_an_interrupt_is_sent(runner, address):
    """A listener that ends the program has not said in vain what it said before; it is not called again."""
    journal = []

    async def main():
        ws = WebSocket(address("hold", "accept", "text one", "text two", "release"))

        def answer(event):
            journal.append(event.type)
            ws.send("last words")
            raise SystemExit

        ws.onmessage = answer
        await asyncio.sleep(5)

    with pytest.raises(SystemExit):
        runner.run(main())
    leave(runner)
    assert (journal, address.heard()) == (["message"], ["text 'last words'", "close 1001 ''"])


# The program ends


def played(runner, url, act, pause=None, tls=None):
    """Run a program that opens `url`, does `await act(ws)` and ends: its tasks are canceled; the events after that.

    `pause()` is called in between.
    """
    journal = []

    async def main():
        with UserAgent(tls=tls):
            ws = WebSocket(url)
        for kind in KINDS:
            ws.addEventListener(kind, lambda event: journal.append(event.type))
        await act(ws)
        return ws

    ws = runner.run(main())
    journal.clear()
    if pause is not None:
        pause()
    leave(runner)
    assert ws.readyState == WebSocket.CLOSED
    return journal


async def is_open(ws):
    await until(lambda: ws.readyState == WebSocket.OPEN)


@pytest.mark.requirements("BYE-01", "BYE-04")
@pytest.mark.parametrize("verbs", [["hang"], ["head HTTP/1.1 101 Switching Protocols"]], ids=["silent", "half"])
def test_leaving_while_connecting_ends_tcp(runner, address, verbs):
    """The peer's line is cut, and the program hears of the end, and of nothing else."""

    async def act(ws):
        await until(address.requested)

    assert played(runner, address(*verbs, "hang"), act) == ["close"]
    assert address.heard() == ["eof"]


@pytest.mark.requirements("BYE-01", "BYE-04")
@pytest.mark.parametrize("rounds", range(8))
def test_leaving_at_any_moment_of_connecting(runner, address, rounds):
    """In every early round of the loop: no event, no complaint, no socket left open."""

    async def act(ws):
        for _ in range(rounds):
            await asyncio.sleep(0)

    assert played(runner, address("accept"), act) == ["close"]


async def closed_after(rounds, ws):
    """The types of the events of a socket that is closed after so many rounds of the loop."""
    journal, ended = [], asyncio.Event()
    for kind in KINDS:
        ws.addEventListener(kind, lambda event: journal.append(event.type))
    ws.addEventListener("close", lambda event: ended.set())
    for _ in range(rounds):
        await asyncio.sleep(0)
    ws.close()
    async with asyncio.timeout(5):
        await ended.wait()
    return journal


@pytest.mark.requirements("BYE-01", "CLS-13")
@pytest.mark.parametrize("rounds", range(8))
def test_close_at_any_moment_of_connecting(runner, address, rounds):
    """In every early round of the loop `close()` leads to the `close` event."""

    async def main():
        return await closed_after(rounds, WebSocket(address("hang")))

    assert runner.run(main()) == ["error", "close"]


@pytest.mark.requirements("ERR-02", "CLS-13")
@pytest.mark.parametrize("rounds", range(8))
@pytest.mark.parametrize("answer", ["fin", "reset", r"head HTTP/1.1%20404%20No\r\n\r\n"])
def test_close_at_any_moment_of_a_failure(runner, address, answer, rounds):
    """In every round of the loop after the server's refusal `close()` leads to the `close` event, too."""

    async def main():
        ws = WebSocket(address("wait 0.05", answer, "hang"))
        await until(address.requested)
        time.sleep(0.1)  # the refusal is there, and this loop has not seen it
        return await closed_after(rounds, ws)

    assert runner.run(main()) == ["error", "close"]


@pytest.mark.requirements("ERR-02", "CKE-07")
def test_a_server_that_vanishes_after_its_challenge_is_a_refusal(runner):
    """It asks for credentials and listens no more: the second attempt fails as a first one would."""

    async def main():
        journal, ended = [], asyncio.Event()

        async def challenge(reader, writer):
            server.close()
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(challenge, "127.0.0.1", 0)
        ws = WebSocket(f"ws://user:word@127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        for kind in KINDS:
            ws.addEventListener(kind, lambda event: journal.append(event.type))
        ws.addEventListener("close", lambda event: ended.set())
        async with asyncio.timeout(5):
            await ended.wait()
        return journal

    assert runner.run(main()) == ["error", "close"]


@pytest.mark.requirements("BYE-02", "BYE-04", "BYE-05")
def test_leaving_an_open_socket_sends_1001(runner, address):
    """After what was sent; a program itself cannot send that code; no event comes any more."""

    async def act(ws):
        await is_open(ws)
        with pytest.raises(DOMException, match="InvalidAccessError"):
            ws.close(1001)
        ws.send("last words")

    assert played(runner, address("accept"), act) == ["close"]
    assert address.heard() == ["text 'last words'", "close 1001 ''"]


@pytest.mark.requirements("BYE-03", "BYE-04")
def test_leaving_after_close_sends_nothing_more(runner, address):
    """The closing handshake was started by us: there is one Close frame."""

    async def act(ws):
        await is_open(ws)
        ws.close(3000, "ours")
        await asyncio.sleep(0.02)

    assert played(runner, address("accept", "hang"), act) == ["close"]
    assert address.heard() == ["close 3000 'ours'", "eof"]


@pytest.mark.requirements("BYE-03", "BYE-04")
def test_leaving_right_after_close_sends_the_close_given(runner, address):
    """`close()` in the last task of the program: its Close frame goes out, not 1001."""

    async def act(ws):
        await is_open(ws)
        ws.send("last words")
        ws.close(3000, "ours")

    assert played(runner, address("accept", "hang"), act) == ["close"]
    assert address.heard() == ["text 'last words'", "close 3000 'ours'", "eof"]


@pytest.mark.requirements("BYE-03", "BYE-04")
def test_leaving_while_the_server_closes_sends_nothing_more(runner, address):
    """The closing handshake was started by the server: it has had our answer."""

    async def act(ws):
        await until(lambda: ws.readyState == WebSocket.CLOSING)

    assert played(runner, address("accept", "close 3001 theirs", "hang"), act) == ["close"]
    assert address.heard() == ["close 3001 'theirs'", "eof"]


@pytest.mark.requirements("BYE-04")
@pytest.mark.parametrize("last", ["text late", "close 1000", "raw 8300", "fin", "reset"])
@pytest.mark.parametrize("first", ["text late", "ping"])
def test_what_arrives_when_the_program_ends_is_not_dispatched(runner, address, first, last):
    """Messages, a Close, a failure or the end of TCP that wait in the system's buffer then."""

    def pause():
        address.wake()
        time.sleep(0.1)

    assert played(runner, address("accept", "sleep", first, last), is_open, pause) == ["close"]


@pytest.mark.requirements("BYE-04")
def test_nothing_is_dispatched_while_tls_says_goodbye(runner, monkeypatch):
    """TLS still reads while it waits for what it wrote to be taken."""
    monkeypatch.setattr(pyws.cpython.closing, "TCP_CLOSE_TIMEOUT", 0.3)

    async def act(ws):
        await is_open(ws)
        ws.send(bytes(1 << 25))

    with Peer(tls=True) as secure:
        context = ssl.create_default_context()
        secure.authority.configure_trust(context)
        url = f"{secure.origin}/tls?do=accept&do=wait%200.1&do=text%20late&do=stall"
        assert played(runner, url, act, tls=context) == ["close"]


def test_tls_keeps_a_small_buffer():
    """asyncio's names are private: a Python that has others costs each connection 256 KiB, and is named here."""
    buffers = []

    async def main(secure):
        with UserAgent(tls=context, proxy=""):
            ws = WebSocket(f"{secure.origin}/small?do=accept&do=echo")
        ws.binaryType = "arraybuffer"
        await ws.when("open").first()
        buffers.append(len(ws._pyws_connection._transport._ssl_protocol._ssl_buffer))
        for size in (16384, 65536, 65537, 1 << 20):
            ws.send(bytes(size))
            event = await ws.when("message").first()
            assert event.data == bytes(size)
        ended = ws.when("close").first()
        ws.close()
        await ended

    with Peer(tls=True) as secure:
        context = ssl.create_default_context()
        secure.authority.configure_trust(context)
        asyncio.run(main(secure))
    assert buffers == [pyws.cpython.opening.TLS_BUFFER]


@pytest.mark.requirements("BYE-03")
@pytest.mark.parametrize("last", ["close 1000", "raw 8300", "fin", "reset"])
@pytest.mark.parametrize("first", ["text late", "ping"])
def test_leaving_when_the_connection_has_just_ended(runner, address, first, last):
    """The end waits in the system's buffer while the last round of the loop begins: no complaint."""

    async def act(ws):
        await is_open(ws)
        address.wake()
        time.sleep(0.1)

    played(runner, address("accept", "sleep", first, last), act)


@pytest.mark.requirements("BYE-02")
def test_a_peer_that_does_not_read_cannot_hold_the_program(runner, address, monkeypatch):
    """What the network does not take is given up after `TCP_CLOSE_TIMEOUT` seconds."""
    monkeypatch.setattr(pyws.cpython.closing, "TCP_CLOSE_TIMEOUT", 0.1)

    async def act(ws):
        await is_open(ws)
        ws.send(bytes(1 << 25))

    start = time.monotonic()
    assert played(runner, address("accept", "stall"), act) == ["close"]
    assert time.monotonic() - start < 2


# Pages


def inside(runtime, script):
    """The value of a script of the page itself: what a driver runs may have a global object of its own."""
    return runtime.evaluate("return (globalThis.self ?? globalThis).eval(given[0])", script)["value"]


@pytest.mark.once
# Collectors that can be asked to run, and then find all: those of Bun and MicroPython keep what may be on their stack.
@pytest.mark.runtimes(
    *("pyodide-chromium", "pyodide-worker-chromium", "pyscript-chromium", "pyodide-firefox", "pyodide-node"),
    *("brython-chromium", "brython-worker-chromium", "brython-firefox", "pyodide-deno"),
)
@pytest.mark.requirements("GCO-06", "PYQ-23")
def test_closed_sockets_are_garbage_in_a_page(runtime, peer):
    """Of closed sockets the browser's collector finds none: no handler, proxy or Python object holds on to them."""

    inside(
        runtime,
        """
        globalThis.witnessed = [];
        globalThis.witness = (thing) => { witnessed.push(new WeakRef(thing)); };
        globalThis.Unwatched = WebSocket;
        globalThis.WebSocket = class WebSocket extends Unwatched {
            constructor(...details) { super(...details); witness(this); }
        };
        null;
        """,
    )
    name = "closed_sockets_leave_nothing_behind"
    try:
        result = runtime.run(name, peer.origin, f"lifetime-{next(numbers)}")
    finally:
        inside(runtime, "globalThis.WebSocket = Unwatched; delete globalThis.witness")
    assert result["journal"] == result["expected"], result["error"]
    runtime.collect_garbage()
    assert inside(runtime, "witnessed.length") >= 40
    assert inside(runtime, "witnessed.map((thing) => thing.deref()).filter(Boolean).length") == 0

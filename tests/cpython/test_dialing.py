"""How names become addresses, and what is set on the socket."""

import asyncio
import itertools
import logging
import socket
import threading
import time

import pytest
from pyws import UserAgent, WebSocket
from pyws.cpython import dialing

from resolver import resolving

numbers = itertools.count()


async def closed(ws):
    ended = asyncio.Event()
    ws.addEventListener("close", lambda event: ended.set())
    await ended.wait()


@pytest.mark.requirements("TMO-05")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "name.test"])
def test_the_socket_is_kept_alive_and_sends_at_once(runner, peer, monkeypatch, host):
    """TCP asks every 45 seconds whether the other side is there, as in Chromium; small messages do not wait."""
    resolving(monkeypatch, {"name.test": ["127.0.0.1"]})

    async def main():
        with UserAgent(proxy=""):
            ws = WebSocket(f"ws://{host}:{peer.port}/dialing-{next(numbers)}?do=accept")
        await ws.when("open").first()
        sock = ws._pyws_connection._transport.get_extra_info("socket")
        options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE), (socket.IPPROTO_TCP, socket.TCP_NODELAY)]
        options += [(socket.IPPROTO_TCP, getattr(socket, name)) for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL")]
        found = [sock.getsockopt(level, option) for level, option in options]
        ws.close()
        await closed(ws)
        return found

    assert runner.run(main()) == [1, 1, 45, 45]


@pytest.mark.parametrize("end", ["of the task", "of the loop"])
def test_a_resolver_that_answers_after_the_end(monkeypatch, end):
    """Nothing happens, and no exception is in its thread."""
    asked, answer = threading.Event(), threading.Event()
    monkeypatch.setattr(dialing, "_look_up", lambda *_: [asked.set(), answer.wait(10)])
    loop = asyncio.new_event_loop()
    task = loop.create_task(dialing.resolve("late.test", 80))
    loop.run_until_complete(asyncio.sleep(0))
    assert asked.wait(10)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "pyws resolves late.test"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    if end == "of the loop":
        loop.close()
    answer.set()
    thread.join(10)
    if end == "of the task":
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


@pytest.mark.requirements("CON-14")
@pytest.mark.parametrize("host", ["localhost", "app.localhost", "LOCALHOST", "a.b.localhost", "localhost."])
def test_localhost_is_this_machine_whatever_the_resolver_says(runner, peer, monkeypatch, host):
    """So no name that browsers take for secure leads elsewhere."""
    resolving(monkeypatch, {host.lower(): ["127.0.0.9"], host: ["127.0.0.9"]})

    async def main():
        with UserAgent(proxy=""):
            ws = WebSocket(f"ws://{host}:{peer.port}/dialing-{next(numbers)}?do=accept&do=close")
        kinds = []
        ws.onopen = ws.onerror = lambda event: kinds.append(event.type)
        await closed(ws)
        return kinds

    assert runner.run(main()) == ["open"]


@pytest.mark.requirements("TMO-03")
def test_names_are_resolved_though_asyncio_s_threads_are_busy(runner, peer, monkeypatch):
    """And a resolver that hangs holds up nobody else, nor the end of the program."""
    hangs, busy = threading.Event(), threading.Event()
    system = socket.getaddrinfo

    def resolve(host, *arguments, **keywords):
        if host == b"slow.test":
            hangs.wait()
        return system("127.0.0.1" if host == b"name.test" else host, *arguments, **keywords)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    async def main():
        for _ in range(40):
            asyncio.get_running_loop().run_in_executor(None, busy.wait)
        with UserAgent(proxy=""):
            slow = WebSocket(f"ws://slow.test:{peer.port}/")
            ws = WebSocket(f"ws://name.test:{peer.port}/dialing-{next(numbers)}?do=accept&do=close")
        await ws.when("open").first()
        start = time.monotonic()
        slow.close()
        await closed(slow)
        busy.set()
        return time.monotonic() - start

    assert runner.run(main()) < 5
    start = time.monotonic()
    runner.close()
    assert time.monotonic() - start < 5
    hangs.set()


@pytest.mark.requirements("TMO-03", "TMO-04")
def test_the_log_names_the_step_that_took_the_time(runner, peer, monkeypatch, caplog):
    """The resolver, the turn, and TCP; the system's own time-out is told as itself."""
    hangs = threading.Event()
    system = socket.getaddrinfo

    def resolve(host, *arguments, **keywords):
        if host == b"slow.test":
            hangs.wait()
        return system(host, *arguments, **keywords)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    async def main():
        with UserAgent(proxy="", opening_timeout=0.2):
            await closed(WebSocket("ws://slow.test/"))
        with UserAgent(proxy=""):
            first = WebSocket(f"ws://127.0.0.1:{peer.port}/dialing-{next(numbers)}?do=hang")
        await asyncio.sleep(0.05)
        with UserAgent(proxy="", opening_timeout=0.2):
            await closed(WebSocket(f"ws://127.0.0.1:{peer.port}/dialing-{next(numbers)}?do=accept"))
        first.close()
        await closed(first)

    with caplog.at_level(logging.WARNING, "pyws"):
        runner.run(main())
    hangs.set()
    slow, waits, _ = [record.getMessage() for record in caplog.records if record.name == "pyws"]
    assert "spent asking the resolver for the address of slow.test" in slow
    assert f"spent waiting until other WebSockets to 127.0.0.1, port {peer.port}, have connected" in waits

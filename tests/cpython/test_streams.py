"""WebSocketStream on CPython: what waits, waits; who is canceled takes nothing along; nothing is left behind."""

import asyncio
import contextlib
import gc
import itertools
import socket
import ssl
import time
import weakref
from pathlib import Path

import pytest
from pyws import AbortController, DOMException, UserAgent, WebSocketError, WebSocketStream
from pyws.cpython.closing import TCP_CLOSE_TIMEOUT

from peer import Peer
from stage import Stage

MIB = 1 << 20
GUIDE = Path(__file__).parents[2].joinpath("web", "docs", "guide.md").read_text("utf-8")
numbers = itertools.count()


def play(peer, conversation):
    """Run `async def conversation(stage)`, in an event loop that must have nothing to complain of; what it returns."""
    complaints = []

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        stage = Stage(peer.origin, f"streams-{next(numbers)}", "cpython")
        result = await conversation(stage)
        await stage.stop_asking()
        await asyncio.sleep(0)
        complaints.extend(asyncio.all_tasks() - {asyncio.current_task()})
        return result

    result = asyncio.run(main())
    gc.collect()
    assert complaints == []
    return result


def heard(peer, stage, stream):
    """What the peer heard on this connection."""
    return peer.heard(stage._keys[id(stream)])


async def settled(number):
    """Wait until what `number()` returns is the same for half a second; that."""
    before, now = None, number()
    while now != before:
        await asyncio.sleep(0.5)
        before, now = now, number()
    return now


@pytest.mark.requirements("WSS-17")
def test_a_stream_that_has_failed_is_not_resumed(peer):
    """It was paused, and its connection is closed while a message is taken."""

    async def conversation(stage):
        with UserAgent(proxy="", max_buffered=1000):
            stream = WebSocketStream(stage.address(["accept", "text a", "text b", "stall"]))
        await stream.opened
        connection = stream._pyws_connection
        async with asyncio.timeout(10):
            while not connection.paused:
                await asyncio.sleep(0.001)
        sending = asyncio.ensure_future(stream.send(bytes(1 << 24)))
        async with asyncio.timeout(10):
            while not connection.is_ending:
                await asyncio.sleep(0)
        taken = [await anext(stream) for _ in range(len(stream._pyws_messages.items))]
        for awaitable in (sending, stream.closed):
            with pytest.raises(WebSocketError):
                await awaitable
        return taken

    assert "".join(play(peer, conversation)) in ("a", "ab")


@pytest.mark.requirements("WSS-17")
def test_a_server_waits_for_who_does_not_read(peer):
    """The bytes that it gets rid of come to a halt, and go on when somebody reads; above, one read is held."""

    async def conversation(stage):
        total = 64
        async with stage.stream("accept", f"bulk {16 * total} {MIB // 16}", "close 1000") as stream:
            record = peer.records[stage._keys[id(stream)]]
            first = await settled(lambda: record.written)
            assert first < total * MIB // 2
            assert sum(map(len, stream._pyws_messages.items)) <= MIB
            ours = stream._pyws_connection._transport.get_extra_info("socket")
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MIB)  # of itself it grows for who reads, to 32 MiB
            for _ in range(8 * total):
                await stream.__anext__()
            second = await settled(lambda: record.written)
            assert first < second < total * MIB
            assert sum(map(len, stream._pyws_messages.items)) <= MIB
            assert [len(message) async for message in stream] == [MIB // 16] * (8 * total)
            assert record.written > total * MIB

    play(peer, conversation)


@pytest.mark.requirements("WSS-17")
def test_who_sends_waits_for_the_network(peer):
    """A peer that does not read: `send` waits, and little is held.

    Who is canceled meanwhile has sent his message; who was canceled while he waited behind that one has sent nothing.
    """

    async def conversation(stage):
        stream = stage.stream("accept", "sleep", "until close", "close 1000")
        block = bytes(MIB)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 64:
                await asyncio.wait_for(stream.send(block), 0.5)
                sent += 1
        assert 1 <= sent < 64
        assert 0 < stream._pyws_connection.buffered <= MIB
        for data in ("canceled", bytes(MIB)):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(stream.send(data), 0.1)
        assert 0 < stream._pyws_connection.buffered <= MIB
        last = asyncio.create_task(stream.send("last"))
        await asyncio.sleep(0)
        await stage.wake(stream)
        await last
        stream.close()
        await stream.closed
        return heard(peer, stage, stream), sent

    frames, sent = play(peer, conversation)
    assert all(frame.startswith("binary") for frame in frames[: sent + 1])
    assert frames[sent + 1 :] == ["text 'last'", "close"]


@pytest.mark.requirements("WSS-17")
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
def test_a_write_ends_when_the_kernel_has_its_message(loop, tls):
    """The transports of TLS count as gone what they have encrypted; even so no write of theirs ends too early."""
    new_loop = pytest.importorskip(loop).new_event_loop
    with Peer(tls=tls) as peer, asyncio.Runner(loop_factory=new_loop) as runner:
        context = ssl.create_default_context()
        if tls:
            peer.authority.configure_trust(context)

        async def conversation(stage):
            with UserAgent(proxy="", tls=context):
                stream = stage.stream("accept", "sleep", "until close", "close 1000")
            await stream.opened
            large = asyncio.create_task(stream.send(bytes(32 * MIB)))
            small = asyncio.create_task(stream.send("behind"))
            done, _ = await asyncio.wait([large, small], timeout=0.5)
            assert not done
            assert stream._pyws_connection.buffered > 16 * MIB
            key = stage._keys[id(stream)]
            peer._loop.call_soon_threadsafe(peer.records[key].awake.set)
            await large
            assert stream._pyws_connection.buffered <= len("behind")
            await small
            stream.close()
            await stream.closed
            return peer.heard(key)

        frames = runner.run(conversation(Stage(peer.origin, f"streams-{next(numbers)}", "cpython")))
    assert [frame[:12] for frame in frames] == ["binary <3355", "text 'behind", "close"]


@pytest.mark.requirements("WSS-07", "WSS-17")
@pytest.mark.parametrize("end", ["reset", "raw ffff", "fin", "close 3000"])
def test_who_wrote_and_saw_no_error_lost_nothing(peer, end):
    """The server reads nothing any more and ends it in some way: the write that waits fails, and those after it."""

    async def conversation(stage):
        stream = stage.stream("accept", "sleep", end, "wait 0.5", "reset")
        await stream.opened
        waiting = asyncio.create_task(stream.send(bytes(32 * MIB)))
        behind = asyncio.create_task(stream.send("behind"))
        await asyncio.sleep(0.2)
        await stage.wake(stream)
        await asyncio.wait([waiting, behind, stream.closed])
        for task in (waiting, behind):
            assert isinstance(task.exception(), DOMException)
        with pytest.raises(DOMException):
            await stream.send("late")

    play(peer, conversation)


@pytest.mark.requirements("WSS-07")
def test_everyone_hears_when_the_tasks_of_the_loop_are_canceled(peer):
    """As a graceful shutdown does, which goes on for a moment: whoever waits for anything of a stream is told."""

    async def conversation(stage):
        stream = stage.stream("accept", "stall")
        info = await stream.opened
        own = asyncio.all_tasks() - {asyncio.current_task()}
        reader, writer = info.readable.getReader(), info.writable.getWriter()
        waiting = [
            asyncio.ensure_future(awaitable)
            for awaitable in (
                *(writer.write(bytes(32 * MIB)), writer.write("behind"), reader.read(), reader.read()),
                *(stream.closed, reader.closed, writer.closed),
            )
        ]
        await asyncio.sleep(0.1)
        waiting.append(writer.ready)
        for task in own:
            task.cancel()
        await asyncio.wait(own)
        done, pending = await asyncio.wait(waiting, timeout=2)
        assert not pending
        assert [type(future.exception()) for future in waiting] == [WebSocketError] * 8
        with pytest.raises(WebSocketError):
            await stream.send("late")
        with pytest.raises(WebSocketError):
            await reader.read()

    play(peer, conversation)


@pytest.mark.requirements("WSS-15", "WSS-17")
def test_a_read_that_is_canceled_loses_nothing(peer):
    """By a time limit, while waiting or just as the message comes."""

    async def conversation(stage):
        stream = stage.stream("accept", "echo")
        info = await stream.opened
        reader = info.readable.getReader()
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(), 0.01)
        first, second = (asyncio.create_task(reader.read()) for _ in range(2))
        await asyncio.sleep(0)
        stream._pyws_received("one", 0)  # as the loop would, in this very moment
        first.cancel()
        assert (await second).value == "one"
        await stream.send("two")
        assert (await reader.read()).value == "two"
        stream.close()
        await stream.closed

    play(peer, conversation)


@pytest.mark.requirements("WSS-04", "WSS-05")
def test_one_who_waits_may_be_canceled(peer):
    """`opened` and `closed` go on for the others."""

    async def conversation(stage):
        stream = stage.stream("wait 0.2", "accept", "wait 0.2", "close 1000")
        for name in ("opened", "closed"):
            other = getattr(stream, name)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(getattr(stream, name), 0.01)
            await other
        assert not stream._pyws_opened_promise._waiting and not stream._pyws_closed_promise._waiting

    play(peer, conversation)


@pytest.mark.requirements("WSS-01")
def test_a_block_that_is_canceled_closes(peer):
    """`async with` that is left by a cancellation, before it opens or after, leaves no connection."""

    async def conversation(stage):
        for verbs in (["hang"], ["accept", "until close", "close 1000"]):

            async def block(verbs=verbs):
                async with stage.stream(*verbs) as stream:
                    await stream.__anext__()

            task = asyncio.create_task(block())
            await asyncio.sleep(0.2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            stream = stage._streams[-1]
            await asyncio.wait([stream.closed], timeout=2)
            assert stream._pyws_connection.state == 3

    play(peer, conversation)


@pytest.mark.requirements("WSS-08", "WSS-21")
@pytest.mark.parametrize("unread", [2, 1000])
def test_a_server_that_closes_is_not_kept_waiting(peer, unread):
    """Messages that nobody reads, in the same read as its Close frame, do not delay the end, and are there after it."""

    async def conversation(stage):
        stream = stage.stream("accept", "hold", f"repeat {unread} text x", "close 3000 bye")
        start = time.monotonic()
        info = await asyncio.wait_for(stream.closed, 5)
        assert time.monotonic() - start < TCP_CLOSE_TIMEOUT
        assert (info.closeCode, info.reason) == (3000, "bye")
        assert [message async for message in stream] == ["x"] * unread

    play(peer, conversation)


@pytest.mark.requirements("WSS-17", "WSS-19")
def test_a_stream_that_is_paused_can_be_closed(peer):
    """The server is in the midst of sending more than anybody reads: our Close is answered all the same."""

    async def conversation(stage):
        async with stage.stream("accept", f"bulk 64 {MIB}", "until close", "close 1000") as stream:
            await settled(lambda: peer.records[stage._keys[id(stream)]].written)
            assert stream._pyws_connection.paused
        return (await stream.closed).closeCode

    assert play(peer, conversation) == 1000


@pytest.mark.requirements("WSS-14")
def test_nothing_is_left_of_a_stream(peer):
    """When it is closed it is garbage, whatever was awaited of it and however long its signal lives."""

    async def conversation(stage):
        controller = AbortController()
        streams = []

        async def use(*verbs):
            stream = stage.stream(*verbs, signal=controller.signal)
            stage._streams.clear()
            streams.append(weakref.ref(stream))
            with contextlib.suppress(WebSocketError):
                info = await stream.opened
                writer = info.writable.getWriter()
                await writer.ready
                await writer.write("x")
                await info.readable.getReader().read()
                await writer.close()

        for verbs in (["accept", "echo"], ["fin"], ["accept", "fin"]):
            await use(*verbs)
        await asyncio.sleep(0)
        gc.collect()
        assert [stream() for stream in streams] == [None] * 3
        assert controller.signal._pyws_algorithms == []

    play(peer, conversation)


def test_a_stream_in_use_is_not_garbage(peer):
    """One that only a waiting reader knows stays alive, and so does what it waits for."""

    async def conversation(stage):
        async def read():
            stream = WebSocketStream(stage.address(["accept", "wait 0.2", "text one", "close 1000"]))
            return [message async for message in stream]

        task = asyncio.create_task(read())
        for _ in range(5):
            await asyncio.sleep(0.02)
            gc.collect()
        return await task

    assert play(peer, conversation) == ["one"]


def test_the_guide_s_example_runs(peer, capsys):
    """Against a server that chooses its subprotocol, with nothing changed but the address."""
    example = GUIDE.partition("## Streams")[2].partition("```python\n")[2].partition("```")[0]
    verbs = "do=header%20sec-websocket-protocol:%20chat&do=accept&do=echo"
    space = {}
    exec(example.replace("wss://example.org/echo", f"{peer.origin}/streams-readme?{verbs}"), space)
    asyncio.run(space["main"]())
    assert capsys.readouterr().out == "Hello 🌍\n"


@pytest.mark.requirements("WSS-17", "GCO-03")
def test_a_stream_that_waits_for_its_reader_is_not_garbage(peer):
    """Nothing reads its socket then, and so no selector knows it."""

    async def conversation(stage):
        url = stage.address(["accept", "text one", "text two", "text three", "until close", "close 1000"])
        known = []

        async def wait():
            stream = WebSocketStream(url)
            known.append(weakref.ref(stream))
            await stream.closed

        asyncio.create_task(wait())
        while not (known and known[0]()._pyws_connection.paused):
            await asyncio.sleep(0.002)
        for _ in range(3):
            gc.collect()
            await asyncio.sleep(0)
        stream = known[0]()
        assert stream is not None
        stream.close()
        await stream.closed

    play(peer, conversation)


def test_what_is_shown_of_a_stream(peer):
    """Its URL; of its end the code and the reason."""

    async def conversation(stage):
        stream = stage.stream("accept", "close 3000 bye")
        return repr(stream) == f"<WebSocketStream url={stream.url!r}>", repr(await stream.closed)

    assert play(peer, conversation) == (True, "<WebSocketCloseInfo closeCode=3000 reason='bye'>")

"""Two things that happen in the same turn of the event loop: the program acts, and what the server did is there.

The server runs in the same loop: what it writes can be read in the next turn, in which the program acts first.
"""

import asyncio
import logging

import pytest
from pyws import ReconnectingWebSocket, UserAgent, WebSocket
from test_transport import TimeMachine
from websockets.utils import accept_key

HOUR = 3600


class Server:
    """A server of one connection: `async with Server() as server: …`; `answer`, `write` and `end` do so at once."""

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"
        self._requested = asyncio.get_running_loop().create_future()
        self._ended = asyncio.get_running_loop().create_future()
        self.heard = b""
        return self

    async def __aexit__(self, *_):
        self._server.close()
        async with asyncio.timeout(10):
            await self._ended

    async def _serve(self, reader, writer):
        self._task = asyncio.current_task()  # asyncio itself holds no task but weakly
        self._writer = writer
        head = await reader.readuntil(b"\r\n\r\n")
        self._requested.set_result(accept_key(head.decode().partition("Sec-WebSocket-Key: ")[2].partition("\r\n")[0]))
        while data := await reader.read(65536):
            self.heard += data
        writer.close()
        self._ended.set_result(None)

    async def requested(self):
        """Wait for the request."""
        await self._requested

    def answer(self):
        """Accept."""
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
        lines += [f"Sec-WebSocket-Accept: {self._requested.result()}", "", ""]
        self.write("\r\n".join(lines).encode())

    def write(self, data):
        self._writer.write(data)

    def end(self):
        """End TCP, and go on reading."""
        self._writer.write_eof()

    def close(self, code=b"\x0b\xb8"):
        """Send a Close frame, and end TCP."""
        self.write(bytes((0x88, len(code))) + code)
        self.end()


async def is_open(server, ws):
    await server.requested()
    server.answer()
    await ws.when("open").first()


def run(main):
    """Run `main` in a loop whose time passes when told so; the loop must hear of nothing."""
    complaints = []
    with asyncio.Runner(loop_factory=TimeMachine) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: complaints.append(context))
        runner.run(main())
    assert complaints == []


def frames(data):
    """The opcodes and payloads of short frames that a client has written."""
    while data:
        size = data[1] & 127
        yield data[0] & 15, bytes(byte ^ data[2 + place % 4] for place, byte in enumerate(data[6 : 6 + size]))
        data = data[6 + size :]


@pytest.mark.requirements("TMO-03")
def test_a_server_that_accepts_in_the_last_moment_has_accepted():
    """The time limit is over in the turn in which the answer is read."""

    async def main():
        async with Server() as server:
            with UserAgent(proxy="", opening_timeout=HOUR):
                ws = WebSocket(server.url)
            await server.requested()
            server.answer()
            asyncio.get_running_loop().passed += HOUR + 1
            await ws.when("open").first()
            ws.send("on time")
            ws.close(3000)
            server.close()
            assert (await ws.when("close").first()).wasClean
        assert list(frames(server.heard)) == [(1, b"on time"), (8, b"\x0b\xb8")]

    run(main)


@pytest.mark.requirements("GCO-05")
def test_a_socket_that_is_dropped_while_the_server_accepts_is_closed():
    """It is garbage when the answer is read."""

    async def main():
        async with Server() as server:
            kept = [WebSocket(server.url)]
            await server.requested()
            server.answer()
            asyncio.get_running_loop().call_soon(kept.clear)
            async with asyncio.timeout(10):
                while not server.heard:
                    await asyncio.sleep(0)
            server.close(b"")
        assert list(frames(server.heard)) == [(8, b"")]

    run(main)


@pytest.mark.requirements("CLS-20")
def test_a_close_in_the_turn_in_which_tcp_ends_comes_too_late(caplog):
    """Nothing is written after the server has ended: unclean, no error, and the log speaks of the server."""

    async def main():
        async with Server() as server:
            ws = WebSocket(server.url)
            await is_open(server, ws)
            errors = []
            ws.onerror = errors.append
            server.end()
            asyncio.get_running_loop().call_soon(ws.close)
            event = await ws.when("close").first()
            assert (event.wasClean, event.code, errors) == (False, 1006, [])
        assert server.heard == b""

    with caplog.at_level(logging.INFO, "pyws"):
        run(main)
    (record,) = [record for record in caplog.records if record.name == "pyws"]
    assert record.getMessage().endswith("the server ended the connection, without a Close frame")


@pytest.mark.requirements("BYE-03")
def test_a_close_after_the_tasks_were_canceled_sends_its_own_code():
    """The program's end finds it in the queue."""

    async def main():
        async with Server() as server:
            ws = WebSocket(server.url)
            await is_open(server, ws)
            errors = []
            ws.onerror = errors.append
            ws._pyws_connection._task.cancel()
            ws.close(3000, "ours")
            await ws.when("close").first()
        assert list(frames(server.heard)) == [(8, b"\x0b\xb8ours")]
        assert errors == []

    run(main)


@pytest.mark.requirements("REC-05")
def test_a_time_limit_that_is_over_after_close_says_nothing(caplog):
    """The program has closed it: the log does not blame the server."""

    async def main():
        async with Server() as server:
            ws = ReconnectingWebSocket(server.url, connect_timeout=HOUR)
            await server.requested()
            ws.close()
            asyncio.get_running_loop().passed += HOUR + 1
            await ws.when("close").first()

    with caplog.at_level(logging.INFO, "pyws"):
        run(main)
    (record,) = [record for record in caplog.records if record.name == "pyws"]
    assert record.getMessage().endswith(" failed: the program closed it before it was open")


@pytest.mark.requirements("PNG-04")
def test_a_server_may_be_silent_while_it_closes():
    """A Ping went out before `close()`, and the time for a sign of life is over after it: `closing_timeout` decides."""

    async def main():
        async with Server() as server:
            with UserAgent(proxy="", ping_interval=10, ping_timeout=10):
                ws = WebSocket(server.url)
            await is_open(server, ws)
            await asyncio.get_running_loop().pass_time(11)
            ws.close(3000)
            for _ in range(2):  # our Close frame was a sign of progress
                await asyncio.get_running_loop().pass_time(11)
            server.close()
            assert (await ws.when("close").first()).wasClean
        assert list(frames(server.heard)) == [(9, b""), (8, b"\x0b\xb8")]

    run(main)


@pytest.mark.requirements("PNG-04")
def test_no_ping_follows_the_close_frame():
    """RFC 6455, 5.5.1: nothing is sent after it."""

    async def main():
        async with Server() as server:
            with UserAgent(proxy="", ping_interval=10, ping_timeout=10):
                ws = WebSocket(server.url)
            await is_open(server, ws)
            ws.close(3000)
            await asyncio.get_running_loop().pass_time(11)
            await asyncio.get_running_loop().pass_time(11)
            server.close()
            assert (await ws.when("close").first()).wasClean
        assert list(frames(server.heard)) == [(8, b"\x0b\xb8")]

    run(main)

"""What waits to be sent on CPython: counted, kept in order, and as cheap to ask for however much it is."""

import asyncio
import socket
import ssl

import pytest
import trustme
from pyws import UserAgent, WebSocket
from websockets.asyncio.server import serve


def listening():
    """A socket with a small buffer, so that what is sent waits soon."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    sock.bind(("127.0.0.1", 0))
    return sock


@pytest.mark.requirements("BUF-02", "BUF-09", "SND-16")
@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize("compression", [False, True], ids=["plain", "deflate"])
def test_what_waits_is_counted_and_arrives_in_order(runner, secure, compression):
    """5,000 messages in as many turns, to a server that reads later: the transport itself never holds many."""
    authority = trustme.CA()
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server_tls)
    client_tls = ssl.create_default_context()
    authority.configure_trust(client_tls)
    size, number = 2000, 5_000

    async def main():
        reading = asyncio.Event()
        received = []

        async def handle(connection):
            connection.transport.pause_reading()
            await reading.wait()
            connection.transport.resume_reading()
            async for message in connection:
                received.append(message[:8])

        options = {"ssl": server_tls} if secure else {}
        if not compression:
            options["compression"] = None
        async with serve(handle, sock=listening(), close_timeout=10, **options) as server:
            port = server.sockets[0].getsockname()[1]
            with UserAgent(proxy="", tls=client_tls, compression=compression, closing_timeout=50):
                ws = WebSocket(f"{'wss' if secure else 'ws'}://localhost:{port}/")
            await ws.when("open").first()
            transport = ws._pyws_connection._transport
            before = held = 0
            filling = bytes(range(256)) * 8
            for n in range(number):
                ws.send(f"{n:08}".encode() + filling[: size - 8])
                await asyncio.sleep(0)
                now = ws.bufferedAmount
                assert 0 <= now <= before + size
                before, held = now, max(held, transport.get_write_buffer_size())
            if not compression:
                assert before > number * size / 2
                assert held < 1 << 18
            reading.set()
            ended = ws.when("close").first()
            ws.close(1000)
            event = await ended
            assert event.wasClean
            assert received == [f"{n:08}".encode() for n in range(number)]
            assert ws.bufferedAmount == 0

    runner.run(main())


@pytest.mark.requirements("ERR-01")
def test_what_leaves_when_the_end_has_begun(runner):
    """The connection fails while the transport holds much, and the server takes it: the end comes all the same."""

    async def main():
        async with serve(handle, sock=listening(), compression=None, max_size=None) as server:
            with UserAgent(proxy="", max_buffered=1 << 20):
                ws = WebSocket(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
            await ws.when("open").first()
            ws.onerror = ws.onclose = lambda event: events.append(event.type)
            ended = ws.when("close").first()
            ws.send(bytes(1 << 24))
            async with asyncio.timeout(50):
                await ended
            return ws.readyState

    async def handle(connection):
        async for _ in connection:
            pass

    events = []
    assert runner.run(main()) == WebSocket.CLOSED
    assert events == ["error", "close"]

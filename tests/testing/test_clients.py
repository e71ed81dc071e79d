"""The server of `pyws.testing` with clients of other kinds: libraries, another process, TLS."""

import asyncio
import ssl
import subprocess
import sys

import aiohttp
import pytest
import pyws
from visits import visit
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect as connect_in_a_thread

from programs import PATH

pytestmark = pytest.mark.once

CLOSED = ("close", 1000, "bye", True)


@pytest.fixture
def told(websocket_server):
    """The server, told what every client here can do."""
    return websocket_server.expect("hello").send("world").expect(b"\0").send(b"\1").close(1000, "bye")


def test_pyws(told):
    assert visit(told.url, "hello", b"\0")[1:] == [("message", "world"), ("message", b"\1"), CLOSED]


@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
def test_websockets(secure, told):
    async def main():
        options = {"ssl": told.ssl_context} if secure else {}
        async with connect(told.secure_url if secure else told.url, **options) as ws:
            await ws.send("hello")
            assert await ws.recv() == "world"
            await ws.send(b"\0")
            assert [message async for message in ws] == [b"\1"]
            assert (ws.close_code, ws.close_reason) == (1000, "bye")

    asyncio.run(main())


def test_websockets_in_a_thread(told):
    with connect_in_a_thread(told.url) as ws:
        ws.send("hello")
        assert ws.recv() == "world"
        ws.send(b"\0")
        assert list(ws) == [b"\1"]


@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
def test_aiohttp(secure, told):
    async def main():
        url = told.secure_url if secure else told.url
        options = {"ssl": told.ssl_context} if secure else {}
        async with aiohttp.ClientSession() as session, session.ws_connect(url, **options) as ws:
            socket = ws.get_extra_info("socket")
            await ws.send_str("hello")
            assert await ws.receive_str() == "world"
            await ws.send_bytes(b"\0")
            assert [message.data async for message in ws] == [b"\1"]
            assert ws.close_code == 1000
        while socket.fileno() != -1:  # with TLS the session does not wait for that
            await asyncio.sleep(0)

    asyncio.run(main())


SCRIPT = """
import sys
from pyws import WebSocket

def on_message(event):
    print(event.data)
    if event.data == "world":
        ws.send(b"\\0")

ws = WebSocket(sys.argv[1])
ws.binaryType = "arraybuffer"
ws.onopen = lambda event: ws.send("hello")
ws.onmessage = on_message
ws.onclose = lambda event: print(event.code, event.reason)
"""


@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
def test_another_process(secure, told, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, "-m", "pyws", "run", str(script), told.secure_url if secure else told.url]
    environment = {"PYTHONPATH": PATH, "SSL_CERT_FILE": told.authorities}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=110)
    assert (done.stdout, done.stderr) == ("world\nb'\\x01'\n1000 bye\n", "")


def test_a_certificate_that_only_the_test_trusts(websocket_server):
    """Not the user agent that everybody has; for the host by each of its names."""
    websocket_server.close(1000)
    assert visit(websocket_server.secure_url) == [("error",), ("close", 1006, "", False)]
    for host in ("127.0.0.1", "localhost"):
        url = websocket_server.secure_url.replace("127.0.0.1", host)
        assert visit(url, agent=websocket_server.user_agent)[1:] == [("close", 1000, "", True)]
    assert isinstance(websocket_server.ssl_context, ssl.SSLContext)
    assert websocket_server.user_agent == pyws.UserAgent(authorities=websocket_server.authorities)


def test_a_refusal(websocket_server):
    """With its status, its headers and its body."""
    headers = {"Retry-After": "7", "Content-Type": "application/json"}
    websocket_server.refuse(503, headers=headers, body='{"later": true}')
    websocket_server.next_connection().refuse(599, body=b"\xff")

    def refused():
        with pytest.raises(InvalidStatus) as caught, connect_in_a_thread(websocket_server.url):
            pass
        return caught.value.response

    response = refused()
    assert (response.status_code, response.reason_phrase, response.body) == (
        503,
        "Service Unavailable",
        b'{"later": true}',
    )
    assert response.headers["Retry-After"] == "7"
    assert response.headers.get_all("Content-Type") == ["application/json"]
    response = refused()
    assert (response.status_code, response.reason_phrase, response.body) == (599, "", b"\xff")


def test_without_the_extra(websocket_server, monkeypatch):
    """It is named."""
    from pyws.testing import certificates

    monkeypatch.setitem(sys.modules, "trustme", None)
    certificates._authority.cache_clear()
    certificates.authorities.cache_clear()
    with pytest.raises(ImportError, match=r"pyws-websocket\[testing\]"):
        _ = websocket_server.authorities

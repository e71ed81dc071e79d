"""Pyodide outside of a browser: what pyws does there that a browser does itself, and Deno's permissions."""

import itertools
import json

import pytest

import bridge
from notation import address
from runtimes import Deno, required

numbers = itertools.count()


def play(runtime, program):
    """The journal of a program, which has `note` to write it."""
    head = "import js, json, pyws\njournal = []\nnote = lambda *words: journal.append(' '.join(map(str, words)))\n"
    return json.loads(bridge.run(runtime, f"{head}{program}\njson.dumps(journal)"))


@pytest.fixture
def url(peer):
    """Make the URL of a new conversation."""
    return lambda *verbs: address(peer.origin, f"outside-{next(numbers)}", verbs)


@pytest.mark.runtimes("pyodide-node", "pyodide-deno", "pyodide-bun")
@pytest.mark.requirements("TMO-01")
def test_a_server_that_does_not_answer_a_close_is_given_up(runtime, url):
    """The connection ends without an error, and nothing more comes; Deno itself would wait without limit."""
    program = f"""
from pyws.browser import outside

patience, outside.CLOSING_TIMEOUT = outside.CLOSING_TIMEOUT, 0.2
ws = pyws.WebSocket({url("accept", "until close", "hang")!r})
for kind in ("message", "error", "close"):
    ws.addEventListener(kind, lambda event: note(event.type, ws.readyState))
await ws.when("open").first()
ws.close(3000, "bye")
event = await ws.when("close").first()
note(event.wasClean, event.code, event.reason)
outside.CLOSING_TIMEOUT = patience
note(patience)
"""
    assert play(runtime, program) == ["close 3", "False 1006 ", "60.0"]


# Deno's permissions.

DENIED = "Deno has no permission to connect to example.org:443: run it with --allow-net=example.org:443."


@pytest.fixture(scope="module")
def restricted(peer):
    """Deno that may read, as Pyodide must, and connect to the peer only."""
    with required(), Deno("pyodide-deno-restricted", "--allow-read", f"--allow-net={peer.origin[5:]}") as runtime:
        yield runtime


@pytest.mark.once
@pytest.mark.requirements("DEN-01")
def test_without_permission_the_constructors_raise(restricted):
    """A SecurityError that says what to allow; the query, which may be secret, is not in it."""
    program = """
for make in (pyws.WebSocket, pyws.WebSocketStream, pyws.ReconnectingWebSocket):
    try:
        make("wss://example.org/chat?token=hunter2")
    except pyws.DOMException as error:
        note(error.name, error.message)
"""
    assert play(restricted, program) == [f"SecurityError {DENIED}"] * 3


@pytest.mark.once
@pytest.mark.requirements("DEN-01")
def test_the_permission_that_is_named_is_enough(restricted, url):
    """For one host and one port: another port is refused."""
    program = f"""
ws = pyws.WebSocket({url("accept", "text welcome", "close")!r})
ws.onmessage = lambda event: note(event.data)
await ws.when("close").first()
try:
    pyws.WebSocket("ws://127.0.0.1:9/")
except pyws.DOMException as error:
    note(error.name, error.message.rpartition(" ")[2])
"""
    assert play(restricted, program) == ["welcome", "SecurityError --allow-net=127.0.0.1:9."]


@pytest.mark.once
@pytest.mark.requirements("DEN-01")
def test_without_permission_reconnecting_ends(restricted, url):
    """In the first attempt or in a later one: the error is reported, and there is no other attempt."""
    program = f"""
import sys

before, sys.excepthook = sys.excepthook, lambda kind, error, traceback: note("reported", error.name)
for urls in (["wss://example.org/"], [{url("accept", "fin")!r}, "wss://example.org/"]):
    ws = pyws.ReconnectingWebSocket(iter(urls).__next__, first_delay=0)
    for kind in ("open", "reconnecting", "error", "close"):
        ws.addEventListener(kind, lambda event: note(event.type, event.target.readyState))
    await ws.when("close").first()
sys.excepthook = before
"""
    end = ["reported SecurityError", "error 3", "close 3"]
    assert play(restricted, program) == [*end, "open 1", "reconnecting 0", *end]


@pytest.mark.once
@pytest.mark.requirements("DEN-01")
def test_without_permission_the_bridge_raises_an_oserror(restricted):
    """Which says what to allow, to the library and in the log."""
    program = r"""
import asyncio, logging
import pyws.bridge

class Notes(logging.Handler):
    def emit(self, record):
        note("logged", record.getMessage())

log, notes = logging.getLogger("pyws"), Notes()
log.addHandler(notes)
head = (
    "GET /?token=hunter2 HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
with pyws.bridge.installed():
    reader, writer = await asyncio.open_connection("example.org", 443, ssl=True)
    writer.write(head.encode())
    try:
        await reader.read()
    except OSError as error:
        note(type(error).__name__, error)
    writer.close()
log.removeHandler(notes)
"""
    assert play(restricted, program) == [f"logged A library cannot connect: {DENIED}", f"PermissionError {DENIED}"]

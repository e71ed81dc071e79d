"""Pyodide in a host that is no page: one with a `js` of its own, or one that saves memory, played by Node."""

import json
import subprocess

import pytest

from runtimes import TESTS, Node, required

pytestmark = pytest.mark.once

PATIENCE = 60  # seconds


@pytest.fixture(scope="module")
def host():
    """Run a script of Python's in such a host; the lines that it prints."""
    with required():
        import bundle

        node = Node.program()
        bundle.build()

    def run(script, *flags, **details):
        told = json.dumps({"script": script, **details})
        command = [node, *flags, TESTS / "pages/host.mjs", told]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        assert done.stderr == ""
        return done.stdout.splitlines()

    return run


TALK = """
import asyncio, js
from pyws import WebSocket

async def main():
    ws = WebSocket("ws://host.example/", ["chat"])
    ws.binaryType = "arraybuffer"
    over = asyncio.get_running_loop().create_future()
    def note(event):
        print(event.type, ws.readyState, repr(getattr(event, "data", "")), event.timeStamp > 0)
        if event.type == "close":
            print(event.wasClean, event.code, event.reason)
            over.set_result(None)
    def begin(event):
        ws.send("text \\0 \\ufeff🌍")
        ws.send(b"first")
        ws.send(b"second")
        ws.onopen = None
    def count(event):
        if event.data == b"second":
            ws.close(3000, "enough")
    for kind in ("open", "message", "close"):
        ws.addEventListener(kind, note)
    ws.onopen = begin
    ws.onmessage = count
    await over
    kept = [data if isinstance(data, str) else data.to_bytes() for data in js.Mock.last.kept]
    print(kept, [data.buffer.byteLength for data in js.Mock.last.kept if not isinstance(data, str)])
    print(list(js.asked))
await main()
"""
TOLD = [
    "open 1 '' True",
    "message 1 'text \\x00 \\ufeff🌍' True",
    "message 1 b'first' True",
    "message 1 b'second' True",
    "close 3 '' True",
    "True 3000 enough",
    "['text \\x00 \\ufeff🌍', b'first', b'second'] [5, 6]",
    "['ws://host.example/']",
]


@pytest.mark.parametrize(
    "more",
    [
        [],
        ["Function"],
        ["Function", "setTimeout", "clearTimeout", "performance", "Math", "Object", "URL", "location", "document"],
        ["forbidden"],
        ["forbidden", "setTimeout", "Object"],
    ],
    ids=" ".join,
)
@pytest.mark.requirements("FFI-01")
def test_a_host_s_own_websocket_is_the_one(host, more):
    """Whatever else its `js` has or lacks; what it is given to send it may keep, and finds no other bytes beside it."""
    assert host(TALK, globals=["WebSocket", *more]) == TOLD


@pytest.mark.parametrize("more", [[], ["Function"]], ids=" ".join)
def test_a_host_s_websocket_need_not_have_all(host, more):
    """One that does nothing but be made is asked for its URL and its state."""
    script = """
import js, pyws
ws = pyws.WebSocket("ws://host.example/")
print(ws.url, ws.readyState, ws.bufferedAmount, list(js.asked))
"""
    assert host(script, globals=["Bare", *more]) == ["ws://host.example/ 0 0 ['ws://host.example/']"]


def test_a_host_without_a_websocket_is_told_so(host):
    """At the call, not at the import."""
    script = """
import pyws
for make in (pyws.WebSocket, pyws.ReconnectingWebSocket, pyws.WebSocketStream):
    try:
        make("ws://host.example/")
    except pyws.DOMException as error:
        print(error.name, error.message[:26])
try:
    pyws.WebSocketStream("ws://host.example/", signal=pyws.AbortSignal.abort())
except pyws.DOMException as error:
    print(error.name, error.message[:19])
"""
    assert host(script, globals=["Object"]) == [
        *["NotSupportedError There is no WebSocket here"] * 3,
        "NotSupportedError There is no URL her",
    ]


@pytest.mark.parametrize("flags", [[], ["--disallow-code-generation-from-strings"]], ids=["", "strict"])
@pytest.mark.requirements("FFI-01")
def test_a_snapshot_of_memory_can_be_made_after_the_import(host, peer, flags):
    """All is imported, a class is derived and objects are made; in the interpreter that is restored it connects."""
    before = """
import pyws
from pyws import Blob, Event, EventTarget, ReconnectingWebSocket, WebSocket, WebSocketError, WebSocketStream

class Chat(WebSocket):
    pass

blob, target, controller = Blob(["x"]), EventTarget(), pyws.AbortController()
target.addEventListener("x", lambda event: print(event.type))
"""
    script = f"""
from pyws import AbortSignal
from pyws.loop import random
target.dispatchEvent(Event("x"))
ws = Chat("{peer.origin}/snapshot?do=accept&do=echo")
await ws.when("open").first()
ws.send(blob)
ws.binaryType = "arraybuffer"
print((await ws.when("message").first()).data)
async with WebSocketStream("{peer.origin}/snapshot-2?do=accept&do=echo") as stream:
    await stream.send("hello")
    async for message in stream:
        print(message)
        break
print(0 <= random() < 1)
"""
    assert host(script, *flags, snapshot=before) == ["x", "b'x'", "hello", "True"]

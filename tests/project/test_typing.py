"""What an editor and a type checker know: run by mypy, in a file that it has never seen."""

import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.once

USE = """
from pyws import AbortController, Blob, CloseEvent, Event, MessageEvent, ReconnectingWebSocket, WebSocket

ws = WebSocket("wss://example.org/", ["chat"])
WebSocket("wss://example.org/", {"protocols": ["chat"], "other": 5})
WebSocket("wss://example.org/", {"protocols": "chat"})
WebSocket("wss://example.org/", 5)  # error
ws.addEventListener("message", lambda event: print(event.data, event.origin))
ws.addEventListener("message", lambda event: print(event.code))  # error
ws.addEventListener("close", lambda event: print(event.code + 1), once=True)
ws.addEventListener("close", lambda event: print(event.code + event.reason), {"once": True})  # error
ws.addEventListener("open", lambda event: print(event.timeStamp), signal=AbortController().signal)
ws.addEventListener("open", lambda event: print(event.data))  # error
ws.onclose = lambda event: reveal_type(event.wasClean)  # bool
reveal_type(ws.readyState)  # int
reveal_type(ws.bufferedAmount)  # int
reveal_type(Blob(["a"]).size)  # int

async def wait() -> None:
    reveal_type(await ws.when("close").first())  # CloseEvent
    async for event in ws.when("message", passive=True):
        reveal_type(event)  # MessageEvent
    reveal_type(await again.when("reconnecting").first())  # ReconnectingEvent
    reveal_type(await ws.when("reconnecting").first())  # Event
    ws.when("open", capure=True)  # error

async def receive(event: MessageEvent) -> None: ...
def refuse(event: CloseEvent) -> None: ...
class Listener:
    def handleEvent(self, event: MessageEvent) -> None: ...

ws.onmessage = receive
ws.onmessage = None
ws.addEventListener("message", receive)
ws.addEventListener("message", Listener())
ws.addEventListener("message", refuse)  # error
ws.addEventListener("message", receive, onec=True)  # error
ws.onmessage = refuse  # error
ws.close("1000")  # error

async def fresh() -> str:
    return "wss://example.org/"

back: WebSocket = ReconnectingWebSocket(fresh, lambda: ["chat"], max_attempts=3, final={1000, 4001})
again = ReconnectingWebSocket("wss://example.org/", "chat", final=range(4000, 5000))
ReconnectingWebSocket(fresh, lambda: {"protocols": ["chat"]}, final_statuses={404}, max_retry_after=60)
again.reconnect()
again.addEventListener("reconnecting", lambda event: print(event.delay + event.code))
again.addEventListener("reconnecting", lambda event: print(event.data))  # error
again.addEventListener("close", lambda event: print(event.delay))  # error
again.addEventListener("message", lambda event: print(event.data), once=True)
ws.addEventListener("reconnecting", lambda event: print(event.delay))  # error
again.onreconnecting = lambda event: reveal_type(event.attempt)  # int
ReconnectingWebSocket("wss://example.org/", max_atempts=3)  # error
ReconnectingWebSocket("wss://example.org/", lambda: 5)  # error
ws.readyState = 3  # error
Event("x").type.upper()
"""


@pytest.mark.requirements("PYQ-4")
def test_a_type_checker_knows_the_events(tmp_path):
    """Each `reveal_type` shows what its line's comment says, and the errors are those that the comments name."""
    file = tmp_path / "use.py"
    file.write_text(USE)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), str(file)]
    output = subprocess.run(command, capture_output=True, text=True).stdout
    seen = {}
    for number, kind, text in re.findall(r"use\.py:(\d+): (note|error): (.*)", output):
        if kind == "error":
            seen.setdefault(int(number), "error")
        elif revealed := re.match(r'Revealed type is "(?:[\w.]*\.)?(\w+)"', text):
            seen[int(number)] = revealed[1]
    wanted = {
        number: match[1] for number, line in enumerate(USE.splitlines(), 1) if (match := re.search(r"  # (\w+)$", line))
    }
    assert seen == wanted

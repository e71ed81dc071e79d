"""MicroPython with the memory that PyScript gives it, and what it would change on its way to JavaScript."""

import subprocess

import pytest

from notation import address, show
from runtimes import TESTS, MicroPythonNode, required

pytestmark = pytest.mark.once

PATIENCE = 90  # seconds


@pytest.fixture(scope="module")
def python():
    """Run a program in MicroPython under Node, without the files of the tests; the lines that it prints."""
    with required():
        node = MicroPythonNode.program()

    def run(script):
        command = [node, TESTS / "pages/micropython-host.mjs", script, *MicroPythonNode.package_files()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        assert (done.stderr, done.returncode) == ("", 0)
        return done.stdout.splitlines()

    return run


TALK = """
import asyncio, js
from pyws import Blob, WebSocket

async def talk():
    ws = WebSocket({url!r})
    ws.binaryType = "arraybuffer"
    received = ws.when("message").__aiter__()
    closed = ws.when("close").first()
    await ws.when("open").first()
    try:
        await main(ws, received)
        event = await closed
        print(event.code, repr(event.reason), event.timeStamp > 0)
    finally:
        js.done()
"""
START = "\nasyncio.create_task(talk())\n"


@pytest.mark.requirements("SND-17", "FRM-17")
def test_a_message_may_be_larger_than_all_memory(python, peer):
    """Which is 1 MiB in the beginning; for a single object of that size MicroPython itself would not let it grow."""
    script = """
async def main(ws, received):
    for _ in range(2):
        data = (await received.__anext__()).data
        print(type(data).__name__, len(data))
    ws.send("".join(["é" * 100_000 for _ in range(20)]))
    ws.send(b"".join([bytes(100_000) for _ in range(30)]))
    for _ in range(2):
        data = (await received.__anext__()).data
        print(type(data).__name__, len(data))
    ws.close(1000)
"""
    url = address(peer.origin, "large", ["accept", "bulk 1 3000000", "bulk_text 1 2000000", "echo"])
    assert python(TALK.format(url=url) + script + START) == [
        *["bytes 3000000", "str 2000000"],
        *["str 2000000", "bytes 3000000"],
        "1000 '' True",
    ]


@pytest.mark.requirements("EVT-07", "FFI-01")
def test_nothing_changes_at_the_border(python, peer):
    """NUL ends a text there, a byte order mark is lost, a lone surrogate is three characters, a number has 32 bits."""
    script = """
async def main(ws, received):
    texts = ["a\\0b", "\\0", "\\ufeff", "\\ufeff" + "x" * 40, "\\ufeff\\0é🌍"]
    texts += ["\\ud800", "\\ud83d\\ude00", "x" * 40 + "\\udfff\\0"]
    for text in texts:
        ws.send(text)
        await received.__anext__()
    every = bytes(range(256))
    ws.send(every)
    print((await received.__anext__()).data == every)
    blob = Blob([every, "\\ufeff\\0"])
    text = await Blob([b"\\xff\\0\\xed\\xa0\\x80"]).text()
    print(text == "\\ufffd\\0\\ufffd\\ufffd\\ufffd", (await Blob.from_js(blob.to_js())).size)
    print(pyws_timer(2**40))
    ws.close(3000, "\\ufeffbye\\0")

def pyws_timer(seconds):
    from pyws import loop

    loop.call_later(seconds, lambda: print("too early"))()
    return "no timer"
"""
    url = address(peer.origin, "border", ["accept", "echo"])
    assert python(TALK.format(url=url) + script + START)[:3] == ["True", "True 260", "no timer"]
    texts = ["a\0b", "\0", "\ufeff", "\ufeff" + "x" * 40, "\ufeff\0é🌍", "\ufffd", "😀", "x" * 40 + "\ufffd\0"]
    heard = peer.heard("border")
    assert heard[:8] == [f"text {show(text)}" for text in texts]
    assert heard[9:] == [f"close 3000 {show(chr(0xFEFF) + 'bye' + chr(0))}"]


def test_what_it_cannot_do_says_so(python):
    """The bridge, settings of a `UserAgent`, and a URL that JavaScript refuses."""
    script = """
import js, pyws, pyws.bridge

for call in (pyws.bridge.install, pyws.UserAgent, lambda: pyws.WebSocket("ws://a b/"), lambda: pyws.WebSocket(5)):
    try:
        call()
    except pyws.DOMException as error:
        print(error.name)
    except TypeError as error:
        print(error)
js.done()
"""
    assert python(script) == [
        *["NotSupportedError", "NotSupportedError", "SyntaxError"],
        "url must be str, or an object with a str attribute href, not int",
    ]


def test_a_listener_may_fail_without_a_handler(python):
    """The traceback goes to stderr, the next listener runs; a task that exits ends no other."""
    script = """
import asyncio, js, sys
from pyws import Event, EventTarget

def fail(event):
    raise ValueError("told")

async def leave(event):
    sys.exit("enough")

async def last(event):
    await asyncio.sleep(0.01)
    print("last")
    js.done()

target = EventTarget()
for listener in (fail, leave, last):
    target.addEventListener("x", listener)
target.dispatchEvent(Event("x"))
"""
    lines = python(script)
    assert lines[-1] == "last"
    assert [line for line in lines if "ValueError: told" in line or "SystemExit" in line] == [
        "stderr: ValueError: told",
        "uncaught: SystemExit: enough",
    ]

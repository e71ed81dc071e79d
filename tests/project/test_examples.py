"""The scripts of web/examples: in CPython, and in Chromium on Pyodide and Brython, each prints the same.

The one in web/examples/bridge uses another library: it prints the same on CPython and on Pyodide. In Brython no such
library loads.
"""

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import serve
import services
from programs import PATH, run, serving, shown
from runtimes import chromium, required

pytestmark = [pytest.mark.once, pytest.mark.timeout(180)]

EXAMPLES = Path(__file__).parents[2] / "web" / "examples"

PRINTED = {
    "chat": """\
Bob: Hello, Ann! 👋
Ann: Hello, Bob! Have you tried pyws?
Bob: Nothing to install, here in this page. And there?
Ann: One pip install. It is the same script.
Bob: Good night!
Ann: Good night, Bob!
Bob left: 1000 off to bed
Ann left: 1005
""",
    "rpc": """\
connected, speaking jsonrpc-2.0
answer 2 came
add: 5
answer 1 came
sleep: slept 0.3 s
answer 3 came
divide: Method not found
closed: 1005
""",
    "upload": """\
█████░░░░░░░░░░░░░░░ 25 %
██████████░░░░░░░░░░ 50 %
███████████████░░░░░ 75 %
████████████████████ 100 %
The server has 1048576 of 1048576 bytes.
closed: 1000
""",
}


@pytest.fixture(scope="module")
def address():
    with serve.echo() as address:
        yield address


def checked(name, output):
    """What an example printed, when it is what it must be."""
    if name in PRINTED:
        assert output == PRINTED[name]
    elif name == "ticker":
        *lines, last = output.splitlines()
        assert last == "closed: 1000 seen enough"
        assert [float(line.split()[1]) for line in lines] == [services.price(tick) for tick in range(24)]
        # A bar is as long as its price is high: 40 blocks for the 12 from 94 to 106.
        for line in lines:
            _, price, bar = line.split()
            length = sum(1 - "█▉▊▋▌▍▎▏".index(block) / 8 for block in bar)
            assert length == pytest.approx((float(price) - 94) / 12 * 40, abs=1 / 16 + 1e-9)
    else:
        assert output.endswith("close readyState=3 wasClean=True code=3001 reason='All back ✓'\n")
    return output


EVERY = sorted(path.stem for path in EXAMPLES.glob("*.py"))


def test_every_example_is_known_here():
    """Whoever adds one says here what it prints."""
    assert sorted([*PRINTED, "ticker", "echo"]) == EVERY


@pytest.mark.parametrize("name", EVERY)
def test_an_example_runs_by_its_own_line(name, address, monkeypatch):
    """The line of its docstring, but for the address."""
    path = EXAMPLES / f"{name}.py"
    (line,) = re.findall(r"^python -m pyws run (.+)$", path.read_text("utf-8"), re.M)
    assert line == f"web/examples/{name}.py ws://127.0.0.1:8765/"
    status, output, errors = run(path, address)
    assert (status, errors) == (0, "")
    checked(name, output)


@pytest.fixture(scope="module")
def browser():
    import bundle

    bundle.build()
    with contextlib.ExitStack() as stack:
        with required():
            driver = stack.enter_context(chromium())
        yield driver


@pytest.mark.parametrize("interpreter", ["pyodide", "brython"])
def test_the_examples_print_the_same_in_a_page(interpreter, browser, address):
    """Each in a page of its own; it ends, complains of nothing, and the ticker is drawn too."""
    with serve.pages() as origin:
        for name in EVERY:
            here = checked(name, run(EXAMPLES / f"{name}.py", address)[1])
            browser.get_log("browser")
            browser.get(serve.page(origin, interpreter, f"examples/{name}.py", address))
            output = shown(browser, here.splitlines()[-1] + "\n", "running")
            assert output == here
            assert [entry["message"] for entry in browser.get_log("browser")] == []
            if name == "ticker":
                points = browser.execute_script("return document.querySelector('polyline').points.length")
                assert points == 24
        browser.get("about:blank")


POLL = """\
Ann votes for tea: {'tea': 1}
Bob hears of it: votes {'tea': 1}
Bob votes for coffee: {'coffee': 1, 'tea': 1}
Ann hears of it: votes {'coffee': 1, 'tea': 1}
"""


@pytest.fixture
def poll():
    """The server of the poll; its address."""
    command = [sys.executable, "-u", EXAMPLES / "bridge/poll_server.py", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": PATH}) as server:
        try:
            yield re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline())[0]
        finally:
            server.terminate()


@pytest.mark.requirements("BRG-21")
def test_the_example_of_a_library_prints_the_same_in_a_page(poll, browser):
    """By the lines of its docstring, but for the addresses and where the interpreter is."""
    import bundle

    path = EXAMPLES / "bridge/poll.py"
    lines = re.findall(r"^python (\S.*?)(?:  .*)?$", path.read_text("utf-8"), re.M)
    name = "web/examples/bridge/poll"
    assert lines == [f"{name}_server.py", f"-m pyws run {name}.py", f"-m pyws serve --bridge {name}.py"]
    assert run(path, poll) == (0, POLL, "")
    with serving("--bridge", "--interpreter", bundle.DIST / "pyodide", path, poll, told=None) as address:
        browser.get_log("browser")
        browser.get(address)
        assert shown(browser, POLL.splitlines()[-1] + "\n", "running") == POLL
        assert [entry["message"] for entry in browser.get_log("browser")] == []
        browser.get("about:blank")


def test_rooms_hear_nothing_of_each_other(address, tmp_path):
    """Many may try the chat at the same time: what is said in a room is heard there, by the others alone."""
    script = tmp_path / "rooms.py"
    script.write_text(ROOMS)
    assert run(script, address) == (0, "ann: for ann\nbob: for bob\n", "")


ROOMS = """
import sys
from pyws import WebSocket

def open_room(name):
    def on_message(event):
        host.onmessage = hear
        guest = WebSocket(f"{sys.argv[1]}chat/{event.data}")
        guest.onopen = lambda event: guest.send(f"for {name}")
        guest.onmessage = hear
        sockets.append(guest)
    def hear(event):
        heard.append(f"{name}: {event.data}")
        if len(heard) == 2:
            print(*sorted(heard), sep="\\n")
            for ws in sockets:
                ws.close()
    host = WebSocket(f"{sys.argv[1]}chat")
    host.onmessage = on_message
    sockets.append(host)

sockets, heard = [], []
open_room("ann")
open_room("bob")
"""

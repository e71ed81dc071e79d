"""`python -m pyws run`: a page's script on CPython, alive until its sockets are closed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ECHO = Path(__file__).parent.parent / "web" / "examples" / "echo.py"


def run(script, *arguments, **environment):
    """Run a script to its end: exit status, what it printed, what it complained of."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-m", "pyws", "run", str(script), *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=30,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def script(tmp_path):
    """A function that writes a script and tells its path."""

    def write(text):
        path = tmp_path / "script.py"
        path.write_text(text)
        return path

    return write


def test_the_script_lives_until_its_sockets_are_closed(peer):
    """The example of the README, whatever the time zone and the locale."""
    runs = [
        run(ECHO, f"{peer.origin}/main-{zone[:3]}?do=accept&do=echo", TZ=zone, LC_ALL=locale, LANG=locale)
        for zone, locale in [("UTC", "C.UTF-8"), ("Pacific/Kiritimati", "C"), ("Asia/Kathmandu", "tr_TR.UTF-8")]
    ]
    assert [status for status, _, _ in runs] == [0, 0, 0]
    assert [errors for _, _, errors in runs] == ["", "", ""]
    first, *others = [output.splitlines()[1:] for _, output, _ in runs]  # the first line has the URL
    assert first[-1] == "close readyState=3 wasClean=True code=3001 reason='All back ✓'"
    assert others == [first, first]


def test_top_level_code_may_await_and_start_tasks(script):
    """As in Pyodide; the program ends when the tasks have."""
    path = script("""
import asyncio, sys
await asyncio.sleep(0)
async def later():
    await asyncio.sleep(0.01)
    print("later", sys.argv[1:], __name__)
task = asyncio.ensure_future(later())
print("now")
""")
    assert run(path, "--flag", "x") == (0, "now\nlater ['--flag', 'x'] __main__\n", "")


def test_an_exception_ends_the_script_as_python_shows_it(script):
    """Traceback and exit status 1."""
    status, _, errors = run(script("def fail():\n    raise ValueError('no')\nfail()\n"))
    assert status == 1
    assert errors.endswith("ValueError: no\n") and "in fail" in errors


def test_a_script_that_is_not_there_is_a_sentence(tmp_path):
    """No traceback."""
    status, _, errors = run(tmp_path / "missing.py")
    assert status == 2
    assert errors.startswith("cannot read ") and "Traceback" not in errors


@pytest.mark.rows("BYE-02")
def test_ctrl_c_closes_the_sockets_with_1001(script, peer):
    """And ends with one line."""
    path = script("""
import sys
from pyws import WebSocket
ws = WebSocket(sys.argv[1])
ws.onopen = lambda _: print("open", flush=True)
ws.onclose = print
""")
    command = [sys.executable, "-X", "dev", "-m", "pyws", "run", str(path), f"{peer.origin}/main-interrupt?do=accept"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "open\n"
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=10)
    assert (process.returncode, output, errors) == (130, "", "interrupted\n")
    assert time.monotonic() - start < 3
    assert peer.heard("main-interrupt")[:1] == ["close 1001 ''"]

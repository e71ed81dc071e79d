"""`python -m pyws run`: a page's script on CPython, alive until its sockets are closed."""

import re
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from programs import python, run

ROOT = Path(__file__).parents[2]
ECHO = ROOT / "web" / "examples" / "echo.py"


@pytest.fixture
def script(tmp_path):
    """A function that writes a script and tells its path."""

    def write(text):
        path = tmp_path / "script.py"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_the_script_lives_until_its_sockets_are_closed(peer):
    """The example of the command, whatever the time zone and the locale."""
    runs = [
        run(ECHO, f"{peer.origin}/main-{zone[:3]}?do=accept&do=echo", TZ=zone, LC_ALL=locale, LANG=locale)
        for zone, locale in [("UTC", "C.UTF-8"), ("Pacific/Kiritimati", "C"), ("Asia/Kathmandu", "tr_TR.UTF-8")]
    ]
    assert [status for status, _, _ in runs] == [0, 0, 0]
    assert [errors for _, _, errors in runs] == ["", "", ""]
    first, *others = [output.splitlines()[1:] for _, output, _ in runs]  # the first line has the URL
    assert first[-1] == "close readyState=3 wasClean=True code=3001 reason='All back ✓'"
    assert others == [first, first]


def test_the_documented_line(peer):
    """As it stands there, but for the address."""
    text = ROOT.joinpath("web", "docs", "commands.md").read_text("utf-8")
    ((words, _),) = re.findall(r"^python -m pyws run (.+) (wss://\S+)$", text, re.M)
    status, output, errors = run(*words.split(), f"{peer.origin}/main-readme?do=accept&do=echo", cwd=ROOT)
    assert (status, errors) == (0, "")
    assert output.endswith("code=3001 reason='All back ✓'\n")


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


def test_a_safe_path_is_without_the_folder_of_the_script(script, tmp_path):
    """As with `python -P script.py`."""
    path = script("import beside")
    tmp_path.joinpath("beside.py").write_text("print('beside')")
    assert run(path) == (0, "beside\n", "")
    status, output, errors = run(path, PYTHONSAFEPATH="1")
    assert (status, output, errors.splitlines()[-1]) == (1, "", "ModuleNotFoundError: No module named 'beside'")


def test_a_script_that_cancels_itself_has_failed(script):
    """As `asyncio.run` shows it."""
    status, output, errors = run(script("import asyncio\nasyncio.current_task().cancel()\nawait asyncio.sleep(1)"))
    assert (status, output, errors.splitlines()[-1]) == (1, "", "asyncio.exceptions.CancelledError")


FAILURES = {
    "context": "def fail():\n    raise ValueError(1)\ntry:\n    fail()\nexcept ValueError:\n    raise KeyError(2)\n",
    "syntax": "print('before')\nx = = 1\n",
    "encoding": "# coding: latin-1\nraise ValueError('Gr\xfc\xdfe')\n".encode("latin-1"),
    "exit": "import sys\nsys.exit('enough')\n",
    "status": "raise SystemExit(7)\n",
    "group": "raise ExceptionGroup('two', [ValueError(1), TypeError(2)])\n",
}


@pytest.mark.parametrize("name", FAILURES)
def test_an_exception_ends_the_script_as_python_shows_it(script, name):
    """Exit status, and every byte of the traceback: it has no frames of ours."""
    path = script(FAILURES[name])
    ours, theirs = run(path), python(path)
    assert ours == theirs
    assert ours[0] != 0


def test_an_exception_after_an_await_is_shown_the_same(script):
    """The frames begin with the script's own, however far below an event loop."""
    text = "import asyncio\n\n\nasync def fail():\n    await asyncio.sleep(0)\n    raise ValueError('no')\n\n\n"
    path = script(text + "await fail()\n")
    status, output, errors = run(path)
    lines = [line for line in errors.splitlines() if not set(line) <= {" ", "^", "~"}]  # since Python 3.11, not always
    assert (status, output) == (1, "")
    assert lines == [
        "Traceback (most recent call last):",
        f'  File "{path}", line 9, in <module>',
        "    await fail()",
        f'  File "{path}", line 6, in fail',
        "    raise ValueError('no')",
        "ValueError: no",
    ]


WHO = """
import sys
print(__name__, sys.argv, sys.path[0], globals().get("__file__"), __package__, __spec__ and __spec__.name)
print(type(__loader__).__name__, sys.modules["__main__"].__dict__ is globals())
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["script.py", "--flag", "-m", "x"],
        ["./folder/../script.py"],
        ["link/script.py"],
        ["-", "a", "-m"],
        ["-m", "script", "-x", "--help", "y"],
        ["-m", "package", "-"],
        ["-m", "package.inner"],
        ["folder", "z"],
        ["archive.zip"],
    ],
    ids=" ".join,
)
def test_the_script_sees_what_python_shows_it(tmp_path, arguments):
    """Name, arguments, path and file, whichever way the script is named."""
    for folder in ("folder", "package", "elsewhere"):
        tmp_path.joinpath(folder).mkdir()
    for file in ("script.py", "folder/__main__.py", "package/__main__.py", "package/inner.py", "elsewhere/script.py"):
        tmp_path.joinpath(file).write_text(WHO)
    tmp_path.joinpath("package/__init__.py").touch()
    tmp_path.joinpath("link").symlink_to("elsewhere")
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("__main__.py", WHO)
    ours, theirs = (start(*arguments, cwd=tmp_path, input=WHO) for start in (run, python))
    assert ours == theirs
    assert ours[0] == 0 and "__main__" in ours[1]


def test_what_the_script_has_asked_the_loop_to_call_belongs_to_it(script, websocket_server):
    """A socket that such a call opens is waited for, too."""
    websocket_server.close(3001)
    path = script("""
import asyncio, sys
from pyws import WebSocket
def connect():
    WebSocket(sys.argv[1]).onclose = lambda event: print(event.code)
asyncio.get_running_loop().call_soon(connect)
""")
    assert run(path, websocket_server.url) == (0, "3001\n", "")


def test_a_script_that_is_not_there_is_a_sentence(tmp_path):
    """No traceback."""
    for arguments in (["missing.py"], ["-m", "missing"], ["-m", "missing.inner"], ["."], ["-m", "sys"], []):
        status, output, errors = run(*arguments, cwd=tmp_path)
        assert (status, output) == (2, "")
        assert errors and "Traceback" not in errors


@pytest.mark.requirements("BYE-02")
def test_ctrl_c_closes_the_sockets_with_1001(script, websocket_server):
    """And ends with one line."""
    websocket_server.expect_close(1001)
    path = script("""
import sys
from pyws import WebSocket
ws = WebSocket(sys.argv[1])
ws.onopen = lambda _: print("open", flush=True)
ws.onclose = print
""")
    command = [sys.executable, "-X", "dev", "-m", "pyws", "run", str(path), websocket_server.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "open\n"
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=10)
    errors = re.sub(r"^Executing .+ took [\d.]+ seconds\n", "", errors, flags=re.M)
    assert (process.returncode, errors) == (130, "interrupted\n")
    assert output == "<CloseEvent 'close' wasClean=False, code=1006, reason=''>\n"
    assert time.monotonic() - start < 3


OPEN = """
import asyncio, os, signal, sys, threading, time
from pyws import WebSocket
def block():
    while True:
        time.sleep(0.01)
def say_so_later():
    # A signal that comes when a system call is about to begin is seen when that has ended.
    threading.Timer(0.2, print, ("open",), {"flush": True}).start()
ws = WebSocket(sys.argv[1])
ws.onopen = lambda _: print("open", flush=True)
"""


def terminated(script, text, address, *more):
    """Run a script that opens a socket to `address`; then SIGTERM, and `more` once it says "ending": its exit."""
    path = script(OPEN + text)
    command = [sys.executable, "-X", "dev", "-m", "pyws", "run", str(path), address]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, **pipes, text=True) as process:
        assert process.stdout.readline() == "open\n"
        process.send_signal(signal.SIGTERM)
        for number in more:
            assert process.stdout.readline() == "ending\n"
            process.send_signal(number)
        process.wait(20)  # whatever it waits for on stdin
        output, errors = process.communicate()
    return process.returncode, output, re.sub(r"^Executing .+ took [\d.]+ seconds\n", "", errors, flags=re.M)


ENDINGS = {
    "listening": "",
    "waiting": "await asyncio.sleep(60)",
    "a task": "asyncio.create_task(asyncio.sleep(60))",
    "blocked": "await ws.when('open').first()\nblock()",
    "busy": "await ws.when('open').first()\nwhile True: pass",
    "blocked in a listener": "ws.addEventListener('open', lambda _: block())",
    "asked for more": "ws.onopen = lambda _: (say_so_later(), input())",
    "cleaning up": "try:\n    await asyncio.sleep(60)\nfinally:\n    await asyncio.sleep(0.1)\n    print('clean')",
    "stubborn": "try:\n    await asyncio.sleep(60)\nexcept BaseException:\n    print('clean')",
}


@pytest.mark.requirements("BYE-02")
@pytest.mark.parametrize("ending", ENDINGS)
def test_sigterm_closes_the_sockets_with_1001(script, websocket_server, ending):
    """Whatever the script does meanwhile, and nothing is complained of; what cleans up has the time for that."""
    websocket_server.expect_close(1001, timeout=20)
    status, output, errors = terminated(script, ENDINGS[ending], websocket_server.url)
    assert (status, output, errors) == (143, "clean\n" if "clean" in ENDINGS[ending] else "", "")


@pytest.mark.requirements("BYE-02")
def test_a_server_that_does_not_answer_cannot_hold_the_program(script, peer):
    """After SIGTERM it has as long as after Ctrl-C."""
    start = time.monotonic()
    address = f"{peer.origin}/main-sigterm-hang?do=accept&do=hang"
    assert terminated(script, "", address) == (143, "", "")
    assert time.monotonic() - start < 10
    assert peer.heard("main-sigterm-hang") == ["close 1001 ''", "eof"]


STUBBORN = """
async def stubborn():
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            print("ending", flush=True)
task = asyncio.create_task(stubborn())
"""


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(script, websocket_server, second):
    """Also where a task does not let itself be canceled."""
    assert terminated(script, STUBBORN, websocket_server.url, second) == (128 + second, "", "")


OWN = {
    "signal": "signal.signal(signal.SIGTERM, lambda *_: print('own', flush=True))",
    "loop": "asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: (print('own'), ws.close()))",
    "ignored": "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
}


@pytest.mark.parametrize("own", OWN)
def test_a_handler_of_the_script_s_own_wins(script, websocket_server, own):
    """As in `python script.py`, whichever way it is set."""
    websocket_server.expect_close(1005, timeout=20)
    after = "" if own == "loop" else "\nasyncio.get_running_loop().call_later(0.5, ws.close)"
    status, output, errors = terminated(script, OWN[own] + after, websocket_server.url)
    assert (status, output, errors) == (0, "" if own == "ignored" else "own\n", "")


def test_a_sigterm_that_is_ignored_stays_ignored(script):
    """As `nohup` ignores a signal for the programs that it starts."""
    path = script("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\nprint('goes on')")
    start = (
        "import os, signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    assert python("-c", start, "-m", "pyws", "run", path) == (0, "goes on\n", "")


def test_sigterm_does_not_wait_for_threads_that_the_script_has_left(script):
    """The script has ended, and the loop would wait for its thread."""
    text = """
import asyncio, os, signal, threading, time
ended = threading.Event()
asyncio.current_task().add_done_callback(lambda _: ended.set())
def work():
    ended.wait()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(20)
asyncio.get_running_loop().run_in_executor(None, work)
"""
    start = time.monotonic()
    assert run(script(text)) == (143, "", "")
    assert time.monotonic() - start < 15


def test_a_process_that_was_forked_has_the_default_action(script):
    """And may end as it likes."""
    path = script("""
import os, signal
child = os.fork()
if not child:
    os._exit(7 if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""")
    assert run(path) == (0, "7\n", "")


def test_sigterm_ends_a_process_that_was_forked(script, websocket_server):
    """What `multiprocessing` terminates ends, and its parent goes on."""
    text = """
def fork(_):
    child = os.fork()
    if not child:
        time.sleep(60)
    os.kill(child, signal.SIGTERM)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    ws.close()
ws.addEventListener("open", fork)
"""
    path = script(OPEN + text)
    assert run(path, websocket_server.url) == (0, "open\n-15\n", "")

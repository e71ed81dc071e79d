"""`python -m pyws serve`: a script in a page of Chromium's, run again when it changes, with nothing but local files."""

import contextlib
import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
import zipfile
from importlib.metadata import version
from io import BytesIO
from pathlib import Path

import pytest
import pyws
from pyws.commands import packing
from pyws.commands import serve as page

from programs import PATH, SERVE, serving, shown
from runtimes import chromium, required

pytestmark = [pytest.mark.once, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / "web" / "node_modules"


@pytest.fixture(scope="module")
def browser():
    with contextlib.ExitStack() as stack:
        with required():
            driver = stack.enter_context(chromium())
        yield driver


SCRIPT = """
import sys
from pyws import WebSocket

def on_message(event):
    print("{version}", sys.argv, event.data)
    ws.close()

ws = WebSocket(sys.argv[1])
ws.binaryType = "arraybuffer"
ws.onopen = lambda event: ws.send(b"\\x00\\xff")
ws.onmessage = on_message
"""


@pytest.mark.parametrize("interpreter", ["pyodide", "brython"])
def test_a_page_runs_the_script_and_runs_it_again(tmp_path, browser, peer, interpreter):
    """It talks to a server; each change shows, also of exceptions, and when the file is away for a while."""
    script = tmp_path / 'a "<b>&$script.py'  # a name that no page can take as it is
    echo = f"{peer.origin}/page-{interpreter}?do=accept&do=echo"
    arguments = [script.name, echo, "</script>", '"&amp;']

    def told(version):
        return f"{version} {arguments!r} {bytes([0, 255])!r}\n"

    script.write_text(SCRIPT.replace("{version}", "one"))
    with serving("--runtime", interpreter, "--interpreter", PACKAGES / interpreter, script, *arguments[1:]) as address:
        browser.get(address)
        assert shown(browser, "one", "running") == told("one")
        assert browser.title == script.name
        script.unlink()
        time.sleep(3 * page.POLL_INTERVAL)
        script.write_text(SCRIPT.replace("{version}", "two").replace("ws.close()", "raise ValueError('late')"))
        late = shown(browser, "ValueError: late", "error")  # when the script has long ended
        assert late.startswith(told("two")) and "in on_message" in late
        script.write_text("def fail():\n    raise ValueError('worse')\n\nfail()\n")
        traceback = shown(browser, "ValueError: worse", "error")
        assert "line 4" in traceback and "in fail" in traceback
        script.write_text("x = = 1\n")
        shown(browser, "SyntaxError", "error")
        assert [name for name in requested(browser) if not name.startswith((address, "data:"))] == []
        browser.get("about:blank")


def test_the_documented_line(browser, peer):
    """As it stands there, but for the address and where the interpreter is."""
    text = ROOT.joinpath("web", "docs", "commands.md").read_text("utf-8")
    (words,) = re.findall(r"^python -m pyws serve (.+) wss://\S+$", text, re.M)
    runtime, script = words.removeprefix("--runtime ").split()
    echo = f"{peer.origin}/page-readme?do=accept&do=echo"
    with serving("--interpreter", PACKAGES / runtime, "--runtime", runtime, ROOT / script, echo) as address:
        browser.get(address)
        shown(browser, "close readyState=3 wasClean=True code=3001 reason='All back ✓'\n", "running")
        browser.get("about:blank")


WEBSOCKETS = f"  websockets {version('websockets')}, as installed in this Python, without its compiled parts"


def requested(browser):
    """The addresses of all that the page has asked for."""
    return browser.execute_script("return performance.getEntriesByType('resource').map(({name}) => name)")


@pytest.mark.requirements("BRG-20")
def test_the_documented_line_with_the_bridge(tmp_path, browser, peer, dist):
    """With the program of the README, and the library that is installed here; no other host is asked for anything."""
    text = ROOT.joinpath("README.md").read_text("utf-8")
    (words,) = re.findall(r"^python -m pyws serve (--bridge .+)$", text, re.M)
    (program,) = re.findall(r"^```python\n(# library\.py\n.+?)^```$", text, re.M | re.S)
    option, name = words.split()
    echo = f"{peer.origin}/page-bridge?do=accept&do=echo"
    tmp_path.joinpath(name).write_text(program.replace("ws://127.0.0.1:8765/", echo))
    with serving(option, "--interpreter", dist / "pyodide", tmp_path / name, told=[WEBSOCKETS]) as address:
        browser.get(address)
        assert shown(browser, "Hello", "running") == "Hello 🌍\n"
        assert [name for name in requested(browser) if not name.startswith((address, "data:"))] == []
        browser.get("about:blank")


BLOCK = """# /// script
# dependencies = [{dependencies}]
# ///
"""


@pytest.mark.requirements("BRG-20")
def test_a_library_that_is_missing_is_told(tmp_path, browser, dist):
    """In the page and on the terminal, with what to do; the page asks for it again after each change."""
    script = tmp_path / "script.py"
    script.write_text("import no_such_library\n")
    wrong = "the block # /// script cannot be read: dependencies must be an array of strings"
    missing = "is imported, and is not installed in this Python: unless Pyodide has it, install it here."
    told = [f"  no-such-library {missing}", WEBSOCKETS, f"  {wrong}"]
    with serving("--bridge", "--interpreter", dist / "pyodide", script, told=told) as address:
        browser.get(address)
        output = shown(browser, "then load the page again.", "error")
        assert "ModuleNotFoundError: No module named 'no_such_library'" in output
        assert "is in no library that this page has" in output
        script.write_text(BLOCK.format(dependencies='"websockets<1"') + "print('goes on')\n")
        told = "cannot load websockets<1: Can't find a pure Python 3 wheel"
        assert shown(browser, "goes on", "running").startswith(told)
        script.write_text(BLOCK.format(dependencies="1"))
        assert shown(browser, "script.py", "error") == f"script.py: {wrong}\n"
        browser.get("about:blank")


@pytest.mark.parametrize("interpreter", ["pyodide", "brython"])
def test_the_pages_of_the_demo_run_their_script(browser, interpreter, dist):
    """They share the script of the page: what to run comes with their address."""
    import serve

    with serve.pages() as origin, serve.echo() as address:
        browser.get(serve.page(origin, interpreter, "examples/echo.py", address))
        output = shown(browser, "close readyState=3", "running")
        assert output.startswith(f"WebSocket('{address}') readyState=0\n")
        assert output.endswith("close readyState=3 wasClean=True code=3001 reason='All back ✓'\n")
        if interpreter == "brython":  # which starts sooner: the script of the page tells it for both
            browser.get(serve.page(origin, interpreter, "examples/missing.py"))
            shown(browser, "examples/missing.py: 404", "error")
        browser.get("about:blank")


@pytest.fixture(scope="module")
def dist():
    """The folder of what tools/bundle.py makes for production."""
    import bundle

    bundle.build()
    return bundle.DIST


def package_of(wheel):
    """The files of the package in a wheel, by name."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name.startswith("pyws/")}


def fetch(address):
    with urllib.request.urlopen(address) as response:
        return response.read()


def test_the_interpreter_is_by_default_that_of_its_makers(tmp_path):
    """Of the version that is tested here, and no other file is asked of another host."""
    script = tmp_path / "script.py"
    script.touch()
    versions = json.loads(ROOT.joinpath("web", "package.json").read_text())["dependencies"]
    for runtime, folder in {
        "pyodide": f"https://cdn.jsdelivr.net/pyodide/v{versions['pyodide']}/full/",
        "brython": f"https://cdn.jsdelivr.net/npm/brython@{versions['brython']}/",
    }.items():
        with serving("--runtime", runtime, script) as address:
            text = fetch(address).decode()
        assert folder in text
        assert "https:" not in text.replace(folder, "")
        file = page.INTERPRETERS[runtime][1]
        assert PACKAGES.joinpath(runtime, file).exists()


def test_pyodide_loads_the_package_that_is_installed(tmp_path, dist):
    """The wheel has every file of the package, byte for byte, as the wheel for production has."""
    script = tmp_path / "script.py"
    script.touch()
    with serving(script) as address:
        served = package_of(BytesIO(fetch(f"{address}{packing.WHEEL}")))
    folder = Path(pyws.__file__).parent
    installed = {path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert served == {path.relative_to(folder.parent).as_posix(): path.read_bytes() for path in installed}
    assert served == package_of(dist / packing.WHEEL)


def test_brython_loads_what_it_loads_in_production(tmp_path, dist):
    """The same script, byte for byte."""
    script = tmp_path / "script.py"
    script.touch()
    with serving("--runtime", "brython", script) as address:
        assert fetch(f"{address}pyws.brython.js") == dist.joinpath("pyws.brython.js").read_bytes()


def test_nothing_else_is_served(tmp_path):
    """Neither what lies beside the script nor what lies beside the interpreter's folder."""
    folder = tmp_path / "interpreter"
    folder.mkdir()
    for file in ("script.py", "secret", "interpreter/pyodide.mjs"):
        tmp_path.joinpath(file).write_text("x")
    with serving("--interpreter", folder, tmp_path / "script.py") as address:
        assert fetch(address + "interpreter/pyodide.mjs") == b"x"
        for path in (
            "libraries/websockets/",
            "secret",
            "script.py",
            "interpreter/../secret",
            "interpreter/%2e%2e/secret",
            "interpreter/",
            "x",
        ):
            with pytest.raises(urllib.error.HTTPError, match="404") as raised:
                fetch(address + path)
            raised.value.close()


def test_the_usual_port_may_be_taken(tmp_path, monkeypatch):
    """By the server of the examples, say; one that was asked for must be free."""
    site = page.Site(tmp_path / "script.py", [], "pyodide", None, False)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        monkeypatch.setattr(page, "USUAL_PORT", taken)
        with page.listening(None, site) as server:
            assert server.server_port != taken
        with pytest.raises(OSError, match="in use"):
            page.listening(taken, site)


@pytest.mark.parametrize(
    "arguments, reason",
    [
        (["missing.py"], "no such file"),
        (["--interpreter", ".", "script.py"], "no pyodide.mjs"),
        (["--runtime", "brython", "--interpreter", ".", "script.py"], "no brython.min.js"),
        (["--runtime", "other", "script.py"], "invalid choice"),
        (["--bridge", "--runtime", "brython", "script.py"], "--bridge needs Pyodide"),
        (["--bridge", "--interpreter", "pyodide", "script.py"], "--bridge needs micropip"),
        (["--port", "70000", "script.py"], "cannot listen on 127.0.0.1:70000"),
        ([], "required"),
    ],
)
def test_what_cannot_be_served_is_a_sentence(tmp_path, arguments, reason):
    """No traceback."""
    tmp_path.joinpath("script.py").touch()
    tmp_path.joinpath("pyodide").mkdir()
    tmp_path.joinpath("pyodide/pyodide.mjs").touch()
    done = subprocess.run(
        [*SERVE, *arguments], capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": PATH}
    )
    assert done.returncode in (1, 2) and done.stdout == ""
    assert reason in done.stderr and "Traceback" not in done.stderr

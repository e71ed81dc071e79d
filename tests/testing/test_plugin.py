"""The plugin for pytest as people get it: from the wheel, in a project of their own."""

import importlib.metadata
import re
import zipfile
from io import BytesIO

import pytest

import bundle
from programs import python

pytestmark = [pytest.mark.once, pytest.mark.timeout(60)]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with what the wheel installs, and no checkout."""
    folder = tmp_path_factory.mktemp("installed")
    (wheel,) = [content for name, content in bundle.distributions() if name.endswith(".whl")]
    zipfile.ZipFile(BytesIO(wheel)).extractall(folder)
    return folder


LOADED = """
import sys
import pyws

def test_nothing_more_is_loaded(request):
    assert pyws.__file__.startswith(INSTALLED)
    assert request.config.pluginmanager.has_plugin("pyws")
    names = ["pyws", "pyws.testing", "pyws.testing.plugin", "pyws.version"]
    assert sorted(name for name in sys.modules if name.startswith("pyws")) == names

def test_it_is_loaded_when_it_is_used(websocket_server):
    assert "pyws.testing.server" in sys.modules and "pyws.testing.journal" not in sys.modules
"""


FAULTS = """
import asyncio, pytest
from websockets.sync.client import connect

def test_unmet(websocket_server):
    websocket_server.expect("hello")

@pytest.mark.xfail(strict=True)
def test_unmet_on_purpose(websocket_server):
    websocket_server.expect("hello")

def test_two(websocket_server):
    websocket_server.expect("hello").next_connection().expect("bye")

def test_raising(websocket_server):
    async def fail(connection):
        raise LookupError("no such room")
    websocket_server.run(fail)
    with pytest.raises(Exception), connect(websocket_server.url):
        pass

def test_another_reason(websocket_server):
    websocket_server.expect("hello").expect("never")
    with connect(websocket_server.url) as ws:
        ws.send("hello")
        websocket_server.wait_for("hello")
        assert 1 == 2

def test_skipped(websocket_server):
    websocket_server.expect("hello")
    pytest.skip("not today")

def test_right(websocket_server):
    websocket_server.expect("hello")
    with connect(websocket_server.url) as ws:
        ws.send("hello")
"""


ASYNC = """
import asyncio, pytest
import pyws

pytestmark = pytest.mark.anyio

@pytest.fixture
def anyio_backend():
    return "asyncio"

async def test_in_a_coroutine(websocket_server, websocket_journal):
    websocket_server.expect("hello").send("world").close(1000)
    ws = pyws.WebSocket(websocket_server.url)
    ws.onopen = lambda event: ws.send("hello")
    await websocket_journal.async_wait_for("close")
    assert websocket_journal.rows == [("open", ""), ("message", "world"), ("close", 1000, "", True)]
    await websocket_server.async_check()

async def test_unmet_in_a_coroutine(websocket_server):
    websocket_server.expect("hello")
"""


COVERED = """
import program

def test_it(websocket_server):
    websocket_server.send("hello")
    assert program.greet(websocket_server.url) == "hello"
"""
PROGRAM = """
from websockets.sync.client import connect

def greet(url):
    with connect(url) as ws:
        return ws.recv()
"""


@pytest.fixture(scope="module")
def monkeypatch():
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield monkeypatch


@pytest.fixture(scope="module")
def folder(installed, monkeypatch, tmp_path_factory):
    """Where all of this was run, by one pytest; what it printed is in `output`."""
    folder = tmp_path_factory.mktemp("project")
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # which would measure what is installed there, too
    files = {"test_1.py": LOADED.replace("INSTALLED", repr(str(installed))), "test_2.py": FAULTS, "test_3.py": ASYNC}
    for name, text in {**files, "test_4.py": COVERED, "program.py": PROGRAM, "pytest.ini": "[pytest]\n"}.items():
        folder.joinpath(name).write_text(text, "utf-8")
    command = ["-m", "coverage", "run", "--source", ".", "-m", "pytest", "-p", "no:cacheprovider", "-W", "error"]
    _, output, errors = python("-P", *command, "-q", "--tb=short", cwd=folder, PYTHONPATH=f"{installed}:{folder}")
    assert errors == ""
    folder.joinpath("output").write_text(output, "utf-8")
    return folder


def test_the_plugin_comes_with_the_wheel(folder):
    """It loads nothing else until a test uses a fixture, and works in coroutines; a fault fails the test itself."""
    output = folder.joinpath("output").read_text("utf-8")
    assert re.search(r"^5 failed, 5 passed, 1 skipped, 1 xfailed in", output, re.M), output
    sections = dict(re.findall(r"^_+ (test_\w+) _+\n((?s:.*?))(?=^_+ |^=+ short)", output, re.M))
    assert sections["test_unmet"] == (
        "expected 'hello', but connection 1 to the server did not come\n  in test_2.py, line 6\n"
    )
    assert "expected 'bye', but connection 2 to the server did not come" in sections["test_two"]
    assert 'raise LookupError("no such room")' in sections["test_raising"]
    assert "assert 1 == 2" in sections["test_another_reason"]
    # The client that the test leaves behind is a fault of its own, if the server has heard of it by then.
    said = r"Captured websocket_server call -+\n(ExpectationError: .*\n  in .*\n)?connection 1:\n.*client  opens /"
    assert re.search(said, sections["test_another_reason"])
    assert "in test_3.py" in sections["test_unmet_in_a_coroutine"]


def test_the_coverage_of_a_project_is_as_before(folder):
    """No file of it is imported before it is measured."""
    _, report, _ = python("-P", "-m", "coverage", "report", "--include=program.py", cwd=folder)
    assert re.search(r"^program.py +4 +0 +100%", report, re.M), report


def test_the_extra_has_what_certificates_need():
    lines = importlib.metadata.requires("pyws-websocket")
    assert [line for line in lines if line.startswith("trustme>=") and re.search("extra == .testing.", line)]

"""A script of a page, run by a test in its own process."""

import asyncio
import sys

import pytest
import pyws
from pyws.testing import ExpectationError, run_script

GREET = """
import sys
import beside
from pyws import WebSocket

assert __name__ == "__main__"
ws = WebSocket(sys.argv[1])
opened = await ws.when("open").first()
ws.send(beside.GREETING)
ws.onmessage = lambda event: ws.close(1000, event.data)
ws.onclose = lambda event: print(sys.argv, event.code, event.reason)
"""


OPEN, MESSAGE = "  ('open', '')", "  ('message', 'hello')"
RAISING = """
import asyncio
from pyws import Event, EventTarget

target = EventTarget()
target.addEventListener("tick", lambda event: 1 / 0)
target.dispatchEvent(Event("tick"))
await asyncio.sleep(3600)
"""


@pytest.fixture
def script(tmp_path):
    """Write a script; return its path."""

    def write(source):
        path = tmp_path / "script.py"
        path.write_text(source)
        tmp_path.joinpath("beside.py").write_text('GREETING = "hello"\n')
        return path

    yield write
    sys.modules.pop("beside", None)


def test_it_runs_as_in_a_page(script, websocket_server, websocket_journal, capsys):
    """Its top level awaits; it has its arguments, and its folder to import from; then all is as before."""
    before = sys.argv, list(sys.path), sys.modules["__main__"], sys.excepthook
    websocket_server.expect("hello").send("bye").expect_close(1000, "bye")
    path = script(GREET)
    module = run_script(path, websocket_server.url)
    assert capsys.readouterr().out == f"['{path}', '{websocket_server.url}'] 1000 bye\n"
    assert module.ws.readyState == 3
    assert websocket_journal.rows == [("open", ""), ("message", "bye"), ("close", 1000, "bye", True)]
    assert (sys.argv, list(sys.path), sys.modules["__main__"], sys.excepthook) == before


def test_it_has_the_user_agent_of_the_test(script, websocket_server):
    websocket_server.close(1000)
    with pyws.UserAgent(headers={"X-Test": "yes"}):
        run_script(script("import sys, pyws; pyws.WebSocket(sys.argv[1])"), websocket_server.url)
    assert websocket_server.connections[0].headers["X-Test"] == "yes"


@pytest.mark.parametrize(
    "source",
    [
        "1 / 0",
        "import asyncio\nawait asyncio.sleep(0)\n1 / 0",
        "import pyws, sys\npyws.WebSocket(sys.argv[1]).onopen = lambda event: 1 / 0",
        "import pyws, sys\nasync def fail(event): 1 / 0\npyws.WebSocket(sys.argv[1]).onclose = fail",
    ],
    ids=["at once", "later", "in a listener", "in an async listener"],
)
def test_its_exception_reaches_the_test(source, script, websocket_server, capsys):
    """With the line of the script in the traceback."""
    websocket_server.close(1000)
    with pytest.raises(ZeroDivisionError) as caught:
        run_script(script(source), websocket_server.url)
    assert caught.traceback[-1].path == script(source)
    assert capsys.readouterr().err == ""


def test_a_script_that_does_not_end(script, websocket_server):
    """The rows of its sockets are shown; but an exception of a listener comes first."""
    websocket_server.send("hello")
    source = "import pyws, sys\nws = pyws.WebSocket(sys.argv[1])\nws.onmessage = print\n"
    with pytest.raises(ExpectationError) as caught:
        run_script(script(source), websocket_server.url, timeout=0.1)
    first, *rows = str(caught.value).split("\n")
    assert first == f"{script(source)} has not ended after 0.1 s; the rows of its sockets:"
    assert rows in (["  no row came"], *([OPEN, MESSAGE][:number] for number in (1, 2)))
    with pytest.raises(ZeroDivisionError):
        run_script(script(RAISING), timeout=0.1)


def test_a_script_that_exits(script):
    run_script(script("import sys; sys.exit()"))
    run_script(script("import sys; sys.exit(0)"))
    with pytest.raises(SystemExit, match="3"):
        run_script(script("import sys; sys.exit(3)"))


def test_a_script_in_a_coroutine(script):
    """It has a loop of its own."""

    async def main():
        with pytest.raises(RuntimeError, match="run_script has an event loop of its own"):
            run_script(script(""))

    asyncio.run(main())


def test_a_script_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        run_script(tmp_path / "missing.py")
    with pytest.raises(ValueError, match="timeout"):
        run_script(tmp_path / "missing.py", timeout=-1)

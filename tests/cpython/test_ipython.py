"""What IPython shows of an exception in a listener: at its prompt, and in the kernel of Jupyter."""

import json
import os
import subprocess
import sys

import pytest

import environment
import notebooks
import serve
from notebooks import rows
from runtimes import required

pytestmark = [pytest.mark.once, pytest.mark.timeout(120)]

WITHIN = 60  # seconds for the cells of a program

# Runs cells in IPython as its command does, and prints what came on both streams, by cell.
TERMINAL = """
import contextlib, io, json, sys
from IPython.core.async_helpers import get_asyncio_loop
from IPython.terminal.ipapp import TerminalIPythonApp

app = TerminalIPythonApp.instance()
app.initialize(["--no-banner", "--colors=NoColor", "--HistoryManager.enabled=False"])
loop = app.shell.user_ns["loop"] = get_asyncio_loop()
found = []
for cell in json.loads(sys.argv[1]):
    streams = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        if cell == "between cells":
            loop.run_until_complete(app.shell.user_ns["later"]())
        else:
            app.shell.run_cell(cell)
    found.append([stream.getvalue() for stream in streams])
print(json.dumps(found))
"""

# Runs cells in a kernel of Jupyter, and prints the answer to each and the messages until a last one. A cell that prints
# "interrupt me" is interrupted.
KERNEL = """
import json, sys
from jupyter_client.manager import KernelManager

manager = KernelManager()
manager.start_kernel()
client = manager.blocking_client()
client.start_channels()
client.wait_for_ready(timeout=90)
found = []
for cell, last in json.loads(sys.argv[1]):
    client.execute(cell)
    messages = []
    while not messages or last not in str(messages[-1]):
        message = client.get_iopub_msg(timeout=90)
        messages.append({"msg_type": message["msg_type"], "content": message["content"]})
        if message["content"].get("text") == "interrupt me\\n":
            manager.interrupt_kernel()
    found.append([client.get_shell_msg(timeout=90)["content"]["status"], messages])
client.stop_channels()
manager.shutdown_kernel()
print(json.dumps(found))
"""


@pytest.fixture(scope="module", autouse=True)
def tools():
    with required():
        notebooks.prepare()


def start(program, *arguments):
    """Run a program that finds IPython."""
    environ = notebooks.environ()
    environ["PYTHONPATH"] = os.pathsep.join([environ["PYTHONPATH"], str(environment.ROOT)])
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=WITHIN)


def run(program, *arguments):
    """Run a program that finds IPython; what is on its last line, which is JSON."""
    done = start(program, *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


LISTENERS = """
import asyncio, sys, traceback
from pyws import Event
from pyws.dom import EventTarget

target = EventTarget()

def listen(listener):
    target.addEventListener("x", listener, once=True)

def fire():
    target.dispatchEvent(Event("x"))

async def later():
    fire()
    await asyncio.sleep(0)
    await asyncio.sleep(0)

def fail(event):
    raise ValueError("no")

async def fail_later(event):
    fail(event)

def fail_to_be_called():
    pass

def fail_twice(event):
    raise ExceptionGroup("both", [ValueError("one"), KeyError("two")])

def fail_because(event):
    try:
        fail_twice(event)
    except ExceptionGroup as error:
        raise RuntimeError("because") from error

def fail_to_compile(event):
    exec("a b")
"""


# What its traceback says first and last; where an exception is in another, or led to it, that of both.
TRACEBACKS = {
    "fail": ["Cell In[1], line 19, in fail(event)", "ValueError: no"],
    "fail_later": [
        "Cell In[1], line 22, in fail_later(event)",
        "Cell In[1], line 19, in fail(event)",
        "ValueError: no",
    ],
    "fail_to_be_called": ["TypeError: fail_to_be_called() takes 0 positional arguments but 1 was given"],
    "fail_twice": ["ExceptionGroup: both (2 sub-exceptions)", "ValueError: one", "KeyError: 'two'"],
    "fail_because": [
        "ExceptionGroup: both (2 sub-exceptions)",
        "ValueError: one",
        "KeyError: 'two'",
        "RuntimeError: because",
    ],
    "fail_to_compile": [
        "Cell In[1], line 37, in fail_to_compile(event)",
        "SyntaxError: invalid syntax (<string>, line 1)",
    ],
}


def test_a_traceback_is_what_ipython_makes_of_it():
    """On stderr, from the listener on, in a cell and between cells; a group has its exceptions."""
    cells = [LISTENERS]
    for name in TRACEBACKS:
        cells += [f"listen({name}); await later()", f"listen({name})", "between cells"]
    _, *streams = run(TERMINAL, json.dumps(cells))
    assert streams[0::3] == streams[2::3]
    assert {printed for printed, _ in streams} == {""}
    shown = [notebooks.traceback_rows(complaints) for _, complaints in streams[0::3]]
    assert dict(zip(TRACEBACKS, shown, strict=True)) == TRACEBACKS


def test_the_hook_of_a_program_is_called():
    """It is called as everywhere, also where IPython has put its own in front of it for the time of a cell."""
    cells = [
        LISTENERS,
        "def hook(kind, error, traceback): print('hook', error)",
        "def call_with_hook():\n    sys.excepthook = hook\n    fire()",
        "listen(fail); call_with_hook()",
        "_ = loop.call_soon(setattr, sys, 'excepthook', hook)",
        "between cells",
        "listen(fail); fire()",
        "listen(fail)",
        "between cells",
    ]
    printed = [["", ""], ["hook no\n", ""]]
    assert run(TERMINAL, json.dumps(cells)) == [printed[number] for number in (0, 0, 0, 1, 0, 0, 1, 0, 1)]


def test_a_program_that_imports_ipython_has_the_hook_of_python():
    """Where no shell of IPython runs, the traceback is that of Python."""
    done = start(f"import IPython\n{LISTENERS}\nlisten(fail)\nfire()")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.endswith('File "<string>", line 21, in fail\nValueError: no\n')


def test_the_kernel_of_jupyter_shows_it_and_the_cell_does_not_fail():
    """On stderr, which notebooks show below a cell; there is no error of the cell."""
    cells = [
        [LISTENERS, "idle"],
        ["listen(fail); await later()", "idle"],
        ["listen(fail); _ = asyncio.get_running_loop().call_soon(fire)", "ValueError"],
    ]
    found = run(KERNEL, json.dumps(cells))
    traceback = [f"stderr {row}" for row in TRACEBACKS["fail"]]
    assert [(status, rows(outputs)) for status, outputs in found] == [("ok", []), ("ok", traceback), ("ok", traceback)]


def test_the_notebook_runs_in_the_kernel_of_jupyter():
    """The same notebook that runs in JupyterLite, on CPython."""
    with serve.echo() as echo:
        notebook = json.loads(notebooks.jupyter_notebook(echo))
        cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
        # The packages are installed.
        requests = [["pass" if cell.startswith("%pip") else cell, "idle"] for cell in cells]
        found = run(KERNEL, json.dumps(requests))
    assert [(status, rows(outputs)) for status, outputs in found] == [
        ("ok", []),
        ("ok", ["stdout open"]),
        ("ok", ["'hello'"]),
        ("ok", ["stdout message 0", "stdout message 1", "stdout message 2"]),
        ("ok", ["'nothing yet'"]),
        (
            "ok",
            [
                "'bad news'",
                "stderr Cell In[6], line 2, in fail(event)",
                "stderr ValueError: cannot use 'bad news'",
                "stdout It goes on.",
            ],
        ),
        ("ok", []),
        ("ok", ["stdout hello from websockets"]),
        ("ok", ["(1000, 'done', True)"]),
    ]


def test_an_interrupt_ends_the_cell_and_not_the_socket():
    """The socket stays open, and another cell hears its messages. They wake ipykernel, or it would not notice."""
    with serve.echo() as echo:
        cells = [
            f"from pyws import WebSocket\nws = WebSocket('{echo}ticker')\n_ = await ws.when('open').first()",
            "print('interrupt me')\nasync for event in ws.when('message'):\n    pass",
            "event = await ws.when('message').first()\n'price' in event.data, ws.readyState",
        ]
        found = run(KERNEL, json.dumps([[cell, "idle"] for cell in cells]))
    assert [rows(outputs) for _, outputs in found] == [
        [],
        ["failed: CancelledError ", "stdout interrupt me"],
        ["(True, 1)"],
    ]

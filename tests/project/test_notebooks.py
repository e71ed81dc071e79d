"""The notebooks of web/notebooks as people run them in a browser: in JupyterLite and in marimo."""

import contextlib
import re
import time

import pytest

import notebooks
from notebooks import rows
from peer import Peer
from runtimes import chromium, required

pytestmark = [pytest.mark.once, pytest.mark.timeout(300)]

READY_WITHIN = 150  # seconds for a page to load its interpreter
DONE_WITHIN = 60  # seconds for what cells do
PAGE = "/dist/notebooks/jupyterlite-site/notebooks/index.html"
KERNEL_SCRIPT = "/dist/notebooks/jupyterlite-site/extensions/@jupyterlite/pyodide-kernel-extension/static/"

# What stands below each cell, from the first to the last.
IN_JUPYTER = [
    [],
    ["stdout open"],
    ["'hello'"],
    ["stdout message 0", "stdout message 1", "stdout message 2"],
    ["'bad news'"],
    ["stderr Cell In[6], line 2, in fail(event)", "stderr ValueError: cannot use 'bad news'", "stdout It goes on."],
    [],
    ["stdout hello from websockets"],
    ["(1000, 'done', True)"],
]


class Page:
    """A page in a browser, and what a person does there."""

    def __init__(self, driver, origin):
        self.driver = driver
        self.origin = origin
        driver.set_script_timeout(DONE_WITHIN)

    def js(self, script, *arguments):
        """Run an asynchronous function of JavaScript; its value."""
        return self.driver.execute_async_script(
            f"const [given, done] = arguments; (async () => {{{script}\n}})().then("
            "(value) => done(value), (error) => done(String(error?.stack ?? error)))",
            arguments,
        )

    def until(self, condition, seconds=DONE_WITHIN):
        """Wait until it holds; what it gave."""
        patience = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < patience, self.driver.get_log("browser")
            time.sleep(0.1)
        return value

    def until_js(self, script, seconds=DONE_WITHIN):
        return self.until(lambda: self.driver.execute_script(script), seconds)

    def foreign(self):
        """What the page itself has loaded from other hosts."""
        names = self.driver.execute_script("return performance.getEntriesByType('resource').map(({name}) => name)")
        return [name for name in names if not name.startswith((self.origin, "blob:", "data:"))]


class Lite(Page):
    """JupyterLite with the notebook."""

    def open(self):
        self.driver.get(f"{self.origin}{PAGE}?path=echo.ipynb")
        self.until_js(
            "return Boolean(window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel)", READY_WITHIN
        )
        self.driver.execute_script(
            "window.panel = jupyterapp.shell.currentWidget; window.heard = [];"
            "panel.sessionContext.iopubMessage.connect((_, {header, content}) =>"
            " heard.push({msg_type: header.msg_type, content}))"
        )

    def run_all(self):
        """Whether "Run all" has come to the end."""
        self.driver.execute_script(
            "window.all = undefined;"
            "jupyterapp.commands.execute('notebook:run-all-cells').then((whole) => window.all = whole)"
        )
        self.until_js("return window.all !== undefined", READY_WITHIN)
        return self.driver.execute_script("return window.all")

    def run_cell(self, begin):
        """Run the cell that begins so, as the button does."""
        self.js(
            "panel.content.activeCellIndex = panel.content.widgets.findIndex("
            "({model}) => model.sharedModel.source.startsWith(given[0]));"
            "await jupyterapp.commands.execute('notebook:run-cell')",
            begin,
        )

    def outputs(self):
        """The rows below each cell of code."""
        cells = self.driver.execute_script(
            "return panel.content.widgets.filter(({model}) => model.type === 'code')"
            ".map(({model}) => model.outputs.toJSON())"
        )
        return [rows(outputs) for outputs in cells]

    def execute(self, code):
        """Execute code that is in no cell: what it printed, showed or raised."""
        outputs = self.js(
            "const outputs = [];"
            "const future = panel.sessionContext.session.kernel.requestExecute({code: given[0]});"
            "future.onIOPub = ({header, content}) => outputs.push({msg_type: header.msg_type, content});"
            "await future.done; return outputs",
            code,
        )
        return rows(outputs)


@pytest.fixture(scope="module")
def servers():
    """The origin of pages, and the address of the echo server."""
    with contextlib.ExitStack() as stack:
        with required():
            import bundle
            import serve

            bundle.build()
            notebooks.prepare()
        echo = stack.enter_context(serve.echo())
        yield stack.enter_context(serve.pages(0, echo)), echo


@pytest.fixture(scope="module")
def lite(servers):
    """The notebook in JupyterLite, when all its cells have run."""
    origin, echo = servers
    notebooks.jupyterlite(echo)
    with required(), chromium() as driver:
        page = Lite(driver, origin)
        page.open()
        page.all = page.run_all()
        yield page


def test_the_notebook_runs_in_jupyterlite(lite):
    """To its end, though a listener raises; the output is below the cell that it is of; the page asks no other host."""
    assert (lite.all, lite.outputs()) == (True, IN_JUPYTER)
    assert lite.foreign() == []


def test_a_cell_runs_twice(lite):
    """The cell that opens the socket closes the one of its last run."""
    lite.run_cell("from pyws import")
    lite.execute("first = ws; closed = ws.when('close').first()")
    lite.run_cell("from pyws import")
    assert lite.execute("(await closed).code, first.readyState, ws.readyState") == ["(1005, 3, 1)"]


def test_an_exception_between_cells_is_shown(lite):
    """Below the cell that was run last, as an error of the listener and not of IPython; the next cell runs."""
    lite.run_cell("from pyws import")
    lite.driver.execute_script("heard.length = 0")
    lite.execute("import asyncio; ws.onmessage = fail; _ = asyncio.get_running_loop().call_soon(ws.send, 'late')")
    outputs = lite.until_js("return heard.some(({content}) => content.name === 'stderr') && heard")
    assert rows(outputs) == [
        "stderr Cell In[6], line 2, in fail(event)",
        "stderr ValueError: cannot use 'late'",
    ]
    assert lite.execute("ws.onmessage = None; ws.readyState") == ["1"]


def test_a_hook_of_the_program_is_called(lite):
    """IPython takes back what a statement writes into `sys.excepthook`, but not what is written there after a cell."""
    lite.run_cell("from pyws import")
    lite.execute(
        "import asyncio, sys; before = sys.excepthook\n"
        "def hook(kind, error, traceback): print('hook', error)\n"
        "_ = asyncio.get_running_loop().call_soon(setattr, sys, 'excepthook', hook)"
    )
    code = "ws.onmessage = fail; ws.send('{}'); _ = await ws.when('message').first()"
    assert lite.execute(code.format("in a cell")) == ["stdout hook cannot use 'in a cell'"]
    lite.execute("_ = asyncio.get_running_loop().call_soon(setattr, sys, 'excepthook', get_ipython().sys_excepthook)")


def test_an_interrupt_ends_what_has_not_begun(lite):
    """A cell that waits for a message goes on: its kernel, a worker, cannot be interrupted without shared memory."""
    with Peer() as peer:
        url = f"{peer.origin}/interrupt?do=accept&do=sleep&do=text%20late&do=close%201000"
        lite.execute(f"from pyws import WebSocket; ws = WebSocket({url!r}); _ = await ws.when('open').first()")
        lite.driver.execute_script(
            "const kernel = panel.sessionContext.session.kernel;"
            "window.outputs = []; window.replies = [];"
            "for (const code of arguments) {"
            "  const future = kernel.requestExecute({code, stop_on_error: false});"
            "  future.onIOPub = ({header, content}) => outputs.push({msg_type: header.msg_type, content});"
            "  future.done.then(({content}) => replies.push(`${content.status} ${content.ename ?? ''}`))"
            "}",
            "print('waits')\nasync for event in ws.when('message'):\n    print(event.data)",
            "print('never')",
        )
        lite.until_js("return outputs.some(({content}) => content.text === 'waits')")
        lite.js("await panel.sessionContext.session.kernel.interrupt()")
        peer.wake("interrupt")
        lite.until_js("return replies.length === 2")
    replies, outputs = lite.driver.execute_script("return [replies, outputs]")
    assert replies == ["ok ", "error Kernel Interrupt"]
    assert [row for row in rows(outputs) if "stdout" in row] == ["stdout waits", "stdout late"]
    assert lite.execute("ws.readyState") == ["3"]


def test_a_relative_url(lite):
    """It is relative to the script of the kernel, which is a worker; with a slash in front, to the host."""
    origin = lite.origin.replace("http", "ws")
    shown = lite.execute("print(WebSocket('echo').url)\nprint(WebSocket('/echo').url)")
    assert shown == [f"stdout {origin}{KERNEL_SCRIPT}echo", f"stdout {origin}/echo"]


def test_a_new_kernel_leaves_no_socket(lite):
    """When the kernel is restarted the server sees the end of its sockets. The last test, for a kernel takes long."""
    with Peer() as peer:
        url = f"{peer.origin}/restart?do=accept&do=text%20hello"
        lite.execute(f"from pyws import WebSocket; ws = WebSocket({url!r}); _ = await ws.when('message').first()")
        lite.driver.execute_script("panel.sessionContext.session.kernel.restart()")
        assert peer.records["restart"].over.wait(DONE_WITHIN)


class Marimo(Page):
    """marimo with its notebook, in a page that `marimo export html-wasm` has made."""

    def open(self):
        self.driver.get(f"{self.origin}/dist/notebooks/marimo-site/index.html")
        self.until_js(
            "return document.querySelector('.cm-content') && "
            "[...document.querySelectorAll('[data-testid=run-button]')].at(-1)?.disabled === false",
            READY_WITHIN,
        )

    def press(self, text=""):
        """Press the button that runs the cell in which that text is, or the last button, which runs all cells."""
        self.driver.execute_script(
            "const cell = [...document.querySelectorAll('[data-cell-id]')].find("
            "(cell) => arguments[0] && cell.querySelector('.cm-content')?.textContent.includes(arguments[0]));"
            "const buttons = [...(cell ?? document).querySelectorAll('[data-testid=run-button]')];"
            "buttons.at(cell ? 0 : -1).click()",
            text,
        )

    def outputs(self):
        """The text below each cell, or what it printed; of a traceback the exception, of prose the heading."""
        areas = self.driver.execute_script(
            "return [...document.querySelectorAll('.output-area, .console-output-area')]"
            ".map((area) => area.querySelector('h1')?.innerText ?? area.innerText).filter((text) => text.trim())"
        )
        frame = re.compile(r"^(Traceback .*| .*|)\n", re.M)
        return [", ".join(frame.sub("", area).splitlines()) for area in areas]

    def until_outputs(self, expected):
        """Wait until the cells show that."""
        with contextlib.suppress(AssertionError):
            self.until(lambda: self.outputs() == expected)
        assert self.outputs() == expected


MARIMO = [
    "A WebSocket in a notebook",
    "The socket is open.",
    "The latest message: bad news",
    "message 0, message 1, message 2",
    "It goes on., ValueError: cannot use 'bad news'",
    "hello from websockets",
]


def test_the_notebook_runs_in_marimo(servers):
    """Each cell shows what is its own, also a listener's mistake; when it runs again, the old socket is closed."""
    origin, _ = servers
    with Peer() as peer, required(), chromium() as driver:
        notebooks.marimo(f"{peer.origin}/marimo?do=accept&do=echo")
        page = Marimo(driver, origin)
        page.open()
        conversations = peer.records["marimo"]
        page.press()
        page.until_outputs(MARIMO)
        page.until(lambda: (conversations.begun, conversations.running) == (2, 1))
        page.press("WebSocket(")
        page.until(lambda: (conversations.begun, conversations.running) == (4, 1))
        page.until_outputs(MARIMO)
        assert page.foreign() == []

"""The lab page as a visitor meets it: with three runtimes, a keyboard, a phone, another browser, or bad luck."""

import contextlib
import ctypes
import http.client
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

import serve
from peer import Peer
from runtimes import chromium, firefox, required, webkit

pytestmark = [pytest.mark.once, pytest.mark.timeout(120)]

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.name for path in ROOT.glob("web/examples/*.py"))
READY_WITHIN = 100  # seconds for the page to load its interpreters
DONE_WITHIN = 100  # seconds for a run: on two busy cores WebKit needs many
RUNTIMES = ["CPython", "Pyodide", "Brython"]
PLATFORMS = [sys.platform, "emscripten", "brython"]

CHATTER = """
import sys
from pyws import WebSocket

ws = WebSocket(sys.argv[1])
ws.onopen = lambda event: ws.send("x")
ws.onmessage = lambda event: print(event.data)
"""

OTHER_STATE = """
const [state, done] = arguments;
const status = document.getElementById("status");
const look = () => {
  if (status.dataset.state === state) return;
  observer.disconnect();
  done(status.dataset.state);
};
const observer = new MutationObserver(look);
observer.observe(status, { attributeFilter: ["data-state"] });
look();
"""


class Lab:
    """The page, and what a visitor does and sees there."""

    def __init__(self, driver, origin, echo):
        self.driver = driver
        self.origin = origin
        self.echo = echo

    def open(self, address=None):
        self.driver.get(address or f"{self.origin}/")
        assert self.until_not("loading", READY_WITHIN) == "ready"

    def until_not(self, state, seconds=DONE_WITHIN):
        """Wait until the page says that it is in another state; which. To ask it again and again would slow it down."""
        from selenium.common.exceptions import TimeoutException

        self.driver.set_script_timeout(seconds)
        try:
            return self.driver.execute_async_script(OTHER_STATE, state)
        except TimeoutException:
            pytest.fail(str([self.status(), *self.heads(), *self.complaints()]))

    def until(self, condition, seconds=DONE_WITHIN):
        """Wait until it holds; what it gave."""
        patience = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < patience, [self.status(), *self.heads(), *self.complaints()]
            time.sleep(0.1)  # each question takes processor time
        return value

    def complaints(self):
        """What Chromium complained of since this was last asked; the other drivers cannot tell."""
        if not hasattr(self.driver, "get_log"):
            return []
        return [entry for entry in self.driver.get_log("browser") if entry["level"] in ("WARNING", "SEVERE")]

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def find(self, selector):
        return self.driver.find_element("css selector", selector)

    def state(self):
        return self.js("return document.getElementById('status').dataset.state")

    def status(self):
        return self.find("#status").text

    def heads(self):
        return [cell.get_attribute("textContent") for cell in self.driver.find_elements("css selector", "thead th")]

    def choose(self, example):
        """Choose an example from the list, and the echo server."""
        from selenium.webdriver.support.select import Select

        if self.find("#example").get_property("value") != example:
            Select(self.find("#example")).select_by_value(example)
        else:  # the editor may have another script by now
            change = "document.getElementById('example').onchange({target: {value: arguments[0]}}).then(arguments[1])"
            self.driver.execute_async_script(change, example)
        text = ROOT.joinpath("web/examples", example).read_text("utf-8")
        self.until(lambda: self.find(".cm-line").get_attribute("textContent") == text.partition("\n")[0])
        server = self.find("#server")
        server.clear()
        server.send_keys(self.echo)

    def write(self, script, server):
        """Put a script in the place of what is in the editor, as a keyboard would."""
        from selenium.webdriver import Keys

        self.find(".cm-content").click()
        self.press(Keys.CONTROL, "a")
        # Pasted: typed, the editor would indent the lines.
        self.js(
            "const data = new DataTransfer(); data.setData('text/plain', arguments[0]);"
            "document.querySelector('.cm-content').dispatchEvent("
            "new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true}))",
            script,
        )
        field = self.find("#server")
        field.clear()
        field.send_keys(server)

    def press(self, *keys):
        """Press keys together, wherever the focus is."""
        from selenium.webdriver import ActionChains

        chain = ActionChains(self.driver)
        for key in keys[:-1]:
            chain.key_down(key)
        chain.send_keys(keys[-1])
        for key in keys[:-1]:
            chain.key_up(key)
        chain.perform()

    def run(self, script=None, server=None):
        """Run it to its end; the state that the page says it ended in."""
        if script is not None:
            self.write(script, server or self.echo)
        self.find("#run").click()
        return self.until_not("running")

    def rows(self, mark=""):
        """The text of each row, by column: [["CPython's", "Pyodide's", "Brython's"], …]."""
        return self.js(
            "return Array.from(document.querySelectorAll('tbody tr' + arguments[0]), row => Array.from("
            "row.querySelectorAll('td'), cell => cell.querySelector('.words')?.textContent ?? cell.textContent))",
            mark,
        )

    def words(self):
        """The rows on which all agree."""
        rows = self.rows()
        assert all(len(set(row)) == 1 for row in rows), rows
        return [row[0] for row in rows]

    def focused(self):
        return self.js(
            "return document.activeElement.id || document.activeElement.className || document.activeElement.localName"
        )


@pytest.fixture(scope="module")
def lab():
    with contextlib.ExitStack() as stack:
        with required():
            import bundle
            import serve

            bundle.build()
            echo = stack.enter_context(serve.echo())
            origin = stack.enter_context(serve.pages(0, echo))
            driver = stack.enter_context(chromium())
        driver.set_window_size(1280, 900)
        page = Lab(driver, origin, echo)
        page.open()
        page.complaints_at_first = page.complaints()
        yield page


def scripts():
    """The scripts that this server has started and that have not ended."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if "instrument.py" in " ".join(child.cmdline()) and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
    return found


def test_the_list_is_the_folder(lab):
    """Every example can be chosen, by its name and what it says it does; the simplest is there already."""
    options = lab.driver.find_elements("css selector", "#example option")
    assert sorted(option.get_attribute("value") for option in options) == EXAMPLES
    assert options[0].text.startswith("echo.py – Send messages to an echo server")
    assert lab.find("#server").get_attribute("value") == lab.echo
    assert [head[:7] for head in lab.heads()] == RUNTIMES


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_writes_one_journal(lab, example):
    """In all columns, and the browser has nothing to complain of."""
    lab.complaints()
    lab.choose(example)
    assert lab.run() == "agree", lab.rows(".unlike")
    rows = lab.rows()
    assert lab.status() == f"✓ CPython, Pyodide, and Brython wrote the same journal: {len(rows)} rows."
    assert any("open protocol=" in cell for row in rows for cell in row)
    assert lab.complaints() == []


def test_pyodide_starts_from_saved_memory(lab):
    """Which takes a sixth of the time; where a browser cannot use it, the page would have complained."""
    version = re.search(r"\d+\.\d+\.\d+", lab.heads()[1])[0]
    memory = json.loads(ROOT.joinpath("dist/index.json").read_bytes())["snapshot"]
    assert memory == f"pyodide-{version}.snapshot"
    assert ROOT.joinpath("dist", memory).stat().st_size > 2**24
    assert lab.complaints_at_first == []


def test_the_next_interpreters_are_loaded_last(lab):
    """When each has had its turn: before, they would slow down what is compared."""
    lab.js(COUNT_WORKERS)
    assert lab.run("print('one')") == "agree"
    loaded = lab.until(lambda: len(made := lab.js("return made")) == 2 and made)
    assert "waiting" not in loaded[0] + loaded[1]
    lab.js("window.Worker = Object.getPrototypeOf(Worker)")


# How the columns stand whenever a worker is made.
COUNT_WORKERS = """
window.made = [];
window.Worker = class extends Worker {
  constructor(...given) {
    super(...given);
    made.push(Array.from(document.querySelectorAll("thead .state"), ({ dataset }) => dataset.state));
  }
};
"""


@pytest.mark.parametrize("browser", [firefox, webkit], ids=lambda browser: browser.__name__)
@pytest.mark.timeout(300)
def test_another_browser_shows_the_same(lab, browser):
    """There, too, the Pythons of the page write the journal that CPython writes."""
    with contextlib.ExitStack() as stack:
        with required():
            driver = stack.enter_context(browser())
        elsewhere = Lab(driver, lab.origin, lab.echo)
        elsewhere.open()
        elsewhere.choose("upload.py")
        assert elsewhere.run() == "agree", elsewhere.rows(".unlike")
        assert any("open protocol=" in row for row in elsewhere.words())


def test_the_rows_are_what_happened(lab):
    """Calls with their arguments, events with their fields, exceptions and what is printed, in order."""
    script = """
import sys
from pyws import DOMException, WebSocket

ws = WebSocket(sys.argv[1])
ws.binaryType = "arraybuffer"
try:
    ws.send("early")
except DOMException as error:
    print(error.name)

def on_open(event):
    ws.send("å" * 1000)
    ws.send(b"\\x00\\xff")

def on_message(event):
    if isinstance(event.data, bytes):
        ws.close(3000, "enough")

def on_close(event):
    1 / 0

ws.onopen = on_open
ws.onmessage = on_message
ws.onclose = on_close
"""
    assert lab.run(script) == "agree", lab.rows()
    *words, raised = lab.rows()
    assert all(len(set(row)) == 1 for row in words), words
    first, early, printed, opened, *rest = [row[0] for row in words]
    assert first == f"call WebSocket('{lab.echo}')"
    # https://websockets.spec.whatwg.org/#dom-websocket-send
    assert early.startswith("call send('early') DOMException: InvalidStateError")
    assert printed == "InvalidStateError"
    assert opened.startswith("event open protocol='' extensions=")
    origin = lab.echo.removesuffix("/")
    assert rest == [
        "call send('åååååååå' … 'åååå' <1000 characters>)",
        "call send(b'\\x00\\xff')",
        f"event message data='åååååååå' … 'åååå' <1000 characters> origin='{origin}'",
        f"event message data=b'\\x00\\xff' origin='{origin}'",
        "call close(3000, reason='enough')",
        "event close wasClean=True code=3000 reason='enough'",
    ]
    assert all(cell.startswith("ZeroDivisionError: division by zero") for cell in raised)
    states = lab.js("return Array.from(document.querySelectorAll('td[data-column=\"2\"]'), cell => cell.dataset.state)")
    assert "".join(states) == "00011111233"
    sizes = lab.js(
        "return Array.from(document.querySelectorAll('td[data-column=\"0\"] .meta'), cell => cell.textContent)"
    )
    assert [size.partition(" ·")[0] for size in sizes if "B ·" in size] == ["2.0 KiB", "2 B"] * 2
    pictures = [picture.get_attribute("aria-label") for picture in lab.driver.find_elements("css selector", ".picture")]
    for picture in pictures:
        # What send() took within one task stays in bufferedAmount until its end: 2,000 bytes and 2.
        assert picture == "socket 1: CONNECTING, OPEN, CLOSING, CLOSED; bufferedAmount at most 2.0 KiB"


def test_a_difference_is_marked(lab):
    """And only that: the rows around it stand side by side, a row that only one has beside nothing."""
    script = CHATTER.replace("ws = ", "print('I am', sys.platform)\nws = ").replace("print(event.data)", "ws.close()")
    assert lab.run(script + "if sys.platform == 'brython':\n    print('one')\n") == "differ"
    rows = lab.rows()
    assert lab.status() == f"≠ The journals differ in 2 of {len(rows)} rows."
    assert lab.rows(".unlike") == [[f"I am {platform}" for platform in PLATFORMS], ["", "", "one"]]
    assert [mark.text for mark in lab.driver.find_elements("css selector", "tr.unlike th")] == ["≠", "≠"]
    assert all(len(set(row)) == 1 for row in rows[1:2] + rows[3:])


def test_a_traceback_is_one_row(lab):
    """It opens to show the lines."""
    assert lab.run("def fail():\n    raise ValueError('worse')\n\nprint('before')\nfail()\n") == "agree", lab.rows()
    summaries = lab.driver.find_elements("css selector", "td summary")
    assert [summary.text for summary in summaries] == ["ValueError: worse"] * 3
    assert all("raised an exception · 2 rows" in head for head in lab.heads())
    for trace in lab.driver.find_elements("css selector", "td pre"):
        assert re.search(r'"script.py", line 2, in fail\n +raise ValueError', trace.get_attribute("textContent"))
    assert lab.run("x = = 1") == "agree", lab.rows()
    assert lab.find("td summary").text == "SyntaxError: invalid syntax"


FAILURES = """
from pyws import WebSocket

servers = {servers!r}

def connect():
    if servers:
        ws = WebSocket(servers.pop(0))
        ws.onclose = lambda event: connect()

connect()
"""


def test_a_server_that_fails_is_shown_as_what_it_is(lab, peer):
    """Events say no more than the standard lets them; CPython's log says why."""
    servers = [
        f"ws://127.0.0.1:{free_port()}/",
        lab.origin.replace("http", "ws") + "/",  # no WebSocket server
        f"{peer.origin}/lab-1011?do=accept&do=close%201011%20broken",
        "http://[",
    ]
    assert lab.run(FAILURES.format(servers=servers)) == "agree", lab.rows()
    failed = ["error", "close wasClean=False code=1006 reason=''"]
    broken = ["open protocol='' extensions=''", "close wasClean=True code=1011 reason='broken'"]
    expected = []
    for number, events in enumerate([failed, failed, broken], 1):
        expected.append(f"call {number}: WebSocket('{servers[number - 1]}')")
        expected += [f"event {number}: {event}" for event in events]
    *rows, last, traceback = lab.rows()
    assert rows == [[row] * 3 for row in expected]
    # Of an exception of the web platform the name is compared: the message is each browser's own.
    assert all(cell.startswith("call 4: WebSocket('http://[') DOMException: SyntaxError") for cell in last)
    reasons = [aside.text for aside in lab.driver.find_elements("css selector", ".aside")]
    assert len(reasons) == 2 and "Connect call failed" in reasons[0] and "200" in reasons[1]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def connections(peer):
    """How many sockets are open to the peer."""
    pairs = [(pair.laddr.port, pair.status) for pair in psutil.Process().net_connections("tcp")]
    return pairs.count((peer.port, psutil.CONN_ESTABLISHED))


# None of them hears anything any more. Only the last of them is busy: the others would be so for all its turn.
DEAF = """
import sys

print("last words")
if sys.platform == "emscripten":
    from pyodide.code import run_js
    run_js("Atomics.wait(new Int32Array(new WebAssembly.Memory({initial: 1, maximum: 1, shared: true}).buffer), 0, 0)")
elif sys.platform != "brython":
    import time
    time.sleep(60)
while True:
    pass
"""


def test_stop_ends_all_three(lab):
    """One that talks, and one that hears nothing any more: no process is left, and no socket."""
    with Peer() as peer:  # of its own, since sockets are counted
        lab.write(CHATTER, f"{peer.origin}/lab-stop?do=accept&do=echo")
        lab.find("#run").click()
        lab.until(lambda: lab.rows()[4:] == [["x"] * 3])
        assert (lab.state(), len(scripts()), connections(peer)) == ("running", 1, 3)
        lab.find("#stop").click()
        assert lab.state() == "stopped"
        assert [re.search("running|stopped", head)[0] for head in lab.heads()] == ["stopped"] * 3
        lab.until(lambda: not scripts() and not connections(peer))
    lab.write(DEAF, lab.echo)
    lab.find("#run").click()
    lab.until(lambda: lab.rows() == [["last words"] * 3])
    lab.find("#stop").click()
    lab.until(lambda: not scripts())
    assert lab.state() == "stopped" and lab.focused() == "run"


def test_of_a_long_journal_the_beginning_is_shown(lab):
    """So the page stays as quick as before."""
    assert lab.run("for number in range(1200):\n    print('more')\n") == "agree"
    assert lab.words() == ["more"] * 1000 + ["The lab shows 1000 rows; the script goes on."]


def test_a_script_has_its_time(lab, monkeypatch):
    """CPython's: a page's can be stopped by nobody but its reader."""
    import lab as server

    monkeypatch.setattr(server, "TIME_LIMIT", 0.5)
    lab.write("import sys, time\nif sys.platform not in ('emscripten', 'brython'):\n    time.sleep(60)\n", lab.echo)
    lab.find("#run").click()
    lab.until(lambda: "stopped: its time is up" in lab.heads()[0])
    assert not scripts()


def test_the_keyboard_is_enough(lab):
    """Tab goes from one thing to the next, the editor keeps it until Escape, Ctrl and Enter run."""
    from selenium.webdriver import Keys

    lab.until_not("running")
    lab.choose("echo.py")
    lab.find("h1").click()
    order = []
    for _ in range(4):
        lab.press(Keys.TAB)
        order.append(lab.focused())
        outlined = "const {activeElement: it} = document; return it.closest('.cm-editor') ?? it"
        assert lab.js(outlined).value_of_css_property("outline-style") == "solid"
    assert order[:3] == ["example", "server", "run"]
    assert "cm-content" in order[3]
    before = lab.find(".cm-content").get_attribute("innerText")
    lab.press(Keys.TAB)
    assert "cm-content" in lab.focused()
    assert lab.find(".cm-line").get_attribute("textContent") == "    " + before.partition("\n")[0]
    lab.press(Keys.CONTROL, "z")
    lab.press(Keys.CONTROL, Keys.ENTER)
    assert lab.until_not("running") == "agree"
    assert "cm-content" in lab.focused()
    assert lab.find(".cm-content").get_attribute("innerText") == before
    lab.press(Keys.ESCAPE)
    lab.press(Keys.TAB)
    assert "cm-" not in lab.focused()
    lab.find("#server").send_keys(Keys.CONTROL, Keys.ENTER)
    assert lab.state() == "running"
    lab.find("#run").send_keys(Keys.TAB)
    assert lab.focused() == "stop"
    lab.press(Keys.ENTER)
    assert lab.state() in ("stopped", "agree")


@contextlib.contextmanager
def screen(lab, width, scheme="light"):
    """A screen so wide, in a color scheme, of a reader who wants nothing to move."""
    size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 600}
    lab.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
    media = [{"name": name, "value": value} for name, value in features.items()]
    lab.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    yield
    lab.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    lab.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_on_a_phone_the_columns_are_tabs(lab):
    """One at a time, chosen by touch or by arrow; nothing is wider than the screen, whatever is shown."""
    from selenium.webdriver import Keys

    def shown():
        cells = lab.driver.find_elements("css selector", "tbody tr:first-child td, thead th")
        return [cell.get_attribute("data-column") for cell in cells if cell.is_displayed()]

    script = "print('x' * 200)\nimport sys\nprint(sys.platform)\n"
    with screen(lab, 390):
        assert lab.run(script) == "differ"
        assert lab.js("return document.documentElement.scrollWidth") == 390
        assert shown() == ["0", "0"]
        lab.find("#columns label:nth-of-type(2)").click()
        assert shown() == ["1", "1"]
        lab.press(Keys.ARROW_RIGHT)
        assert shown() == ["2", "2"]
        words = lab.driver.find_elements("css selector", "tr.unlike .words")
        assert [word.text for word in words if word.is_displayed()] == ["brython"]
        assert lab.js("return document.getAnimations().length") == 0
    assert shown() == ["0", "1", "2"] * 2


CONTRAST = """
const numbers = (color) => {
  const context = new OffscreenCanvas(1, 1).getContext("2d");
  context.fillStyle = color;
  context.fillRect(0, 0, 1, 1);
  return Array.from(context.getImageData(0, 0, 1, 1).data);
};
const light = (color) => {
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const [r, g, b] = numbers(color).map((c) => linear(c / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const paper = (element) => {
  for (; element; element = element.parentElement) {
    const color = getComputedStyle(element).backgroundColor;
    if (numbers(color)[3] === 255) return color;
  }
};
const found = {};
for (const element of document.querySelectorAll("body *:not(:disabled)")) {
  const own = Array.from(element.childNodes).some((node) => node.nodeType === 3 && node.data.trim());
  if (!own || !element.checkVisibility() || element.matches("option, .heard")) continue;
  const [a, b] = [light(getComputedStyle(element).color), light(paper(element))].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < 4.5) found[`${element.localName}.${element.className}: ${element.textContent}`] = ratio;
}
return found;
"""


def test_every_word_can_be_read(lab):
    """With the contrast that WCAG 2.2 asks for, 1.4.3, in both color schemes."""
    script = CHATTER + "print(sys.platform, file=sys.stderr)\nprint(sys.platform)\n1 / 0\n"
    assert lab.run(script, f"ws://127.0.0.1:{free_port()}/") == "differ"
    for scheme, color in {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}.items():
        with screen(lab, 1280, scheme):
            assert lab.js("return getComputedStyle(document.documentElement).backgroundColor") == color
            assert lab.js(CONTRAST) == {}


def test_everything_comes_from_this_server(lab):
    """What the page loads, and what its workers load."""
    script = """
import sys
if sys.platform == "emscripten":
    from js import performance
    print(*[entry.name for entry in performance.getEntriesByType("resource")])
elif sys.platform == "brython":
    from browser import self
    print(*[entry.name for entry in self.performance.getEntriesByType("resource")])
else:
    print("-")
"""
    lab.run(script)
    _, pyodide, brython = lab.rows()[0]
    assert "pyodide.asm.wasm" in pyodide and "brython_stdlib.js" in brython
    loaded = lab.js("return performance.getEntriesByType('resource').map(({name}) => name)")
    assert any("@codemirror/view" in name for name in loaded)
    names = [*loaded, *pyodide.split(), *brython.split()]
    assert [name for name in names if not name.startswith((f"{lab.origin}/", "data:"))] == []


def test_leaving_ends_the_script(lab):
    """Of those that follow each opens a page of its own, or needs none."""
    lab.write("import time\ntime.sleep(60)\n", lab.echo)
    lab.find("#run").click()
    lab.until(scripts)
    lab.driver.get("about:blank")
    lab.until(lambda: not scripts())


def test_without_its_server_the_lab_compares_two(lab):
    """Served as files, it says how to get CPython."""
    from pyws.commands.serve import FileHandler, FileServer

    import serve

    class Files(serve.PageHandler):
        do_GET = FileHandler.do_GET

    with FileServer((serve.HOST, 0), Files) as server, serve.running(server, server.shutdown):
        lab.open(f"http://{serve.HOST}:{server.server_port}/")
        assert "Start the lab by python3 tools/demo.py" in lab.heads()[0]
        assert lab.run(CHATTER.replace("print(event.data)", "ws.close()")) == "agree"
        assert lab.status().startswith("✓ Pyodide and Brython wrote the same journal")
        lab.driver.get("about:blank")  # what follows needs no page


# The server's side


def post(lab, script="print('ran')", path="/lab/run", body=None, **headers):
    """Ask for a run as the page does, but for some headers; status and answer. None leaves a header out."""
    host = urlsplit(lab.origin).netloc
    sent = {"Host": host, "Origin": lab.origin, "Content-Type": "application/json"}
    sent.update({name.replace("_", "-"): value for name, value in headers.items()})
    body = json.dumps({"script": script, "arguments": []}) if body is None else body
    connection = http.client.HTTPConnection(host, timeout=20)
    connection.putrequest("POST", path, skip_host=True, skip_accept_encoding=True)
    for name, value in {"Content-Length": str(len(body)), **sent}.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders(body.encode())
    with contextlib.closing(connection), connection.getresponse() as response:
        return response.status, response.read().decode()


def test_only_its_own_page_may_run_scripts(lab, tmp_path):
    """Neither another site, by whatever name, nor a form; and a refused script has not run."""
    mark = tmp_path / "ran"
    script = f"open({str(mark)!r}, 'w')"
    port = urlsplit(lab.origin).port
    evil = f"http://evil.example:{port}"
    assert post(lab, script, Host=f"evil.example:{port}", Origin=evil)[0] == 421  # DNS bound anew: both agree
    assert post(lab, script, Host=f"evil.example:{port}")[0] == 421
    assert post(lab, script, Host="127.0.0.1")[0] == 421
    assert post(lab, script, Host=None)[0] == 421
    for origin in (evil, "null", None, f"http://127.0.0.1:{port + 1}", f"https://127.0.0.1:{port}", "http://localhost"):
        assert post(lab, script, Origin=origin)[0] == 403
    for type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None):
        assert post(lab, script, Content_Type=type)[0] == 415
    assert post(lab, script, path="/lab/other")[0] == 404
    for body in ("", "{", "[]", '{"script": 1, "arguments": []}', '{"script": "", "arguments": [1]}', '{"script": ""}'):
        assert post(lab, body=body)[0] == 400
    assert post(lab, script, Content_Length=str(1 << 21))[0] == 413
    assert not mark.exists()
    name = f"localhost:{port}"
    assert post(lab, script, Host=name, Origin=f"http://{name}")[0] == 200
    assert mark.exists()


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="takes Linux, and root who can be anybody")
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_no_other_user_may_run_scripts(lab, tmp_path, family):
    """Whatever kind of socket is used; the one who started it may."""
    mark = tmp_path / "ran"
    body = json.dumps({"script": f"open({str(mark)!r}, 'w')", "arguments": []})
    host = urlsplit(lab.origin)
    heads = [f"Host: {host.netloc}", f"Origin: {lab.origin}", "Content-Type: application/json"]
    request = "\r\n".join(["POST /lab/run HTTP/1.0", *heads, f"Content-Length: {len(body)}", "", body])
    address = (host.hostname if family == socket.AF_INET else f"::ffff:{host.hostname}", host.port)
    libc = ctypes.CDLL(None)
    for user, status in ((65534, b"403"), (0, b"200")):
        libc.setfsuid(user)  # of this thread; whoever makes a socket has it
        client = socket.socket(family)
        libc.setfsuid(0)
        with client, client.makefile("rb") as answer:
            client.settimeout(20)
            client.connect(address)
            client.sendall(request.encode())
            assert answer.readline().split()[1] == status
            answer.read()
        assert mark.exists() == (user == 0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
def test_no_other_machine_can_reach_it(lab):
    """It listens at one address, not at all of them."""
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("127.0.0.2", urlsplit(lab.origin).port).connect()


def test_the_instrument_changes_nothing(lab):
    """What a script prints on CPython, its exit status too, is the same with and without it."""
    script = CHATTER.replace("print(event.data)", "[print(type(ws), repr(ws), event), ws.close()]")
    script += "ws.onclose = lambda event: print(event.code)\nprint(sys.argv[0], __name__, end='')\n"
    command = [sys.executable, "-m", "pyws", "run", "-", lab.echo]
    alone = subprocess.run(command, input=script, capture_output=True, text=True, cwd=ROOT, check=True).stdout
    status, answer = post(lab, body=json.dumps({"script": script, "arguments": [lab.echo]}))
    rows = [json.loads(line) for line in answer.splitlines() if line]
    printed = "\n".join(row["text"] for row in rows if row["kind"] == "print")
    assert printed.replace("script.py", "-") == alone.rstrip("\n")
    assert rows[-1] == {"kind": "exit", "status": 0, "late": False}
    _, answer = post(lab, "import os, sys\nos.write(1, b'stray\\n')\nsys.exit(3)")
    rows = [json.loads(line) for line in answer.splitlines() if line]
    assert [row["kind"] for row in rows] == ["begin", "stderr", "exit"]
    assert rows[1]["text"] == "stray" and rows[2]["status"] == 3


# The command


def demo(*arguments, pages=("Pyodide", "Brython")):
    """The command's own part, without the set-up that comes before it. How it ends needs no comparison of all three."""
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'tools')!r}); import environment, demo; demo.PAGES = {pages!r};"
    code += "sys.excepthook = environment.say; sys.exit(demo.main(*map(eval, sys.argv[1:])))"
    return [sys.executable, "-c", code, *map(repr, arguments)]


def without_ci(**more):
    return {**{name: value for name, value in os.environ.items() if name not in ("CI", "DISPLAY")}, **more}


@pytest.mark.parametrize(
    "ci, to_compare, pages",
    [("true", False, ["Pyodide", "Brython"]), ("", True, ["Brython"])],
    ids=["in CI", "--compare"],
)
def test_the_demo_ends_after_the_comparison(ci, to_compare, pages):
    """In CI, or when it is told to: with the comparison's own exit status."""
    command = demo(None, to_compare, False, pages=pages)
    done = subprocess.run(command, capture_output=True, text=True, env=without_ci(CI=ci), timeout=110)
    assert done.returncode == 0, done
    assert re.search(rf"The {len(pages) + 1} journals are identical: \d+ rows each\.\n$", done.stdout)


def test_the_demo_brings_up_the_lab_after_the_comparison():
    """Without a word, and without a terminal: the last line it says is where the lab is."""
    command = demo(free_port(), False, False, pages=["Brython"])
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=without_ci()) as process:
        try:
            text = ""
            while "The lab: " not in text:
                line = process.stdout.readline()
                assert line, text
                text += line
            assert "identical" in text
            with urllib.request.urlopen(re.search(r"The lab: (\S+)", text)[1]) as page:
                assert "<title>pyws lab</title>" in page.read().decode()
        finally:
            process.send_signal(signal.SIGINT)


def test_the_demo_opens_the_lab(tmp_path):
    """On a terminal: it says the address, shows it in the reader's browser, and stays until Ctrl-C."""
    told = tmp_path / "told"
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" > {told}\n')
    program.chmod(0o700)
    terminal, end = pty.openpty()
    environ = without_ci(DISPLAY=":0", BROWSER=f"{program} %s")
    with subprocess.Popen(demo(free_port(), False, True), stdout=end, stderr=end, env=environ) as process:
        os.close(end)
        text = ""
        try:
            while "echo server: " not in text:
                assert select.select([terminal], [], [], 20)[0], text
                text += os.read(terminal, 1000).decode()
            address = re.search(r"The lab: (\S+)", text)[1]
            with urllib.request.urlopen(address) as page, urllib.request.urlopen(f"{address}lab.json") as offer:
                assert "<title>pyws lab</title>" in page.read().decode()
                assert json.load(offer)["echo"].startswith("ws://127.0.0.1:")
            patience = time.monotonic() + 10
            while not told.exists() or not told.read_text():
                assert time.monotonic() < patience
                time.sleep(0.05)
            assert told.read_text() == f"{address}\n"
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == -signal.SIGINT
            os.close(terminal)


def test_a_port_that_is_taken_is_a_sentence(lab):
    """Before anything else is done."""
    port = urlsplit(lab.origin).port
    done = subprocess.run(demo(port, False, True), capture_output=True, text=True, env=without_ci(), timeout=90)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"Cannot listen on 127.0.0.1:{port}" in done.stderr and "choose another port" in done.stderr


def test_a_usual_port_that_is_taken_is_another():
    """So the lab and the demo may run side by side."""
    ports = []
    for _ in range(3):
        with serve.pages() as origin:
            ports.append(urlsplit(origin).port)
            assert serve.usual(ports[-1]) == 0
    # Another program may have one of them by now.
    assert any(serve.usual(port) == port for port in ports)

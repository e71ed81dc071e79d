"""The package itself: what a page loads, which module may import which, which names are public."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import pyws

pytestmark = pytest.mark.once

PACKAGE = Path(pyws.__file__).parent
# Arrows point down: a module imports only what stands in a later line.
HOUSE = [
    {"__main__"},
    {"commands.record", "commands.replay"},
    {"testing", "testing.plugin"},
    {"testing.replayserver"},
    {"testing.server", "testing.recorder", "testing.running"},
    {"testing.certificates", "testing.journal", "testing.player", "testing.upstream"},
    {"testing.relay", "testing.script"},
    {"testing.recordingfile", "testing.replaying"},
    {"testing.connection", "testing.recording"},
    {"testing.client", "testing.har", "testing.jsonlines", "testing.wire"},
    {"testing.eventchecks"},
    {"testing.comparing", "testing.recorded", "testing.waiting"},
    {"testing.conversation", "testing.expectations", "testing.masks"},
    {
        "testing.arguments",
        "testing.data",
        "testing.harfields",
        "testing.jsontext",
        "testing.secretforms",
        "testing.secretnames",
    },
    {"commands.run", "commands.connect", "commands.serve"},
    {"commands.arguments", "commands.libraries", "commands.session"},
    {"commands.packing", "commands.printable", "commands.prompt", "commands.stdin", "commands.termination"},
    {"__init__"},
    {"bridge"},
    {"bridge.installation"},
    {
        "bridge.eventloop",
        "bridge.selecting",
        "bridge.syncwebsockets",
        "bridge.threads",
        "bridge.tlssockets",
        "bridge.watching",
    },
    {"bridge.blockingsockets", "bridge.transport"},
    {"bridge.stream"},
    {"bridge.server", "bridge.waiting"},
    {"bridge.payloads"},
    {"bridge.accelerators", "bridge.addresses", "bridge.handshake", "bridge.sockets", "bridge.tls"},
    {"bridge.pieces", "bridge.zeromasks"},
    {"bridge.frames"},
    {"bridge.masks", "bridge.replacing"},
    {"reconnecting", "websocketstream"},
    {"reconnectingconnection"},
    {"websocket"},
    {"browser.connection", "cpython.streamconnection"},
    {"cpython.connection"},
    {"cpython.closing", "cpython.opening", "cpython.keepalive", "cpython.receiver"},
    {"cpython.sender"},
    {"cpython.tunnel"},
    {"cpython.handshake", "cpython.dialing"},
    {"cpython.refusal", "cpython.useragent", "cpython.deflate", "cpython.opcodes"},
    {"cpython.proxies", "cpython.zlibs"},
    {"cpython.url"},
    {"backoff", "streams", "events"},
    {"blob", "dom"},
    {"buffersource", "observable"},
    {"waiters", "webidl"},
    {"loop"},
    {"browser.brython", "browser.micropython", "browser.pyodide", "cpython.runtime"},
    {"browser.codec", "browser.micropythontasks"},
    {"browser.outside", "browser.page", "asynciotasks", "interpreter", "version"},
    {"ipython"},
    {"browser", "cpython", "commands"},
]
# What lies beside `__init__` is loaded everywhere, but for what is loaded when it is asked for. A folder says by its
# name who else loads what it has.
FOLDERS = ("bridge", "browser", "cpython", "commands", "testing")
# A test runs a script as a command does, and two commands do what tests do.
SHARED = {
    "testing.running": "commands",
    "testing.recorder": "cpython",
    "commands.record": "testing",
    "commands.replay": "testing",
}
LOADED_IN_A_PAGE = {
    "__init__",
    "websocket",
    "browser",
    "browser.connection",
    "browser.page",
    "events",
    "blob",
    "dom",
    "buffersource",
    "observable",
    "waiters",
    "webidl",
    "loop",
    "version",
}
LOADED_WHEN_NAMED = {"backoff", "reconnecting", "reconnectingconnection", "streams", "websocketstream"}
LOADED_IN_ONE = {
    "emscripten": {"asynciotasks", "interpreter", "browser.pyodide", "browser.codec", "browser.outside"},
    "brython": {"interpreter", "browser.brython"},
    "webassembly": {"browser.micropython", "browser.micropythontasks"},
}
# Beyond the package. Pyodide has loaded asyncio, and what that imports, before any code runs; in Brython it is an empty
# stub, and `_sys` is in its core as `browser` is: `sys` is not, and commands/packing.py takes that out.
BUDGET = {
    "emscripten": {"sys", "js", "pyodide.ffi", "asyncio", "os", "time", "weakref"},
    "brython": {"sys", "_sys", "browser"},
    "webassembly": {"sys", "js", "jsffi", "asyncio", "weakref", "io"},  # `open` loads the last one
}


MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}


def targets(module, statement):
    """The modules of the package that an import statement loads, in one of them; none if it imports from elsewhere."""
    if isinstance(statement, ast.Import):
        names = [alias.name for alias in statement.names]
    else:
        base = statement.module or ""
        if statement.level:
            folder = ["pyws", *MODULES[module].relative_to(PACKAGE).parent.parts]
            base = ".".join([*folder[: len(folder) - statement.level + 1], *filter(None, [base])])
        names = [f"{base}.{alias.name}" if own(f"{base}.{alias.name}") else base for alias in statement.names]
    found = {own(name) for name in names} - {None}
    return found | {name.partition(".")[0] for name in found if "." in name}


def own(name):
    """The key in MODULES of a module with that full name, such as "pyws.dom"; None if the package has no such one."""
    key = "__init__" if name == "pyws" else name.removeprefix("pyws.")
    return key if name.partition(".")[0] == "pyws" and key in MODULES else None


def imports(module, platform):
    """What importing a module of the package imports on that platform: its own modules, and the others."""
    ours, others = set(), set()

    def visit(statements):
        for statement in statements:
            match statement:
                case ast.If():
                    names = {"sys": SimpleNamespace(platform=platform), "TYPE_CHECKING": False}
                    holds = eval(ast.unparse(statement.test), names)
                    visit(statement.body if holds else statement.orelse)
                case ast.Import() | ast.ImportFrom() if found := targets(module, statement):
                    ours.update(found)
                case ast.Import():
                    others.update(alias.name for alias in statement.names)
                case ast.ImportFrom():
                    others.add(statement.module)
                case ast.Try() | ast.With() | ast.For() | ast.While():
                    pytest.fail(f"{module}.py, line {statement.lineno}: an import may hide in here")
                case ast.ClassDef():
                    visit(statement.body)

    visit(ast.parse(MODULES[module].read_text()).body)
    return ours, others


@pytest.mark.parametrize("platform", BUDGET)
def test_a_page_imports_nothing_beyond_the_budget(platform):
    """Every import that a page's files make when they are loaded is in the budget."""
    loaded, others, waiting = set(), set(), {"__init__"}
    while waiting:
        module = waiting.pop()
        loaded.add(module)
        ours, more = imports(module, platform)
        waiting |= ours - loaded
        others |= more
    assert loaded == LOADED_IN_A_PAGE | LOADED_IN_ONE[platform]
    assert others <= BUDGET[platform]


def test_micropython_has_little_to_compile():
    """Unlike the others it translates each file again in each page: their size is the time of the import."""
    loaded = LOADED_IN_A_PAGE | LOADED_IN_ONE["webassembly"]
    assert sum(MODULES[module].stat().st_size for module in loaded) < 160_000


def test_import_loads_nothing_beyond_the_budget(runtime):
    """Measured in the runtime itself: what was not loaded before `import pyws` and is after."""
    imported = {name for name in runtime.imported_by_pyws() if not name.startswith("pyws.")} - {"pyws"}
    if runtime.id.startswith("cpython"):
        assert not any("browser" in name for name in runtime.imported_by_pyws())
    else:
        # MicroPython's asyncio is some files of its own.
        assert {name for name in imported if not name.startswith("asyncio.")} <= set().union(*BUDGET.values()) | {
            "browser.aio"
        }


def test_arrows_point_down():
    """No module of the package imports one above it or beside it, not even inside a function."""
    floors = {module: floor for floor, modules in enumerate(HOUSE) for module in modules}
    assert set(floors) == set(MODULES)
    upwards = []
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                folder = {module.partition(".")[0]} if "." in module else {module}
                names = targets(module, node) - folder
                upwards += [f"{module} imports {name}" for name in names if floors[name] <= floors[module]]
    assert not upwards


def test_only_the_choice_of_the_platform_looks_into_a_folder():
    """Nothing outside of a folder imports from it but what stands below an `if` that asks for the platform."""
    found = []
    for module, path in MODULES.items():
        chosen = set()
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and "sys.platform" in ast.unparse(node.test):
                chosen |= {id(inner) for inner in ast.walk(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in chosen:
                folders = {name.partition(".")[0] for name in targets(module, node)} & {*FOLDERS}
                folders -= {module.partition(".")[0], SHARED.get(module)}
                found += [f"{module} imports from {folder}" for folder in folders]
    assert not found


CHOICES = {"loop", "websocket"}
# They know their runtime; the rest of the package asks the words of loop.py.
OF_A_RUNTIME = {
    "asynciotasks",
    "browser.brython",
    "browser.micropython",
    "browser.pyodide",
    "browser.page",
    "browser.codec",
}


def test_only_the_choice_asks_for_the_platform():
    """No other module that a page loads asks for `sys.platform`, or for the name of a class: see `loop.py`."""
    found = []
    for module in LOADED_IN_A_PAGE.union(*LOADED_IN_ONE.values()) | LOADED_WHEN_NAMED:
        source = ast.unparse(ast.parse(MODULES[module].read_text()))
        if "sys.platform" in source and module not in CHOICES | {"__init__"}:
            found.append(f"{module} asks for sys.platform")
        if re.search(r"__name__ (==|!=|in|not in) ", source) and module not in OF_A_RUNTIME:
            found.append(f"{module} asks for the name of a class")
    assert not found


def test_public_names():
    """`__all__` is the standard's names and UserAgent, each documented, and `from pyws import *` gives just those."""
    assert sorted(pyws.__all__) == [
        "AbortController",
        "AbortSignal",
        "Blob",
        "CloseEvent",
        "DOMException",
        "Event",
        "EventTarget",
        "MessageEvent",
        "ReconnectingEvent",
        "ReconnectingWebSocket",
        "UserAgent",
        "WebSocket",
        "WebSocketError",
        "WebSocketStream",
    ]
    for name in pyws.__all__:
        assert getattr(pyws, name).__doc__, name


def test_what_no_test_runs_says_why():
    """Each line that is not measured has its reason behind the word of coverage."""
    found = []
    for module, path in MODULES.items():
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if "pragma: no" in line and not re.search(r"  # pragma: no (cover|branch) - \w.{5}", line):
                found.append(f"{module}, line {number}")
    assert not found


def test_the_plugin_loads_nothing():
    """Pytest imports it in each run, of every project: beside pytest itself it loads its own package, and no more."""
    script = "import sys, pytest; before = {*sys.modules}; import pyws.testing.plugin; print(*{*sys.modules} - before)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert sorted(done.stdout.split()) == ["pyws", "pyws.testing", "pyws.testing.plugin", "pyws.version"]


def test_a_class_is_loaded_when_it_is_named():
    """On CPython; it is in the package from then on, as all other names that belong to it."""
    script = """
import pyws
assert "WebSocket" not in vars(pyws) and "WebSocket" in dir(pyws)
assert pyws.WebSocket is vars(pyws)["WebSocket"]
from pyws import *
assert pyws.__all__ == [name for name in pyws.__all__ if name in globals()]
pyws.Nothing
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr.endswith("AttributeError: module 'pyws' has no attribute 'Nothing'\n")

"""The package itself: what a page loads, which module may import which, which names are public."""

import ast
from pathlib import Path
from types import SimpleNamespace

import pytest
import pyws

pytestmark = pytest.mark.once

PACKAGE = Path(pyws.__file__).parent
# Arrows point down: a module imports only what stands in a later line.
HOUSE = [
    {"__main__"},
    {"page", "script", "terminal"},
    {"termination"},
    {"__init__"},
    {"reconnecting", "websocketstream"},
    {"websocket"},
    {"native", "sockets"},
    {"opening", "keepalive"},
    {"tunnel"},
    {"handshake", "dialing"},
    {"refusal", "useragent", "deflate"},
    {"proxies"},
    {"url"},
    {"blob"},
    {"dom"},
    {"javascript"},
    {"loop"},
]
LOADED_IN_A_PAGE = {"__init__", "websocket", "native", "blob", "dom", "javascript", "loop"}
# Beyond the package. Pyodide has loaded asyncio, and what that imports, before any code runs; in Brython it is an empty
# stub, and `_sys` is in its core as `browser` is: `sys` is not, and tools/bundle.py takes that out.
BUDGET = {
    "emscripten": {"sys", "js", "pyodide.ffi", "asyncio", "os", "time", "weakref"},
    "brython": {"sys", "_sys", "browser"},
}


def imports(module, platform):
    """What importing a module of the package imports on that platform: its own modules, and the others."""
    own, others = set(), set()

    def visit(statements):
        for statement in statements:
            match statement:
                case ast.If():
                    names = {"sys": SimpleNamespace(platform=platform), "TYPE_CHECKING": False}
                    holds = eval(ast.unparse(statement.test), names)
                    visit(statement.body if holds else statement.orelse)
                case ast.Import():
                    others.update(alias.name for alias in statement.names)
                case ast.ImportFrom(level=0):
                    others.add(statement.module)
                case ast.ImportFrom():
                    own.update([statement.module] if statement.module else [alias.name for alias in statement.names])
                case ast.Try() | ast.With() | ast.For() | ast.While():
                    pytest.fail(f"{module}.py, line {statement.lineno}: an import may hide in here")
                case ast.ClassDef():
                    visit(statement.body)

    visit(ast.parse((PACKAGE / f"{module}.py").read_text()).body)
    return own, others


@pytest.mark.parametrize("platform", BUDGET)
def test_a_page_imports_nothing_beyond_the_budget(platform):
    """Every import that a page's files make when they are loaded is in the budget."""
    loaded, others, waiting = set(), set(), {"__init__"}
    while waiting:
        module = waiting.pop()
        loaded.add(module)
        own, more = imports(module, platform)
        waiting |= own - loaded
        others |= more
    assert loaded == LOADED_IN_A_PAGE
    assert others <= BUDGET[platform]


def test_import_loads_nothing_beyond_the_budget(cell):
    """Measured in the runtime itself: what was not loaded before `import pyws` and is after."""
    imported = {name for name in cell.imported_by_pyws() if not name.startswith("pyws.")} - {"pyws"}
    if cell.id.startswith("cpython"):
        assert "pyws.native" not in cell.imported_by_pyws()
    else:
        assert imported <= BUDGET["emscripten"] | BUDGET["brython"] | {"browser.aio"}


def test_arrows_point_down():
    """No module of the package imports one above it or beside it, not even inside a function."""
    floors = {module: floor for floor, modules in enumerate(HOUSE) for module in modules}
    upwards = []
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                targets = [node.module] if node.module else [alias.name for alias in node.names]
                upwards += [f"{path.stem} imports {name}" for name in targets if floors[name] <= floors[path.stem]]
    assert not upwards


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

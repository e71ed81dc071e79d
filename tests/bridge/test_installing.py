"""Where the bridge is installed, and where not."""

import subprocess
import sys

import pytest

import bridge
from runtimes import RUNTIMES, Node, required


@pytest.mark.pyodide
@pytest.mark.requirements("BRG-01")
def test_import_installs_nothing(runtime):
    """Importing pyws does not load the bridge; importing that loads one module, and changes nothing."""
    program = """
        import sys
        from pyodide.webloop import WebLoop

        for name in [name for name in sys.modules if name.startswith("pyws.bridge")]:
            del sys.modules[name]
        method, before = WebLoop.create_connection, set(sys.modules)
        import pyws.bridge
        " ".join([*sorted(set(sys.modules) - before), str(WebLoop.create_connection is method)])
    """
    assert bridge.run(runtime, program) == "pyws.bridge True"


@pytest.mark.pyodide
@pytest.mark.requirements("BRG-26")
def test_import_takes_no_time(runtime):
    """Less than 10 ms, which a page that does not call `install` may well spend: as soon as it was so fast once."""
    program = """
        import sys
        from time import perf_counter
        import pyws

        for _ in range(100):
            sys.modules.pop("pyws.bridge", None)
            start = perf_counter()
            import pyws.bridge
            took = perf_counter() - start
            if took < 0.01:
                break
        took
    """
    assert bridge.run(runtime, program) < 0.01


@pytest.mark.requirements("BRG-03")
def test_on_cpython_nothing_is_installed():
    """It says so, and loads nothing."""
    program = """
import sys
import pyws.bridge
print(pyws.bridge.install(handshake=print, force=True), pyws.bridge.uninstall())
with pyws.bridge.installed() as active:
    print(active)
print([name for name in sys.modules if name.startswith("pyws.bridge.")])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["False None", "False", "[]"]


IN_BRYTHON = """
from browser import self as js_global
import pyws
import pyws.bridge

told = [str(pyws.bridge.uninstall())]
try:
    pyws.bridge.install()
except pyws.DOMException as error:
    told += [error.name, error.message]
try:
    with pyws.bridge.installed():
        told.append("installed")
except pyws.DOMException as error:
    told += [error.name, error.message]
js_global.told = told
"""


@pytest.mark.runtimes(*(runtime.id for runtime in RUNTIMES if runtime.id.startswith("brython")))
@pytest.mark.requirements("BRG-03")
def test_in_brython_it_is_an_error(runtime):
    """With the reason, and what to write instead; importing it asks the server for nothing."""
    answer = runtime.evaluate(
        """
        performance.clearResourceTimings();
        __BRYTHON__.runPythonSource(given[0], "in_brython");
        return [[...self.told], performance.getEntriesByType("resource").map(({ name }) => name)];
        """,
        IN_BRYTHON,
    )
    (nothing, *told), requests = answer.get("value") or pytest.fail(answer["error"])
    reason = "Brython has no asyncio, so Python's WebSocket libraries do not load: use pyws.WebSocket, or Pyodide."
    assert [nothing, told, requests] == ["None", ["NotSupportedError", reason] * 2, []]


@pytest.mark.once
@pytest.mark.requirements("BRG-04")
def test_real_sockets_are_left_alone(peer):
    """Where Node's sockets are in use, unless somebody insists."""
    program = """
        import pyodide_js
        import pyws.bridge

        await pyodide_js.useNodeSockFS()
        told = [pyws.bridge.install()]
        with pyws.bridge.installed(force=True) as active:
            told += [active, pyws.bridge.install()]
        str([*told, pyws.bridge.install()])
    """
    with required(), Node("pyodide-node-sockets") as node:
        assert bridge.run(node, program) == "[False, True, True, False]"

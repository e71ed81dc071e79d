"""The scenarios in PyScript, on the main thread: defines `runScenario` and `importedByPyws`."""

import sys

import pyodide_js
from pyodide.ffi import create_proxy, to_js
from pyscript import window

try:
    before = set(sys.modules)
    import pyws  # noqa: F401 - for what it imports

    imported = sorted(set(sys.modules) - before)
    sys.path += ["/tests", "/tests/kit"]
    import json

    import scenarios  # noqa: F401 - for what it tells the stage
    import stage

    async def run_scenario(*details):
        return json.dumps(await stage.perform(*details))

    window.runScenario = create_proxy(run_scenario)
    window.pyodide = pyodide_js
    window.importedByPyws = create_proxy(lambda: to_js(imported))
    window.begin()
except Exception:
    import traceback

    window.fail(traceback.format_exc())

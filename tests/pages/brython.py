"""The scenarios in Brython, on a page or in a worker: defines `runScenario` and `importedByPyws`."""

import sys

from browser import aio
from browser import self as js_global

try:
    before = set(sys.modules)
    import pyws  # noqa: F401 - for what it imports

    imported = sorted(set(sys.modules) - before)
    sys.path[:0] = ["/tests", "/tests/kit"]
    import json

    import scenarios  # noqa: F401 - for what it tells the stage
    import stage

    def run_scenario(*details):
        async def settle(resolve, reject):
            try:
                resolve(json.dumps(await stage.perform(*details)))
            except Exception as error:
                reject(repr(error))

        return js_global.Promise.new(lambda resolve, reject: aio.run(settle(resolve, reject)))

    js_global.runScenario = run_scenario
    js_global.importedByPyws = lambda: imported
    js_global.begin()
except Exception:
    import traceback

    js_global.fail(traceback.format_exc())

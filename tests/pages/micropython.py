"""The scenarios in MicroPython, on a page or under Node: defines `perform` and `imported` for micropython.js."""

import sys

import js

try:
    before = set(sys.modules)
    import pyws  # noqa: F401 - for what it imports

    imported = sorted(set(sys.modules) - before)
    import gc

    gc.threshold(1 << 20)  # bytes: the files of the tests are so much that to collect garbage takes milliseconds
    # Scenarios make objects that are larger than all memory that it begins with, for which that would not grow.
    [bytearray(1 << 16) for _ in range(1 << 9)]
    sys.path += ["/tests", "/tests/kit"]
    import asyncio
    import json

    import scenarios  # noqa: F401 - for what it tells the stage
    import stage

    def perform(resolve, reject, *details):
        async def settle():
            try:
                resolve(json.dumps(await stage.perform(*details)))
            except Exception as error:
                reject(stage.trace(error))

        asyncio.create_task(settle())

    js.perform = perform
    js.imported = json.dumps(imported)
    js.begin()
except Exception as error:
    import io

    text = io.StringIO()
    sys.print_exception(error, text)
    js.fail(text.getvalue())

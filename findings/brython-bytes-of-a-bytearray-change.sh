#!/usr/bin/env bash
# In Brython, bytes(bytearray) is no copy: it changes when the bytearray does.
#
# Python's documentation of bytes: "Bytes objects are immutable sequences", and `bytes(obj)` is "copying existing binary
# data via the buffer protocol" (https://docs.python.org/3/library/stdtypes.html#bytes-objects). In Brython the new
# object has the bytearray's own list of numbers; so has `memoryview(bytearray).tobytes()`. A program that fills one
# bytearray again and again, and keeps what it took out of it, finds its messages changed.
#
# Seen with Brython 3.14.3 in Chromium 150, beside CPython 3.11.7:
#   CPython: b'abc' b'abc' b'abc'
#   Brython: b'zbc' b'zbc' b'abc'
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund brython@3.14.3 >/dev/null

cat > copies.py <<'PYTHON'
source = bytearray(b"abc")
copies = [bytes(source), memoryview(source).tobytes(), bytes(list(source))]
source[0] = ord("z")
print(*copies)
PYTHON

cat > page.html <<HTML
<meta charset="utf-8"><pre id="out"></pre>
<script src="node_modules/brython/brython.js"></script>
<script type="text/python">
from browser import document

def print(*values):
    document["out"].text += " ".join([repr(value) for value in values])

$(cat copies.py)
</script>
<script>window.onload = () => brython()</script>
HTML

chromium=$(command -v chromium || command -v google-chrome)
page=$("$chromium" --headless=new --no-sandbox --disable-gpu --virtual-time-budget=20000 --dump-dom \
  "file://$folder/page.html" 2>/dev/null)
seen="CPython: $(python3 copies.py)
Brython: $(sed -n 's/.*<pre id="out">\(.*\)<\/pre>.*/\1/p' <<<"$page")"
printf '%s\n' "$seen"
test "$seen" = "CPython: b'abc' b'abc' b'abc'
Brython: b'zbc' b'zbc' b'abc'"

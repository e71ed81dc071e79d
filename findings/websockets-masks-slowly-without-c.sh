#!/usr/bin/env bash
# Without its part in C, websockets masks a large message about ten times as slowly as aiohttp does without its own.
#
# Both libraries bring a fallback in Python for masks (RFC 6455, 5.3), which runs wherever there is no compiled wheel:
# in Pyodide, on musl or a new CPython. The one of websockets turns the message into one integer, repeats the mask as a
# second one, and makes bytes of their XOR; aiohttp's translates every fourth byte by a table (bytes.translate). From
# some KiB on the integers cost far more, and a client masks each message that it sends.
#
# Seen with websockets 17.4 and aiohttp 3.14.5 on CPython 3.11.7, medians (the times differ from run to run):
#   the same masked bytes: True
#   65536 bytes: websockets 568 µs, aiohttp 51 µs; more than four times as slow: True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip --quiet --disable-pip-version-check install websockets==17.4 aiohttp==3.14.5

cat > masks.py <<'PYTHON'
import os
import statistics
import timeit

from aiohttp._websocket.helpers import _websocket_mask_python
from websockets.utils import apply_mask

data, mask = os.urandom(65536), os.urandom(4)
other = bytearray(data)
_websocket_mask_python(mask, other)
print("the same masked bytes:", apply_mask(data, mask) == bytes(other))


def microseconds(function):
    return statistics.median(timeit.repeat(function, number=100, repeat=7)) / 100 * 1e6


first = microseconds(lambda: apply_mask(data, mask))
second = microseconds(lambda: _websocket_mask_python(mask, bytearray(data)))
print(
    f"{len(data)} bytes: websockets {first:.0f} µs, aiohttp {second:.0f} µs;",
    f"more than four times as slow: {first > 4 * second}",
)
PYTHON

seen=$(venv/bin/python masks.py)
printf '%s\n' "$seen"
grep -q "the same masked bytes: True" <<<"$seen"
grep -q "more than four times as slow: True" <<<"$seen"

"""Send messages to an echo server and print what happens: the same on CPython, Pyodide and Brython.

python -m pyws run web/examples/echo.py ws://127.0.0.1:8765/
"""

import sys

from pyws import WebSocket

MESSAGES = [
    "Grüße, 世界! 🌍",
    b"\x00\x01\x80\xfe\xff",
    "",
    b"",
    bytes(range(256)) * 4096,  # 1 MiB
]
echoes = []


def on_open(event):
    show(event, protocol=ws.protocol, extensions=ws.extensions)
    for message in MESSAGES:
        ws.send(message)
        print(f"send({brief(message)})", f"bufferedAmount={ws.bufferedAmount}")


def on_message(event):
    same = event.data == MESSAGES[len(echoes)]
    show(event, data=event.data, origin=event.origin, same=same)
    echoes.append(event.data)
    if len(echoes) == len(MESSAGES):
        ws.close(3001, "All back ✓")
        print("close(3001, 'All back ✓')", f"readyState={ws.readyState}")


def on_close(event):
    show(event, wasClean=event.wasClean, code=event.code, reason=event.reason)


def show(event, **fields):
    words = [f"{name}={brief(value)}" for name, value in fields.items()]
    print(event.type, f"readyState={ws.readyState}", *words)


def brief(value):
    return f"<{len(value)} bytes>" if isinstance(value, bytes) and len(value) > 64 else repr(value)


ws = WebSocket(sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:8765/")
ws.binaryType = "arraybuffer"  # binary data comes as bytes, not as a Blob
ws.addEventListener("open", on_open)
ws.addEventListener("message", on_message)
ws.addEventListener("error", show)
ws.onclose = on_close
print(f"WebSocket({ws.url!r})", f"readyState={ws.readyState}")

"""Upload a file, and show how much of it the network has taken: `bufferedAmount` is what it has not.

python -m pyws run web/examples/upload.py ws://127.0.0.1:8765/
"""

import sys

from pyws import AbortSignal, WebSocket

SERVER = sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:8765/"
FILE = bytes(range(256)) * 4096  # 1 MiB; any bytes will do, or a Blob
CHUNK = 64 * 1024  # bytes in a message
shown = 0


def on_open(event):
    for start in range(0, len(FILE), CHUNK):
        ws.send(FILE[start : start + CHUNK])
    show_progress()


def show_progress(event=None):
    """Draw the quarters that are done, and look again in 20 ms unless all are."""
    global shown
    while shown < 4 and 4 * (len(FILE) - ws.bufferedAmount) >= (shown + 1) * len(FILE):
        shown += 1
        print(f"{'█' * 5 * shown:░<20} {25 * shown} %")
    if shown < 4:
        AbortSignal.timeout(20).onabort = show_progress
    else:
        ws.send("How much do you have?")


def on_message(event):
    print(f"The server has {event.data} of {len(FILE)} bytes.")
    ws.close(1000)


ws = WebSocket(f"{SERVER}upload")
ws.onopen = on_open
ws.onmessage = on_message
ws.onclose = lambda event: print(f"closed: {event.code}")

"""Two people in a chat: Ann opens a room, the server tells its name, and Bob joins her there.

python -m pyws run web/examples/chat.py ws://127.0.0.1:8765/
"""

import sys

from pyws import WebSocket

SERVER = sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:8765/"
BOB_SAYS = ["Hello, Ann! 👋", "Nothing to install, here in this page. And there?", "Good night!"]
ANN_SAYS = ["Hello, Bob! Have you tried pyws?", "One pip install. It is the same script.", "Good night, Bob!"]


def invite(event):
    """The server's first message to Ann is the name of her room."""
    ann.onmessage = ann_hears
    bob = WebSocket(f"{SERVER}chat/{event.data}")
    bob.onopen = lambda event: bob.send(BOB_SAYS[0])
    bob.onmessage = bob_hears
    bob.onclose = bob_left


def ann_hears(event):
    print(f"Bob: {event.data}")
    ann.send(ANN_SAYS[BOB_SAYS.index(event.data)])


def bob_hears(event):
    bob = event.target
    print(f"Ann: {event.data}")
    said = ANN_SAYS.index(event.data) + 1
    if said < len(BOB_SAYS):
        bob.send(BOB_SAYS[said])
    else:
        bob.close(1000, "off to bed")


def bob_left(event):
    print(f"Bob left: {event.code} {event.reason}")
    ann.close()


ann = WebSocket(f"{SERVER}chat")
ann.onmessage = invite
ann.onclose = lambda event: print(f"Ann left: {event.code}")

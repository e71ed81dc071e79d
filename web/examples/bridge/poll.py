"""Ann and Bob vote by Socket.IO: python-socketio as it comes from PyPI, on CPython and, by the bridge, in a page.

python web/examples/bridge/poll_server.py                     the server: leave it running
python -m pyws run web/examples/bridge/poll.py                on CPython
python -m pyws serve --bridge web/examples/bridge/poll.py     the same file in a page

Both files need pip install "python-socketio[asyncio_client]".
"""

import sys

import pyws.bridge
import socketio

pyws.bridge.install()  # on CPython this does nothing

SERVER = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8766/"

async with socketio.AsyncSimpleClient() as ann, socketio.AsyncSimpleClient() as bob:
    for client in (ann, bob):
        await client.connect(SERVER, transports=["websocket"])  # a page must not begin with HTTP
    print("Ann votes for tea:", await ann.call("vote", "tea"))
    print("Bob hears of it:", *await bob.receive())
    print("Bob votes for coffee:", await bob.call("vote", "coffee"))
    print("Ann hears of it:", *await ann.receive())

"""The server of poll.py: it counts the votes of all who are connected, and tells the others of each.

python web/examples/bridge/poll_server.py 8766
"""

import sys
from collections import Counter

import socketio
from aiohttp import web

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 8766

server = socketio.AsyncServer(async_mode="aiohttp", cors_allowed_origins="*")  # pages come from another port
votes = {}  # by the client's id


@server.event
async def vote(client, choice):
    """Count a vote; the answer is what a client's `call` returns."""
    votes[client] = choice
    counts = dict(sorted(Counter(votes.values()).items()))
    await server.emit("votes", counts, skip_sid=client)
    return counts


@server.event
async def disconnect(client, reason):
    """Forget the vote of a client that has left."""
    votes.pop(client, None)


app = web.Application()
server.attach(app)
web.run_app(app, host="127.0.0.1", port=PORT)

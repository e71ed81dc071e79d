"""The servers, other than the peer, that libraries talk to: a script's `address.origin` leads to the one in pins.toml.

`python3 libraryservers.py` listens, prints the port, and ends with its standard input. On that port:

/graphql       a schema of strawberry, by graphql-transport-ws
/socket.io/    python-socketio's own server
/v1/realtime   as much of OpenAI's Realtime API as a conversation needs: a session, an item, a response in pieces
/realtime/v1/  as much of Supabase's Realtime as its client needs: Phoenix's channels, that broadcast

NATS has a program of its own, `nats-server`. Pages come from another origin, which these servers must allow.
"""

import asyncio
import contextlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from pathlib import Path

READY_WITHIN = 30  # seconds


@contextlib.contextmanager
def python_servers():
    """Run this file as a program; the origin."""
    with subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        try:
            yield f"ws://127.0.0.1:{int(program.stdout.readline())}"
        finally:
            program.stdin.close()
            program.wait(READY_WITHIN)


@contextlib.contextmanager
def nats_server():
    """Run NATS's own server, on ports that are free; the origin of its WebSockets."""
    program = shutil.which("nats-server", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        raise ImportError("no nats-server on the path")
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder, "server.conf")
        configuration.write_text(
            f"listen: 127.0.0.1:-1\nports_file_dir: {folder}\nwebsocket {{ listen: 127.0.0.1:-1, no_tls: true }}\n"
        )
        with subprocess.Popen([program, "-c", configuration], stderr=subprocess.DEVNULL) as server:
            try:
                yield ports(Path(folder), server)["websocket"][0]
            finally:
                server.terminate()


def ports(folder, server):
    """What the server has written of its ports, as soon as it has."""
    patience = time.monotonic() + READY_WITHIN
    while time.monotonic() < patience and server.poll() is None:
        for file in folder.glob("*.ports"):
            with contextlib.suppress(ValueError):  # it is being written
                return json.loads(file.read_text())
        time.sleep(0.02)
    raise RuntimeError("nats-server does not listen")


SERVERS = {"libraryservers.py": python_servers, "nats-server": nats_server}


def graphql():
    """The handler of /graphql."""
    import strawberry
    from strawberry.aiohttp.views import GraphQLView
    from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL

    @strawberry.type
    class Query:
        @strawberry.field
        def greeting(self, name: str) -> str:
            return f"Hello, {name}"

    @strawberry.type
    class Mutation:
        @strawberry.mutation
        def reverse(self, text: str) -> str:
            return text[::-1]

    @strawberry.type
    class Subscription:
        @strawberry.subscription
        async def count(self, to: int) -> AsyncGenerator[int, None]:
            for number in range(1, to + 1):
                yield number
                await asyncio.sleep(0)

    logging.getLogger("strawberry.execution").setLevel(logging.CRITICAL)  # of mistakes that a script makes by intention
    schema = strawberry.Schema(Query, Mutation, Subscription)
    return GraphQLView(schema, subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL], allowed_origins=["*"])


def socketio(application):
    """Serve /socket.io/."""
    import socketio

    server = socketio.AsyncServer(async_mode="aiohttp", cors_allowed_origins="*")
    server.attach(application)

    @server.event
    async def connect(sid, environ, auth):
        if auth and auth.get("token") == "wrong":
            raise socketio.exceptions.ConnectionRefusedError("no such token")
        await server.emit("welcome", {"token": auth and auth["token"]}, to=sid)

    @server.event
    async def add(sid, *numbers):
        return sum(numbers)

    @server.event
    async def reverse(sid, data):
        return data[::-1], len(data)

    @server.event
    async def ticks(sid, number):
        for tick in range(number):
            await server.emit("tick", tick, to=sid)

    @server.event
    async def leave(sid):
        await server.disconnect(sid)


async def openai(request):
    """Answer each `response.create` with the text of the last item, in pieces."""
    from aiohttp import web

    ws = web.WebSocketResponse(protocols=["realtime"])
    await ws.prepare(request)
    # In a page the key comes in a subprotocol, as the service offers it to pages.
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    if "sk-local" not in (request.headers.get("Authorization", "") + offered):
        await ws.close(code=3000, message=b"invalid_request_error.invalid_api_key")
        return ws
    numbers = iter(range(1, 1000))

    async def send(kind, **details):
        await ws.send_json({"type": kind, "event_id": f"event_{next(numbers)}", **details})

    session = {"type": "realtime", "object": "realtime.session", "id": "sess_1", "model": request.query["model"]}
    await send("session.created", session=session)
    text = ""
    async for message in ws:
        event = json.loads(message.data)
        if event["type"] == "session.update":
            session |= event["session"]
            await send("session.updated", session=session)
        elif event["type"] == "conversation.item.create":
            text = event["item"]["content"][0]["text"]
            await send("conversation.item.added", previous_item_id=None, item={"id": "item_1", **event["item"]})
        elif event["type"] == "response.create":
            place = {"response_id": "resp_1", "item_id": "item_2", "output_index": 0, "content_index": 0}
            words = text.upper().split(" ")
            for word in words:
                await send("response.output_text.delta", delta=word, **place)
            await send("response.output_text.done", text=" ".join(words), **place)
            await send("response.done", response={"id": "resp_1", "object": "realtime.response", "status": "completed"})
        else:
            error = {"type": "invalid_request_error", "message": f"Unknown event {event['type']}."}
            await send("error", error=error)
    return ws


async def supabase(request):
    """Let clients join, and give back what they broadcast; https://hexdocs.pm/phoenix/writing_a_channels_client.html."""
    from aiohttp import web

    ws = web.WebSocketResponse()
    await ws.prepare(request)
    async for message in ws:
        event = json.loads(message.data)
        reply = {"status": "ok", "response": {"postgres_changes": []} if event["event"] == "phx_join" else {}}
        await ws.send_json({**event, "event": "phx_reply", "payload": reply})
        if event["event"] == "broadcast":
            await ws.send_json({**event, "ref": None})
    return ws


async def serve():
    """Listen, print the port, and end with the standard input."""
    from aiohttp import web

    application = web.Application()
    application.router.add_route("*", "/graphql", graphql())
    application.router.add_get("/v1/realtime", openai)
    application.router.add_get("/realtime/v1/websocket", supabase)
    socketio(application)
    runner = web.AppRunner(application, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve())

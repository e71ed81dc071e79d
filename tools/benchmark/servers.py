"""A server as people have it, in a process of its own: the echo of `websockets` or of `aiohttp`, at their defaults.

    python -m benchmark.servers websockets --identity IDENTITY.pem [--core N]

prints the address that it has without TLS and that with TLS, in a line, and serves until its input ends.
"""

import argparse
import asyncio
import json
import ssl
import sys

from .process import HOST, pin


async def serve_websockets(context: ssl.SSLContext) -> list[int]:
    """Start it; the port without TLS, and that with TLS."""
    from websockets.asyncio.server import ServerConnection, serve

    async def echo(ws: ServerConnection) -> None:
        async for message in ws:
            await ws.send(message)

    servers = [await serve(echo, HOST, 0), await serve(echo, HOST, 0, ssl=context)]
    return [next(iter(server.sockets)).getsockname()[1] for server in servers]


async def serve_aiohttp(context: ssl.SSLContext) -> list[int]:
    """Start it; the port without TLS, and that with TLS."""
    from aiohttp import web

    async def echo(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            await ws.send_str(message.data)
        return ws

    application = web.Application()
    application.router.add_get("/", echo)
    runner = web.AppRunner(application)
    await runner.setup()
    for certified in (None, context):
        await web.TCPSite(runner, HOST, 0, ssl_context=certified).start()
    return [address[1] for address in runner.addresses]


async def serve(name: str, identity: str) -> None:
    """Serve until standard input ends."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(identity)
    ports = await {"websockets": serve_websockets, "aiohttp": serve_aiohttp}[name](context)
    print(
        json.dumps(
            {f"{scheme}:": f"{scheme}://{HOST}:{port}/" for scheme, port in zip(("ws", "wss"), ports, strict=True)}
        )
    )
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--identity", required=True, help="a PEM file with the certificate and its key")
    parser.add_argument("--core", type=int)
    options = parser.parse_args()
    pin(options.core)
    asyncio.run(serve(options.name, options.identity))


if __name__ == "__main__":
    main()

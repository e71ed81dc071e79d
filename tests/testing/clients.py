"""One conversation, as the clients of four libraries have it; each returns what it hears."""

import asyncio

import pytest
import websockets.sync.client
from pyws import WebSocketStream
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


async def with_pyws(url):
    stream = WebSocketStream(url, protocols=["chat", "v2"])
    opened = await stream.opened
    heard = [opened.protocol]
    reader, writer = opened.readable.getReader(), opened.writable.getWriter()
    heard.append((await reader.read()).value)
    await writer.write("Hello")
    heard.append((await reader.read()).value)
    await writer.write(b"\x01\xfe")
    closed = await stream.closed
    return [*heard, closed.closeCode, closed.reason]


async def with_websockets(url):
    async with connect(url, subprotocols=["chat", "v2"]) as ws:
        heard = [ws.subprotocol, await ws.recv()]
        await ws.send(["Hel", "l", "o"])
        heard.append(await ws.recv())
        await ws.ping()
        await ws.send(b"\x01\xfe")
        with pytest.raises(ConnectionClosed):
            await ws.recv()
        return [*heard, ws.close_code, ws.close_reason]


async def with_websockets_sync(url):
    def converse():
        with websockets.sync.client.connect(url, subprotocols=["chat", "v2"]) as ws:
            heard = [ws.subprotocol, ws.recv()]
            ws.send("Hello")
            heard.append(ws.recv())
            ws.send(b"\x01\xfe")
            with pytest.raises(ConnectionClosed):
                ws.recv()
            return [*heard, ws.close_code, ws.close_reason]

    return await asyncio.to_thread(converse)


async def with_aiohttp(url):
    aiohttp = pytest.importorskip("aiohttp", reason="only the Python that runs all tests has aiohttp")
    async with aiohttp.ClientSession() as session, session.ws_connect(url, protocols=["chat", "v2"]) as ws:
        heard = [ws.protocol, await ws.receive_str()]
        await ws.send_str("Hello")
        heard.append(await ws.receive_bytes())
        await ws.send_bytes(b"\x01\xfe")
        message = await ws.receive()
        return [*heard, ws.close_code, message.extra]


CLIENTS = [with_pyws, with_websockets, with_websockets_sync, with_aiohttp]


async def echo(connection):
    async for message in connection:
        await connection.send(message)

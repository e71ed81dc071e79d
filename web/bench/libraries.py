"""The work of work.py by other people's libraries, over the bridge, beside pyws in the same page."""

import asyncio

import aiohttp
import pyws.bridge
from js import performance, window
from pyodide.ffi import create_proxy
from websockets.asyncio.client import connect

pyws.bridge.install()


async def exchange(send, receive, message, n, in_flight):
    """Send and receive; seconds."""
    start = performance.now()
    for _ in range(in_flight):
        await send(message)
    for received in range(1, n + 1):
        if len(await receive()) != len(message):
            raise ValueError("a message is not whole")
        if received + in_flight <= n:
            await send(message)
    return (performance.now() - start) / 1000


async def by_websockets(url, message, n, in_flight):
    """As somebody would write it for messages of any size, without the library's own Pings."""
    async with connect(url, max_size=None, ping_interval=None) as ws:
        return await exchange(ws.send, ws.recv, message, n, in_flight)


async def by_aiohttp(url, message, n, in_flight):
    """The same."""
    async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as ws:
        if isinstance(message, str):
            return await exchange(ws.send_str, ws.receive_str, message, n, in_flight)
        return await exchange(ws.send_bytes, ws.receive_bytes, message, n, in_flight)


LIBRARIES = {"websockets": by_websockets, "aiohttp": by_aiohttp}


def measure(name, url, kind, size, n, in_flight):
    """What tools/bench.py asks for."""
    if name not in LIBRARIES:
        return work.measure(name, url, kind, size, n, in_flight)
    message = b"\xaa" * size if kind == "binary" else "a" * size
    return asyncio.ensure_future(LIBRARIES[name](url, message, n, in_flight))


# The page is ready when it has a `measure`: work.py sets its own, and is loaded when all else is.
import work  # noqa: E402

window.measure = create_proxy(measure)

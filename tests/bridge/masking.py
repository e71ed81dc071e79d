"""What masks the messages of a library: its own Python, or over the bridge a function that is faster and does the same.

Each function prints its journal and returns the one that is expected.
"""

import asyncio
import random
from urllib.parse import urlsplit

import pyws.bridge

SIZES = [*range(6), *range(252, 262), *range(508, 518), 70_001, (1 << 20) + 5]
EXPECTED = ["own True", "given True", "differences 0", "own again True", "not replaced True"]


async def without_a_library(address):
    """After a connection JavaScript masks: also when the memory has grown, and while another message is in it."""
    from pyws.bridge import masks
    from pyws.browser import codec

    url = urlsplit(address("until close"))
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    head = f"GET {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nUpgrade: websocket\r\n"
    head += "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    writer.write(head.encode())
    await reader.readuntil(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()

    def differences():
        found = 0
        for size in (200, 70_000, (2 << 20) + 7):
            data, key = memoryview(random.randbytes(size))[random.randrange(9) :], random.randrange(-(1 << 31), 1 << 31)
            found += masks.apply(data, key) != masks.apply_in_python(data, key)
        return found

    print("at first", differences())
    bytes(1 << 26)
    print("larger", differences())
    chosen = codec.chosen[0]
    print("JavaScript", bool(masks.in_javascript) == isinstance(chosen, codec.FastCodec))
    memories = getattr(chosen, "sent", [])
    occupied = memories[:]
    memories.clear()
    print("occupied", differences())
    memories += occupied
    return ["at first 0", "larger 0", "JavaScript True", "occupied 0"]


async def websockets(address):
    """The interface of today."""
    from websockets import frames, utils
    from websockets.asyncio.client import connect

    async def exchange():
        async with connect(address("echo"), max_size=None) as ws:
            for message in ["text" * 100, bytes(range(256)) * 5000, memoryview(b"abc" * 1000)[::2]]:
                await ws.send(message)
                assert await ws.recv() == message

    await examine(exchange, frames, "apply_mask", utils.apply_mask, returning)
    return EXPECTED


async def legacy(address):
    """The interface of before."""
    from websockets import utils
    from websockets.legacy import framing
    from websockets.legacy.client import connect

    async def exchange():
        async with connect(address("echo")) as ws:
            await ws.send("text" * 100)
            assert await ws.recv() == "text" * 100

    await examine(exchange, framing, "apply_mask", utils.apply_mask, returning)
    return EXPECTED


async def aiohttp(address):
    """The library masks where the data is."""
    import aiohttp
    from aiohttp._websocket import helpers, writer

    async def exchange():
        async with aiohttp.ClientSession() as session, session.ws_connect(address("echo"), max_msg_size=0) as ws:
            for message in [b"text" * 100, bytes(range(256)) * 5000]:
                await ws.send_bytes(message)
                assert await ws.receive_bytes() == message

    await examine(exchange, writer, "websocket_mask", helpers._websocket_mask_python, in_place)
    return EXPECTED


async def examine(exchange, module, name, own, result):
    """Look at the function before the library connects, when it has, and without the bridge; then a foreign one."""
    print("own", getattr(module, name) is own)
    await exchange()
    given = getattr(module, name)
    print("given", given is not own)
    print("differences", sum(result(given, *each) != result(own, *each) for each in arguments()))
    pyws.bridge.uninstall()
    print("own again", getattr(module, name) is own)

    def foreign(*each):
        """It is not the library's own of Python: as a function in C is."""
        return own(*each)

    setattr(module, name, foreign)
    with pyws.bridge.installed():
        await exchange()
        print("not replaced", getattr(module, name) is foreign)


def arguments():
    """Data and masks of every kind, those that are refused, too."""
    chance = random.Random(1)
    for size in SIZES:
        data, mask = chance.randbytes(size), chance.randbytes(4)
        yield data, mask
        yield data, b"\xff\xff\xff\xff"
        yield bytearray(data), mask
        yield memoryview(data)[size // 3 :], mask
        yield memoryview(data)[::-2], mask
        yield data, bytearray(mask)
    view = memoryview(bytes(400))
    for data in b"x" * 400, bytearray(400), view.cast("H"), view.cast("b"), view.cast("B", (20, 20)):
        for mask in b"abc", b"abcde", b"", "abcd", b"abcd", 1234, None:
            yield data, mask
    for data in "text" * 100, 1234, None, [1, 2, 3] * 100:
        yield data, b"abcd"


def returning(function, data, mask):
    """What it returns or raises."""
    try:
        answer = function(data, mask)
    except Exception as error:
        return type(error), str(error)
    return type(answer), answer


def in_place(function, data, mask):
    """What it makes of its argument, or raises."""
    data = bytearray(data) if type(data) is bytearray else data
    try:
        return function(mask, data), data
    except Exception as error:
        return type(error), data

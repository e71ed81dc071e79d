"""The masks of a library's frames: 0 on a connection of the bridge, random on any other one, and the frames the same.

Each function prints its journal and returns the one that is expected.
"""

import asyncio
import contextlib

import pyws.bridge
from pyws.bridge import masks

SIZES = [0, 1, 125, 126, (1 << 15) - 1, 1 << 15, (1 << 16) - 1, 1 << 16, 300_001]
EXPECTED = ["echoed True", "masks 0 True", "random True", "the same frames True"]
ON_A_SOCKET = ["random before True", "random True", "echoed True", "masks 0 True"]


async def websockets(address):
    """The connection has the method, and what it does not know goes to the library's own."""
    from websockets.asyncio.client import ClientConnection, connect
    from websockets.client import ClientProtocol
    from websockets.protocol import State
    from websockets.uri import parse_uri

    async def send(ws):
        for size in SIZES:
            await ws.send("a" * size)
            await ws.send(bytes(size))
        await ws.send([b"one", b"two", b"", b"three" * 9999])
        await ws.pong(b"!")

    async with connect(address("echo"), max_size=None, ping_interval=None) as ws:
        with writing_to_the_bridge() as written:
            await send(ws)
        sizes = [len(await ws.recv()) for _ in range(2 * len(SIZES) + 1)]
        for message in bytearray(b"ab" * 40_000), memoryview(b"abcd" * 100)[1:]:
            await ws.send(message)
            sizes.append(await ws.recv() == message)
        print("echoed", sizes == [*(size for size in SIZES for _ in range(2)), 6 + 5 * 9999, True, True])
    other = Recorder()
    protocol = ClientProtocol(parse_uri("ws://localhost/"))
    protocol.state = State.OPEN
    unconnected = ClientConnection(protocol, ping_interval=None)
    unconnected.connection_made(other)
    await send(unconnected)
    compare(written, other.written)
    return EXPECTED


async def aiohttp(address):
    """The writer of a connection has the method; the class has its own `__init__` again at the end."""
    import aiohttp
    from aiohttp._websocket.writer import WebSocketWriter
    from aiohttp.base_protocol import BaseProtocol

    own = WebSocketWriter.__init__
    with pyws.bridge.installed():
        async with aiohttp.ClientSession() as session, session.ws_connect(address("echo"), max_msg_size=0) as ws:
            with writing_to_the_bridge() as written:
                for size in SIZES:
                    await ws.send_str("a" * size)
                    await ws.send_bytes(bytes(size))
                await ws.pong(b"!")
            sizes = [len((await ws.receive()).data) for _ in range(2 * len(SIZES))]
            await ws.send_bytes(bytearray(b"ab" * 40_000))
            sizes.append(await ws.receive_bytes() == b"ab" * 40_000)
            print("echoed", sizes == [*(size for size in SIZES for _ in range(2)), True])
        other = Recorder()
        writer = WebSocketWriter(BaseProtocol(asyncio.get_running_loop()), other, use_mask=True)
    pyws.bridge.uninstall()
    again = WebSocketWriter.__init__ is own
    for size in SIZES:
        await writer.send_frame(b"a" * size, aiohttp.WSMsgType.TEXT)
        await writer.send_frame(bytes(size), aiohttp.WSMsgType.BINARY)
    await writer.send_frame(b"!", aiohttp.WSMsgType.PONG)
    compare(written, other.written)
    print("own again", again)
    return [*EXPECTED, "own again True"]


async def websockets_on_a_socket(address):
    """A real connection that was open before keeps its random masks while the bridge is installed."""
    from websockets.asyncio.client import connect

    async with connect(address("echo"), ping_interval=None) as ws:
        await on_a_socket(ws.transport, ws.send, ws.recv, lambda: connect(address("echo"), ping_interval=None))
    return ON_A_SOCKET


async def aiohttp_on_a_socket(address):
    """The same."""
    import aiohttp

    class Connected:
        """What `on_a_socket` needs of a connection."""

        async def __aenter__(self):
            self.session = await aiohttp.ClientSession().__aenter__()
            self.ws = await self.session.ws_connect(address("echo"))
            self.send, self.recv = self.ws.send_str, self.ws.receive_str
            return self

        async def __aexit__(self, *error):
            await self.ws.close()
            await self.session.close()

    async with Connected() as first:
        transport = first.ws.get_extra_info("socket") and first.ws._writer.transport
        await on_a_socket(transport, first.send, first.recv, Connected)
    return ON_A_SOCKET


async def on_a_socket(transport, send, receive, connected):
    """Exchange messages before the bridge is installed, while it is, and over it."""
    written, own = [], transport.write
    transport.write = lambda data: (written.append(bytes(data)), own(data))

    async def exchange(send, receive):
        for number in range(8):
            await send(f"{number}" * 300)
            assert await receive() == f"{number}" * 300

    await exchange(send, receive)
    print("random before", are_random(written))
    written.clear()
    with pyws.bridge.installed(force=True):
        async with connected() as other:
            with writing_to_the_bridge() as over_the_bridge:
                await exchange(other.send, other.recv)
                await exchange(send, receive)
    print("random", are_random(written))
    print("echoed", len(frames_of(over_the_bridge)) == 8)
    print("masks 0", {key for _, key, _ in frames_of(over_the_bridge)} == {bytes(4)})
    del transport.write


class Recorder(asyncio.Transport):
    """A transport that is not the bridge's."""

    def __init__(self):
        super().__init__()
        self.written = []

    def write(self, data):
        self.written.append(bytes(data))

    def is_closing(self):
        return False

    def set_write_buffer_limits(self, high=None, low=None):
        pass

    def pause_reading(self):
        pass

    resume_reading = pause_reading


@contextlib.contextmanager
def writing_to_the_bridge():
    """A list of all that is written to the bridge in the block."""
    from pyws.bridge.transport import Transport

    written, own = [], Transport.write

    def write(self, data):
        written.append(bytes(data))
        own(self, data)

    Transport.write = write
    try:
        yield written
    finally:
        Transport.write = own


def compare(over_the_bridge, elsewhere):
    """Print what the frames of the same messages have in common."""
    ours = frames_of(over_the_bridge)
    print("masks 0", {key for _, key, _ in ours} == {bytes(4)})
    print("random", are_random(elsewhere))
    print(
        "the same frames",
        [(first, data) for first, _, data in ours] == [(first, data) for first, _, data in frames_of(elsewhere)],
    )


def are_random(written):
    """Whether each frame has a mask of its own, and none is 0."""
    keys = [key for _, key, _ in frames_of(written)]
    return len(keys) > 7 and bytes(4) not in keys and len(set(keys)) == len(keys)


def frames_of(written):
    """The first byte, the mask and the data of each frame."""
    data, found = b"".join(written), []
    while data:
        first, second = data[:2]
        assert second & 128
        short = second & 127
        start = 6 if short < 126 else 8 if short == 126 else 14
        size = short if short < 126 else int.from_bytes(data[2 : start - 4], "big")
        key, payload = data[start - 4 : start], data[start : start + size]
        found.append((first, key, masks.apply_in_python(payload, masks.KEY.unpack(key)[0])))
        data = data[start + size :]
    return found

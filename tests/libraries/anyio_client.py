"""What a library does that stands on anyio, by its streams: the same file on CPython and in a page."""

import ssl
from urllib.parse import urlsplit

import anyio
from anyio.streams.tls import TLSAttribute

HEAD = (
    "GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
HELLO = b"\x81\x85\x00\x00\x00\x00hello"
CLOSE = b"\x88\x82\x00\x00\x00\x00\x03\xe8"


async def connect(address):
    """A stream on which the opening handshake of that URL was sent."""
    url = urlsplit(address)
    tls = url.scheme == "wss"
    context = ssl.create_default_context() if tls else None
    stream = await anyio.connect_tcp(
        url.hostname, url.port, tls=tls, ssl_context=context, tls_standard_compatible=False
    )
    print(stream.extra(anyio.abc.SocketAttribute.remote_port) == url.port)
    await stream.send(HEAD.format(target=f"{url.path}?{url.query}", host=url.netloc).encode())
    return stream


async def main(address):
    async with await connect(address("echo")) as stream:
        print(stream.extra(TLSAttribute.server_side, "no TLS"))
        data = b""
        while b"\r\n\r\n" not in data:
            data += await stream.receive()
        await stream.send(HELLO)
        print(await stream.receive())
        await stream.send(CLOSE)
        print(await stream.receive())
        try:
            print(await stream.receive())
        except anyio.EndOfStream:
            print("end")
    async with await connect(address("sleep").replace("do=accept&", "")) as stream:
        with anyio.move_on_after(0.05):
            await stream.receive()
    print("timed out")

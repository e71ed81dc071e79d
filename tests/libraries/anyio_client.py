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


async def main(address):
    url = urlsplit(address("echo"))
    tls = url.scheme == "wss"
    context = ssl.create_default_context() if tls else None
    stream = await anyio.connect_tcp(
        url.hostname, url.port, tls=tls, ssl_context=context, tls_standard_compatible=False
    )
    async with stream:
        print(stream.extra(anyio.abc.SocketAttribute.remote_port) == url.port)
        if tls:
            print(stream.extra(TLSAttribute.alpn_protocol))
        await stream.send(HEAD.format(target=f"{url.path}?{url.query}", host=url.netloc).encode())
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
    with anyio.move_on_after(0.05):
        async with await anyio.connect_tcp(url.hostname, url.port) as stream:
            await stream.receive()
    print("timed out")

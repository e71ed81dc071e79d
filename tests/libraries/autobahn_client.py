"""What a program does with Autobahn, which is a protocol of asyncio: the same file on CPython and in a page."""

import asyncio
from urllib.parse import urlsplit

from autobahn.asyncio.websocket import WebSocketClientFactory, WebSocketClientProtocol


class Client(WebSocketClientProtocol):
    def onConnect(self, response):
        print("connected", response.protocol)

    def onOpen(self):
        self.left = self.factory.messages[:]
        self.next()

    def next(self):
        if self.left:
            self.sendMessage(self.left[0], isBinary=True)
        else:
            self.sendClose(3000, "enough")

    def onMessage(self, payload, isBinary):
        print("echoed", isBinary, len(payload), payload == self.left.pop(0))
        self.next()

    def onClose(self, wasClean, code, reason):
        print("closed", wasClean, code, reason)
        self.factory.closed.set_result(None)


async def converse(url, messages, **options):
    factory = WebSocketClientFactory(url, **options)
    factory.setProtocolOptions(openHandshakeTimeout=60, closeHandshakeTimeout=60)
    factory.protocol, factory.messages = Client, messages
    loop = asyncio.get_running_loop()
    factory.closed = loop.create_future()
    await loop.create_connection(factory, urlsplit(url).hostname, urlsplit(url).port)
    await factory.closed


async def main(address):
    await converse(address("echo"), [b"bytes", b"", bytes(range(256)) * 1024])
    url = address("header Sec-WebSocket-Protocol: superchat", "accept", "echo")
    await converse(url, [b"once"], protocols=["chat", "superchat"])

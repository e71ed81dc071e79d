"""What a program does with httpx-ws, wsproto over a stream of httpcore: the same file on CPython and in a page."""

import httpx
from httpx_ws import WebSocketDisconnect, aconnect_ws


async def main(address):
    async with httpx.AsyncClient(timeout=60) as client:
        async with aconnect_ws(address("echo"), client) as ws:
            for message in ["text", "", "ü 🌍", "a" * 70_000]:
                await ws.send_text(message)
                answer = await ws.receive_text()
                print("echoed", len(answer), answer == message)
            for message in [b"bytes", bytes(range(256)) * 1024]:
                await ws.send_bytes(message)
                answer = await ws.receive_bytes()
                print("echoed", len(answer), answer == message)
            await ws.send_json({"number": 1})
            print(await ws.receive_json())
            await (await ws.ping()).wait()
            print("pong")

        async with aconnect_ws(address("text hello", "close 4321 no more"), client) as ws:
            print(await ws.receive_text())
            try:
                await ws.receive_text()
            except WebSocketDisconnect as error:
                print(type(error).__name__, error.code, error.reason)

        url = address("header Sec-WebSocket-Protocol: superchat", "accept", "text last", "until close")
        async with aconnect_ws(url, client, subprotocols=["chat", "superchat"]) as ws:
            print("subprotocol", ws.subprotocol, await ws.receive_text())
            await ws.close(3000, "enough")
    print("closed")

"""What a program does with aiohttp: the same file on CPython and in a page."""

import aiohttp


async def main(address):
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(address("echo"), heartbeat=20) as ws:
            for message in ["text", "", "ü 🌍", "a" * 70_000]:
                await ws.send_str(message)
                answer = await ws.receive_str()
                print("echoed", len(answer), answer == message)
            for message in [b"bytes", b"", bytes(range(256)) * 4096]:
                await ws.send_bytes(message)
                answer = await ws.receive_bytes()
                print("echoed", len(answer), answer == message)
            await ws.ping()
            for number in range(100):
                await ws.send_json({"number": number})
            print([(await ws.receive_json())["number"] for _ in range(100)] == list(range(100)))
        print("closed", ws.close_code)

        async with session.ws_connect(address("text hello", "close 1000 bye")) as ws:
            async for message in ws:
                print(message.type.name, message.data, message.extra)
            print("closed", ws.close_code)

        async with session.ws_connect(address("close 4321 no more")) as ws:
            message = await ws.receive()
            print(message.type.name, message.data, message.extra, ws.close_code)

        async with session.ws_connect(address("bulk 3 300000", "close 1001 going")) as ws:
            print([len(message.data) async for message in ws], ws.close_code)

        url = address("header Sec-WebSocket-Protocol: superchat", "accept", "text last", "until close")
        ws = await session.ws_connect(url, protocols=["chat", "superchat"])
        print("subprotocol", ws.protocol)
        print(await ws.receive_str())
        await ws.close(code=3000, message=b"enough")
        print("closed", ws.close_code)

        ws = await session.ws_connect(address("read", "fin"))
        await ws.send_str("over")
        message = await ws.receive()
        print(message.type.name, ws.close_code)

"""What a program does with websockets: the same file on CPython and in a page."""

from websockets import ConnectionClosed
from websockets.asyncio.client import connect


async def main(address):
    async with connect(address("echo")) as ws:
        for message in ["text", "", "ü 🌍", b"bytes", b"", "a" * 70_000, bytes(range(256)) * 4096]:
            await ws.send(message)
            answer = await ws.recv()
            print("echoed", type(answer).__name__, len(answer), answer == message)
        await ws.send(["a fragment, ", "and ", "another"])
        print(await ws.recv())
        await ws.send([b"\x00", b"\xff" * 300])
        print(await ws.recv() == b"\x00" + b"\xff" * 300)
        await (await ws.ping())
        print("pong")
        for number in range(100):
            await ws.send(str(number))
        print([await ws.recv() for _ in range(100)] == [str(number) for number in range(100)])
    print("closed", ws.close_code, repr(ws.close_reason))

    async with connect(address("text hello", "close 1000 bye")) as ws:
        print([message async for message in ws], ws.close_code, ws.close_reason)

    async with connect(address("close 4321 no more")) as ws:
        try:
            await ws.recv()
        except ConnectionClosed as error:
            print(type(error).__name__, error.rcvd, error.sent)

    async with connect(address("bulk 3 300000", "close 1001 going")) as ws:
        print([len(message) async for message in ws], ws.close_code, ws.close_reason)

    async with connect(
        address("header Sec-WebSocket-Protocol: superchat", "accept", "read", "close"),
        subprotocols=["chat", "superchat"],
    ) as ws:
        print("subprotocol", ws.subprotocol)
        await ws.send("done")
        try:
            await ws.recv()
        except ConnectionClosed as error:
            print(type(error).__name__, error.rcvd, error.sent)

    ws = await connect(address("text last", "until close"))
    print(await ws.recv())
    await ws.close(3000, "enough")
    print("closed", ws.close_code, ws.close_reason)

    ws = await connect(address("read", "fin"))
    await ws.send("over")
    try:
        await ws.recv()
    except ConnectionClosed as error:
        print(type(error).__name__, error.rcvd, error.sent)

    count = 0
    async for ws in connect(address("echo")):
        await ws.send("again")
        print(await ws.recv())
        await ws.close()
        count += 1
        if count == 2:
            break

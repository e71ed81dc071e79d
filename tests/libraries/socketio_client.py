"""What a program does with python-socketio: the same file on CPython and in a page."""

import asyncio

import socketio


async def main(address):
    client = socketio.AsyncClient(request_timeout=60)
    ticks = asyncio.Queue()
    client.on("tick", ticks.put)
    welcomed = asyncio.get_running_loop().create_future()
    client.on("welcome", welcomed.set_result)
    client.on("disconnect", lambda reason: print("disconnected", reason))
    url = address.origin.replace("ws:", "http:")
    await client.connect(url, transports=["websocket"], auth={"token": "abc"}, wait_timeout=60)
    print("connected", client.transport(), await welcomed)
    print("added", await client.call("add", (1, 2, 39)))
    print("reversed", await client.call("reverse", "ü 🌍"), await client.call("reverse", bytes(range(5))))
    await client.emit("ticks", 3)
    print("ticks", [await ticks.get() for _ in range(3)])
    await client.disconnect()
    print(client.connected)

    async with socketio.AsyncSimpleClient(request_timeout=60) as simple:
        await simple.connect(url, transports=["websocket"], wait_timeout=60)
        print(await simple.receive())
        await simple.emit("ticks", 2)
        print(await simple.receive(), await simple.receive())

    again = socketio.AsyncClient(reconnection=False, request_timeout=60)
    over = asyncio.get_running_loop().create_future()
    again.on("disconnect", over.set_result)
    await again.connect(url, transports=["websocket"], wait_timeout=60)
    await again.emit("leave")
    print("sent away", await over)
    await again.wait()

    refused = socketio.AsyncClient(request_timeout=60)
    try:
        await refused.connect(url, transports=["websocket"], auth={"token": "wrong"}, wait_timeout=60)
    except socketio.exceptions.ConnectionError as error:
        print(type(error).__name__, error)

"""What a program does with the old interface of websockets, on which many still stand: the same file everywhere."""

import warnings

warnings.simplefilter("ignore", DeprecationWarning)

from websockets.legacy.client import connect  # noqa: E402 - its warning is silenced first


async def main(address):
    async with connect(address("echo"), open_timeout=60) as ws:
        for message in ["text", "ü 🌍", b"bytes", "a" * 70_000, bytes(range(256)) * 4096]:
            await ws.send(message)
            answer = await ws.recv()
            print("echoed", type(answer).__name__, len(answer), answer == message)
        await ws.send(["a fragment, ", "and another"])
        print(await ws.recv())
        await (await ws.ping())
        print("pong")
    print("closed", ws.close_code, repr(ws.close_reason))

    async with connect(address("text hello", "close 4321 no more"), open_timeout=60) as ws:
        print(await ws.recv())
        await ws.wait_closed()
        print("closed", ws.close_code, ws.close_reason)

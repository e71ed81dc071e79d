"""A whole program, as a page about websockets would show it, pasted as it stands."""

import asyncio

from websockets.asyncio.client import connect


async def main():
    async with connect("ws://localhost:8765") as ws:
        name = input("What is your name? ")
        await ws.send(f"I am {name}")
        print(await ws.recv())


if __name__ == "__main__":
    asyncio.run(main())

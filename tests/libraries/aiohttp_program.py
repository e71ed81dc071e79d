"""A whole program, as a page about aiohttp would show it, pasted as it stands."""

import asyncio

import aiohttp


async def main():
    async with aiohttp.ClientSession() as session, session.ws_connect("ws://localhost:8765") as ws:
        await ws.send_str("hello")
        async for message in ws:
            if message.type == aiohttp.WSMsgType.TEXT:
                print(message.data)
                if message.data == "hello":
                    await ws.send_str("close")
                else:
                    await ws.close()
            elif message.type == aiohttp.WSMsgType.ERROR:
                break


if __name__ == "__main__":
    asyncio.run(main())

"""What a program does with realtime, the client of Supabase: the same file on CPython and in a page."""

import asyncio

from realtime import AsyncRealtimeClient, RealtimeSubscribeStates


async def main(address):
    client = AsyncRealtimeClient(f"{address.origin}/realtime/v1", "local", auto_reconnect=False, timeout=60)
    await client.connect()
    print("connected", client.is_connected)
    channel = client.channel("room", {"config": {"broadcast": {"ack": False, "self": True}}})
    heard = asyncio.Queue()
    joined = asyncio.get_running_loop().create_future()
    channel.on_broadcast("shout", heard.put_nowait)

    def note(state, error):
        if state == RealtimeSubscribeStates.SUBSCRIBED:
            joined.set_result(state.name)

    await channel.subscribe(note)
    print("joined", await joined)
    for text in ["hello", "ü 🌍"]:
        await channel.send_broadcast("shout", {"text": text})
        print((await heard.get())["payload"])
    await client.remove_channel(channel)
    await client.close()
    print("connected", client.is_connected)

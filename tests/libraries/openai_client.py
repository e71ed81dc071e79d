"""What a program does with OpenAI's Realtime API: the same file on CPython and in a page.

The library says its key in the header Authorization. For pages the service takes it as a subprotocol.
"""

import pyws.bridge
from openai import AsyncOpenAI

PATIENCE = {"open_timeout": 60}


def hook(request):
    key = request.headers.pop("Authorization").removeprefix("Bearer ")
    request.protocols += ["realtime", f"openai-insecure-api-key.{key}"]


async def main(address):
    pyws.bridge.install(handshake=hook)
    client = AsyncOpenAI(api_key="sk-local", websocket_base_url=f"{address.origin}/v1")
    async with client.realtime.connect(model="gpt-realtime", websocket_connection_options=PATIENCE) as connection:
        await connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        await connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello, ü 🌍"}]}
        )
        await connection.response.create()
        async for event in connection:
            print(type(event).__name__, event.type, getattr(event, "delta", ""), getattr(event, "text", ""))
            if event.type == "response.done":
                break
        await connection.send({"type": "no.such.event"})
        event = await connection.recv()
        print(event.type, event.error.message)
    await client.close()
    print("closed")

    client = AsyncOpenAI(api_key="wrong", websocket_base_url=f"{address.origin}/v1")
    async with client.realtime.connect(model="gpt-realtime", websocket_connection_options=PATIENCE) as connection:
        try:
            await connection.recv()
        except Exception as error:
            print(type(error).__name__, error.rcvd)
    await client.close()

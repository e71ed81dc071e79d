"""What a program does with nats-py over WebSockets: the same file on CPython and in a page."""

import asyncio

import nats
from nats.errors import NoRespondersError, TimeoutError


async def main(address):
    closed = asyncio.Event()

    async def note():
        closed.set()

    client = await nats.connect(address.origin, closed_cb=note, connect_timeout=60)
    print("connected", client.is_connected)
    subject = address.key  # a server for all: nobody else may hear this
    subscription = await client.subscribe(f"{subject}.*")
    for data in [b"hello", b"", "ü 🌍".encode(), bytes(range(256)) * 1000]:
        await client.publish(f"{subject}.data", data, headers={"Size": str(len(data))})
        message = await subscription.next_msg(timeout=60)
        print(message.subject.removeprefix(subject), message.headers, len(message.data), message.data == data)
    await subscription.unsubscribe()

    async def reply(message):
        await message.respond(message.data[::-1])

    await client.subscribe(f"{subject}.reverse", cb=reply)
    print("answered", (await client.request(f"{subject}.reverse", b"abc", timeout=60)).data)
    try:
        await client.request(f"{subject}.nobody", b"", timeout=60)
    except NoRespondersError as error:
        print(type(error).__name__)
    silence = await client.subscribe(f"{subject}.silence")
    try:
        await silence.next_msg(timeout=0.05)
    except TimeoutError as error:
        print(type(error).__name__)
    await client.drain()
    await closed.wait()
    print("closed", client.is_closed)

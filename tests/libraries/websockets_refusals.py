"""What a program that uses websockets is told of what a page cannot do; it returns the journal that is expected."""

import ssl

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidMessage


def causes(error):
    """An exception and its causes, in one line each."""
    while error is not None:
        yield f"{type(error).__name__}: {str(error)[:60]}"
        error = error.__cause__


async def main(address):
    secret = {"Authorization": "Bearer hunter2"}
    try:
        await connect(address("echo"), additional_headers=secret)
    except Exception as error:
        print(*causes(error), sep="\n")

    # One that no later attempt would mend is not tried again.
    try:
        async for _ in connect(address("echo"), additional_headers=secret):
            print("connected")
    except Exception as error:
        print(*causes(error), sep="\n")

    unchecked = ssl.create_default_context()
    unchecked.check_hostname = False
    for options in {"ssl": unchecked}, {"server_hostname": "example.org"}:
        try:
            await connect("wss://127.0.0.1:9/", **options)
        except Exception as error:
            print(*causes(error), sep="\n")

    # A refusal, which a later attempt may mend.
    refusal = r"head HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
    try:
        await connect(address(refusal).replace("do=accept&", ""))
    except (InvalidMessage, InvalidHandshake, OSError) as error:
        print(type(error).__name__)
    url = address(refusal).replace("do=accept&", "") + "&then&do=accept&do=echo"
    async for ws in connect(url):
        await ws.send("after a refusal")
        print(await ws.recv())
        await ws.close()
        break
    return [
        "ConnectionClosedError: no close frame received or sent",
        "OSError: a page cannot send the header Authorization: take it away in",
        "ConnectionClosedError: no close frame received or sent",
        "OSError: a page cannot send the header Authorization: take it away in",
        "OSError: a page cannot switch off the examination of certificates: le",
        "ConnectionClosedError: no close frame received or sent",
        "OSError: a page reaches a host by one name only, and server_hostname ",
        "InvalidMessage",
        "after a refusal",
    ]

"""What a program that uses aiohttp is told of what a page cannot do; it returns the journal that is expected."""

import ssl

import aiohttp


def causes(error):
    """An exception and its causes, in one line each."""
    while error is not None:
        name = type(error).__name__
        yield name if name == "ClientConnectorError" else f"{name}: {str(error)[:60]}"
        error = error.__cause__


async def main(address):
    unchecked = ssl.create_default_context()
    unchecked.check_hostname = False
    refusal = address(r"head HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n").replace("do=accept&", "")
    async with aiohttp.ClientSession() as session:
        for url, options in (
            (address("echo"), {"headers": {"Authorization": "Bearer hunter2"}}),
            ("wss://127.0.0.1:9/", {"ssl": False}),
            ("wss://127.0.0.1:9/", {"ssl": unchecked}),
            ("ws://127.0.0.1:9/", {"proxy": "http://127.0.0.1:9"}),
            (refusal, {}),
        ):
            try:
                await session.ws_connect(url, **options)
            except aiohttp.ClientError as error:
                print(*causes(error), sep="\n")
        try:
            await session.get("http://127.0.0.1:9/")
        except aiohttp.ClientError as error:
            print(*causes(error), sep="\n")
    header = "OSError: a page cannot send the header Authorization: take it away in"
    examination = "OSError: a page cannot switch off the examination of certificates: le"
    refused = "the browser could not open the WebSocket, and tells a page n"
    http = "a page can open WebSockets only: this is another request of "
    return [
        header.replace("OSError", "ClientOSError"),
        header,
        "ClientConnectorError",
        examination,
        "ClientConnectorError",
        examination,
        "ClientOSError: a page cannot choose a proxy, the browser has its own: leave",
        "OSError: a page cannot choose a proxy, the browser has its own: leave",
        f"ClientOSError: {refused}",
        f"ConnectionError: {refused}",
        f"ClientOSError: {http}",
        f"OSError: {http}",
    ]

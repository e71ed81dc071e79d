"""What a program that uses python-socketio is told of polling, which is HTTP; it returns the expected journal."""

import socketio


async def main(address):
    try:
        await socketio.AsyncClient().connect(address.origin.replace("ws:", "http:"))
    except socketio.exceptions.ConnectionError as error:
        while error is not None:
            print(f"{type(error).__name__}: {str(error)[:60]}")
            error = error.__context__
    return [
        "ConnectionError: a page can open WebSockets only: this is another request of ",
        "ConnectionError: a page can open WebSockets only: this is another request of ",
    ]

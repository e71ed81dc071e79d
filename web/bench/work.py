"""One work for every way to a WebSocket in a page: an echo with so many messages in flight; seconds."""

import sys

from pyws import WebSocket

if sys.platform == "brython":
    from browser import aio, window

    Future = aio.Future

    def promise(job):
        """JavaScript's promise of a coroutine's result."""

        async def settle(resolve, reject):
            try:
                resolve(await job)
            except Exception as error:
                reject(repr(error))

        return window.Promise.new(lambda resolve, reject: aio.run(settle(resolve, reject)))

    def by_hand(url, on_open, on_message, binary):
        """Brython's own means: bytes go as a list of numbers, and come as one."""
        socket = window.WebSocket.new(url)
        socket.binaryType = "arraybuffer"
        socket.onopen = lambda event: on_open()
        if binary:
            socket.onmessage = lambda event: on_message(bytes(window.Uint8Array.new(event.data)))
            return lambda data: socket.send(window.Uint8Array.new(list(data))), socket.close
        socket.onmessage = lambda event: on_message(event.data)
        return socket.send, socket.close

    WAYS = {"window.WebSocket": by_hand}
else:
    import asyncio

    import js as window
    from pyodide.ffi import create_proxy, to_js

    Future = asyncio.Future
    promise = asyncio.ensure_future

    def by_hand(url, on_open, on_message, binary):
        """Pyodide's own means, with the conversions that somebody must know of."""
        socket = window.WebSocket.new(url)
        socket.binaryType = "arraybuffer"
        socket.onopen = create_proxy(lambda event: on_open())
        if binary:
            socket.onmessage = create_proxy(lambda event: on_message(event.data.to_bytes()))
            return lambda data: socket.send(to_js(data)), socket.close
        socket.onmessage = create_proxy(lambda event: on_message(event.data))
        return socket.send, socket.close

    def pyscripts(url, on_open, on_message, binary):
        """PyScript's WebSocket."""
        from pyscript import WebSocket as PyScriptWebSocket

        socket = PyScriptWebSocket(
            url=url,
            onopen=lambda event: on_open(),
            onmessage=lambda event: on_message(bytes(event.data) if binary else event.data),
        )
        socket.binaryType = "arraybuffer"
        return socket.send, socket.close

    WAYS = {"js.WebSocket": by_hand, "pyscript.WebSocket": pyscripts}


def pywss(url, on_open, on_message, binary):
    """pyws."""
    socket = WebSocket(url)
    socket.binaryType = "arraybuffer"
    socket.onopen = lambda event: on_open()
    socket.onmessage = lambda event: on_message(event.data)
    return socket.send, socket.close


async def work(way, url, kind, size, n, in_flight):
    """Do it once."""
    binary = kind == "binary"
    message = b"\xaa" * size if binary else "a" * size
    done = Future()
    counts = {"received": 0, "sent": in_flight, "start": 0}

    def on_open():
        counts["start"] = window.performance.now()
        for _ in range(in_flight):
            send(message)

    def on_message(data):
        if len(data) != size:
            done.set_exception(ValueError("a message is not whole"))
        counts["received"] += 1
        if counts["received"] == n:
            done.set_result((window.performance.now() - counts["start"]) / 1000)
        elif counts["sent"] < n:
            counts["sent"] += 1
            send(message)

    send, close = way(url, on_open, on_message, binary)
    seconds = await done
    close()
    return seconds


def measure(name, *details):
    """What tools/bench.py asks for."""
    if name == "javascript":
        return window.javascript(*details)
    return promise(work({"pyws": pywss, **WAYS}[name], *details))


window.measure = measure if sys.platform == "brython" else create_proxy(measure)

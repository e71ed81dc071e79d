# /// script
# dependencies = [
#     "marimo",
#     "pyws-websocket @ ../../dist/pyws_websocket-0.1.0-py3-none-any.whl",
#     "websockets",
# ]
# ///

import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo
    from pyws import WebSocket

    return WebSocket, mo


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # A WebSocket in a notebook

    Python runs in your browser here, if `marimo export html-wasm` has made this page, and the WebSocket is the
    browser's own. With `marimo edit` the same cells run, with sockets.

    The server sends every message back: `python3 tools/serve.py` starts it, or write the address of another one.
    """)
    return


@app.cell
def _(mo):
    sockets = []
    get_latest, set_latest = mo.state("nothing yet")
    return get_latest, set_latest, sockets


@app.cell
async def _(WebSocket, mo, set_latest, sockets):
    # A socket stays open until somebody closes it, also if this cell runs again: this closes the one of the last run.
    for _old in sockets:
        _old.close()
    ws = WebSocket("ws://127.0.0.1:8765/")
    sockets[:] = [ws]
    await ws.when("open").first()
    # A state shows messages when no cell runs, too: the cell that reads it runs again.
    ws.onmessage = lambda event: set_latest(event.data)
    mo.md("The socket is **open**.")
    return (ws,)


@app.cell
def _(get_latest, mo):
    mo.plain_text(f"The latest message: {get_latest()}")
    return


@app.cell
async def _(ws):
    # While a cell waits, what it prints stays below it.
    for _number in range(3):
        ws.send(f"message {_number}")
    async for _event in ws.when("message"):
        print(_event.data)
        if _event.data == "message 2":
            break
    return


@app.cell
async def _(ws):
    # A mistake in a listener: its traceback is shown, and nothing stops.
    def _fail(event):
        raise ValueError(f"cannot use {event.data!r}")

    ws.addEventListener("message", _fail, once=True)
    ws.send("bad news")
    await ws.when("message").first()
    print("It goes on.")
    return


@app.cell
async def _(ws):
    # Another library, as it comes from PyPI.
    import pyws.bridge

    pyws.bridge.install()

    from websockets.asyncio.client import connect

    async with connect(ws.url) as _connection:
        await _connection.send("hello from websockets")
        print(await _connection.recv())
    return


if __name__ == "__main__":
    app.run()

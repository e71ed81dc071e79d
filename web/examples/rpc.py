"""JSON-RPC over a subprotocol: a call returns a future, and answers may come in any order.

python -m pyws run web/examples/rpc.py ws://127.0.0.1:8765/
"""

import json
import sys

from pyws import WebSocket

if sys.platform == "brython":  # whose asyncio is empty
    from browser.aio import Future
else:
    from asyncio import Future

SERVER = sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:8765/"
waiting = {}  # futures, by the id of their request


def call(method, *params):
    """Send a request now; await what this returns for its result."""
    number = len(waiting) + 1
    waiting[number] = Future()
    ws.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
    return waiting[number]


def on_message(event):
    answer = json.loads(event.data)
    print(f"answer {answer['id']} came")
    future = waiting[answer["id"]]
    if "error" in answer:
        future.set_exception(RuntimeError(answer["error"]["message"]))
    else:
        future.set_result(answer["result"])


def on_close(event):
    for future in waiting.values():
        if not future.done():
            future.set_exception(ConnectionError(f"closed: {event.code} {event.reason}"))
    print(f"closed: {event.code}")


async def on_open(event):
    print(f"connected, speaking {ws.protocol}")
    slow = call("sleep", 0.3)
    fast = call("add", 2, 3)
    print("add:", await fast)
    print("sleep:", await slow)
    try:
        await call("divide", 1, 0)
    except RuntimeError as error:
        print("divide:", error)
    ws.close()


ws = WebSocket(f"{SERVER}rpc", "jsonrpc-2.0")
ws.onopen = on_open
ws.onmessage = on_message
ws.onclose = on_close

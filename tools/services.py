"""What the echo server does by path: what the scripts of web/examples talk to.

/chat     opens a room and says its name; /chat/NAME enters it. What one says, the others hear.
/ticker   sends a price every 100 ms, the same walk to everybody.
/upload   counts the bytes of binary messages, and answers each text with the number so far.
/rpc      answers JSON-RPC 2.0, with the subprotocol "jsonrpc-2.0".
any other path sends every message back.
"""

import contextlib
import itertools
import json
import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection
from websockets.typing import Subprotocol

JSON_RPC = Subprotocol("jsonrpc-2.0")
LONGEST_WAIT = 10  # seconds that "sleep" may ask for

rooms: dict[str, list[ServerConnection]] = {}
lock = threading.Lock()  # every connection has a thread of its own


def choose(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """The first subprotocol that is offered, whatever it is: who asks for one must get one."""
    return offered[0] if offered else None


def serve(connection: ServerConnection) -> None:
    """Do what the path of a connection asks for, until it ends."""
    assert connection.request is not None
    path = connection.request.path.partition("?")[0]
    try:
        if path == "/chat" or path.startswith("/chat/"):
            chat(connection, path.removeprefix("/chat").removeprefix("/"))
        elif path == "/ticker":
            ticker(connection)
        elif path == "/upload":
            upload(connection)
        elif path == "/rpc":
            rpc(connection)
        else:
            for message in connection:
                connection.send(message)
    except ConnectionClosed:
        pass  # a page may leave at any moment


def chat(connection: ServerConnection, name: str) -> None:
    opens = not name
    with lock:
        name = name or next(name for name in map(str, itertools.count(1)) if name not in rooms)
        rooms.setdefault(name, []).append(connection)
    try:
        if opens:
            connection.send(name)
        for message in connection:
            with lock:
                others = [other for other in rooms[name] if other is not connection]
            for other in others:
                with contextlib.suppress(ConnectionClosed):  # its own thread takes it out of the room
                    other.send(message)
    finally:
        with lock:
            rooms[name].remove(connection)
            if not rooms[name]:
                del rooms[name]


def price(tick: int) -> float:
    return round(100 + 4 * math.sin(tick / 3) + 2 * math.sin(tick), 2)


def ticker(connection: ServerConnection) -> None:
    for tick in itertools.count():
        connection.send(json.dumps({"symbol": "PYWS", "price": price(tick)}))
        with contextlib.suppress(TimeoutError):  # nobody has anything to say here: it waits, and notices who leaves
            connection.recv(timeout=0.1)


def upload(connection: ServerConnection) -> None:
    size = 0
    for message in connection:
        if isinstance(message, bytes):
            size += len(message)
        else:
            connection.send(str(size))


def rpc(connection: ServerConnection) -> None:
    if connection.subprotocol != JSON_RPC:
        connection.close(1008, f"the subprotocol {JSON_RPC} is spoken here")
    for message in connection:
        # In a thread each, so that a slow call holds up no other.
        threading.Thread(target=answer, args=(connection, message), daemon=True).start()


def answer(connection: ServerConnection, message: str | bytes) -> None:
    """Call a method of METHODS; https://www.jsonrpc.org/specification."""
    number = None
    try:
        request = json.loads(message)
        number, name, parameters = request["id"], request["method"], request.get("params", [])
    except ValueError:
        outcome = failure(-32700, "Parse error")
    except (KeyError, TypeError, AttributeError):
        outcome = failure(-32600, "Invalid Request")
    else:
        outcome = call(name, parameters)
    with contextlib.suppress(ConnectionClosed):
        connection.send(json.dumps({"jsonrpc": "2.0", "id": number, **outcome}))


def call(name: str, parameters: Any) -> dict[str, Any]:
    if name not in METHODS:
        return failure(-32601, "Method not found")
    try:
        return {"result": METHODS[name](*parameters)}
    except Exception:
        return failure(-32602, "Invalid params")


def failure(code: int, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def add(*numbers: float) -> float:
    return sum(numbers)


def sleep(seconds: float) -> str:
    threading.Event().wait(min(seconds, LONGEST_WAIT))
    return f"slept {seconds} s"


METHODS: dict[str, Callable[..., Any]] = {"add": add, "sleep": sleep}

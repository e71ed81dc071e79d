#!/usr/bin/env bash
# websockets' ServerProtocol calls a `select_subprotocol` that is a bound method without its first argument.
#
# Its documentation: the argument is a callable of a ServerProtocol and the offered subprotocols, "including a
# ServerProtocol instance as first argument" (https://websockets.readthedocs.io/en/stable/reference/sansio/server.html).
# Only a function is called so. ServerProtocol binds what it is given by `__get__`, which does nothing to a method that
# is bound already: it is called with one argument, and the handshake is answered with 500 (the TypeError is only in
# `handshake_exc`). A callable object has no `__get__`: AttributeError when ServerProtocol is made. serve() takes both,
# for it wraps them in a function. With ServerProtocol, do the same: `lambda *given: rooms.select(*given)`.
#
# Seen with websockets 17.4 and CPython 3.11.7:
#   function: 101 chat None
#   method: 500 None TypeError
#   object: not made, AttributeError
#   method in a lambda: 101 chat None
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip --quiet --disable-pip-version-check install websockets==17.4

cat > negotiate.py <<'PYTHON'
import logging
from websockets.client import ClientProtocol
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

logging.disable()


def select(protocol, offered):
    return "chat" if "chat" in offered else None


class Rooms:
    def select(self, protocol, offered):
        return select(protocol, offered)

    __call__ = select


rooms = Rooms()
callbacks = {
    "function": select,
    "method": rooms.select,
    "object": rooms,
    "method in a lambda": lambda *given: rooms.select(*given),
}
for name, callback in callbacks.items():
    client = ClientProtocol(parse_uri("ws://127.0.0.1/"), subprotocols=["chat"])
    client.send_request(client.connect())
    try:
        server = ServerProtocol(select_subprotocol=callback)
    except Exception as error:
        print(f"{name}: not made, {type(error).__name__}")
        continue
    server.receive_data(b"".join(client.data_to_send()))
    (request,) = server.events_received()
    response = server.accept(request)
    failure = server.handshake_exc and type(server.handshake_exc).__name__
    print(f"{name}: {response.status_code} {response.headers.get('Sec-WebSocket-Protocol')} {failure}")
PYTHON

seen=$(venv/bin/python negotiate.py)
printf '%s\n' "$seen"
test "$seen" = 'function: 101 chat None
method: 500 None TypeError
object: not made, AttributeError
method in a lambda: 101 chat None'

"""What a program does with websocket-client, which blocks: on CPython, and in a page where Python can wait."""

import select
import socket

import websocket


async def main(address):
    ws = websocket.create_connection(address("echo"), timeout=20)
    for message in ["text", "", "ü 🌍", "a" * 70_000]:
        ws.send(message)
        print("echoed", ws.recv() == message)
    for message in [b"bytes", b"", bytes(range(256)) * 4096]:
        ws.send_binary(message)
        print("echoed", ws.recv() == message)
    ws.ping("are you there")
    opcode, frame = ws.recv_data_frame(True)
    print("pong", opcode == websocket.ABNF.OPCODE_PONG, frame.data)
    for number in range(100):
        ws.send(str(number))
    print([ws.recv() for _ in range(100)] == [str(number) for number in range(100)])

    # Nothing comes: that is an exception, and the connection stays.
    ws.settimeout(0.05)
    print("timeout", ws.gettimeout())
    try:
        ws.recv()
    except websocket.WebSocketTimeoutException as error:
        print(type(error).__name__, error)
    print(select.select([ws], [], [], 0.01), select.select([], [ws.sock], [], 20)[1] == [ws.sock])
    ws.settimeout(20)
    ws.send("after a time-out")
    print(select.select([ws.sock], [], [], 20)[0] == [ws.sock], ws.recv())
    print(ws.sock.getpeername()[1] == ws.sock.getpeername()[-1], ws.sock.gettimeout(), ws.connected)
    ws.close(3001, b"enough")
    print(ws.connected, ws.sock)
    try:
        ws.send("too late")
    except websocket.WebSocketConnectionClosedException as error:
        print(type(error).__name__, error)

    # The server closes.
    ws = websocket.create_connection(address("text hello", "close 4321 no more"), timeout=20)
    print(ws.recv(), ws.recv_data())
    ws.close()

    # Half of a message comes, then nothing for a while: the next call has all of it.
    ws = websocket.create_connection(address("raw 810568", "read", "raw 656c6c6f", "until close"), timeout=20)
    ws.settimeout(0.05)
    try:
        ws.recv()
    except websocket.WebSocketTimeoutException as error:
        print(type(error).__name__)
    ws.settimeout(20)
    ws.send("go on")
    print(ws.recv())
    ws.close()

    # TCP ends without a Close frame.
    ws = websocket.create_connection(address("read", "fin"), timeout=20)
    ws.send("over")
    try:
        ws.recv()
    except websocket.WebSocketConnectionClosedException as error:
        print(type(error).__name__, error)
    ws.close()

    ws = websocket.create_connection(
        address("header Sec-WebSocket-Protocol: superchat", "accept", "read", "close"),
        subprotocols=["chat", "superchat"],
        timeout=20,
    )
    print("subprotocol", ws.subprotocol, ws.status)
    ws.send("done")
    print(ws.recv_data())
    ws.close()

    # An application: its loop, and that it connects again.
    print(*run(address("text hello", "read", "text two", "close 3002 bye")), sep="\n")
    url = address("text one", "read", "fin") + "&then&do=accept&do=text%20two&do=until%20close"
    print(*run(url, reconnect=0.1), sep="\n")

    # A socket that the program has connected.
    url = address("echo")
    host, port = url.partition("://")[2].partition("/")[0].split(":")
    with socket.create_connection((host, int(port)), timeout=20) as sock:
        if url.startswith("ws:"):
            ws = websocket.create_connection(url, socket=sock, timeout=20)
            ws.send("over a socket")
            print(ws.recv())
            ws.close()
        else:
            print("over a socket")


def run(url, **options):
    """What the callbacks of an application were told."""
    told = []

    def on_open(app):
        told.append("open")
        app.send("hi")

    def on_message(app, message):
        told.append(f"message {message}")
        if message == "two" and options:
            app.close()

    app = websocket.WebSocketApp(
        url,
        on_open=on_open,
        on_reconnect=lambda app: told.append("reconnect"),
        on_message=on_message,
        on_error=lambda app, error: told.append(f"error {type(error).__name__} {error}"),
        on_close=lambda app, code, reason: told.append(f"close {code} {reason}"),
    )
    told.append(f"ended {app.run_forever(**options)}")
    return told

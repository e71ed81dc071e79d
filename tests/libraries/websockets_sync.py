"""What a program does with websockets.sync, which blocks: on CPython, and in a page where Python can wait."""

import warnings

from websockets import ConnectionClosed
from websockets.exceptions import ConcurrencyError
from websockets.sync.client import ClientConnection, connect


class Counting(ClientConnection):
    """A connection of the program's own class."""

    received = 0

    def recv(self, *args, **kwargs):
        message = super().recv(*args, **kwargs)
        self.received += 1
        return message


async def main(address):
    warnings.simplefilter("ignore", DeprecationWarning)  # of connect() without `with`
    with connect(address("echo")) as ws:
        for message in ["text", "", "ü 🌍", b"bytes", b"", "a" * 70_000, bytes(range(256)) * 4096]:
            ws.send(message)
            answer = ws.recv()
            print("echoed", type(answer).__name__, len(answer), answer == message)
        ws.send(["a fragment, ", "and ", "another"])
        print(ws.recv())
        ws.send(part for part in [b"\x00", b"\xff" * 300])
        print(ws.recv(decode=False) == b"\x00" + b"\xff" * 300)
        ws.send("in pieces")
        print(list(ws.recv_streaming()))
        pong = ws.ping()
        print("pong", pong.wait(20), ws.latency >= 0)
        ws.ping("twice")
        ws.pong(b"unasked")
        for seconds in 0.1, 0, -1:
            try:
                ws.recv(timeout=seconds)
            except TimeoutError as error:
                print(type(error).__name__, seconds if seconds <= 0 else error)
        for number in range(100):
            ws.send(str(number))
        print([ws.recv(20) for _ in range(100)] == [str(number) for number in range(100)])
        print(ws.remote_address[1] == ws.remote_address[-1], ws.state.name, ws.subprotocol, ws.response.status_code)
        print(isinstance(ws, ClientConnection), type(ws).__name__, ws.request.headers["Upgrade"])
        for wrong in {"a": 1}, 5:
            try:
                ws.send(wrong)
            except TypeError as error:
                print(type(error).__name__, error)
    print("closed", ws.close_code, repr(ws.close_reason), ws.state.name)
    try:
        ws.send("too late")
    except ConnectionClosed as error:
        print(type(error).__name__, error.rcvd, error.sent)

    with connect(address("text hello", "close 1000 bye")) as ws:
        print(list(ws), ws.close_code, ws.close_reason)

    with connect(address("close 4321 no more")) as ws:
        try:
            ws.recv()
        except ConnectionClosed as error:
            print(type(error).__name__, error.rcvd, error.sent)

    with connect(
        address("header Sec-WebSocket-Protocol: superchat", "accept", "read", "close"),
        subprotocols=["chat", "superchat"],
    ) as ws:
        print("subprotocol", ws.subprotocol)
        ws.send("done")
        try:
            ws.recv()
        except ConnectionClosed as error:
            print(type(error).__name__, error.rcvd, error.sent)

    ws = connect(address("text last", "until close"))
    print(ws.recv())
    ws.close(3000, "enough")
    ws.close()
    print("closed", ws.close_code, ws.close_reason)

    ws = connect(address("read", "fin"))
    ws.send("over")
    try:
        ws.recv()
    except ConnectionClosed as error:
        print(type(error).__name__, error.rcvd, error.sent)

    with connect(address("text one", "close"), create_connection=Counting) as ws:
        print(list(ws), ws.received)

    with connect(address("echo")) as ws:
        fragments = ws.recv_streaming()
        ws.send("begun")
        print(next(fragments))
        try:
            ws.recv(0)
        except (ConcurrencyError, TimeoutError) as error:
            print(type(error).__name__, error)

    try:
        connect(address("until close").replace("do=accept&", ""), open_timeout=0.1)
    except TimeoutError as error:
        print(error)

"""Conversations over the bridge, below any library: each prints its journal and returns the one that is expected.

Those that `everywhere` marks are the same on CPython, without the bridge.
"""

import asyncio
import contextvars
import gc
import logging
import socket
import ssl
import sys
import tempfile

import pyws
import pyws.bridge

HEAD = (
    "GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
)
OPENED = "101 s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
ONLY_WEBSOCKETS = "a page can open WebSockets only"
CONVERSATIONS = {}
EVERYWHERE = set()


def conversation(function):
    """Make a conversation known by its name."""
    CONVERSATIONS[function.__name__] = function
    return function


def requirements(*ids):
    """Name the requirements that a conversation proves: tests/requirements.py reads that."""
    return lambda function: function


def everywhere(function):
    """Make a conversation known that is the same on CPython."""
    EVERYWHERE.add(function.__name__)
    return conversation(function)


# What a library does, in small.


def parts(url):
    """The host, the port and the target of a URL."""
    host, _, target = url.partition("://")[2].partition("/")
    return host.partition(":")[0], int(host.partition(":")[2]), f"/{target}"


def head(url, more="", host=None):
    """An opening handshake."""
    own, port, target = parts(url)
    return HEAD.format(target=target, host=host or f"{own}:{port}", more=more).encode()


def masked(first, payload, mask=b"\x01\x02\x03\x04"):
    """One frame of a client."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 1 << 16:
        length = bytes([0x80 | 126]) + size.to_bytes(2, "big")
    else:
        length = bytes([0x80 | 127]) + size.to_bytes(8, "big")
    return bytes([first]) + length + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def close_frame(code, reason=""):
    return masked(0x88, code.to_bytes(2, "big") + reason.encode())


async def read_head(reader):
    """The status and the key of an answer."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
    accept = next(line[22:] for line in lines if line.lower().startswith("sec-websocket-accept"))
    more = [headers[name] for name in ("sec-websocket-protocol", "sec-websocket-extensions") if name in headers]
    return " ".join([lines[0].split()[1], accept, *more])


async def read_payload(reader):
    """The first byte and the payload of a frame of the server."""
    first, second = await reader.readexactly(2)
    size = second & 127
    if size > 125:
        size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
    return first, await reader.readexactly(size)


async def read_frame(reader):
    """What a frame of the server says, in one line."""
    first, payload = await read_payload(reader)
    size = len(payload)
    kind = {0x81: "text", 0x82: "binary", 0x88: "close", 0x89: "ping", 0x8A: "pong"}.get(first, hex(first))
    if kind == "close" and payload:
        return f"close {int.from_bytes(payload[:2], 'big')} {payload[2:].decode()}".strip()
    return (
        f"{kind} {payload.decode() if kind != 'binary' else payload.hex()}".strip() if size < 99 else f"{kind} {size}"
    )


async def open_raw(url, more=""):
    """A connection after the opening handshake."""
    host, port, _ = parts(url)
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(head(url, more))
    print(await read_head(reader))
    return reader, writer


async def refused(data, *, drain=True, **options):
    """Connect, write, and print how that ends."""
    try:
        reader, writer = await asyncio.open_connection(**({"host": "127.0.0.1", "port": 9} | options))
        writer.write(data)
        if drain:
            await writer.drain()
        print("read", await reader.read())
    except OSError as error:
        print(f"{type(error).__name__}: {error}".partition(":")[0], "|", str(error).partition(":")[0])
        return str(error)


async def ask(address, subject):
    """What the peer says about the last conversation."""
    opened = await pyws.WebSocketStream(f"{address.origin}/{subject}/{address.key}").opened
    return [message async for message in opened.readable]  # all of it: else its end does not come


class Recorder(asyncio.Protocol):
    """A protocol that prints what it is told."""

    def __init__(self):
        self.lost = asyncio.get_running_loop().create_future()
        self.paused = asyncio.Event()
        self.resumed = asyncio.Event()
        self.data = b""
        self.came = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.data += data
        self.came.set()

    def eof_received(self):
        print("eof")

    def pause_writing(self):
        self.paused.set()

    def resume_writing(self):
        self.resumed.set()

    def connection_lost(self, error):
        self.lost.set_result(error)


async def recorder(url):
    """A connection with a `Recorder`, after the opening handshake."""
    loop = asyncio.get_running_loop()
    host, port, _ = parts(url)
    transport, protocol = await loop.create_connection(Recorder, host, port)
    transport.write(head(url))
    while b"\r\n\r\n" not in protocol.data:
        protocol.came.clear()
        await protocol.came.wait()
    protocol.data = protocol.data.partition(b"\r\n\r\n")[2]
    return transport, protocol


# Messages.


@requirements("BRG-07", "BRG-09")
@everywhere
async def messages_and_a_close_of_the_library(address):
    """Text, bytes and a Ping are echoed and answered; both Close frames go by, then TCP ends."""
    reader, writer = await open_raw(address("echo"))
    for data in masked(0x81, "ü".encode()), masked(0x82, b"\x00\xff"), masked(0x82, bytes(70_000)), masked(0x81, b""):
        writer.write(data)
        print(await read_frame(reader))
    writer.write(masked(0x89, b"there?"))
    print(await read_frame(reader))
    writer.write(close_frame(3001, "enough"))
    print(await read_frame(reader))
    print(await reader.read())
    writer.close()
    await writer.wait_closed()
    print("over")
    return [
        OPENED,
        "text ü",
        "binary 00ff",
        "binary 70000",
        "text",
        "pong there?",
        "close 3001 enough",
        "b''",
        "over",
    ]


@requirements("BRG-07")
@everywhere
async def messages_come_back_whole(address):
    """Whatever the size and the mask; 1 MiB is the most that crosses in the memory that both sides share."""
    reader, writer = await open_raw(address("echo"))
    data = bytes(range(251)) * 4180
    text = ("aü€🌍" * 110_000).encode()
    cases = [(0x82, data[:size]) for size in (1, 2, 3, 4, 5, 255)] + [
        (0x81, text[: 3 + 10 * size]) for size in (0, 1, 9)
    ]
    for mask in bytes(4), b"\x7f\x00\xff\x80", b"\x80\xff\x01\x7f":
        for first, payload in cases:
            writer.write(masked(first, payload, mask))
            print(await read_payload(reader) == (first, payload), end=" ")
    print()
    for first, payload in (0x82, data), (0x81, text):
        writer.write(masked(first, payload))
        print(len(payload) > 1 << 20, await read_payload(reader) == (first, payload))
    writer.close()
    return [OPENED, "True " * 27, "True True", "True True"]


@requirements("BRG-07")
@everywhere
async def a_byte_order_mark_is_text(address):
    """It arrives at the server."""
    reader, writer = await open_raw(address("read", "close 1000", "until close"))
    writer.write(masked(0x81, "\ufeffa".encode()))
    print(await read_frame(reader))
    writer.write(close_frame(1000))
    print(await reader.read(), (await ask(address, "heard"))[0])
    writer.close()
    return [OPENED, "close 1000", r"b'' text '\ufeffa'"]


@requirements("BRG-07")
@everywhere
async def fragments_cut_anywhere(address):
    """Fragments with a Ping between them, byte by byte and in one piece: one message."""
    frames = masked(0x01, b"one ") + masked(0x89, b"?") + masked(0x00, b"two ") + masked(0x80, b"three")
    for size in 1, 7, 1000:
        reader, writer = await open_raw(address("read 3", "text done", "until close"))
        for start in range(0, len(frames), size):
            writer.write(frames[start : start + size])
        writer.write(masked(0x81, b"next") + masked(0x82, bytes(300)))
        print(*sorted([await read_frame(reader), await read_frame(reader)]))
        writer.write(close_frame(1000))
        print(await read_frame(reader))
        writer.close()
        await writer.wait_closed()
    return [OPENED, "pong ? text done", "close 1000"] * 3


@requirements("BRG-07")
@everywhere
async def frames_right_behind_the_request(address):
    """A library that does not wait for the answer."""
    url = address("echo")
    host, port, _ = parts(url)
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(head(url) + masked(0x81, b"first"))
    writer.write(masked(0x81, b"second"))
    print(await read_head(reader), await read_frame(reader), await read_frame(reader), sep="\n")
    writer.close()
    await writer.wait_closed()
    return [OPENED, "text first", "text second"]


@requirements("BRG-09")
@everywhere
async def a_close_of_the_server(address):
    """The library gets the code and the reason, answers, and TCP ends; one without a code has none."""
    for verb in "close 4001 go", "close":
        reader, writer = await open_raw(address("text last", verb))
        print(await read_frame(reader), await read_frame(reader), sep="\n")
        writer.write(close_frame(4001, "go") if " " in verb else masked(0x88, b""))
        print(await reader.read())
        writer.close()
    return [OPENED, "text last", "close 4001 go", "b''", OPENED, "text last", "close", "b''"]


@requirements("BRG-09")
@everywhere
async def tcp_that_ends_without_a_close(address):
    """It ends for the library, too."""
    reader, writer = await open_raw(address("read", "text last", "fin"))
    writer.write(masked(0x81, b"ready"))
    print(await read_frame(reader), await reader.read(), sep="\n")
    writer.close()
    return [OPENED, "text last", "b''"]


@requirements("BRG-08")
@everywhere
async def subprotocols(address):
    """The server's choice is the answer."""
    url = address("header Sec-WebSocket-Protocol: b", "accept", "close 1000")
    await open_raw(url, "Sec-WebSocket-Protocol: a, b\r\n")
    return [f"{OPENED} b"]


@requirements("BRG-08")
@conversation
async def no_extension_is_negotiated(address):
    """The library offers one, and speaks without."""
    await open_raw(address("echo"), "Sec-WebSocket-Extensions: permessage-deflate\r\n")
    return [OPENED]


@requirements("BRG-27")
@conversation
async def messages_behind_the_close_frame_of_the_library(address):
    """A browser delivers none of them, the Close frame of the server alone."""
    reader, writer = await open_raw(address("read", "text late", "close 1000"))
    writer.write(close_frame(1000))
    print(await read_frame(reader), await reader.read())
    writer.close()
    return [OPENED, "close 1000 b''"]


@requirements("BRG-10")
@conversation
async def codes_that_a_page_cannot_send(address):
    """Each has one that a page can; the library gets its own back."""
    for code in 1000, 1001, 1008, 1011, 4999:
        reader, writer = await open_raw(address("until close"))
        writer.write(close_frame(code, "why"))
        print(await read_frame(reader), *await ask(address, "heard"))
        writer.close()
    both = [(1000, 1000), (1001, 1000), (1008, 4008), (1011, 4011), (4999, 4999)]
    return [line for own, sent in both for line in (OPENED, f"close {own} why close {sent} 'why'")]


@requirements("BRG-11")
@conversation
async def frames_that_break_the_protocol(address):
    """The library is told by a Close frame, and TCP ends."""
    for data in b"\x81\x00", masked(0xC1, b""), masked(0x83, b""), masked(0x80, b""), masked(0x81, b"\xff"):
        reader, writer = await open_raw(address("echo"))
        writer.write(data)
        print((await read_frame(reader))[:10], await reader.read())
        writer.close()
    return [line for code in (1002, 1002, 1002, 1002, 1007) for line in (OPENED, f"close {code} b''")]


# The transport.


@requirements("BRG-12")
@everywhere
async def reading_that_pauses(address):
    """What comes meanwhile is kept, and comes in order; so does the end."""
    transport, protocol = await recorder(address("sleep", "bulk 3 5", "text end", "close 1000"))
    transport.pause_reading()
    print(transport.is_reading())
    await ask(address, "wake")
    await ask(address, "written")  # a way to the server and back
    print(len(protocol.data))
    transport.resume_reading()
    while b"\x03\xe8" not in protocol.data:
        protocol.came.clear()
        await protocol.came.wait()
    print(len(protocol.data), protocol.data[21:])
    transport.write(close_frame(1000))
    print(await protocol.lost)
    return ["False", "0", r"30 b'\x81\x03end\x88\x02\x03\xe8'", "eof", "None"]


class Interrupted(Recorder):
    """A protocol that does something in the middle of each message, behind the first bytes."""

    def __init__(self, interrupt):
        super().__init__()
        self.calls = 0
        self.interrupt = interrupt

    def data_received(self, data):
        self.calls += 1
        super().data_received(data)
        self.interrupt()


@requirements("BRG-12")
@everywhere
async def pausing_in_a_large_message(address):
    """The rest comes later, in order, and to the protocol that is there then."""
    size = 1 << 17
    transport, recorded = await recorder(address("sleep", f"bulk 2 {size}", "close 1000"))
    first = Interrupted(transport.pause_reading)
    second = Interrupted(lambda: transport.set_protocol(recorded))
    transport.set_protocol(first)
    await ask(address, "wake")
    await first.came.wait()
    await ask(address, "written")  # a way to the server and back
    print(first.calls)
    transport.set_protocol(second)
    transport.resume_reading()
    while recorded.data[-2:] != b"\x03\xe8":
        recorded.came.clear()
        await recorded.came.wait()
    print(first.calls, second.calls)
    data = first.data + second.data + recorded.data
    frame = data[: 10 + size]
    print(frame[:10].hex(), data == frame * 2 + b"\x88\x02\x03\xe8")
    transport.write(close_frame(1000))
    print(await recorded.lost)
    return ["1", "1 1", "827f0000000000020000 True", "eof", "None"]


@requirements("BRG-13")
@everywhere
async def ending_in_a_large_message(address):
    """Who closes, or raises an exception, gets nothing more of it."""
    loop = asyncio.get_running_loop()
    handler, reported = loop.get_exception_handler(), []
    loop.set_exception_handler(lambda _, context: reported.append(context["exception"]))
    size = 1 << 17
    for end in "close", "abort", "fail":
        transport, _ = await recorder(address("echo"))
        protocol = Interrupted(getattr(transport, end) if end != "fail" else lambda: 1 / 0)
        transport.set_protocol(protocol)
        transport.write(b"\x82\xff" + size.to_bytes(8, "big") + bytes(4 + size))
        print(end, repr(await protocol.lost), protocol.calls, len(protocol.data) <= 10 + size)
    print(reported)
    loop.set_exception_handler(handler)
    return [
        "close None 1 True",
        "abort None 1 True",
        "fail ZeroDivisionError('division by zero') 1 True",
        "[ZeroDivisionError('division by zero')]",
    ]


@requirements("BRG-12")
@everywhere
async def writing_that_pauses(address):
    """A server that does not read makes the library wait, until it reads."""
    transport, protocol = await recorder(address("sleep", "until close"))
    size = 1 << 23
    for _ in range(3):
        transport.write(b"\x82\xff" + size.to_bytes(8, "big") + bytes(4 + size))
    print(protocol.paused.is_set(), protocol.resumed.is_set())
    print(transport.get_write_buffer_size() > transport.get_write_buffer_limits()[1])
    await ask(address, "wake")
    await protocol.resumed.wait()
    print(transport.get_write_buffer_size() < size)
    transport.close()
    print(await protocol.lost)
    return ["True False", "True", "True", "None"]


@requirements("BRG-12")
@conversation
async def writing_that_goes_on(address):
    """It does when a third of what the browser may hold has left: a library that is paused again at once is slow."""
    transport, protocol = await recorder(address("sleep", "until close"))
    while not protocol.paused.is_set():
        transport.write(b"\x82\xff" + (1 << 16).to_bytes(8, "big") + bytes(4 + (1 << 16)))
    waiting, held = transport.get_write_buffer_size(), 1 << 20
    for low in waiting - held, waiting - held + held // 3:
        transport.set_write_buffer_limits(2 * waiting, low)
        print(protocol.resumed.is_set())
    await ask(address, "wake")
    transport.close()
    print(await protocol.lost)
    return ["False", "True", "None"]


@requirements("BRG-13")
@everywhere
async def a_transport_that_is_closed(address):
    """The end is told once, in a later turn, and what is written then is lost."""
    transport, protocol = await recorder(address("echo"))
    transport.write(masked(0x81, b"gone"))
    transport.close()
    transport.close()
    transport.write(masked(0x81, b"lost"))
    print(transport.is_closing(), protocol.lost.done())
    print(await protocol.lost, protocol.data)
    transport, protocol = await recorder(address("echo"))
    transport.abort()
    print(await protocol.lost)
    return ["True False", "None b''", "None"]


@requirements("BRG-06")
@everywhere
async def what_is_known_of_a_connection(address):
    """Libraries ask for the peer, and set options of the socket."""
    transport, _ = await recorder(address("echo"))
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
    print(sock.family == socket.AF_INET, sock.type == socket.SOCK_STREAM)
    print(transport.get_extra_info("peername") == parts(f"{address.origin}/")[:2])
    print(len(transport.get_extra_info("sockname")), transport.get_extra_info("ssl_object", "none"))
    transport.close()
    return ["True True", "True", "2 none"]


@requirements("BRG-06")
@everywhere
async def a_socket_of_the_library(address):
    """aiohttp opens sockets itself, and connects them."""
    loop = asyncio.get_running_loop()
    url = address("text hello", "close 1000")
    host, port, _ = parts(url)
    [(family, kind, proto, _, found), *_] = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    sock = socket.socket(family, kind, proto)
    sock.setblocking(False)
    await loop.sock_connect(sock, found)
    reader, writer = await asyncio.open_connection(sock=sock)
    writer.write(head(url))
    print(await read_head(reader), await read_frame(reader))
    writer.close()
    await writer.wait_closed()
    print(sock.fileno())
    return [f"{OPENED} text hello", "-1"]


@requirements("BRG-06")
@everywhere
async def a_buffered_protocol(address):
    """A protocol may bring its own buffer."""

    class Buffered(asyncio.BufferedProtocol):
        def __init__(self):
            self.data = b""
            self.came = asyncio.Event()

        def get_buffer(self, sizehint):
            self.buffer = bytearray(10)
            return self.buffer

        def buffer_updated(self, size):
            self.data += self.buffer[:size]
            if b"hello" in self.data:
                self.came.set()

    loop = asyncio.get_running_loop()
    url = address("text hello", "close 1000")
    transport, protocol = await loop.create_connection(Buffered, *parts(url)[:2])
    transport.write(head(url))
    await protocol.came.wait()
    print(protocol.data[:12], protocol.data.partition(b"\r\n\r\n")[2][:7])
    transport.close()
    return [r"b'HTTP/1.1 101' b'\x81\x05hello'"]


@requirements("BRG-13")
@everywhere
async def a_library_that_is_cancelled(address):
    """Who gives up while it connects leaves nothing."""
    url = address("sleep")
    reader, writer = await asyncio.open_connection(*parts(url)[:2])
    writer.write(head(url.replace("do=accept&", "")))
    try:
        async with asyncio.timeout(0.05):
            await read_head(reader)
    except TimeoutError:
        print("timed out")
    writer.close()
    await writer.wait_closed()
    return ["timed out"]


@requirements("BRG-13")
@everywhere
async def a_time_that_has_passed(address):
    """A time-out is not lost when its time passes while it is set."""
    loop = asyncio.get_running_loop()
    called = loop.create_future()
    loop.call_at(loop.time() - 1, called.set_result, "called")
    print(await called)
    return ["called"]


# What a page cannot do.


@requirements("BRG-14")
@conversation
async def other_protocols(address):
    """OSError for what is no opening handshake, as soon as that is known."""
    mqtt, redis, postgres = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", b"*1\r\n$4\r\nPING\r\n", bytes(8)
    http = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:9\r\n\r\n"
    post = b"POST / HTTP/1.1\r\nHost: 127.0.0.1:9\r\nContent-Length: 5\r\n\r\nhello"
    for data in mqtt, redis, postgres, http, post, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"EHLO me\r\n", b"\x16\x03\x01":
        error = await refused(data)
        print("pyodide.http" in error)
        await refused(data, drain=False)
    return [*[f"OSError | {ONLY_WEBSOCKETS}", "True", f"OSError | {ONLY_WEBSOCKETS}"] * 7, *TLS_OF_THE_LIBRARY]


TLS_OF_THE_LIBRARY = ["OSError | a page's TLS is the browser's", "False", "OSError | a page's TLS is the browser's"]


@requirements("BRG-14")
@conversation
async def a_library_that_waits(address):
    """Where the server speaks first nobody would ever speak."""
    from pyws.bridge import server

    server.SILENCE, before = 0.05, server.SILENCE
    try:
        await refused(b"")
    finally:
        server.SILENCE = before
    return [f"OSError | {ONLY_WEBSOCKETS}"]


@requirements("BRG-15")
@conversation
async def headers_that_let_somebody_in(address):
    """OSError that names the header and the way out, and never its value."""
    names = ["Authorization", "Cookie", "Proxy-Authorization", "Sec-WebSocket-Trick", "X-Api-Key", "X-Auth-Token"]
    for name in names:
        error = await refused(head("ws://127.0.0.1:9/?a", f"{name}: Bearer hunter2\r\n"))
        print(name in error, "pyws.bridge.install(handshake=hook)" in error, "hunter2" in error)
    return [line for name in names for line in (f"OSError | a page cannot send the header {name}", "True True False")]


@requirements("BRG-15")
@conversation
async def headers_that_nobody_needs(address):
    """They are left out; the log names each once, but for those that the browser sends itself."""
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(f"{record.levelname} {record.getMessage()}")
    logging.getLogger("pyws").addHandler(handler)
    names = [f"X-{name}-{address.key}" for name in ("One", "Two")]  # the log has those of this conversation once
    more = "".join(f"{name}: hunter2\r\n" for name in ("User-Agent", "Accept", *names))
    for _ in range(2):
        reader, writer = await open_raw(address("echo"), more)
        print([line for line in await ask(address, "request") if "hunter2" in line])
        writer.close()
    logging.getLogger("pyws").removeHandler(handler)
    print(
        len(lines), lines[0].startswith(f"WARNING A page cannot send the headers of a library: {', '.join(names)}. If")
    )
    print("hunter2" in lines[0], "pyws.bridge.install(handshake=hook)" in lines[0])
    return [*[OPENED, "[]"] * 2, "1 True", "False True"]


@requirements("BRG-17")
@conversation
async def options_of_tls(address):
    """OSError that names the option, when the library connects."""
    unchecked = ssl.create_default_context()
    unchecked.check_hostname = False
    unverified = ssl.create_default_context()
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("authority")
        file.flush()
        own = ssl.create_default_context(cafile=file.name)
        client = ssl.create_default_context()
        client.load_cert_chain(file.name)
    for context in unchecked, unverified, own, client:
        print("check_hostname" in (error := await refused(b"", ssl=context)), "load_" in error)
    await refused(b"", local_addr=("127.0.0.1", 0))
    await refused(b"", sock=socket.socket(), host=None, port=None)
    examination = "OSError | a page cannot switch off the examination of certificates"
    return [
        *[examination, "True False"] * 2,
        "OSError | a page cannot bring certificate authorities",
        "False True",
        "OSError | a page cannot choose a client certificate",
        "False True",
        "OSError | a page cannot choose its own address",
        "OSError | a page cannot use this socket",
    ]


@requirements("BRG-17")
@conversation
async def proxies_and_other_names(address):
    """OSError that names the option."""
    await refused(b"CONNECT example.org:80 HTTP/1.1\r\nHost: example.org:80\r\n\r\n")
    await refused(head("ws://127.0.0.1:9/", host="example.org"))
    await refused(head("ws://127.0.0.1:9/"), ssl=True, server_hostname="example.org")
    other = "OSError | a page reaches a host by one name only, and {} differs from where the library connects"
    return [
        "OSError | a page cannot choose a proxy, the browser has its own",
        other.format("Host"),
        other.format("server_hostname"),
    ]


@requirements("BRG-18")
@conversation
async def a_server_that_refuses(address):
    """The connection is lost, and its cause points to the console."""
    for verb in r"head HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", "fin":
        url = address(verb)
        reader, writer = await asyncio.open_connection(*parts(url)[:2])
        writer.write(head(url.replace("do=accept&", "")))
        await writer.drain()
        try:
            print(await reader.read())
        except OSError as error:
            print(type(error).__name__, "console" in str(error))
        writer.close()
    return ["ConnectionError True"] * 2


# The hook.


@requirements("BRG-16")
@conversation
async def a_hook_changes_the_request(address):
    """What a header said goes into the query and into a subprotocol; the library is not told what it did not offer."""
    url = address("header Sec-WebSocket-Protocol: token.hunter2", "accept", "echo")

    def hook(request):
        token = request.headers.pop("authorization").removeprefix("Bearer ")
        print(list(request.headers), request.protocols)
        request.url += f"&token={token}"
        request.protocols.append(f"token.{token}")
        return request  # which nobody asks for

    async def hook_that_waits(request):
        await asyncio.sleep(0)
        hook(request)

    more = "Authorization: Bearer hunter2\r\nX-Other: a\r\nSec-WebSocket-Protocol: chat\r\n"
    for one in hook, hook_that_waits:
        with pyws.bridge.installed(handshake=one):
            reader, writer = await open_raw(url, more)
        request = await ask(address, "request")
        offered = [line for line in request if line.lower().startswith("sec-websocket-protocol")]
        print("&token=hunter2 " in request[0], offered[0].partition(": ")[2])
        writer.write(masked(0x81, b"hello"))
        print(await read_frame(reader))
    lines = ["['X-Other'] ['chat']", OPENED, "True chat, token.hunter2", "text hello"]
    return lines * 2


@requirements("BRG-16")
@conversation
async def a_hook_that_fails(address):
    """What it raises is what ends the connection; the log has only its kind."""

    def hook(request):
        raise ValueError("hunter2")

    async def hook_that_waits(request):
        await asyncio.sleep(0)
        hook(request)

    async def hook_that_never_ends(request):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            print("cancelled")

    for one in hook, hook_that_waits:
        with pyws.bridge.installed(handshake=one):
            reader, writer = await asyncio.open_connection("127.0.0.1", 9)
            writer.write(head("ws://127.0.0.1:9/"))
            try:
                await writer.drain()
            except ValueError as error:
                print(error)
    with pyws.bridge.installed(handshake=hook_that_never_ends):
        reader, writer = await asyncio.open_connection("127.0.0.1", 9)
        writer.write(head("ws://127.0.0.1:9/"))
        await asyncio.sleep(0)
        writer.close()
        await writer.wait_closed()
    return ["hunter2", "hunter2", "cancelled"]


@requirements("BRG-16")
@conversation
async def a_hook_that_is_cancelled(address):
    """Because what it waits for is: the library does not wait for ever, and gets an OSError."""
    shared = asyncio.ensure_future(asyncio.Event().wait())

    async def hook(request):
        await shared

    def hook_at_once(request):
        raise asyncio.CancelledError

    for one in hook, hook_at_once:
        with pyws.bridge.installed(handshake=one):
            reader, writer = await asyncio.open_connection("127.0.0.1", 9)
            writer.write(head("ws://127.0.0.1:9/"))
            if one is hook:
                await asyncio.sleep(0)
                shared.cancel()
            try:
                await writer.drain()
            except OSError as error:
                print(error)
    return ["the handshake hook was canceled"] * 2


@requirements("BRG-15", "BRG-16")
@conversation
async def what_the_log_does_not_have(address):
    """The text of a hook's exception, OSError too; and a value that looks like another line."""
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())

    def hook(request):
        raise OSError("401 for https://x/?secret=hunter2")

    logging.getLogger("pyws").addHandler(handler)
    try:
        with pyws.bridge.installed(handshake=hook):
            await refused(head("ws://127.0.0.1:9/"))
        await refused(head("ws://127.0.0.1:9/", "X-Note: \x85hunter2: v\r\n"), drain=False)
    finally:
        logging.getLogger("pyws").removeHandler(handler)
    print("hunter2" in str(lines), len(lines) > 0)
    lost = "ConnectionError | the browser could not open the WebSocket, and tells a page nothing more"
    return ["OSError | 401 for https", lost, "False True"]


# Below a library.


@requirements("BRG-06")
@everywhere
async def a_context_of_a_connection(address):
    """Callbacks see the variables of the task that has connected."""
    variable = contextvars.ContextVar("variable", default="none")
    told = []

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport = transport

        def data_received(self, data):
            told.append(variable.get())
            self.transport.close()

        def connection_lost(self, error):
            told.append(variable.get())
            over.set()

    async def connect():
        variable.set("set")
        url = address("echo")
        host, port, _ = parts(url)
        transport, _ = await asyncio.get_running_loop().create_connection(Protocol, host, port)
        transport.write(head(url))

    over = asyncio.Event()
    await asyncio.create_task(connect())
    await over.wait()
    print(sorted({*told}), len(told) > 1)
    return ["['set'] True"]


@requirements("BRG-07")
@everywhere
async def what_was_sent_before_the_answer_leaves(address):
    """Frames right behind the request, and the end behind them."""
    url = address("read 2", "until close")
    host, port, _ = parts(url)
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(head(url) + masked(0x81, b"one") + masked(0x82, b"two") + masked(0x88, b"\x03\xe8"))
    writer.close()
    await writer.wait_closed()
    print((await ask(address, "heard"))[:3])  # and how TCP has ended
    return [str(["text 'one'", r"binary b'two'", "close 1000 ''"])]


@requirements("BRG-06")
@everywhere
async def ports_that_are_none(address):
    """As on CPython."""
    for port in 65536, -1:
        try:
            with socket.socket() as sock:
                sock.setblocking(False)
                await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        except OverflowError as error:
            print(error)
    return ["connect(): port must be 0-65535."] * 2


# Installing.


@requirements("BRG-02")
@conversation
async def blocks_that_overlap(address):
    """Each has the bridge to its own end, whichever ends first; then it is as before the first."""
    loop = type(asyncio.get_running_loop())

    def state():
        return loop.create_connection.__module__.partition(".")[0]

    again = pyws.bridge.installed()
    with again, again:
        pyws.bridge.uninstall()
        print(state())
    print(state())
    pyws.bridge.uninstall()
    one, other = pyws.bridge.installed(), pyws.bridge.installed()
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    print(state())
    other.__exit__(None, None, None)
    print(state())
    pyws.bridge.install()
    return ["pyodide", "pyws", "pyws", "pyodide"]


@requirements("BRG-02")
@conversation
async def installing_and_uninstalling(address):
    """It may be done twice, and is undone at once; the context manager brings back what was before."""
    loop = type(asyncio.get_running_loop())

    def state():
        return loop.create_connection.__module__, ssl.SSLContext.wrap_bio.__module__

    print(*state())
    print(pyws.bridge.install(), pyws.bridge.install())
    with pyws.bridge.installed() as active:
        print(active)
    print(*state())
    pyws.bridge.uninstall()
    pyws.bridge.uninstall()
    print(*state())
    with pyws.bridge.installed():
        print(*state())
    print(*state())
    pyws.bridge.install()
    ours, theirs = "pyws.bridge.eventloop pyws.bridge.tls", "pyodide.webloop ssl"
    return [ours, "True True", "True", ours, theirs, ours, theirs]


# What is left.


@requirements("BRG-13")
@conversation
async def nothing_is_left(address):
    """Of connections that ended in any way: no object, no task, no proxy of JavaScript's."""
    import pyodide_js
    from pyws.bridge.server import Server
    from pyws.bridge.transport import Transport

    def left():
        gc.collect()
        kinds = [type(thing) for thing in gc.get_objects()]
        return kinds.count(Server), kinds.count(Transport), pyodide_js._module._hiwire_num_refs()

    async def ways():
        await messages_and_a_close_of_the_library(address)
        await a_close_of_the_server(address)
        await tcp_that_ends_without_a_close(address)
        await a_server_that_refuses(address)
        await a_library_that_is_cancelled(address)
        await frames_that_break_the_protocol(address)
        await refused(head("ws://127.0.0.1:9/?a", "Cookie: a\r\n"))
        await refused(b"*1\r\n")
        transport, protocol = await recorder(address("echo"))
        transport.close()
        await protocol.lost

    printed, sys.stdout = sys.stdout, None
    try:
        await ways()
        while True:  # what the browser still ends
            before = left()
            await ask(address, "written")
            if left() == before:
                break
        await ways()
        for _ in range(50):
            if left() <= before:
                break
            await ask(address, "written")
    finally:
        sys.stdout = printed
    print(*before[:2], left()[2] - before[2])
    return ["0 0 0"]

"""Conversations offline: everything a server may say, in any pieces, with any end, and the laws that then hold.

The transport is a fake and time jumps from timer to timer, so that a conversation of minutes takes less than a
millisecond; the loop, the connection and the socket above it are the real ones.
"""

import asyncio
import math
import re
import struct
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

from pyws import UserAgent, WebSocket
from pyws.cpython.connection import logger
from pyws.cpython.handshake import Handshake
from websockets.utils import accept_key

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
LAWS = re.compile(r"(open (message )*)?(error )?close $")
ROUNDS = 200_000  # of the loop, in one conversation: more is a hang
SLACK = 300_000  # bytes that a connection may hold beyond what it was fed: the head is there twice while it is read
RATIO = 1040  # of deflate at its best

MANNERS = ("listen",) * 5 + ("echo",) * 4 + ("close", "close", "close early", "give up", "send after close")
"""What the program does: `close` at the first message, `close early` when open, `give up` after a few rounds."""

SIZES = ((),) * 6 + ((1,), (2, 1), (7,), (3, 50), (1, 200), (1000,), (64, 1, 1))

ENDS = ("silence", "eof", "reset")
AGENTS = tuple(
    UserAgent(proxy="", **settings)
    for settings in (
        {},
        {"compression": False},
        {"max_size": 1000},
        {"opening_timeout": 5, "closing_timeout": 5, "ping_interval": 1, "ping_timeout": 1, "max_buffered": 300},
    )
)


class ViolationError(Exception):
    """A law was broken; the message says which."""


@dataclass(frozen=True)
class Conversation:
    """What the server says, in which pieces (the sizes are repeated, none is all at once), and what else happens."""

    stream: bytes
    sizes: tuple[int, ...] = ()
    end: str = "eof"
    manner: str = "listen"
    agent: int = 0
    asks: bool = False  # for the subprotocol "chat"
    hasty: bool = False  # the server speaks before it has heard anything
    stuck: bool = False  # the network takes nothing
    rounds: int = 0  # of the loop until it gives up

    @classmethod
    def read(cls, data, stream=None):
        """Make a conversation of any 5 bytes, and of what follows them if no stream is given."""
        end, manner, size, agent, flags = data[:5].ljust(5, b"\0")
        stream = data[5:] if stream is None else stream
        return cls(
            stream,
            SIZES[size % len(SIZES)],
            ENDS[end % 3],
            MANNERS[manner % len(MANNERS)],
            (0, 0, 0, 1, 2, 2, 3, 3)[agent % 8],
            asks=b"Protocol: chat" in stream,
            hasty=flags % 16 == 1,
            stuck=flags // 16 == 1,
            rounds=size // len(SIZES),
        )

    def pieces(self):
        """The stream as the loop hands it over, in two thousand pieces at most."""
        position, turn, least = 0, 0, len(self.stream) // 1000 or 1
        while position < len(self.stream):
            size = max(least, self.sizes[turn % len(self.sizes)]) if self.sizes else 65536
            yield self.stream[position : position + size]
            position += size
            turn += 1


class Loop(asyncio.BaseEventLoop):
    """asyncio's loop above a world where nothing happens but what a conversation says, and time is free."""

    def __init__(self):
        super().__init__()
        self._selector = self  # what `_run_once` asks
        self.now = 0.0
        self.complaints = []
        self.rounds = 0
        self.conversation = None
        self.set_exception_handler(lambda _, context: self.complaints.append(context))

    def select(self, timeout):
        """Let time pass until the next timer."""
        self.rounds += 1
        if timeout is None:
            raise ViolationError("hangs: nothing will ever happen again")
        if self.rounds > ROUNDS:
            raise ViolationError("hangs: it goes round in circles")
        self.now += timeout
        return ()

    def time(self):
        return self.now

    def _process_events(self, events):
        pass

    def _write_to_self(self):
        pass

    async def sock_connect(self, sock, address):
        """Be there at once."""

    async def create_connection(self, factory, *_, sock, **__):
        """Connect to the server of the conversation."""
        sock.close()
        await asyncio.sleep(0)
        protocol = factory()
        self.transport = Transport(self, protocol, self.conversation)
        protocol.connection_made(self.transport)
        if self.conversation.hasty:
            self.transport.start()
            try:
                await asyncio.sleep(0)
            except BaseException:
                self.transport.close()
                raise
        else:
            self.call_soon(self.transport.start)
        return self.transport, protocol


class Transport(asyncio.Transport):
    """TCP as asyncio's own transport has it: what it calls, in which order, and what it no longer calls."""

    def __init__(self, loop, protocol, conversation):
        super().__init__()
        self._loop = loop
        self._protocol = protocol
        self._conversation = conversation
        self._pieces = conversation.pieces()
        self._waiting = 0
        self._closing = False
        self._parts = ()
        self._parts_counted = self._parts_size = 0
        self.fed = self.written = 0
        self.lost = False

    def start(self):
        """Read as soon as the loop comes round."""
        self._loop.call_soon(self._read)

    def _read(self):
        if self._closing:
            return
        piece = next(self._pieces, None)
        if piece is not None:
            self.fed += len(piece)
            self._loop.call_soon(self._read)
            self._protocol.data_received(piece)
            self._weigh()
        elif self._conversation.end == "eof":
            if not self._protocol.eof_received():
                self.close()
        elif self._conversation.end == "reset":
            self._closing = True
            self._lose(ConnectionResetError("reset"))

    def _weigh(self):
        protocol = self._protocol
        if isinstance(protocol, Handshake):
            fed = len(protocol._core.reader.buffer) + len(protocol._received)
        elif (receiver := protocol._receiver) is None:
            return
        else:
            fed = len(receiver._core.reader.buffer) + (receiver._chunks_size if receiver._chunks else 0)
            partial = self._size_of(receiver._partial._parts)
            limit = min(self.fed * RATIO, protocol._agent.max_size or math.inf)
            if partial > limit:
                raise ViolationError(f"{partial} bytes of a message are held, of {limit} at most")
        if fed > self.fed + SLACK:
            raise ViolationError(f"{fed} bytes are held, of {self.fed} that were fed")
        if self._conversation.manner != "echo" and self.written > self.fed * 4 + SLACK:
            raise ViolationError(f"{self.written} bytes are sent for {self.fed} that were fed")

    def _size_of(self, parts):
        """How many bytes or characters these hold; only what has come since the last call is counted."""
        if parts is not self._parts:
            self._parts, self._parts_counted, self._parts_size = parts, 0, 0
        while self._parts_counted < len(parts):
            self._parts_size += len(parts[self._parts_counted])
            self._parts_counted += 1
        return self._parts_size

    def _lose(self, error):
        if not self.lost:
            self.lost = True
            self._loop.call_soon(self._protocol.connection_lost, error)

    def write(self, data):
        if not self._closing:
            self.written += len(data)
            if self._conversation.stuck:
                if not self._waiting:
                    self._protocol.pause_writing()
                self._waiting += len(data)

    def get_write_buffer_size(self):
        return self._waiting

    def is_closing(self):
        return self._closing

    def set_protocol(self, protocol):
        self._protocol = protocol

    def set_write_buffer_limits(self, high, low):
        assert (high, low) == (0, 0)

    def get_extra_info(self, name):
        return None

    def close(self):
        self._closing = True
        if not self._waiting:
            self._lose(None)

    def abort(self):
        self._closing = True
        self._waiting = 0
        self._lose(None)


async def _perform(loop, conversation):
    """Play a conversation to its end, and on until nothing is left that could happen: the journal."""
    journal = []
    over = loop.create_future()
    with AGENTS[conversation.agent]:
        ws = WebSocket("ws://user:password@192.0.2.1/", ["chat"] if conversation.asks else None)
    ws.binaryType = "arraybuffer"

    def note(event):
        if event.type == "message" and not isinstance(event.data, (str, bytes)):
            raise ViolationError(f"a message is {event.data!r}")
        if ws.readyState != {"open": 1, "message": 1}.get(event.type, 3):
            raise ViolationError(f"{event.type} in readyState {ws.readyState}")
        journal.append(event)
        if event.type == "close" and not over.done():
            over.set_result(None)

    def behave(event):
        match conversation.manner, event.type:
            case "echo", "message":
                ws.send(event.data)
            case ("close", "message") | ("close early", "open"):
                ws.close(3000, "enough")
            case "send after close", "open":
                ws.send("a" * 100)
                ws.close()
                ws.send("b")

    for kind in ("open", "message", "error", "close"):
        ws.addEventListener(kind, note)
        ws.addEventListener(kind, behave)
    if conversation.manner == "give up":
        for _ in range(conversation.rounds):
            await asyncio.sleep(0)
        ws.close()
    # A program closes at last what the server would leave open for ever.
    loop.call_later(500, ws.close)
    await over
    await asyncio.sleep(600)
    tasks = asyncio.all_tasks(loop) - {asyncio.current_task()}
    if tasks:
        raise ViolationError(f"tasks are left behind: {tasks}")
    return journal


class OfflineServer:
    """Plays conversations: `with offline_server() as server: server.play(conversation)`."""

    def __init__(self):
        self._loop = Loop()
        self.reasons = []

    def play(self, conversation):
        """Play it, hold it against the laws, return its events; raise ViolationError with the conversation in it."""
        loop = self._loop
        loop.now = 0.0  # a large number would have no room for the small steps of timers
        loop.rounds = 0
        loop.conversation = conversation
        loop.transport = None
        self.reasons.clear()
        try:
            journal = loop.run_until_complete(_perform(loop, conversation))
            self._judge(journal)
        except BaseException as error:
            loop.close()
            self._loop = Loop()
            if isinstance(error, ViolationError):
                shown = repr(conversation)
                if len(shown) > 20_000:
                    shown = f"{shown[:1000]} … {shown[-1000:]} (of {len(conversation.stream)} bytes)"
                raise ViolationError(f"{error}\n{shown}") from error
            raise
        return journal

    def _judge(self, journal):
        loop = self._loop
        if loop.complaints:
            raise ViolationError(f"the loop was told {loop.complaints}")
        kinds = "".join([event.type + " " for event in journal])
        if not LAWS.fullmatch(kinds):
            raise ViolationError(f"the events are {kinds}")
        if loop.transport is not None and not loop.transport.lost:
            raise ViolationError("TCP was left open")
        if len(self.reasons) > 1 or any("cut short" in reason or "Error" in reason for reason in self.reasons):
            raise ViolationError(f"the log says {self.reasons}")
        if bool(self.reasons) == journal[-1].wasClean:
            raise ViolationError("the log says nothing of an end that is not clean, or something of one that is")

    def close(self):
        """Close the loop."""
        self._loop.close()


@contextmanager
def offline_server():
    """A server whose client has the key KEY, and that sees all that a listener or the log is told."""
    server = OfflineServer()

    def report(kind, error, _):
        server._loop.complaints.append(error)

    with (
        mock.patch("websockets.client.generate_key", lambda: KEY),
        mock.patch("sys.excepthook", report),
        mock.patch.object(logger, "log", lambda level, line, address, how, reason: server.reasons.append(reason)),
    ):
        try:
            yield server
        finally:
            server.close()


# What servers say.


def head(*lines, status="HTTP/1.1 101 Switching Protocols", upgrade=True):
    """The head of an answer, a right one unless told otherwise, with more lines."""
    right = ("Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept_key(KEY)}") * upgrade
    return "".join([line + "\r\n" for line in (status, *right, *lines, "")]).encode("latin-1")


def frame(first, payload=b"", length=None, mask=None):
    """A frame with this first byte; `length` in 7, 16 or 64 bits, the shortest if None; masked if there is a mask."""
    size = len(payload)
    bits = length or (7 if size < 126 else 16 if size < 65536 else 64)
    flag = 0 if mask is None else 128
    if bits == 7:
        start = bytes([first, flag | size & 127])
    elif bits == 16:
        start = struct.pack("!BBH", first, flag | 126, size & 65535)
    else:
        start = struct.pack("!BBQ", first, flag | 127, size)
    return start + (mask or b"") + payload


def deflated(payload, level=6, flush=zlib.Z_SYNC_FLUSH):
    """A payload as permessage-deflate has it (RFC 7692, 7.2.1)."""
    encoder = zlib.compressobj(level, wbits=-15)
    return (encoder.compress(payload) + encoder.flush(flush)).removesuffix(b"\0\0\xff\xff")


DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"
NORMAL = frame(0x88, b"\x03\xe8bye")
HEADS = (
    head(),
    head(DEFLATE),
    head(DEFLATE + "; server_no_context_takeover; client_max_window_bits=9"),
    head("Sec-WebSocket-Protocol: chat", "Set-Cookie: a=1"),
    head("Content-Length: 5", status="HTTP/1.1 200 OK", upgrade=False) + b"hello",
    head("Transfer-Encoding: chunked", status="HTTP/1.1 404 No", upgrade=False) + b"3\r\nabc\r\n0\r\n\r\n",
    head("WWW-Authenticate: Basic", "Content-Length: 0", status="HTTP/1.1 401 Who", upgrade=False),
    head("Location: /x", status="HTTP/1.1 302 There", upgrade=False) + b"moved\r\n\r\nmoved",
)
BODIES = (
    frame(0x81, b"hello") + frame(0x82, bytes(range(200))) + NORMAL,
    frame(0x81, "grüße 😀".encode()) * 5 + frame(0x89, b"ping") + frame(0x8A) + frame(0x88),
    frame(0x01, b"\xf0\x9f") + frame(0x89, b"?") + frame(0x00, b"\x98") + frame(0x80, b"\x80") + NORMAL,
    frame(0x82, bytes(126)) + frame(0x82, bytes(125)) + frame(0x81, b"x" * 1001) + NORMAL,
    frame(0x82, bytes(65536)) + frame(0x81, b"after") + NORMAL,
    frame(0xC1, deflated(b"hello " * 9)) + frame(0xC2, deflated(bytes(5000))) + frame(0x81, b"plain") + NORMAL,
    frame(0x41, deflated(b"abcabc")[:3]) + frame(0x89) + frame(0x80, deflated(b"abcabc")[3:]) + NORMAL,
    frame(0xC2, deflated(bytes(100_000))) * 3 + frame(0xC1, deflated(b"end", 0, zlib.Z_FINISH)) * 2 + NORMAL,
    frame(0x02, b"never ") * 3 + frame(0x88, b"\x03\xf3"),
)
CORPUS = tuple(head + body for head in HEADS for body in (BODIES if b" 101 " in head else BODIES[:1]))
TOKENS = (
    *(bytes([first]) for first in (0, 1, 2, 8, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8A, 0xC1, 0xC2, 0x41, 126, 127, 0xFF)),
    *(
        b"\r\n",
        b"\r\n\r\n",
        b"\0\0\xff\xff",
        b"\x7f" + b"\xff" * 8,
        b"\x7e\xff\xff",
        b"\x81\x7e\0\x05",
        b"\xed\xa0\x80",
    ),
    *(b"Sec-WebSocket-Extensions: ", b"permessage-deflate", b"Connection: close\r\n", b"Content-Length: 99999999\r\n"),
    *(b"Sec-WebSocket-Protocol: chat\r\n", b"HTTP/1.1 101 \r\n", b"HTTP/1.0", b"; server_max_window_bits=8", b" 401 "),
    *(frame(0x81, b"x"), frame(0x89, bytes(125)), NORMAL, frame(0x88, b"\x03"), frame(0xC1, deflated(b"y" * 99))),
)


def mutated(random, streams=CORPUS):
    """A conversation made of valid ones by a few accidents."""
    stream = bytearray(random.choice(streams))
    for _ in range(int(random.expovariate(0.5))):
        # Heads are long and soon refused: most accidents happen behind them.
        start = stream.find(b"\r\n\r\n") + 4 if random.random() < 0.8 else 0
        place = random.randrange(start, len(stream) + 1) if start < len(stream) else len(stream)
        span = min(int(random.expovariate(0.15)) + 1, len(stream) - place)
        match random.randrange(8):
            case 0 | 1 if span:
                stream[place] ^= 1 << random.randrange(8)
            case 2 if span:
                stream[place] = random.randrange(256)
            case 3:
                del stream[place : place + span]
            case 4:
                stream[place:place] = stream[place : place + span] * random.choice((1, 1, 2, 50))
            case 5:
                stream[place : place + random.randrange(2)] = random.choice(TOKENS)
            case 6:
                other = random.choice(streams)
                stream[place:] = other[random.randrange(len(other)) :]
            case 7:
                del stream[place:]
    return Conversation.read(random.randbytes(5), bytes(stream))

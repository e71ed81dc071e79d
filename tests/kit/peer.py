"""A WebSocket server that does what the client's URL says, byte by byte, and remembers what it heard.

`ws://host:port/KEY?do=accept&do=text%20hello&do=close%201000%20bye`: each `do` is one verb (a method `do_…` of
`Connection`; `python3 tests/kit/peer.py --verbs` lists them), executed in order; then the peer ends politely. What
follows `&then` is for the next connection to the same URL, and so on; the last part serves all that come after it. What
it heard is kept under KEY, one short string per message or control frame. No WebSocket library: a peer that cannot
misbehave cannot test a client.

Other paths answer a question, one text message per line, so that a scenario needs nothing but a WebSocket:
`/heard/KEY` (the frames, when that conversation is over), `/request/KEY` (request line and headers),
`/written/KEY` (how many bytes the network took), `/wake/KEY` (who sleeps in that conversation is woken),
`/address/refused` and `/address/hangup` (where nobody listens, and where the line is cut at once).
To `/questions` each message is a question, written as its path, and the answer to it is one message.
"""

import argparse
import asyncio
import base64
import contextlib
import hashlib
import socket
import ssl
import struct
import threading
import zlib
from collections import defaultdict
from urllib.parse import unquote

from notation import show

NAMES = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
CODES = {name: code for code, name in NAMES.items()}
RSV1 = 0x40
TAIL = b"\x00\x00\xff\xff"  # cut from the end of every compressed message (RFC 7692, 7.2.1)
PATIENCE = 5  # seconds that `/heard/KEY` waits for a conversation to end


def frame(opcode, payload, fin=True):
    """One unmasked frame, its length in the shortest form."""
    size = len(payload)
    if size < 126:
        length = bytes([size])
    elif size < 65536:
        length = b"\x7e" + struct.pack("!H", size)
    else:
        length = b"\x7f" + struct.pack("!Q", size)
    return bytes([0x80 * fin + opcode]) + length + payload


def unmasked(payload, mask):
    """The payload as it was before it was masked; in parts, for numbers of some MiB take several times as long."""
    size = min(len(payload), 1 << 14) or 1
    repeated = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    parts, before, plain = [], b"", b""
    for start in range(0, len(payload), size):
        part = payload[start : start + size]
        if part != before:  # what tests send in quantity is often the same part again and again
            number = int.from_bytes(part, "big") ^ repeated >> 8 * (size - len(part))
            before, plain = part, number.to_bytes(len(part), "big")
        parts.append(plain)
    return b"".join(parts)


def pattern(size):
    """The payload of `bulk`: `size` bytes that differ from their neighbours."""
    return (bytes(range(256)) * (size // 256 + 1))[:size]


def describe(first, payload):
    """One line for what began with the byte `first`."""
    opcode = first & 0x0F
    words = [NAMES.get(opcode, f"opcode {opcode}")]
    if first & 0x70:
        words.append(f"rsv {first >> 4 & 7}")
    if opcode == CODES["close"]:
        if payload:
            words += [str(int.from_bytes(payload[:2], "big")), show(payload[2:].decode(errors="replace"))]
    elif opcode == CODES["binary"] or first & 0x70:
        words.append(show(payload))
    else:
        words.append(show(payload.decode(errors="replace")))
    return " ".join(words)


class Record:
    """What one conversation heard, or several to the same URL."""

    def __init__(self):
        self.begun = self.running = 0
        self.request = []
        self.tls = None  # the server name and the application protocol that the client asked for
        self.frames = []
        self.written = 0  # bytes that the network took
        self.over = threading.Event()
        self.awake = asyncio.Event()


class Connection:
    """One connection, from its request to its end."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.headers = {"upgrade": "websocket", "connection": "Upgrade"}
        self.held = None
        self.pause = None
        self.close_sent = False
        self.close_heard = None
        self.deflate = self.inflate = None  # zlib's objects, while the context is kept
        # Being read: the first byte of its first frame, the payload of each, and whether all frames were masked.
        self.message = [0, [], True]
        self.ended = False
        self.record = Record()

    async def read_request(self):
        """Read the request's head; its target."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        self.record.request = head.decode("latin-1").split("\r\n")[:-2]
        for line in self.record.request[1:]:
            name, _, value = line.partition(":")
            if name.lower() == "sec-websocket-key":
                digest = hashlib.sha1(value.strip().encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
                self.headers["sec-websocket-accept"] = base64.b64encode(digest).decode()
        return self.record.request[0].split(" ")[1]

    async def perform(self, verbs):
        """Do what the verbs say, then end politely."""
        try:
            for verb in verbs:
                await self.perform_one(verb)
            if not self.ended:
                await self.do_release("")
                await self.end_politely()
        except EOFError:
            pass  # the client has gone: nobody is left for the remaining verbs
        except ConnectionError:
            self.record.frames.append("reset")

    async def end_politely(self):
        """Finish the closing handshake, whoever began it, then close TCP first, as a server should."""
        while self.close_heard is None:
            await self.read()
        if not self.close_sent:
            await self.write(frame(CODES["close"], self.close_heard))
        await self.do_fin("")

    async def perform_one(self, verb):
        name, _, argument = verb.partition(" ")
        await getattr(self, "do_" + name)(argument)

    async def write(self, data):
        if self.held is not None:
            self.held += data
        elif self.pause is None:
            self.writer.write(data)
            await self.writer.drain()
            self.record.written += len(data)
        else:
            for byte in data:
                self.writer.write(bytes([byte]))
                await self.writer.drain()
                await asyncio.sleep(self.pause)

    async def read_frame(self):
        """Read one frame: its first byte, its payload, whether it was masked."""
        try:
            first, second = await self.reader.readexactly(2)
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
            mask = await self.reader.readexactly(4) if second & 0x80 else bytes(4)
            payload = await self.reader.readexactly(size)
        except asyncio.IncompleteReadError as error:
            self.record.frames.append("eof" if not error.partial else f"eof after {show(error.partial)}")
            raise
        return first, unmasked(payload, mask), bool(second & 0x80)

    async def read(self):
        """Read and log one message or control frame: its opcode and payload. A Ping is answered.

        Fragments become one entry of the log, as clients are free to cut messages up.
        """
        while True:
            first, payload, masked = await self.read_frame()
            opcode = first & 0x0F
            if opcode < CODES["close"]:
                if opcode:
                    self.message = [first, [], True]
                self.message[1].append(payload)
                self.message[2] &= masked
                if not first & 0x80:
                    continue
                first, payload, masked = self.message[0], b"".join(self.message[1]), self.message[2]
                opcode = first & 0x0F
                if first & RSV1 and self.parameters() is not None:
                    first, payload = first & ~RSV1, self.decompress(payload)
                    self.record.frames.append("deflated")
            self.record.frames.append(describe(first, payload) + ("" if masked else " unmasked"))
            if opcode == CODES["close"]:
                self.close_heard = payload
            elif opcode == CODES["ping"]:
                await self.write(frame(CODES["pong"], payload))
            return opcode, payload

    # Compression, as `header sec-websocket-extensions: ...` has it

    def parameters(self):
        """The parameters of permessage-deflate in our answer, values as `str` ("" for none); None without it."""
        name, *parameters = self.headers.get("sec-websocket-extensions", "").split(";")
        if name.strip() != "permessage-deflate":
            return None
        pairs = [parameter.partition("=") for parameter in parameters]
        return {name.strip(): value.strip(' "') for name, _, value in pairs}

    def compress(self, data):
        """The payload of a compressed message; zlib has no window of 8 bits, 9 serves while a message is short."""
        parameters = self.parameters()
        if self.deflate is None or "server_no_context_takeover" in parameters:
            bits = int(parameters.get("server_max_window_bits") or 15)
            self.deflate = zlib.compressobj(wbits=-max(bits, 9))
        data = self.deflate.compress(data) + self.deflate.flush(zlib.Z_SYNC_FLUSH)
        return data.removesuffix(TAIL)

    def decompress(self, data):
        """The message in a compressed payload; `zlib.error` if it needs more than what was agreed on."""
        parameters = self.parameters()
        if self.inflate is None or "client_no_context_takeover" in parameters:
            self.inflate = zlib.decompressobj(wbits=-int(parameters.get("client_max_window_bits") or 15))
        return self.inflate.decompress(data + TAIL)

    # The handshake

    async def do_challenge(self, scheme):
        """`challenge Basic realm="x"`: 401 for a request without Authorization; with it, go on."""
        headers = [line.partition(": ") for line in self.record.request]
        credentials = [value for name, _, value in headers if name.lower() == "authorization"]
        self.record.frames += [f"credentials {value}" for value in credentials] or ["no credentials"]
        if not credentials:
            challenge = f"WWW-Authenticate: {scheme}\r\n" if scheme else ""
            await self.write(f"HTTP/1.1 401 Unauthorized\r\n{challenge}Content-Length: 0\r\n\r\n".encode())
            await self.do_fin("")
            raise EOFError

    async def do_header(self, line):
        """`header Name: value` adds to the answer, `header Name` takes away from it."""
        name, colon, value = line.partition(":")
        if colon:
            self.headers[name.lower()] = value.strip()
        else:
            self.headers.pop(name.lower(), None)

    async def do_padding(self, argument):
        """`padding N SIZE`: N more headers in the answer, with values of SIZE bytes."""
        number, size = map(int, argument.split())
        self.headers.update({f"x-padding-{index}": "x" * size for index in range(number)})

    async def do_accept(self, _):
        """`accept`: answer 101, with the headers as they are now."""
        lines = [f"{name}: {value}\r\n" for name, value in self.headers.items()]
        await self.write(f"HTTP/1.1 101 Switching Protocols\r\n{''.join(lines)}\r\n".encode("latin-1"))

    async def do_head(self, text):
        r"""`head HTTP/1.1 404 No\r\n\r\n`: any head of an answer; `{accept}` is the right key."""
        text = text.encode("latin-1").decode("unicode_escape")
        await self.write(text.replace("{accept}", self.headers["sec-websocket-accept"]).encode("latin-1"))

    # Frames

    async def do_text(self, text):
        """`text TEXT`: a text message."""
        await self.write(frame(CODES["text"], text.encode()))

    async def do_binary(self, digits):
        """`binary 00ff`: a binary message of these bytes."""
        await self.write(frame(CODES["binary"], bytes.fromhex(digits)))

    async def do_ping(self, text):
        """`ping TEXT`: a Ping."""
        await self.write(frame(CODES["ping"], text.encode()))

    async def do_pong(self, text):
        """`pong TEXT`: a Pong."""
        await self.write(frame(CODES["pong"], text.encode()))

    async def do_close(self, argument):
        """`close`, `close CODE` or `close CODE REASON`: a Close frame."""
        code, _, reason = argument.partition(" ")
        self.close_sent = True
        await self.write(frame(CODES["close"], int(code).to_bytes(2, "big") + reason.encode() if code else b""))

    async def do_fragment(self, argument):
        """`fragment SIZE TEXT`: one text message in frames of SIZE bytes, wherever that cuts characters."""
        size, _, text = argument.partition(" ")
        size, payload = int(size), text.encode()
        for start in range(0, len(payload), size):
            end = start + size
            await self.write(frame(CODES["continuation" if start else "text"], payload[start:end], end >= len(payload)))

    async def do_deflated(self, text):
        """`deflated TEXT`: a compressed text message; its context is kept, unless our answer says otherwise."""
        await self.write(frame(CODES["text"] | RSV1, self.compress(text.encode())))

    async def do_deflated_fragment(self, argument):
        """`deflated_fragment SIZE TEXT`: the same in frames of SIZE bytes, a Ping after each."""
        size, _, text = argument.partition(" ")
        size, payload = int(size), self.compress(text.encode())
        for start in range(0, len(payload), size):
            end = start + size
            opcode = CODES["continuation"] if start else CODES["text"] | RSV1
            await self.write(frame(opcode, payload[start:end], end >= len(payload)) + frame(CODES["ping"], b""))

    async def do_deflated_zeros(self, size):
        """`deflated_zeros SIZE`: a binary message of SIZE zeros, compressed."""
        await self.write(frame(CODES["binary"] | RSV1, self.compress(bytes(int(size)))))

    async def do_raw(self, digits):
        """`raw 81026869`: these bytes as they are."""
        await self.write(bytes.fromhex(digits))

    async def do_bulk(self, argument):
        """`bulk N SIZE`: N binary messages of SIZE bytes."""
        number, size = map(int, argument.split())
        message = frame(CODES["binary"], pattern(size))
        for _ in range(number):
            await self.write(message)

    async def do_bulk_text(self, argument):
        """`bulk_text N SIZE`: N text messages of SIZE bytes; Brython needs seconds for a MiB that is binary."""
        number, size = map(int, argument.split())
        message = frame(CODES["text"], b"x" * size)
        for _ in range(number):
            await self.write(message)

    async def do_repeat(self, argument):
        """`repeat N VERB`: do that verb N times."""
        number, _, verb = argument.partition(" ")
        for _ in range(int(number)):
            await self.perform_one(verb)

    # Pace

    async def do_hold(self, _):
        """`hold`: from here to `release` everything goes out in one write."""
        self.held = b""

    async def do_release(self, _):
        """`release`: write what `hold` kept back."""
        held, self.held = self.held, None
        if held:
            await self.write(held)

    async def do_drip(self, seconds):
        """`drip SECONDS`: from here on, one byte at a time, with a pause after each."""
        self.pause = float(seconds or 0)

    async def do_wait(self, seconds):
        """`wait SECONDS`: do nothing for so long."""
        await asyncio.sleep(float(seconds))

    async def do_sleep(self, _):
        """`sleep`: do nothing until the client asks for `wake`; meanwhile the network takes little for us."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        await self.record.awake.wait()

    # Listening

    async def do_ready(self, _):
        """`ready`: wait until the client says that it is open, as `Stage.connect` does for this verb."""
        await self.read_frame()

    async def do_read(self, number):
        """`read` or `read N`: read N messages or control frames."""
        for _ in range(int(number or 1)):
            await self.read()

    async def do_echo(self, _):
        """`echo`: send every message back until a Close comes."""
        while self.close_heard is None:
            opcode, payload = await self.read()
            if opcode in (CODES["text"], CODES["binary"]):
                await self.write(frame(opcode, payload))

    async def do_until(self, name):
        """`until close`: read until something of that kind."""
        while (await self.read())[0] != CODES[name]:
            pass

    # Endings

    async def do_fin(self, _):
        """`fin`: close the TCP connection now."""
        self.ended = True
        self.writer.close()

    async def do_half(self, _):
        """`half`: send FIN and go on listening."""
        with contextlib.suppress(OSError):  # the other side may be gone
            self.writer.write_eof()

    async def do_reset(self, _):
        """`reset`: cut the connection with RST."""
        self.ended = True
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def do_hang(self, _):
        """`hang`: never answer again; log what comes until the client goes."""
        while True:
            await self.read()

    async def do_stall(self, _):
        """`stall`: never read again, until the peer itself is stopped."""
        self.writer.transport.pause_reading()
        await asyncio.sleep(3600)


class Peer:
    """The peer in a thread of its own: `with Peer() as peer: … peer.origin …`.

    With `tls=True` it speaks TLS, with a certificate for `names` that `peer.authority` (of trustme) signed.
    """

    def __init__(self, port=0, tls=False, names=("127.0.0.1", "localhost")):
        self.records = defaultdict(Record)
        self._tasks = set()  # of conversations: asyncio itself holds no task but weakly
        self.port = port
        self.authority = None
        self._context = self._certify(names) if tls else None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def __exit__(self, *exception):
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def origin(self):
        return f"{'wss' if self._context else 'ws'}://127.0.0.1:{self.port}"

    def heard(self, key):
        """What conversation `key` heard, once it is over."""
        record = self.records[key]
        over = record.over.wait(PATIENCE)
        return record.frames if over else [*record.frames, "not over"]

    def wake(self, key):
        """Wake the peer, which sleeps in conversation `key`, from a thread whose loop stands still."""
        self._loop.call_soon_threadsafe(self.records[key].awake.set)

    def _certify(self, names):
        import trustme

        self.authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(*names).configure_cert(context)
        context.set_alpn_protocols(["h2", "http/1.1"])
        context.sni_callback = lambda tls, name, _: setattr(tls, "asked_for", name)
        return context

    async def _listen(self):
        self._server = await asyncio.start_server(self._converse, "127.0.0.1", self.port, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]
        self._hangup = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        self._deaf = socket.socket()  # bound, never listening: a port that refuses for as long as the peer lives
        self._deaf.bind(("127.0.0.1", 0))

    async def _stop(self):
        self._deaf.close()
        self._server.close()
        self._hangup.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # transports closed by those tasks say goodbye in the next round

    async def _converse(self, reader, writer):
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = asyncio.current_task()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        conversation = Connection(reader, writer)
        tls = writer.get_extra_info("ssl_object")
        try:
            path, _, query = (await conversation.read_request()).partition("?")
            _, first, *rest = path.split("/")
            if first == "questions":
                await self._answer_all(conversation)
                return
            if rest:
                lines = await self._answer(first, rest[0])
                await conversation.perform(["accept", *["text " + line for line in lines], "close 1000"])
                return
            record = self.records[first]
            record.request = conversation.record.request
            record.tls = tls and (tls.asked_for, tls.selected_alpn_protocol())
            conversation.record = record
            parts = query.split("&then")
            part = parts[min(record.begun, len(parts) - 1)]
            record.begun += 1
            record.running += 1
            record.over.clear()
            try:
                await conversation.perform([unquote(item[3:]) for item in part.split("&") if item.startswith("do=")])
            finally:
                record.running -= 1
                if not record.running:
                    record.over.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # gone before it said what it wanted
        except asyncio.CancelledError:
            writer.transport.abort()  # the peer is stopped; the streams' own callback would log this as an error
        finally:
            writer.close()

    async def _answer_all(self, conversation):
        await conversation.do_accept("")
        while conversation.close_heard is None:
            opcode, payload = await conversation.read()
            if opcode == CODES["text"]:
                lines = await self._answer(*payload.decode().split("/")[1:])
                await conversation.do_text("\n".join(lines))
        await conversation.end_politely()

    async def _answer(self, subject, key):
        if subject == "heard":
            return await asyncio.to_thread(self.heard, key)
        if subject == "request":
            return self.records[key].request
        if subject == "wake":
            self.records[key].awake.set()
            return []
        if subject == "written":
            return [str(self.records[key].written)]
        server = {"refused": self._deaf, "hangup": self._hangup.sockets[0]}[key]
        return [f"ws://127.0.0.1:{server.getsockname()[1]}"]


def verbs():
    """What each verb does, one a line, in the order of this file."""
    return [method.__doc__ for name, method in vars(Connection).items() if name.startswith("do_")]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The peer of the scenarios.")
    parser.add_argument("--verbs", action="store_true", required=True, help="list what it can be told to do")
    parser.parse_args()
    print(*verbs(), sep="\n")

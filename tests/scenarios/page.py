"""What befalls Python in a page, played everywhere: who sends in between, what JavaScript gives, who leaves."""

import sys

from pyws import Blob, Event, ReconnectingWebSocket, loop

from notation import show
from stage import ExceptHook, scenario

if sys.platform in ("emscripten", "webassembly"):
    import js as js_global
elif sys.platform == "brython":
    from browser import self as js_global

LARGE = (1 << 20) + 1  # bytes: more than the memory that Pyodide's messages cross in
MESSAGES = ["text of the program 🌍", b"bytes of the program", "", b"", bytes(range(256)) * 20, "é" * 9000]
if sys.platform != "brython":  # its bytes are a list of numbers: large ones take it seconds, and change nothing
    MESSAGES += ["L" * LARGE, b"L" * LARGE]


# Who sends between two lines


class Sender:
    """Sends text and bytes, large and small, whenever it is told to, but not because of itself, and not for ever."""

    def __init__(self, ws):
        self._ws = ws
        self._busy = False
        self._left = 0
        self.count = 0

    def begin(self):
        """Send a few times from now on."""
        self._left = 60

    def act(self):
        if self._left and not self._busy:
            self._busy = True
            self._left -= 1
            self.count += 1
            self._ws.send((b"B" * 5000, "T" * 300, b"!")[self.count % 3])
            self._busy = False

    def trace(self, frame, event, argument):
        """What `sys.settrace` and `sys.setprofile` take."""
        if "pyws" in frame.f_code.co_filename:
            self.act()
        return self.trace


class Tracing:
    """Whoever may run between any two lines: one by its name, as long as it is entered."""

    def __init__(self, name, sender):
        self._name = name
        self._sender = sender

    def __enter__(self):
        if self._name == "tracer":
            self._before = sys.gettrace()
            sys.settrace(self._sender.trace)
        elif self._name == "profiler":
            self._before = sys.getprofile()
            sys.setprofile(self._sender.trace)
        elif self._name == "monitor":
            monitoring, events = sys.monitoring, sys.monitoring.events
            monitoring.use_tool_id(monitoring.DEBUGGER_ID, "sender")
            for event in (events.LINE, events.CALL, events.PY_START):
                monitoring.register_callback(
                    monitoring.DEBUGGER_ID, event, lambda code, *_: "pyws" in code.co_filename and self._sender.act()
                )
            monitoring.set_events(monitoring.DEBUGGER_ID, events.LINE | events.CALL | events.PY_START)

    def __exit__(self, *_):
        if self._name == "tracer":
            sys.settrace(self._before)
        elif self._name == "profiler":
            sys.setprofile(self._before)
        elif self._name == "monitor":
            monitoring = sys.monitoring
            monitoring.set_events(monitoring.DEBUGGER_ID, 0)
            for event in (monitoring.events.LINE, monitoring.events.CALL, monitoring.events.PY_START):
                monitoring.register_callback(monitoring.DEBUGGER_ID, event, None)
            monitoring.free_tool_id(monitoring.DEBUGGER_ID)


def tracers():
    """The names of those that this runtime has."""
    if sys.platform in ("brython", "webassembly"):
        return []
    return ["tracer", "profiler", *["monitor"] * hasattr(sys, "monitoring")]


@scenario("SND-08", "SND-12")
async def who_sends_between_two_lines_replaces_nothing(stage):
    """A tracer, a profiler or a monitor that sends, too: each message arrives as it was sent."""
    other = stage.connect("accept", "read", journal=False)
    await stage.opened(other)
    sender = Sender(other)
    for name in tracers():
        before = sender.count
        ws = stage.connect("accept", "echo", journal=False)
        await stage.opened(ws)
        with Tracing(name, sender):
            for message in MESSAGES:
                sender.begin()
                ws.send(message)
        if (received := await stage.messages(ws, len(MESSAGES))) != MESSAGES:
            stage.note(f"sent under a {name}: {[data[:30] for data in received if data not in MESSAGES]}")
        if sender.count == before:
            stage.note(f"the {name} did nothing")
        ws.close()
        await stage.closed(ws)
    other.close()
    await stage.closed(other)
    stage.note("the end")
    return ["the end"]


@scenario("SND-08", "EVT-07")
async def who_sends_while_a_message_comes_up_replaces_nothing(stage):
    """As above, in the other direction: before the listener has it, and while it runs."""
    other = stage.connect("accept", "read", journal=False)
    ws = stage.connect("accept", "read", journal=False)
    ws.onmessage = lambda _: sender.act()
    await stage.opened(other)
    await stage.opened(ws)
    sender = Sender(other)
    for name in tracers():
        before = sender.count
        with Tracing(name, sender):
            for message in MESSAGES:
                sender.begin()
                dispatch(ws, message)
        if (received := await stage.messages(ws, len(MESSAGES))) != MESSAGES:
            stage.note(f"received under a {name}: {[data[:30] for data in received if data not in MESSAGES]}")
        received.clear()
        stage._messages[id(ws)].clear()
        if sender.count == before:
            stage.note(f"the {name} did nothing")
    ws.close()
    other.close()
    await stage.closed(ws, other)
    stage.note("the end")
    return ["the end"]


@scenario("EVT-07")
async def a_message_inside_a_message_replaces_nothing(stage):
    """In a page a script may dispatch a message at any moment: here, before the listener of another one has it."""
    ws = stage.connect("accept", "read", journal=False)
    inner = stage.connect("accept", "read", journal=False)
    await stage.opened(ws)
    await stage.opened(inner)
    pairs = [("outer text", "inner text"), (b"outer bytes", b"inner!"), ("outer", b"inner"), (b"outer", "inner")]
    for outer, nested in pairs:

        def trace(frame, event, argument, nested=nested):
            if frame.f_code.co_name == "unpack":
                dispatch(inner, nested)

        if sys.platform == "emscripten":
            sys.settrace(trace)
            dispatch(ws, outer)
            sys.settrace(None)
        else:
            dispatch(ws, outer)
            dispatch(inner, nested)
        stage.note(f"{await stage.messages(ws, 1) == [outer]} {await stage.messages(inner, 1) == [nested]}")
        stage._messages[id(ws)].clear()
        stage._messages[id(inner)].clear()
    ws.close()
    inner.close()
    await stage.closed(ws, inner)
    return ["True True"] * len(pairs)


def dispatch(ws, data):
    """Dispatch a message at a page's WebSocket; on CPython at pyws's, for there is no other."""
    if sys.platform == "emscripten":
        from pyodide.ffi import to_js

        js_data = to_js(data).buffer if isinstance(data, bytes) else data
        js_event = js_global.MessageEvent.new("message", data=js_data)
        ws._pyws_connection._js_socket.dispatchEvent(js_event)
    elif sys.platform == "brython":
        js_data = js_global.Uint8Array.new(list(data)).buffer if isinstance(data, bytes) else data
        js_event = js_global.MessageEvent.new("message", {"data": js_data})
        ws._pyws_connection._js_socket.dispatchEvent(js_event)
    elif sys.platform == "webassembly":
        js_data = js_global.Uint8Array.new(js_list(data)).buffer if isinstance(data, bytes) else data
        js_event = js_global.MessageEvent.new("message", js_object({"data": js_data}))
        ws._pyws_connection._js_socket.dispatchEvent(js_event)
    else:
        ws._pyws_received(data, loop.now())


@scenario("EVT-15")
async def events_of_both_languages_have_one_clock(stage):
    """A browser's clock stands still for a tenth of a millisecond: not even then is one ahead of the other."""
    ws = stage.connect("accept", "read", journal=False)
    await stage.opened(ws)
    stamps = []
    ws.onmessage = lambda event: stamps.append(event.timeStamp)
    for _ in range(1000):
        stamps.append(Event("before").timeStamp)
        dispatch(ws, "")
    stage.note(f"{len(stamps)} sorted {stamps == sorted(stamps)}")
    ws.close()
    await stage.closed(ws)
    return ["2000 sorted True"]


# JavaScript's own data


class Data:
    """Things to send: JavaScript's own in a page, of the same bytes as Python's on CPython."""

    def __init__(self, engine):
        self.in_page = engine != "cpython"

    def bytes(self, *numbers):
        """A Uint8Array that can be changed."""
        if not self.in_page:
            return bytearray(numbers)
        js_array = js_global.Uint8Array.new(len(numbers))
        for index, number in enumerate(numbers):
            js_array[index] = number
        return js_array

    def buffer(self, *numbers):
        """An ArrayBuffer."""
        return self.bytes(*numbers).buffer if self.in_page else bytes(numbers)

    def part(self, *numbers):
        """A Uint8Array that shows all but the first and the last."""
        if self.in_page:
            return self.bytes(*numbers).subarray(1, len(numbers) - 1)
        return memoryview(bytes(numbers))[1:-1]

    def wide(self, *numbers):
        """The same bytes as items of 16 bits."""
        if self.in_page:
            return js_global.Uint16Array.new(self.buffer(*numbers))
        return memoryview(bytes(numbers)).cast("H")

    def view(self, *numbers):
        """A DataView of all but the first."""
        if self.in_page:
            return js_global.DataView.new(self.buffer(*numbers), 1)
        return memoryview(bytes(numbers))[1:]

    def resizable(self, *numbers):
        """A Uint8Array of a buffer that can grow, which no browser sends."""
        if not self.in_page:
            return self.bytes(*numbers)
        js_view = js_global.Uint8Array.new(js_global.ArrayBuffer.new(len(numbers), js_object({"maxByteLength": 100})))
        for index, number in enumerate(numbers):
            js_view[index] = number
        return js_view

    def empty(self):
        """A buffer that was transferred: nothing is left of it."""
        if not self.in_page:
            return b""
        js_array = self.bytes(1, 2)
        js_global.structuredClone(js_array.buffer, js_object({"transfer": js_list([js_array.buffer])}))
        return js_array

    def blob(self, *numbers, type=""):
        """A Blob."""
        if not self.in_page:
            return Blob([bytes(numbers)], type=type)
        return js_global.Blob.new(js_list([self.bytes(*numbers)]), js_object({"type": type}))

    def file(self, *numbers):
        """A File."""
        if not self.in_page:
            return Blob([bytes(numbers)])
        return js_global.File.new(js_list([self.bytes(*numbers)]), "name.bin")

    def all(self):
        """One of each kind."""
        return [
            self.bytes(1, 2),
            self.buffer(0, 255, 3),
            self.part(1, 2, 3, 4),
            self.wide(5, 0, 6, 1),
            self.view(7, 8),
            self.resizable(9, 10),
            self.empty(),
            self.blob(11, 12),
            self.file(13),
        ]


CONTENTS = [b"\1\2", b"\0\xff\3", b"\2\3", b"\5\0\6\1", b"\x08", b"\x09\x0a", b"", b"\x0b\x0c", b"\x0d"]


def js_object(members):
    """JavaScript's object of these members."""
    js_members = js_global.Object.new()
    for name in members:
        setattr(js_members, name, members[name])
    return js_members


def js_list(things):
    """JavaScript's array of these things."""
    if sys.platform == "brython":
        return things
    js_things = js_global.Array.new()
    for thing in things:
        js_things.push(thing)
    return js_things


@scenario("SND-06", "SND-07", "SND-08", "SND-10", "SND-12", "BUF-01")
async def what_javascript_gives_is_sent(stage):
    """Its Blobs, Files, buffers and views: the bytes of that moment, in their order, counted at once."""
    data = Data(stage.engine)
    ws = stage.connect("accept", "echo", journal=False)
    await stage.opened(ws)
    for thing in data.all():
        ws.send(thing)
        ws.send("then")
    changed = data.bytes(1)
    ws.send(changed)
    changed[0] = 2
    stage.note(f"buffered {ws.bufferedAmount}")
    received = await stage.messages(ws, 2 * len(CONTENTS) + 1)
    stage.note(f"{received[:-1:2] == CONTENTS} {received[1::2] == ['then'] * len(CONTENTS)} {show(received[-1])}")
    ws.close()
    for thing in data.all():
        ws.send(thing)
    before = ws.bufferedAmount
    await stage.closed(ws)
    stage.note(f"buffered {before} {ws.bufferedAmount}")
    return ["buffered 54", "True True b'\\x01'", "buffered 17 17"]


@scenario("SND-11", "SND-14")
async def a_blob_of_javascripts_is_not_overtaken(stage):
    """Its bytes are read later; what is sent after it, and the Close of the same task, wait; nothing comes any more."""
    data = Data(stage.engine)
    ws = stage.connect("accept", "echo")
    await stage.opened(ws)
    ws.send(data.blob(*range(200)))
    ws.send("after")
    ws.send(data.file(1, 2))
    ws.close(3000, "all said")
    stage.note(f"buffered {ws.bufferedAmount} {ws.readyState}")
    await stage.closed(ws)
    stage.note(f"buffered {ws.bufferedAmount}")
    stage.journal += await stage.heard(ws)
    return [
        "open 1",
        "buffered 207 2",
        "close 3 clean 3000 'all said'",
        "buffered 0",
        "heard binary <200 bytes, 19900>",
        "heard text 'after'",
        "heard binary b'\\x01\\x02'",
        "heard close 3000 'all said'",
    ]


@scenario("SND-08", "SND-10", "BUF-03")
async def what_javascript_gives_waits_for_a_connection(stage):
    """A ReconnectingWebSocket keeps Blobs, and copies of buffers, while it is away, and counts their bytes."""
    data = Data(stage.engine)
    ws = stage.adopt(ReconnectingWebSocket(stage.address(["accept", "echo"]), max_queued=20), journal=False)
    changed = data.bytes(1)
    ws.send(changed)
    changed[0] = 2
    for thing in data.all():
        ws.send(thing)
    stage.note(f"buffered {ws.bufferedAmount}")
    stage.attempt(ws.send, data.blob(1, 2, 3))
    stage.attempt(ws.send, data.wide(1, 2, 3, 4))
    received = await stage.messages(ws, len(CONTENTS) + 1)
    stage.note(f"{received == [bytes([1]), *CONTENTS]}")
    ws.close()
    await stage.closed(ws)
    return ["buffered 18", *["raised QuotaExceededError"] * 2, "True"]


@scenario("SND-06", "SND-07", "WSS-01")
async def a_stream_takes_javascripts_buffers(stage):
    """Copied at the call; a Blob, whose bytes come later, is a TypeError, as for the proposal's own."""
    data = Data(stage.engine)
    stream = stage.stream("accept", "echo")
    reader = (await stream.opened).readable.getReader()
    changed = data.bytes(1)
    await stream.send(changed)
    changed[0] = 2
    buffers = data.all()[:-2]
    for thing in buffers:
        await stream.send(thing)
    received = []
    for _ in range(len(buffers) + 1):
        received.append((await reader.read()).value)
    stage.note(f"{received == [bytes([1]), *CONTENTS[:-2]]}")
    for thing in (data.blob(1), data.file(1), Blob(["x"])):
        try:
            await stream.send(thing)
        except TypeError as error:
            stage.note("TypeError" if "Blob" in str(error) and ".bytes()" in str(error) else str(error))
    stream.close()
    await stream.closed
    return ["True", *["TypeError"] * 3]


@scenario("BLB-02", "BLB-03", "BLB-08")
async def blobs_become_javascripts_and_come_back(stage):
    """`to_js` and `from_js`; buffers of JavaScript's are parts of a Blob, its Blobs are not: their bytes come later."""
    data = Data(stage.engine)
    blob = Blob([*data.all()[:-2], "é"], type="Text/Plain")
    contents = b"".join([*CONTENTS[:-2], "é".encode()])
    stage.note(f"{await blob.bytes() == contents} {blob.type}")
    if stage.engine == "cpython":
        stage.journal += ["True text/plain", "True text/plain", "True application/x", "TypeError", "TypeError"]
    else:
        js_blob = blob.to_js()
        js_bytes = js_global.Uint8Array.new(await js_blob.arrayBuffer())
        stage.note(f"{[js_bytes[index] for index in range(js_bytes.length)] == list(contents)} {js_blob.type}")
        js_global.URL.revokeObjectURL(js_global.URL.createObjectURL(js_blob))
        back = await Blob.from_js(js_blob)
        stage.note(f"{await back.bytes() == contents} {back.type}")
        other = await Blob.from_js(data.blob(1, 2, type="application/x"))
        stage.note(f"{await other.bytes() == bytes([1, 2])} {other.type}")
        try:
            Blob([data.file(1)])
        except TypeError as error:
            stage.note("TypeError" if "await Blob.from_js(" in str(error) else str(error))
        try:
            await Blob.from_js(data.bytes(1))
        except TypeError as error:
            stage.note("TypeError" if "JavaScript's Uint8Array" in str(error) else str(error))
    plain = "True text/plain"
    if stage.engine == "bun":  # Deviation: BLB-05, Bun
        plain = "True text/plain;charset=utf-8"
    return ["True text/plain", plain, plain, "True application/x", "TypeError", "TypeError"]


@scenario("SND-05")
async def what_send_advises_can_be_done(stage):
    """What is no message is a TypeError that says how to make one of it; each advice is tried."""
    ws = stage.connect("accept", "echo", journal=False)
    await stage.opened(ws)

    async def later():
        return "later"

    things = [{"a": [1]}, [1, 2], 5, None, {1}, later()]
    if stage.engine == "cpython":
        import io

        things += [{"b": 1}, [1], object(), ValueError("v"), later(), io.BytesIO(b"read")]
    else:
        js_parse = js_global.JSON.parse
        js_memory = js_global.WebAssembly.Memory.new(js_parse('{"initial": 1, "maximum": 1, "shared": true}'))
        things += [js_parse('{"b": 1}'), js_parse("[1]"), js_global.Date.new(0), js_global.Error.new("v")]
        things += [js_global.Promise.resolve("p"), js_global.Uint8Array.new(js_memory.buffer).subarray(0, 2)]
    for thing in things:
        try:
            ws.send(thing)
            stage.note(f"sent {thing}")
        except TypeError as error:
            ws.send(await follow(str(error).partition(": ")[2], thing))
    received = await stage.messages(ws, len(things))
    texts = ['{"a": [1]}', "[1, 2]", "5", "null", "{1}", "later"]
    stage.note(f"{len(received)} {received[:6] == texts}")
    ws.close()
    await stage.closed(ws)
    return ["12 True"]


async def follow(advice, thing):
    """Do what `send` says."""
    if advice == "await it first":
        return await thing
    if advice == "convert it first, with json.dumps() or str()":
        import json

        return json.dumps(thing)
    if advice == "send what its read() returns":
        return thing.read()
    if advice == "convert it first, with str()":
        return str(thing)
    if advice == "convert it first, with JavaScript's JSON.stringify()":
        return js_global.JSON.stringify(thing)
    if advice == "convert it first, with JavaScript's String()":
        return js_global.String(thing)
    if advice == "copy it first, with Uint8Array.new(….buffer, ….byteOffset, ….byteLength).slice()":
        return js_global.Uint8Array.new(thing.buffer, thing.byteOffset, thing.byteLength).slice()
    raise ValueError(f"what is {advice!r}?")


# Who leaves in a listener


class Leaving(BaseException):
    """On CPython SystemExit would end the program that plays this: another exception that no `except` is for."""


def leave():
    if sys.platform in ("brython", "emscripten", "webassembly"):
        sys.exit("enough")
    raise Leaving


@scenario("EVT-19", "EVT-16")
async def exit_in_a_listener_keeps_nobody_from_hearing_the_end(stage):
    """In a page, where it ends nothing: other listeners, `close`, `first()` and loops hear, whatever event it was."""
    with ExceptHook(lambda *_: None):
        for kind in ("open", "message", "error", "close"):
            verbs = (
                ["accept", "ready", "text hi", "raw 8300"]
                if kind != "error"
                else ["head HTTP/1.1 404 No\r\n\r\n", "fin"]
            )
            ws = stage.connect(*verbs, journal=False)
            seen = []
            ws.addEventListener(kind, lambda _: leave())
            setattr(ws, "on" + kind, lambda _: leave())
            for each in ("open", "message", "error", "close"):
                ws.addEventListener(each, lambda event, seen=seen: seen.append(event.type))
            last = ws.when("close").first()
            looped = []
            async for event in ws.when("message"):
                looped.append(f"loop {event.data}")
            seen += [*looped, f"first {(await last).code} {ws.readyState}"]
            stage.note(" ".join(seen))
        ws = ReconnectingWebSocket(stage.address(["head HTTP/1.1 404 No\r\n\r\n", "fin"]), max_attempts=0)
        ws = stage.adopt(ws, journal=False)
        ws.onerror = lambda _: leave()
        ws.onclose = lambda event: stage.note(f"close {event.code}")
        stage.note(f"first {(await ws.when('close').first()).code}")
    heard = "open message error close loop hi first 1006 3"
    return [heard, heard, "error close first 1006 3", heard, "close 1006", "first 1006"]

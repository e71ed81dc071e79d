"""What befalls Python in a page, played everywhere: who sends in between, what JavaScript gives, who leaves."""

import sys

from stage import scenario

if sys.platform == "emscripten":
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
    if sys.platform == "brython":
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
            if frame.f_code.co_name == "lift":
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
    else:
        ws._pyws_received(data, 0.0)

"""Conversations whose journal is the same in every runtime. Each cites the requirements it is evidence for."""

import sys

from pyws import Blob, WebSocket

from notation import show
from stage import FAILED, ExceptHook, scenario

if sys.platform == "emscripten":
    from pyodide.ffi import JsProxy, to_js
    from pyws.browser import codec


# The laws of the seam


@scenario("EVT-01", "RST-01", "CON-01")
async def nothing_fires_inside_a_call(stage):
    """No event is dispatched before the constructor, `send` or `close` has returned."""
    ws = stage.connect("accept", "echo")
    stage.note(f"constructed {ws.readyState}")
    await stage.opened(ws)
    ws.send("x")
    stage.note(f"sent {ws.readyState}")
    await stage.messages(ws, 1)
    ws.close()
    stage.note(f"close called {ws.readyState}")
    await stage.closed(ws)
    return [
        "constructed 0",
        "open 1",
        "sent 1",
        "message 1 'x'",
        "close called 2",
        "close 3 clean 1005 ''",
    ]


@scenario("EVT-02", "SRV-02", "SRV-09", "RST-02", "RST-05")
async def one_segment_holds_a_whole_conversation(stage):
    """Handshake, messages and Close in one segment still come as open, messages, close."""
    ws = stage.connect("hold", "accept", "text one", "binary 0002", "text three", "close 1000 bye", "release")
    await stage.closed(ws)
    return ["open 1", "message 1 'one'", r"message 1 b'\x00\x02'", "message 1 'three'", "close 3 clean 1000 'bye'"]


@scenario("EVT-02", "FRM-16", "ERR-04")
async def what_ends_right_behind_the_handshake_was_open(stage):
    """A bad frame or the end of TCP comes with the handshake: `open` and the message before it come first."""
    for verbs in (["raw 8300", "release", "fin"], ["release", "fin"]):
        await stage.closed(stage.connect("hold", "accept", "text good", *verbs))
    if stage.engine == "firefox":  # Deviation: EVT-02, Firefox
        stage.journal = [row for row in stage.journal if row.startswith("close")]
        return [FAILED[1]] * 2
    ending = FAILED[1:]
    if stage.engine == "node":  # Deviation: ERR-04, Node
        ending = FAILED
    return ["open 1", "message 1 'good'", *FAILED, "open 1", "message 1 'good'", *ending]


@scenario("EVT-16", "RST-08", "ERR-19", "CLS-08", "CLS-12")
async def nothing_follows_the_close_event(stage):
    """After a failure `close` and `send` change nothing, neither inside the error event nor later."""
    ws = stage.connect("accept", "ready", "raw 8300")

    def insist(_):
        stage.attempt(ws.close, 3000, "late")
        stage.attempt(ws.close, 1005)
        stage.attempt(ws.send, "late")

    ws.addEventListener("error", insist)
    await stage.closed(ws)
    insist(None)
    await stage.sleep(0.1)
    stage.note(f"finally {ws.readyState}")
    return [
        "open 1",
        "error 3",
        "raised InvalidAccessError",
        "close 3 unclean 1006 ''",
        "raised InvalidAccessError",
        "finally 3",
    ]


@scenario("SRV-03", "SRV-08", "CLS-17")
async def close_in_a_listener_stops_later_messages(stage):
    """A message that had arrived is not delivered once a listener has called `close`."""
    ws = stage.connect("hold", "accept", "text one", "text two", "release")
    ws.addEventListener("message", lambda _: ws.close(3000, "enough"))
    await stage.closed(ws)
    return ["open 1", "message 1 'one'", "close 3 clean 3000 'enough'"]


@scenario("SRV-04", "CLS-15", "CLS-16")
async def messages_after_our_close_are_dropped(stage):
    """What the server sends between our Close and its own is not delivered; its code is the one reported."""
    ws = stage.connect("accept", "until close", "text late", "close 3001 theirs")
    await stage.opened(ws)
    ws.close(3000, "ours")
    await stage.closed(ws)
    stage.journal += await stage.heard(ws)
    return ["open 1", "close 3 clean 3001 'theirs'", "heard close 3000 'ours'"]


@scenario("FRM-16", "FRM-03", "FRM-01", "ERR-03")
async def a_bad_frame_fails_after_the_good_message(stage):
    """Messages completed before a reserved opcode are delivered, even from the same segment; later ones are not."""
    ws = stage.connect("accept", "ready", "hold", "text good", "raw 8300", "text never", "release")
    await stage.closed(ws)
    return ["open 1", "message 1 'good'", *FAILED]


@scenario("ERR-20", "EVT-03")
async def a_close_listener_added_in_error_runs(stage):
    """`error` and `close` are two dispatches, one right after the other."""
    ws = stage.connect("accept", "ready", "raw 8300")
    ws.addEventListener("error", lambda _: ws.addEventListener("close", lambda event: stage.note(f"late {event.code}")))
    await stage.closed(ws)
    return ["open 1", *FAILED, "late 1006"]


# Messages


@scenario("SND-02", "EVT-07", "FRM-13")
async def text_survives_the_round_trip(stage):
    """Characters outside the BMP, NUL, BOM and noncharacters go out and come back unchanged."""
    text = "\ufeffA\x00é€\U0001d11e\ufffe'\\"
    ws = stage.connect("accept", "echo")
    await stage.opened(ws)
    ws.send(text)
    await stage.messages(ws, 1)
    ws.close()
    await stage.closed(ws)
    stage.journal += await stage.heard(ws)
    heard = [f"heard text {show(text)}", "heard close"]
    if stage.engine == "node":  # Deviation: EVT-07, Node
        text = text[1:]
    return ["open 1", f"message 1 {show(text)}", "close 3 clean 1005 ''", *heard]


@scenario("SND-03", "BUF-03")
async def lone_surrogates_become_replacement_characters(stage):
    """A lone surrogate is sent as U+FFFD, a pair as the character it stands for; both count as sent."""
    ws = stage.connect("accept", "echo")
    await stage.opened(ws)
    ws.send(chr(0xD800) + "x" + chr(0xD834) + chr(0xDD1E))
    stage.note(f"buffered {ws.bufferedAmount}")
    await stage.messages(ws, 1)
    ws.close()
    await stage.closed(ws)
    return ["open 1", "buffered 8", r"message 1 '\ufffdx\U0001d11e'", "close 3 clean 1005 ''"]


@scenario("SND-06", "SND-07", "SND-08", "EVT-08", "BTY-06")
async def binary_survives_the_round_trip(stage):
    """Anything with the buffer protocol is sent as its bytes at the time of the call."""
    ws = stage.connect("accept", "echo")
    await stage.opened(ws)
    array = bytearray(b"\x00\x7f\x80\xff")
    ws.send(bytes(array))
    ws.send(array)
    array[0] = 9
    ws.send(memoryview(bytes(array))[1:3])
    ws.send(bytes(range(256)))
    await stage.messages(ws, 4)
    ws.close()
    await stage.closed(ws)
    return [
        "open 1",
        r"message 1 b'\x00\x7f\x80\xff'",
        r"message 1 b'\x00\x7f\x80\xff'",
        r"message 1 b'\x7f\x80'",
        "message 1 " + show(bytes(range(256))),
        "close 3 clean 1005 ''",
    ]


@scenario("SND-02", "SND-03", "EVT-07")
async def long_text_survives_the_round_trip(stage):
    """Of one, two, three and four bytes a character, with NUL, a byte order mark and a lone surrogate."""
    texts = [character * 20_000 for character in ("a", "é", "€", "🌍")]
    texts += ["\0\ufeff" + texts[2] + "z", texts[1] + "\ud800", "€" * 400_000]
    ws = stage.connect("accept", "echo", journal=False)
    await stage.opened(ws)
    for text in texts:
        ws.send(text)
    received = await stage.messages(ws, len(texts))
    stage.note(f"{received[:5] == texts[:5]} {received[5] == texts[1] + chr(0xFFFD)} {received[6] == texts[6]}")
    ws.close()
    await stage.closed(ws)
    return ["True True True"]


@scenario("EVT-07", "EVT-08")
async def messages_are_text_and_bytes_of_python(stage):
    """They are cut, joined, compared and searched as any others."""
    every, texts = bytes(range(256)), ["", "text", "é€", "a🌍z🌍"]
    ws = stage.connect("accept", "echo", journal=False)
    await stage.opened(ws)
    for message in (every, b"", *texts):
        ws.send(message)
    data, nothing, *received = await stage.messages(ws, 6)
    stage.note(f"{type(data) is bytes} {data == every} {nothing == b''} {data + nothing + data == every + every}")
    stage.note(f"{show(data[254:])} {data[65]} {data.find(b'AB')} {show(nothing + data[:2])} {every in {data: 1}}")
    stage.note(f"{show(bytes(bytearray(data)[254:]))} {show(bytes(memoryview(data)[1:3]))}")
    stage.note(f"{[type(text) is str for text in received]} {received == texts} {[len(text) for text in received]}")
    globe = received[-1]
    stage.note(f"{show(globe[2:])} {show(globe[1])} {globe.find('z')} {show((globe + received[1])[3:5])}")
    ws.close()
    await stage.closed(ws)
    return [
        "True True True True",
        r"b'\xfe\xff' 65 65 b'\x00\x01' True",
        r"b'\xfe\xff' b'\x01\x02'",
        "[True, True, True, True] True [0, 4, 2, 4]",
        r"'z\U0001f30d' '\U0001f30d' 2 '\U0001f30dt'",
    ]


@scenario("SND-04", "EVT-10")
async def empty_messages_are_messages(stage):
    """Empty text and empty binary go out and come back."""
    ws = stage.connect("accept", "echo")
    await stage.opened(ws)
    ws.send("")
    ws.send(b"")
    await stage.messages(ws, 2)
    ws.close()
    await stage.closed(ws)
    return ["open 1", "message 1 ''", "message 1 b''", "close 3 clean 1005 ''"]


@scenario("SND-17", "FRM-17", "BUF-03", "BUF-06")
async def a_mebibyte_survives_the_round_trip(stage):
    """Large messages of both kinds come back whole, and the buffer is empty then."""
    text, data = "0123456789abcdé\n" * 65536, bytes(range(256)) * 4096
    ws = stage.connect("accept", "echo", journal=False)
    await stage.opened(ws)
    ws.send(text)
    ws.send(data)
    stage.note(f"buffered {ws.bufferedAmount}")
    received = await stage.messages(ws, 2)
    stage.note(f"whole {received == [text, data]}")  # no checksum: Brython would take seconds for it
    stage.note(f"buffered {ws.bufferedAmount}")
    ws.close()
    await stage.closed(ws)
    return [f"buffered {len(text) + 65536 + len(data)}", "whole True", "buffered 0"]


@scenario("SND-17", "FRM-17")
async def messages_survive_while_memory_grows(stage):
    """Sizes around those at which a page's copies change their way, there and back, and more memory in between."""
    ws = stage.connect("accept", "echo", journal=False)
    await stage.opened(ws)
    # Brython's bytes are a list of numbers: large ones take it seconds, and change nothing.
    sizes = (255, 65536) if sys.platform == "brython" else (255, 349525, 349526, 1 << 20, (1 << 20) + 1)
    if sys.platform == "webassembly":
        sizes = (255, 5461, 5462, 8192, 8193, 65536)
    sent, hoard = [], []
    for size in sizes:
        for message in ("a" * size, "🌍" * (size // 2), b"\xef\xbb\xbf" + bytes(size - 3)):
            ws.send(message)
            sent.append(message)
        hoard.append([bytes(1 << 16) for _ in range(1 << 7)])
        received = await stage.messages(ws, len(sent))
        if received != sent:
            stage.note(f"not the same at {size}")
    ws.close()
    await stage.closed(ws)
    stage.note("the end")
    return ["the end"]


@scenario("FFI-01")
async def what_crosses_to_javascript(stage):
    """In Pyodide a message goes down in one call and comes up without another; a large one takes one copy besides."""
    large = 100_000 if sys.platform == "brython" else (1 << 20) + 1
    ws = stage.connect("accept", "echo", journal=False)
    await stage.opened(ws)
    crossings, echoes = [], []
    ws.onmessage = lambda event: echoes.append((event.data, len(crossings)))
    stop = watch_crossings(ws._pyws_connection, crossings)
    strict = sys.platform == "emscripten" and type(codec.chosen[0]) is codec.PlainCodec
    for message, *most in (("small", 1, 0), (b"small", 1, 0), ("L" * large, 1, 1), (b"L" * large, 2, 1)):
        crossings.clear()
        ws.send(message)
        down = len(crossings)
        for _ in range(500):
            if not echoes:
                await stage.sleep(0.01)
        data, both = echoes.pop()
        crossed = f"down {down} up {both - down}"
        if strict:  # calls of a socket's own methods are not seen, only those that copy bytes
            most = (1, 1) if type(message) is bytes else (0, 0)
        if stage.engine == "bun":  # Deviation: FFI-01, Bun
            most = (most[0] + 1, most[1])
        expected = f"down {most[0]} up {most[1]}" if sys.platform == "emscripten" else "down 0 up 0"
        stage.note(f"{type(data).__name__} {'as few as can be' if crossed == expected else crossed}")
    stop()
    ws.close()
    await stage.closed(ws)
    return [f"{kind} as few as can be" for kind in ("str", "bytes") * 2]


def watch_crossings(connection, crossings):
    """Collect what pyws calls of JavaScript, and reads of the socket, where that can be seen: in Pyodide."""
    if sys.platform != "emscripten":
        return lambda: None

    class Watched:
        def __init__(self, thing):
            self.thing = thing

        def __getattr__(self, name):
            crossings.append(name)
            return getattr(self.thing, name)

    def called(code, _, function, __):
        if "/pyws/" in code.co_filename:
            owner = getattr(function, "__self__", None)
            if isinstance(function, JsProxy) or isinstance(owner, JsProxy) or function is to_js:
                crossings.append(function)

    connection._js_socket = Watched(connection._js_socket)
    monitoring = sys.monitoring
    monitoring.use_tool_id(monitoring.PROFILER_ID, "crossings")
    monitoring.register_callback(monitoring.PROFILER_ID, monitoring.events.CALL, called)
    monitoring.set_events(monitoring.PROFILER_ID, monitoring.events.CALL)

    def stop():
        monitoring.set_events(monitoring.PROFILER_ID, 0)
        monitoring.free_tool_id(monitoring.PROFILER_ID)

    return stop


@scenario("FRM-17")
async def lengths_around_the_boundaries_arrive(stage):
    """125, 126, 65535 and 65536 bytes: the three forms a frame's length has."""
    ws = stage.connect("accept", "bulk 1 125", "bulk 1 126", "bulk 1 65535", "bulk 1 65536", journal=False)
    received = await stage.messages(ws, 4)
    stage.note(f"sizes {[len(data) for data in received]}")
    ws.close()
    await stage.closed(ws)
    return ["sizes [125, 126, 65535, 65536]"]


@scenario("EVT-09", "FRM-13", "FRM-14")
async def fragments_and_single_bytes_make_one_message(stage):
    """Fragments that cut characters, sent one byte at a time, with a Ping between messages."""
    ws = stage.connect("accept", "drip 0", "fragment 2 a€\U0001d11e", "ping between", "text whole", "close 1000")
    await stage.closed(ws)
    stage.journal += await stage.heard(ws)
    return [
        "open 1",
        r"message 1 'a\u20ac\U0001d11e'",
        "message 1 'whole'",
        "close 3 clean 1000 ''",
        "heard pong 'between'",
        "heard close 1000 ''",
    ]


@scenario("BTY-01", "BTY-03", "BTY-04", "BTY-07", "BLB-01")
async def binary_type_is_read_at_dispatch(stage):
    """Changing `binaryType` in a listener affects the very next message; nonsense is ignored."""
    ws = stage.connect("hold", "accept", "binary 01ff", "binary 02", "text t", "close", "release")
    ws.binaryType = "blob"
    blobs = []

    def switch(event):
        if not blobs:
            blobs.append(event.data)
            ws.binaryType = "arraybuffer"
            ws.binaryType = "nonsense"

    ws.addEventListener("message", switch)
    await stage.closed(ws)
    stage.note(show(await blobs[0].bytes()))
    return [
        "open 1",
        "message 1 Blob of 2",
        r"message 1 b'\x02'",
        "message 1 't'",
        "close 3 clean 1005 ''",
        r"b'\x01\xff'",
    ]


@scenario("SND-10", "SND-12", "SND-14", "SND-16")
async def sends_keep_their_order_and_precede_the_close(stage):
    """Text, binary and Blob sent in one task arrive in that order, masked, before the Close of the same task."""
    ws = stage.connect("accept")
    await stage.opened(ws)
    ws.send("one")
    ws.send(Blob([b"two", "é"]))
    ws.send(b"three")
    stage.note(f"buffered {ws.bufferedAmount}")
    ws.close(1000)
    await stage.closed(ws)
    stage.journal += await stage.heard(ws)
    return [
        "open 1",
        "buffered 13",
        "close 3 clean 1000 ''",
        "heard text 'one'",
        r"heard binary b'two\xc3\xa9'",
        "heard binary b'three'",
        "heard close 1000 ''",
    ]


@scenario("PNG-01", "PNG-02", "PNG-03")
async def a_ping_is_answered_unseen(stage):
    """Pings are answered with their own payload; neither Ping nor Pong fires anything."""
    ws = stage.connect("accept", "ping hello", "pong unasked", "ping ", "read 2", "close 1000")
    await stage.closed(ws)
    stage.journal += await stage.heard(ws)
    return ["open 1", "close 3 clean 1000 ''", "heard pong 'hello'", "heard pong ''", "heard close 1000 ''"]


# Closing


@scenario("SRV-01", "ERR-07", "ERR-17", "EVT-12")
async def the_server_closes_with_code_and_reason(stage):
    """The server's code and reason are reported and echoed."""
    ws = stage.connect("accept", "close 4321 går \U0001d11e")
    await stage.closed(ws)
    stage.journal += await stage.heard(ws)
    reason = answer = r"'g\xe5r \U0001d11e'"
    if stage.engine == "node":  # Deviation: SRV-01, Node
        answer = "''"
    return ["open 1", f"close 3 clean 4321 {reason}", f"heard close 4321 {answer}"]


@scenario("ERR-10")
async def the_server_closes_without_a_code(stage):
    """A Close without a body is reported as 1005."""
    ws = stage.connect("accept", "close")
    await stage.closed(ws)
    return ["open 1", "close 3 clean 1005 ''"]


@scenario("CLS-01", "CLS-15", "CLS-18")
async def close_sends_what_it_was_given(stage):
    """Nothing, a code, or a code and a reason: that is what the Close frame carries."""
    for arguments in ((), (1000,), (3001, "pät"), (4999, "")):
        ws = stage.connect("accept", journal=False)
        await stage.opened(ws)
        ws.close(*arguments)
        await stage.closed(ws)
        stage.journal += await stage.heard(ws)
    return ["heard close", "heard close 1000 ''", r"heard close 3001 'p\xe4t'", "heard close 4999 ''"]


@scenario("CLS-13", "RST-03", "BUF-14", "SND-01", "SND-13")
async def close_while_connecting_fails_the_connection(stage):
    """`close` before `open`: CLOSING at once, `send` counts instead of raising, then error and close 1006."""
    ws = stage.connect("hang")
    stage.attempt(ws.send, "too early")
    stage.note(f"buffered {ws.bufferedAmount}")
    ws.close(3000, "never mind")
    stage.note(f"close called {ws.readyState}")
    ws.send("12345")
    stage.note(f"buffered {ws.bufferedAmount}")
    await stage.closed(ws)
    return ["raised InvalidStateError", "buffered 0", "close called 2", "buffered 5", *FAILED]


@scenario("CLS-13")
async def a_handshake_that_is_given_up_ends_tcp(stage):
    """The server has the request, and learns that nobody waits for the answer."""
    if stage.engine == "firefox":  # Deviation: CLS-13, Firefox
        return []
    ws = stage.connect("hang")
    await stage.sleep(0.3)
    ws.close()
    await stage.closed(ws)
    stage.journal += await stage.heard(ws)
    return [*FAILED, "heard eof"]


@scenario("BUF-07", "BUF-09", "SND-13", "CLS-12")
async def send_after_close_only_counts(stage):
    """Data given to `send` after `close` never leaves, raises nothing and stays in `bufferedAmount`."""
    ws = stage.connect("accept")
    await stage.opened(ws)
    ws.close(1000)
    ws.close(3000, "second")
    ws.send("€")
    stage.note(f"buffered {ws.bufferedAmount}")
    await stage.closed(ws)
    ws.send(b"12")
    stage.note(f"buffered {ws.bufferedAmount}")
    stage.journal += await stage.heard(ws)
    return ["open 1", "buffered 3", "close 3 clean 1000 ''", "buffered 5", "heard close 1000 ''"]


@scenario("CLS-02", "CLS-06", "CLS-07", "CLS-09", "CLS-10")
async def bad_close_arguments_raise_and_change_nothing(stage):
    """Codes other than 1000 and 3000 to 4999 and reasons over 123 bytes are refused, the code first."""
    ws = stage.connect("accept")
    await stage.opened(ws)
    for code in (0, 999, 1001, 1005, 2999, 5000, 66536, -1):
        stage.attempt(ws.close, code)
    stage.attempt(ws.close, 1001, "x" * 124)
    stage.attempt(ws.close, 1000, "€" * 42)
    stage.note(f"still {ws.readyState}")
    ws.close(None, "€" * 41)
    await stage.closed(ws)
    return [
        "open 1",
        *["raised InvalidAccessError"] * 9,
        "raised SyntaxError",
        "still 1",
        "close 3 clean 1000 " + show("€" * 41),
    ]


@scenario("CLS-20", "RST-03", "SRV-04")
async def close_waits_for_the_server(stage):
    """CLOSING lasts until the server has answered and ended TCP."""
    ws = stage.connect("accept", "until close", "sleep", "close 1000", "wait 0.3")
    await stage.opened(ws)
    ws.close()
    await stage.sleep(0.15)
    stage.note(f"meanwhile {ws.readyState}")
    await stage.wake(ws)
    await stage.closed(ws)
    return ["open 1", "meanwhile 2", "close 3 clean 1000 ''"]


# Failing


@scenario("ERR-02", "HID-01", "RST-06")
async def a_refused_connection_fails(stage):
    """Nobody listens: error, then close 1006."""
    (origin,) = await stage.ask("/address/refused")
    ws = stage.connect(origin=origin)
    await stage.closed(ws)
    return FAILED


@scenario("ERR-02", "HSK-11")
async def a_hang_up_during_the_handshake_fails(stage):
    """The line is cut before, instead of or in the middle of the answer."""
    (origin,) = await stage.ask("/address/hangup")
    await stage.closed(stage.connect(origin=origin))
    await stage.closed(stage.connect("fin"))
    await stage.closed(stage.connect(r"head HTTP/1.1 101 Switching Protocols\r\nupgrade: webs", "fin"))
    return FAILED * 3


@scenario("HSK-03", "HSK-04", "HSK-05", "HID-01")
async def a_wrong_handshake_fails(stage):
    """A refusal, a wrong key, a missing header: each looks the same."""
    for verbs in (
        [r"head HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"],
        ["header sec-websocket-accept: bm90IHRoZSByaWdodCBrZXk=", "accept"],
        ["header sec-websocket-accept", "accept"],
        ["header upgrade", "accept"],
        ["header connection: keep-alive", "accept"],
        ["raw 00ff00ff0d0a0d0a", "fin"],
    ):
        await stage.closed(stage.connect(*verbs, "close"))
    if stage.engine == "deno":  # Deviation: HSK-05, Deno
        return [*FAILED, *["open 1", "close 3 clean 1005 ''"] * 2, *FAILED * 3]
    return FAILED * 6


@scenario("ERR-04", "ERR-11", "RST-07")
async def fin_without_a_close_is_no_error(stage):
    """TCP that ends without a Close frame: close 1006 alone, as in all browsers."""
    ws = stage.connect("accept", "ready", "text last", "fin")
    await stage.closed(ws)
    ending = FAILED[1:] if stage.engine != "node" else FAILED  # Deviation: ERR-04, Node
    return ["open 1", "message 1 'last'", *ending]


@scenario("ERR-06")
async def fin_instead_of_the_servers_close_is_unclean(stage):
    """The server drops TCP after our Close: close 1006 alone."""
    ws = stage.connect("accept", "until close", "fin")
    await stage.opened(ws)
    ws.close(1000)
    await stage.closed(ws)
    if stage.engine == "deno":  # Deviation: ERR-06, Deno
        return ["open 1", "close 3 clean 1005 ''"]
    ending = FAILED[1:] if stage.engine != "node" else FAILED  # Deviation: ERR-04, Node
    return ["open 1", *ending]


@scenario("ERR-05")
async def a_reset_is_an_error(stage):
    """RST after open: error and close 1006; Chromium has no error."""
    ws = stage.connect("accept", "text last", "wait 0.2", "reset")
    await stage.closed(ws)
    ending = FAILED
    if stage.engine in ("chromium", "bun"):  # Deviation: ERR-05, Chromium and Bun
        ending = FAILED[1:]
    return ["open 1", "message 1 'last'", *ending]


@scenario("CON-13", "HID-05")
async def a_blocked_port_fails_like_a_refusal(stage):
    """The constructor succeeds; error and close come later."""
    ws = stage.connect(origin="ws://127.0.0.1:6667")
    stage.note(f"constructed {ws.readyState}")
    await stage.closed(ws)
    return ["constructed 0", *FAILED]


@scenario("FRM-02", "FRM-05", "FRM-06", "FRM-07", "FRM-08", "FRM-09", "FRM-10", "FRM-12", "ERR-16")
async def broken_frames_fail_the_connection(stage):
    """One connection per violation; all end alike."""
    frames = [
        "c100",  # a reserved bit
        "0900",  # a fragmented Ping
        "897e007e" + "00" * 126,  # a control frame over 125 bytes
        "8000",  # a continuation of nothing
        "010161" + "8100",  # a new message inside a fragmented one
        "827e000100",  # a length in a longer form than needed
        "827f00000000000000ff" + "00" * 255,
        "827f8000000000000000",  # a length with its top bit set
        "8101ff",  # not UTF-8
        "8103eda080",  # a surrogate in UTF-8
        "8101c3",  # half a character
        "880303e8ff",  # a reason that is not UTF-8
    ]
    if stage.engine in ("node", "deno", "bun"):  # Deviation: FRM-09, Node, Deno and Bun
        del frames[5:7]
    for digits in frames:
        await stage.closed(stage.connect("accept", "ready", f"raw {digits}"))
    return ["open 1", *FAILED] * len(frames)


# The surroundings


@scenario("SUB-08", "PRO-01", "PRO-02", "PRO-03", "NEG-06")
async def the_selected_subprotocol_is_reported(stage):
    """Subprotocols are offered in order; what the server picks is `protocol` from `open` on."""
    ws = stage.connect("header Sec-WebSocket-Protocol:  a ", "accept", "close", protocols=["b", "a"])
    stage.note(f"before {show(ws.protocol)}")
    await stage.closed(ws)
    request = await stage.request(ws)
    stage.journal += [line.lower() for line in request if line.lower().startswith("sec-websocket-protocol")]
    stage.note(f"after {show(ws.protocol)}")
    return ["before ''", "open 1 protocol 'a'", "close 3 clean 1005 ''", "sec-websocket-protocol: b, a", "after 'a'"]


@scenario("NEG-01", "NEG-03", "NEG-07")
async def what_was_not_asked_for_fails(stage):
    """A subprotocol or extension that was not offered."""
    for header in ("Sec-WebSocket-Protocol: c", "Sec-WebSocket-Extensions: foo"):
        await stage.closed(stage.connect("header " + header, "accept", protocols=["a", "b"]))
    return FAILED * 2


@scenario("CON-03", "CON-05", "CON-06", "CON-16", "SUB-02", "SUB-03", "SUB-04")
async def the_constructor_refuses_nonsense(stage):
    """Bad URLs and subprotocols are SyntaxErrors at once."""
    for url in ("ws://", "ftp://h/", "ws://h/#x", "ws://h/#", "ws://h:99999/"):
        stage.attempt(WebSocket, url)
    for protocols in ("", ["a", "a"], ["a b"], "é", "a,b"):
        stage.attempt(WebSocket, "ws://127.0.0.1/", protocols)
    return ["raised SyntaxError"] * 10


@scenario("EVT-19")
async def an_exception_in_a_listener_disturbs_nothing(stage):
    """It goes to `sys.excepthook`; the next listener and the next event still run."""
    ws = stage.connect("hold", "accept", "text one", "text two", "close", "release")

    def fail(event):
        raise ValueError(event.data)

    with ExceptHook(lambda kind, error, traceback: stage.note(f"hook {kind.__name__} {error}")):
        ws.addEventListener("message", fail)
        ws.addEventListener("message", lambda event: stage.note("next listener"))
        await stage.closed(ws)
    return [
        "open 1",
        *["message 1 'one'", "hook ValueError one", "next listener"],
        *["message 1 'two'", "hook ValueError two", "next listener"],
        "close 3 clean 1005 ''",
    ]


@scenario("HND-02", "HND-03", "HND-09", "TGT-02")
async def handlers_and_listeners_run_in_order(stage):
    """A handler attribute keeps the place of its first assignment; the same listener is added once."""
    ws = stage.connect("accept", "close", journal=False)

    def once(event):
        stage.note(f"once {event.type}")

    ws.addEventListener("close", lambda _: stage.note("first"))
    ws.onclose = lambda _: stage.note("never")
    ws.addEventListener("close", once)
    ws.addEventListener("close", once)
    ws.onclose = lambda event: stage.note(f"handler {event.target is ws}")
    ws.addEventListener("close", lambda _: stage.note("last"))
    await stage.closed(ws)
    return ["first", "handler True", "once close", "last"]


@scenario("TGT-04", "TGT-10", "TGT-11", "HND-10")
async def listeners_come_in_many_shapes(stage):
    """Objects with handleEvent, `once`, removal during dispatch, and an `async def` listener, which is started."""
    ws = stage.connect("hold", "accept", "text one", "text two", "close", "release", journal=False)

    class Listener:
        def handleEvent(self, event):
            stage.note(f"object {event.data}")
            ws.removeEventListener("message", removed)

    def removed(event):
        stage.note("removed all the same")

    async def later(event):
        await stage.sleep(0.01)
        stage.note(f"later {event.data}")

    ws.addEventListener("message", Listener())
    ws.addEventListener("message", removed)
    ws.addEventListener("message", lambda event: stage.note(f"once {event.data}"), {"once": True})
    ws.addEventListener("message", later, once=True)
    await stage.closed(ws)
    await stage.sleep(0.1)
    return ["object one", "once one", "object two", "later one"]


@scenario("CON-17")
async def sockets_do_not_disturb_one_another(stage):
    """Four sockets at once, each its own conversation."""
    names = ["a", "b", "c", "d"]
    sockets = [stage.connect("accept", f"text {c}", f"close 300{n} {c}", name=c) for n, c in enumerate(names)]
    await stage.closed(*sockets)
    stage.journal.sort()
    return sorted(
        row
        for n, name in enumerate(names)
        for row in (f"{name} open 1", f"{name} message 1 '{name}'", f"{name} close 3 clean 300{n} '{name}'")
    )

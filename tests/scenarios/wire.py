"""What goes over the wire and when: states, buffers, sending, closing, failing, control frames, turns to connect."""

import sys

from pyws import Blob, Event, WebSocket

from notation import show
from stage import FAILED, scenario

if sys.platform in ("emscripten", "webassembly"):
    import js as js_global
elif sys.platform == "brython":
    from browser import self as js_global

KIBI, MEBI = 1024, 1024 * 1024
LARGE = 8 * MEBI  # more than the network and a browser take of a message whose peer does not read


def block(seconds):
    """Keep the runtime busy: no task can run, only the network goes on."""
    end = Event("now").timeStamp + seconds * 1000
    while Event("now").timeStamp < end:
        pass


# readyState


@scenario("RST-04", "RST-05", "SRV-01")
async def closing_shows_until_the_server_ends_tcp(stage):
    """The server's Close sets CLOSING, after the message before it; CLOSED comes with the end of TCP."""
    ws = stage.connect("hold", "accept", "text last", "close 3002 bye", "release", "read", "sleep")
    await stage.messages(ws, 1)
    await stage.sleep(0.1)
    stage.note(f"meanwhile {ws.readyState}")
    await stage.wake(ws)
    await stage.closed(ws)
    stage.journal += await stage.heard(ws)
    close = "close 3 clean 3002 'bye'"
    meanwhile = ["meanwhile 2", close]
    if stage.engine in ("firefox", "deno"):  # Deviation: RST-04, Firefox and Deno
        meanwhile = [close, "meanwhile 3"]
    if stage.engine == "webkit":  # Deviation: RST-04, WebKit
        meanwhile = ["meanwhile 1", close]
    answer = "heard close 3002 'bye'"
    if stage.engine == "node":  # Deviation: SRV-01, Node
        answer = "heard close 3002 ''"
    return ["open 1", "message 1 'last'", *meanwhile, answer]


@scenario("RST-09", "RST-01")
async def the_state_stays_within_a_task(stage):
    """What the network does while a listener, or the code after the constructor, runs on is not to be seen there."""
    ws = stage.connect("accept", "text go", "wait 0.02", "close 1000")
    block(0.05)
    stage.note(f"constructed {ws.readyState}")

    def dawdle(_):
        block(0.1)
        stage.note(f"dawdled {ws.readyState}")

    ws.addEventListener("message", dawdle)
    await stage.closed(ws)
    return ["constructed 0", "open 1", "message 1 'go'", "dawdled 1", "close 3 clean 1000 ''"]


@scenario("RST-08", "ERR-01", "RST-06", "RST-07")
async def every_ending_has_one_close(stage):
    """The state only grows, `close` comes once and last, and `error` right before it only where something failed."""
    endings = {
        "server": ["close 1000"],
        "fin": ["fin"],
        "broken": ["raw 8300"],
        "refused": [r"head HTTP/1.1 403 No\r\n\r\n", "fin"],
    }
    for name, verbs in endings.items():
        seen = []
        ws = stage.connect(*([] if name == "refused" else ["accept", "ready"]), *verbs, journal=False)
        for kind in ("open", "message", "error", "close"):
            ws.addEventListener(kind, lambda event, ws=ws, seen=seen: seen.append((event.type, ws.readyState)))
        await stage.closed(ws)
        await stage.sleep(0.02)
        states = [state for _, state in seen]
        growing = states == sorted(states) and ws.readyState == 3
        stage.note(f"{name}: {' '.join([kind for kind, _ in seen])}, growing {growing}")
    fin = "close"
    if stage.engine == "node":  # Deviation: ERR-04, Node
        fin = "error close"
    return [
        "server: open close, growing True",
        f"fin: open {fin}, growing True",
        "broken: open error close, growing True",
        "refused: error close, growing True",
    ]


# bufferedAmount


@scenario("BUF-01", "BUF-02", "BUF-03", "BUF-05", "BUF-06")
async def the_buffer_stays_within_a_task(stage):
    """`send` adds at once; time and coroutines that never wait change nothing; then the network takes it all."""
    ws = stage.connect("accept", "echo")

    async def nothing():
        return ws.bufferedAmount

    stage.note(f"constructed {ws.bufferedAmount}")
    await stage.opened(ws)
    stage.note(f"opened {ws.bufferedAmount}")

    def fill(_):
        ws.send("€")
        ws.send(b"12345")
        ws.send(Blob(["67", b"8"]))
        stage.note(f"sent {ws.bufferedAmount}")
        block(0.05)
        stage.note(f"later {ws.bufferedAmount}")

    ws.addEventListener("message", fill, once=True)
    ws.send("go")
    await stage.messages(ws, 4)
    ws.send("1234")
    amount = await nothing()
    stage.note(f"awaited {amount}")
    await stage.messages(ws, 5)
    stage.note(f"finally {ws.bufferedAmount}")
    ws.close()
    await stage.closed(ws)
    return [
        *["constructed 0", "open 1", "opened 0", "message 1 'go'", "sent 11", "later 11"],
        *[r"message 1 '\u20ac'", "message 1 b'12345'", "message 1 b'678'"],
        *["awaited 4", "message 1 '1234'", "finally 0", "close 3 clean 1005 ''"],
    ]


@scenario("BUF-08", "BUF-07", "BUF-09", "SND-14")
async def what_was_sent_before_close_drains(stage):
    """While CLOSING the buffer loses what was sent before `close` and keeps what was "sent" after it."""
    ws = stage.connect("accept", "until close", "sleep")
    await stage.opened(ws)
    ws.send("abc")
    ws.close(1000)
    ws.send("de")
    stage.note(f"called {ws.bufferedAmount}")
    while ws.bufferedAmount == 5:
        await stage.sleep(0.02)
    stage.note(f"meanwhile {ws.readyState} {ws.bufferedAmount}")
    await stage.wake(ws)
    await stage.closed(ws)
    stage.note(f"finally {ws.bufferedAmount}")
    stage.journal += await stage.heard(ws)
    return [
        *["open 1", "called 5", "meanwhile 2 2", "close 3 clean 1000 ''", "finally 2"],
        *["heard text 'abc'", "heard close 1000 ''"],
    ]


@scenario("BUF-04", "BUF-11", "BUF-12", "SND-01", "SND-05")
async def the_buffer_counts_payload_only(stage):
    """No framing, no limit of 32 bits, and nothing for a `send` that raises."""
    ws = stage.connect("accept")
    stage.attempt(ws.send, "too early")
    stage.attempt(ws.send, None)
    stage.note(f"connecting {ws.bufferedAmount}")
    await stage.opened(ws)
    stage.attempt(ws.send, 1)
    stage.note(f"opened {ws.bufferedAmount}")
    ws.send("x" * 126)
    stage.note(f"sent {ws.bufferedAmount}")
    ws.close(1000)
    await stage.closed(ws)
    stage.attempt(ws.send, None)
    chunk = bytes(MEBI)
    for _ in range(4 * KIBI):
        ws.send(chunk)
    ws.send("x" * 65536)
    stage.note(f"finally 4 GiB + {ws.bufferedAmount - 4 * KIBI * MEBI}")
    return [
        *["raised InvalidStateError", "raised TypeError", "connecting 0", "open 1", "raised TypeError", "opened 0"],
        *["sent 126", "close 3 clean 1000 ''", "raised TypeError", "finally 4 GiB + 65536"],
    ]


@scenario("BUF-10", "SRV-08")
async def a_send_after_the_servers_close_only_counts(stage):
    """The server's Close has arrived with the message whose listener sends: that is counted, lost, and unclean."""
    ws = stage.connect("hold", "accept", "text one", "close 1000 bye", "release", journal=False)
    ends = []

    def late(_):
        ws.send("late")
        stage.note(f"sent {ws.readyState} {ws.bufferedAmount}")

    ws.addEventListener("message", late)
    ws.addEventListener("close", lambda event: ends.append(event))
    await stage.closed(ws)
    stage.note(f"close {ends[0].code} {ends[0].reason}")
    if stage.engine not in ("chromium", "webkit"):  # Deviation: BUF-10, Chromium and WebKit
        stage.note(f"clean {ends[0].wasClean}, left {ws.bufferedAmount}")
    stage.journal += await stage.heard(ws)
    expected = ["sent 1 4", "close 1000 bye", "clean False, left 4", "heard close 1000 'bye'"]
    if stage.engine in ("firefox", "node", "deno", "bun"):  # Deviation: BUF-10, Firefox, Node, Deno and Bun
        expected[2:3] = ["clean True, left 0", "heard text 'late'"]
    if stage.engine == "node":  # Deviation: SRV-01, Node
        expected[-1] = "heard close 1000 ''"
    return expected[:2] + expected[3:] if stage.engine in ("chromium", "webkit") else expected


@scenario("BUF-13", "BUF-06", "SND-17")
async def the_buffer_has_no_limit(stage):
    """16 MiB wait for a peer that is slow to read; the buffer never grows by itself and is empty in the end."""
    ws = stage.connect("accept", "wait 0.1", "read 16", "sleep", "text thanks")
    await stage.opened(ws)
    chunk = "x" * MEBI
    for _ in range(16):
        ws.send(chunk)
    amounts = [ws.bufferedAmount]
    stage.note(f"sent {amounts[0]}")
    while ws.bufferedAmount and ws.readyState == 1:
        await stage.sleep(0.01)
        amounts.append(ws.bufferedAmount)
    stage.note(f"shrinking {amounts == sorted(amounts, reverse=True)}, finally {amounts[-1]}")
    await stage.wake(ws)
    await stage.messages(ws, 1)
    ws.close()
    await stage.closed(ws)
    heard = await stage.heard(ws)
    stage.note(f"heard {heard.count('heard text ' + show(chunk))} whole")
    return [
        *["open 1", f"sent {16 * MEBI}", "shrinking True, finally 0", "message 1 'thanks'", "close 3 clean 1005 ''"],
        "heard 16 whole",
    ]


@scenario("BUF-09", "ERR-05")
async def what_a_lost_connection_had_not_taken_is_kept(stage):
    """After a reset `bufferedAmount` is what never left, and grows with later sends."""
    ws = stage.connect("accept", "sleep", "reset")
    await stage.opened(ws)
    ws.send("x" * LARGE)
    kept = []
    ws.addEventListener("close", lambda _: kept.append(ws.bufferedAmount))
    await stage.wake(ws)
    await stage.closed(ws)
    ws.send("12")
    stage.note(f"grown by {ws.bufferedAmount - kept[0]}")
    ending = FAILED
    if stage.engine in ("chromium", "bun"):  # Deviation: ERR-05, Chromium and Bun
        ending = FAILED[1:]
    if stage.engine in ("firefox", "deno"):  # Deviation: ERR-05, Firefox and Deno
        stage.journal = [row for row in stage.journal if row != "error 3"]
        ending = FAILED[1:]
    if stage.engine == "chromium":  # Deviation: BUF-09, Chromium
        return ["open 1", *ending, "grown by 2"]
    if stage.engine != "cpython":  # Deviation: BUF-09, Firefox, WebKit, Node, Deno and Bun
        return ["open 1", *ending, "grown by 2"]
    stage.note(f"kept {0 < kept[0] <= LARGE}")
    return ["open 1", *ending, "grown by 2", "kept True"]


# Sending


@scenario("SND-05", "CLS-09")
async def send_refuses_what_is_no_message(stage):
    """Anything but text, a buffer or a Blob is a TypeError, and the connection goes on."""
    ws = stage.connect("accept", "echo")
    await stage.opened(ws)
    for data in (None, 1, True, 1.5, {}, {"a": 1}, [], [1, 2], (1, 2), object(), len):
        stage.attempt(ws.send, data)
    stage.note(f"buffered {ws.bufferedAmount}")
    ws.send("still there")
    await stage.messages(ws, 1)
    ws.close()
    await stage.closed(ws)
    return ["open 1", *["raised TypeError"] * 11, "buffered 0", "message 1 'still there'", "close 3 clean 1005 ''"]


@scenario("SND-09")
async def send_refuses_shared_buffers(stage):
    """A SharedArrayBuffer, or a view of one, is a TypeError instead of its text; CPython has other strange objects."""
    js_buffers = [object(), [1, 2, 3], {}, 3]
    if stage.engine != "cpython":
        js_memory = js_global.JSON.parse('{"initial": 1, "maximum": 1, "shared": true}')
        js_shared = js_global.WebAssembly.Memory.new(js_memory).buffer
        js_view = js_global.Uint8Array.new(js_shared)
        js_buffers = [js_shared, js_view, js_view.subarray(1, 2), js_global.DataView.new(js_shared)]
    ws = stage.connect("accept")
    await stage.opened(ws)
    for js_buffer in js_buffers:
        stage.attempt(ws.send, js_buffer)
    stage.note(f"buffered {ws.bufferedAmount}")
    ws.close()
    await stage.closed(ws)
    stage.journal += await stage.heard(ws)
    return ["open 1", *["raised TypeError"] * len(js_buffers), "buffered 0", "close 3 clean 1005 ''", "heard close"]


@scenario("SND-11", "SND-10", "SND-12")
async def a_blob_is_not_overtaken(stage):
    """Neither by the text nor by the Close that follow it in the same task."""
    ws = stage.connect("accept")
    await stage.opened(ws)
    ws.send(Blob([bytes(range(64)) * KIBI]))
    ws.send("after")
    ws.send(Blob(["last"]))
    ws.close(1000)
    await stage.closed(ws)
    stage.journal += await stage.heard(ws)
    return [
        *["open 1", "close 3 clean 1000 ''", "heard binary " + show(bytes(range(64)) * KIBI)],
        *["heard text 'after'", "heard binary b'last'", "heard close 1000 ''"],
    ]


@scenario("SND-15", "SND-17")
async def fragments_of_a_large_message_are_one_message(stage):
    """However a runtime cuts it up, the server gets one message of each kind, whole."""
    text, data = "aé€" * 50000, bytes(range(256)) * 600
    ws = stage.connect("accept")
    await stage.opened(ws)
    ws.send(text)
    ws.send(data)
    ws.close()
    await stage.closed(ws)
    stage.journal += await stage.heard(ws)
    return ["open 1", "close 3 clean 1005 ''", f"heard text {show(text)}", f"heard binary {show(data)}", "heard close"]


@scenario("SND-18", "SND-13", "BUF-07")
async def every_listener_may_send(stage):
    """In `open` and `message` it is sent, in `close` it only counts."""
    ws = stage.connect("accept", "echo")

    def answer(event):
        if event.data == "from open":
            ws.send("from message")
        else:
            ws.close(1000)

    def last(_):
        ws.send("from close")
        stage.note(f"buffered {ws.bufferedAmount}")

    ws.addEventListener("open", lambda _: ws.send("from open"))
    ws.addEventListener("message", answer)
    ws.addEventListener("close", last)
    await stage.closed(ws)
    stage.journal += await stage.heard(ws)
    return [
        *["open 1", "message 1 'from open'", "message 1 'from message'", "close 3 clean 1000 ''", "buffered 10"],
        *["heard text 'from open'", "heard text 'from message'", "heard close 1000 ''"],
    ]


# close()


@scenario("CLS-03", "CLS-04", "CLS-07", "CLS-11", "IDL-07")
async def close_wants_an_int_and_a_str(stage):
    """Integers are never wrapped around; other types, floats among them, are TypeErrors before any other error."""
    ws = stage.connect("accept")
    await stage.opened(ws)
    for code in (0, -1, 65536 + 1000, 2**64, True, False):
        stage.attempt(ws.close, code)
    for code in (1000.0, 999.5, 1000.7, 4999.5, float("nan"), float("inf"), "1000", [1000], {}, b"1000"):
        stage.attempt(ws.close, code)
    for reason in (1, True, b"bytes", ["list"], {}):
        stage.attempt(ws.close, 1000, reason)
    stage.attempt(ws.close, 1001, 1)
    stage.note(f"still {ws.readyState}")

    class Code:
        def __index__(self):
            return 3000

    ws.close(Code(), "like an int")
    await stage.closed(ws)
    return [
        *["open 1", *["raised InvalidAccessError"] * 6, *["raised TypeError"] * 16, "still 1"],
        "close 3 clean 3000 'like an int'",
    ]


@scenario("CLS-05", "CLS-11", "CLS-10", "CLS-18")
async def none_means_not_given(stage):
    """`None` stands for an absent code or reason; an empty reason alone is no reason."""
    for arguments in ((None,), (None, None), (1000, None), (None, ""), (None, "why")):
        ws = stage.connect("accept", journal=False)
        await stage.opened(ws)
        ws.close(*arguments)
        await stage.closed(ws)
        stage.journal += await stage.heard(ws)
    return ["heard close", "heard close", "heard close 1000 ''", "heard close", "heard close 1000 'why'"]


@scenario("CLS-06", "SND-03", "ERR-18")
async def a_reason_is_measured_in_bytes(stage):
    """123 bytes of UTF-8 pass whole, both ways, however few characters they are; lone surrogates count 3."""
    ws = stage.connect("accept")
    await stage.opened(ws)
    for reason in ("x" * 124, "é" * 62, "€" * 42, chr(0xD800) * 42, "\U0001d11e" * 31):
        stage.attempt(ws.close, 1000, reason)
    ws.close(3000, chr(0xD800) * 40 + "\ufeff")
    await stage.closed(ws)
    ws = stage.connect("accept", "close 1000 " + "é" * 61 + "!")
    await stage.closed(ws)
    return [
        *["open 1", *["raised SyntaxError"] * 5],
        "close 3 clean 3000 " + show("\ufffd" * 40 + "\ufeff"),
        *["open 1", "close 3 clean 1000 " + show("é" * 61 + "!")],
    ]


@scenario("CLS-14", "CLS-13", "CLS-17")
async def close_before_open_was_dispatched_wins(stage):
    """The server has accepted, but `close` comes before the task of `open`: there is no `open`, and nothing clean."""
    while True:
        start = Event("now").timeStamp
        ws = stage.connect("wait 0.2", "accept", "text never", journal=False)
        await stage.sleep(0.05)  # the request is on its way
        if Event("now").timeStamp - start < 150:
            break
        ws.close()  # the machine is busy, and the answer may be there
    stage.watch(ws)
    block(0.25)
    stage.note(f"accepted {ws.readyState}")
    ws.close(3000, "too late")
    stage.note(f"close called {ws.readyState}")
    await stage.closed(ws)
    return ["accepted 0", "close called 2", *FAILED]


@scenario("SRV-09", "CLS-11", "CLS-14")
async def what_comes_with_the_handshake_is_received_though_open_closes(stage):
    """A Close, or half a frame, is in one segment with the 101, and the `open` listener calls `close()`."""
    for verbs in (
        ["close 1001 PASS", "release"],
        ["raw 81046162", "release", "wait 0.1", "raw 6364", "close 1000"],
        ["text lost", "ping x", "close 3001", "release"],
        ["raw 8a00", "close", "release"],
    ):
        ws = stage.connect("hold", "accept", *verbs, journal=False)
        ws.onopen = lambda _, ws=ws: ws.close(3333, "ours")
        stage.watch(ws)
        await stage.closed(ws)
    return [
        *["open 2", "close 3 clean 1001 'PASS'"],
        *["open 2", "close 3 clean 1000 ''"],
        *["open 2", "close 3 clean 3001 ''"],
        *["open 2", "close 3 clean 1005 ''"],
    ]


@scenario("CLS-19")
async def methods_can_be_replaced(stage):
    """`close` and `send` of one object can be replaced, as any attribute; the class keeps its own."""
    ws = stage.connect("accept")
    await stage.opened(ws)
    ws.close = lambda *arguments: stage.note(f"replaced close {show(str(arguments))}")
    ws.send = lambda data: stage.note(f"replaced send {data}")
    ws.send("x")
    ws.close(1)
    stage.note(f"still {ws.readyState}")
    del ws.send
    ws.send("really")
    WebSocket.close(ws, 1000)
    await stage.closed(ws)
    stage.journal += await stage.heard(ws)
    return [
        *["open 1", "replaced send x", "replaced close '(1,)'", "still 1", "close 3 clean 1000 ''"],
        *["heard text 'really'", "heard close 1000 ''"],
    ]


# The server's Close


@scenario("SRV-08", "CLS-17", "CLS-16")
async def both_sides_close_at_once(stage):
    """The server's Close has arrived when `close` is called: its code is reported, and one Close is sent."""
    ws = stage.connect("accept", "text go", "wait 0.02", "close 3001 theirs")
    ws.addEventListener("message", lambda _: (block(0.1), ws.close(3000, "ours"), stage.note(str(ws.readyState))))
    await stage.closed(ws)
    heard = await stage.heard(ws)
    stage.note(f"{len(heard)} heard, {heard[0].startswith('heard close 300')}")
    return ["open 1", "message 1 'go'", "2", "close 3 clean 3001 'theirs'", "1 heard, True"]


@scenario("SRV-04", "FRM-03", "ERR-11")
async def frames_are_still_checked_after_our_close(stage):
    """Until the server's Close a reserved opcode fails the connection; text is dropped without a look into it."""
    for verbs in (["raw 8300"], ["raw 8101ff"], ["raw 0101ff8000"], ["text late", "binary 00", "ping x"]):
        ws = stage.connect("accept", "until close", *verbs, "wait 0.1", "close 3001")
        await stage.opened(ws)
        ws.close(3000)
        await stage.closed(ws)
    if stage.engine in ("firefox", "webkit"):  # Deviation: SRV-04, Firefox and WebKit
        # If the server's Close comes in time, WebKit tells its code.
        stage.journal = [row.replace("unclean 3001", "unclean 1006") for row in stage.journal]
        return [*["open 1", *FAILED] * 3, "open 1", "close 3 clean 3001 ''"]
    if stage.engine == "bun":  # Deviation: SRV-04, Bun
        return [*["open 1", *FAILED] * 3, "open 1", "close 3 clean 3001 ''"]
    if stage.engine == "deno":  # Deviation: ERR-06, Deno
        return ["open 1", "close 3 clean 1005 ''"] * 4
    return ["open 1", *FAILED, *["open 1", "close 3 clean 3001 ''"] * 3]


@scenario("SRV-05", "SRV-10", "SRV-06")
async def nothing_counts_after_the_servers_close(stage):
    """Data, a second Close or rubbish after the server's Close are ignored; a Ping is not answered."""
    for verb in ("text late", "close 4000 second", "raw 8300", "ping late"):
        ws = stage.connect("hold", "accept", "close 1000 first", verb, "release")
        await stage.closed(ws)
        heard = await stage.heard(ws)
        stage.journal += [row for row in heard if "pong" in row]
    if stage.engine == "chromium":  # Deviation: SRV-05, Chromium
        return ["open 1", *FAILED] * 4
    return ["open 1", "close 3 clean 1000 'first'"] * 4


@scenario("SRV-06", "PNG-02")
async def a_ping_after_our_close(stage):
    """A Ping that comes after our Close needs no answer."""
    ws = stage.connect("accept", "until close", "ping late", "wait 0.05", "close 1000", "half", "hang")
    await stage.opened(ws)
    ws.close(1000)
    await stage.closed(ws)
    stage.journal += await stage.heard(ws)
    if stage.engine == "deno":  # Deviation: ERR-06, Deno
        return ["open 1", "close 3 clean 1005 ''", "heard close 1000 ''", "heard eof"]
    pong = []
    if stage.engine in ("cpython", "firefox", "node"):  # Deviation: SRV-06, CPython, Firefox and Node
        pong = ["heard pong 'late'"]
    return ["open 1", "close 3 clean 1000 ''", "heard close 1000 ''", *pong, "heard eof"]


@scenario("SRV-07", "TMO-02")
async def tcp_that_the_server_leaves_open_is_ended(stage):
    """After both Close frames TCP has two seconds to end; whoever began, it is clean."""
    end = ["hang"]
    if stage.engine == "node":  # Deviation: SRV-07, Node
        end = ["wait 4", "half", "hang"]
    theirs = stage.connect("accept", "close 1000 theirs", *end, name="theirs")
    await stage.opened(theirs)
    ours = stage.connect("accept", "until close", "close 3000", *end, name="ours")
    await stage.opened(ours)
    ours.close(3000)
    start = Event("now").timeStamp
    await stage.closed(theirs, ours)
    seconds = (Event("now").timeStamp - start) / 1000
    stage.note(f"after two seconds {1.7 < seconds < 3.5}")
    heard = await stage.heard(ours)
    stage.note(heard[-1])
    stage.journal.sort()  # which of the two ends first is the network's affair
    rows = ["theirs open 1", "ours open 1", "theirs close 3 clean 1000 'theirs'", "ours close 3 clean 3000 ''"]
    awaited = stage.engine in ("cpython", "chromium")  # Deviation: SRV-07, Firefox, WebKit, Deno and Bun
    return sorted([*rows, f"after two seconds {awaited}", "heard eof"])


# Error and close


@scenario("ERR-06")
async def a_reset_instead_of_the_servers_close_is_an_error(stage):
    """The server cuts TCP with RST after our Close."""
    ws = stage.connect("accept", "until close", "wait 0.02", "reset")
    await stage.opened(ws)
    ws.close(1000)
    await stage.closed(ws)
    ending = FAILED
    if stage.engine in ("chromium", "bun"):  # Deviation: ERR-05, Chromium and Bun
        ending = FAILED[1:]
    if stage.engine == "deno":  # Deviation: ERR-06, Deno
        ending = ["close 3 clean 1005 ''"]
    return ["open 1", *ending]


@scenario("ERR-08", "ERR-11")
async def a_cut_right_after_the_servers_close_keeps_its_code(stage):
    """TCP ends before our answer may be out: code and reason are the server's, `wasClean` depends on the race."""
    for verbs in (["close 3001 bye", "release", "fin"], ["close 3001 bye", "release", "read", "reset"]):
        ws = stage.connect("accept", "ready", "hold", *verbs, journal=False)
        ws.addEventListener("error", lambda _: stage.note("error"))
        ws.addEventListener("close", lambda event: stage.note(f"close {event.code} {event.reason}"))
        await stage.closed(ws)
    if stage.engine == "webkit":  # Deviation: ERR-08, WebKit
        stage.journal = [row[:5] for row in stage.journal if row != "error"]
        return ["close"] * 2
    return ["close 3001 bye"] * 2


@scenario("ERR-09", "BUF-06")
async def unsent_data_goes_out_before_the_answer_to_a_close(stage):
    """The server closes while 8 MiB are waiting to be sent: they all arrive, then our Close."""
    chunk = "x" * MEBI
    ws = stage.connect("accept", "read", "close 1001 away", "wait 0.1", "until close", journal=False)
    ws.addEventListener("error", lambda _: stage.note("error"))
    ws.addEventListener("close", lambda event: stage.note(f"close {event.code} {event.reason}"))
    ends = []
    ws.addEventListener("close", lambda event: ends.append(event.wasClean))
    await stage.opened(ws)
    ws.send("go")
    for _ in range(8):
        ws.send(chunk)
    await stage.closed(ws)
    if stage.engine in ("chromium", "webkit"):  # Deviation: ERR-09, Chromium and WebKit
        return ["close 1001 away"]
    stage.note(f"clean {ends[0]}, left {ws.bufferedAmount}")
    stage.journal += await stage.heard(ws)
    answer = "heard close 1001 'away'"
    if stage.engine == "node":  # Deviation: SRV-01, Node
        answer = "heard close 1001 ''"
    return [
        *["close 1001 away", "clean True, left 0"],
        *["heard text 'go'", *["heard text " + show(chunk)] * 8, answer],
    ]


@scenario("ERR-10", "SRV-01")
async def an_empty_close_is_answered_with_an_empty_close(stage):
    """And reported as 1005, whoever began."""
    ws = stage.connect("accept", "close")
    await stage.closed(ws)
    stage.journal += await stage.heard(ws)
    ws = stage.connect("accept", "until close", "close")
    await stage.opened(ws)
    ws.close(3000, "ours")
    await stage.closed(ws)
    answer = "heard close"
    if stage.engine == "webkit":  # Deviation: SRV-01, WebKit
        answer = "heard close 1000 ''"
    return ["open 1", "close 3 clean 1005 ''", answer, "open 1", "close 3 clean 1005 ''"]


@scenario("ERR-12", "ERR-02")
async def a_failure_of_tls_is_1006(stage):
    """A server that does not speak TLS at a `wss:` URL: 1015 is never seen."""
    (origin,) = await stage.ask("/address/hangup")
    await stage.closed(stage.connect(origin=origin.replace("ws:", "wss:")))
    return FAILED


@scenario("ERR-02")
async def a_host_without_an_address_fails(stage):
    """The name cannot be resolved: error, then close 1006."""
    await stage.closed(stage.connect(origin="ws://nobody.invalid"))
    return FAILED


@scenario("ERR-14", "SRV-01")
async def the_servers_codes(stage):
    """Registered and private codes are reported and answered as they are."""
    codes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999]
    if stage.engine == "webkit":  # Deviation: ERR-14, WebKit
        codes = [code for code in codes if not 1012 <= code <= 1014]
    if stage.engine == "deno":  # Deviation: ERR-14, Deno
        codes.remove(1014)
    for code in codes:
        ws = stage.connect("accept", f"close {code}", journal=False)
        ws.addEventListener("close", lambda event: stage.note(f"{event.wasClean} {event.code}"))
        await stage.closed(ws)
        stage.journal += await stage.heard(ws)
    expected = []
    for code in codes:
        expected += [f"True {code}", f"heard close {code} ''"]
    return expected


@scenario("ERR-14")
async def the_servers_unassigned_codes(stage):
    """Codes that nobody has defined are accepted all the same."""
    codes = (0, 999, 1004, 1016, 2999, 5000, 65535)
    for code in codes:
        await stage.closed(stage.connect("accept", f"close {code} odd"))
    if stage.engine in ("cpython", "node", "bun"):  # Deviation: ERR-14, CPython, Node and Bun
        return ["open 1", *FAILED] * len(codes)
    if stage.engine == "deno":  # Deviation: ERR-14, Deno
        return ["open 1", *FAILED] * len(codes)
    if stage.engine == "webkit":  # Deviation: ERR-14, WebKit
        return ["open 1", *FAILED] * len(codes)
    return [row for code in codes for row in ("open 1", f"close 3 clean {code} 'odd'")]


@scenario("ERR-17", "ERR-18")
async def a_reason_is_delivered_as_it_is(stage):
    """A byte order mark, NUL and 123 bytes all stay."""
    reasons = ["\ufeffmark", "nul\x00nul", "x" * 123]
    if stage.engine == "webkit":  # Deviation: ERR-17, WebKit
        del reasons[1]
    for reason in reasons:
        await stage.closed(stage.connect("accept", f"close 3000 {reason}"))
    if stage.engine == "node":  # Deviation: ERR-17, Node
        reasons[0] = "mark"
    return [row for reason in reasons for row in ("open 1", f"close 3 clean 3000 {show(reason)}")]


# Frames


async def fail_each(stage, *frames):
    """One connection for each of `frames`, which a good message follows in the same segment; all end alike."""
    expected = []
    never = ["text never"]
    if stage.engine == "webkit":  # Deviation: FRM-01, WebKit
        never = []
    for digits in frames:
        stage.note(digits[:20])
        await stage.closed(stage.connect("accept", "ready", "hold", f"raw {digits}", *never, "release"))
        expected += [digits[:20], "open 1", *FAILED]
    return expected


@scenario("FRM-16", "SRV-02", "ERR-03")
async def a_good_message_precedes_the_failure(stage):
    """A message is delivered although a bad frame followed it in the same segment, whatever was bad."""
    frames = ["c100", "8300", "8000", "8101ff", "880303e8ff", "0900", "827e000100", "827f8000000000000000"]
    if stage.engine in ("node", "deno", "bun"):  # Deviation: FRM-09, Node, Deno and Bun
        frames.remove("827e000100")
    expected = []
    never = ["text never"]
    if stage.engine == "webkit":  # Deviation: FRM-01, WebKit
        never = []
    for digits in frames:
        await stage.closed(stage.connect("accept", "ready", "hold", "text good", f"raw {digits}", *never, "release"))
        message = ["message 1 'good'"]
        if stage.engine == "chromium" and digits in frames[-3:]:
            message = []  # Deviation: FRM-16, Chromium
        expected += ["open 1", *message, *FAILED]
    return expected


@scenario("FRM-02", "FRM-01")
async def reserved_bits_fail_the_connection(stage):
    """RSV1, RSV2 and RSV3, on data, on what continues it and on control frames."""
    return await fail_each(stage, "c100", "a100", "9100", "f100", "c200", "0100a000", "c900", "a900", "c800")


@scenario("FRM-03", "FRM-01", "ERR-03")
async def reserved_opcodes_fail_the_connection(stage):
    """Opcodes 3 to 7 and B to F, with and without FIN."""
    frames = [*[f"8{opcode}00" for opcode in "34567bcdef"], "0b00", "0300"]
    if stage.engine == "firefox":  # Deviation: FRM-03, Firefox
        del frames[-1]
    return await fail_each(stage, *frames)


@scenario("FRM-04", "FRM-05", "FRM-06")
async def masked_fragmented_and_long_control_frames_fail_the_connection(stage):
    """A masked frame of any kind; a control frame without FIN; one longer than 125 bytes."""
    masked = ["8181000000ff9e", "818000000000", "898000000000"]
    unsolicited = ["8a7e007e" + "00" * 126]
    if stage.engine in ("firefox", "deno"):  # Deviation: FRM-04, Firefox and Deno
        masked = []
    if stage.engine == "webkit":  # Deviation: FRM-06, WebKit
        unsolicited = []
    long = ["897e007e" + "00" * 126, *unsolicited, "887e007e03e8" + "78" * 124, "897f0000000000000001ff"]
    if stage.engine == "deno":  # Deviation: FRM-06, Deno
        del long[1:]
    return await fail_each(stage, *masked, "0900", "0a00", "0800", "080203e8", *long)


@scenario("FRM-07", "FRM-08")
async def fragments_out_of_place_fail_the_connection(stage):
    """A continuation of nothing, and a new message inside a fragmented one, of either kind."""
    inside_empty = ["01008100", "01008200", "02000100"]
    if stage.engine == "firefox":  # Deviation: FRM-08, Firefox
        inside_empty = []
    return await fail_each(stage, "8000", "0000", "800141", *inside_empty, "010141" + "810142", "020141" + "0100")


@scenario("FRM-09", "FRM-10")
async def lengths_in_a_longer_form_fail_the_connection(stage):
    """The shortest form is required, and the top bit of 64 must be 0, also inside a fragmented message."""
    longer = ["827e0000", "827e000100", "817e007d" + "78" * 125, "0100807e000100"]
    longer += ["827f00000000000000ff" + "00" * 255, "827f000000000000ffff"]
    if stage.engine in ("node", "deno", "bun"):  # Deviation: FRM-09, Node, Deno and Bun
        longer = []
    return await fail_each(stage, *longer, "01008a7e000100", "827f8000000000000000", "817fffffffffffffffff")


@scenario("FRM-12", "FRM-01")
async def text_that_is_not_utf_8_fails_the_connection(stage):
    """A bad byte, a surrogate, an overlong form, half a character, beyond U+10FFFF; in one frame or across several."""
    fragments = ["0101c38001ff", "0101ff8900800161", "0101c38000", "0101e20001828000"]
    if stage.engine == "deno":  # Deviation: FRM-12, Deno
        del fragments[2:]
    return await fail_each(
        stage,
        *["8101ff", "810180", "8103eda080", "8102c080", "8103e08080", "8104f4908080", "8101c3", "8103e282e2"],
        *fragments,
    )


@scenario("FRM-15", "ERR-13", "ERR-15", "ERR-16")
async def bad_bodies_of_a_close_fail_the_connection(stage):
    """A code that stands for none, one byte, or a reason that is not UTF-8."""
    frames = ["880303e8ff", "880403e8c3c3", "880303e8c3", "880503e8eda080", "880203ee", "880203f7"]
    none, half = ["880203ed"], ["880103"]
    if stage.engine == "firefox":  # Deviation: ERR-13, Firefox
        none = []
    if stage.engine == "firefox":  # Deviation: ERR-15, Firefox
        half = []
    return await fail_each(stage, *frames, *none, *half)


@scenario("FRM-01")
async def a_failed_connection_does_not_wait_for_the_server(stage):
    """After a bad frame TCP is ended by us at once, and the server's Close would not be heard."""
    ws = stage.connect("accept", "ready", "raw 8300", "hang")
    await stage.opened(ws)
    start = Event("now").timeStamp
    await stage.closed(ws)
    stage.note(f"at once {Event('now').timeStamp - start < 1000}")
    return ["open 1", *FAILED, "at once True"]


@scenario("FRM-11")
async def an_enormous_length_is_waited_for(stage):
    """4 GiB or 2^62 bytes are announced: nothing is set aside for them, and sending goes on."""
    for digits in ("827f0000000100000000", "827f4000000000000000"):
        ws = stage.connect("accept", "read", f"raw {digits}616263", "read", "fin")
        await stage.opened(ws)
        ws.send("go")
        await stage.sleep(0.05)
        if stage.engine not in ("chromium", "firefox", "node", "deno", "bun"):
            stage.note(f"meanwhile {ws.readyState}")
            ws.send("still here")
        await stage.closed(ws)
    if stage.engine == "chromium":  # Deviation: FRM-11, Chromium
        return ["open 1", FAILED[1]] * 2
    if stage.engine in ("firefox", "node", "deno", "bun"):  # Deviation: FRM-11, Firefox, Node, Deno and Bun
        return ["open 1", *FAILED] * 2
    return ["open 1", "meanwhile 1", FAILED[1]] * 2


@scenario("FRM-13", "FRM-14", "PNG-02", "PNG-03")
async def odd_but_valid_frames_are_messages(stage):
    """Empty fragments, characters cut apart, noncharacters, NUL, and control frames between fragments."""
    cases = [  # no dict: Brython's puts a key that looks like a number first
        ("010000008000", "''"),
        ("02008000", "b''"),
        ("020101000080020203", r"b'\x01\x02\x03'"),
        ("01000001618000", "'a'"),
        ("0101e200018280" + "01ac", r"'\u20ac'"),
        ("010161" + "89017a" + "8a00" + "000162" + "8900" + "800163", "'abc'"),
        ("8103efbfbe", r"'\ufffe'"),
        ("8104f09fbfbf", r"'\U0001ffff'"),
        ("810100", r"'\x00'"),
        ("8103efbbbf", r"'\ufeff'"),
    ]
    if stage.engine == "node":  # Deviation: EVT-07, Node
        cases[-1] = (cases[-1][0], "''")
    ws = stage.connect("accept", *[f"raw {digits}" for digits, _ in cases], "close 1000", "until close")
    await stage.closed(ws)
    stage.journal += await stage.heard(ws)
    return [
        *["open 1", *[f"message 1 {data}" for _, data in cases], "close 3 clean 1000 ''"],
        *["heard pong 'z'", "heard pong ''", "heard close 1000 ''"],
    ]


@scenario("FRM-14")
async def a_close_may_interrupt_a_fragmented_message(stage):
    """Control frames may stand between fragments: the message that never ends is dropped, the Close counts."""
    ws = stage.connect("accept", "raw 010161", "close 3000 enough")
    await stage.closed(ws)
    stage.journal += await stage.heard(ws)
    answer = "heard close 3000 'enough'"
    if stage.engine == "node":  # Deviation: SRV-01, Node
        answer = "heard close 3000 ''"
    return ["open 1", "close 3 clean 3000 'enough'", answer]


# Ping and Pong


@scenario("PNG-05", "PNG-02", "PNG-03")
async def every_ping_is_answered_before_later_data(stage):
    """Three Pings in one segment are three Pongs, in order, before what a later listener sends."""
    pings = ["ping a", "ping b", "pong unasked", "ping " + "x" * 125]
    ws = stage.connect("hold", "accept", *pings, "text go", "release")
    ws.addEventListener("message", lambda _: (ws.send("later"), ws.close()))
    await stage.closed(ws)
    stage.journal += await stage.heard(ws)
    return [
        *["open 1", "message 1 'go'", "close 3 clean 1005 ''"],
        *["heard pong 'a'", "heard pong 'b'", "heard pong " + show("x" * 125), "heard text 'later'", "heard close"],
    ]


@scenario("PNG-04", "PNG-01", "TMO-05")
async def a_quiet_connection_stays_quiet(stage):
    """No Ping is sent, and nothing ends, while nobody says anything; there is no name for a Ping either."""
    ws = stage.connect("accept")
    await stage.opened(ws)
    stage.note(str([name for name in ("ping", "pong", "onping", "onpong") if hasattr(ws, name)]))
    await stage.sleep(0.2)
    stage.note(f"meanwhile {ws.readyState}")
    ws.close()
    await stage.closed(ws)
    stage.journal += await stage.heard(ws)
    return ["open 1", "[]", "meanwhile 1", "close 3 clean 1005 ''", "heard close"]


# Turns to connect


@scenario("TMO-04")
async def one_handshake_at_a_time(stage):
    """Sockets to one host and port connect in the order of their making: a slow first one holds up the others."""
    if stage.engine in ("webkit", "node", "deno", "bun"):  # Deviation: TMO-04, WebKit, Node, Deno and Bun
        return []
    slow = stage.connect("wait 0.8", "accept", "until close", name="first")
    quick = stage.connect("accept", "until close", name="second")
    last = stage.connect("accept", "until close", name="third")
    await stage.sleep(0.1)
    stage.note(f"meanwhile {slow.readyState} {quick.readyState} {last.readyState}")
    await stage.opened(slow)
    await stage.opened(quick)
    await stage.opened(last)
    for ws in (slow, quick, last):
        ws.close()
        await stage.closed(ws)
    closes = [f"{name} close 3 clean 1005 ''" for name in ("first", "second", "third")]
    return ["meanwhile 0 0 0", "first open 1", "second open 1", "third open 1", *closes]


@scenario("TMO-04", "TMO-07", "CLS-13")
async def a_failed_handshake_gives_way(stage):
    """The next one begins when a handshake has failed, or was given up, and without a delay."""
    if stage.engine in ("webkit", "node", "deno", "bun"):  # Deviation: TMO-04, WebKit, Node, Deno and Bun
        return []
    stage.connect("wait 0.05", r"head HTTP/1.1 500 No\r\n\r\n", "fin", name="first")
    given_up = stage.connect("hang", name="second")
    last = stage.connect("accept", "close 1000", name="third")
    await stage.sleep(0.15)
    stage.note(f"meanwhile {given_up.readyState} {last.readyState}")
    given_up.close()
    await stage.closed(given_up, last)
    stage.journal.sort()
    return sorted(
        [
            *["first error 3", "first close 3 unclean 1006 ''", "meanwhile 0 0"],
            *["second error 3", "second close 3 unclean 1006 ''", "third open 1", "third close 3 clean 1000 ''"],
        ]
    )

"""`ReconnectingWebSocket`: what a program sees when its connection dies, and comes back."""

import sys

from pyws import DOMException, Event, ReconnectingEvent, ReconnectingWebSocket, WebSocket, loop

from notation import show
from stage import FAILED, ExceptHook, scenario

GONE = "unclean 1006 ''"
QUICK = dict(first_delay=0.01, max_delay=0.08, jitter=0)
REFUSAL = r"head HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n"
NEVER = 5  # seconds: no scenario waits for that


def come_back(stage, *parts, protocols=None, **options):
    """Open a socket that comes back; the peer does each of `parts`, a list of verbs, for a connection of it."""
    url = stage.address(*parts)
    return stage.adopt(ReconnectingWebSocket(url, protocols, **{**QUICK, **options}))


def reports(stage):
    """`with reports(stage):` writes what goes to `sys.excepthook` into the journal."""

    def report(kind, error, traceback):
        stage.note(f"reported {error.name if isinstance(error, DOMException) else f'{kind.__name__} {error}'}")

    return ExceptHook(report)


# Coming back


@scenario("REC-01")
async def it_is_a_websocket(stage):
    """The constants, the methods and the attributes are those of the interface, and so are the exceptions."""
    ws = come_back(stage, ["accept", "echo"])
    stage.note(str(isinstance(ws, WebSocket)))
    stage.note(" ".join([str(number) for number in (ws.CONNECTING, ws.OPEN, ws.CLOSING, ws.CLOSED)]))
    stage.note(f"{ws.readyState} {ws.bufferedAmount} {show(ws.protocol)} {show(ws.extensions)} {ws.binaryType}")
    for name in ("onopen", "onmessage", "onreconnecting", "onerror", "onclose"):
        stage.note(f"{name} {getattr(ws, name)}")
    stage.attempt(ws.close, 1005)
    stage.attempt(ws.close, 1000, "x" * 124)
    stage.attempt(ws.send, 5)
    try:
        ws.onreconnect = print
    except AttributeError as error:
        stage.note(str(error).partition(";")[0])
    await stage.opened(ws)
    ws.send("one")
    ws.send(b"two")
    await stage.messages(ws, 2)
    ws.close(3000, "bye")
    stage.note(f"closing {ws.readyState}")
    await stage.closed(ws)
    ws.send("late")
    stage.note(f"buffered {ws.bufferedAmount}")
    ws.close()
    return [
        "True",
        "0 1 2 3",
        "0 0 '' '' arraybuffer",
        "onopen None",
        "onmessage None",
        "onreconnecting None",
        "onerror None",
        "onclose None",
        "raised InvalidAccessError",
        "raised SyntaxError",
        "raised TypeError",
        "ReconnectingWebSocket has no 'onreconnect': its event handlers are "
        "onclose, onerror, onmessage, onopen, onreconnecting",
        "open 1",
        "message 1 'one'",
        "message 1 b'two'",
        "closing 2",
        "close 3 clean 3000 'bye'",
        "buffered 4",
    ]


@scenario("REC-02", "REC-03", "REC-04")
async def it_comes_back_when_the_server_does(stage):
    """A cut line, a server that restarts, a code of its own: each is told by `reconnecting`; 1000 is the end."""
    ws = come_back(
        stage,
        ["accept", "ready", "text one", "fin"],
        ["accept", "ready", "text two", "close 1012 restart"],
        ["accept", "ready", "text three", "close 1001"],
        ["accept", "ready", "close"],
        ["accept", "ready", "text five", "close 4001 later"],
        ["accept", "ready", "close 1000 done"],
        max_delay=0.04,
        min_uptime=NEVER,
    )
    ws.addEventListener("open", lambda _: ws.send("ready"))
    await stage.closed(ws)
    journal = [
        "open 1",
        "message 1 'one'",
        f"reconnecting 0 {GONE} attempt 1 in 10 ms",
        "open 1",
        "message 1 'two'",
        "reconnecting 0 clean 1012 'restart' attempt 2 in 20 ms",
        "open 1",
        "message 1 'three'",
        "reconnecting 0 clean 1001 '' attempt 3 in 40 ms",
        "open 1",
        "reconnecting 0 clean 1005 '' attempt 4 in 40 ms",
        "open 1",
        "message 1 'five'",
        "reconnecting 0 clean 4001 'later' attempt 5 in 40 ms",
        "open 1",
        "close 3 clean 1000 'done'",
    ]
    if stage.engine == "webkit":  # Deviation: ERR-14, WebKit
        journal[5] = f"reconnecting 0 {GONE} attempt 2 in 20 ms"
    return journal


@scenario("REC-02", "REC-07")
async def what_lasted_begins_anew(stage):
    """After a connection that lasted `min_uptime` the count and the delays are as at first; what failed has none."""
    ws = come_back(
        stage,
        [REFUSAL, "fin"],
        ["fin"],
        ["accept", "ready", "fin"],
        [REFUSAL, "fin"],
        ["accept", "ready", "close 1000"],
        growth=3,
        min_uptime=0,
    )
    ws.addEventListener("open", lambda _: ws.send("ready"))
    await stage.closed(ws)
    return [
        f"reconnecting 0 {GONE} attempt 1 in 10 ms",
        f"reconnecting 0 {GONE} attempt 2 in 30 ms",
        "open 1",
        f"reconnecting 0 {GONE} attempt 1 in 10 ms",
        f"reconnecting 0 {GONE} attempt 2 in 30 ms",
        "open 1",
        "close 3 clean 1000 ''",
    ]


@scenario("REC-06", "REC-07")
async def attempts_are_used_up(stage):
    """After `max_attempts` in a row the last failure is told as the standard tells it; the delays have a limit."""
    ws = come_back(stage, [REFUSAL, "fin"], max_attempts=4, max_delay=0.03)
    await stage.closed(ws)
    delays = [10, 20, 30, 30]
    rows = [f"reconnecting 0 {GONE} attempt {i + 1} in {delays[i]} ms" for i in range(4)]
    return [*rows, *FAILED]


@scenario("REC-06")
async def none_may_be_tried(stage):
    """With `max_attempts=0` it is a WebSocket like others, and what closed without an error has none."""
    for verbs in (["accept", "ready", "close 1001 restart"], ["accept", "ready", "raw 8300"]):
        ws = come_back(stage, verbs, max_attempts=0)
        ws.addEventListener("open", lambda _, ws=ws: ws.send("ready"))
        await stage.closed(ws)
    return ["open 1", "close 3 clean 1001 'restart'", "open 1", *FAILED]


@scenario("REC-02", "REC-12")
async def nobody_listens_for_a_while(stage):
    """TCP is refused twice; then there is a server."""
    (refused,) = await stage.ask("/address/refused")
    urls = [stage.address(["accept", "text back", "close 1000"]), refused, refused]
    ws = stage.adopt(ReconnectingWebSocket(lambda: urls.pop(), **QUICK))
    await stage.closed(ws)
    return [
        f"reconnecting 0 {GONE} attempt 1 in 10 ms",
        f"reconnecting 0 {GONE} attempt 2 in 20 ms",
        "open 1",
        "message 1 'back'",
        "close 3 clean 1000 ''",
    ]


@scenario("REC-04")
async def the_program_says_what_is_final(stage):
    """A set or a range of codes; then 1000 is none of them unless it is in there."""
    for final in ({4001}, range(4000, 4400)):
        ws = come_back(stage, ["accept", "close 1000"], ["accept", "close 4001 go away"], final=final)
        await stage.closed(ws)
    return ["open 1", "reconnecting 0 clean 1000 '' attempt 1 in 10 ms", "open 1", "close 3 clean 4001 'go away'"] * 2


@scenario("REC-08")
async def a_server_that_never_answers_is_given_up(stage):
    """`connect_timeout` ends an attempt, in the handshake and while a function is asked, but no connection."""
    calls = []

    async def url():
        calls.append(url)
        if len(calls) == 1:
            await stage.sleep(NEVER)
        return urls[len(calls) - 2]

    parts = ["hang"], ["accept", "wait 1.2", "text still here", "close 1000"]
    urls = [stage.address(*parts)] * 2
    ws = stage.adopt(ReconnectingWebSocket(url, **QUICK, connect_timeout=1))
    await stage.closed(ws)
    ws = come_back(stage, *parts, connect_timeout=1)
    await stage.closed(ws)
    lived = ["open 1", "message 1 'still here'", "close 3 clean 1000 ''"]
    return [
        f"reconnecting 0 {GONE} attempt 1 in 10 ms",
        f"reconnecting 0 {GONE} attempt 2 in 20 ms",
        *lived,
        f"reconnecting 0 {GONE} attempt 1 in 10 ms",
        *lived,
    ]


@scenario("REC-20", "REC-21")
async def the_program_says_that_no_refusal_is_final(stage):
    """No status is the last word, and Retry-After is paid no attention to: the same where nobody knows of either."""
    refusals = [rf"head HTTP/1.1 {status} No\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n" for status in (403, 404)]
    parts = [*([refusal, "fin"] for refusal in refusals), ["accept", "close 1000"]]
    ws = come_back(stage, *parts, final_statuses=(), max_retry_after=0)
    await stage.closed(ws)
    return [
        f"reconnecting 0 {GONE} attempt 1 in 10 ms",
        f"reconnecting 0 {GONE} attempt 2 in 20 ms",
        "open 1",
        "close 3 clean 1000 ''",
    ]


# Trying now


LONG = dict(first_delay=60, max_delay=60)


@scenario("REC-23")
async def it_tries_now(stage):
    """While it waits, and not inside the call; the count and the delays go on as if it had waited."""
    ws = come_back(stage, ["fin"], ["fin"], ["accept", "ready", "close 1000"], first_delay=30, max_delay=60)
    ws.addEventListener("open", lambda _: ws.send("ready"))
    for _ in range(2):
        await stage.event(ws, "reconnecting")
        ws.reconnect()
        ws.reconnect()
        stage.note(f"called {ws.readyState}")
    await stage.closed(ws)
    return [
        f"reconnecting 0 {GONE} attempt 1 in 30000 ms",
        "called 0",
        f"reconnecting 0 {GONE} attempt 2 in 60000 ms",
        "called 0",
        "open 1",
        "close 3 clean 1000 ''",
    ]


@scenario("REC-23")
async def it_tries_now_inside_a_listener(stage):
    """Of `reconnecting` itself; with functions, too, and it may be closed right after."""
    for url in (lambda address: address, lambda address: lambda: address):
        address = stage.address(["fin"], ["accept", "close 1000"])
        ws = stage.adopt(ReconnectingWebSocket(url(address), **{**QUICK, **LONG}))
        ws.addEventListener("reconnecting", lambda _, ws=ws: ws.reconnect())
        await stage.closed(ws)
    ws = come_back(stage, ["fin"], ["accept"], **LONG)
    await stage.event(ws, "reconnecting")
    ws.reconnect()
    ws.close()
    await stage.closed(ws)
    lost = f"reconnecting 0 {GONE} attempt 1 in 60000 ms"
    return [*[lost, "open 1", "close 3 clean 1000 ''"] * 2, lost, *FAILED]


@scenario("REC-23")
async def there_is_nothing_to_try(stage):
    """While it connects or is open nothing happens; once it was closed, and at the end, there is InvalidStateError."""
    address = stage.address(["accept", "ready", "echo"])

    async def url():
        ws.reconnect()
        await stage.sleep(0.01)
        ws.reconnect()
        return address

    ws = ReconnectingWebSocket(url, **QUICK)
    ws.reconnect()
    stage.adopt(ws)
    await stage.opened(ws)
    ws.send("ready")
    ws.reconnect()
    ws.send("x")
    await stage.messages(ws, 1)
    ws.close()
    stage.attempt(ws.reconnect)
    await stage.closed(ws)
    stage.attempt(ws.reconnect)
    return ["open 1", "message 1 'x'", "raised InvalidStateError", "close 3 clean 1005 ''", "raised InvalidStateError"]


def alarms():
    """What wakes the page, or the worker, that this is: each a function; none where there is neither."""
    if sys.platform == "brython":
        from browser import self as js_global
    elif sys.platform == "emscripten":
        import js as js_global
    elif sys.platform == "webassembly":
        from js import globalThis as js_global
    else:
        return []
    if not hasattr(js_global, "dispatchEvent"):  # Node
        return []
    ways = [lambda: js_global.dispatchEvent(js_global.Event.new("online"))]
    if hasattr(js_global, "PageTransitionEvent"):
        options = js_global.JSON.parse('{"persisted": true}')
        ways.append(lambda: js_global.dispatchEvent(js_global.PageTransitionEvent.new("pageshow", options)))
        ways.append(lambda: js_global.document.dispatchEvent(js_global.Event.new("visibilitychange")))
    return ways


@scenario("REC-22")
async def what_wakes_a_page_wakes_it(stage):
    """Online, shown or visible again: it tries at once. Who has no page to wake says `reconnect()`."""
    ways = alarms()
    for number in range(3):
        ws = come_back(stage, ["fin"], ["accept", "close 1000"], **LONG)
        await stage.event(ws, "reconnecting")
        if ways:
            ways[number % len(ways)]()
            stage.note(f"woken {ws.readyState}")
        else:
            ws.reconnect()
            stage.note(f"woken {ws.readyState}")
        await stage.closed(ws)
        for way in ways:
            way()
    return [f"reconnecting 0 {GONE} attempt 1 in 60000 ms", "woken 0", "open 1", "close 3 clean 1000 ''"] * 3


@scenario("REC-22")
async def what_wakes_a_page_again_and_again_is_no_storm(stage):
    """However often: once at first, and then once in a second; and the delays are as at first."""
    ws = come_back(stage, ["fin"], first_delay=10, max_delay=60)
    ways = alarms()
    delays = []
    ws.addEventListener("reconnecting", lambda event: delays.append(event.delay))
    await stage.event(ws, "reconnecting")
    began = loop.to_milliseconds(loop.now())
    for _ in range(60):
        for way in ways:
            way()
        await stage.sleep(0.01)
    stage.journal.clear()
    most = 2 + (loop.to_milliseconds(loop.now()) - began) / 1000
    stage.note(f"{len(delays) <= most} {set(delays) == {10}}")
    ws.close()
    await stage.closed(ws)
    return ["True True", *FAILED]


# Functions that are asked for each attempt


@scenario("REC-12", "REC-15")
async def each_attempt_asks_for_url_and_subprotocols(stage):
    """Plain functions and `async def`: the peer sees fresh subprotocols each time, and so does the program."""
    attempts = []
    urls = [
        stage.address([f"header Sec-WebSocket-Protocol: v{number}", "accept", f"close {code}"])
        for number, code in ((1, 1001), (2, 1000))
    ]

    def url():
        attempts.append("attempt")
        return urls[len(attempts) - 1]

    async def protocols():
        await stage.sleep(0.001)
        return [f"v{len(attempts)}", "other"]

    ws = ReconnectingWebSocket(url, protocols, **QUICK)
    stage.note(f"constructed {ws.readyState} {show(ws.url)} {len(attempts)}")
    stage.adopt(ws)
    ws.addEventListener("reconnecting", lambda _: stage.note(f"protocol {show(ws.protocol)} {ws.url == urls[0]}"))
    await stage.closed(ws)
    stage.note(f"protocol {show(ws.protocol)} {ws.url == urls[1]}")
    request = await stage.request(ws)
    stage.journal += [line.lower() for line in request if line.lower().startswith("sec-websocket-protocol")]
    return [
        "constructed 0 '' 0",
        "open 1 protocol 'v1'",
        "reconnecting 0 clean 1001 '' attempt 1 in 10 ms",
        "protocol '' True",
        "open 1 protocol 'v2'",
        "close 3 clean 1000 ''",
        "protocol 'v2' True",
        "sec-websocket-protocol: v2, other",
    ]


@scenario("REC-13", "REC-14")
async def a_function_that_raises_is_reported(stage):
    """And what no URL or subprotocol can be: the attempt has failed, the next one asks again."""
    answers = [
        (stage.address(["accept", "close 1000"]), None),
        (stage.address(["hang"]), ["not a token"]),
        ("http://[", None),
        (None, None),
    ]

    def url():
        if len(answers) == 4:
            answers.pop()
            raise LookupError("no token")
        return answers[-1][0]

    async def protocols():
        await stage.sleep(0.001)
        return answers.pop()[1]

    with reports(stage):
        ws = stage.adopt(ReconnectingWebSocket(url, protocols, **QUICK))
        await stage.closed(ws)
    return [
        "reported LookupError no token",
        f"reconnecting 0 {GONE} attempt 1 in 10 ms",
        "reported SyntaxError",
        f"reconnecting 0 {GONE} attempt 2 in 20 ms",
        "reported SyntaxError",
        f"reconnecting 0 {GONE} attempt 3 in 40 ms",
        "open 1",
        "close 3 clean 1000 ''",
    ]


@scenario("REC-14")
async def what_cannot_be_raises_at_the_call(stage):
    """A URL, a subprotocol or an option; nothing is left behind."""
    good = stage.address(["hang"])
    for url, protocols in (("http://[", None), (good, ["a b"]), (good, ["a", "a"]), (5, None), (good, 5)):
        stage.attempt(lambda url=url, protocols=protocols: ReconnectingWebSocket(url, protocols, **QUICK))
    for options in (
        dict(first_delay=-1),
        dict(first_delay=2, max_delay=1),
        dict(growth=0.5),
        dict(jitter=2),
        dict(min_uptime=-1),
        dict(max_attempts=-1),
        dict(connect_timeout=0),
        dict(max_queued=-1),
        dict(max_retry_after=-1),
        dict(final=1000),
        dict(final_statuses="404"),
    ):
        stage.attempt(lambda options=options: ReconnectingWebSocket(good, **options))
    return ["raised SyntaxError"] * 3 + ["raised TypeError"] * 2 + ["raised ValueError"] * 9 + ["raised TypeError"] * 2


@scenario("REC-12", "REC-15", "SUB-10")
async def subprotocols_may_stand_in_a_dictionary_here_too(stage):
    """As the argument, and as what a function returns; what a dictionary cannot say raises, or fails the attempt."""
    good = ["header Sec-WebSocket-Protocol: b", "accept", "close 1000"]
    for source in ({"protocols": ["a", "b"], "x": 5}, lambda: {"protocols": ["a", "b"]}, lambda: {"protocols": "b"}):
        await stage.closed(come_back(stage, good, protocols=source))
    stage.attempt(lambda: ReconnectingWebSocket(stage.address(["hang"]), {"protocols": 5}))
    stage.attempt(lambda: ReconnectingWebSocket(stage.address(["hang"]), {"protocols": "a b"}))
    answers = [{}, {"protocols": 5}]
    with reports(stage):
        await stage.closed(come_back(stage, ["accept", "close 1000"], protocols=lambda: answers.pop()))
    return [
        *["open 1 protocol 'b'", "close 3 clean 1000 ''"] * 3,
        "raised TypeError",
        "raised SyntaxError",
        "reported TypeError protocols must be str or an iterable of str, not int",
        f"reconnecting 0 {GONE} attempt 1 in 10 ms",
        "open 1",
        "close 3 clean 1000 ''",
    ]


class Stop(BaseException):
    """Not an Exception."""


@scenario("REC-25", "REC-13")
async def whatever_is_raised_it_goes_on(stage):
    """In a listener or a function, of a class that is no Exception, too; everyone else hears all."""
    address = stage.address(["accept", "ready", "text one", "fin"], ["accept", "ready", "close 1000"])
    calls = []

    def url():
        calls.append(url)
        if len(calls) == 1:
            raise Stop("url")
        return address

    def fail(event):
        raise Stop(event.type)

    with reports(stage):
        ws = ReconnectingWebSocket(url, **QUICK)
        for kind in ("open", "message", "reconnecting", "close"):
            ws.addEventListener(kind, fail)
        stage.adopt(ws)
        ws.send("ready")
        ws.addEventListener("reconnecting", lambda event: ws.send("ready") if event.code and len(calls) > 1 else None)
        await stage.closed(ws)
    return [
        "reported Stop url",
        "reported Stop reconnecting",
        f"reconnecting 0 {GONE} attempt 1 in 10 ms",
        "reported Stop open",
        "open 1",
        "reported Stop message",
        "message 1 'one'",
        "reported Stop reconnecting",
        f"reconnecting 0 {GONE} attempt 2 in 20 ms",
        "reported Stop open",
        "open 1",
        "reported Stop close",
        "close 3 clean 1000 ''",
    ]


# What is sent meanwhile


@scenario("REC-09", "REC-11")
async def what_is_sent_meanwhile_goes_out_in_order(stage):
    """Before the first connection, between two, and inside listeners; each message to one connection only."""
    ws = come_back(
        stage,
        ["accept", "read 2", "fin"],
        ["accept", "read 3", "fin"],
        ["accept", "read 4", "close 1000"],
    )
    ws.addEventListener("open", lambda _: ws.send("open"))
    ws.send("é")
    stage.note(f"buffered {ws.bufferedAmount}")

    def away(_):
        ws.send("away")
        ws.send(bytes(3))
        stage.note(f"buffered {ws.bufferedAmount}")

    ws.addEventListener("reconnecting", away)
    await stage.event(ws, "reconnecting")
    await stage.event(ws, "reconnecting")
    ws.send(memoryview(b"last"))
    stage.note(f"buffered {ws.bufferedAmount}")
    await stage.closed(ws)
    heard = await stage.heard(ws)
    stage.journal += [line for line in heard if not line.startswith(("heard eof", "heard close"))]
    return [
        "buffered 2",
        "open 1",
        f"reconnecting 0 {GONE} attempt 1 in 10 ms",
        "buffered 7",
        "open 1",
        f"reconnecting 0 {GONE} attempt 2 in 20 ms",
        "buffered 7",
        "buffered 11",
        "open 1",
        "close 3 clean 1000 ''",
        "heard text '\\xe9'",
        "heard text 'open'",
        "heard text 'away'",
        r"heard binary b'\x00\x00\x00'",
        "heard text 'open'",
        "heard text 'away'",
        r"heard binary b'\x00\x00\x00'",
        "heard binary b'last'",
        "heard text 'open'",
    ]


@scenario("SND-08", "REC-09")
async def what_waits_is_a_copy(stage):
    """What a program changes in a buffer after `send` is not sent."""
    ws = come_back(stage, ["accept", "echo"])
    ws.binaryType = "arraybuffer"
    data = bytearray(b"abc")
    ws.send(data)
    ws.send(memoryview(data))
    ws.send(memoryview(data)[1:])
    data[:] = b"xyz"
    await stage.messages(ws, 3)
    ws.close()
    await stage.closed(ws)
    return ["open 1", "message 1 b'abc'", "message 1 b'abc'", "message 1 b'bc'", "close 3 clean 1005 ''"]


@scenario("REC-10")
async def a_full_queue_says_so(stage):
    """`send` raises, what waits already stays, and after the next `open` there is room again."""
    ws = come_back(stage, ["accept", "read 4", "fin"], ["accept", "read 4", "close 1000"], max_queued=4)

    def fill(_=None):
        for data in ("one", b"xy", "x", "", "12345"):
            stage.attempt(ws.send, data)
            stage.note(f"buffered {ws.bufferedAmount}")

    fill()
    ws.addEventListener("open", lambda _: ws.send("more than that"))
    ws.addEventListener("reconnecting", fill)
    await stage.closed(ws)
    heard = await stage.heard(ws)
    stage.journal += [line for line in heard if line.startswith("heard text")]
    full = ["buffered 3", "raised QuotaExceededError", "buffered 3", "buffered 4", "buffered 4"]
    full += ["raised QuotaExceededError", "buffered 4"]
    heard = ["heard text 'one'", "heard text 'x'", "heard text ''", "heard text 'more than that'"]
    return [
        *full,
        "open 1",
        f"reconnecting 0 {GONE} attempt 1 in 10 ms",
        *full,
        "open 1",
        "close 3 clean 1000 ''",
        *heard,
        *heard,
    ]


@scenario("REC-10")
async def empty_messages_fill_the_queue_too(stage):
    """There are never more messages than bytes; with `max_queued=0` nothing waits."""
    ws = come_back(stage, ["hang"], max_queued=2)
    for _ in range(3):
        stage.attempt(ws.send, "")
    ws.close()
    await stage.closed(ws)
    ws = come_back(stage, ["accept", "echo"], max_queued=0)
    stage.attempt(ws.send, "")
    await stage.opened(ws)
    ws.send("open")
    await stage.messages(ws, 1)
    ws.close()
    await stage.closed(ws)
    full = "raised QuotaExceededError"
    return [full, *FAILED, full, "open 1", "message 1 'open'", "close 3 clean 1005 ''"]


@scenario("REC-09")
async def what_never_went_out_stays_counted(stage):
    """At the end, as the standard has it of what is sent once the closing began."""
    ws = come_back(stage, [REFUSAL, "fin"], max_attempts=1)
    ws.send("four")
    await stage.closed(ws)
    ws.send("and five")
    stage.note(f"buffered {ws.bufferedAmount}")
    return [f"reconnecting 0 {GONE} attempt 1 in 10 ms", *FAILED, "buffered 12"]


@scenario("REC-15")
async def binary_type_is_kept(stage):
    """It is asked for each message, whichever connection that comes by."""
    ws = come_back(stage, ["accept", "ready", "binary 01", "fin"], ["accept", "ready", "binary 02", "close 1000"])
    ws.addEventListener("open", lambda _: ws.send("ready"))
    ws.binaryType = "blob"
    ws.addEventListener("message", lambda event: stage.note(f"origin {event.origin == stage.origin}"))
    await stage.closed(ws)
    return [
        "open 1",
        "message 1 Blob of 1",
        "origin True",
        f"reconnecting 0 {GONE} attempt 1 in 10 ms",
        "open 1",
        "message 1 Blob of 1",
        "origin True",
        "close 3 clean 1000 ''",
    ]


# The end, at any moment


@scenario("REC-05")
async def close_ends_it_while_it_connects(stage):
    """Before anything has happened, and in the middle of a handshake; nothing is fired inside the call."""
    for wait in (0, 0.1):
        ws = come_back(stage, ["hang"])
        if wait:
            await stage.sleep(wait)
        ws.close(3000, "enough")
        stage.note(f"closing {ws.readyState}")
        await stage.closed(ws)
    return ["closing 2", *FAILED] * 2


@scenario("REC-05")
async def close_ends_it_while_it_is_away(stage):
    """No attempt follows, and what waits stays counted."""
    ws = come_back(stage, ["fin"], first_delay=NEVER, max_delay=NEVER)
    await stage.event(ws, "reconnecting")
    ws.send("kept")
    ws.close()
    ws.close()
    ws.send("late")
    stage.note(f"closing {ws.readyState}")
    await stage.closed(ws)
    stage.note(f"buffered {ws.bufferedAmount}")
    return [f"reconnecting 0 {GONE} attempt 1 in {NEVER * 1000} ms", "closing 2", *FAILED, "buffered 8"]


@scenario("REC-05", "REC-12")
async def close_ends_it_while_a_function_is_asked(stage):
    """Before it is asked, inside it, and while it waits; its answer is of no interest then."""
    url = stage.address(["accept", "close 1000"])

    async def slow():
        await stage.sleep(0.2)
        return url

    async def closing():
        ws.close()
        await stage.sleep(0.001)
        return url

    def closing_now():
        ws.close()
        return url

    for source, wait in ((slow, 0), (slow, 0.1), (closing, 0), (closing_now, 0)):
        ws = stage.adopt(ReconnectingWebSocket(source, **QUICK))
        if source is slow:
            if wait:
                await stage.sleep(wait)
            ws.close()
        await stage.closed(ws)
    await stage.sleep(0.3)
    return FAILED * 4


@scenario("REC-05")
async def close_ends_it_inside_any_listener(stage):
    """One `close` event follows, and none of the others."""
    ready = ["accept", "ready", "hold", "text one", "text two", "release"]
    for kind, parts in (
        ("open", [ready]),
        ("message", [ready]),
        ("reconnecting", [[*ready, "fin"], ["accept"]]),
        ("error", [["fin"]]),
        ("close", [[*ready, "fin"], ["accept", "ready", "close 1000"]]),
    ):
        ws = come_back(stage, *parts, max_attempts=0 if kind == "error" else 1)
        ws.addEventListener("open", lambda _, ws=ws: ws.send("ready"))
        ws.addEventListener(kind, lambda _, ws=ws: ws.close(3000, "enough"))
        await stage.closed(ws)
        stage.note("over")
    ended = "close 3 clean 3000 'enough'"
    lost = ["open 1", "message 1 'one'", "message 1 'two'", f"reconnecting 0 {GONE} attempt 1 in 10 ms"]
    return [
        *["open 1", ended, "over"],
        *["open 1", "message 1 'one'", ended, "over"],
        *[*lost, *FAILED, "over"],
        *[*FAILED, "over"],
        *[*lost, "open 1", "close 3 clean 1000 ''", "over"],
    ]


@scenario("REC-05", "REC-02")
async def close_ends_it_after_a_new_connection(stage):
    """Listeners of all times hear of it: those added while it was away, and `once` is once for all connections."""
    ws = come_back(stage, ["accept", "ready", "fin"], ["accept", "ready", "echo"])
    ws.addEventListener("open", lambda _: ws.send("ready"))
    ws.addEventListener("open", lambda _: stage.note("once"), once=True)
    ws.addEventListener("reconnecting", lambda _: ws.addEventListener("open", lambda _: stage.note("added")))
    await stage.event(ws, "reconnecting")
    await stage.opened(ws)
    ws.close()
    await stage.closed(ws)
    return [
        "open 1",
        "once",
        f"reconnecting 0 {GONE} attempt 1 in 10 ms",
        "open 1",
        "added",
        "close 3 clean 1005 ''",
    ]


@scenario("REC-05")
async def close_has_the_code_of_the_server(stage):
    """The server's code and reason are told, as the standard has it, and it does not come back."""
    ws = come_back(stage, ["accept", "until close", "close 4001 theirs"], ["accept"])
    await stage.opened(ws)
    ws.close(3000)
    ws.close(3001)
    await stage.closed(ws)
    return ["open 1", "close 3 clean 4001 'theirs'"]


@scenario("REC-03")
async def a_program_can_make_its_event(stage):
    """`ReconnectingEvent` is made as other events are, and is a `CloseEvent`."""
    event = ReconnectingEvent("reconnecting", {"code": 1012, "attempt": 2}, delay=0.5, wasClean=True)
    stage.note(f"{event.type} {event.code} {show(event.reason)} {event.wasClean} {event.attempt} {event.delay}")
    event = ReconnectingEvent("x")
    stage.note(f"{event.type} {event.code} {event.wasClean} {event.attempt} {event.delay} {isinstance(event, Event)}")
    stage.attempt(lambda: ReconnectingEvent("x", delays=1))
    return ["reconnecting 1012 '' True 2 0.5", "x 0 False 0 0.0 True", "raised TypeError"]

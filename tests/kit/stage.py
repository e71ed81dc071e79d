"""What a scenario stands on: sockets whose events write a journal, a peer told by URL what to do, waits with limits.

The same file in every runtime, so it imports `sys`, `pyws` and that runtime's way to wait.
A scenario is one conversation; it returns the list its journal must equal.
"""

import sys

from pyws import DOMException, WebSocket

from notation import address, show

if sys.platform == "brython":
    from browser import timer
    from browser.aio import Future, sleep

    def later(seconds, callback):
        """Call `callback` after `seconds`; what is returned cancels that."""
        handle = timer.set_timeout(callback, seconds * 1000)
        return lambda: timer.clear_timeout(handle)
elif sys.platform == "webassembly":
    import asyncio

    import js

    Future, sleep = asyncio.Future, asyncio.sleep

    def later(seconds, callback):
        """Call `callback` after `seconds`; what is returned cancels that."""
        handle = js.setTimeout(lambda: callback(), seconds * 1000)
        return lambda: js.clearTimeout(handle)
else:
    import asyncio

    Future, sleep = asyncio.Future, asyncio.sleep

    def later(seconds, callback):
        """Call `callback` after `seconds`; what is returned cancels that."""
        return asyncio.get_running_loop().call_later(seconds, callback).cancel


PATIENCE = 8  # seconds until a wait writes "timeout" and gives up
IMPATIENCE = 1  # the same for the waits of that scenario after its first timeout
FAILED = ["error 3", "close 3 unclean 1006 ''"]  # the rows of a connection that failed
SCENARIOS = {}


class ExceptHook:
    """`with ExceptHook(report):` calls `report(kind, error, traceback)` for what goes to `sys.excepthook`."""

    def __init__(self, report):
        self._report = report

    def __enter__(self):
        if sys.platform == "webassembly":  # which has no hook: the loop's exception handler takes its place
            loop = asyncio.get_event_loop()
            self._before = loop.get_exception_handler()
            loop.set_exception_handler(lambda _, context: self._tell(context["exception"]))
        else:
            self._before = sys.excepthook
            sys.excepthook = self._report

    def __exit__(self, *exception):
        if sys.platform == "webassembly":
            asyncio.get_event_loop().set_exception_handler(self._before)
        else:
            sys.excepthook = self._before

    def _tell(self, error):
        self._report(type(error), error, Printed(error))


class Printed:
    """The last entry of a traceback, by what is printed of it: MicroPython shows no other."""

    tb_next = None

    def __init__(self, error):
        self.tb_frame = self.f_code = self
        self.co_name = trace(error).rpartition(", in ")[2].partition("\n")[0]


class Scenario:
    """A function and the requirements it is the evidence for."""

    def __init__(self, function, ids):
        self.function = function
        self.ids = ids


def scenario(*ids):
    """Register `async def name(stage)` as the scenario of these requirements."""

    def register(function):
        assert function.__name__ not in SCENARIOS, function.__name__
        SCENARIOS[function.__name__] = Scenario(function, ids)
        return function

    return register


async def perform(name, origin, key, engine):
    """Play one scenario; its journal, the journal expected and the traceback, if any, as a dict fit for JSON.

    `key` sets this performance apart from all others at the peer; `engine` is "cpython" or the browser's name.
    """
    stage = Stage(origin, key, engine)
    expected, error = [], None
    try:
        expected = await SCENARIOS[name].function(stage)
    except Exception as raised:
        error = trace(raised)
    await stage.leave()
    return {"journal": stage.journal, "expected": expected, "error": error}


def trace(error):
    """The traceback of an exception, as text."""
    if sys.platform == "webassembly":
        import io

        text = io.StringIO()
        sys.print_exception(error, text)
        return text.getvalue()
    import traceback  # slow to import in some runtimes, and seldom needed

    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


class Stage:
    """One performance of one scenario."""

    def __init__(self, origin, key, engine):
        self.journal = []
        self.engine = engine
        self._patience = PATIENCE
        self.origin = origin
        self._key = key
        self._keys = {}  # by id(socket): the sockets are kept alive in _sockets
        self._messages = {}
        self._sockets = []
        self._streams = []
        self._inquiry = None  # the socket on which the peer is asked
        self._asked = 0

    def connect(self, *verbs, origin=None, protocols=None, journal=True, name=""):
        """Open a socket to the peer, which will do `verbs`; its events go to the journal, binary ones as bytes."""
        ws = self.adopt(WebSocket(self.address(verbs, origin=origin), protocols), journal, name)
        if "ready" in verbs:
            ws.addEventListener("open", lambda _: ws.send("ready"))
        return ws

    def address(self, *parts, origin=None):
        """The URL at which the peer will do those verbs, a list for each connection, for the next socket."""
        return address(origin or self.origin, self._next_key(), *parts)

    def adopt(self, ws, journal=True, name=""):
        """Take a socket that was opened with the last `address`; its events go to the journal, binary ones as bytes."""
        ws.binaryType = "arraybuffer"
        self._keys[id(ws)] = self._next_key()
        self._sockets.append(ws)
        self._messages[id(ws)] = []
        ws.addEventListener("message", lambda event: self._messages[id(ws)].append(event.data))
        if journal:
            self.watch(ws, name)
        return ws

    def _next_key(self):
        return f"{self._key}-{len(self._sockets) + len(self._streams) + 1}"

    def stream(self, *verbs, **options):
        """Open a WebSocketStream to the peer, which will do `verbs`."""
        import pyws

        stream = pyws.WebSocketStream(self.address(verbs), **options)
        self._keys[id(stream)] = self._next_key()
        self._streams.append(stream)
        return stream

    def watch(self, ws, name=""):
        """Write every event of `ws` to the journal, after `name` where sockets have to be told apart."""
        prefix = name and name + " "
        for kind in ("open", "message", "reconnecting", "error", "close"):
            ws.addEventListener(kind, lambda event: self.note(prefix + row(ws, event)))

    def note(self, text):
        self.journal.append(text)

    def attempt(self, function, *arguments):
        """Call `function`; a row "raised NAME" if it raises, for a DOMException the standard's name."""
        try:
            return function(*arguments)
        except Exception as error:
            self.note(f"raised {error.name if isinstance(error, DOMException) else type(error).__name__}")

    async def opened(self, ws):
        """Wait until `ws` is open, or over."""
        await self._until(ws, "open", lambda: ws.readyState != 0)

    async def closed(self, *sockets):
        """Wait until all of `sockets` are over."""
        for ws in sockets:
            await self._until(ws, "close", lambda ws=ws: ws.readyState == 3)

    async def event(self, ws, kind):
        """Wait for the next event of that kind, or the end."""
        seen = []
        ws.addEventListener(kind, lambda event: seen.append(event), once=True)
        await self._until(ws, kind, lambda: seen)

    async def messages(self, ws, number):
        """Wait for the first `number` messages since the start, or the end; the data of those that came."""
        received = self._messages[id(ws)]
        await self._until(ws, "message", lambda: len(received) >= number)
        return received[:number]

    async def sleep(self, seconds):
        await sleep(seconds)

    async def heard(self, ws):
        """Rows of what the peer heard on this connection after the handshake, once that conversation is over."""
        # Brython loses its frames in a comprehension that awaits.
        lines = await self.ask("/heard/" + self._keys[id(ws)])
        return ["heard " + line for line in lines]

    async def written(self, ws):
        """How many bytes of this connection the network took from the peer."""
        lines = await self.ask("/written/" + self._keys[id(ws)])
        return int(lines[0])

    async def wake(self, ws):
        """Wake the peer, which sleeps on this connection."""
        await self.ask("/wake/" + self._keys[id(ws)])

    async def request(self, ws):
        """The request line and headers of this connection."""
        return await self.ask("/request/" + self._keys[id(ws)])

    async def ask(self, question):
        """The peer's answer to a question (see there), one `str` per line."""
        if self._inquiry is None:
            self._inquiry = WebSocket(f"{self.origin}/questions")
            self._messages[id(self._inquiry)] = received = []
            self._inquiry.addEventListener("message", lambda event: received.append(event.data))
        await self.opened(self._inquiry)
        self._inquiry.send(question)
        self._asked += 1
        number = self._asked
        answers = await self.messages(self._inquiry, number)
        lines = "".join(answers[number - 1 :])
        return lines.split("\n") if lines else []

    async def stop_asking(self):
        """Close the connection on which the peer is asked, if there is one."""
        if self._inquiry is not None:
            self._inquiry.close()
            await self.closed(self._inquiry)

    async def leave(self):
        """Write what was left open and close it: a scenario ends when all its sockets have."""
        await self.stop_asking()
        for ws in self._sockets:
            if ws.readyState != 3:
                self.note(f"left with readyState {ws.readyState}")
                ws.close()
        for stream in self._streams:
            stream.close()

    async def _until(self, ws, kind, ready):
        """Wait for an event of `kind` after which `ready()` holds, or for `close`, or until patience ends."""
        if ready() or ws.readyState == 3:
            return
        outcome = Future()

        def settle(result):
            if not outcome.done():
                outcome.set_result(result)

        def listen(event):
            if event.type == "close" or ready():
                settle("")

        cancel = later(self._patience, lambda: settle(f"timeout: no {kind}, readyState {ws.readyState}"))
        for type_ in {kind, "close"}:
            ws.addEventListener(type_, listen)
        row = await outcome
        cancel()
        for type_ in {kind, "close"}:
            ws.removeEventListener(type_, listen)
        if row:
            self.note(row)
            self._patience = IMPATIENCE


def row(ws, event):
    """One event as the journal has it: type, the socket's readyState at that moment, the event's own fields."""
    words = [event.type, str(ws.readyState)]
    if event.type == "open":
        if ws.protocol:
            words.append("protocol " + show(ws.protocol))
        if ws.extensions:
            words.append("extensions " + show(ws.extensions))
    elif event.type == "message":
        data = event.data
        words.append(show(data) if isinstance(data, (str, bytes)) else f"{type(data).__name__} of {data.size}")
    elif event.type in ("close", "reconnecting"):
        words += ["clean" if event.wasClean else "unclean", str(event.code), show(event.reason)]
        if event.type == "reconnecting":
            words.append(f"attempt {event.attempt} in {round(event.delay * 1000)} ms")
    return " ".join(words)

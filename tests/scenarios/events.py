"""Events, listeners, handler attributes and abort signals: the DOM standard as a WebSocket has it, in every runtime."""

import sys

from pyws import AbortController, AbortSignal, CloseEvent, DOMException, Event, EventTarget, MessageEvent, WebSocket

from notation import show
from stage import FAILED, ExceptHook, Future, later, row, scenario


def reports(stage):
    """`with reports(stage):` writes what goes to `sys.excepthook` into the journal, and where it was raised."""

    def report(kind, error, traceback):
        while traceback.tb_next is not None:
            traceback = traceback.tb_next
        stage.note(f"reported {kind.__name__} from {traceback.tb_frame.f_code.co_name}")

    return ExceptHook(report)


def says(stage, text):
    """A listener, a new one each time, that writes `text`."""
    return lambda _: stage.note(text)


def spin(milliseconds):
    """Keep the thread busy, by the one clock that every runtime has at hand."""
    start = Event("").timeStamp
    while Event("").timeStamp - start < milliseconds:
        pass


async def over(stage, ws):
    """Give up a socket that was only needed as an object."""
    ws.close()
    await stage.closed(ws)


# What the events say


@scenario("EVT-04", "EVT-05", "EVT-11", "EVT-12", "EVT-14")
async def events_of_the_network_carry_their_fields(stage):
    """Class, flags and fields of each event, and `isTrusted`, which nobody can set."""
    ws = stage.connect("accept", "ready", "text hi", "raw 8300", journal=False)

    def describe(event):
        flags = [name for name in ("bubbles", "cancelable", "composed", "isTrusted") if getattr(event, name)]
        details = [name for name in ("data", "message", "code", "reason", "wasClean") if hasattr(event, name)]
        stage.note(f"{type(event).__name__} {event.type}: {' '.join(flags)}; {' '.join(details)}")
        if isinstance(event, MessageEvent):
            stage.note(f"{show(event.lastEventId)} {event.source} {event.ports} {event.ports is event.ports}")
        stage.attempt(setattr, event, "isTrusted", False)

    ws.onopen = ws.onmessage = ws.onerror = ws.onclose = describe
    await stage.closed(ws)
    for event in (Event("open"), MessageEvent("message"), CloseEvent("close")):
        stage.note(f"made: {event.isTrusted}")
    return [
        *["Event open: isTrusted; ", "raised AttributeError"],
        *["MessageEvent message: isTrusted; data", "'' None () True", "raised AttributeError"],
        *["Event error: isTrusted; ", "raised AttributeError"],
        *["CloseEvent close: isTrusted; code reason wasClean", "raised AttributeError"],
        *["made: False"] * 3,
    ]


@scenario("EVT-06")
async def a_message_names_its_origin(stage):
    """Scheme, host in lower case and port of the URL; neither credentials nor path."""
    port = stage.origin.rpartition(":")[2]
    ws = stage.connect("accept", "text x", "close", origin=f"WS://user:word@LocalHost:{port}", journal=False)
    ws.onmessage = lambda event: stage.note(event.origin.replace(port, "PORT"))
    await stage.closed(ws)
    return ["ws://localhost:PORT"]


@scenario("EVT-13")
async def an_event_knows_where_it_is(stage):
    """`target` and `currentTarget` are the very socket, the phase is 2; afterwards only `target` remains."""
    ws = stage.connect("accept", "ready", "text x", "raw 8300", journal=False)
    events = []

    def describe(event):
        path = event.composedPath()
        at_home = event.target is ws and event.srcElement is ws and event.currentTarget is ws
        stage.note(f"{event.type} {at_home} {event.eventPhase} {len(path)} {path[0] is ws}")
        events.append(event)

    for kind in ("open", "message", "error", "close"):
        ws.addEventListener(kind, describe)
    await stage.closed(ws)
    for event in events:
        stage.note(f"{event.target is ws} {event.currentTarget} {event.eventPhase} {event.composedPath()}")
    during = [f"{kind} True 2 1 True" for kind in ("open", "message", "error", "close")]
    return [*during, *["True None 0 []"] * 4]


@scenario("EVT-15", "PYQ-25")
async def time_stamps_do_not_run_backwards(stage):
    """`timeStamp` is a float, in milliseconds, of a clock that only goes forward."""
    stamps = [Event("before").timeStamp]
    ws = stage.connect("accept", "text x", "read", "text y", "close", journal=False)
    for kind in ("open", "message", "close"):
        ws.addEventListener(kind, lambda event: stamps.append(event.timeStamp))
    await stage.messages(ws, 1)
    await stage.sleep(0.1)
    ws.send("now")
    await stage.closed(ws)
    stamps.append(Event("after").timeStamp)
    stage.note(f"{[type(stamp).__name__ for stamp in stamps]}")
    stage.note(f"sorted {stamps == sorted(stamps)}")
    # Above it is only what a scenario may last, and that is less than the microseconds of a tenth of a second.
    stage.note(f"a tenth of a second {90 < stamps[3] - stamps[2] < 60000}")
    return [f"{['float'] * 6}", "sorted True", "a tenth of a second True"]


@scenario("EVT-17", "EVT-20")
async def listeners_hear_what_comes_after_they_were_added(stage):
    """Nothing is missed between the constructor and the first `await`, nothing past is delivered again."""
    ws = stage.connect("accept", "binary 010203", "binary 040506", "close 1000", journal=False)
    spin(60)
    stage.watch(ws)
    await stage.closed(ws)
    stage.watch(ws, "never")
    ws.onopen = ws.onmessage = ws.onclose = says(stage, "never")
    unheard = WebSocket(ws.url)
    while unheard.readyState != 3:
        await stage.sleep(0.01)
    stage.watch(unheard, "never")
    await stage.sleep(0.05)
    return ["open 1", r"message 1 b'\x01\x02\x03'", r"message 1 b'\x04\x05\x06'", "close 3 clean 1000 ''"]


@scenario("EVT-20")
async def a_busy_listener_delays_and_loses_nothing(stage):
    """While one listener runs, 20 messages and the Close arrive; they are dispatched afterwards, in order."""
    ws = stage.connect("accept", "text first", "wait 0.02", *[f"text {n}" for n in range(20)], "close 4000")
    ws.addEventListener("message", lambda _: spin(80), once=True)
    await stage.closed(ws)
    return ["open 1", "message 1 'first'", *[f"message 1 '{n}'" for n in range(20)], "close 3 clean 4000 ''"]


@scenario("EVT-18")
async def no_event_of_the_network_can_be_prevented(stage):
    """`preventDefault()`, `returnValue` and a handler's False change nothing."""
    ws = stage.connect("accept", "ready", "text one", "text two", "raw 8300")

    def prevent(event):
        event.preventDefault()
        event.returnValue = False
        stage.note(f"prevented {event.defaultPrevented}")
        return False

    ws.onopen = ws.onmessage = ws.onerror = ws.onclose = prevent
    await stage.closed(ws)
    rows = ["open 1", "message 1 'one'", "message 1 'two'", *FAILED]
    return [text for row in rows for text in (row, "prevented False")]


@scenario("EVT-03", "EVT-21", "PYQ-11", "PYQ-12", "PYQ-13")
async def what_a_listener_sets_off_runs_after_the_dispatch(stage):
    """A timer, an `async def` listener and the waiter of a future come after `close`, though `error` set them off."""
    ws = stage.connect("accept", "ready", "raw 8300")
    outcome = Future()
    after = []

    async def started(_):
        after.append(f"task after {stage.journal[-1]}")

    def set_off(_):
        later(0, lambda: after.append(f"timer after {stage.journal[-1]}"))
        outcome.set_result("waiter")

    ws.addEventListener("error", started)
    ws.addEventListener("error", set_off)
    ws.addEventListener("error", says(stage, "last listener"))
    text = await outcome
    after.append(f"{text} after {stage.journal[-1]}")
    await stage.sleep(0.05)
    stage.journal += sorted(after)
    close = FAILED[1]
    return [
        *["open 1", "error 3", "last listener", close],
        *[f"task after {close}", f"timer after {close}", f"waiter after {close}"],
    ]


# Exceptions and `async def`


@scenario("TGT-15", "TGT-05", "PYQ-14")
async def exceptions_are_reported_and_stop_nothing(stage):
    """Each goes to `sys.excepthook` with its traceback, in order; what cannot be called is a TypeError."""
    target = EventTarget()

    class Failing:
        def handleEvent(self, event):
            raise KeyError(event.type)

    class Deaf:
        handleEvent = 7

    class Subtle(BaseException):
        pass

    def fail(event):
        raise ValueError(event.type)

    def fail_subtly(event):
        raise Subtle

    target.addEventListener("x", fail)
    target.addEventListener("x", Failing(), once=True)
    target.addEventListener("x", fail_subtly)
    target.addEventListener("x", object())
    target.addEventListener("x", Deaf())
    target.addEventListener("x", says(stage, "the last"))
    with reports(stage):
        for _ in range(2):
            stage.note(f"dispatched {target.dispatchEvent(Event('x'))}")
    first, once, *rest = [
        *["reported ValueError from fail", "reported KeyError from handleEvent", "reported Subtle from fail_subtly"],
        *["reported TypeError from call", "reported TypeError from call", "the last", "dispatched True"],
    ]
    return [first, once, *rest, first, *rest]


@scenario("HND-10", "PYQ-13", "PYQ-14")
async def async_listeners_are_started_in_order(stage):
    """None runs inside the dispatch; all are started in order, whatever their shape; their exceptions are reported."""
    ws = stage.connect("hold", "accept", "text one", "release", "close")
    done = Future()

    async def listen(event):
        stage.note(f"listen {event.data}")
        await stage.sleep(0)
        raise ValueError("after the first await")

    async def fail(event):
        stage.note(f"fail {event.data}")
        raise KeyError

    class Listener:
        async def handleEvent(self, event):
            stage.note(f"handleEvent {event.data}")

    class Caller:
        async def __call__(self, event):
            stage.note(f"called {event.data}")
            await stage.sleep(0.05)
            done.set_result("done")

    class Handler:
        async def method(self, event):
            stage.note(f"method {event.data}")

    ws.addEventListener("message", listen)
    ws.onmessage = Handler().method
    ws.addEventListener("message", Listener())
    ws.addEventListener("message", Caller())
    ws.addEventListener("message", fail)
    ws.addEventListener("message", says(stage, "not async"))
    with reports(stage):
        stage.note(await done)
    ws.removeEventListener("message", listen)
    await stage.closed(ws)
    stage.journal.remove("close 3 clean 1005 ''")  # whenever it came
    return [
        *["open 1", "message 1 'one'", "not async"],
        *["listen one", "method one", "handleEvent one", "called one", "fail one"],
        *["reported KeyError from fail", "reported ValueError from listen", "done"],
    ]


@scenario("EVT-19", "PYQ-14")
async def a_failing_hook_disturbs_nothing(stage):
    """Where `sys.excepthook` itself raises, the next listener and the next event still run."""
    ws = stage.connect("hold", "accept", "text one", "close", "release")

    def fail(*_):
        raise ValueError

    ws.addEventListener("message", fail)
    ws.addEventListener("message", says(stage, "next listener"))
    with ExceptHook(fail):
        if sys.platform == "webassembly":  # Deviation: HND-10, MicroPython
            await stage.closed(ws)
            return ["open 1", "message 1 'one'", "next listener", "close 3 clean 1005 ''"]
        before = sys.__excepthook__
        sys.__excepthook__ = lambda kind, error, traceback: stage.note(f"default hook {kind.__name__}")
        try:
            await stage.closed(ws)
        finally:
            sys.__excepthook__ = before
    return ["open 1", "message 1 'one'", "default hook ValueError", "next listener", "close 3 clean 1005 ''"]


# Handler attributes


@scenario("HND-01", "HND-02", "HND-04", "HND-05", "TGT-03")
async def handler_attributes_hold_what_they_are_given(stage):
    """None at first, then the very object set; numbers and strings are None; what is not callable is silent."""
    ws = stage.connect("hang", journal=False)
    names = ["onopen", "onmessage", "onerror", "onclose"]
    stage.note(f"{[getattr(ws, name) for name in names]}")

    class Listener:
        def handleEvent(self, event):
            stage.note("never")

        def method(self, event):
            pass

        async def job(self, event):
            pass

    listener = Listener()
    for value in (says(stage, ""), listener.method, listener.job, Listener, print, [].append, listener, {}, [1], ()):
        for name in names:
            setattr(ws, name, value)
        stage.note(f"same {[getattr(ws, name) is value for name in names]}")
    with reports(stage):
        for value in (listener, {}, object()):
            ws.onmessage = value
            ws.dispatchEvent(MessageEvent("message"))
    for value in (None, 2, 0.5, ";", "", b"x", True, False):
        ws.onmessage = says(stage, "never")
        ws.onmessage = value
        ws.dispatchEvent(MessageEvent("message"))
        stage.note(f"{ws.onmessage}")
    for name in names:
        setattr(ws, name, None)
    await over(stage, ws)
    return [f"{[None] * 4}", *[f"same {[True] * 4}"] * 10, *["None"] * 8]


@scenario("IDL-03", "HND-02")
async def a_misspelt_handler_attribute_is_an_error(stage):
    """A socket has four; setting or reading another raises AttributeError, so that a typo is heard."""
    ws = stage.connect("hang", journal=False)
    for name in ("onmesage", "onOpen", "on", "onabort"):
        stage.attempt(setattr, ws, name, says(stage, "never"))
        stage.note(f"{hasattr(ws, name)}")
    ws.note = "anything else may be set"
    stage.note(ws.note)

    class Chat(WebSocket):
        online = False

    chat = Chat(ws.url)
    chat.online = True
    stage.note(f"{chat.online}")
    await over(stage, chat)
    await over(stage, ws)
    return [*["raised AttributeError", "False"] * 4, "anything else may be set", "True"]


@scenario("HND-03", "HND-04")
async def a_handler_keeps_its_place_until_it_is_none(stage):
    """Replaced it stays where it is, cleared and set again it comes last."""
    ws = stage.connect("hang", journal=False)
    ws.onmessage = says(stage, "never")
    ws.addEventListener("message", says(stage, "listener"))
    ws.onmessage = {}
    ws.onmessage = says(stage, "replaced")
    ws.dispatchEvent(MessageEvent("message"))
    for value in (None, 2):
        ws.onmessage = value
        ws.addEventListener("message", says(stage, f"after {value}"))
        ws.onmessage = says(stage, "renewed")
        ws.dispatchEvent(MessageEvent("message"))
    await over(stage, ws)
    return [
        *["replaced", "listener"],
        *["listener", "after None", "renewed"],
        *["listener", "after None", "after 2", "renewed"],
    ]


@scenario("HND-06", "HND-07")
async def a_handler_gets_the_event_and_cancels_by_false(stage):
    """One argument for all four; only False, only from a handler, only a cancelable event."""
    ws = stage.connect("hang", journal=False)
    result = None

    def answer(*arguments):
        (event,) = arguments
        stage.note(f"{event.type} {event.currentTarget is ws}")
        return result

    ws.onopen = ws.onmessage = ws.onerror = ws.onclose = answer
    for kind in ("open", "message", "error", "close"):
        ws.dispatchEvent(MessageEvent(kind))
    ws.onopen = ws.onmessage = ws.onerror = ws.onclose = lambda _: result
    for result in (False, True, 0, "", None):
        canceled = [not ws.dispatchEvent(MessageEvent(kind, cancelable=True)) for kind in ("message", "error")]
        stage.note(f"{result} {canceled}")
    stage.note(f"not cancelable {ws.dispatchEvent(Event('error'))}")
    ws.onerror = None
    ws.addEventListener("error", lambda _: False)
    stage.note(f"listener {ws.dispatchEvent(Event('error', cancelable=True))}")
    ws.onopen = ws.onmessage = ws.onclose = None
    await over(stage, ws)
    return [
        *["open True", "message True", "error True", "close True"],
        "False [True, True]",
        *[f"{result} [False, False]" for result in (True, 0, "", None)],
        *["not cancelable True", "listener True"],
    ]


@scenario("HND-08")
async def a_handler_can_be_changed_during_the_dispatch(stage):
    """Replaced: the new one runs; None: none; None and set again, or first set: not in this dispatch."""
    ws = stage.connect("hang", journal=False)

    def replace(_):
        ws.onopen = says(stage, "replacement")

    def clear(_):
        ws.onopen = None

    def renew(_):
        ws.onopen = None
        ws.onopen = says(stage, "renewed")

    def set_first(_):
        ws.onerror = says(stage, "set")

    def replace_itself(_):
        stage.note("itself")
        ws.onclose = says(stage, "successor")

    for change in (replace, clear, renew):
        ws.addEventListener("open", change, once=True)
        ws.onopen = says(stage, "original")
        for _ in range(2):
            stage.note(f"{change.__name__}:")
            ws.dispatchEvent(Event("open"))
        ws.onopen = None
    ws.addEventListener("error", set_first, once=True)
    ws.onclose = replace_itself
    for kind in ("error", "error", "close", "close"):
        stage.note(kind)
        ws.dispatchEvent(Event(kind))
    ws.onerror = ws.onclose = None
    await over(stage, ws)
    return [
        *["replace:", "replacement", "replace:", "replacement"],
        *["clear:", "clear:"],
        *["renew:", "renew:", "renewed"],
        *["error", "error", "set", "close", "itself", "close", "successor"],
    ]


# Listeners


@scenario("TGT-01", "TGT-02", "TGT-14")
async def listeners_are_told_apart_by_callback_and_capture(stage):
    """Bool, dict and keywords say the same; a second registration changes nothing; removal matches `capture` alone."""
    target = EventTarget()

    def listener(event):
        stage.note(f"heard, prevented {event.defaultPrevented}")
        event.preventDefault()

    def dispatch():
        stage.note(f"{target.dispatchEvent(Event('x', cancelable=True))}")

    target.addEventListener("x", listener)
    target.addEventListener("x", listener, False)
    target.addEventListener("x", listener, {"once": True, "passive": True})
    target.addEventListener("x", listener, capture=False, once=True)
    dispatch()
    for options in (True, {"capture": True}, {"capture": 1, "once": True}):
        target.addEventListener("x", listener, options)
    dispatch()
    target.removeEventListener("x", listener, {"capture": False, "once": True, "unknown": 1})
    target.removeEventListener("y", listener, True)
    target.removeEventListener("x", says(stage, ""), capture=True)
    dispatch()
    target.removeEventListener("x", listener)
    dispatch()
    target.removeEventListener("x", listener, capture=True)
    target.removeEventListener("x", listener, True)
    target.removeEventListener("z", None)
    dispatch()
    results = [target.addEventListener("x", listener), target.removeEventListener("x", listener)]
    stage.note(f"{results}")
    once = "heard, prevented False"
    return [once, "False", once, "heard, prevented True", "False", *[once, "False"] * 2, "True", "[None, None]"]


@scenario("PYQ-9", "TGT-02", "TGT-14")
async def bound_methods_are_the_same_listener_each_time(stage):
    """`a.method` is made anew at every access, and is one listener all the same; of another object it is another."""
    target = EventTarget()

    class Room:
        def __init__(self, name):
            self.name = name

        def __eq__(self, other):
            return True

        def __hash__(self):
            return 1

        def enter(self, event):
            stage.note(f"{self.name} enters")

        def leave(self, event):
            stage.note(f"{self.name} leaves")

        @classmethod
        def shut(cls, event):
            stage.note("all shut")

        @staticmethod
        def lock(event):
            stage.note("locked")

        def __call__(self, event):
            stage.note(f"{self.name} called")

    one, two = Room("one"), Room("two")
    for _ in range(2):
        for listener in (one.enter, two.enter, one.leave, Room.shut, one.shut, Room.lock, one, two):
            target.addEventListener("x", listener)
    target.dispatchEvent(Event("x"))
    stage.note("removed")
    for listener in (one.enter, two.leave, two.shut, Room.lock, one):
        target.removeEventListener("x", listener)
    target.dispatchEvent(Event("x"))
    return [
        *["one enters", "two enters", "one leaves", "all shut", "locked", "one called", "two called"],
        *["removed", "two enters", "one leaves", "two called"],
    ]


@scenario("TGT-04")
async def any_callable_listens(stage):
    """Functions, classes, builtins, objects; one that is callable is called, even if it has `handleEvent`."""
    target = EventTarget()
    events = []

    class Both:
        def __call__(self, event):
            stage.note("called")

        def handleEvent(self, event):
            stage.note("never")

    class Made:
        def __init__(self, event):
            stage.note(f"made by {event.type}")

    class Late:
        pass

    late = Late()
    for listener in (Both(), Made, events.append, late):
        target.addEventListener("x", listener)
    late.handleEvent = lambda event: stage.note(f"late {event.type}")
    event = Event("x")
    target.dispatchEvent(event)
    stage.note(f"{len(events)} {events[0] is event}")
    return ["called", "made by x", "late x", "1 True"]


@scenario("TGT-03", "IDL-04", "TGT-22")
async def what_can_never_be_called_is_refused(stage):
    """None is ignored; numbers, strings and a missing callback are TypeErrors; objects may learn to listen later."""
    target = EventTarget()
    for method in (target.addEventListener, target.removeEventListener):
        for callback in (1, 1.5, True, "f", b"f"):
            stage.attempt(method, "x", callback)
        stage.attempt(method, "x")
        stage.attempt(method, 5, says(stage, ""))
        stage.attempt(method, None, says(stage, ""))
        stage.attempt(method, "x", says(stage, ""), "capture")
        method("x", None)
        method("x", object())
        method("x", {})
    stage.note("nothing else")
    return [*["raised TypeError"] * 18, "nothing else"]


@scenario("TGT-06", "TGT-07", "TGT-08", "TGT-09")
async def capturing_listeners_come_first(stage):
    """They run before the others; `stopPropagation` there, or before the dispatch, silences what would follow."""
    target = EventTarget()
    plan = {}

    def add(name, **options):
        def listener(event):
            stage.note(name)
            if plan.get(name):
                getattr(event, plan[name])()

        target.addEventListener("x", listener, **options)

    add("plain one")
    add("capture one", capture=True)
    add("plain two")
    add("capture two", capture=True)
    for name, method in (
        ("nowhere", ""),
        ("capture one", "stopPropagation"),
        ("capture one", "stopImmediatePropagation"),
        ("plain one", "stopPropagation"),
        ("plain one", "stopImmediatePropagation"),
    ):
        plan = {name: method}
        stage.note(f"{method} in {name}:")
        target.dispatchEvent(Event("x"))
    stage.note("before the dispatch:")
    event = Event("x")
    event.stopPropagation()
    stage.note(f"{target.dispatchEvent(event)} {target.dispatchEvent(event)}")
    return [
        *[" in nowhere:", "capture one", "capture two", "plain one", "plain two"],
        *["stopPropagation in capture one:", "capture one", "capture two"],
        *["stopImmediatePropagation in capture one:", "capture one"],
        *["stopPropagation in plain one:", "capture one", "capture two", "plain one", "plain two"],
        *["stopImmediatePropagation in plain one:", "capture one", "capture two", "plain one"],
        *["before the dispatch:", "capture one", "capture two", "plain one", "True True"],
    ]


@scenario("TGT-09", "HND-09")
async def handlers_are_stopped_like_listeners(stage):
    """After `stopImmediatePropagation` no handler runs; `removeEventListener` does not remove one."""
    ws = stage.connect("hang", journal=False)
    handler = says(stage, "handler")

    def stop(event):
        stage.note("stop")
        event.stopImmediatePropagation()

    ws.addEventListener("message", stop)
    ws.onmessage = handler
    ws.dispatchEvent(MessageEvent("message"))
    ws.removeEventListener("message", stop)
    ws.removeEventListener("message", handler)
    ws.dispatchEvent(MessageEvent("message"))
    ws.addEventListener("message", handler)
    ws.dispatchEvent(MessageEvent("message"))
    ws.onmessage = None
    ws.removeEventListener("message", handler)
    ws.dispatchEvent(MessageEvent("message"))
    await over(stage, ws)
    return ["stop", "handler", "handler", "handler"]


@scenario("TGT-10")
async def the_listeners_of_a_dispatch_are_those_of_its_start(stage):
    """One that is added meanwhile runs the next time; one that is removed does not run, nor if it is added again."""
    target = EventTarget()
    removed = says(stage, "never")
    renewed = says(stage, "renewed")

    def change(_):
        stage.note("change")
        target.addEventListener("x", says(stage, "added"))
        target.removeEventListener("x", removed)
        target.removeEventListener("x", renewed)
        target.addEventListener("x", renewed)

    target.addEventListener("x", change, once=True)
    target.addEventListener("x", removed)
    target.addEventListener("x", renewed)
    for _ in range(2):
        stage.note(f"{target.dispatchEvent(Event('x'))}")
    # The phases look at the list one after the other.
    other = EventTarget()
    other.addEventListener("x", lambda _: other.addEventListener("x", says(stage, "next phase")), capture=True)
    other.dispatchEvent(Event("x"))
    return ["change", "True", "added", "renewed", "True", "next phase"]


@scenario("TGT-11")
async def once_means_once(stage):
    """The listener is gone before it is called: a nested dispatch does not call it, and it may be added again."""
    target = EventTarget()

    def listener(event):
        stage.note(f"once {event.type}")
        target.dispatchEvent(Event("x"))
        if len(stage.journal) < 4:
            target.addEventListener("x", listener, once=True)

    target.addEventListener("x", listener, {"once": True})
    for _ in range(4):
        target.dispatchEvent(Event("x"))
        stage.note("dispatched")
    return [*["once x", "dispatched"] * 3, "dispatched"]


@scenario("TGT-12")
async def a_passive_listener_prevents_nothing(stage):
    """`preventDefault` and `returnValue` are ignored inside, and work again in the next listener."""
    target = EventTarget()

    def prevent(event):
        event.preventDefault()
        event.returnValue = False
        stage.note(f"{event.defaultPrevented}")

    def fail(event):
        raise ValueError

    target.addEventListener("x", prevent, passive=True)
    stage.note(f"dispatched {target.dispatchEvent(Event('x', cancelable=True))}")
    target.addEventListener("x", fail, {"passive": True})
    target.addEventListener("x", prevent, {"passive": False, "capture": True})
    with reports(stage):
        stage.note(f"dispatched {target.dispatchEvent(Event('x', cancelable=True))}")
    event = Event("x", cancelable=True)
    with reports(stage):
        target.dispatchEvent(event)
    event.preventDefault()
    stage.note(f"afterwards {event.defaultPrevented}")
    failed = "reported ValueError from fail"
    twice = ["True", "True", failed]
    return ["False", "dispatched True", *twice, "dispatched False", *twice, "afterwards True"]


# Dispatching


@scenario("TGT-16", "TGT-18", "TGT-21")
async def dispatch_event_is_a_call(stage):
    """It calls listeners at once and says whether the event was canceled; whatever is no Event is a TypeError."""

    class Clock(EventTarget):
        def tick(self, **init):
            return self.dispatchEvent(Event("tick", **init))

    clock = Clock()
    stage.note(f"nobody listens {clock.tick(cancelable=True)}")
    clock.addEventListener("tick", lambda event: event.preventDefault())
    clock.addEventListener("tick", lambda event: stage.note(f"{event.target is clock} {event.isTrusted}"))
    stage.note(f"cancelable {clock.tick(cancelable=True)}")
    stage.note(f"not cancelable {clock.tick()}")
    for nonsense in (None, "tick", {}, {"type": "tick"}, Event):
        stage.attempt(clock.dispatchEvent, nonsense)
    stage.attempt(clock.dispatchEvent)
    return [
        "nobody listens True",
        *["True False", "cancelable False", "True False", "not cancelable True"],
        *["raised TypeError"] * 6,
    ]


@scenario("TGT-16", "TGT-19")
async def made_up_events_do_not_touch_the_connection(stage):
    """After synthetic open, message, error and close events it is OPEN and works; a used event is not trusted again."""
    ws = stage.connect("accept", "echo")
    saved = []
    ws.addEventListener("open", saved.append)
    await stage.opened(ws)
    stage.note(f"trusted {saved[0].isTrusted}")
    ws.dispatchEvent(saved[0])
    stage.note(f"trusted {saved[0].isTrusted}")
    ws.dispatchEvent(MessageEvent("message", data="made up"))
    ws.dispatchEvent(Event("error"))
    ws.dispatchEvent(CloseEvent("close", code=4000, wasClean=True))
    stage.note(f"still {ws.readyState}")
    ws.send("real")
    await stage.messages(ws, 2)
    ws.close()
    await stage.closed(ws)
    return [
        *["open 1", "trusted True", "open 1", "trusted False", "message 1 'made up'", "error 1"],
        *["close 1 clean 4000 ''", "still 1", "message 1 'real'", "close 3 clean 1005 ''"],
    ]


@scenario("TGT-17", "TGT-20")
async def an_event_can_be_dispatched_again(stage):
    """Not while it is dispatched; then the stop flags are gone, and what was prevented stays prevented."""
    target, other = EventTarget(), EventTarget()

    def listener(event):
        for place in (target, other):
            stage.attempt(place.dispatchEvent, event)
        event.stopImmediatePropagation()
        event.preventDefault()
        stage.note(f"stopped {event.cancelBubble}")

    target.addEventListener("x", listener, once=True)
    target.addEventListener("x", says(stage, "second"))
    event = Event("x", cancelable=True)
    for _ in range(2):
        stage.note(f"{target.dispatchEvent(event)}")
        stage.note(f"stopped {event.cancelBubble}, prevented {event.defaultPrevented}")
    early = Event("x", cancelable=True)
    early.preventDefault()
    early.cancelBubble = True
    early.cancelBubble = False
    stage.note(f"stopped {early.cancelBubble}, prevented {early.defaultPrevented}")
    stage.note(f"{target.dispatchEvent(early)}")
    stage.note(f"stopped {early.cancelBubble}, prevented {early.defaultPrevented}")
    return [
        *["raised InvalidStateError"] * 2,
        *["stopped True", "False", "stopped False, prevented True"],
        *["second", "False", "stopped False, prevented True"],
        *["stopped True, prevented True", "False", "stopped False, prevented True"],
    ]


@scenario("TGT-22")
async def types_are_any_strings(stage):
    """Upper and lower case differ; an empty type, spaces and any character will do."""
    target = EventTarget()
    for kind in ("message", "Message", "", "a b", "été", "\U0001d11e", "__class__", "toString", chr(0xD800)):
        target.addEventListener(kind, lambda event: stage.note(show(event.type)))
    for kind in ("MESSAGE", "Message", "message", "", "a b", "a  b", "été", "\U0001d11e", "__class__", "toString"):
        target.dispatchEvent(Event(kind))
    target.dispatchEvent(Event("constructor"))
    return [
        *["'Message'", "'message'", "''", "'a b'", r"'\xe9t\xe9'", r"'\U0001d11e'", "'__class__'", "'toString'"],
    ]


# Abort signals


@scenario("TGT-13", "PYQ-21")
async def a_signal_removes_its_listeners(stage):
    """Aborted before: never added; during a dispatch: not run; what was removed and added without it stays."""
    target = EventTarget()
    controller = AbortController()
    stays = says(stage, "stays")
    target.addEventListener("x", says(stage, "by keyword"), signal=controller.signal)
    target.addEventListener("x", says(stage, "by dict"), {"signal": controller.signal, "capture": True})
    target.addEventListener("x", stays, signal=controller.signal)
    target.removeEventListener("x", stays)
    target.addEventListener("x", stays)
    target.addEventListener("x", stays, signal=AbortSignal.abort())
    target.addEventListener("x", says(stage, "without"), signal=None)
    target.addEventListener("x", says(stage, "never"), {"signal": AbortSignal.abort()})
    target.dispatchEvent(Event("x"))
    controller.abort()
    stage.note("aborted")
    target.dispatchEvent(Event("x"))
    stage.note("during")
    other, second = EventTarget(), AbortController()
    other.addEventListener("x", lambda _: second.abort())
    other.addEventListener("x", says(stage, "never"), signal=second.signal)
    other.addEventListener("x", says(stage, "next"))
    other.dispatchEvent(Event("x"))
    for nonsense in (controller, 1, "signal", True, {}, AbortSignal):
        stage.attempt(target.addEventListener, "x", stays, {"signal": nonsense})
    return [
        *["by dict", "by keyword", "stays", "without", "aborted", "stays", "without"],
        *["during", "next", *["raised TypeError"] * 6],
    ]


@scenario("TGT-13")
async def a_signal_of_the_page_removes_listeners_too(stage):
    """Where there is JavaScript its own AbortSignal will do as well."""
    if sys.platform == "brython":
        from browser import self as js_global

        controllers = [js_global.AbortController.new() for _ in range(2)]
    elif sys.platform in ("emscripten", "webassembly"):
        from js import AbortController as JsAbortController

        controllers = [JsAbortController.new() for _ in range(2)]
    else:
        controllers = [AbortController(), AbortController()]
    signal, aborted = [controller.signal for controller in controllers]
    controllers[1].abort()
    target = EventTarget()
    target.addEventListener("x", says(stage, "heard"), signal=signal)
    target.addEventListener("x", says(stage, "heard by dict"), {"signal": signal})
    target.addEventListener("x", says(stage, "never"), signal=aborted)
    either = AbortSignal.any([AbortController().signal, signal])
    target.dispatchEvent(Event("x"))
    stage.note(f"{either.aborted}")
    controllers[0].abort("enough")
    target.dispatchEvent(Event("x"))
    stage.note(f"{either.aborted} {either.reason}")
    return ["heard", "heard by dict", "False", "True enough"]


@scenario("TGT-13", "IDL-03")
async def a_signal_ends_a_conversation(stage):
    """One signal removes a socket's listeners, and its `abort` event closes the socket."""
    controller = AbortController()
    ws = stage.connect("accept", "text one", "echo", journal=False)
    for kind in ("open", "message", "close"):
        ws.addEventListener(kind, lambda event: stage.note(row(ws, event)), signal=controller.signal)
    controller.signal.addEventListener("abort", lambda event: ws.close(4000, event.target.reason))
    await stage.messages(ws, 1)
    controller.abort("no more")
    stage.note(f"aborted {ws.readyState}")
    await stage.closed(ws)
    stage.journal += await stage.heard(ws)
    return ["open 1", "message 1 'one'", "aborted 2", "heard close 4000 'no more'"]


@scenario("TGT-13")
async def a_controller_aborts_once(stage):
    """The first reason counts, by default an AbortError; handler and listeners see it; later calls do nothing."""
    controller = AbortController()
    signal = controller.signal
    stage.note(f"{controller.signal is signal} {signal.aborted} {signal.reason} {signal.onabort}")
    stage.note(f"{signal.throwIfAborted()}")
    signal.onabort = lambda event: stage.note(f"{event.type} {event.isTrusted} {event.target is signal}")
    signal.addEventListener("abort", lambda _: controller.abort("again"))
    signal.addEventListener("abort", lambda _: stage.note(f"{signal.aborted} {signal.reason.name}"))
    stage.note(f"{controller.abort()}")
    controller.abort("too late")
    stage.note(f"{isinstance(signal.reason, DOMException)}")
    stage.attempt(signal.throwIfAborted)
    for name in ("aborted", "reason"):
        stage.attempt(setattr, signal, name, None)
    stage.attempt(setattr, controller, "signal", None)
    stage.attempt(AbortSignal)
    return [
        *["True False None None", "None", "abort True True", "True AbortError", "None", "True"],
        *["raised AbortError", *["raised AttributeError"] * 3, "raised TypeError"],
    ]


@scenario("TGT-13")
async def a_reason_can_be_anything(stage):
    """What `abort` is given is the reason; raised as it is if it is an exception, else inside an AbortError."""
    error = ValueError("mine")
    for reason in (error, "words", 0, ""):
        signal = AbortSignal.abort(reason)
        stage.note(f"{signal.aborted} {signal.reason is reason}")
        stage.attempt(signal.throwIfAborted)
    stage.attempt(AbortSignal.abort().throwIfAborted)
    return [
        *["True True", "raised ValueError"],
        *["True True", "raised AbortError"] * 3,
        "raised AbortError",
    ]


@scenario("TGT-13")
async def a_timeout_is_a_signal(stage):
    """It aborts in time, by a TimeoutError; a very long one does not abort at once; nonsense is a TypeError."""
    signal = AbortSignal.timeout(30)
    forever = AbortSignal.timeout(2**40)
    done = Future()
    signal.onabort = done.set_result
    stage.note(f"{signal.aborted}")
    event = await done
    stage.note(f"{event.type} {event.isTrusted} {signal.aborted} {signal.reason.name} {signal.reason.code}")
    await stage.sleep(0.02)
    stage.note(f"{forever.aborted}")
    for nonsense in (-1, float("nan"), float("inf"), "5", None, True, 2**53):
        stage.attempt(AbortSignal.timeout, nonsense)
    return ["False", "abort True True TimeoutError 23", "False", *["raised TypeError"] * 7]


@scenario("TGT-13")
async def any_signal_follows_all(stage):
    """All that depend on one are aborted before the first event; its own event is the first, then theirs in order."""
    first, second = AbortController(), AbortController()
    either = AbortSignal.any([first.signal, second.signal])
    again = AbortSignal.any([first.signal])
    nested = AbortSignal.any([either, second.signal, second.signal])
    signals = [first.signal, either, again, nested, second.signal]

    def listen(number):
        signals[number].addEventListener("abort", lambda _: stage.note(f"{number}: {[s.aborted for s in signals]}"))

    for number in range(5):
        listen(number)
    stage.note(f"{[signal.aborted for signal in signals]}")
    first.abort("first")
    second.abort("second")
    stage.note(f"{[signal.reason for signal in signals]}")
    stage.note(AbortSignal.any([second.signal, first.signal]).reason)
    stage.note(f"{AbortSignal.any([]).aborted}")
    for nonsense in ([1], [first], first.signal, 5, [None]):
        stage.attempt(AbortSignal.any, nonsense)
    four = [True, True, True, True, False]
    return [
        f"{[False] * 5}",
        *[f"{number}: {four}" for number in range(4)],
        f"4: {[True] * 5}",
        f"{['first'] * 4 + ['second']}",
        *["second", "False", *["raised TypeError"] * 5],
    ]


# Differences between browsers that pyws levels


@scenario("PYQ-18", "CON-15")
async def what_browsers_disagree_on_is_decided_above_them(stage):
    """A blocked port fails late, a bad subprotocol at once even there; `open` does not come after `close()`."""
    stage.attempt(WebSocket, "ws://127.0.0.1:6667/", "a b")
    stage.attempt(WebSocket, "ws://127.0.0.1:6667/", ["a", "a"])
    for port in (1, 6000, 6667, 10080):
        await stage.closed(stage.connect(origin=f"ws://127.0.0.1:{port}"))
    ws = stage.connect("accept", "text x", "close", name="given up")
    for code in (True, 1001, 4999.0, "1000"):
        stage.attempt(ws.close, code)
    stage.note(f"still {ws.readyState}")
    ws.close()
    await stage.closed(ws)
    return [
        *["raised SyntaxError"] * 2,
        *FAILED * 4,
        *["raised InvalidAccessError"] * 2,
        *["raised TypeError"] * 2,
        "still 0",
        *[f"given up {row}" for row in FAILED],
    ]


@scenario("GCO-06", "PYQ-23")
async def closed_sockets_leave_nothing_behind(stage):
    """Once closed and dropped, no socket, no connection and nothing that ties them to JavaScript is left.

    What is left is counted exactly, so that forty tell as much as more would. `cpython/test_lifetime.py` plays it too,
    and then looks for what only the browser's own garbage collector can tell.
    """
    first = stage.connect("accept", "text x", "close", journal=False)

    async def play():
        batch = [WebSocket(first.url) for _ in range(4)]  # Chromium lets many at once wait
        for ws in batch:
            ws.onmessage = ws.onclose = lambda event: event.target.readyState
            witness(ws)
        await stage.closed(*batch)
        return [ws.readyState for ws in batch] == [3] * 4

    witness, count = witnesses()
    await stage.closed(first)
    await play()  # what the first ones leave is not theirs alone
    count()
    await stage.sleep(0.05)
    before = count()
    ended = []
    for _ in range(10):
        ended.append(await play())
    stage.note(f"{ended == [True] * 10}")
    for _ in range(40):  # the last ones may need a moment
        await stage.sleep(0.05)
        left = [after - early for early, after in zip(before, count())]  # noqa: B905 - Brython's zip
        if max(left) <= 0:
            break
    stage.note("nothing left" if max(left) <= 0 else f"left: {left}")
    return ["True", "nothing left"]


def witnesses():
    """A function to be told of each socket, and one that counts what is alive, as far as this runtime can tell."""
    if sys.platform == "brython":
        from browser import self as js_global

        return getattr(js_global, "witness", lambda _: None), lambda: [len(_running())]
    import gc

    if sys.platform == "webassembly":
        from weakref import ref

        import js

        sockets = []
        js_collect = js.Function.new("gc({type: 'major', execution: 'async'})")
        js_count = js.Function.new("return proxy_js_ref.filter((value) => value !== undefined).length")

        def count_references():
            js_collect()
            gc.collect()  # when control returns to JavaScript
            return [sum(socket() is not None for socket in sockets), js_count(), len(_running())]

        return lambda ws: sockets.append(ref(ws)), count_references

    from pyws.websocket import Connection

    def count():
        gc.collect()
        kinds = [type(thing) for thing in gc.get_objects()]
        return [kinds.count(WebSocket), kinds.count(Connection), len(_running())]

    if sys.platform != "emscripten":
        return lambda _: None, count

    import pyodide_js

    return lambda _: None, lambda: [*count(), pyodide_js._module._hiwire_num_refs()]


def _running():
    from pyws import loop

    return loop._running

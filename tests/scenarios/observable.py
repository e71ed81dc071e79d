"""Waiting for events, `ws.when(type)`, in every runtime: the observable proposal, and `async for`."""

import sys

from pyws import AbortController, Event, EventTarget

from stage import scenario


async def listed(observable, number=-1):
    """What the events carry, as they come, to the end or to so many: `break` here would be too much for Brython."""
    found = []
    if number:
        async for event in observable:
            found.append(event.data)
            if len(found) == number:
                return found
    return found


@scenario("WHN-01", "WHN-02")
async def first_is_one_event_from_now_on(stage):
    """`first()` listens from the call on, for one event, each call for itself."""
    ws = stage.connect("accept", "ready", "text one", "text two", "read", "text three", "close 1000 bye", journal=False)
    messages = ws.when("message")
    first, again = messages.first(), messages.first()
    closed = ws.when("close").first()
    opened = await ws.when("open").first()
    stage.note(f"{opened.type} {opened.target is ws}")
    message = await first
    same = await again
    stage.note(f"{message.type} {message.data} {same is message}")
    await stage.messages(ws, 2)
    later = messages.first()
    ws.send("go on")
    message = await later
    stage.note(message.data)
    close = await closed
    stage.note(f"{close.type} {close.code} {close.reason} {ws.readyState}")
    return ["open True", "message one True", "three", "close 1000 bye 3"]


@scenario("WHN-03")
async def first_without_an_event_is_a_lookup_error(stage):
    """The socket closes, or has closed, before the event: LookupError, where the proposal has RangeError."""
    ws = stage.connect("fin", journal=False)
    opened = ws.when("open").first()
    inside = []
    ws.addEventListener("error", lambda _: inside.append(ws.when("close").first()))
    ws.addEventListener("close", lambda _: inside.append(ws.when("close").first()))
    for awaited in (opened, ws.when("message").first()):
        try:
            await awaited
        except LookupError as error:
            stage.note(str(error))
    event = await inside[0]
    stage.note(f"{event.type} {event.code}")
    for awaited in (inside[1], ws.when("close").first()):
        try:
            await awaited
        except LookupError as error:
            stage.note(str(error))
    last = "the target ended before its first 'close' event"
    return [
        "the target ended before its first 'open' event",
        "the target ended before its first 'message' event",
        "close 1006",
        last,
        last,
    ]


@scenario("WHN-04", "WHN-05")
async def async_for_misses_nothing(stage):
    """All that comes while the body of the loop waits is there afterwards; after the close the loop ends."""
    ws = stage.connect("accept", "text one", "read", "hold", "text two", "binary 03", "close", journal=False)
    async for event in ws.when("message"):
        if event.data == "one":
            closed = ws.when("close").first()
            ws.send("go on")
            await closed
        stage.note(f"{event.data} {ws.readyState}")
    async for _ in ws.when("message"):
        stage.note("never")
    return ["one 3", "two 3", r"b'\x03' 3"]


@scenario("WHN-04")
async def each_loop_listens_for_itself(stage):
    """Two loops over one observable each get every event; one that begins later gets the later ones."""
    target = EventTarget()
    observable = target.when("tick")
    early = observable.__aiter__()
    first = Event("tick")
    second = Event("tick")
    target.dispatchEvent(first)
    late = observable.__aiter__()
    target.dispatchEvent(second)
    target.dispatchEvent(Event("tock"))
    for iterator, expected in ((early, first), (early, second), (late, second)):
        event = await iterator.__anext__()
        stage.note(event is expected)
    return [True] * 3


@scenario("WHN-04")
async def those_who_wait_are_served_in_order(stage):
    """Several that wait at one iterator get the events in the order in which they asked, and then its end."""
    ws = stage.connect("accept", "echo", journal=False)
    await stage.opened(ws)
    iterator = ws.when("message").__aiter__()
    done = EventTarget()

    async def take(name):
        try:
            event = await iterator.__anext__()
            stage.note(f"{name} {event.data}")
        except StopAsyncIteration:
            stage.note(f"{name} ended")
        if name == "d":
            done.dispatchEvent(Event("done"))

    over = done.when("done").first()
    for name in "abcd":
        later = EventTarget()
        later.addEventListener("go", lambda _, name=name: take(name))  # which starts it as a task
        later.dispatchEvent(Event("go"))
    await stage.sleep(0.05)
    ws.send("1")
    ws.send("2")
    await stage.messages(ws, 2)
    ws.close()
    await over
    return ["a 1", "b 2", "c ended", "d ended"]


@scenario("WHN-06")
async def a_loop_that_is_left_can_be_closed(stage):
    """`aclose()` takes the listener away at once, what has come is forgotten, and the iteration is over."""
    ws = stage.connect("accept", "hold", "text one", "text two", "release", "text three", journal=False)
    iterator = ws.when("message").__aiter__()
    event = await iterator.__anext__()
    stage.note(event.data)
    await stage.messages(ws, 3)
    await iterator.aclose()
    found = await listed(iterator)
    stage.note(found)
    ws.close()
    await stage.closed(ws)
    return ["one", []]


@scenario("WHN-06")
async def a_loop_that_is_left_early_leaves_the_socket_as_it_was(stage):
    """What comes after the loop was left is there for the next one; other listeners go on."""
    ws = stage.connect("accept", "text one", "text two", "echo", journal=False)
    found = await listed(ws.when("message"), 1)
    stage.note(found)
    await stage.messages(ws, 2)
    third = ws.when("message").first()
    ws.send("three")
    event = await third
    stage.note(event.data)
    ws.close()
    found = await listed(ws.when("message"))
    stage.note(found)
    return [["one"], "three", []]


@scenario("WHN-07")
async def when_takes_the_options_of_a_listener(stage):
    """`capture` and `passive`, as a dictionary or as keywords; any other is refused as everywhere."""
    target = EventTarget()
    order = []
    target.addEventListener("tick", lambda _: order.append("listener"))
    for options, keywords in (({"capture": True, "passive": True}, {}), (None, {"capture": True, "passive": True})):
        waiting = target.when("tick", options, **keywords).first()
        target.addEventListener("tick", lambda _: order.append("capture"), capture=True, once=True)
        event = Event("tick", cancelable=True)
        target.dispatchEvent(event)
        same = await waiting
        stage.note(same is event)
    stage.note(order)
    stage.attempt(lambda: target.when("tick", True))
    stage.attempt(lambda: target.when("tick", once=True))
    stage.attempt(lambda: target.when(7))
    return [True, True, ["capture", "listener"] * 2, *["raised TypeError"] * 3]


@scenario("WHN-01", "WHN-02")
async def any_target_can_be_awaited(stage):
    """An AbortSignal's "abort", and events of one's own; nothing ends such a target."""
    controller = AbortController()
    aborted = controller.signal.when("abort").first()
    controller.abort("enough")
    event = await aborted
    stage.note(f"{event.type} {event.target.reason}")
    if sys.platform != "brython":  # Brython's futures cannot be canceled
        never = controller.signal.when("abort").first()
        stage.note(never.cancel())
    else:
        stage.note(True)
    return ["abort enough", True]

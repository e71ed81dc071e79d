"""The interface where it meets what only CPython has: enums, arrays, blocked ports, URLs without a page."""

import array
import asyncio
import enum
import socket
from unittest import mock

import pytest
from pyws import Blob, CloseEvent, DOMException, Event, EventTarget, WebSocket
from pyws.cpython.url import BAD_PORTS, parse


class Code(enum.IntEnum):
    ENOUGH = 3000


class Name(enum.StrEnum):
    CHAT = "chat"


class Fruit(str, enum.Enum):  # noqa: UP042, its str() is not its value
    APPLE = "apple"


async def ended(ws):
    """Wait for the close event."""
    over = asyncio.Event()
    ws.addEventListener("close", lambda event: over.set())
    await over.wait()


@pytest.mark.requirements("PYQ-6j", "SUB-06", "EVC-09")
def test_members_of_enums_are_their_values(websocket_server):
    """As URL, subprotocol, message, code and reason; also where `str()` of a member is its name."""
    websocket_server.accept(subprotocol="apple").expect("chat").expect("apple").expect_close(3000, "apple")
    url = enum.StrEnum("URL", {"SERVER": websocket_server.url}).SERVER

    async def main():
        ws = WebSocket(url, [Name.CHAT, Fruit.APPLE])
        assert type(ws.url) is str

        def talk(_):
            ws.send(Name.CHAT)
            ws.send(Fruit.APPLE)
            ws.close(Code.ENOUGH, Fruit.APPLE)

        ws.onopen = talk
        await ended(ws)
        assert ws.protocol == "apple"

    asyncio.run(main())
    assert websocket_server.connections[0].subprotocols == ["chat", "apple"]
    assert CloseEvent("close", code=Code.ENOUGH).code == 3000


@pytest.mark.requirements("BLB-01", "BLB-03")
def test_arrays_are_parts_by_their_bytes():
    """A part may have items of any size and stride; an array in place of the list is its numbers, no parts."""
    numbers = array.array("H", [1, 0x0203])
    expected = numbers.tobytes() + numbers.tobytes()[::2]
    assert asyncio.run(Blob([numbers, memoryview(numbers.tobytes())[::2]]).bytes()) == expected
    with pytest.raises(TypeError, match="int"):
        Blob(numbers)


@pytest.mark.requirements("CON-16")
def test_a_constructor_that_raises_leaves_nothing():
    """No task, no handle in the loop, nothing that refers to an object half made."""

    async def main():
        loop = asyncio.get_running_loop()
        for arguments in (("ftp://h/",), ("foo",), ("ws://127.0.0.1/", "a b"), ("ws://127.0.0.1/", ["a", "a"]), (5,)):
            with pytest.raises((DOMException, TypeError)):
                WebSocket(*arguments)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert not loop._ready
        assert not loop._scheduled

    asyncio.run(main())


@pytest.mark.requirements("CON-13")
def test_blocked_ports_are_those_of_fetch():
    """The list of the standard; 80 and 443 are not on it, with either scheme."""
    assert len(BAD_PORTS) == 83
    assert {0, 1, 22, 25, 161, 4190, 5060, 5061, 6000, 6665, 6669, 6679, 6697, 10080} <= BAD_PORTS
    assert not {80, 443, 8080, 3000, 6670} & BAD_PORTS


@pytest.mark.requirements("CON-13")
def test_a_blocked_port_is_not_even_called():
    """Where a server listens on one, it never hears of us."""
    try:
        listening = socket.create_server(("127.0.0.1", 6697))
    except OSError as error:
        pytest.skip(f"port 6697: {error}")

    async def main():
        ws = WebSocket("ws://127.0.0.1:6697/")
        events = []
        ws.onerror = ws.onopen = lambda event: events.append(event.type)
        await ended(ws)
        return events

    with listening:
        assert asyncio.run(main()) == ["error"]
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()


@pytest.mark.requirements("CON-04", "CON-05", "CON-06", "PYQ-7")
@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("foo", "wss://example.org:8443/folder/foo"),
        ("/foo", "wss://example.org:8443/foo"),
        ("?q", "wss://example.org:8443/folder/page?q"),
        ("//h/x", "wss://h/x"),
        (".", "wss://example.org:8443/folder/"),
        ("..", "wss://example.org:8443/"),
        (" ", "wss://example.org:8443/folder/page?x"),
        ("", "wss://example.org:8443/folder/page?x"),
        ("http:foo", "ws://foo/"),
        ("https:foo", "wss://example.org:8443/folder/foo"),
        ("ws:foo", "ws://foo/"),
        ("#", None),
        ("#x", None),
        ("foo#", None),
    ],
)
def test_a_base_makes_relative_urls(url, expected):
    """A relative URL is resolved against the base, if there is one, by the algorithm of the page."""
    base = "https://example.org:8443/folder/page?x#fragment"
    if expected is None:
        with pytest.raises(DOMException, match="SyntaxError"):
            parse(url, base)
    else:
        assert parse(url, base).href == expected
    if not url.startswith(("http:", "https:", "ws:", "//")):
        with pytest.raises(DOMException, match="SyntaxError") as failure:
            parse(url)
        assert url.startswith("#") or "a relative URL needs a page" in str(failure.value)


@pytest.mark.requirements("PYQ-9", "TGT-02")
def test_methods_of_builtin_types_are_the_same_at_every_access():
    """`events.append` is added once and can be removed; that of an equal list is another listener."""
    target, events, others = EventTarget(), [], []
    target.addEventListener("x", events.append)
    target.addEventListener("x", events.append)
    target.addEventListener("x", others.append)
    target.dispatchEvent(Event("x"))
    assert (len(events), len(others)) == (1, 1)
    target.removeEventListener("x", events.append)
    target.dispatchEvent(Event("x"))
    assert (len(events), len(others)) == (1, 2)


@pytest.mark.requirements("HND-10")
def test_a_listener_may_return_anything_that_can_be_awaited():
    """Not only the coroutine of an `async def`: what it raises is reported, too."""
    reports = []

    async def main():
        target, future = EventTarget(), asyncio.get_running_loop().create_future()
        target.addEventListener("x", lambda event: future)
        target.dispatchEvent(Event("x"))
        future.set_exception(LookupError("late"))
        while not reports:
            await asyncio.sleep(0)

    with mock.patch("sys.excepthook", lambda kind, *_: reports.append(kind)):
        asyncio.run(main())
    assert reports == [LookupError]


def test_a_subclass_may_remove_what_is_its_own():
    """Constants stay; what a program has put there may go."""

    class Chat(WebSocket):
        room = "hall"

    del Chat.room
    assert not hasattr(Chat, "room")
    with pytest.raises(AttributeError, match="is a constant"):
        del Chat.OPEN


def test_a_future_is_to_be_awaited():
    """As a coroutine is: the message says so."""

    async def main():
        with pytest.raises(TypeError, match=r"not Future: await it first$"):
            Blob([asyncio.get_running_loop().create_future()])

    asyncio.run(main())


@pytest.mark.requirements("BLB-11")
def test_there_are_no_blobs_of_javascript_s_on_cpython():
    """To make one of them, or one's own of theirs, is a NotSupportedError that says so."""
    with pytest.raises(DOMException, match="NotSupportedError: There are no Blobs of JavaScript's outside a page"):
        Blob(["x"]).to_js()
    with pytest.raises(DOMException, match="NotSupportedError"):
        asyncio.run(Blob.from_js(Blob(["x"])))

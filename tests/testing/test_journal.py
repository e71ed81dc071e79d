"""The journal of `pyws.testing`: every event of every socket, without a change for the sockets."""

import asyncio
import gc
import sys
import threading
import weakref

import pytest
import pyws
from pyws.testing import ExpectationError, Journal
from visits import visit
from websockets.sync.client import connect

LOST = [("error",), ("close", 1006, "", False)]


def test_the_rows_of_a_socket(websocket_server, websocket_journal):
    """Binary messages are bytes for every `binaryType`; what a program dispatches itself is no row."""
    websocket_server.send("a").send(b"\0").close(3000, "done")

    async def main():
        ws = pyws.WebSocket(websocket_server.url, "chat")
        ws.addEventListener("message", lambda event: ws.dispatchEvent(pyws.Event("error")))
        await websocket_journal.async_wait_for("close")
        assert websocket_journal.rows_of(ws) == websocket_journal.rows

    asyncio.run(main())
    assert websocket_journal.rows == [
        ("open", "chat"),
        ("message", "a"),
        ("message", b"\0"),
        ("close", 3000, "done", True),
    ]


def test_the_rows_of_several_sockets(websocket_server, websocket_journal):
    """In the order of what happens, and for each by itself, in the order in which they were opened."""
    websocket_server.at("/a").send("a").close(1000)
    websocket_server.at("/b").refuse()

    async def main():
        first, second = (pyws.WebSocket(websocket_server.url + path) for path in ("/a", "/b"))
        await websocket_journal.async_wait_for(lambda row: len(websocket_journal.rows) == 5)
        return first, second

    first, second = asyncio.run(main())
    assert [own.socket for own in websocket_journal.sockets] == [first, second]
    assert [own.rows for own in websocket_journal.sockets] == [
        [("open", ""), ("message", "a"), ("close", 1000, "", True)],
        LOST,
    ]
    assert sorted(map(str, websocket_journal.rows)) == sorted(
        str(row) for own in websocket_journal.sockets for row in own.rows
    )
    with pytest.raises(LookupError, match="was not opened while this journal was kept"):
        Journal().rows_of(first)


def test_the_rows_of_a_socket_that_comes_back(websocket_server, websocket_journal):
    websocket_server.send("a").drop().next_connection().send("b").close(1000)

    async def main():
        pyws.ReconnectingWebSocket(websocket_server.url, first_delay=0)
        await websocket_journal.async_wait_for("close")

    asyncio.run(main())
    rows = [row for row in websocket_journal.rows if row != ("error",)]
    assert rows == [
        ("open", ""),
        ("message", "a"),
        ("reconnecting", 1006, "", False, 1),
        ("open", ""),
        ("message", "b"),
        ("close", 1000, "", True),
    ]


def test_the_rows_of_a_stream(websocket_server, websocket_journal):
    """Those that a WebSocket would have."""
    websocket_server.send("a").expect("b").close(3000, "done").next_connection().drop()

    async def main():
        stream = pyws.WebSocketStream(websocket_server.url, protocols=["chat"])
        opened = await stream.opened
        await opened.readable.getReader().read()
        await opened.writable.getWriter().write("b")
        await stream.closed
        with pytest.raises(pyws.WebSocketError):
            await pyws.WebSocketStream(websocket_server.url).opened

    asyncio.run(main())
    assert [own.rows for own in websocket_journal.sockets] == [
        [("open", "chat"), ("message", "a"), ("close", 3000, "done", True)],
        LOST,
    ]


async def raise_in_a_listener(url, journal):
    ws = pyws.WebSocket(url)
    ws.onmessage = lambda event: 1 / 0
    await journal.async_wait_for("close")


def test_an_exception_of_a_listener(websocket_server, websocket_journal, capsys):
    """Is a row, of each journal, and is reported as before."""
    websocket_server.send("a").close(1000)
    with Journal() as inner:
        asyncio.run(raise_in_a_listener(websocket_server.url, inner))
    assert inner.rows == websocket_journal.rows
    assert inner.rows[1:] == [
        ("message", "a"),
        ("exception", "ZeroDivisionError", "division by zero"),
        ("close", 1000, "", True),
    ]
    assert capsys.readouterr().err.endswith("ZeroDivisionError: division by zero\n")


def test_the_hook_of_the_program_is_called_too(websocket_server, monkeypatch):
    """And stands again when the journal is over, unless the program has another one by then."""
    websocket_server.send("a").close(1000)
    reported = []
    hook, another = (lambda kind, *_: reported.append(kind)), (lambda *_: None)
    for last in (hook, another):
        monkeypatch.setattr(sys, "excepthook", hook)
        with Journal() as journal:
            asyncio.run(raise_in_a_listener(websocket_server.url, journal))
            if last is another:
                sys.excepthook = another
        assert sys.excepthook is last
    assert reported == [ZeroDivisionError, ZeroDivisionError]


def test_a_journal_changes_nothing(websocket_server):
    """A socket without listeners is collected as before; afterwards the classes are as they were."""
    methods = [vars(kind).copy() for kind in (pyws.WebSocket, pyws.WebSocketStream)]

    async def main():
        ws = pyws.WebSocket(websocket_server.url)
        await ws.when("open").first()
        assert ws._pyws_message_listener is None
        assert ws._pyws_connection.held is False
        return weakref.ref(ws)

    with Journal() as outer, Journal() as inner:
        gone = asyncio.run(main())
        assert outer.rows[0] == inner.rows[0] == ("open", "")
    assert [vars(kind).copy() for kind in (pyws.WebSocket, pyws.WebSocketStream)] == methods
    del outer, inner
    gc.collect()
    assert gone() is None


def test_a_socket_that_was_opened_before(websocket_server):
    """Is not in it, and one that stays open is not, from the end of the journal on."""
    websocket_server.expect("now").send("a").expect("then").send("b").close(1000)

    async def main():
        early = pyws.WebSocket(websocket_server.url)
        await early.when("open").first()
        with Journal() as journal:
            ws = pyws.WebSocket(websocket_server.url)
            await ws.when("open").first()
            for own in (early, ws):
                message = own.when("message").first()
                own.send("now")
                await message
        for own in (early, ws):
            own.send("then")
            await own.when("close").first()
        return journal

    assert asyncio.run(main()).rows == [("open", ""), ("message", "a")]


def test_a_test_waits_for_a_row(websocket_server, websocket_journal):
    """In a thread that has no sockets, by the row, by its first word or by a function; it is shown what came."""
    websocket_server.send("x" * 200).close(1000)
    thread = threading.Thread(target=visit, args=[websocket_server.url])
    thread.start()
    assert websocket_journal.wait_for(("message", "x" * 200)) == ("message", "x" * 200)
    assert websocket_journal.wait_for("close") == ("close", 1000, "", True)
    assert websocket_journal.wait_for(lambda row: row[0] == "open") == ("open", "")
    thread.join()
    cut = "x" * 100
    with pytest.raises(ExpectationError) as caught:
        websocket_journal.wait_for("error", timeout=0.02)
    assert str(caught.value) == (
        "waited 0.02 s for the row 'error'\n"
        f"  ('open', '')\n  ('message', '{cut}'… (200 characters))\n  ('close', 1000, '', True)"
    )
    with pytest.raises(ExpectationError, match=r"the row <lambda>\n  no row came"):
        Journal(timeout=0.02).wait_for(lambda row: False)
    with pytest.raises(TypeError, match=r"a row is a tuple: expect one, its first word or a function, not \['open'\]"):
        websocket_journal.wait_for(["open"])


def test_sockets_of_other_libraries(websocket_server, websocket_journal):
    """Have no rows."""
    websocket_server.close(1000)
    with connect(websocket_server.url) as ws:
        assert list(ws) == []
    assert websocket_journal.rows == []

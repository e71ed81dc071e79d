"""A recording made in a browser is replayed.

`chromium.har` was made by the developer tools of Chromium 150: a page opened three WebSockets to a server of
`pyws.testing`. The first has a whole conversation, the second was refused with 403, in the third the server broke the
protocol. Only the initiators were left out.
https://github.com/ChromeDevTools/devtools-frontend/blob/main/front_end/models/har/Log.ts
"""

import asyncio
from pathlib import Path

from pyws.testing import Recording, replay
from pyws.testing.recorded import Lost, Message, Request, Response
from websockets.asyncio.client import connect

ARCHIVE = Path(__file__).with_name("chromium.har")


def test_what_is_read():
    """Text, binary, subprotocols; a refusal has its status only in the text of an error, a loss has no end."""
    recording = Recording(ARCHIVE)
    events = [[placed.event for placed in recording.events(it)] for it in recording.conversations]
    assert [(it.subprotocols, it.url.rpartition("/")[2]) for (it, *_) in events if isinstance(it, Request)] == [
        (("chat", "v2"), f"{number}?token=abc") for number in range(3)
    ]
    assert [(it.sender, it.data) for it in events[0] if isinstance(it, Message)] == [
        ("client", "Hello 🌍"),
        ("client", b"\x00\xff"),
        ("server", "welcome 🌍"),
        ("server", b"\x00\xff\x80"),
        ("server", '{"a": 1}'),
    ]
    assert [(it.status, it.subprotocol) for (_, it, *_) in events if isinstance(it, Response)] == [
        (101, "chat"),
        (403, None),
        (101, "v2"),
    ]
    assert isinstance(events[2][-1], Lost)
    assert 0 < events[0][-1].time < 60
    assert "token=abc" not in recording.listing()


def test_it_is_replayed():
    """To a client that is no browser."""

    async def talk(url):
        async with connect(url, subprotocols=["chat", "v2"]) as ws:
            await ws.send("Hello 🌍")
            await ws.send(b"\x00\xff")
            return [ws.subprotocol, *[await ws.recv() for _ in range(3)]]

    with replay(ARCHIVE, index=1) as server:
        assert asyncio.run(talk(server.url)) == ["chat", "welcome 🌍", b"\x00\xff\x80", '{"a": 1}']

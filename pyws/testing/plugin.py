"""The fixtures for pytest, which finds this module by its entry point `pytest11`.

Its law: it imports only pytest. The rest is loaded when a test uses a fixture.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .journal import Journal
    from .server import WebSocketServer


@pytest.fixture
def websocket_server() -> "Iterator[WebSocketServer]":
    """A real WebSocket server of this test, at `websocket_server.url`: tell it what to do.

    websocket_server.expect("hello").send("world").close(4001, "bye")

    See `pyws.testing.WebSocketServer`, and web/docs/testing.md.
    """
    from .server import WebSocketServer

    server = WebSocketServer()
    server.start()
    try:
        yield server
        server.check()
    finally:
        server.stop()


@pytest.fixture
def websocket_journal() -> "Iterator[Journal]":
    """The events of all sockets of pyws that this test opens, as rows: compare `websocket_journal.rows`.

    See `pyws.testing.Journal`.
    """
    from .journal import Journal

    with Journal() as journal:
        yield journal

"""The fixtures for pytest, which finds this module by its entry point `pytest11`.

Its law: it imports only pytest. The rest is loaded when a test uses a fixture.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .journal import Journal
    from .server import WebSocketServer

SERVER = pytest.StashKey["WebSocketServer"]()


@pytest.fixture
def websocket_server(request: pytest.FixtureRequest) -> "Iterator[WebSocketServer]":
    """A real WebSocket server for this test, at `websocket_server.url`: say what it does in chained calls.

    websocket_server.expect("hello").send("world").close(4001, "bye")

    The test fails for an expectation that is not met. See `pyws.testing.WebSocketServer`.
    """
    from .server import WebSocketServer

    server = WebSocketServer()
    server.start()
    request.node.stash[SERVER] = server
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def websocket_journal() -> "Iterator[Journal]":
    """The events of all sockets of pyws that are opened from here on, as rows: compare `websocket_journal.rows`.

    See `pyws.testing.Journal`.
    """
    from .journal import Journal

    with Journal() as journal:
        yield journal


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Any:
    """Let a test fail by what went wrong in its server; show the conversations of a test that has failed."""
    __tracebackhide__ = True
    outcome = yield
    server = item.stash.get(SERVER, None)
    if server is None:
        return
    if outcome.excinfo is not None:  # pragma: no cover - in a pytest of its own
        item.add_report_section("call", "websocket_server", server.show())
        return
    try:
        server.check()
    except BaseException as error:  # pragma: no cover - in a pytest of its own
        outcome.force_exception(_failure(error))


def _failure(error: BaseException) -> BaseException:  # pragma: no cover - in a pytest of its own
    """Return the exception to fail with: for an expectation only its text, for the traceback would be of the server."""
    from .expectations import ExpectationError

    if isinstance(error, ExpectationError):
        return pytest.fail.Exception("\n".join([str(error), *getattr(error, "__notes__", [])]), pytrace=False)
    return error

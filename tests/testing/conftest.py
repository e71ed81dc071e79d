"""What tests of `pyws.testing` share."""

import pytest
from pyws.testing import WebSocketServer


@pytest.fixture
def server():
    """A server without the check at the end: a test looks itself at what went wrong."""
    server = WebSocketServer()
    server.start()
    yield server
    server.stop()

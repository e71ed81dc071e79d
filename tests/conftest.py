"""The cells as one fixture axis, and the peer they all talk to."""

import os

import pytest

from cells import CELLS, Unavailable
from peer import Peer


@pytest.fixture(scope="session")
def peer():
    with Peer() as peer:
        yield peer


@pytest.fixture(scope="session", params=CELLS, ids=lambda cell: cell.id)
def cell(request):
    """One runtime, started once. Session scope groups the tests by it, so that only one browser runs at a time."""
    try:
        cell = request.param.__enter__()
    except Unavailable as error:
        reason = f"{request.param.id}: {error}"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    yield cell
    cell.__exit__(None, None, None)

"""The cells as one fixture axis, and the peer they all talk to."""

import os

import pytest

from cells import CELLS, Unavailable
from peer import Peer


def pytest_addoption(parser):
    parser.addoption("--cells", default="", help="only cells whose id begins with this")


def pytest_generate_tests(metafunc):
    """The runtimes as one axis. Session scope groups the tests by it, so that only one browser runs at a time."""
    if "cell" in metafunc.fixturenames:
        wanted = metafunc.config.getoption("cells")
        cells = [cell for cell in CELLS if cell.id.startswith(wanted)]
        if marker := metafunc.definition.get_closest_marker("cells"):
            cells = [cell for cell in cells if cell.id.endswith(marker.args)]
        metafunc.parametrize("cell", cells, ids=[cell.id for cell in cells], indirect=True, scope="session")


@pytest.fixture(scope="session")
def peer():
    with Peer() as peer:
        yield peer


@pytest.fixture(scope="session")
def cell(request):
    """One runtime, started once."""
    try:
        cell = request.param.__enter__()
    except Unavailable as error:
        reason = f"{request.param.id}: {error}"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    yield cell
    cell.__exit__(None, None, None)

"""Brython where JavaScript cannot make the objects of Python: in a later version, these may be others."""

import pytest

from runtimes import BRYTHON, Page, chromium, required

pytestmark = pytest.mark.once

SCENARIOS = [
    "binary_survives_the_round_trip",
    "blobs_become_javascripts_and_come_back",
    "blobs_never_change",
    "empty_messages_are_messages",
    "messages_are_text_and_bytes_of_python",
    "what_javascript_gives_is_sent",
    "what_waits_is_a_copy",
]


@pytest.fixture(scope="module")
def page():
    """Such a page."""
    with required():
        page = Page("brython-unlike", "brython-unlike.html", BRYTHON[1], chromium).__enter__()
    yield page
    page.__exit__(None, None, None)


@pytest.mark.requirements("SND-08", "EVT-08", "BLB-08")
@pytest.mark.parametrize("name", SCENARIOS)
def test_it_is_slow_and_right(page, peer, name):
    """Python makes the bytes, one number after the other: what comes is the same."""
    result = page.run(name, peer.origin, f"unlike-{name}")
    assert result["error"] is None
    assert result["journal"] == result["expected"]

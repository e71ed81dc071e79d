"""What the tests are made of says what it can do."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import peer

pytestmark = pytest.mark.once

TESTS = Path(__file__).parents[1]


def run(*arguments):
    """What a program of this folder prints."""
    return subprocess.run([sys.executable, *arguments], cwd=TESTS.parent, capture_output=True, check=True, text=True)


def test_the_verbs_are_listed():
    """Each with its arguments first."""
    names = [name.removeprefix("do_") for name in vars(peer.Connection) if name.startswith("do_")]
    lines = run("tests/kit/peer.py", "--verbs").stdout.splitlines()
    assert [re.match(r"`(\w+)", line)[1] for line in lines] == names


def test_the_requirements_are_listed():
    """Each with its proofs."""
    from requirements import REQUIREMENTS

    printed = run("tests/requirements.py").stdout
    assert [row for row in REQUIREMENTS if row not in printed] == []


def test_the_rows_of_the_readme_are_those_of_the_stage():
    """Every example there is what `row` of the stage writes for such an event."""
    from pyws import CloseEvent, Event, MessageEvent, ReconnectingEvent

    from stage import row

    class Socket:
        readyState = 0
        protocol = extensions = ""

    closed = {"wasClean": False, "code": 1006, "reason": ""}
    written = []
    for state, event in [
        (1, Event("open")),
        (1, MessageEvent("message", {"data": "text"})),
        (1, MessageEvent("message", {"data": b"\0"})),
        (3, Event("error")),
        (3, CloseEvent("close", {"wasClean": True, "code": 1000, "reason": "bye"})),
        (3, CloseEvent("close", closed)),
        (0, ReconnectingEvent("reconnecting", {**closed, "attempt": 1, "delay": 0.1})),
    ]:
        Socket.readyState = state
        written.append(row(Socket, event))
    text = TESTS.joinpath("README.md").read_text("utf-8")
    assert [line for line in written if f"`{line}`" not in text] == []

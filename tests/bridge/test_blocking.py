"""Libraries and sockets that block: what they do in a page where Python can wait, and what they say elsewhere."""

import itertools
from pathlib import Path

import pytest
from blocking import ANYWHERE, CONVERSATIONS, EVERYWHERE

import bridge
from runtimes import required

SCRIPT = Path(__file__).with_name("blocking.py")
LIBRARIES = [name for name, library in bridge.PINS.items() if "blocking" in library]
numbers = itertools.count()


def can_wait(cell):
    """Whether Python can wait in that cell."""
    return bridge.run(cell, "from pyodide.ffi import can_run_sync; can_run_sync()")


def examine_refusal(result):
    """It says that Python cannot wait, and nothing is left."""
    assert result["error"].splitlines()[-1].startswith("RuntimeError: Python cannot wait in this browser")
    assert result["tasks"] == []


@pytest.mark.pyodide
@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.rows("BRG-23")
def test_library(cell, peer, name):
    """What its script prints on CPython, it prints in the page."""
    with required():
        wheels = bridge.provide(name)
    script = bridge.LIBRARIES / bridge.PINS[name]["blocking"]
    key = f"blocking-{name}-{next(numbers)}"
    result = bridge.play_in_pyodide(cell, script, peer.origin, key, wheels)
    if not can_wait(cell):
        examine_refusal(result)
        return
    expected = bridge.play_on_cpython(script, peer.origin, f"{key}-cpython", wheels)
    assert result == expected, "\n".join(filter(None, [result["error"], expected["error"]]))


@pytest.mark.pyodide
@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.rows("BRG-22", "BRG-24", "BRG-25")
def test_conversation(cell, peer, name):
    """Played over the bridge."""
    result = bridge.play_in_pyodide(cell, SCRIPT, peer.origin, f"blocking-{next(numbers)}", name=name)
    if name in ANYWHERE or can_wait(cell):
        examine(result)
    else:
        examine_refusal(result)


@pytest.mark.parametrize("name", sorted(EVERYWHERE))
def test_the_same_on_cpython(peer, name):
    """Played on the sockets of the system."""
    examine(bridge.play_on_cpython(SCRIPT, peer.origin, f"sockets-{next(numbers)}", name=name))


def examine(result):
    """The journal is the one that is expected, and nothing is left."""
    assert [result["error"], result["journal"], result["tasks"]] == [None, result["expected"], []]
    assert "hunter2" not in str(result["log"])

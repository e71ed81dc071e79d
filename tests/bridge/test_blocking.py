"""Libraries and sockets that block: what they do in a page where Python can wait, and what they say elsewhere."""

import functools
import itertools
from pathlib import Path

import pytest
from blocking import ANYWHERE, CONVERSATIONS, EVERYWHERE

import bridge
import wheels
from runtimes import required

SCRIPT = Path(__file__).with_name("blocking.py")
LIBRARIES = [name for name, library in wheels.PINS.items() if "blocking" in library]
CANNOT_WAIT = "RuntimeError: Python cannot wait in this browser"
numbers = itertools.count()


def can_wait(runtime):
    """Whether Python can wait in that runtime."""
    return bridge.run(runtime, "from pyodide.ffi import can_run_sync; can_run_sync()")


def is_refused(result):
    """Whether it says that Python cannot wait, and nothing is left."""
    return (result["error"] or "-").splitlines()[-1].startswith(CANNOT_WAIT) and result["tasks"] == []


@pytest.mark.pyodide
@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.requirements("BRG-23")
def test_library(runtime, peer, on_cpython, note, name):
    """What its script prints on CPython, it prints in the page."""
    with required():
        provided = wheels.provide(name)
    script = wheels.LIBRARIES / wheels.PINS[name]["blocking"]
    key = f"blocking-{name}-{next(numbers)}"
    result = bridge.play_in_pyodide(runtime, script, peer.origin, key, provided)
    if can_wait(runtime):
        play = functools.partial(bridge.play_on_cpython, script, peer.origin, f"{key}-cpython", provided)
        expected = on_cpython(f"blocking-{name}", play)
        note(runtime, name, "blocking", result == expected, result | {"expected": expected})
    else:
        note(
            runtime,
            name,
            "blocking",
            is_refused(result),
            result,
            f"The browser does not let Python wait: {CANNOT_WAIT}",
        )


@pytest.mark.pyodide
@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.requirements("BRG-22", "BRG-24", "BRG-25")
def test_conversation(runtime, peer, name):
    """Played over the bridge."""
    result = bridge.play_in_pyodide(runtime, SCRIPT, peer.origin, f"blocking-played-{next(numbers)}", name=name)
    if name in ANYWHERE or can_wait(runtime):
        examine(result)
    else:
        assert is_refused(result), result


@pytest.mark.parametrize("name", sorted(EVERYWHERE))
def test_the_same_on_cpython(peer, name):
    """Played on the sockets of the system."""
    examine(bridge.play_on_cpython(SCRIPT, peer.origin, f"blocking-sockets-{next(numbers)}", name=name))


def examine(result):
    """The journal is the one that is expected, and nothing is left."""
    assert [result["error"], result["journal"], result["tasks"]] == [None, result["expected"], []]
    assert "hunter2" not in str(result["log"])

"""Python's WebSocket libraries in a page: a script prints there what it prints on CPython."""

import itertools

import pytest

import bridge
from runtimes import required

numbers = itertools.count()


@pytest.mark.pyodide
@pytest.mark.parametrize("name", [name for name, library in bridge.PINS.items() if "script" in library])
@pytest.mark.rows("BRG-05")
def test_library(cell, peer, name):
    script = bridge.LIBRARIES / bridge.PINS[name]["script"]
    key = f"{name}-{next(numbers)}"
    with required():
        wheels = bridge.provide(name)
    expected = bridge.play_on_cpython(script, peer.origin, f"{key}-cpython", wheels)
    result = bridge.play_in_pyodide(cell, script, peer.origin, key, wheels)
    assert result == expected, "\n".join(filter(None, [result["error"], expected["error"]]))


@pytest.mark.pyodide
@pytest.mark.parametrize("name", [name for name, library in bridge.PINS.items() if "refusals" in library])
def test_what_a_page_cannot_do(cell, peer, name):
    script = bridge.LIBRARIES / bridge.PINS[name]["refusals"]
    with required():
        wheels = bridge.provide(name)
    result = bridge.play_in_pyodide(cell, script, peer.origin, f"{name}-{next(numbers)}", wheels)
    assert [result["error"], result["journal"], result["tasks"]] == [None, result["expected"], []]
    assert "hunter2" not in str(result["log"])

"""Python's WebSocket libraries in a page: a script prints there what it prints on CPython."""

import itertools

import pytest

import bridge
from runtimes import required

numbers = itertools.count()


@pytest.mark.pyodide
@pytest.mark.parametrize("name", bridge.PINS)
def test_library(cell, peer, name):
    script = bridge.LIBRARIES / bridge.PINS[name]["script"]
    key = f"{name}-{next(numbers)}"
    with required():
        wheels = bridge.provide(name)
    expected = bridge.play_on_cpython(script, peer.origin, f"{key}-cpython", wheels)
    result = bridge.play_in_pyodide(cell, script, peer.origin, key, wheels)
    assert result == expected, "\n".join(filter(None, [result["error"], expected["error"]]))

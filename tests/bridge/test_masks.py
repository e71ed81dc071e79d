"""Masks: the same bytes in Python, in JavaScript, and for the libraries that get them."""

import itertools
import random
from pathlib import Path

import pytest
from pyws.bridge import masks

import bridge
import wheels
from runtimes import required

SCRIPT = Path(__file__).with_name("masking.py")
numbers = itertools.count()


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 255, 256, 257, 511, 512, 513, 514, 515, 70_001])
def test_in_python(size):
    """As the standard defines it, for each kind of data."""
    chance = random.Random(size)
    for four in chance.randbytes(4), bytes(4), b"\x80\x00\x00\xff":
        key = masks.KEY.unpack(four)[0]
        data = chance.randbytes(size)
        expected = bytes(byte ^ four[i % 4] for i, byte in enumerate(data))
        for kind in bytes, bytearray, memoryview, lambda data: memoryview(b"x" + data)[1:]:
            masked = masks.apply(kind(data), key)
            assert (type(masked), masked, masks.apply(masked, key)) == (bytes, expected, data)


@pytest.mark.pyodide
def test_in_a_page(runtime, peer):
    """As in Python."""
    examine(bridge.play_in_pyodide(runtime, SCRIPT, peer.origin, f"masks-{next(numbers)}", name="without_a_library"))


@pytest.mark.pyodide
@pytest.mark.parametrize(
    "name, function",
    [
        ("websockets-15", "websockets"),
        ("websockets-16", "websockets"),
        ("websockets-17", "websockets"),
        ("websockets-legacy", "legacy"),
        ("aiohttp-3.13", "aiohttp"),
        ("aiohttp-3", "aiohttp"),
    ],
)
def test_of_a_library(runtime, peer, name, function):
    """It gets one when it connects, unless it has another than its own of Python; and has its own again at the end."""
    with required():
        provided = wheels.provide(name)
    examine(bridge.play_in_pyodide(runtime, SCRIPT, peer.origin, f"masks-{next(numbers)}", provided, function))


def examine(result):
    """The journal is the one that is expected, and nothing is left."""
    assert [result["error"], result["journal"], result["tasks"]] == [None, result["expected"], []]

"""How an expectation of a test is compared with a message, and how it is described when it is not met.

Its law: an exception in a function of the test is not a difference: it reaches the test as it is.
"""

import inspect
import json
import re
from collections.abc import Callable
from typing import Any

from .data import show


class ExpectationError(AssertionError):
    """The client, or the program, did not do what the test expects. The message shows what happened before."""


def check_expected(expected: object) -> None:
    """Raise `TypeError` for a value that no message can be equal to."""
    if isinstance(expected, (str, bytes, bytearray, memoryview, re.Pattern)):
        return
    if not callable(expected) or isinstance(expected, type):
        raise TypeError(
            "a message is str or bytes: expect one of these, a compiled pattern or a function, not "
            f"{expected.__name__ if isinstance(expected, type) else type(expected).__name__}; for JSON use expect_json"
        )
    check_plain(expected)


def check_plain(function: Callable[..., object]) -> None:
    """Raise `TypeError` for an `async def`: its coroutine would always be true."""
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{describe(function)}: let the function be a plain one; an async one is not awaited here")


def ask(function: Callable[[Any], object], value: object) -> bool:
    """Return the answer of a function of the test; raise `TypeError` if that is a coroutine."""
    answer = function(value)
    if inspect.isawaitable(answer):
        if inspect.iscoroutine(answer):
            answer.close()
        raise TypeError(f"{describe(function)}: its answer must be true or false, not a coroutine")
    return bool(answer)


def matches(expected: Any, message: str | bytes) -> bool:
    """Tell whether a message is as expected: equal, and of the same kind; or found in; or right for a function."""
    if isinstance(expected, re.Pattern):
        return isinstance(message, type(expected.pattern)) and expected.search(message) is not None
    if callable(expected):
        return ask(expected, message)
    if isinstance(expected, str):
        return expected == message
    return isinstance(message, bytes) and bytes(expected) == message


def describe(expected: Any) -> str:
    """Return words for an expectation."""
    if isinstance(expected, re.Pattern):
        return f"a message with {show(expected.pattern)} in it"
    if isinstance(expected, Json):
        return f"the JSON {expected.words}"
    if callable(expected):
        return f"a message for which {getattr(expected, '__name__', repr(expected))} is true"
    return show(expected)


def describe_close(code: int, reason: str) -> str:
    """Return words for the end of a connection by its client."""
    if code == 1006:
        return "the connection has ended without a Close frame of the client"
    return f"the client has closed with {code} {show(reason)}" if reason else f"the client has closed with {code}"


class Json:
    """The expectation of a text message that is JSON; white space and the order of keys do not count.

    `expected` is the value of the JSON, or a function that gets the value and returns whether it is right. Raises
    `TypeError` for a value that JSON does not have.
    """

    def __init__(self, expected: Any) -> None:
        if callable(expected):
            check_plain(expected)
        else:
            _check_json(expected)
        self._expected = expected
        self.words = getattr(expected, "__name__", "") if callable(expected) else show(expected)

    def __call__(self, message: str | bytes) -> bool:
        try:
            value = json.loads(message) if isinstance(message, str) else ...
        except ValueError:
            return False
        if value is ...:
            return False
        return ask(self._expected, value) if callable(self._expected) else _same_json(self._expected, value)


def _check_json(expected: Any) -> None:
    if isinstance(expected, (bytes, bytearray, memoryview, set, frozenset, tuple)):
        raise TypeError(f"JSON has no {type(expected).__name__}: expect str, a list or a dict")
    if isinstance(expected, dict):
        for key in expected:
            if not isinstance(key, str):
                raise TypeError(f"a key of JSON is str, not {type(key).__name__}")
    if isinstance(expected, (dict, list)):
        for item in expected.values() if isinstance(expected, dict) else expected:
            _check_json(item)


def _same_json(expected: Any, value: Any) -> bool:
    """Compare by `==`, but `true` is not 1. Objects of the test with an `==` of their own may stand in `expected`."""
    if isinstance(expected, dict) and isinstance(value, dict):
        return expected.keys() == value.keys() and all(_same_json(item, value[key]) for key, item in expected.items())
    if isinstance(expected, list) and isinstance(value, list):
        return len(expected) == len(value) and all(map(_same_json, expected, value))
    if isinstance(expected, (int, float)) and isinstance(value, (int, float)):
        return expected == value and isinstance(expected, bool) == isinstance(value, bool)
    return bool(expected == value)

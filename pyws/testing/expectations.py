"""How an expectation of a test is compared with a message, and how it is described when it is not met.

Its law: an exception in a function of the test is not a difference: it reaches the test as it is.
"""

import json
import re
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


def matches(expected: Any, message: str | bytes) -> bool:
    """Tell whether a message is as expected: equal, and of the same kind; or found in; or right for a function."""
    if isinstance(expected, re.Pattern):
        return isinstance(message, type(expected.pattern)) and expected.search(message) is not None
    if callable(expected):
        return bool(expected(message))
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

    `expected` is the value of the JSON, or a function that gets the value and returns whether it is right.
    """

    def __init__(self, expected: Any) -> None:
        self._expected = expected
        self.words = getattr(expected, "__name__", "") if callable(expected) else show(expected)

    def __call__(self, message: str | bytes) -> bool:
        try:
            value = json.loads(message) if isinstance(message, str) else ...
        except ValueError:
            return False
        if value is ...:
            return False
        return bool(self._expected(value)) if callable(self._expected) else bool(value == self._expected)

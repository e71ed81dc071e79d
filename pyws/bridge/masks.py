"""The mask of a client's payloads: each byte XOR one of four. To put it on a second time takes it off.

Its law: the same bytes in Python and in JavaScript, which is many times faster; `payloads.py` gives its function here
where code may be made of strings.
https://www.rfc-editor.org/rfc/rfc6455#section-5.3
"""

import sys
from functools import cache
from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Payload = bytes | bytearray | memoryview[int]

# The four bytes as the operators of JavaScript take them: a number of 32 bits with a sign.
KEY = Struct("<i")
# Bytes from which on the call of JavaScript is faster than Python, and Python's second way than its first.
JS_SIZE, TABLES_SIZE = 256, 512

in_javascript: "list[Callable[[Payload, int], bytes]]" = []
"""The function of JavaScript, or nothing; data of any size."""


def apply(data: "Payload", key: int) -> bytes:
    """Return the data with the mask `key` put on, or taken off. A memoryview is one of bytes in a row."""
    if not key:
        return bytes(data)
    if len(data) >= JS_SIZE and in_javascript:
        return in_javascript[0](data, key)
    return apply_in_python(data, key)


def apply_in_python(data: "Payload", key: int) -> bytes:
    """Do the same without JavaScript."""
    size, four = len(data), KEY.pack(key)
    if size < TABLES_SIZE:
        repeated = (four * (size // 4 + 1))[:size]
        number = int.from_bytes(data, sys.byteorder) ^ int.from_bytes(repeated, sys.byteorder)
        return number.to_bytes(size, sys.byteorder)
    masked = bytearray(data)
    for start, byte in enumerate(four):
        masked[start::4] = masked[start::4].translate(table(byte))
    return bytes(masked)


@cache
def table(byte: int) -> bytes:
    """Return what each byte becomes that meets this one of the mask."""
    return bytes(each ^ byte for each in range(256))

"""How data is written in journals and in the peer's log: the same text in every runtime.

`repr` is not used because runtimes differ in what they call printable. Imports nothing: pages load it.
"""

LONGEST = 80


def show(data):
    """Write `str` or bytes as a Python literal in ASCII; long data as its length and a checksum."""
    if isinstance(data, str):
        if len(data) > LONGEST:
            return f"<{len(data)} characters, {checksum(data.encode())}>"
        return "'" + "".join(_character(ord(c)) for c in data) + "'"
    if len(data) > LONGEST:
        return f"<{len(data)} bytes, {checksum(data)}>"
    return "b'" + "".join(_character(byte) if byte < 0x7F else f"\\x{byte:02x}" for byte in data) + "'"


def checksum(data):
    """A number that depends on the bytes and, in steps of 4096, on their order; quick where loops are slow."""
    starts = range(0, len(data), 4096)
    return sum((number + 1) * sum(data[start : start + 4096]) for number, start in enumerate(starts)) % 1000003


def _character(code):
    if code in (0x27, 0x5C):
        return "\\" + chr(code)
    if 0x20 <= code < 0x7F:
        return chr(code)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

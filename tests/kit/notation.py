"""How data is written in journals and in the peer's log, and verbs in a URL: the same text in every runtime.

`repr` is not used because runtimes differ in what they call printable. Imports nothing: pages load it.
"""

LONGEST = 80
SAFE = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:,"


def address(origin, key, *parts):
    """The URL at which the peer does verbs, a list of them for each connection, and keeps what it hears under `key`."""
    queries = ["&".join(["do=" + encode(verb) for verb in verbs]) for verbs in parts]
    return f"{origin}/{key}?{'&then&'.join(queries)}"


def encode(text):
    """Percent-encode one value of a URL's query."""
    return "".join([c if c in SAFE else "".join([f"%{byte:02X}" for byte in c.encode()]) for c in text])


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
    return sum((number + 1) * _sum(data[start : start + 4096]) for number, start in enumerate(starts)) % 1000003


def _sum(data):
    """The sum of some bytes; what tests send in quantity is often the same byte again and again."""
    return data[0] * len(data) if data == data[:1] * len(data) else sum(data)


def _character(code):
    if code in (0x27, 0x5C):
        return "\\" + chr(code)
    if 0x20 <= code < 0x7F:
        return chr(code)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

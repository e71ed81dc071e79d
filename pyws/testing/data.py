"""How data is shown in the messages of failed tests."""

LONGEST = 100
"""Characters or bytes of data that are shown whole; of longer data the first ones and the length are shown."""


def show(data: object) -> str:
    """Return `data` as a literal of Python; long text and bytes are cut."""
    if isinstance(data, (bytearray, memoryview)):
        data = bytes(data)
    if isinstance(data, str) and len(data) > LONGEST:
        return f"{data[:LONGEST]!r}… ({len(data):,} characters)"
    if isinstance(data, bytes) and len(data) > LONGEST:
        return f"{data[:LONGEST]!r}… ({len(data):,} bytes)"
    return repr(data)

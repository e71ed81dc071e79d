"""What both directions know of a frame.

https://www.rfc-editor.org/rfc/rfc6455#section-5.2
"""

TEXT, BINARY = 0x81, 0x82
"""The first byte of a message in one frame: final, no reserved bit, the opcode."""

LARGE_MESSAGE = 65536
"""Bytes of a payload from which on it is not joined with what stands beside it: one copy less."""

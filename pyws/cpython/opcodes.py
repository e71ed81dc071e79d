"""Constants of frames, for both directions: `receiver.py` reads frames, `sender.py` makes and masks them.

https://www.rfc-editor.org/rfc/rfc6455#section-5.2
"""

TEXT, BINARY = 0x81, 0x82
"""The first byte of a message in one frame: final, no reserved bit, the opcode."""

COMPRESSED = 0x40
"""The bit RSV1 of the first byte: the message is compressed (https://www.rfc-editor.org/rfc/rfc7692#section-6)."""

LARGE_MESSAGE = 65536
"""Bytes from which on a payload is not joined with other bytes, because joining copies it."""

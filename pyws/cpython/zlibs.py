"""The libraries that can compress for `deflate.py`, each with the interface of `zlib`: the fastest one that is there.

`pip install pyws-websocket[speed]` brings those that the standard library has not.
"""

import importlib
import zlib
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple


class Zlib(NamedTuple):
    """A library, and how it compresses."""

    library: Any
    """A module with the names of `zlib`."""
    level: int
    """Its fastest level with which few more bytes are sent than with the usual level 6 of `zlib`."""

    def compressor(self, window_bits: int, memory_level: int) -> Any:
        """Return a compressor of raw DEFLATE, as `zlib.compressobj`; the memory level is for those that have one."""
        return self.library.compressobj(self.level, self.library.DEFLATED, -window_bits, memory_level)

    def decompressor(self, window_bits: int) -> Any:
        """Return a decompressor of raw DEFLATE, as `zlib.decompressobj`."""
        return self.library.decompressobj(-window_bits)


SMALL: Sequence[tuple[str, int]] = ("isal.isal_zlib", 1), ("zlib_ng.zlib_ng", 2), ("zlib", 2)
"""Libraries and levels that send at most a quarter more bytes than level 6 of `zlib`: the fastest first."""

FAST: Sequence[tuple[str, int]] = ("zlib_ng.zlib_ng", 1), ("isal.isal_zlib", 1), ("zlib", 1)
"""Those that send at most half more, for `UserAgent(compression="fast")`: the fastest for short messages first."""


@cache
def first_of(libraries: Sequence[tuple[str, int]]) -> Zlib:
    """Return the first that is installed, of names of modules and levels; imported at the first call."""
    for name, level in libraries:
        try:
            return Zlib(importlib.import_module(name), level)
        except ImportError:  # not installed, or not for this system
            continue
    return Zlib(zlib, 1)

"""Masks at the speed of JavaScript, for libraries that have looked for one in C and have found none.

A library masks each message that it sends. Without its parts in C it does so in Python, and a large message takes most
of its time there. Its law: only the library's own function of Python is replaced, and only while the bridge is
installed; the new one makes the same bytes, and gives arguments of another kind to the library's own.
https://www.rfc-editor.org/rfc/rfc6455#section-5.3
"""

import sys

from . import masks, replacing, zeromasks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def provide() -> None:
    """Give the libraries that are loaded their masks, until `replacing.put_back`. Call it when one of them connects."""
    if not replacing.is_replaced():
        return
    for name, function, home, own_function, make in PLACES:
        module = sys.modules.get(name)
        used: Any = getattr(module, function, None)
        own: Any = getattr(sys.modules.get(home), own_function, None)
        if used is not None and used is own:
            replacing.replace(module, function, make(used))
    zeromasks.replace_writer()


def make_of_websockets(own: "Callable[..., Any]") -> "Callable[..., Any]":
    """Return a function that returns masked data."""

    def apply_mask(data: "Any", mask: "Any") -> "Any":
        if is_row_of_bytes(data) and is_key(mask):
            return masks.apply(data, masks.KEY.unpack(mask)[0])
        return own(data, mask)

    return apply_mask


def make_of_aiohttp(own: "Callable[..., Any]") -> "Callable[..., Any]":
    """Return a function that masks data in its place."""

    def websocket_mask(mask: "Any", data: "Any") -> None:
        if type(data) is bytearray and is_key(mask):
            memoryview(data)[:] = masks.apply(data, masks.KEY.unpack(mask)[0])
        else:
            own(mask, data)

    return websocket_mask


def is_row_of_bytes(data: "Any") -> bool:
    """Return whether `masks.apply` takes the data."""
    if type(data) is memoryview:
        return data.format == "B" and data.ndim == 1 and data.contiguous
    return type(data) in (bytes, bytearray)


def is_key(mask: "Any") -> bool:
    """Return whether a mask has four bytes."""
    return type(mask) is bytes and len(mask) == 4


# The module that masks, and its name of the function; the module that has the library's own of Python, and its name
# there; the function that makes a new one.
PLACES = (
    ("websockets.frames", "apply_mask", "websockets.utils", "apply_mask", make_of_websockets),
    ("websockets.legacy.framing", "apply_mask", "websockets.utils", "apply_mask", make_of_websockets),
    (
        "aiohttp._websocket.writer",
        "websocket_mask",
        "aiohttp._websocket.helpers",
        "_websocket_mask_python",
        make_of_aiohttp,
    ),
)

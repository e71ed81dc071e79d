"""Web IDL's buffer sources: the bytes of Python objects, and of JavaScript objects where Python runs beside JavaScript.

Its law: the bytes that are taken from a buffer are a copy. The size of the buffer's items does not matter.
https://webidl.spec.whatwg.org/#BufferSource
"""

from . import loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

BLOB = "blob"
BUFFER = "buffer"
SHARED = "shared buffer"

_BLOBS = ("Blob", "File")
_VIEWS = (
    "Int8Array",
    "Uint8Array",
    "Uint8ClampedArray",
    "Int16Array",
    "Uint16Array",
    "Int32Array",
    "Uint32Array",
    "Float16Array",
    "Float32Array",
    "Float64Array",
    "BigInt64Array",
    "BigUint64Array",
    "DataView",
)


def kind_of(value: "Any") -> str:
    """Return BLOB, BUFFER (an ArrayBuffer or a view of one) or SHARED for a value of JavaScript; "" for any other."""
    name = loop.js_class_name(value)
    if name in _BLOBS:  # pragma: no cover - in a page
        return BLOB
    if name in _VIEWS:  # pragma: no cover - in a page
        name = loop.js_class_name(value.buffer)
    return {"ArrayBuffer": BUFFER, "SharedArrayBuffer": SHARED}.get(name, "")


def to_bytes(
    value: "Any", expected: str, blob_advice: "str | None" = None, copy: "Callable[[Any], Any]" = loop.js_bytes
) -> "Any":
    """Return a copy of the bytes of a buffer: of a Python object with the buffer protocol, or of a JavaScript buffer.

    `copy` makes the copy of a JavaScript buffer. A JavaScript Blob is returned as it is, unless there is a
    `blob_advice`, which says how the program can send it. Raises `TypeError` for any other value: its message begins
    with `expected`, a sentence about the types that are taken, and ends with advice.
    https://webidl.spec.whatwg.org/#js-buffer-source-types
    """
    if type(value) is bytes:
        return value
    kind = kind_of(value)
    if kind == BUFFER:  # pragma: no cover - in a page
        return copy(value)
    if kind == BLOB and blob_advice is None:  # pragma: no cover - in a page
        return value
    if not loop.js_class_name(value):  # pragma: no branch - in a page
        try:
            return loop.join([loop.buffer_bytes(value)])
        except TypeError:
            pass
    raise TypeError(f"{expected}, not {describe(value)}: {advice(value, blob_advice or '')}")


def size_of(data: "Any") -> int:
    """Return the size of a binary message, in bytes: of `bytes`, of a JavaScript Blob, or of a copy of a buffer."""
    if isinstance(data, bytes):
        return len(data)
    size: int = data.size if hasattr(data, "size") else data.byteLength  # pragma: no cover - in a page
    return size  # pragma: no cover - in a page


def describe(value: object) -> str:
    """Return the name of the type of `value`, for an error message."""
    name = loop.js_class_name(value)
    return f"JavaScript's {name}" if name else type(value).__name__


def advice(value: "Any", of_blob: str = "") -> str:
    """Return advice on how to make a message of another value; `of_blob` is the advice for a JavaScript Blob."""
    kind, name = kind_of(value), loop.js_class_name(value)
    if kind == BLOB:  # pragma: no cover - in a page
        return of_blob
    if kind == SHARED:  # pragma: no cover - in a page
        parts = "…" if name == "SharedArrayBuffer" else "….buffer, ….byteOffset, ….byteLength"
        return f"copy it first, with Uint8Array.new({parts}).slice()"
    if name == "Promise" or loop.is_coroutine(value):
        return "await it first"
    if name:  # pragma: no cover - in a page
        return f"convert it first, with JavaScript's {'JSON.stringify' if name in ('Object', 'Array') else 'String'}()"
    if loop.is_awaitable(value):
        return "await it first"
    if hasattr(value, "read"):
        return "send what its read() returns"
    if value is None or isinstance(value, (bool, int, float, list, tuple, dict)):
        return "convert it first, with json.dumps() or str()"
    return "convert it first, with str()"

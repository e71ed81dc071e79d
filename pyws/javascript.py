"""JavaScript's own data, where Python runs beside it: its kinds, its sizes, its bytes.

Its law: what is taken of it is a copy, or cannot change.
https://webidl.spec.whatwg.org/#BufferSource, https://w3c.github.io/FileAPI/#blob-section
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
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

if sys.platform == "emscripten":
    import js
    from pyodide.ffi import JsProxy, to_js

    HERE = True

    def name_of(value: object) -> str:
        """Return what JavaScript calls the kind of `value`, such as "Uint8Array"; "" for what is Python's."""
        if not isinstance(value, JsProxy):
            return ""
        js_object = getattr(js, "Object", None)
        if js_object is None:
            return str(value.constructor.name)
        return str(js_object.prototype.toString.call(value))[8:-1]  # "[object Uint8Array]"

    def copy(value: "Any") -> "Any":
        """Return a copy of a buffer, for `Connection.send`: here as bytes."""
        return bytes_of(value)

    def bytes_of(value: "Any") -> bytes:
        """Return a copy of the bytes of a buffer; of one that was transferred there are none."""
        return value.to_bytes() if value.byteLength else b""

    async def read(value: "Any") -> bytes:
        """Return the bytes of a Blob."""
        return bytes_of(await value.arrayBuffer())

    def make_blob(data: bytes, type: str) -> "Any":
        """Make JavaScript's Blob."""
        return js.Blob.new(to_js([to_js(data)]), type=type)

elif sys.platform == "brython":
    from browser import self as js_global  # what a page calls window; a worker has one too

    from .loop import JsFunction

    HERE = True

    # Not by Python: of whom it is asked for a method, there Brython keeps it with its object. What `Object.prototype`
    # keeps, all objects have, and a method of any would be that of the first one that was asked.
    js_name_of = JsFunction("value", "return Object.prototype.toString.call(value).slice(8, -1)")
    js_copy = JsFunction(
        "value",
        """
        if (!value.byteLength) return new Uint8Array(0);  // of one that was transferred nothing can be made
        const {buffer, byteOffset, byteLength} = value;
        return (buffer ? new Uint8Array(buffer, byteOffset, byteLength) : new Uint8Array(value)).slice();
        """,
    )

    def name_of(value: object) -> str:
        """Return what JavaScript calls the kind of `value`, such as "Uint8Array"; "" for what is Python's."""
        kind = type(value).__name__
        if kind != "JSObject" and "Javascript" not in kind:  # such as IterableJavascriptObject
            return ""
        name: str = js_name_of(value)
        return name

    def copy(value: "Any") -> "Any":
        """Return a copy of a buffer, for `Connection.send`: Brython's bytes are a list of numbers, and slow."""
        return js_copy(value)

    def bytes_of(value: "Any") -> bytes:
        """Return a copy of the bytes of a buffer; of one that was transferred there are none."""
        return bytes(js_copy(value))

    async def read(value: "Any") -> bytes:
        """Return the bytes of a Blob."""
        return bytes_of(await value.arrayBuffer())

    def make_blob(data: bytes, type: str) -> "Any":
        """Make JavaScript's Blob."""
        return js_global.Blob.new([js_global.Uint8Array.new(list(data))], {"type": type})

else:
    HERE = False

    def name_of(value: object) -> str:
        """Return "": all is Python's."""
        return ""

    def copy(value: "Any") -> "Any":
        """Never called: there are no such buffers."""
        raise NotImplementedError

    def bytes_of(value: "Any") -> bytes:
        """Never called: there are no such buffers."""
        raise NotImplementedError

    async def read(value: "Any") -> bytes:
        """Never called: there are no such Blobs."""
        raise NotImplementedError

    def make_blob(data: bytes, type: str) -> "Any":
        """Never called: there are no such Blobs."""
        raise NotImplementedError


def kind_of(value: "Any") -> str:
    """Tell whether `value` is JavaScript's BLOB, BUFFER (an ArrayBuffer or a view of one) or SHARED buffer; else ""."""
    name = name_of(value)
    if name in _BLOBS:
        return BLOB
    if name in _VIEWS:
        name = name_of(value.buffer)
    return {"ArrayBuffer": BUFFER, "SharedArrayBuffer": SHARED}.get(name, "")


def size_of(data: "Any") -> int:
    """Return the size of a binary message, in bytes: of `bytes`, a Blob, or a `copy`."""
    if isinstance(data, bytes):
        return len(data)
    size: int = data.size if hasattr(data, "size") else data.byteLength
    return size


def describe(value: object) -> str:
    """Name the kind of `value`, for a person."""
    name = name_of(value)
    return f"JavaScript's {name}" if name else type(value).__name__


def advice(value: "Any", of_blob: str = "") -> str:
    """Say how to make a message of what is none; `of_blob` is said of JavaScript's Blob, where it will not do."""
    kind, name = kind_of(value), name_of(value)
    if kind == BLOB:
        return of_blob
    if kind == SHARED:
        parts = "…" if name == "SharedArrayBuffer" else "….buffer, ….byteOffset, ….byteLength"
        return f"copy it first, with Uint8Array.new({parts}).slice()"
    if name == "Promise" or type(value).__name__ == "coroutine":  # by name, for Brython
        return "await it first"
    if name:
        return f"convert it first, with JavaScript's {'JSON.stringify' if name in ('Object', 'Array') else 'String'}()"
    if hasattr(value, "__await__"):
        return "await it first"
    if hasattr(value, "read"):
        return "send what its read() returns"
    if value is None or isinstance(value, (bool, int, float, list, tuple, dict)):
        return "convert it first, with json.dumps() or str()"
    return "convert it first, with str()"

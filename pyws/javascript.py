"""JavaScript's own data, where Python runs beside it: its kinds, its sizes, its bytes.

Its law: what is taken of it is a copy, or cannot change.
https://webidl.spec.whatwg.org/#BufferSource, https://w3c.github.io/FileAPI/#blob-section
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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

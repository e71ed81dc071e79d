"""The File API's Blob: raw data that cannot be changed.

Its law: the bytes are in memory and copied once, when the Blob is made.
https://w3c.github.io/FileAPI/#blob-section
"""

from . import loop
from .buffersource import BLOB, describe, kind_of, to_bytes
from .webidl import DOMException, dictionary, to_integer, usv_string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any


class Blob:
    """Raw data: `Blob(["text", b"bytes", other_blob], type="text/plain")`.

    `blobParts` is an iterable of `str` (kept as UTF-8), buffers and Blobs; in a page JavaScript's ArrayBuffer, typed
    arrays and DataView are buffers, too. `type` is a MIME type. `endings` is "transparent" or "native" (line ends
    become "\\n"). Raises `TypeError` for any other part.

    A page has Blobs of JavaScript's own: `await Blob.from_js(file)` and `blob.to_js()` lead from one to the other.
    https://w3c.github.io/FileAPI/#constructorBlob
    """

    def __init__(
        self,
        blobParts: "Iterable[Any] | None" = None,
        options: "Mapping[str, object] | None" = None,
        *,
        type: str = "",
        endings: str = "transparent",
    ) -> None:
        if options is not None:
            given = dictionary(options, {}, "type", "endings")
            type = given.get("type", type)
            endings = given.get("endings", endings)
        if endings not in ("transparent", "native"):
            raise TypeError(f'endings must be "transparent" or "native", not {endings!r}')
        if blobParts is None:
            blobParts = ()
        if isinstance(blobParts, (str, bytes, bytearray, memoryview)) or not loop.has_method(blobParts, "__iter__"):
            raise TypeError(f"blobParts must be a list of parts: Blob([...]), not {blobParts.__class__.__name__}")
        self._pyws_type = _mime(type)
        self._pyws_data = loop.join([_part(part, endings == "native") for part in blobParts])

    @property
    def size(self) -> int:
        """The number of bytes.

        https://w3c.github.io/FileAPI/#dfn-size
        """
        return len(self._pyws_data)

    @property
    def type(self) -> str:
        """The MIME type, in lower case; "" if there is none.

        https://w3c.github.io/FileAPI/#dfn-type
        """
        return self._pyws_type

    def slice(self, start: int | None = None, end: int | None = None, contentType: str | None = None) -> "Blob":
        """Return a Blob of the bytes from `start` to `end`; negative numbers count from the end.

        https://w3c.github.io/FileAPI/#slice-method-algo
        """
        # Deviation: BLB-07, everywhere
        start, end = [
            None if number is None else max(-self.size, min(to_integer(number, "start and end"), self.size))
            for number in (start, end)
        ]
        return blob_of(self._pyws_data[start:end], _mime("" if contentType is None else contentType))

    async def text(self) -> str:
        """Return the bytes decoded from UTF-8: a byte order mark is dropped, what is malformed becomes U+FFFD.

        https://w3c.github.io/FileAPI/#dom-blob-text
        """
        data = self._pyws_data[3:] if self._pyws_data[:3] == b"\xef\xbb\xbf" else self._pyws_data
        return loop.decode(data)

    async def arrayBuffer(self) -> bytes:
        """Return the bytes.

        https://w3c.github.io/FileAPI/#dom-blob-arraybuffer
        """
        return self._pyws_data

    async def bytes(self) -> bytes:
        """Return the bytes.

        https://w3c.github.io/FileAPI/#dom-blob-bytes
        """
        return self._pyws_data

    def stream(self) -> "_Chunks":
        """Return an asynchronous iterator over the bytes, in chunks of at most 65,536.

        https://w3c.github.io/FileAPI/#dom-blob-stream
        """
        return _Chunks(self._pyws_data)

    @staticmethod
    async def from_js(js_blob: "Any") -> "Blob":
        """Wait for the bytes of JavaScript's Blob or File, and return a `Blob` of them, of the same type.

        Raises `TypeError` for anything else, "NotSupportedError" where there is no JavaScript: on CPython.
        """
        _check_javascript()
        if kind_of(js_blob) != BLOB:  # pragma: no cover - in a page
            raise TypeError(f"js_blob must be JavaScript's Blob or File, not {describe(js_blob)}")
        data = await js_blob.arrayBuffer()  # pragma: no cover - in a page
        return blob_of(loop.js_bytes(data), str(js_blob.type))  # pragma: no cover - in a page

    def to_js(self) -> "Any":
        """Return JavaScript's Blob with the same bytes and type, for what takes one: `URL.createObjectURL`, `fetch`.

        Raises "NotSupportedError" where there is no JavaScript: on CPython.
        """
        _check_javascript()
        return loop.js_blob(self._pyws_data, self._pyws_type)  # pragma: no cover - in a page

    def __repr__(self) -> str:
        return f"<Blob size={len(self._pyws_data)} type={self._pyws_type!r}>"


class _Chunks:
    """The asynchronous iterator that `Blob.stream()` returns."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def __aiter__(self) -> "_Chunks":
        return self

    async def __anext__(self) -> bytes:
        if self._position >= len(self._data):
            raise StopAsyncIteration
        chunk = self._data[self._position : self._position + 65536]
        self._position += len(chunk)
        return chunk


def blob_of(data: bytes, type: str = "") -> Blob:
    """Return a Blob of `data`, which is not copied; `type` is a MIME type in lower case, or ""."""
    blob: Blob = object.__new__(Blob)
    blob._pyws_data = data
    blob._pyws_type = type
    return blob


def _check_javascript() -> None:
    if not loop.HAS_JAVASCRIPT:  # pragma: no branch - in a page
        raise DOMException("There are no Blobs of JavaScript's outside a page.", "NotSupportedError")


def _mime(type: object) -> str:
    if not isinstance(type, str):
        raise TypeError(f"type must be str, not {type.__class__.__name__}")
    return type.lower() if all(" " <= character <= "~" for character in type) else ""


def _part(part: "Any", native: bool) -> bytes:
    if isinstance(part, str):
        string = usv_string(part)
        if native:
            string = string.replace("\r\n", "\n").replace("\r", "\n")
        return string.encode()
    if isinstance(part, Blob):
        return part._pyws_data
    expected = "a part must be str, a buffer (bytes, array, ...) or Blob"
    data: bytes = to_bytes(part, expected, "take await Blob.from_js(…)")
    return data

"""JSON in texts: where it stands in a message, and how its writer has written it.

https://www.rfc-editor.org/rfc/rfc8259
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAX_FAILURES = 16
"""Brackets of a text that begin no JSON; after so many the rest of the text is not looked at."""

_BRACKET = re.compile(r"[\[{]")


def refuse(constant: str) -> None:
    """Raise `ValueError` for NaN and Infinity, which Python reads and JSON does not have."""
    raise ValueError(f"{constant} is not JSON")


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of these keys and values; raise `ValueError` if a key is there twice."""
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a key is there twice: a dictionary would lose a value")
    return value


_decoder = json.JSONDecoder(parse_constant=refuse, object_pairs_hook=unique)


@dataclass(frozen=True)
class Document:
    """A value of JSON, an object or an array, that stands in a text."""

    json: Any


def parse(text: str) -> Document | None:
    """Return the object or the array that a text is; None if it is anything else."""
    if text[:64].lstrip()[:1] not in ("{", "["):
        return None
    try:
        return Document(_decoder.decode(text))
    except (ValueError, RecursionError):
        return None


def documents(text: str) -> Iterator[tuple[str, Document | None]]:
    """Yield the parts of a text, in order: each with the JSON that it is, or None.

    A message may be JSON, several values one after the other, or JSON behind a few characters, as in Socket.IO.
    """
    position = failures = 0
    search = 0
    while failures < MAX_FAILURES and (bracket := _BRACKET.search(text, search)):
        start = bracket.start()
        try:
            value, end = _decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            failures += 1
            search = start + 1
            continue
        if start > position:
            yield text[position:start], None
        yield text[start:end], Document(value)
        position = search = end
    if position < len(text) or not text:
        yield text[position:], None


@dataclass(frozen=True)
class JsonStyle:
    """How a writer of JSON writes: `spaces` after commas and colons, as Python does; `ascii` only, as Python does."""

    spaces: bool = False
    ascii: bool = False

    def write(self, value: Any) -> str:
        """Return the text of a value."""
        separators = (", ", ": ") if self.spaces else (",", ":")
        return json.dumps(value, separators=separators, ensure_ascii=self.ascii)

    @classmethod
    def of(cls, text: str, value: Any) -> "JsonStyle":
        """Return the style of a text whose value is `value`; the default one if it has none of these styles."""
        return next((style for style in STYLES if style.write(value) == text), STYLES[0])


STYLES = (JsonStyle(), JsonStyle(spaces=True), JsonStyle(ascii=True), JsonStyle(spaces=True, ascii=True))

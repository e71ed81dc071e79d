"""Whether a client says the same as in a recording, where `~masked~` stands for any text.

Its law: JSON is compared by its value: white space and the order of keys make no difference.
"""

from typing import Any

from .jsontext import Document, documents, parse
from .masks import MASK


def same_message(recorded: str | bytes, said: str | bytes) -> bool:
    """Tell whether a message is the recorded one."""
    if recorded == said:
        return True
    if isinstance(recorded, str) and isinstance(said, str):
        return _same_documents(recorded, said)
    if isinstance(recorded, bytes) and isinstance(said, bytes):
        try:
            return _same_documents(recorded.decode(), said.decode())
        except UnicodeDecodeError:
            return same_text(recorded.decode("latin-1"), said.decode("latin-1"))
    return False


def _same_documents(recorded: str, said: str) -> bool:
    """Tell whether texts are the same, where each value of JSON in them is compared by its value."""
    document, other = parse(recorded), parse(said)
    if document is not None and other is not None:
        return _same_json(document, other)
    if MASK not in recorded:
        return False  # the texts differ
    parts, others = list(documents(recorded)), list(documents(said))
    return same_text(recorded, said) or (
        len(parts) == len(others)
        and all(
            same_text(text, other_text) if value is None or other_value is None else _same_json(value, other_value)
            for (text, value), (other_text, other_value) in zip(parts, others, strict=True)
        )
    )


def _same_json(recorded: Document, said: Document) -> bool:
    try:
        return same_value(recorded.json, said.json)
    except RecursionError:
        return False


def same_text(recorded: str, said: str) -> bool:
    """Tell whether a text is the recorded one."""
    if MASK not in recorded:
        return recorded == said
    first, *middle, last = recorded.split(MASK)
    if not said.startswith(first):
        return False
    position = len(first)
    for part in middle:
        found = said.find(part, position)
        if found < 0:
            return False
        position = found + len(part)
    return len(said) - len(last) >= position and said.endswith(last)


def same_value(recorded: Any, said: Any) -> bool:
    """Tell whether a value of JSON is the recorded one. A number may be masked, too."""
    if isinstance(recorded, dict):
        return (
            isinstance(said, dict)
            and recorded.keys() == said.keys()
            and all(same_value(value, said[key]) for key, value in recorded.items())
        )
    if isinstance(recorded, list):
        return isinstance(said, list) and len(recorded) == len(said) and all(map(same_value, recorded, said))
    if isinstance(recorded, str):
        return recorded == MASK or (isinstance(said, str) and same_text(recorded, said))
    return bool(recorded == said) and isinstance(recorded, bool) == isinstance(said, bool)

"""The fields of an archive, each with its type: a wrong one is a sentence that names it."""

import math
from typing import Any

Fields = dict[str, Any]


def text(owner: Fields, name: str, default: str | None = None) -> str:
    """Return a text; raise `ValueError` if it is something else, or is not there and has no default."""
    return str(_field(owner, name, str, "a text", default))


def number(owner: Fields, name: str, default: float = 0.0) -> float:
    """Return a number."""
    value = float(_field(owner, name, (int, float), "a number", default))
    if not math.isfinite(value):
        raise ValueError(f"{name} must be a number")
    return value


def fields(owner: Fields, name: str, default: Fields | None = None) -> Fields:
    """Return an object."""
    value: Fields = _field(owner, name, dict, "an object", default)
    return value


def objects(owner: Fields, name: str) -> list[Fields]:
    """Return a list of objects; an empty one if it is not there."""
    values: list[Fields] = _field(owner, name, list, "a list", [])
    for position, value in enumerate(values, 1):
        if not isinstance(value, dict):
            raise ValueError(f"{name}, number {position}, must be an object")
    return values


def one_of(owner: Fields, name: str, *values: Any, default: Any = None) -> Any:
    """Return one of these values."""
    value = owner.get(name, default)
    if value is None:
        raise ValueError(f"it has no {name!r}")
    if value not in values or isinstance(value, bool):
        raise ValueError(f"{name} must be {' or '.join(map(str, values))}")
    return value


def _field(owner: Fields, name: str, kinds: Any, words: str, default: Any) -> Any:
    value = owner.get(name)
    if value is None:
        if default is None:
            raise ValueError(f"it has no {name!r}")
        return default
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise ValueError(f"{name} must be {words}")
    return value

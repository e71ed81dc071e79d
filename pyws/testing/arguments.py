"""Checks of arguments: a wrong one is an exception where the test gives it, not later in the thread of the server."""

from collections.abc import Iterable, Mapping
from typing import Any

from websockets.http11 import Response

MoreHeaders = Mapping[str, str] | Iterable[tuple[str, str]]


def set_headers(response: Response, headers: MoreHeaders) -> None:
    """Add headers to an answer, instead of those of the same names."""
    pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
    for name, _ in pairs:
        if name in response.headers:
            del response.headers[name]
    for name, value in pairs:
        response.headers[name] = value


def fragments(parts: tuple[Any, ...]) -> tuple[list[bytes], bool]:
    """Return the payloads of the frames of a message, and whether it is binary; `TypeError` if it cannot be one."""
    if parts and all(isinstance(part, str) for part in parts):
        return [part.encode() for part in parts], False
    if parts and all(isinstance(part, (bytes, bytearray, memoryview)) for part in parts):
        return [bytes(part) for part in parts], True
    names = ", ".join(type(part).__name__ for part in parts)
    raise TypeError(f"send takes str, or bytes-like, not {names or 'nothing'}; for JSON use send_json")


def check_close(code: int | None, reason: str) -> None:
    """Raise `TypeError` or `ValueError` for what a Close frame cannot have."""
    if code is None:
        if reason:
            raise ValueError("a Close frame has a reason only after a code")
        return
    if isinstance(code, bool) or not isinstance(code, int):
        raise TypeError(f"code must be int, not {type(code).__name__}")
    if not 0 <= code <= 65535:
        raise ValueError(f"code must be from 0 to 65535, not {code}")
    if not isinstance(reason, str):
        raise TypeError(f"reason must be str, not {type(reason).__name__}")
    if len(reason.encode()) > 123:
        raise ValueError("reason must be at most 123 bytes of UTF-8")


def check_seconds(name: str, seconds: float | None) -> None:
    """Raise `TypeError` or `ValueError` for what cannot be a time, or None."""
    if seconds is None:
        return
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(f"{name} must be a number of seconds, not {type(seconds).__name__}")
    if not seconds >= 0:
        raise ValueError(f"{name} must be a number of seconds that is not negative, not {seconds!r}")


def check_status(status: int) -> None:
    """Raise `TypeError` or `ValueError` for what cannot be the status of a refusal."""
    if isinstance(status, bool) or not isinstance(status, int):
        raise TypeError(f"status must be int, not {type(status).__name__}")
    if not 200 <= status <= 599:
        raise ValueError(f"status must be from 200 to 599, not {status}: a server accepts by accept()")

"""Checks of arguments: a wrong one is an exception where the test gives it, not later in the thread of the server."""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from websockets.http11 import Response

MoreHeaders = Mapping[str, str] | Iterable[tuple[str, str]]

_TOKEN = re.compile(r"[\w!#$%&'*+\-.^`|~]+", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")


def check_headers(headers: MoreHeaders) -> list[tuple[str, str]]:
    """Return headers as pairs; raise `TypeError` or `ValueError` for what cannot be one.

    https://www.rfc-editor.org/rfc/rfc9110#section-5.5
    """
    try:
        pairs = [(name, value) for name, value in (headers.items() if isinstance(headers, Mapping) else headers)]
    except (TypeError, ValueError):
        raise TypeError(f"headers are a mapping, or pairs of a name and a value, not {headers!r:.100}") from None
    for name, value in pairs:
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(
                f"the name and the value of a header are str, not {name!r:.100} and a {type(value).__name__}"
            )
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{name!r:.100} is not the name of a header")
        if _CONTROL.search(value) or any(character > "\xff" for character in value):
            raise ValueError(f"the value of the header {name} has a character that no header can have")
    return pairs


def set_headers(response: "Response", headers: MoreHeaders) -> None:
    """Add headers to an answer, instead of those of the same names."""
    pairs = check_headers(headers)
    for name, _ in pairs:
        if name in response.headers:
            del response.headers[name]
    for name, value in pairs:
        response.headers[name] = value


def fragments(parts: tuple[Any, ...]) -> tuple[list[bytes], bool]:
    """Return the payloads of the frames of a message, and whether it is binary; `TypeError` if it cannot be one."""
    if parts and all(isinstance(part, str) for part in parts):
        return [_utf8(part) for part in parts], False
    if parts and all(isinstance(part, (bytes, bytearray, memoryview)) for part in parts):
        return [bytes(part) for part in parts], True
    names = ", ".join(type(part).__name__ for part in parts)
    raise TypeError(f"send takes str, or bytes-like, not {names or 'nothing'}; for JSON use send_json")


def check_text(name: str, text: str | None) -> None:
    """Raise `TypeError` or `ValueError` for what is neither None nor a text that can be sent in one line."""
    if text is None:
        return
    if not isinstance(text, str):
        raise TypeError(f"{name} must be str, not {type(text).__name__}")
    if _CONTROL.search(text):
        raise ValueError(f"{name} has a character that cannot be sent there: {text!r:.100}")


def check_bytes(name: str, data: Any) -> bytes:
    """Return bytes-like data as `bytes`; raise `TypeError` for anything else."""
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"{name} takes bytes, not {type(data).__name__}")
    return bytes(data)


def check_expected_close(code: int | None, reason: str | None) -> None:
    """Raise `TypeError` or `ValueError` for a code and a reason that no client can close with."""
    if reason is not None and not isinstance(reason, str):
        raise TypeError(f"reason must be str, not {type(reason).__name__}")
    if code is not None:
        check_close(code, "")


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
    if len(_utf8(reason)) > 123:
        raise ValueError("reason must be at most 123 bytes of UTF-8")


def check_seconds(name: str, seconds: float | None) -> None:
    """Raise `TypeError` or `ValueError` for what cannot be a time, or None."""
    if seconds is None:
        return
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(f"{name} must be a number of seconds, not {type(seconds).__name__}")
    if not seconds >= 0:
        raise ValueError(f"{name} must be a number of seconds that is not negative, not {seconds!r}")


def check_delay(seconds: float) -> None:
    """Raise `TypeError` or `ValueError` for what cannot be a time to wait."""
    if seconds is None:
        raise TypeError("seconds must be a number of seconds, not NoneType")
    check_seconds("seconds", seconds)


def check_status(status: int) -> None:
    """Raise `TypeError` or `ValueError` for what cannot be the status of a refusal."""
    if isinstance(status, bool) or not isinstance(status, int):
        raise TypeError(f"status must be int, not {type(status).__name__}")
    if not 200 <= status <= 599:
        raise ValueError(f"status must be from 200 to 599, not {status}: a server accepts by accept()")


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ValueError("half of a surrogate pair cannot be sent: text travels as UTF-8") from None

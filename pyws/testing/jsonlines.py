r"""A recording as JSON Lines, to be read and edited by people: one event is one line.

    {"recording": 1, "started": "2026-11-27T12:00:00+00:00"}
    {"time": 0.0, "request": "wss://example.org/chat?token=~masked~", "subprotocols": ["chat"]}
    {"time": 0.052, "response": 101, "subprotocol": "chat"}
    # a line that begins so is a comment
    {"time": 0.061, "from": "client", "text": "Hello 🌍"}
    {"time": 0.083, "from": "server", "json": {"answer": [1, 2]}}
    {"time": 0.083, "from": "server", "base64": "AP8="}
    {"time": 0.112, "from": "server", "close": 1000, "reason": "bye"}

`time` is in seconds since the start. Only `from` and one of `text`, `json`, `base64`, `close`, `lost` are needed. A
text that is JSON is written as `json`, if it can be restored exactly: with `"spaces": true` it has spaces after commas
and colons, with `"ascii": true` escapes for other characters. `"close": null` is a Close frame without a code, and
`"lost": true` an end without such a frame. Lines of other connections than the first have `"connection": 2` and so on.
https://jsonlines.org/
"""

import base64
import json
import os
import re
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .eventchecks import Order, check_event
from .jsontext import STYLES, JsonStyle, parse, refuse, unique
from .recorded import (
    Close,
    Event,
    Headers,
    Lost,
    Message,
    Placed,
    RecordedConversation,
    RecordingError,
    Request,
    Response,
)

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows does not let a file be emptied that another program writes
    fcntl = None  # type: ignore[assignment]

VERSION = 1
"""The version of the format."""

_KINDS = ("request", "response", "text", "json", "base64", "close", "lost")
_KEYS: dict[str, tuple[str, ...]] = {
    "request": ("subprotocols", "headers"),
    "response": ("subprotocol", "headers", "body"),
    "text": (),
    "json": ("spaces", "ascii"),
    "base64": (),
    "close": ("reason", "clean"),
    "lost": (),
}
_TYPES: dict[str, tuple[Any, str]] = {
    "request": (str, "a URL"),
    "response": (int, "a status, such as 101"),
    "text": (str, "a text"),
    "json": (object, ""),
    "base64": (str, "the text of base64"),
    "close": ((int, type(None)), "a code such as 1000, or null for none"),
    "lost": (bool, "true"),
    "subprotocols": (list, "a list of names"),
    "subprotocol": ((str, type(None)), "a name"),
    "headers": (dict, "an object of names and values"),
    "body": (str, "a text"),
    "spaces": (bool, "true or false"),
    "ascii": (bool, "true or false"),
    "reason": (str, "a text"),
    "clean": (bool, "true or false"),
    "time": ((int, float), "a number of seconds"),
    "connection": (int, "1 or more"),
}
# Characters that do not show, or change the direction of text, are escaped in the file.
_HIDDEN = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def write(number: int, event: Event) -> str:
    """Return the line of an event of the conversation `number`, without its line break."""
    line: dict[str, Any] = {} if number == 1 else {"connection": number}
    line["time"] = round(event.time, 6)
    match event:
        case Request():
            line["request"] = event.url
            _add(line, subprotocols=list(event.subprotocols), headers=_grouped(event.headers))
        case Response():
            line["response"] = event.status
            _add(line, subprotocol=event.subprotocol, headers=_grouped(event.headers), body=event.body)
        case Message():
            line["from"] = event.sender
            _add_data(line, event.data)
        case Close():
            line["from"], line["close"] = event.sender, event.code
            _add(line, reason=event.reason)
            if not event.clean:
                line["clean"] = False
        case _:
            line["from"], line["lost"] = event.sender, True
    text = json.dumps(line, ensure_ascii=False)
    return text if text.isascii() else _HIDDEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _add(line: dict[str, Any], **values: Any) -> None:
    line.update({name: value for name, value in values.items() if value})


def _add_data(line: dict[str, Any], data: str | bytes) -> None:
    if isinstance(data, bytes):
        line["base64"] = base64.b64encode(data).decode()
        return
    document = parse(data)
    style = None if document is None else next((it for it in STYLES if it.write(document.json) == data), None)
    if document is None or style is None:
        line["text"] = data
        return
    line["json"] = document.json
    _add(line, spaces=style.spaces, ascii=style.ascii)


def _grouped(headers: Headers) -> dict[str, str | list[str]]:
    """Return headers as an object; the values of a header that is there several times are a list."""
    grouped: dict[str, str | list[str]] = {}
    for name, value in headers:
        if name not in grouped:
            grouped[name] = value
        elif isinstance(before := grouped[name], list):
            before.append(value)
        else:
            grouped[name] = [before, value]
    return grouped


def read(line: dict[str, Any], latest: float) -> Event:
    """Return the event of a line, which is at the time `latest` if it has none; raise `ValueError`."""
    kinds = [kind for kind in _KINDS if kind in line]
    if len(kinds) != 1:
        raise ValueError(f"it must have one of the keys {', '.join(_KINDS)}" + (", not two" if kinds else ""))
    (kind,) = kinds
    for key, value in line.items():
        if key not in (kind, "time", "from", "connection", "comment", *_KEYS[kind]):
            raise ValueError(f"the key {key!r} does not belong to {kind!r}")
        expected, words = _TYPES.get(key, (object, ""))
        if not isinstance(value, expected) or (isinstance(value, bool) and expected not in (bool, object)):
            raise ValueError(f"{key} must be {words}")
    try:
        seconds = float(line.get("time", latest))
    except OverflowError:
        seconds = float("inf")
    if not 0 <= seconds < float("inf"):
        raise ValueError("time must be a number of seconds")
    only = {"request": "client", "response": "server"}.get(kind)
    sender = line.get("from", only)
    if sender not in ("client", "server") or (only and sender != only):
        raise ValueError(f"from must be {only or 'client or server'} in a line with {kind!r}")
    match kind:
        case "request":
            names = line.get("subprotocols", [])
            if not all(isinstance(name, str) for name in names):
                raise ValueError("subprotocols must be a list of names")
            return Request(line["request"], tuple(names), _flat(line.get("headers", {})), seconds)
        case "response":
            if not 101 <= line["response"] <= 599:
                raise ValueError("response must be a status, such as 101")
            headers = _flat(line.get("headers", {}))
            return Response(line["response"], line.get("subprotocol"), headers, line.get("body", ""), seconds)
        case "close":
            if line["close"] is not None and not 1000 <= line["close"] <= 4999:
                raise ValueError("close must be a code from 1000 to 4999, or null for none")
            return Close(sender, line["close"], line.get("reason", ""), line.get("clean", True), seconds)
        case "lost":
            if not line["lost"]:
                raise ValueError("lost must be true")
            return Lost(sender, seconds)
    return Message(sender, _data(kind, line), seconds)


def _data(kind: str, line: dict[str, Any]) -> str | bytes:
    if kind == "base64":
        try:
            return base64.b64decode(line["base64"], validate=True)
        except ValueError:
            raise ValueError("base64 must be the text of base64") from None
    if kind == "json":
        return JsonStyle(line.get("spaces", False), line.get("ascii", False)).write(line["json"])
    text: str = line["text"]
    return text


def _flat(headers: dict[str, Any]) -> Headers:
    flat: list[tuple[str, str]] = []
    for name, values in headers.items():
        for value in values if isinstance(values, list) else [values]:
            if not isinstance(value, str):
                raise ValueError("the value of a header must be a text, or a list of texts")
            flat.append((name, value))
    return tuple(flat)


def _take(descriptor: int, path: "str | os.PathLike[str]") -> None:
    """Lock a file, so that no other recorder writes into it, and empty it; raise `BlockingIOError` if one does."""
    if fcntl is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BlockingIOError(error.errno, "another recorder writes this file", os.fspath(path)) from None
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.ftruncate(descriptor, 0)


class JsonLinesWriter:
    """Writes a recording line by line: all lines can be read, at every moment at which the program is ended.

    Raises `FileExistsError` if the file exists, unless `overwrite`; `OSError` if it cannot be written, or if another
    recorder writes it.
    """

    def __init__(self, path: "str | os.PathLike[str]", overwrite: bool = False) -> None:
        # Not all secrets can be recognized: only the user may read the file.
        flags = os.O_WRONLY | os.O_CREAT | (0 if overwrite else os.O_EXCL)
        descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o600)
        self._file = open(descriptor, "wb", buffering=0)  # noqa: SIM115 - `close` closes it
        try:
            _take(descriptor, path)
        except OSError:
            self._file.close()
            raise
        self.started = time.time()
        started = datetime.fromtimestamp(self.started, UTC).isoformat(timespec="milliseconds")
        try:
            self._write(json.dumps({"recording": VERSION, "started": started}))
        except OSError:
            self._file.close()
            raise

    def write(self, number: int, event: Event) -> None:
        """Write an event of the conversation `number`; it is in the file when this returns."""
        self._write(write(number, event))

    def close(self) -> None:
        """Close the file. Call it once, at the end."""
        self._file.close()

    def _write(self, line: str) -> None:
        rest = memoryview(line.encode() + b"\n")
        while rest:
            rest = rest[self._file.write(rest) :]


def _why(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8, at byte {error.start + 1}"
    if isinstance(error, json.JSONDecodeError):
        return f"it is not JSON, at character {error.pos + 1}: {error.msg}"
    return f"it is not JSON: {error}"


def _is_cut(text: bytes, error: Exception) -> bool:
    """Tell whether the end of a line is missing, and nothing else is wrong with it."""
    return not text.endswith(b"}") or (isinstance(error, json.JSONDecodeError) and error.pos >= len(error.doc))


class JsonLinesReader:
    """Reads a recording, line by line: once to check it, and again each time when events are asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.started = 0.0
        self.conversations: list[RecordedConversation] = []
        found: dict[int, RecordedConversation] = {}
        orders: dict[int, Order] = {}
        for offset, count, number, event in self._lines(0, 1, None):
            try:
                check_event(event)
                orders.setdefault(number, Order()).check(event, f"line {count}")
            except ValueError as error:
                raise self._error(count, str(error)) from None
            conversation = found.get(number)
            if conversation is None:
                conversation = found[number] = RecordedConversation(len(found) + 1, start=offset, line=count)
                self.conversations.append(conversation)
                self._numbers = {it.number: number for number, it in found.items()}
            conversation.end = offset
            if isinstance(event, Request):
                conversation.url = event.url
            elif isinstance(event, Message):
                conversation.messages += 1

    def events(self, conversation: RecordedConversation) -> Iterator[Placed]:
        """Yield the events of a conversation, in order."""
        for _, count, number, event in self._lines(conversation.start, conversation.line, conversation.end):
            if number == self._numbers[conversation.number]:
                yield Placed(f"line {count}", event)

    def _lines(self, start: int, first: int, last: int | None) -> Iterator[tuple[int, int, int, Event]]:
        """Yield offset, number, conversation, event of each line, from that at `start`, the line `first`, to `last`."""
        latest, offset, recorded = 0.0, start, start > 0
        with open(self._path, "rb") as file:
            file.seek(start)
            for count, data in enumerate(file, first):
                if last is not None and offset > last:
                    return
                begin, offset = offset, offset + len(data)
                text = data.removeprefix(b"\xef\xbb\xbf" if not begin else b"").strip()
                if not text or text.startswith((b"#", b"//")):
                    continue
                try:
                    line = json.loads(text.decode(), parse_constant=refuse, object_pairs_hook=unique)
                except (ValueError, RecursionError) as error:
                    if recorded and not data.endswith(b"\n") and _is_cut(text, error):
                        return  # the recorder was ended while it wrote this line
                    raise self._error(count, _why(error)) from None
                if not isinstance(line, dict):
                    raise self._error(count, "it must be a JSON object")
                if "recording" in line:
                    self._read_version(count, line)
                    recorded = True
                    continue
                try:
                    event = read(line, latest)
                    number = line.get("connection", 1)
                    if number < 1:
                        raise ValueError("connection must be 1 or more")
                except ValueError as error:
                    raise self._error(count, str(error)) from None
                latest = event.time
                yield begin, count, number, event

    def _read_version(self, count: int, line: dict[str, Any]) -> None:
        if "request" in line or "from" in line:
            raise self._error(count, "the line with recording has no event: give it a line of its own")
        if line["recording"] != VERSION:
            raise self._error(count, f"recording must be {VERSION}: a newer pyws has written it")
        try:
            self.started = datetime.fromisoformat(line.get("started", "1970-01-01T00:00:00+00:00")).timestamp()
        except (TypeError, ValueError):
            raise self._error(count, "started must be a time of ISO 8601") from None

    def _error(self, count: int, text: str) -> RecordingError:
        return RecordingError(f"{self._path}, line {count}: {text}")

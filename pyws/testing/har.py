"""A recording as an HTTP Archive, HAR 1.2, with the WebSocket fields of Chromium's developer tools.

A WebSocket is an entry whose `_resourceType` is "websocket". Its `_webSocketMessages` have a `type`, "send" or
"receive" as the client sees it, a `time` in seconds since 1970, an `opcode`, 1 for text and 2 for binary, and `data`,
text or base64. Others write these fields, too: mitmproxy, Playwright. They lack the end of the connection; pyws adds it
as `_webSocketClose`.
http://www.softwareishard.com/blog/har-12-spec/
https://developer.chrome.com/blog/new-in-devtools-76/#websocket
"""

import base64
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qsl, urlsplit

from ..version import __version__
from .eventchecks import check_event
from .harfields import fields, number, objects, one_of, text
from .recorded import (
    Close,
    Event,
    Headers,
    Lost,
    Message,
    Placed,
    Reader,
    RecordedConversation,
    RecordingError,
    Request,
    Response,
)

TEXT, BINARY = 1, 2
"""Opcodes of messages; of other frames a file may have, only messages are read."""

ERROR = -1
"""The opcode in Chromium's files of a failure of the connection."""
OPCODES = (TEXT, BINARY, ERROR, 0, 8, 9, 10)
"""All opcodes that a file may have: https://www.rfc-editor.org/rfc/rfc6455#section-11.8"""

SUBPROTOCOL = "sec-websocket-protocol"


class HarReader:
    """Reads the WebSockets of an archive. It is read as a whole: JSON has no lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            entries = json.loads(path.read_bytes())["log"]["entries"]
            self._entries = [entry for entry in entries if _is_websocket(entry)]
        except (ValueError, RecursionError) as error:
            raise RecordingError(f"{path} is not JSON ({error})") from None
        except (KeyError, TypeError, AttributeError):
            raise RecordingError(f"{path} is not an HTTP Archive: it has no log with entries") from None
        self._entries.sort(key=lambda entry: str(entry.get("startedDateTime")))
        self.conversations: list[RecordedConversation] = []
        self._events: list[list[Placed]] = []
        self._starts = [_seconds(entry.get("startedDateTime")) for entry in self._entries]
        self.started = min(self._starts, default=0.0)
        for count, entry in enumerate(self._entries, 1):
            try:
                events = list(self._read(entry, self._starts[count - 1]))
                for placed in events:
                    _check(placed)
            except ValueError as error:
                raise RecordingError(f"{path}, WebSocket {count}: {error}") from None
            request = events[0].event
            assert isinstance(request, Request)
            messages = sum(isinstance(placed.event, Message) for placed in events)
            self.conversations.append(RecordedConversation(count, request.url, messages))
            self._events.append(events)

    def events(self, conversation: RecordedConversation) -> Iterator[Placed]:
        """Yield the events of a conversation, in order."""
        return iter(self._events[conversation.number - 1])

    def _read(self, entry: dict[str, Any], started: float) -> Iterator[Placed]:
        request, response = fields(entry, "request"), fields(entry, "response")
        headers = _headers(request)
        offered = [name.strip() for name in _values(headers, SUBPROTOCOL).split(",") if name.strip()]
        url = text(request, "url")
        if url.startswith("http"):
            url = "ws" + url.removeprefix("http")
        start = max(0.0, started - self.started)
        yield Placed("its request", Request(url, tuple(offered), _without(headers, SUBPROTOCOL), start))
        status = int(number(response, "status"))
        messages = objects(entry, "_webSocketMessages")
        if not status:
            refusal = next((code for code in map(_refusal, messages) if code), None)
            yield Placed("its response", Response(refusal, time=start) if refusal else Lost("server", start))
            return
        answer = _headers(response)
        latest = start + max(0.0, number(entry, "time") / 1000) * (status != 101)
        chosen = _values(answer, SUBPROTOCOL) or None
        body = _body(fields(response, "content", {})) if status != 101 else ""
        yield Placed("its response", Response(status, chosen, _without(answer, SUBPROTOCOL), body, latest))
        for count, message in enumerate(messages, 1):
            try:
                latest = max(latest, number(message, "time") - self.started)
                event = _message(message, latest)
            except ValueError as error:
                raise ValueError(f"message {count}: {error}") from None
            if event is not None:
                yield Placed(f"message {count}", event)
            if isinstance(event, Lost):
                return
        if entry.get("_webSocketClose") is not None:
            end = fields(entry, "_webSocketClose")
            latest = max(latest, number(end, "time") - self.started)
            yield Placed("its end", _end(end, latest))


def _is_websocket(entry: dict[str, Any]) -> bool:
    return entry.get("_resourceType") == "websocket" or "_webSocketMessages" in entry


def _check(placed: Placed) -> None:
    try:
        check_event(placed.event)
    except ValueError as error:
        raise ValueError(f"{placed.place}: {error}") from None


def _seconds(text: Any) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        return 0.0


def _headers(part: dict[str, Any]) -> Headers:
    """Return the headers of a request or response.

    Chromium writes those of HTTP/2, such as ":method", too, and several of one name, such as Set-Cookie, as lines of
    one value. Characters beyond ISO 8859-1 are bytes of UTF-8 on the wire.
    """
    pairs = [(text(it, "name"), value) for it in objects(part, "headers") for value in text(it, "value").split("\n")]
    return tuple((name, _on_the_wire(value)) for name, value in pairs if not name.startswith(":"))


def _on_the_wire(value: str) -> str:
    return value.encode(errors="replace").decode("latin-1") if any(it > "\xff" for it in value) else value


def _values(headers: Headers, wanted: str) -> str:
    return ", ".join(value for name, value in headers if name.lower() == wanted)


def _without(headers: Headers, unwanted: str) -> Headers:
    return tuple((name, value) for name, value in headers if name.lower() != unwanted)


def _body(content: dict[str, Any]) -> str:
    body = text(content, "text", "")
    return base64.b64decode(body).decode("utf-8", "replace") if content.get("encoding") == "base64" else body


def _message(message: dict[str, Any], time: float) -> Event | None:
    """Return the event of a message; None for a frame that is not a message."""
    opcode = one_of(message, "opcode", *OPCODES, default=TEXT)
    if message.get("type") == "error" or opcode == ERROR:
        return Lost("server", time)
    if opcode not in (TEXT, BINARY):
        return None
    kind, data = one_of(message, "type", "send", "receive"), text(message, "data")
    sender: Any = "client" if kind == "send" else "server"
    if opcode == TEXT:
        return Message(sender, data, time)
    try:
        return Message(sender, base64.b64decode(data, validate=True), time)
    except ValueError:
        raise ValueError("data of a binary message must be base64") from None


def _refusal(message: dict[str, Any]) -> int | None:
    """Return the status of a refusal, which Chromium writes only into the text of an error; None for other messages."""
    found = re.search(r"Unexpected response code: ([2-5][0-9]{2})", str(message.get("data")))
    return int(found[1]) if found and message.get("type") == "error" else None


def _end(end: dict[str, Any], time: float) -> Event:
    sender: Any = "client" if one_of(end, "type", "send", "receive") == "send" else "server"
    if end.get("lost"):
        return Lost(sender, time)
    code = end.get("code")
    if code is not None and (not isinstance(code, int) or not 1000 <= code <= 4999):
        raise ValueError("the code of _webSocketClose must be from 1000 to 4999, or null")
    return Close(sender, code, text(end, "reason", ""), bool(end.get("clean", True)), time)


# Writing.


def write(file: IO[str], recording: Reader) -> None:
    """Write all conversations of a recording, message by message, as an archive."""
    log = {"version": "1.2", "creator": {"name": "pyws", "version": __version__}, "pages": []}
    file.write('{"log": ' + json.dumps(log)[:-1] + ', "entries": [')
    separator = "\n"
    for conversation in recording.conversations:
        file.write(separator)
        _write_entry(file, recording, conversation)
        separator = ",\n"
    file.write("\n]}}\n")


def _write_entry(file: IO[str], recording: Reader, conversation: RecordedConversation) -> None:
    request, response, end = Request(), Response(0), None
    file.write('{"_resourceType": "websocket", "_webSocketMessages": [')
    separator = "\n  "
    for _, event in recording.events(conversation):
        match event:
            case Request():
                request = event
            case Response():
                response = event
            case Message():
                file.write(separator + json.dumps(_message_fields(event, recording.started)))
                separator = ",\n  "
            case _:
                end = event
    entry = _entry(request, response, recording.started)
    if end is not None and response.status:
        entry["_webSocketClose"] = _end_fields(end, recording.started)
    file.write("\n], " + json.dumps(entry)[1:])


def _message_fields(message: Message, started: float) -> dict[str, Any]:
    text = isinstance(message.data, str)
    return {
        "type": "send" if message.sender == "client" else "receive",
        "time": started + message.time,
        "opcode": TEXT if text else BINARY,
        "data": message.data if isinstance(message.data, str) else base64.b64encode(message.data).decode(),
    }


def _end_fields(end: Close | Lost, started: float) -> dict[str, Any]:
    fields: dict[str, Any] = {"type": "send" if end.sender == "client" else "receive", "time": started + end.time}
    if isinstance(end, Lost):
        return {**fields, "lost": True}
    return {**fields, "code": end.code, "reason": end.reason, "clean": end.clean}


def _entry(request: Request, response: Response, started: float) -> dict[str, Any]:
    """Return the fields of an entry that HAR demands, and those that its readers expect of a WebSocket."""
    offered = [("Sec-WebSocket-Protocol", ", ".join(request.subprotocols))] if request.subprotocols else []
    chosen = [("Sec-WebSocket-Protocol", response.subprotocol)] if response.subprotocol else []
    milliseconds = max(0.0, (response.time - request.time) * 1000) if response.status else 0.0
    start = datetime.fromtimestamp(started + request.time, UTC).isoformat(timespec="milliseconds")
    status = response.status
    content: dict[str, Any] = {"size": len(response.body.encode()), "mimeType": "x-unknown"}
    for name, value in response.headers:
        if name.lower() == "content-type":
            content["mimeType"] = value
    if response.body:
        content["text"] = response.body
    return {
        "startedDateTime": start.replace("+00:00", "Z"),
        "time": milliseconds,
        "request": {
            "method": "GET",
            "url": request.url,
            "httpVersion": "HTTP/1.1",
            "headers": _pairs((*request.headers, *offered)),
            "queryString": _pairs(tuple(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))),
            "cookies": [],
            "headersSize": -1,
            "bodySize": 0,
        },
        "response": {
            "status": status,
            "statusText": HTTPStatus(status).phrase if status in set(HTTPStatus) else "",
            "httpVersion": "HTTP/1.1",
            "headers": _pairs((*response.headers, *chosen)),
            "cookies": [],
            "content": content,
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": -1,
            "_transferSize": 0,
            "_error": None if status else "the server gave no answer",
        },
        "cache": {},
        "timings": {"blocked": -1, "dns": -1, "connect": -1, "ssl": -1, "send": 0, "wait": milliseconds, "receive": 0},
    }


def _pairs(items: Headers) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in items]

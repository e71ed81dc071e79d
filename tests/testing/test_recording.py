"""The files of recordings: what is written is read again, by people too, and mistakes are told with their line."""

import dataclasses
import io
import json

import pytest
from pyws.testing import har
from pyws.testing.jsonlines import JsonLinesWriter, read, write
from pyws.testing.recorded import Close, Lost, Message, RecordingError, Request, Response
from pyws.testing.recording import Recording

pytestmark = pytest.mark.once

CONVERSATIONS = [
    [
        Request(
            "wss://h/chat?token=~masked~",
            ("chat", "v2"),
            (("Origin", "https://h"), ("X", "1"), ("X", "2"), ("X", "3")),
            0.0,
        ),
        Response(101, "chat", (("Server", "x"),), "", 0.0),
        Message("client", "Hello 🌍\n\u202e\x85\u2028\x00", 0.06),
        Message("server", '{"a":[1,2.5,"ü",null],"b":{}}', 0.07),
        Message("server", '{"a": [1, 2.5, "\\u00fc"]}', 0.07),
        Message("server", '{"a": "ü"}', 0.07),
        Message("server", '{ "a" : 1 }', 0.07),
        Message("server", '{"a":1,"a":2}', 0.07),
        Message("server", '{"a":1.50}', 0.07),
        Message("server", '{"a":"\\ud800"}', 0.07),
        Message("server", "[NaN]", 0.07),
        Message("server", "[" * 5000, 0.07),
        Message("server", b"\x00\xff", 0.08),
        Message("client", b"", 0.09),
        Message("client", "", 0.09),
        Close("server", 4001, "bye", True, 0.1),
    ],
    [Request("wss://h/x", time=0.2), Response(403, None, (("Content-Type", "text/plain"),), "no", 0.2)],
    [Request("wss://h/y", time=0.2), Lost("server", 0.2)],
    [Request("wss://h/y", time=0.2), Response(time=0.2), Close("client", None, "", False, 0.4)],
    [Request("wss://h/y", time=0.2), Response(time=0.2), Message("client", "a", 0.3), Lost("client", 0.4)],
]


def events(recording):
    """The events of each conversation."""
    return [[placed.event for placed in recording.events(it)] for it in recording.conversations]


def test_json_lines(tmp_path):
    """Each event is one line, and is read as it was, however conversations are mixed."""
    writer = JsonLinesWriter(tmp_path / "a.jsonl")
    left = [(number, list(conversation)) for number, conversation in enumerate(CONVERSATIONS, 1)]
    while left:
        for number, conversation in left:
            writer.write(number, conversation.pop(0))
        left = [pair for pair in left if pair[1]]
    writer.close()
    recording = Recording(tmp_path / "a.jsonl")
    assert events(recording) == CONVERSATIONS
    assert recording.started == pytest.approx(writer.started, abs=0.001)
    assert (tmp_path / "a.jsonl").stat().st_mode & 0o777 == 0o600
    text = (tmp_path / "a.jsonl").read_text()
    assert text.count("\n") == 1 + sum(map(len, CONVERSATIONS))
    assert not set("\u202e\x85\u2028\x00") & set(text) and "🌍" in text


def test_a_line_is_plain():
    """Text is text, JSON is JSON, if it can be restored exactly."""
    lines = [write(1, event) for event in CONVERSATIONS[0][:7]]
    assert lines[0] == (
        '{"time": 0.0, "request": "wss://h/chat?token=~masked~", "subprotocols": ["chat", "v2"], '
        '"headers": {"Origin": "https://h", "X": ["1", "2", "3"]}}'
    )
    assert lines[1] == '{"time": 0.0, "response": 101, "subprotocol": "chat", "headers": {"Server": "x"}}'
    assert lines[3] == '{"time": 0.07, "from": "server", "json": {"a": [1, 2.5, "ü", null], "b": {}}}'
    assert lines[4].endswith('"json": {"a": [1, 2.5, "ü"]}, "spaces": true, "ascii": true}')
    assert lines[5].endswith('"json": {"a": "ü"}, "spaces": true}')
    assert lines[6].endswith('"text": "{ \\"a\\" : 1 }"}')


def test_an_archive(tmp_path):
    """The same as HAR; the times are those since 1970, and become those since the start again."""
    test_json_lines(tmp_path)
    recording = Recording(tmp_path / "a.jsonl")
    with open(tmp_path / "a.har", "w") as file:
        har.write(file, recording)
    archived = Recording(tmp_path / "a.har")
    assert [[dataclasses.replace(event, time=0) for event in it] for it in events(archived)] == [
        [dataclasses.replace(event, time=0) for event in it] for it in CONVERSATIONS
    ]
    for before, after in zip(events(recording), events(archived), strict=True):
        assert [event.time for event in after] == pytest.approx([event.time for event in before], abs=0.002)


def test_an_archive_has_what_har_demands(tmp_path):
    """The fields of the specification, and those of Chromium's WebSockets.

    http://www.softwareishard.com/blog/har-12-spec/#entries
    """
    test_json_lines(tmp_path)
    file = io.StringIO()
    har.write(file, Recording(tmp_path / "a.jsonl"))
    log = json.loads(file.getvalue())["log"]
    assert {"version", "creator", "entries"} <= log.keys()
    for entry in log["entries"]:
        assert {"startedDateTime", "time", "request", "response", "cache", "timings"} <= entry.keys()
        assert {"method", "url", "httpVersion", "cookies", "headers", "queryString", "headersSize", "bodySize"} <= (
            entry["request"].keys()
        )
        assert {
            "status",
            "statusText",
            "httpVersion",
            "cookies",
            "headers",
            "content",
            "redirectURL",
            "headersSize",
        } <= (entry["response"].keys())
        assert {"send", "wait", "receive"} <= entry["timings"].keys()
        assert entry["_resourceType"] == "websocket"
        for message in entry["_webSocketMessages"]:
            assert message.keys() == {"type", "time", "opcode", "data"}


def test_a_file_written_by_hand(tmp_path):
    """Only the messages; comments, empty lines, other line ends."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b'# a comment\r\n\r\n// another\n  {"from": "client", "text": "hi"}  \n{"from": "server", "json": {"a": 1}}\n'
        b'{"from": "server", "close": 1000, "comment": "polite", "time": 3}'
    )
    recording = Recording(path)
    assert events(recording) == [
        [Message("client", "hi"), Message("server", '{"a":1}'), Close("server", 1000, time=3.0)]
    ]
    assert [placed.place for placed in recording.events(recording.conversations[0])] == ["line 4", "line 5", "line 6"]
    assert recording.listing() == "  1: any URL (2 messages)"


@pytest.mark.parametrize("end", range(1, 90, 11))
def test_what_was_written_before_the_recorder_was_killed(tmp_path, end):
    """It is read up to the last whole line, and one that lacks only its line break."""
    writer = JsonLinesWriter(tmp_path / "a.jsonl")
    for event in CONVERSATIONS[0]:
        writer.write(1, event)
    writer.close()
    data = (tmp_path / "a.jsonl").read_bytes()
    (tmp_path / "b.jsonl").write_bytes(data[:-end])
    left = CONVERSATIONS[0][: data[: 1 - end or None].count(b"\n") - 1]
    assert events(Recording(tmp_path / "b.jsonl")) == [left]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "it is not JSON"),
        ("[1]", "must be a JSON object"),
        ("[" * 9999, "it is not JSON"),
        ('{"time": 1}', "one of the keys"),
        ('{"from": "client", "text": "a", "json": 1}', "not two"),
        ('{"from": "me", "text": "a"}', "client or server"),
        ('{"text": "a"}', "client or server"),
        ('{"from": "server", "request": "wss://h/"}', "from must be client"),
        ('{"from": "client", "text": 7}', "text must be a text"),
        ('{"from": "client", "tex": "a", "text": "b"}', "'tex' does not belong"),
        ('{"from": "client", "base64": "?"}', "base64"),
        ('{"from": "client", "base64": "é"}', "base64"),
        ('{"from": "client", "close": 99}', "1000 to 4999"),
        ('{"from": "client", "close": true}', "a code"),
        ('{"from": "client", "close": null, "reason": "x"}', "no reason"),
        ('{"from": "client", "close": 1000, "reason": "%s"}' % ("é" * 62), "123 bytes"),
        ('{"from": "client", "lost": 1}', "lost must be true"),
        ('{"from": "client", "text": "a", "time": -1}', "time"),
        ('{"from": "client", "text": "a", "time": "x"}', "time"),
        ('{"from": "client", "text": "a", "connection": 0}', "connection"),
        ('{"from": "client", "text": "a", "connection": true}', "connection"),
        ('{"response": 99}', "status"),
        ('{"request": "wss://h/", "headers": {"a": 1}}', "header"),
        ('{"request": "wss://h/", "subprotocols": [1]}', "subprotocols"),
        ('{"recording": 2}', "newer pyws"),
        ('{"recording": 1, "started": "x"}', "ISO 8601"),
        ('{"recording": 1, "request": "wss://h/"}', "a line of its own"),
        ('{"from": "server", "text": "a", "text": "b"}', "a key is there twice"),
        ('{"from": "server", "json": [NaN]}', "NaN is not JSON"),
        ('{"from": "server", "text": "\\ud800"}', "surrogate"),
        ('{"from": "server", "json": ["\\ud800"]}', "surrogate"),
        ('{"from": "server", "close": 1000, "reason": "\\ud800"}', "surrogate"),
        ('{"response": 404, "body": "\\ud800"}', "surrogate"),
        ('{"from": "server", "close": 1005}', "write null"),
        ('{"from": "server", "close": 1006}', "write it as lost"),
        ('{"from": "server", "lost": false}', "lost must be true"),
        ('{"response": 101, "headers": {"X": "a\\r\\nb: c"}}', "the header X"),
        ('{"response": 101, "headers": {"X": "€"}}', "the header X"),
        ('{"response": 101, "headers": {"X Y": "a"}}', "'X Y' is not the name"),
        ('{"response": 102}', "from 200 to 599"),
        ('{"request": "wss://[h/"}', "the URL of a request"),
        ('{"from": "client", "text": "a", "time": 1%s}' % ("0" * 400), "time"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path, line, words):
    """Which one it is, and what would be right."""
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"recording": 1}}\n# comment\n{line}\n')
    with pytest.raises(RecordingError, match=f"line 3: .*{words}"):
        Recording(path)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (('{"from": "server", "text": "a"}', '{"request": "wss://h/"}'), "line 2: a request begins"),
        (('{"request": "wss://h/"}', '{"request": "wss://h/"}'), "line 2: a request begins"),
        (('{"response": 101}', '{"response": 404}'), "line 2: a response comes once"),
        (('{"from": "server", "text": "a"}', '{"response": 101}'), "line 2: a response comes once"),
        (
            ('{"from": "server", "close": 1000}', '{"from": "server", "text": "a"}'),
            "line 2: .* ended before, in line 1",
        ),
        (('{"response": 404}', '{"from": "server", "text": "a"}'), "line 2: .* ended before, in line 1"),
        (
            ('{"from": "server", "lost": true}', '{"from": "client", "close": null}'),
            "line 2: .* ended before, in line 1",
        ),
    ],
)
def test_an_order_that_cannot_be(tmp_path, lines, words):
    """It is told when the file is read, and not when a client is there; another connection has its own order."""
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines))
    with pytest.raises(RecordingError, match=words):
        Recording(path)
    path.write_text("\n".join([lines[0], '{"connection": 2, ' + lines[1][1:]]))
    assert len(Recording(path).conversations) == 2


@pytest.mark.parametrize(
    "end", ['{"from": "client", "text": "bye",}', "{'from': 'client', 'text': 'bye'}", '{"from": "c']
)
def test_a_mistake_in_the_last_line(tmp_path, end):
    """It is no line that a recorder has begun, also if the line break after it is missing."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"from": "server", "text": "a"}\n' + end)
    with pytest.raises(RecordingError, match="line 2: it is not JSON, at character"):
        Recording(path)


def test_encodings(tmp_path):
    """A mark at the beginning does no harm; another encoding is told."""
    path = tmp_path / "a.jsonl"
    path.write_text('# comment\r\n{"from": "server", "text": "é"}\r\n', "utf-8-sig")
    assert Recording(path).conversations[0].messages == 1
    for encoding in ("latin-1", "utf-16"):
        path.write_text('{"from": "server", "text": "é"}\n', encoding)
        with pytest.raises(RecordingError, match="line 1: it is not UTF-8"):
            Recording(path)


def test_what_is_no_recording(tmp_path):
    """Another suffix, nothing in it, no file; an archive that is none, or has no WebSocket, or a broken one."""
    for name, content, words in (
        ("a.txt", "", "name the file .jsonl"),
        ("a.jsonl", "\n", "no WebSocket"),
        ("a.har", "{", "not JSON"),
        ("b.har", "[]", "not an HTTP Archive"),
        ("c.har", '{"log": {"entries": []}}', "no WebSocket"),
        ("d.har", '{"log": {"entries": [{"_resourceType": "websocket"}]}}', "WebSocket 1: it has no 'request'"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(RecordingError, match=words):
            Recording(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        Recording(tmp_path / "none.jsonl")
    (tmp_path / "e.har.jsonl").write_text("")
    with pytest.raises(RecordingError, match=r"interrupted: use .*e\.har\.jsonl"):
        Recording(tmp_path / "e.har")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"_webSocketMessages": [{"type": "x", "opcode": 1, "data": ""}]}, "message 1: type"),
        ({"_webSocketMessages": [{"type": "send", "opcode": 1}]}, "message 1: it has no 'data'"),
        ({"_webSocketMessages": [{"type": "send", "opcode": 2, "data": "?"}]}, "message 1: .*base64"),
        ({"_webSocketClose": {"type": "send", "code": "x"}}, "the code of _webSocketClose"),
        ({"_webSocketClose": {}}, "it has no 'type'"),
        ({"_webSocketClose": {"type": "receive", "code": 1005}}, "its end: .*write null"),
        ({"_webSocketClose": {"type": "receive", "code": 1000, "reason": "é" * 62}}, "its end: .*123 bytes"),
        ({"_webSocketMessages": {}, "request": 1}, "request must be an object"),
        ({"_webSocketMessages": "a"}, "_webSocketMessages must be a list"),
        ({"_webSocketMessages": ["a"]}, "_webSocketMessages, number 1, must be an object"),
        ({"_webSocketMessages": [{"type": "send", "opcode": "1", "data": ""}]}, "message 1: opcode must be"),
        ({"_webSocketMessages": [{"type": "send", "time": "x", "data": ""}]}, "message 1: time must be a number"),
        ({"_webSocketMessages": [{"type": "send", "data": "\ud800"}]}, "message 1: .*surrogate"),
        ({"response": {"status": "x"}}, "status must be a number"),
        ({"response": {"status": 999}}, "its response: the status"),
        ({"response": {"status": 403, "content": "x"}}, "content must be an object"),
        ({"response": {"status": 101, "headers": {"a": "b"}}}, "headers must be a list"),
        ({"response": {"status": 101, "headers": [{"value": "b"}]}}, "it has no 'name'"),
        ({"response": {"status": 101, "headers": [{"name": "X", "value": "a\rb"}]}}, "its response: .*the header X"),
        ({"request": {"url": 5}}, "url must be a text"),
    ],
)
def test_a_mistake_in_an_archive_is_told(tmp_path, fields, words):
    """In which WebSocket and which message."""
    entry = {"_resourceType": "websocket", "request": {"url": "wss://h/"}, "response": {"status": 101}}
    (tmp_path / "a.har").write_text(json.dumps({"log": {"entries": [{**entry, **fields}]}}))
    with pytest.raises(RecordingError, match=f"WebSocket 1: {words}"):
        Recording(tmp_path / "a.har")


def test_headers_of_an_archive(tmp_path):
    """Chromium writes several of one name as lines of one value, and decodes what others send as UTF-8."""
    headers = [{"name": "Set-Cookie", "value": "a=1\nb=2"}, {"name": "X", "value": "€"}]
    entry = {"request": {"url": "wss://h/"}, "response": {"status": 101, "headers": headers}, "_webSocketMessages": []}
    (tmp_path / "a.har").write_text(json.dumps({"log": {"entries": [entry]}}))
    ((_, response),) = events(Recording(tmp_path / "a.har"))
    assert response.headers == (("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X", "€".encode().decode("latin-1")))


def test_an_archive_of_another_program(tmp_path):
    """As mitmproxy writes it: the URL is of HTTP. Frames that are not messages are left out; fields may be missing."""
    messages = [
        {"type": "send", "time": 1700000001.5, "opcode": 1, "data": "a"},
        {"type": "receive", "time": 1700000002.5, "opcode": 9, "data": ""},
        {"type": "receive", "time": 1700000003.5, "opcode": 2, "data": "AP8="},
    ]
    entry = {
        "startedDateTime": "2023-11-14T22:13:20+00:00",
        "request": {"url": "https://h/chat", "headers": [{"name": "Sec-WebSocket-Protocol", "value": "a, b"}]},
        "response": {"status": 101},
        "_webSocketMessages": messages,
    }
    (tmp_path / "a.har").write_text(json.dumps({"log": {"entries": [{"request": {}}, entry]}}))
    assert events(Recording(tmp_path / "a.har")) == [
        [
            Request("wss://h/chat", ("a", "b")),
            Response(),
            Message("client", "a", 1.5),
            Message("server", b"\x00\xff", 3.5),
        ]
    ]


def test_selecting(tmp_path):
    """By a part of the URL, or by the number; an error lists what is there, without secrets."""
    with open(tmp_path / "a.jsonl", "w") as file:
        for number, url in enumerate(("wss://h/a?token=abc", "wss://h/b", "wss://h/b"), 1):
            file.write(json.dumps({"connection": number, "request": url}) + "\n")
    recording = Recording(tmp_path / "a.jsonl")
    assert [it.number for it in recording.select()] == [1, 2, 3]
    assert [it.number for it in recording.select(url="/b")] == [2, 3]
    assert [it.number for it in recording.select(index=1)] == [1]
    for wanted in ({"url": "/c"}, {"index": 4}, {"url": "/b", "index": 1}):
        with pytest.raises(RecordingError) as caught:
            recording.select(**wanted)
        listing = ["  1: wss://h/a?token=~masked~ (0 messages)", "  2: wss://h/b (0 messages)"]
        assert str(caught.value).split("\n")[1:3] == listing


def test_an_old_file_is_not_replaced(tmp_path):
    """Unless that is wanted."""
    (tmp_path / "a.jsonl").write_text("old")
    with pytest.raises(FileExistsError):
        JsonLinesWriter(tmp_path / "a.jsonl")
    JsonLinesWriter(tmp_path / "a.jsonl", overwrite=True).close()
    assert (tmp_path / "a.jsonl").read_text().startswith('{"recording": 1')


def test_the_writer_and_the_reader_agree():
    """Every kind of event."""
    for conversation in CONVERSATIONS:
        for event in conversation:
            assert read(json.loads(write(1, event)), 0.0) == event

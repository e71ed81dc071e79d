"""`python -m pyws record` and `replay`: what they print, which files they write, how they end."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import pyws
from pyws.commands import record, replay
from pyws.testing import Recording
from pyws.testing.recorded import Message
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

PATIENCE = 20  # seconds for a command to start or to end


@pytest.fixture
def start(monkeypatch):
    """A function that starts a command, and returns it when it listens: `address` is where."""
    path = os.pathsep.join([str(Path(pyws.__file__).parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    monkeypatch.setenv("PYTHONPATH", path)
    with contextlib.ExitStack() as stack:

        def start(*arguments):
            command = [sys.executable, "-W", "error", "-m", "pyws", *map(str, arguments)]
            pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            process = stack.enter_context(subprocess.Popen(command, text=True, **pipes))
            stack.callback(process.kill)
            process.line = process.stdout.readline()
            process.address = process.line.partition(" ")[0]
            return process

        yield start


def end(process, number=None):
    """The exit status and stderr of a command, which gets a signal."""
    if number is not None:
        process.send_signal(number)
    output, errors = process.communicate(timeout=PATIENCE)
    assert output == "" and "Traceback" not in errors
    return process.returncode, errors


async def talk(url, *said):
    """Say something; return what comes, and the end."""
    heard = []
    async with connect(url) as ws:
        with contextlib.suppress(ConnectionClosed):
            for message in said:
                await ws.send(message)
            while True:
                heard.append(await ws.recv())
    return [*heard, ws.close_code, ws.close_reason]


def messages(path):
    recording = Recording(path)
    placed = [placed for it in recording.conversations for placed in recording.events(it)]
    return [(it.event.sender, it.event.data) for it in placed if isinstance(it.event, Message)]


VERBS = ["accept", "text welcome", "read", "text you said token=abc", "binary 00ff", "close 4001 bye"]
HEARD = ["welcome", "you said token=abc", b"\x00\xff", 4001, "bye"]
MESSAGES = [
    ("server", "welcome"),
    ("client", '{"password":"~masked~"}'),
    ("server", "you said token=~masked~"),
    ("server", b"\x00\xff"),
]


@pytest.mark.parametrize("suffix", ["jsonl", "har"])
def test_record_and_replay(start, url, tmp_path, suffix):
    """What was recorded is replayed; a client that says something else ends the replay with exit status 1."""
    path = tmp_path / f"a.{suffix}"
    recorder = start("record", "-n", "1", url(*VERBS) + "&token=hunter2secret", path)
    says = r"ws://127\.0\.0\.1:\d+/ leads to ws://\S+, and is recorded in .*  \(Ctrl-C ends\)\n"
    assert re.fullmatch(says, recorder.line)
    assert asyncio.run(talk(recorder.address, '{"password":"hunter2"}')) == HEARD
    status, errors = end(recorder)
    assert (status, errors.count("\n")) == (0, 2)
    assert "hunter2" not in recorder.line + errors + path.read_text()
    assert sorted(messages(path), key=str) == sorted(MESSAGES, key=str)

    player = start("replay", path)
    assert re.fullmatch(r"ws://127\.0\.0\.1:\d+/ replays .*  \(Ctrl-C ends\)\n", player.line)
    heard = asyncio.run(talk(player.address, '{"password":"another"}'))
    assert heard == ["welcome", "you said token=~masked~", b"\x00\xff", 4001, "bye"]
    assert end(player) == (0, "")

    player = start("replay", path)
    assert asyncio.run(talk(player.address, '{"pass word":"hunter3"}'))[-2] == 1008
    status, errors = end(player)
    assert status == 1
    first, recorded, replayed, so_far, *rows = errors.splitlines()
    assert first.startswith(f"{path}, ") and first.endswith(": the client says something else")
    assert recorded == """  recorded: '{"password":"~masked~"}'"""
    assert replayed == """  said:     '{"pass word":"~masked~"}'"""
    assert so_far == "the conversation so far:"
    place = first.removeprefix(f"{path}, ").removesuffix(": the client says something else")
    assert rows[-1].endswith(f"  server  closes with 1008 'not as recorded: {place}'")
    assert "hunter3" not in errors


def test_the_documented_lines(start, url, tmp_path, monkeypatch):
    """As they stand there, but for the address."""
    text = Path(__file__).parents[2].joinpath("web", "docs", "commands.md").read_text("utf-8")
    recording, replaying = re.findall(r"^python -m pyws (re(?:cord|play) .+)$", text, re.M)
    monkeypatch.chdir(tmp_path)
    recorder = start(*recording.replace("wss://example.org/echo", url("accept", "read", "close 1000")).split(" "))
    assert asyncio.run(talk(recorder.address, "hello")) == [1000, ""]
    assert end(recorder, signal.SIGINT)[0] == 130
    player = start(*replaying.split(" "))
    assert asyncio.run(talk(player.address, "hello")) == [1000, ""]
    assert end(player) == (0, "")


def test_lenient(start, tmp_path):
    """Nothing is compared."""
    path = tmp_path / "a.jsonl"
    lines = ['{"from": "client", "text": "a"}', '{"from": "server", "text": "b"}', '{"from": "server", "close": 1000}']
    path.write_text("\n".join(lines))
    player = start("replay", "--lenient", path)
    assert asyncio.run(talk(player.address, "x")) == ["b", 1000, ""]
    assert end(player) == (0, "")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("suffix", ["jsonl", "har"])
def test_a_signal_ends_the_recording(start, url, peer, tmp_path, suffix, number, status):
    """With 1001 on both sides; the file is complete."""
    path = tmp_path / f"a.{suffix}"
    recorder = start("record", url("accept", "text welcome", "until close"), path)

    async def main():
        async with connect(recorder.address) as ws:
            assert await ws.recv() == "welcome"
            recorder.send_signal(number)
            await ws.wait_closed()
            return ws.close_code

    assert asyncio.run(main()) == 1001
    assert end(recorder)[0] == status
    assert peer.heard(url.key) == ["close 1001 ''"]
    assert messages(path) == [("server", "welcome")]
    assert [it.name for it in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", ["jsonl", "har"])
def test_a_recorder_that_is_killed(start, url, tmp_path, suffix):
    """What was written until then can be replayed; of an archive, the error says where it is."""
    path = tmp_path / f"a.{suffix}"
    recorder = start("record", url("accept", "text welcome", "until close"), path)
    heard = asyncio.run(talk_until_killed(recorder))
    assert heard == ["welcome"]
    assert end(recorder)[0] == -signal.SIGKILL
    if suffix == "har":
        status, errors = end(start("replay", path))
        assert status == 2 and f"use {path}.jsonl" in errors
    assert messages(path if suffix == "jsonl" else f"{path}.jsonl") == [("server", "welcome")]


async def talk_until_killed(process):
    async with connect(process.address) as ws:
        heard = [await ws.recv()]
        process.kill()
        await ws.wait_closed()
    return heard


def test_what_is_masked_and_what_is_sent(start, url, peer, tmp_path):
    """Options."""
    path = tmp_path / "a.jsonl"
    options = ["--mask", r"\d{4}", "--mask-name", "email", "--show-name", "key", "-H", "X-One: 1"]
    options += ["--origin", "https://example.org", "--allow-origin", "https://example.com", "-n", "2"]
    recorder = start("record", *options, url("accept", "read", "close 1000"), path)
    asyncio.run(talk(recorder.address, '{"email":"a","key":"b","n":"call 1234"}'))

    async def as_page(origin):
        async with connect(recorder.address, origin=origin) as ws:
            await ws.send("x")
            await ws.wait_closed()

    with pytest.raises(InvalidStatus, match="403"):
        asyncio.run(as_page("https://example.net"))
    asyncio.run(as_page("https://example.com"))
    status, errors = end(recorder)
    assert status == 0 and "--allow-origin https://example.net" in errors
    assert messages(path)[0] == ("client", '{"email":"~masked~","key":"b","n":"call ~masked~"}')
    request = [line.lower() for line in peer.records[url.key].request]
    assert "x-one: 1" in request and "origin: https://example.org" in request


def test_the_list_of_a_file(start, tmp_path, capsys):
    """Several WebSockets; one that is not there; one chosen."""
    path = tmp_path / "a.jsonl"
    lines = [
        {"request": "wss://h/a?token=abc"},
        {"from": "server", "text": "a"},
        {"connection": 2, "request": "wss://h/b"},
        {"connection": 2, "from": "server", "close": 1000},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert replay.main(["--list", str(path)]) == 0
    assert capsys.readouterr().out == "  1: wss://h/a?token=~masked~ (1 message)\n  2: wss://h/b (0 messages)\n"
    status, errors = end(start("replay", "--index", "3", path))
    assert status == 2 and "  2: wss://h/b (0 messages)" in errors
    player = start("replay", "--url", "/b", "--speed", "100", path)
    assert asyncio.run(talk(player.address)) == [1000, ""]
    assert end(player) == (0, "")


def test_a_connection_without_a_request(start, tmp_path):
    """As browsers open them in advance: it is not one of the conversations."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"from": "server", "close": 1000}')
    player = start("replay", path)
    socket.create_connection(("127.0.0.1", int(player.address.strip("/").rpartition(":")[2]))).close()
    assert asyncio.run(talk(player.address)) == [1000, ""]
    assert end(player) == (0, "")


def test_repeating(start, tmp_path):
    """Until Ctrl-C; differences are shown, and clients are served after them."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"from": "client", "text": "a"}\n{"from": "server", "close": 1000}\n')
    player = start("replay", "--repeat", path)
    assert [asyncio.run(talk(player.address, text))[0] for text in ("a", "b", "a")] == [1000, 1008, 1000]
    status, errors = end(player, signal.SIGINT)
    assert status == 130 and errors.count("says something else") == 1 and errors.endswith("interrupted\n")


def test_a_long_conversation_is_shown_in_part(start, tmp_path):
    """Its last rows."""
    path = tmp_path / "a.jsonl"
    messages = [json.dumps({"from": "server", "text": f"m{number}"}) for number in range(500)]
    path.write_text("\n".join([*messages, '{"from": "client", "text": "a"}']))
    player = start("replay", path)
    asyncio.run(talk(player.address, "b"))
    status, errors = end(player)
    assert status == 1 and " rows before)" in errors and "'m499'" in errors and errors.count("\n") < 80


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["record"], "required"),
        (["record", "ftp://h/", "a.jsonl"], "ws://"),
        (["record", "ws://h/", "a.txt"], "name the file .jsonl"),
        (["record", "ws://h/", "old.jsonl"], "--overwrite"),
        (["record", "ws://h/", "old.har"], "--overwrite"),
        (["record", "ws://h/", "a.jsonl", "--mask", "("], "not a regular expression"),
        (["record", "ws://h/", "a.jsonl", "-H", "X"], "header"),
        (["record", "ws://h/", "a.jsonl", "--origin", "x"], "origin"),
        (["record", "ws://h/", "a.jsonl", "--port", "65536"], "--port"),
        (["record", "ws://h/", "a.jsonl", "-n", "0"], "--connections"),
        (["replay"], "required"),
        (["replay", "none.jsonl"], "No such file"),
        (["replay", "old.txt"], "name the file .jsonl"),
        (["replay", "old.jsonl"], "line 1"),
        (["replay", "old.har"], "not JSON"),
        (["replay", "old.jsonl", "--speed", "0"], "--speed"),
        (["replay", "old.jsonl", "--index", "0"], "--index"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_a_sentence(tmp_path, monkeypatch, capsys, arguments, words):
    """Exit status 2, before it listens; no file is made."""
    monkeypatch.chdir(tmp_path)
    for name in ("old.jsonl", "old.har", "old.txt"):
        (tmp_path / name).write_text("old\n")
    with pytest.raises(SystemExit) as caught:
        {"record": record, "replay": replay}[arguments[0]].main(arguments[1:])
    output, errors = capsys.readouterr()
    assert (caught.value.code, output) == (2, "") and words in errors
    assert sorted(it.name for it in tmp_path.iterdir()) == ["old.har", "old.jsonl", "old.txt"]
    assert (tmp_path / "old.jsonl").read_text() == "old\n"


def test_a_port_in_use(start, peer, tmp_path):
    """Exit status 1, and no file."""
    assert end(start("record", "ws://h/", tmp_path / "a.jsonl", "--port", peer.port))[0] == 1
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a.jsonl").write_text('{"from": "server", "text": "a"}')
    status, errors = end(start("replay", tmp_path / "a.jsonl", "--port", peer.port))
    assert status == 1 and errors.startswith("cannot listen on 127.0.0.1:")


def test_nothing_of_a_server_is_obeyed_by_the_terminal(start, url, tmp_path):
    """Neither when it is recorded, nor when it is replayed."""
    path = tmp_path / "a.jsonl"
    hostile = "A\x1b]0;x\x07\x9b\u202eB"
    recorder = start("record", "-n", "1", url("accept", f"text {hostile}", "read", "close 1000"), path)
    asyncio.run(talk(recorder.address, hostile))
    status, errors = end(recorder)
    assert status == 0 and not set(errors) & set(hostile[1:-1]) - set("]0;x")
    assert not set(path.read_text()) & set("\x1b\x07\x9b\u202e")
    player = start("replay", path)
    asyncio.run(talk(player.address, f"{hostile}2"))
    status, errors = end(player)
    assert status == 1 and "B2" in errors and not set(errors) & set("\x1b\x07\x9b\u202e")

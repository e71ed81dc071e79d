"""`python -m pyws connect`: what it sends and shows, in pipes and on a terminal (a real one, a pseudo-terminal)."""

import asyncio
import contextlib
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
import pyws
from pyws.commands.printable import printable
from pyws.commands.prompt import Prompt

from peer import Peer
from proxies import Proxy

CONNECT = [sys.executable, "-W", "default", "-m", "pyws", "connect"]
PROMPT = "\x1b[?2004h"  # a prompt begins by asking for brackets around what is pasted
ROOT = Path(__file__).parents[2]
PATIENCE = 20  # seconds for anything to appear


@pytest.fixture
def environment(tmp_path):
    """What the command's process has in its environment; its history is of today."""
    path = os.pathsep.join([str(Path(pyws.__file__).parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {
        **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
        "PYTHONPATH": path,
        "PYWS_HISTORY": str(tmp_path / "history"),
        "PROMPT_TOOLKIT_NO_CPR": "1",  # nobody here answers where the cursor is
        "TERM": "xterm",
        "NO_COLOR": "1",
    }


@pytest.fixture
def connect(environment):
    """A function that runs the command between two pipes, to its end: exit status, stdout, stderr."""

    def run(*arguments, input=""):
        done = subprocess.run(
            [*CONNECT, *arguments], input=input.encode(), capture_output=True, env=environment, timeout=PATIENCE
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    return run


class Terminal:
    """A program on a terminal of 24 lines and 80 columns."""

    def __init__(self, command, environment, stdin=None):
        self._master, slave = pty.openpty()
        os.set_inheritable(slave, True)
        self.process = subprocess.Popen(
            command,
            stdin=slave if stdin is None else stdin,
            stdout=slave,
            stderr=slave,
            env=environment,
            start_new_session=True,
        )
        os.close(slave)
        self.output = ""
        self._seen = 0

    def type(self, text):
        os.write(self._master, text.encode())

    def until(self, text):
        """Wait until this appears, after what was waited for before."""
        while (place := self.output.find(text, self._seen)) < 0:
            assert self._read(), f"{text!r} does not come after {self.output!r}"
        self._seen = place + len(text)

    def settings(self):
        """Whether the terminal waits for whole lines, echoes, and so on."""
        return termios.tcgetattr(self._master)

    def end(self):
        """Wait for the end of the program; its exit status."""
        while self._read():
            pass
        return self.process.wait(PATIENCE)

    def _read(self):
        ready, _, _ = select.select([self._master], [], [], PATIENCE)
        data = b""
        with contextlib.suppress(OSError):  # Linux: nobody has the other side open any more
            data = os.read(self._master, 65536) if ready else b""
        self.output += data.decode()
        return data

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture
def terminal(environment):
    """A function that runs the command on a terminal: `with terminal(URL) as it`."""
    return lambda *arguments, stdin=None, **more: Terminal([*CONNECT, *arguments], {**environment, **more}, stdin)


# In pipes.


def test_each_line_is_a_message_and_each_message_a_line(connect, url, peer):
    """Both ways, whatever ends the lines and the last; nothing else is said."""
    lines = ["one", "", "  Grüße, 世界! 🌍 ", "last"]
    assert connect(url("accept", "echo"), input="one\n\r\n  Grüße, 世界! 🌍 \nlast") == (0, "\n".join(lines) + "\n", "")
    assert peer.heard(url.key)[:4] == [*(f"text {line!a}" for line in lines)]
    assert peer.heard(url.key)[4] == "close 1000 ''"


def test_a_message_of_several_lines_is_one_line(connect, url):
    """Line breaks become spaces; binary is hex digits."""
    verbs = ["accept", 'text {\n  "a": 1,\r\n  "b": 2\r}', "binary 0001feff", "binary ", "close 1000"]
    assert connect(url(*verbs)) == (0, '{   "a": 1,   "b": 2 }\n0001feff\n\n', "")


def test_hex_digits_are_sent_as_binary(connect, url, peer):
    """With --hex; what is no hex digits is not sent, and told."""
    assert connect("--hex", url("accept", "echo"), input="00 01 feff\n\n") == (0, "0001feff\n\n", "")
    assert peer.heard(url.key)[:2] == ["binary b'\\x00\\x01\\xfe\\xff'", "binary b''"]
    status, output, errors = connect("-x", url("accept", "echo"), input="0g\n")
    assert (status, output) == (2, "") and "'0g' is not hex digits" in errors
    status, _, errors = connect("-x", "--send", "0", "ws://127.0.0.1")
    assert status == 2 and "'0' is not hex digits" in errors


def test_messages_of_the_command_line(connect, url, peer):
    """--send, as often as wanted, instead of stdin; --count closes at once."""
    start = time.monotonic()
    arguments = ["--send", "one", "--send", "two", "--count", "2"]
    assert connect(*arguments, url("accept", "echo"), input="three\n") == (0, "one\ntwo\n", "")
    assert peer.heard(url.key) == ["text 'one'", "text 'two'", "close 1000 ''"]
    assert connect("-n", "2", url("accept", "text a", "text b", "text c")) == (0, "a\nb\n", "")
    assert time.monotonic() - start < 5


def test_how_long_to_wait_after_the_last_message(connect, url):
    """--wait counts anew from each message; with 0 it is not waited at all, with inf for the server."""
    slow = ["accept", "wait 0.5", "text 1", "wait 0.5", "text 2", "wait 1.5", "text 3", "close 1000"]
    assert connect("--wait", "0.9", url(*slow)) == (0, "1\n2\n", "")
    assert connect("--wait", "0", url(*slow)) == (0, "", "")
    assert connect("--wait", "inf", url(*slow)) == (0, "1\n2\n3\n", "")


def test_a_large_line_and_many_small_ones(connect, url):
    """Nothing is lost, and nothing waits for the end of stdin."""
    lines = ["x" * 3_000_000, *map(str, range(20000))]
    status, output, errors = connect("-n", str(len(lines)), url("accept", "echo"), input="\n".join(lines) + "\n")
    assert (status, errors) == (0, "")
    assert output.splitlines() == lines


def test_a_line_is_sent_when_it_is_there(environment, url):
    """While stdin stays open: a program may ask, wait for the answer, and ask again."""
    command = [*CONNECT, url("accept", "echo")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        for text in (b"one\n", b"two\n"):
            process.stdin.write(text)
            process.stdin.flush()
            assert process.stdout.readline() == text
        process.stdin.close()
        assert process.wait(PATIENCE) == 0


def test_whoever_reads_may_have_enough(environment, url, peer):
    """As `head -1` does: the connection is closed, nothing is complained of."""
    command = [*CONNECT, url("accept", "text one", "wait 0.3", "text two", "wait 0.3", "text three", "until close")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        assert process.stdout.readline() == b"one\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(PATIENCE) == 0
    assert peer.heard(url.key)[0].startswith("close")


def test_the_documented_lines(environment, terminal, url, peer):
    """As they stand there, but for the address: one is for a terminal, the others say hello."""
    text = ROOT.joinpath("web", "docs", "commands.md").read_text("utf-8")
    lines = re.findall(r"^((?:echo hello \| )?python -m pyws connect .+)$", text, re.M)
    assert len(lines) == 3
    for line in lines:
        line = line.replace("python", shlex.quote(sys.executable))
        line = line.replace("wss://example.org/echo", shlex.quote(url("accept", "echo")))
        if "hello" in line:
            done = subprocess.run(line, shell=True, capture_output=True, env=environment, text=True, timeout=PATIENCE)
            assert (done.returncode, done.stdout, done.stderr) == (0, "hello\n", "")
            assert peer.heard(url.key)[0] == "text 'hello'"
        else:
            pytest.importorskip("prompt_toolkit")
            with Terminal(shlex.split(line), environment) as it:
                it.until(PROMPT)
                it.type("\x04")
                assert it.end() == 0


# How it ends.


def test_the_reason_of_a_failed_connection_is_told(connect, url, peer):
    """One line, and exit status 1."""
    status, output, errors = connect(url(r"head HTTP/1.1 404 Not Here\r\n\r\n"))
    assert (status, output) == (1, "")
    assert "the server answered 404 Not Here" in errors and errors.count("\n") == 1
    status, output, errors = connect(f"ws://127.0.0.1:{peer._deaf.getsockname()[1]}/")
    assert (status, output) == (1, "") and errors.count("\n") == 1
    status, output, errors = connect("--timeout", "0.2", url("hang"))
    assert (status, output) == (1, "") and "within opening_timeout, 0.2 seconds" in errors


def test_an_end_that_is_not_clean_is_told(connect, url):
    """Exit status 3, after the messages that came."""
    for last in ("reset", "fin", "raw 8300"):
        status, output, errors = connect(url("accept", "text one", "wait 0.2", last))
        assert (status, output) == (3, "one\n")
        assert errors.endswith("closed: 1006\n") and "Traceback" not in errors


def test_an_end_that_is_too_early_is_told(connect, url):
    """Exit status 4: the server closed before the messages came, or before ours went out."""
    assert connect("-n", "2", url("accept", "text one", "close 3000 enough")) == (4, "one\n", "closed: 3000 enough\n")
    assert connect("--send", "x", url("hold", "accept", "close 1000", "release")) == (4, "", "closed: 1000\n")


def test_a_code_that_says_something_is_told(connect, url):
    """Also in a pipe, and to stderr: a policy, or an error of the server. The usual ones are not."""
    assert connect(url("accept", "text one", "close 1008 pay first")) == (0, "one\n", "closed: 1008 pay first\n")
    for code in (1000, 1001):
        assert connect(url("accept", "text one", f"close {code}")) == (0, "one\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["http//example"],
        ["ws://127.0.0.1/", "-H", "Host: other"],
        ["ws://127.0.0.1/", "-H", "no colon in it"],
        ["ws://127.0.0.1/", "-H", "X: 1", "-H", "X: 2"],
        ["ws://127.0.0.1/", "-H", "X: 1", "-H", "x: 2"],
        ["ws://127.0.0.1/", "-H", "X Y: 1"],
        ["ws://127.0.0.1/", "-H", ": 1"],
        ["ws://127.0.0.1/", "-H", "X: Москва"],
        ["ws://127.0.0.1/", "-H", "X: 1\nEvil: 2"],
        ["ws://127.0.0.1/", "--origin", "example.org"],
        ["ws://127.0.0.1/", "--origin", "https://example.org/"],
        ["ws://127.0.0.1/", "--timeout", "0"],
        ["ws://127.0.0.1/", "-s", "a b"],
        ["ws://127.0.0.1/", "-n", "0"],
        ["ws://127.0.0.1/", "--wait", "-1"],
        ["ws://127.0.0.1/", "--timeout", "nan"],
        ["ws://example.org/", "--origin", "https://example.org"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_a_sentence(connect, arguments):
    """Exit status 2, before anything is connected to."""
    status, output, errors = connect(*arguments)
    assert (status, output) == (2, "")
    assert errors.splitlines()[-1].startswith("python -m pyws connect: error: ") and "Traceback" not in errors


@pytest.mark.parametrize(
    "header", ["Authorization Bearer secret", "Authorization: secret\x1b[2J", "Authorization\x1b: secret"], ids=ascii
)
def test_a_wrong_header_is_not_shown(connect, header):
    """Its value may be a secret; of its name a terminal takes nothing for a command."""
    status, _, errors = connect("ws://127.0.0.1/", "-H", header)
    assert status == 2 and errors.count("error: ") == 1
    assert "secret" not in errors and "\x1b" not in errors


def test_ctrl_c_closes_with_1001(environment, url, peer):
    """In a pipe too, with one line and exit status 130."""
    command = [*CONNECT, url("accept", "text one", "until close")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        assert process.stdout.readline() == b"one\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=PATIENCE) == (b"", b"interrupted\n")
        assert process.returncode == 130
    assert peer.heard(url.key) == ["close 1001 ''"]


def test_sigterm_closes_with_1001(environment, url, peer):
    """What a service gets: exit status 143, and nothing is complained of."""
    command = [*CONNECT, url("accept", "text one", "until close")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        assert process.stdout.readline() == b"one\n"
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=PATIENCE) == (b"", b"")
        assert process.returncode == 143
    assert peer.heard(url.key) == ["close 1001 ''"]


SLOW = """
import runpy, socket, sys, time
def getaddrinfo(*arguments, **options):
    print("asked", flush=True)
    time.sleep(60)
socket.getaddrinfo = getaddrinfo
runpy.run_module("pyws", run_name="__main__", alter_sys=True)
"""
RECONNECTING = """
from pyws import ReconnectingWebSocket
ReconnectingWebSocket("ws://nobody.example/")
"""


@pytest.mark.parametrize("command", ["connect", "run"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_does_not_wait_for_the_resolver(environment, tmp_path, command, number):
    """Which nothing can interrupt: here it takes a minute."""
    script = tmp_path / "script.py"
    script.write_text(RECONNECTING)
    arguments = ["connect", "ws://nobody.example/"] if command == "connect" else ["run", str(script)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", SLOW, *arguments], env=environment, **pipes) as process:
        assert process.stdout.readline() == b"asked\n"
        process.send_signal(number)
        assert process.wait(PATIENCE) == 128 + number
        assert b"Traceback" not in process.stderr.read()


def test_a_timeout_does_not_wait_for_the_resolver(environment):
    """--timeout is over when it is over, and one line tells what took the time."""
    command = [sys.executable, "-c", SLOW, "connect", "--timeout", "0.3", "ws://nobody.example/"]
    done = subprocess.run(command, input=b"", capture_output=True, env=environment, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (1, b"asked\n")
    assert b"nobody.example" in done.stderr and done.stderr.count(b"\n") == 1


# The handshake.


def test_the_handshake_has_what_was_asked_for(connect, url, peer):
    """Headers, origin and subprotocols."""
    options = ["-H", "X-One: 1", "--header", "Authorization:Bearer a:b", "-s", "v2", "-s", "v1", "--origin", "http://x"]
    assert connect(*options, url("header sec-websocket-protocol: v1", "accept", "close 1000")) == (0, "", "")
    request = [line.lower() for line in peer.records[url.key].request]
    for line in ("x-one: 1", "authorization: bearer a:b", "sec-websocket-protocol: v2, v1", "origin: http://x"):
        assert line in request


def test_a_proxy_is_asked(connect, url, peer):
    """By --proxy; '' is none, whatever the environment says."""
    with Proxy("socks5") as proxy:
        assert connect("--proxy", proxy.url, url("accept", "close 1000")) == (0, "", "")
        assert proxy.asked == [f"127.0.0.1:{peer.port}"]


def test_certificates_are_checked_unless_told_otherwise(connect, url):
    """--insecure takes that of our peer, whom no authority knows."""
    with Peer(tls=True) as secure:
        status, _, errors = connect(url("accept", "close 1000", origin=secure.origin))
        assert status == 1 and "certificate cannot be trusted" in errors
        assert connect("--insecure", url("accept", "close 1000", origin=secure.origin)) == (0, "", "")


# On a terminal.

# What a server might say to take a terminal over, and how it is shown.
# https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing
HOSTILE = {
    "A\x1b]0;title\x07Z": r"A\x1b]0;title\x07Z",
    "A\rB": r"A\rB",
    "A\x9b31mZ\x85": r"A\x9b31mZ\x85",
    "A\x00\x08\x7fZ": r"A\x00\x08\x7fZ",
    "A\u202eB\u2066C\u200fD\u061cE": r"A\u202eB\u2066C\u200fD\u061cE",
    "A\u2028B\u2029C\ufeffD\U000e0041E": r"A\u2028B\u2029C\ufeffD\U000e0041E",
    "A\tB\x0bC": r"A       B\x0bC",
    "A\n> B\r\nC": "A\n  > B\n  C",
    "Grüße,\u3000世界\xa0! 🌍 👩\u200d🚀 नि": "Grüße,\u3000世界\xa0! 🌍 👩\u200d🚀 नि",
}


@pytest.mark.parametrize("said", HOSTILE, ids=ascii)
def test_what_a_server_says_is_shown_and_not_obeyed(terminal, url, said):
    """Every byte that the terminal gets, without a prompt, is known: of the message, and of the reason to close."""
    shown = HOSTILE[said].replace("\n", "\r\n")
    reason = said.replace("\t", "").replace("\n", "").replace("\r", "")
    address = url("accept", f"text {said}", f"close 3000 {reason}")
    with terminal(address, stdin=subprocess.DEVNULL) as it:
        assert it.end() == 0
    assert it.output == f"connected to {address}\r\n< {shown}\r\nclosed: 3000 {printable(reason)}\r\n"


def test_what_a_refusal_says_is_not_obeyed(terminal, url):
    """The reason phrase goes to the terminal, too."""
    with terminal(url("head HTTP/1.1 404 A\x1b]0;x\x07\x9b\\r\\n\\r\\n"), stdin=subprocess.DEVNULL) as it:
        assert it.end() == 1
    assert "failed" in it.output
    assert not set(it.output) & set("\x1b\x07\x9b")


# What ends a line, both sets of controls, and what the standard calls Bidi_Control:
# https://www.unicode.org/Public/UCD/latest/ucd/PropList.txt
BIDI_CONTROLS = [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
CONTROLS = [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029]


def test_every_character_that_moves_or_hides_is_escaped():
    """All of Unicode; what a terminal simply shows stays."""
    for number in [*BIDI_CONTROLS, *CONTROLS]:
        assert printable(chr(number)) == (ascii(chr(number))[1:-1] if number != 9 else " " * 8)
    for number in [*range(0xD800), *range(0xE000, 0x110000)]:
        character = chr(number)
        if character.isprintable() or character in "\u200c\u200d":
            assert printable(character) == character


def test_a_conversation_at_the_prompt(terminal, url, peer):
    """Type, see the answer above the prompt, edit, ask for what was typed before, leave with Ctrl-D."""
    pytest.importorskip("prompt_toolkit")
    with terminal(url("accept", "echo")) as it:
        it.until("connected to ")
        it.until(PROMPT)
        it.type("one\r")
        it.until("< one")
        it.until(PROMPT)
        it.type("two\x1b[D\x1b[DX\r")  # cursor left, twice
        it.until("< tXwo")
        it.until(PROMPT)
        it.type("\x1b[A\x1b[A\r")  # cursor up, twice
        it.until("< one")
        it.until(PROMPT)
        it.type("\x04")
        it.until("closed: 1000")
        assert it.end() == 0
    assert peer.heard(url.key) == ["text 'one'", "text 'tXwo'", "text 'one'", "close 1000 ''"]


def test_a_message_comes_above_what_is_being_typed(terminal, url, peer):
    """What is half typed stays, and goes out whole."""
    pytest.importorskip("prompt_toolkit")
    with terminal(url("accept", "text first", "wait 1", "text A\x1b]0;x\x07B\u202e", "read", "close 1000 bye")) as it:
        it.until("< first")
        it.until(PROMPT)
        it.type("half")
        it.until("half")
        it.until(r"< A\x1b]0;x\x07B\u202e")
        it.until("half")
        it.type(" and half\r")
        it.until("closed: 1000 bye")
        assert it.end() == 0
    assert "\x1b]0;x" not in it.output and "\u202e" not in it.output
    assert peer.heard(url.key)[0] == "text 'half and half'"


def test_a_prompt_without_a_connection_ends(terminal, url):
    """The reason is shown before."""
    pytest.importorskip("prompt_toolkit")
    with terminal(url("fin")) as it:
        it.until("failed: the server ended the connection")
        assert it.end() == 1


def test_a_prompt_that_shows_nothing_is_not_waited_for():
    """Its library is not asked."""
    asyncio.run(Prompt(None, None).flush())


def test_ctrl_c_at_the_prompt(terminal, url, peer):
    """As in a pipe: 1001 and one line."""
    pytest.importorskip("prompt_toolkit")
    with terminal(url("accept", "until close")) as it:
        it.until(PROMPT)
        it.type("half\x03")
        it.until("interrupted")
        assert it.end() == 130
    assert "Traceback" not in it.output
    assert peer.heard(url.key) == ["close 1001 ''"]


def test_sigterm_at_the_prompt(terminal, url, peer):
    """As in a pipe, and the terminal is as it was."""
    pytest.importorskip("prompt_toolkit")
    with terminal(url("accept", "until close")) as it:
        before = it.settings()
        it.until(PROMPT)
        assert it.settings() != before
        it.type("half")
        it.until("half")
        it.process.send_signal(signal.SIGTERM)
        assert it.end() == 143
        assert it.settings() == before
    assert "Traceback" not in it.output
    assert peer.heard(url.key) == ["close 1001 ''"]


def test_the_prompt_ends_with_the_connection(terminal, url):
    """Every message that came before is shown, in order, however fast; and how it ended."""
    pytest.importorskip("prompt_toolkit")
    with terminal(url("accept", "text first", "wait 0.7", *(f"text {n}." for n in range(50)), "close 3000 over")) as it:
        it.until("< first")
        it.until(PROMPT)
        assert it.end() == 0
    assert re.findall(r"< (\d+)\.", it.output) == [str(n) for n in range(50)]
    assert "closed: 3000 over" in it.output


def test_binary_is_shown_as_hex_and_typed_as_hex(terminal, url, peer):
    """As much of it as one wants to see."""
    pytest.importorskip("prompt_toolkit")
    with terminal("-x", url("accept", "binary 00ff80", "read", "bulk 1 2000", "read")) as it:
        it.until("< 3 bytes: 00 ff 80")
        it.until(PROMPT)
        it.type("0g\r")
        it.until("'0g' is not hex digits")
        it.until(PROMPT)
        it.type("c0 de\r")
        it.until("< 2000 bytes: 00 01 02 ")
        it.until("fe ff …")
        it.until(PROMPT)
        it.type("\x04")
        assert it.end() == 0
    assert peer.heard(url.key)[0] == "binary b'\\xc0\\xde'"


def test_history_lasts_and_is_nobody_elses(terminal, url, peer, environment):
    """The next program has what was typed in this one; nobody else may read it; it can be switched off."""
    pytest.importorskip("prompt_toolkit")
    history = Path(environment["PYWS_HISTORY"])
    for typed in ("secret\r", "\x1b[A\r"):
        with terminal("-n", "1", url("accept", "echo")) as it:
            it.until(PROMPT)
            it.type(typed)
            assert it.end() == 0
        assert peer.heard(url.key)[0] == "text 'secret'"
    assert history.stat().st_mode & 0o777 == 0o600
    history.unlink()
    with terminal("-n", "1", url("accept", "echo"), PYWS_HISTORY="", HOME=str(history.parent)) as it:
        it.until(PROMPT)
        it.type("secret\r")
        assert it.end() == 0
    assert list(history.parent.iterdir()) == []


def test_colours_unless_unwanted(terminal, url):
    """Only on a terminal, only ours."""
    with terminal(url("accept", "text x", "close 1000"), NO_COLOR="", stdin=subprocess.DEVNULL) as it:
        assert it.end() == 0
    assert "\x1b[36m< \x1b[0mx\r\n" in it.output
    with terminal(url("accept", "text x", "close 1000"), NO_COLOR="", TERM="dumb", stdin=subprocess.DEVNULL) as it:
        assert it.end() == 0
    assert "\x1b" not in it.output


def test_a_prompt_without_its_library_is_a_sentence(environment, tmp_path, url):
    """What to install; pipes need nothing."""
    tmp_path.joinpath("prompt_toolkit.py").write_text("raise ImportError('not here')\n")
    path = f"{tmp_path}{os.pathsep}{environment['PYTHONPATH']}"
    with Terminal([*CONNECT, url("accept")], {**environment, "PYTHONPATH": path}) as it:
        assert it.end() == 2
    assert it.output == "A prompt needs prompt_toolkit: pip install 'pyws-websocket[connect]'.\r\n"

"""`python -m pyws connect`: talk to a server, from a terminal or a pipe.

Its law: what a server says reaches a terminal only through `printable`. Built on the public interface alone.
"""

import argparse
import asyncio
import codecs
import contextlib
import logging
import os
import re
import ssl
import sys
import threading
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyws import CloseEvent, DOMException, MessageEvent, UserAgent, WebSocket

from . import termination

# A type checker reads on only for CPython, where `UserAgent` has settings.
assert sys.platform != "emscripten" and sys.platform != "brython"

COULD_NOT_CONNECT, USAGE, UNCLEAN, UNFINISHED = 1, 2, 3, 4

EXIT_STATUS = """exit status:
  0    the connection was closed cleanly
  1    there was no connection; the reason is told
  2    the command line is wrong, or what it needs is not installed
  3    the connection was lost, or not closed cleanly
  4    it was closed cleanly, but before all was sent, or --count messages had come
  130  Ctrl-C
  143  SIGTERM

At a prompt, each line is a message; Ctrl-D closes. The prompt's history is kept in the
file that PYWS_HISTORY names, in ~/.pyws_history by default; with PYWS_HISTORY= it is not.
Where stdin is not a terminal, each of its lines is a message; where stdout is not, it
gets the messages and nothing else, each as one line: text with spaces for line breaks,
binary as hex digits."""

SHOWN = 1024
"""Bytes of a binary message that a terminal is shown."""

FULL = 1 << 20
"""Bytes of `bufferedAmount` from which on the lines of stdin have to wait."""

CLOSING_TIMEOUT = 5.0
"""Seconds that a server has to answer a Close: somebody waits for the shell's prompt."""


def main(arguments: list[str]) -> int:
    """Run the command; its exit status."""
    parser = argparse.ArgumentParser(
        "python -m pyws connect",
        description="Connect to a WebSocket server: type messages, send them from a pipe, or with --send.",
        epilog=EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("url", metavar="URL", help="such as wss://example.org/chat")
    add("-H", "--header", action="append", default=[], metavar="'NAME: VALUE'", help="one more header of the handshake")
    add("-s", "--subprotocol", action="append", default=[], metavar="NAME", help="one that the server may choose")
    add("--origin", help="the Origin header (default: none)")
    add("--proxy", metavar="URL", help="an HTTP or SOCKS proxy, '' for none (default: the environment's)")
    add("-k", "--insecure", action="store_true", help="take any certificate: who answers may be anybody")
    add("--timeout", type=seconds, default=30.0, metavar="SECONDS", help="to connect within (default: 30)")
    add("-x", "--hex", action="store_true", help="what is sent is binary, given as hex digits")
    add("--send", action="append", metavar="TEXT", help="send this instead of what is typed or piped")
    add("-n", "--count", type=count, metavar="N", help="close after N messages have come")
    add(
        "--wait",
        type=seconds,
        metavar="SECONDS",
        help="once all is sent, close after this time without a message, 'inf' for never (default: 1; inf with -n)",
    )
    options = parser.parse_args(arguments)
    tls = None
    if options.insecure:
        tls = ssl.create_default_context()
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
        tls.set_alpn_protocols(["http/1.1"])
    try:
        agent = UserAgent(
            headers=named(options.header),
            origin=options.origin,
            proxy=options.proxy,
            tls=tls,
            opening_timeout=options.timeout,
            closing_timeout=CLOSING_TIMEOUT,
            blocked_ports=False,  # for whoever types an address, they are no danger
        )
        messages = None if options.send is None else [message(text, options.hex) for text in options.send]
    except ValueError as error:
        parser.error(str(error))
    prompt = None
    if messages is None and sys.stdin.isatty() and sys.stdout.isatty():
        prompt = Prompt.load()
        if prompt is None:
            print("A prompt needs prompt_toolkit: pip install 'pyws-websocket[connect]'.", file=sys.stderr)
            return USAGE
    # A character that the terminal's encoding lacks is no reason to stop.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # TextIO lacks it
    talk = Talk(options.hex, options.count, options.wait)
    try:
        with agent:
            return termination.run(talk.run(options.url, options.subprotocol, messages, prompt))
    except DOMException as error:
        parser.error(error.message)
    except BrokenPipeError:
        # Whoever reads the messages has had enough. Python would complain once more, when it flushes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def named(headers: list[str]) -> dict[str, str]:
    """Return headers by their names; an exception shows no value, which may be a secret."""
    values: dict[str, str] = {}
    for header in headers:
        name, colon, value = header.partition(":")
        name = name.strip()
        if not colon:
            raise ValueError("a header is written as 'NAME: VALUE': one has no colon")
        if name in values:
            raise ValueError(f"the header {printable(name)} is given twice")
        values[name] = value.strip(" \t")
    return values


def seconds(text: str) -> float:
    """Read a time, "inf" too."""
    if not (value := float(text)) >= 0:
        raise ValueError(text)
    return value


def count(text: str) -> int:
    """Read a number of messages."""
    if not (value := int(text)) >= 1:
        raise ValueError(text)
    return value


def message(text: str, hexadecimal: bool) -> str | bytes:
    """Return what to send for a line."""
    if not hexadecimal:
        return text
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ValueError(f"{printable(text)!r} is not hex digits, two for a byte") from None


def printable(text: str) -> str:
    r"""Return text that no terminal takes for a command, as in \x1b or \u202e.

    Escaped are all control characters, C1's too, those that turn the direction of text, and other marks that nobody
    sees; line breaks as well. A tab becomes spaces.
    """
    if text.isprintable():
        return text
    text = text.expandtabs()
    return "".join(character if harmless(character) else escaped(character) for character in text)


def harmless(character: str) -> bool:
    """Tell whether a terminal shows a character, or joins its neighbours by it."""
    return character in "\u200c\u200d" or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def escaped(character: str) -> str:
    """Return a character as Python's `ascii` has it."""
    return ascii(character)[1:-1]


class Talk:
    """One connection, what is sent and what is shown of it."""

    def __init__(self, hexadecimal: bool, count: int | None, wait: float | None) -> None:
        self._hexadecimal = hexadecimal
        self._count = count
        self._wait = wait if wait is not None else 1.0 if count is None else float("inf")
        self._received = 0
        self._latest = 0.0
        self._broken: BrokenPipeError | None = None
        self._terminal = sys.stdout.isatty()
        self._styled = self._terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._show: Callable[[str], object] = self._print

    async def run(
        self, url: str, subprotocols: list[str], messages: "list[str | bytes] | None", prompt: "Prompt | None"
    ) -> int:
        """Connect, talk, close; the exit status."""
        if prompt is not None:
            self._show = prompt.show
        logger = logging.getLogger("pyws")
        logger.propagate = False
        logger.addHandler(Notes(self._note))
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[Any] = loop.create_future()
        closed: asyncio.Future[Any] = loop.create_future()
        self._closed = closed
        self._ws = ws = WebSocket(url, subprotocols)
        ws.binaryType = "arraybuffer"

        def on_open(_: object) -> None:
            protocol = f", subprotocol {ws.protocol}" if ws.protocol else ""
            self._note(f"connected to {ws.url}{protocol}" + ("; Ctrl-D closes" if prompt else ""))
            opened.set_result(None)

        ws.onopen = on_open
        ws.onmessage = self._on_message
        ws.onclose = closed.set_result
        await asyncio.wait([opened, closed], return_when=asyncio.FIRST_COMPLETED)
        if not opened.done():
            if prompt is not None:
                await prompt.flush()
            return COULD_NOT_CONNECT  # the log has the reason
        status = 0
        if prompt is not None:
            await self._type(prompt)
        else:
            try:
                await self._pass_on(messages)
            except ValueError as error:
                self._note(str(error), always=True)
                status = USAGE
            await self._until_silent()
        if ws.readyState < ws.CLOSING:
            ws.close(1000)
        event: CloseEvent = await closed
        if self._broken:
            raise self._broken
        self._note(f"closed: {event.code}{' ' if event.reason else ''}{event.reason}", always=not event.wasClean)
        if status or not event.wasClean:
            return status or UNCLEAN
        if self._count is None:
            return UNFINISHED if ws.bufferedAmount else 0
        return UNFINISHED if self._received < self._count else 0

    # What is sent.

    async def _type(self, prompt: "Prompt") -> None:
        """Send what is typed, until the connection or the patience ends."""

        def send(line: str) -> None:
            try:
                self._ws.send(message(line, self._hexadecimal))
            except ValueError as error:
                self._note(str(error))

        typing: asyncio.Future[Any] = asyncio.ensure_future(prompt.run(send))
        await asyncio.wait([typing, self._closed], return_when=asyncio.FIRST_COMPLETED)
        interrupted = typing.done() and typing.result()
        typing.cancel()
        await asyncio.wait([typing])
        if interrupted:
            raise KeyboardInterrupt
        if self._ws.readyState < self._ws.CLOSING:
            self._ws.close(1000)
        await self._closed
        await prompt.flush()
        self._show = self._print

    async def _pass_on(self, messages: "list[str | bytes] | None") -> None:
        """Send what there is to send, no faster than the network takes it."""
        if messages is not None:
            for each in messages:
                self._ws.send(each)
            return
        lines = Lines(sys.stdin.fileno())
        while not self._closed.done():
            reading: asyncio.Future[Any] = asyncio.ensure_future(lines.read())
            await asyncio.wait([reading, self._closed], return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                reading.cancel()
                return
            some = reading.result()
            if not some:
                return
            for line in some:
                self._ws.send(message(line, self._hexadecimal))
            while self._ws.bufferedAmount > FULL and not self._closed.done():
                await asyncio.sleep(0.01)

    async def _until_silent(self) -> None:
        self._latest = max(self._latest, time.monotonic())
        while not self._closed.done() and (rest := self._latest + self._wait - time.monotonic()) > 0:
            await asyncio.wait([self._closed], timeout=rest)

    # What is shown.

    def _on_message(self, event: MessageEvent) -> None:
        self._latest = time.monotonic()
        self._received += 1
        data = event.data
        try:
            if not self._terminal:
                self._show(re.sub("\r\n|\r|\n", " ", data) if isinstance(data, str) else data.hex())
            elif isinstance(data, str):
                # Lines after the first are indented: no message can look like two, or like a note of ours.
                lines = re.split("\r\n|\n", data)
                self._show(self._style("36", "< ") + "\n  ".join(printable(line) for line in lines))
            else:
                more = " …" if len(data) > SHOWN else ""
                self._show(self._style("36", f"< {len(data)} bytes: ") + data[:SHOWN].hex(" ") + more)
        except BrokenPipeError as error:
            self._broken = error
            self._ws.close()
            return
        if self._received == self._count:
            self._ws.close(1000)

    def _note(self, text: str, always: bool = False) -> None:
        """Tell what is no message: where only messages are asked for, only if it matters."""
        if self._terminal:
            self._show(self._style("2", printable(text)))
        elif always:
            print(printable(text), file=sys.stderr)

    def _style(self, style: str, text: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._styled else text

    @staticmethod
    def _print(text: str) -> None:
        print(text, flush=True)


class Notes(logging.Handler):
    """What the log called `pyws` is told: why a connection failed."""

    def __init__(self, note: Callable[..., None]) -> None:
        super().__init__(logging.WARNING)
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        """Show it."""
        self._note(record.getMessage(), always=True)


class Lines:
    """The lines of a descriptor of any kind, read in a thread of its own as they are asked for."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._some: asyncio.Queue[list[str]] = asyncio.Queue()
        self._asked = threading.Semaphore(0)
        # Nobody waits for its end: it may be in the middle of a read that nothing ends.
        threading.Thread(target=self._work, daemon=True).start()

    async def read(self) -> list[str]:
        """Wait for one or more lines, without their ends; none is the end of all."""
        self._asked.release()
        return await self._some.get()

    def _work(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        parts: list[str] = []  # of the line that is not whole yet
        with contextlib.suppress(RuntimeError):  # the loop has ended before
            while data := os.read(self._descriptor, 65536):
                first, *others = decoder.decode(data).split("\n")
                parts.append(first)
                if others:
                    *lines, line = "".join(parts), *others
                    parts = [line]
                    self._hand_over([line.removesuffix("\r") for line in lines])
            if line := "".join(parts) + decoder.decode(b"", True):
                self._hand_over([line])
            self._hand_over([])

    def _hand_over(self, lines: list[str]) -> None:
        self._asked.acquire()
        self._loop.call_soon_threadsafe(self._some.put_nowait, lines)


class Prompt:
    """A line to type, with history, below what is shown: prompt_toolkit's."""

    def __init__(self, session: "Any", run_in_terminal: "Any") -> None:
        self._session = session
        self._run_in_terminal = run_in_terminal
        self._texts: list[str] = []
        self._showing: asyncio.Future[None] | None = None

    @classmethod
    def load(cls) -> "Prompt | None":
        """Return a prompt, None where prompt_toolkit is not installed."""
        try:
            from prompt_toolkit import PromptSession
            from prompt_toolkit.application import run_in_terminal
            from prompt_toolkit.history import FileHistory, InMemoryHistory
        except ImportError:
            return None
        history: Any = InMemoryHistory()
        name = os.environ.get("PYWS_HISTORY", "~/.pyws_history")
        if name:
            path = Path(name).expanduser()
            with contextlib.suppress(OSError):
                # What is sent may be secret.
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
                history = FileHistory(str(path))
        return cls(PromptSession(history=history), run_in_terminal)

    async def run(self, send: Callable[[str], None]) -> bool:
        """Pass on each line that is typed, until Ctrl-D or Ctrl-C; whether it was Ctrl-C."""
        while True:
            try:
                send(await self._session.prompt_async("> "))
            except EOFError:
                return False
            except KeyboardInterrupt:
                return True

    def show(self, text: str) -> None:
        """Show text above the prompt."""
        self._texts.append(text)
        if self._showing is None or self._showing.done():
            self._showing = asyncio.ensure_future(self._work())

    async def flush(self) -> None:
        """Wait until all is shown."""
        if self._showing is not None:
            await self._showing

    async def _work(self) -> None:
        while self._texts:
            texts, self._texts = self._texts, []
            await self._run_in_terminal(lambda texts=texts: print(*texts, sep="\n", flush=True))

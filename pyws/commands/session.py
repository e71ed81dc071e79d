"""One conversation with a server: it sends lines, shows messages, and gives the exit status.

Its law: a text from a server reaches a terminal only through `printable`.
"""

import asyncio
import logging
import os
import re
import sys
import time
from collections.abc import Callable
from typing import Any

from pyws import CloseEvent, MessageEvent, WebSocket

from .printable import printable
from .prompt import Prompt
from .stdin import StdinReader

COULD_NOT_CONNECT, USAGE, UNCLEAN, UNFINISHED = 1, 2, 3, 4

USUAL_CODES = (1000, 1001, 1005)
"""Close codes that say nothing but that the end has come; pipes show the others, too."""

MAX_SHOWN = 1024
"""Bytes of a binary message that are shown on a terminal."""

HIGH_WATER = 1 << 20
"""Bytes of `bufferedAmount` above which no more lines are read from stdin."""


def parse_message(text: str, hexadecimal: bool) -> str | bytes:
    """Return the message that a line stands for: its text, or the bytes of its hex digits."""
    if not hexadecimal:
        return text
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ValueError(f"{printable(text)!r} is not hex digits, two for a byte") from None


class Session:
    """One connection, from the handshake to its close. Call `run` once.

    `hexadecimal`: lines are the hex digits of binary messages. `count`: close after that many messages, None for no
    limit. `wait`: seconds without a message after which to close, once everything is sent; None for the default.
    """

    def __init__(self, hexadecimal: bool, count: int | None, wait: float | None) -> None:
        self._hexadecimal = hexadecimal
        self._count = count
        self._wait = wait if wait is not None else 1.0 if count is None else float("inf")
        self._received = 0
        self._last_received = 0.0  # seconds of `time.monotonic`
        self._broken_pipe: BrokenPipeError | None = None
        self._terminal = sys.stdout.isatty()
        self._styled = self._terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._show: Callable[[str], object] = print_line

    async def run(
        self, url: str, subprotocols: list[str], messages: list[str | bytes] | None, prompt: Prompt | None
    ) -> int:
        """Connect, send the messages, close; return the exit status.

        Without `messages`, the lines of the prompt are sent; without a prompt, the lines of stdin. Raise
        `DOMException` if the URL or a subprotocol is not valid, `KeyboardInterrupt` at Ctrl-C in the prompt,
        `BrokenPipeError` if stdout was closed.
        """
        if prompt is not None:
            self._show = prompt.show
        logger = logging.getLogger("pyws")
        logger.propagate = False
        logger.addHandler(LogNotes(self._note))
        self._connect(url, subprotocols, "; Ctrl-D closes" if prompt else "")
        await asyncio.wait([self._opened, self._closed], return_when=asyncio.FIRST_COMPLETED)
        if not self._opened.done():
            if prompt is not None:
                await prompt.flush()
            return COULD_NOT_CONNECT  # the log has told the reason
        status = 0
        if prompt is not None:
            await self._send_typed(prompt)
        else:
            try:
                if messages is None:
                    await self._send_stdin()
                else:
                    for message in messages:
                        self._ws.send(message)
            except ValueError as error:
                self._note(str(error), always=True)
                status = USAGE
            await self._until_silent()
        return await self._close(status)

    def _connect(self, url: str, subprotocols: list[str], hint: str) -> None:
        loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = loop.create_future()
        self._closed: asyncio.Future[Any] = loop.create_future()
        self._ws = ws = WebSocket(url, subprotocols)
        ws.binaryType = "arraybuffer"

        def on_open(_: object) -> None:
            protocol = f", subprotocol {ws.protocol}" if ws.protocol else ""
            self._note(f"connected to {ws.url}{protocol}{hint}")
            self._opened.set_result(None)

        ws.onopen = on_open
        ws.onmessage = self._on_message
        ws.onclose = self._closed.set_result

    async def _close(self, status: int) -> int:
        """Close the connection if it is open; return the exit status, which is `status` unless that is 0."""
        ws = self._ws
        if ws.readyState < ws.CLOSING:
            ws.close(1000)
        event: CloseEvent = await self._closed
        if self._broken_pipe:
            raise self._broken_pipe
        if not event.wasClean:
            status = status or UNCLEAN
        elif ws.bufferedAmount if self._count is None else self._received < self._count:
            status = status or UNFINISHED
        # In a pipe, the exit status alone says that the end is as it should be.
        unusual = status not in (0, USAGE) or event.code not in USUAL_CODES
        self._note(f"closed: {event.code}{' ' if event.reason else ''}{event.reason}", always=unusual)
        return status

    # Sending.

    async def _send_typed(self, prompt: Prompt) -> None:
        """Send each line that is typed, until the connection is closed or the user ends the prompt."""

        def send(line: str) -> None:
            try:
                self._ws.send(parse_message(line, self._hexadecimal))
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
        self._show = print_line

    async def _send_stdin(self) -> None:
        """Send each line of stdin, no faster than the network takes them."""
        reader = StdinReader(sys.stdin.fileno())
        while True:
            reading: asyncio.Future[Any] = asyncio.ensure_future(reader.read())
            await asyncio.wait([reading, self._closed], return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                reading.cancel()
                return
            lines = reading.result()
            if not lines:
                return
            for line in lines:
                self._ws.send(parse_message(line, self._hexadecimal))
            while self._ws.bufferedAmount > HIGH_WATER and not self._closed.done():
                await asyncio.sleep(0.01)

    async def _until_silent(self) -> None:
        """Wait until no message has come for the time to wait, or the connection is closed."""
        self._last_received = max(self._last_received, time.monotonic())
        while not self._closed.done() and (rest := self._last_received + self._wait - time.monotonic()) > 0:
            await asyncio.wait([self._closed], timeout=rest)

    # Showing.

    def _on_message(self, event: MessageEvent) -> None:
        self._last_received = time.monotonic()
        self._received += 1
        data = event.data
        try:
            if not self._terminal:
                self._show(re.sub("\r\n|\r|\n", " ", data) if isinstance(data, str) else data.hex())
            elif isinstance(data, str):
                # The second and later lines are indented: no message can look like two messages, or like a note.
                lines = re.split("\r\n|\n", data)
                self._show(self._style("36", "< ") + "\n  ".join(printable(line) for line in lines))
            else:
                more = " …" if len(data) > MAX_SHOWN else ""
                self._show(self._style("36", f"< {len(data)} bytes: ") + data[:MAX_SHOWN].hex(" ") + more)
        except BrokenPipeError as error:
            self._broken_pipe = error
            self._ws.close()
            return
        if self._received == self._count:
            self._ws.close(1000)

    def _note(self, text: str, always: bool = False) -> None:
        """Show a text that is not a message: on a terminal, or on stderr if `always`."""
        if self._terminal:
            self._show(self._style("2", printable(text)))
        elif always:
            print(printable(text), file=sys.stderr)

    def _style(self, style: str, text: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._styled else text


def print_line(text: str) -> None:
    """Print a line now."""
    print(text, flush=True)


class LogNotes(logging.Handler):
    """Shows the warnings of the logger `pyws`: the reason why a connection failed."""

    def __init__(self, note: Callable[..., None]) -> None:
        super().__init__(logging.WARNING)
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        """Show the message of a record."""
        self._note(record.getMessage(), always=True)

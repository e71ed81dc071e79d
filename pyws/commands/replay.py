"""`python -m pyws replay`: a server that answers from a recording."""

import argparse
import asyncio
import sys

from pyws.testing.client import ConnectionOver
from pyws.testing.connection import Connection
from pyws.testing.conversation import Conversation, Row, Side
from pyws.testing.expectations import ExpectationError
from pyws.testing.masks import Masks
from pyws.testing.recorded import RecordingError
from pyws.testing.replaying import Replay

from . import termination
from .arguments import count, factor, port
from .printable import printable

EXIT_STATUS = """exit status:
  0    every conversation of the file was replayed
  1    a client said something else than in the recording: the difference is shown
  2    the command line is wrong, or the file is not a recording
  130  Ctrl-C
  143  SIGTERM

Each connection gets the next conversation of the file; where these have different URLs, one whose path the client asks
for. A client must say what was recorded, in the same order: text that is JSON may differ in white space and the order
of keys, and ~masked~ stands for anything. After a difference the connection is closed with 1008. With --lenient nothing
is compared: each message of the client stands for one that was recorded."""

SHOWN_ROWS = 30
"""Rows of a conversation that are shown at most, the last ones."""


def main(arguments: list[str]) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        "python -m pyws replay",
        description="Serve the conversations of a recording (.jsonl of `record`, or .har, also of a browser).",
        epilog=EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("file", metavar="FILE", help="the recording, .jsonl or .har")
    add("--port", type=port, default=0, help="where to listen on 127.0.0.1 (default: any free one)")
    add("--lenient", action="store_true", help="do not compare what clients say")
    add("--speed", type=factor, metavar="N", help="1 waits as in the recording, 2 half of it (default: no delays)")
    add("--repeat", action="store_true", help="after the last conversation begin with the first, until Ctrl-C")
    add("--url", metavar="TEXT", help="only the WebSockets that have this in their URL")
    add("--index", type=count, metavar="N", help="only the WebSocket with this number; --list shows them")
    add("--list", action="store_true", help="show the WebSockets of the file, and end")
    options = parser.parse_args(arguments)
    try:
        replay = Replay(
            options.file,
            url=options.url,
            index=options.index,
            lenient=options.lenient,
            speed=options.speed,
            repeat=options.repeat,
        )
    except RecordingError as error:
        parser.error("\n".join(map(printable, str(error).split("\n"))))
    except OSError as error:
        parser.error(f"cannot read {options.file}: {error.strerror}")
    if options.list:
        print(*map(printable, replay.recording.listing().split("\n")), sep="\n")
        return 0
    try:
        return termination.run(ReplayServer(replay).run(options.port))
    except OSError as error:
        print(f"cannot listen on 127.0.0.1:{options.port}: {error.strerror}", file=sys.stderr)
        return 1


class ReplayServer:
    """Serves a replay. Await `run` once."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._status = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, port: int) -> int:
        """Serve until all is replayed, or differs; return the exit status."""
        self._done = asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        try:
            address = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            print(f"{address} replays {printable(str(self._replay.recording.path))}  (Ctrl-C ends)", flush=True)
            await self._done.wait()
        finally:
            server.close()
            if self._tasks:
                await asyncio.wait(self._tasks)
        return self._status

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        connection = Connection(reader, writer)
        connection.conversation = Excerpt(self._replay.masks)
        playing = asyncio.create_task(self._play(connection))
        done = asyncio.create_task(self._done.wait())
        try:
            await asyncio.wait([playing, done], return_when=asyncio.FIRST_COMPLETED)
        finally:
            playing.cancel()
            done.cancel()
            await asyncio.gather(playing, return_exceptions=True)
            await connection.finish()
            self._tasks.discard(task)
            if self._replay.done and not self._replay.repeat:
                self._done.set()

    async def _play(self, connection: Connection) -> None:
        try:
            await self._replay.play(connection)
            await self._replay.hear(connection)
        except ConnectionOver:
            pass
        except ExpectationError as error:
            self._status = 1
            for line in f"{error}\nthe conversation so far:\n{connection.conversation.show()}".split("\n"):
                print(printable(line), file=sys.stderr, flush=True)
            if not self._replay.repeat:
                self._done.set()


class Excerpt(Conversation):
    """The last rows of a conversation of any length, with short messages without secrets."""

    def __init__(self, masks: Masks) -> None:
        super().__init__()
        self._masks = masks
        self._omitted = 0

    def add(self, side: Side, kind: str, value: object = None) -> Row:
        """Append a row, and forget the oldest ones."""
        if isinstance(value, str):
            value = self._masks.text(value[:1024])
        elif isinstance(value, bytes):
            value = self._masks.binary(value[:1024])
        row = super().add(side, kind, value)
        if len(self.rows) > 2 * SHOWN_ROWS:
            self._omitted += SHOWN_ROWS
            del self.rows[:SHOWN_ROWS]
        return row

    def show(self) -> str:
        """Return the rows as text, and how many came before."""
        omitted = f"({self._omitted} rows before)\n" if self._omitted else ""
        return omitted + super().show()

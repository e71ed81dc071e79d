"""Replay: a server answers from a recording, and compares what the client says with it.

Its law: events are replayed in the order of the file. A message of the server goes out when all events before it have
happened; an event of the client is waited for. Once the client has closed, other messages of the server are skipped.
"""

import asyncio
import contextlib
import os
import re
from typing import Never
from urllib.parse import urlsplit

from .client import ConnectionOver
from .comparing import same_message, same_text
from .connection import Connection
from .data import show
from .expectations import ExpectationError, describe_close
from .masks import MASK, Masks
from .recorded import Close, Lost, Message, Placed, RecordedConversation, Request, Response
from .recording import Recording

DIFFERENT = 1008
"""The close code after a difference: "policy violation", the general one for what a server does not accept."""

# Headers of an answer that belong to the connection on which it came.
_NOT_REPLAYED = re.compile(
    r"connection|upgrade|date|content-length|content-encoding|transfer-encoding|sec-websocket-.*", re.IGNORECASE
)


class Replay:
    """The conversations of a recording, to be replayed to the connections that come, one for each, in order.

    A server awaits `play`, then `hear`, for each connection; `websocket_server.replay(path)` does that in a test. The
    time limit for what the client says is that of the connection.

    `path`: a recording, .jsonl or .har. `url`, `index`: only the conversations whose URL contains `url`; only that with
    the number `index`, from 1. If those that are left have different URLs, the path that a client asks for decides.
    `lenient`: the messages of the client are not compared; each stands for one that was recorded. `speed`: 1
    for the delays of the recording, 2 for half of them; None for none. `repeat`: after the last conversation the first
    is replayed again. `masks`: the secrets that errors do not show.

    Raises `RecordingError` if the file is not a recording or has no such conversation, `OSError` if it cannot be read,
    `ValueError` for a speed that is not positive. A replay that differs raises `ExpectationError`.
    """

    def __init__(
        self,
        path: "str | os.PathLike[str]",
        *,
        url: str | None = None,
        index: int | None = None,
        lenient: bool = False,
        speed: float | None = None,
        repeat: bool = False,
        masks: Masks | None = None,
    ) -> None:
        if speed is not None and not 0 < speed < float("inf"):
            raise ValueError(f"speed must be a positive number, not {speed!r}")
        self.recording = Recording(path)
        self.masks = masks or Masks()
        self.lenient = lenient
        self.speed = speed
        self.repeat = repeat
        self.chosen = self.recording.select(url, index)
        """The conversations that are replayed."""
        self._left = list(self.chosen)
        self._players: dict[Connection, _Player] = {}

    @property
    def done(self) -> bool:
        """Whether every conversation was replayed to its end."""
        return not self._left and not self._players

    async def play(self, connection: Connection) -> None:
        """Replay the next conversation to a client; raise `ExpectationError` at the first difference."""
        await connection.requested()
        conversation = self._take(connection.path)
        if conversation is None:
            await connection.refuse(404, body="this is not in the recording\n")
            there = "\n".join(f"  {it}" for it in self.chosen)
            words = "none is left, or none has the path that the client asks for"
            raise ExpectationError(f"{self.recording.path} has no conversation for this client: {words}\n{there}")
        player = self._players[connection] = _Player(self, connection)
        try:
            await player.play(conversation)
        except BaseException:
            del self._players[connection]
            raise

    async def hear(self, connection: Connection) -> None:
        """Wait until the client has closed, where the file does not say how it ends. Await this after `play`."""
        try:
            await self._players[connection].hear()
        finally:
            del self._players[connection]

    def _take(self, path: str) -> RecordedConversation | None:
        """Take the next conversation for a path; None if there is none."""
        if not self._left and self.repeat:
            self._left = list(self.chosen)
        found: RecordedConversation | None
        if len({conversation.url for conversation in self.chosen}) == 1:
            found = next(iter(self._left), None)
        else:
            for_query = [it for it in self._left if same_text(_target(it.url), path)]
            for_path = [it for it in self._left if same_text(_target(it.url).partition("?")[0], path.partition("?")[0])]
            found = next(iter(for_query or for_path), None)
        if found is not None:
            self._left.remove(found)
        return found


def _target(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


class _Player:
    """Replays one conversation to one client."""

    def __init__(self, replay: Replay, connection: Connection) -> None:
        self._replay = replay
        self._connection = connection
        self._ended = False
        """Whether the client has closed, and what the server would still have said is skipped."""

    async def play(self, conversation: RecordedConversation) -> None:
        """Replay the events."""
        latest: float | None = None
        for placed in self._replay.recording.events(conversation):
            if self._replay.speed and latest is not None and not self._is_awaited(placed):
                await self._connection.delay(max(0.0, placed.event.time - latest) / self._replay.speed)
            latest = placed.event.time
            try:
                await self._do(placed)
            except ConnectionOver:
                self._ended = True

    @staticmethod
    def _is_awaited(placed: Placed) -> bool:
        """Tell whether an event is waited for, because the client does it."""
        return isinstance(placed.event, Request) or getattr(placed.event, "sender", None) == "client"

    async def hear(self) -> None:
        """Wait until the client has closed; raise `ExpectationError` if it says more."""
        async for said in self._connection:
            if not self._replay.lenient and not self._ended:
                await self._end_differing(Placed("its end", Lost("client")), "says more", "nothing", self._show(said))

    async def _do(self, placed: Placed) -> None:
        connection, event = self._connection, placed.event
        match event:
            case Request():
                await self._compare_subprotocols(placed, event)
            case Response(status=101):
                await connection.accept(subprotocol=self._subprotocol(event), headers=_replayed(event))
            case Response():
                await connection.refuse(event.status, headers=_replayed(event), body=event.body)
            case Message(sender="client"):
                await self._hear(placed, event)
            case Close(sender="client") | Lost(sender="client"):
                await self._hear_close(placed, event)
            case Message() if not self._ended:
                await self._send(placed, event)
            case Close() if not self._ended:
                await connection.close(event.code, event.reason)
                self._ended = True
            case Lost() if not self._ended:
                await connection.drop(reset=True)
                self._ended = True

    # The opening handshake.

    async def _compare_subprotocols(self, placed: Placed, request: Request) -> None:
        offered, recorded = self._connection.subprotocols, list(request.subprotocols)
        same = len(offered) == len(recorded) and all(map(same_text, recorded, offered))
        # A recording that was written by hand may leave the request out, or its subprotocols.
        if same or self._replay.lenient or not recorded:
            return
        await self._connection.refuse(400, body="the subprotocols are not those of the recording\n")
        self._differ(placed, "offers other subprotocols", show(recorded), show(offered))

    def _subprotocol(self, response: Response) -> str | None:
        """Return the subprotocol to choose: the recorded one, as the client offers it."""
        recorded = response.subprotocol
        if recorded is None:
            return None
        return next((name for name in self._connection.subprotocols if same_text(recorded, name)), None)

    # The messages and the end of the client.

    async def _hear(self, placed: Placed, recorded: Message) -> None:
        try:
            said = await self._receive(placed)
        except ConnectionOver as over:
            if self._replay.lenient:
                raise
            await self._end_differing(
                placed, "has closed", self._show(recorded.data), describe_close(over.code, over.reason)
            )
        if not self._replay.lenient and not same_message(recorded.data, said):
            await self._end_differing(placed, "says something else", self._show(recorded.data), self._show(said))

    async def _hear_close(self, placed: Placed, recorded: Close | Lost) -> None:
        words = "the end of the connection"
        if isinstance(recorded, Close):
            words = describe_close(1005 if recorded.code is None else recorded.code, recorded.reason)
        try:
            said = await self._receive(placed)
            while self._replay.lenient:
                said = await self._receive(placed)
        except ConnectionOver as over:
            if isinstance(recorded, Lost) or self._replay.lenient:
                return
            same = (recorded.code or 1005) == over.code and same_text(recorded.reason, over.reason)
            if not same:
                await self._end_differing(placed, "closes differently", words, describe_close(over.code, over.reason))
            return
        await self._end_differing(placed, "says more", words, self._show(said))

    async def _send(self, placed: Placed, recorded: Message) -> None:
        """Send a message; a client that reads nothing for the time limit differs."""
        try:
            async with asyncio.timeout(self._connection.timeout):
                await self._connection.send(recorded.data)
        except TimeoutError:
            self._differ(placed, "reads nothing", self._show(recorded.data), "it waits in the buffers of the network")

    async def _receive(self, placed: Placed) -> str | bytes:
        try:
            return await self._connection.receive()
        except ExpectationError as error:
            await self._end_differing(placed, "is silent", self._words(placed), str(error))

    def _words(self, placed: Placed) -> str:
        event = placed.event
        return self._show(event.data) if isinstance(event, Message) else "the end of the connection"

    # Differences.

    def _show(self, data: str | bytes) -> str:
        masks = self._replay.masks
        return show(masks.text(data[:4096]) if isinstance(data, str) else masks.binary(data[:4096]))

    async def _end_differing(self, placed: Placed, words: str, recorded: str, said: str) -> Never:
        with contextlib.suppress(ConnectionOver):
            await self._connection.close(DIFFERENT, f"not as recorded: {placed.place}")
        self._differ(placed, words, recorded, said)

    def _differ(self, placed: Placed, words: str, recorded: str, said: str) -> Never:
        raise ExpectationError(
            f"{self._replay.recording.path}, {placed.place}: the client {words}\n"
            f"  recorded: {recorded}\n  said:     {said}"
        )


def _replayed(response: Response) -> list[tuple[str, str]]:
    return [
        (name, value) for name, value in response.headers if not _NOT_REPLAYED.fullmatch(name) and MASK not in value
    ]

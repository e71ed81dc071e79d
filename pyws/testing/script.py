"""The steps of a server in a test, one after the other, as a test writes them down in chained calls.

Its law: a wrong argument is an exception at the call; the steps themselves are taken later, by the server.
"""

import json
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any, NamedTuple, Self

from .arguments import (
    MoreHeaders,
    check_bytes,
    check_close,
    check_delay,
    check_expected_close,
    check_headers,
    check_seconds,
    check_status,
    check_text,
    fragments,
)
from .connection import FIRST_OFFERED, Connection
from .conversation import Message
from .expectations import Json, check_expected, describe
from .replaying import Replay
from .waiting import Changes


class Step(NamedTuple):
    """One step."""

    take: Callable[[Connection], Awaitable[object]]
    """The coroutine function that takes it."""
    expected: str = ""
    """Words for the thing that the client is expected to do; "" if that is nothing."""
    free: bool = False
    """Whether it is code of the test, which may go on as long as the connection does."""
    limited: bool = False
    """Whether it ends within the time limit of the server: the network takes its bytes, if the client reads."""
    place: str = ""
    """The line of the test that has added it."""


class Steps:
    """The calls that say what the server does. Each returns the same object, so that they can be chained.

    The connection is accepted by `accept`, or by the first step that needs an open connection: `refuse`, `delay`,
    `write` and `drop` before that come instead of the answer to the opening handshake. After the last step the
    connection stays open, until the client closes it or the test ends; its messages are heard.
    """

    def _add(self, step: Step) -> Self:
        raise NotImplementedError  # pragma: no cover - each subclass has its own

    def accept(self, *, subprotocol: str | None = FIRST_OFFERED, headers: MoreHeaders = ()) -> Self:
        """Accept the connection; see `Connection.accept`."""
        check_text("subprotocol", subprotocol)
        pairs = check_headers(headers)
        return self._add(Step(lambda connection: connection.accept(subprotocol=subprotocol, headers=pairs)))

    def refuse(self, status: int = 403, *, headers: MoreHeaders = (), body: str | bytes = "") -> Self:
        """Refuse the connection with that status of HTTP."""
        check_status(status)
        pairs = check_headers(headers)
        data = fragments((body,))[0][0]
        return self._add(Step(lambda connection: connection.refuse(status, headers=pairs, body=data)))

    def expect(self, expected: Any, *, timeout: float | None = None) -> Self:
        """Wait for the next message of the client, which must be as expected.

        `expected` is `str` for a text message, bytes-like for a binary one, a compiled pattern that is to be found in
        the message, or a function that gets it and returns whether it is right. `timeout`: seconds; None for that of
        the server.
        """
        check_expected(expected)
        check_seconds("timeout", timeout)
        return self._add(Step(lambda connection: connection.expect(expected, timeout=timeout), describe(expected)))

    def expect_json(self, expected: Any, *, timeout: float | None = None) -> Self:
        """Wait for the next message, which must be text that is JSON for that value, or for one that a function takes.

        A function gets the value, and returns whether it is right.
        """
        return self.expect(Json(expected), timeout=timeout)

    def expect_close(self, code: int | None = None, reason: str | None = None, *, timeout: float | None = None) -> Self:
        """Wait until the client closes, with that code and reason if given, and without another message before that.

        1005 is a Close frame without a code, 1006 an end of TCP without a Close frame.
        """
        check_expected_close(code, reason)
        check_seconds("timeout", timeout)
        return self._add(
            Step(
                lambda connection: connection.expect_close(code, reason, timeout=timeout),
                f"the client to close{'' if code is None else f' with {code}'}",
            )
        )

    def send(self, message: Message) -> Self:
        """Send a message: text for `str`, binary for bytes-like."""
        return self.send_fragments(message)

    def send_json(self, value: Any) -> Self:
        """Send a text message: the value as JSON."""
        return self.send(json.dumps(value, allow_nan=False))

    def send_fragments(self, *parts: Message) -> Self:
        """Send one message in several frames, one for each part: all `str`, or all bytes-like."""
        fragments(parts)
        return self._add(Step(lambda connection: connection.send_fragments(*parts), limited=True))

    def ping(self, data: bytes = b"") -> Self:
        """Send a Ping with at most 125 bytes."""
        data = check_bytes("ping", data)
        if len(data) > 125:
            raise ValueError("a Ping has at most 125 bytes")
        return self._add(Step(lambda connection: connection.ping(data)))

    def write(self, data: bytes) -> Self:
        """Write bytes as they are, for all that no server should send."""
        data = check_bytes("write", data)
        return self._add(Step(lambda connection: connection.write(data), limited=True))

    def pause(self) -> Self:
        """Read nothing from the client any more."""
        return self._add(Step(lambda connection: connection.pause()))

    def resume(self) -> Self:
        """Read again."""
        return self._add(Step(lambda connection: connection.pause(False)))

    def delay(self, seconds: float) -> Self:
        """Wait for that time; the end of the test cuts it short."""
        check_delay(seconds)
        return self._add(Step(lambda connection: connection.delay(seconds)))

    def close(self, code: int | None = None, reason: str = "") -> Self:
        """Send a Close frame with any code, or an empty one."""
        check_close(code, reason)
        return self._add(Step(lambda connection: connection.close(code, reason)))

    def drop(self, *, reset: bool = False) -> Self:
        """End TCP without a Close frame, when all messages have left; with `reset` at once, as in a crash."""
        return self._add(Step(lambda connection: connection.drop(reset=reset)))

    def run(self, conversation: Callable[[Connection], object]) -> Self:
        """Call a function of the test with the connection, an `async def` or a plain one; its exceptions fail the test.

        It runs in the thread of the server.
        """
        if not callable(conversation):
            raise TypeError(f"run takes a function of one argument, the connection, not {type(conversation).__name__}")

        async def take(connection: Connection) -> None:
            result = conversation(connection)
            if isinstance(result, Awaitable):
                await result
            elif isinstance(result, (Generator, AsyncGenerator)):
                raise TypeError("the function of run has a yield, so it does not run: let it return, not yield")

        return self._add(Step(take, free=True))


class Script(Steps):
    """Steps for a connection, or for each of several. They may be added in every thread, also while they are taken."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        """All steps so far."""
        self.taken = 0
        """How many of them the connection that came farthest has taken."""
        self.begun = False
        """Whether a connection has come for it."""
        self.failed = False
        """Whether a step has failed, for a connection."""
        self.added = Changes()
        """Notified of each new step."""

    def _add(self, step: Step) -> Self:
        self.steps.append(step._replace(place=_line_of_the_test()))
        self.added.notify()
        return self

    def unmet(self) -> Step | None:
        """Return the first expectation that no connection came to; None if there is none."""
        left = [] if self.failed else self.steps[self.taken :]
        return next((step for step in left if step.expected), None)


def _line_of_the_test() -> str:
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__package__") == __package__:
        frame = frame.f_back
    return f"{os.path.basename(frame.f_code.co_filename)}, line {frame.f_lineno}"


class Place(Steps):
    """The scripts for connections to one path: the first for the first connection, the last for all later ones."""

    def __init__(self) -> None:
        self.scripts = [Script()]
        """All scripts so far."""
        self._connections = 0

    def _add(self, step: Step) -> Self:
        self.scripts[-1]._add(step)
        return self

    def next_connection(self) -> Self:
        """Let the steps after this call be for the next connection, and for all later ones."""
        self.scripts.append(Script())
        return self

    def replay(
        self,
        path: str | os.PathLike[str],
        *,
        url: str | None = None,
        index: int | None = None,
        lenient: bool = False,
        speed: float | None = None,
        repeat: bool = False,
    ) -> Self:
        """Answer from a recording: each of its conversations is for one connection, in order; see `Replay`.

        A client that says something else than in the recording fails the test, and so does one that does not come.
        """
        replay = Replay(path, url=url, index=index, lenient=lenient, speed=speed, repeat=repeat)
        for number, conversation in enumerate(replay.chosen[:1] if repeat else replay.chosen):
            if number:
                self.next_connection()
            expected = "" if lenient or repeat else f"a client for the conversation {conversation} of {os.fspath(path)}"
            self._add(Step(replay.play, expected))
            self._add(Step(replay.hear, free=True))
        return self

    @property
    def empty(self) -> bool:
        """Whether it has no steps."""
        return not any(script.steps for script in self.scripts)

    def take(self) -> Script:
        """Return the script for a connection that has come."""
        script = self.scripts[min(self._connections, len(self.scripts) - 1)]
        self._connections += 1
        script.begun = True
        return script

"""One connection of a client to the server of a test: scripts and coroutines speak through it.

A Ping of the client is answered by itself, and so is its Close frame; `write`, `drop` and `pause` are for behaviour
that no server should have.

Its law: it lives in one event loop; its coroutines may be awaited in every other loop, too.
"""

import asyncio
import contextlib
import http
from collections.abc import AsyncIterator, Iterable
from typing import Any

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from .arguments import MoreHeaders, check_bytes, check_close, check_headers, fragments, set_headers
from .client import Client, ConnectionOver
from .conversation import Message
from .data import show
from .expectations import ExpectationError, check_expected, describe, describe_close, matches
from .waiting import Changes, in_its_loop, seconds
from .wire import Wire

TIMEOUT = 5.0
"""Seconds that a step waits for the client, if nothing else is said."""
CLOSING_TIMEOUT = 2.0
"""Seconds that the client has to end TCP after the last frame; then it is cut."""
GRACE_PERIOD = 0.2
"""The same when the test is over: a client of this thread does not run any more."""
FIRST_OFFERED = "the first that the client offers"
"""Stands for that subprotocol."""


class Connection(Client):
    """A client that has connected.

        async def conversation(connection):
            async for message in connection:
                await connection.send(message.upper())

    `accept` or `refuse` answer the opening handshake; each other call that needs an open connection accepts it first.
    `compression`: whether permessage-deflate is accepted if the client offers that. `timeout`: seconds that `receive`
    and the expectations wait by default; None for no limit. `changes`: notified of each row.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        compression: bool = True,
        timeout: float | None = None,
        changes: Changes | None = None,
    ) -> None:
        super().__init__(changes or Changes())
        self.waiting_for = ""
        """Words for the message that `receive` or an expectation waits for, with a time limit; "" if none does."""
        self.timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._ending = asyncio.Event()
        self._answered = False
        self._chosen: str | None = FIRST_OFFERED
        self._wire = Wire(reader, writer, self, compression, self._choose)
        self._reading = asyncio.create_task(self._wire.read())

    def __repr__(self) -> str:
        return f"<Connection {self.path.partition('?')[0]!r} over={self.over} heard={len(self.heard)}>"

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that was chosen."""
        return self._wire.protocol.subprotocol

    # The opening handshake

    @in_its_loop
    async def requested(self) -> Request:
        """Wait for the request of the opening handshake, and return it; raise `ConnectionOver` if none comes."""
        while self.request is None:
            await self._wait()
        return self.request

    @in_its_loop
    async def accept(self, *, subprotocol: str | None = FIRST_OFFERED, headers: MoreHeaders = ()) -> None:
        """Accept the connection: answer 101, with `headers` beside those of the protocol, or instead of them.

        `subprotocol` is the one to choose, also one that was not offered; None for none; by default the first that the
        client offers. Raises `ConnectionOver` if the request is not the opening handshake of a WebSocket. If it was
        answered before, nothing happens.
        https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
        """
        if self._answered:
            return
        check_headers(headers)
        request = await self.requested()
        self._ensure_connected()
        self._answered = True
        self._chosen = subprotocol
        response = self._wire.protocol.accept(request)
        set_headers(response, headers)
        if response.status_code == 101:
            self._note("server", "accept", (self.subprotocol, bool(self._wire.protocol.extensions)))
        else:
            self._note("server", "refuse", response.status_code)
        self._wire.answer(response)
        if response.status_code != 101:
            self._broken(str(self._wire.protocol.handshake_exc))
            raise ConnectionOver(1006, "")

    @in_its_loop
    async def refuse(self, status: int = 403, *, headers: MoreHeaders = (), body: str | bytes = "") -> None:
        """Refuse the connection: answer with another status than 101, and end TCP.

        Raises `RuntimeError` if it was answered before.
        """
        if self._answered:
            raise RuntimeError("the connection is accepted already: refuse before, or close")
        check_headers(headers)
        data = fragments((body,))[0][0]
        await self.requested()
        self._ensure_connected()
        self._answered = self._ended_here = True
        reasons = {known.value: known.phrase for known in http.HTTPStatus}
        response = Response(status, reasons.get(status, ""), Headers(), data)
        response.headers["Connection"] = "close"
        response.headers["Content-Type"] = "text/plain; charset=utf-8"
        response.headers["Content-Length"] = str(len(data))
        set_headers(response, headers)
        self._note("server", "refuse", status)
        self._wire.answer(response)

    def _choose(self, offered: Iterable[str]) -> str | None:
        return next(iter(offered), None) if self._chosen is FIRST_OFFERED else self._chosen

    # Messages

    @in_its_loop
    async def receive(self, *, timeout: float | None = None) -> Message:
        """Return the next message of the client: `str` for text, `bytes` for binary.

        Raises `ExpectationError` after `timeout` seconds, `ConnectionOver` if the client has closed.
        """
        return await self._receive("a message", timeout)

    async def _receive(self, awaited: str, timeout: float | None) -> Message:
        limit = self.timeout if timeout is None else timeout
        try:
            async with asyncio.timeout(limit):
                self.waiting_for = awaited if limit is not None else ""
                await self.accept()
                while not self._inbox:
                    await self._wait()
        except TimeoutError:
            raise ExpectationError(f"waited {seconds(limit)} for {awaited}") from None
        except ConnectionOver as over:
            over.awaited = True
            raise
        finally:
            self.waiting_for = ""
        return self._inbox.popleft()

    def __aiter__(self) -> AsyncIterator[Message]:
        """Iterate over the messages of the client until it closes, without a time limit."""
        return self._messages()

    async def _messages(self) -> AsyncIterator[Message]:
        with contextlib.suppress(ConnectionOver):
            while True:
                yield await self._next()

    @in_its_loop
    async def _next(self) -> Message:
        await self.accept()
        while not self._inbox:
            await self._wait()
        return self._inbox.popleft()

    @in_its_loop
    async def expect(self, expected: Any, *, timeout: float | None = None) -> Message:
        """Receive the next message, and return it if it is as expected; else raise `ExpectationError`.

        `expected` is `str` for a text message, bytes-like for a binary one, a compiled pattern that is to be found in
        the message, or a function that gets it and returns whether it is right.
        """
        check_expected(expected)
        awaited = describe(expected)
        try:
            message = await self._receive(awaited, timeout)
        except ConnectionOver as over:
            raise ExpectationError(f"expected {awaited}, but {describe_close(over.code, over.reason)}") from None
        if not matches(expected, message):
            raise ExpectationError(f"expected {awaited}, heard {show(message)}")
        return message

    @in_its_loop
    async def expect_close(
        self, code: int | None = None, reason: str | None = None, *, timeout: float | None = None
    ) -> None:
        """Wait until the client closes; raise `ExpectationError` if a message comes before that.

        `code` and `reason` are compared if given: 1005 is a Close frame without a code, 1006 an end without a frame.
        """
        given = [str(code)] * (code is not None) + [show(reason)] * (reason is not None)
        awaited = " ".join(["the client to close", *(["with"] if given else []), *given])
        try:
            message = await self._receive(awaited, timeout)
        except ConnectionOver as over:
            lost = code is None and not self.clean
            if lost or code not in (None, over.code) or reason not in (None, over.reason):
                closed = describe_close(over.code, over.reason)
                raise ExpectationError(f"expected {awaited}, but {closed}") from None
        else:
            raise ExpectationError(f"expected {awaited}, heard {show(message)}")

    @in_its_loop
    async def send(self, message: Message) -> None:
        """Send a message: text for `str`, binary for bytes-like. Raises `ConnectionOver` if the client has closed."""
        await self.send_fragments(message)

    @in_its_loop
    async def send_fragments(self, *parts: Message) -> None:
        """Send one message in several frames, one for each part: all `str`, or all bytes-like."""
        payloads, binary = fragments(parts)
        await self.accept()
        self._ensure_open()
        whole = b"".join(payloads)
        self._note("server", "message", whole if binary else whole.decode())
        self._wire.send(payloads, binary)
        await self._drain()

    @in_its_loop
    async def ping(self, data: bytes = b"") -> None:
        """Send a Ping of at most 125 bytes; the Pong of the client is a row of the conversation."""
        await self.accept()
        self._ensure_open()
        payload = check_bytes("ping", data)
        self._note("server", "ping", payload)
        self._wire.ping(payload)

    @in_its_loop
    async def write(self, data: bytes) -> None:
        """Write bytes as they are: before the answer to the opening handshake they are instead of it."""
        payload = check_bytes("write", data)
        self._ensure_connected()
        self._answered = True
        self._note("server", "write", payload)
        self._wire.write(payload)
        await self._drain()

    # The end

    @in_its_loop
    async def close(self, code: int | None = None, reason: str = "") -> None:
        """Send a Close frame, with any code, or an empty one; the client answers it, then TCP ends.

        If the connection is not open any more, nothing happens.
        """
        check_close(code, reason)
        with contextlib.suppress(ConnectionOver):
            await self.accept()
        if self._wire.open and not self.over:
            self._note("server", "close", (1005 if code is None else code, reason))
            self._wire.close(code, reason)

    @in_its_loop
    async def drop(self, *, reset: bool = False) -> None:
        """End TCP without a Close frame, when all messages have left; with `reset` at once, as in a crash."""
        self._answered = self._ended_here = True
        self._note("server", "reset" if reset else "end")
        if reset:
            self._wire.reset()
        else:
            self._wire.end()
        self._end()

    @in_its_loop
    async def pause(self, paused: bool = True) -> None:
        """Read nothing from the client any more, or again: its messages fill the buffers of the network."""
        await self.accept()
        self._note("server", "pause" if paused else "resume")
        self._wire.pause(paused)

    @in_its_loop
    async def delay(self, seconds: float) -> None:
        """Do nothing for that time, or until the test ends."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), seconds)

    @in_its_loop
    async def closed(self) -> None:
        """Wait until the client has closed, or the connection is lost."""
        with contextlib.suppress(ConnectionOver):
            while True:
                await self._wait()

    # Inside

    def _ensure_open(self) -> None:
        self._ensure_connected()
        if not self._wire.open:  # the server has closed
            raise ConnectionOver(1006, "")

    async def _drain(self) -> None:
        try:
            await self._wire.drain()
        except OSError:
            raise ConnectionOver(1006, "") from None

    @property
    def answered(self) -> bool:
        """Whether the opening handshake was answered, in any way."""
        return self._answered

    def hurry(self) -> None:
        """End all delays: the test is over."""
        self._ending.set()

    def abort(self) -> None:
        """End TCP at once: the test is over, and the client has sent no request."""
        self._wire.abort()

    async def finish(self) -> None:
        """End the connection: with 1001 if it is open, and after a time limit in any case."""
        self._wire.pause(False)
        try:
            if self._answered:
                await self.close(1001, "the test is over")
            else:
                self._wire.abort()
            hurry = asyncio.create_task(self._ending.wait())
            await asyncio.wait([self._reading, hurry], timeout=CLOSING_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait([self._reading], timeout=GRACE_PERIOD)
            hurry.cancel()
        finally:
            self._wire.abort()
            self._reading.cancel()

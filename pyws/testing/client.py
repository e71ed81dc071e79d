"""The client of a connection, as the server of a test sees it: the request, the messages, and how it ended.

Its law: each thing that happens is a row of `conversation` before any code of the test learns of it.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from websockets.datastructures import Headers
from websockets.http11 import Request

from .conversation import Conversation, Message, Side
from .expectations import ExpectationError, check_expected, describe, describe_close, matches
from .waiting import Changes


class ConnectionOver(Exception):  # noqa: N818 - it is often not an error
    """The client has closed the connection, or it is lost: nothing more can be received or sent.

    `code` and `reason` are those of the Close frame of the client: 1005 if the frame had no code, 1006 without a frame.
    """

    awaited = False
    """Whether a message was awaited."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"the client has closed the connection: {code} {reason}".rstrip())
        self.code = code
        self.reason = reason


class Client:
    """All that came from a client. The attributes may be read in every thread."""

    def __init__(self, changes: Changes) -> None:
        self.conversation = Conversation()
        """All rows so far: see `Conversation`."""
        self.request: Request | None = None
        """The request of the opening handshake, with `path` and `headers`; None until it has come."""
        self.over = False
        """Whether the client has closed, or the connection is lost."""
        self.close_code: int | None = None
        """The code of the Close frame of the client: 1005 if it had none, 1006 without a frame; None until then."""
        self.close_reason = ""
        """The reason in the Close frame of the client."""
        self.broken: str | None = None
        """Words for the bytes of the client that break the protocol; None if there are none."""
        self.timeout: float | None = None
        """Seconds that a wait lasts by default; None for those of `changes`."""
        self._changes = changes
        self._inbox: deque[Message] = deque()
        self._news = asyncio.Event()
        self._ended_here = False  # whether the server has refused, or has ended TCP by itself

    @property
    def path(self) -> str:
        """The target of the request, such as "/chat?room=1"; "" until it has come."""
        return self.request.path if self.request is not None else ""

    @property
    def headers(self) -> Headers:
        """The headers of the request: `headers["Origin"]`, in any letter case, or `headers.get_all("Cookie")`."""
        return self.request.headers if self.request is not None else Headers()

    @property
    def subprotocols(self) -> list[str]:
        """The subprotocols that the client offers, in its order."""
        values = ",".join(self.headers.get_all("Sec-WebSocket-Protocol"))
        return [name.strip() for name in values.split(",") if name.strip()]

    @property
    def heard(self) -> list[Message]:
        """The messages of the client so far: `str` for text, `bytes` for binary."""
        return self.conversation.messages("client")

    @property
    def clean(self) -> bool:
        """Whether the client has sent a Close frame."""
        return self.over and self.close_code != 1006

    @property
    def said(self) -> list[Message]:
        """The messages of the server so far."""
        return self.conversation.messages("server")

    # For a test that waits in another thread, or in a coroutine of another loop

    def wait_for(self, expected: Any, *, timeout: float | None = None) -> Message:
        """Block until the client has sent a message that is as expected (see `expect`), and return it.

        Messages that came before count, and messages of other content do no harm. Raises `ExpectationError` after
        `timeout` seconds, or when the client has closed.
        """
        message: Message = self._changes.wait(
            self._heard(expected), self._limit(timeout), lambda: self._shown(describe(expected))
        )
        return message

    async def async_wait_for(self, expected: Any, *, timeout: float | None = None) -> Message:
        """The same as `wait_for`, for a coroutine."""
        message: Message = await self._changes.async_wait(
            self._heard(expected), self._limit(timeout), lambda: self._shown(describe(expected))
        )
        return message

    def wait_closed(self, *, timeout: float | None = None) -> None:
        """Block until the client has closed, or the connection is lost."""
        self._changes.wait(lambda: self.over or None, self._limit(timeout), lambda: self._shown("the client to close"))

    async def async_wait_closed(self, *, timeout: float | None = None) -> None:
        """The same as `wait_closed`, for a coroutine."""
        await self._changes.async_wait(
            lambda: self.over or None, self._limit(timeout), lambda: self._shown("the client to close")
        )

    def search(self, expected: Any) -> Callable[[], Message | None]:
        """Return a function that returns the first message as expected, or None; each call looks at new rows only."""
        check_expected(expected)
        rows = self.conversation.rows
        position = 0

        def look() -> Message | None:
            nonlocal position
            while position < len(rows):
                row = rows[position]
                position += 1
                if row.side == "client" and row.kind == "message":
                    message: Any = row.value
                    if matches(expected, message):
                        return message  # type: ignore[no-any-return] # the value of such a row is a message
            return None

        return look

    def _heard(self, expected: Any) -> Callable[[], Any]:
        look = self.search(expected)

        def ready() -> Message | None:
            over = self.over
            message = look()
            if message is None and over:
                closed = describe_close(self.close_code or 1006, self.close_reason)
                raise ExpectationError(self._shown(f"waited for {describe(expected)}, but {closed}"))
            return message

        return ready

    def _limit(self, timeout: float | None) -> float | None:
        return self.timeout if timeout is None else timeout

    def _shown(self, words: str) -> str:
        return f"{words}\n{self.conversation.show()}"

    # Called by the wire

    def _requested(self, request: Request) -> None:
        self.request = request
        path, query, _ = request.path.partition("?")
        self._note("client", "request", (path + ("?…" if query else ""), *self.subprotocols))
        self._news.set()

    def _received(self, message: Message) -> None:
        self._inbox.append(message)
        self._note("client", "message", message)
        self._news.set()

    def _controlled(self, name: str, data: bytes) -> None:
        self._note("client", name, data)

    def _closed(self, code: int, reason: str) -> None:
        self.close_code, self.close_reason = code, reason
        self._note("client", "close", (code, reason))
        self._end()

    def _broken(self, words: str) -> None:
        if self.broken is None:
            self.broken = words
            self._note("client", "broken", words)
            self._end()

    def _lost(self) -> None:
        if not self.over and self.request is not None and not self._ended_here:
            self._note("client", "end")
        self._end()

    # Inside

    def _end(self) -> None:
        """Let nothing come any more. Messages that came before can be received."""
        if not self.over:
            self.close_code = 1006 if self.close_code is None else self.close_code
            self.over = True
        self._news.set()
        self._changes.notify()

    def _note(self, side: Side, kind: str, value: object = None) -> None:
        self.conversation.add(side, kind, value)
        self._changes.notify()

    def _ensure_connected(self) -> None:
        if self.over:
            raise ConnectionOver(self.close_code or 1006, self.close_reason)

    async def _wait(self) -> None:
        """Wait for something new; raise `ConnectionOver` if nothing can come any more."""
        self._ensure_connected()
        self._news.clear()
        await self._news.wait()

"""How a server of a test takes the steps of a script for one connection, and what it does when one fails.

Its law: an expectation that is not met fails, and so does code of the test. Another step that cannot be taken because
the client has closed is left out: whether that comes before the step or after it is often chance.
"""

import asyncio
from collections.abc import Callable

from .client import ConnectionOver
from .connection import Connection
from .expectations import ExpectationError, describe_close
from .script import Script, Step
from .waiting import Changes, seconds

LONGEST_REASON = 123
"""Bytes of the reason in a Close frame."""


class Player:
    """One connection and its script.

    `failures`: a list to which the exception is added that has ended it; `changes`: notified when its state changes.
    """

    def __init__(self, connection: Connection, script: Script, failures: list[BaseException], changes: Changes) -> None:
        self.connection = connection
        self._failures = failures
        self._script = script
        self._changes = changes
        self._position = 0
        self._step: Step | None = None  # the step that is being taken
        self._over = False

    @property
    def busy(self) -> bool:
        """Whether the end of the test has to wait for it: for a step, which ends by itself."""
        if self._over:
            return False
        if self._step is not None and self._step.free:
            return bool(self.connection.waiting_for)
        return self._position < len(self._script.steps)

    async def play(self) -> None:
        """Take all steps, also those that are added later, until the client has closed."""
        try:
            await self._play()
            if self.connection.broken is not None:
                raise ExpectationError(f"the client breaks the protocol: {self.connection.broken}")
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # that of pytest.fail() is not an Exception
            self._failures.append(self._with_conversation(error))
            self._script.failed = True
            await self._tell_client(str(error).partition("\n")[0] or type(error).__name__)
        finally:
            self._over = True
            self._changes.notify()

    async def _play(self) -> None:
        loop = asyncio.get_running_loop()
        added = asyncio.Event()
        unsubscribe = self._script.added.subscribe(_waker(loop, added))
        over = asyncio.create_task(self.connection.closed())
        try:
            while True:
                added.clear()
                while self._position < len(self._script.steps):
                    await self._take(self._script.steps[self._position])
                    self._position += 1
                    self._script.taken = max(self._script.taken, self._position)
                    self._changes.notify()
                if not await self._accepted() or over.done():
                    return
                more = asyncio.create_task(added.wait())
                await asyncio.wait([over, more], return_when=asyncio.FIRST_COMPLETED)
                more.cancel()
        finally:
            over.cancel()
            unsubscribe()

    async def _accepted(self) -> bool:
        try:
            await self.connection.accept()
        except ConnectionOver:
            return False
        return True

    async def _take(self, step: Step) -> None:
        self._step = step
        try:
            async with asyncio.timeout(self.connection.timeout if step.limited else None):
                await step.take(self.connection)
        except TimeoutError:
            if not step.limited:
                raise
            raise ExpectationError(f"waited {seconds(self.connection.timeout)} for the client to read") from None
        except ConnectionOver as over:
            if over.awaited:
                raise ExpectationError(f"waited for a message, but {describe_close(over.code, over.reason)}") from None
        self._step = None

    def _with_conversation(self, error: BaseException) -> BaseException:
        shown = self.connection.conversation.show()
        if isinstance(error, ExpectationError):
            place = f"\n  in {self._step.place}" if self._step is not None else ""
            return ExpectationError(f"{error}{place}\n{shown}")
        error.add_note(f"The conversation so far:\n{shown}")
        return error

    async def _tell_client(self, reason: str) -> None:
        """Close with 1011, so that the client does not wait for more; refuse if the connection is not open yet."""
        reason = reason.encode()[:LONGEST_REASON].decode(errors="ignore")
        if self.connection.answered:
            await self.connection.close(1011, reason)
        elif not self.connection.over:
            await self.connection.refuse(500, body=reason)


def _waker(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> Callable[[], object]:
    return lambda: loop.call_soon_threadsafe(event.set)

"""The Streams standard, as far as a WebSocketStream needs it: a readable and a writable half, readers and writers.

Its law: `Outcome` alone knows how a stream ends; each half asks it. A half knows nothing of a connection, but only:

    the source  .pull()                more may come: the last message that had come was taken
                .cancel(reason)        nothing more is wanted
    the sink    .message(chunk)        return the message of a program's chunk; `TypeError` if it is not a message
                await .write(message)  send it, and wait until it has left; raise if it never will
                await .close()         send what was written, then close, and wait for the end
                await .abort(reason)   close, and wait for what is being sent
                .open                  whether messages can be sent
                .pending               messages that were written and have not left, as of the last `update`
                .update()              look which messages have left, then call `changed`
                .changed               None, or a function that the sink calls when any of these may have changed

https://streams.spec.whatwg.org/
"""

from .loop import without_traceback
from .waiters import MessageQueue, Promise
from .webidl import DOMException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, Protocol

    class Source(Protocol):
        """The underlying source of a readable half."""

        def pull(self) -> object: ...
        def cancel(self, reason: Any) -> object: ...

    class Sink(Protocol):
        """The underlying sink of a writable half."""

        changed: Callable[[], object] | None

        @property
        def open(self) -> bool: ...
        @property
        def pending(self) -> int: ...
        def update(self) -> object: ...
        def message(self, chunk: Any) -> Any: ...
        async def write(self, message: Any) -> None: ...
        async def close(self) -> None: ...
        async def abort(self, reason: Any) -> None: ...


class Outcome:
    """How a stream ends: both halves of it, and its promises, go by this."""

    over = False
    """Whether the connection is closed."""

    error: "BaseException | None" = None
    """Why the connection failed, or was given up."""
    closed = False
    """Whether the writable half was closed by `close()`."""
    aborted: "BaseException | None" = None
    """Why the writable half was aborted by `abort()`."""
    told = False
    """Whether `error` was raised in a task of the program."""

    def tell(self, error: BaseException) -> BaseException:
        """Return `error` to be raised in a task of the program, without the frames of other tasks."""
        if error is self.error:
            self.told = True
        return without_traceback(error)

    def write_error(self, is_open: bool) -> "BaseException | None":
        """Return why nothing can be written any more, or None; `is_open` is the `open` of the sink."""
        if self.aborted is not None:
            return self.aborted
        if self.error is None and not is_open:
            return DOMException("The connection is closing or closed.", "InvalidStateError")
        return self.error


class ReadResult:
    """The result of `read()`: `value`, a `str` or `bytes`, and `done`; after the last message, None and True."""

    def __init__(self, value: "str | bytes | None", done: bool) -> None:
        self.value = value
        self.done = done


class ReadableStream:
    """The messages of a stream, as far as the Streams standard is needed for them: readers, `cancel`, `async for`.

    There are no `tee`, `pipeTo` and `pipeThrough`, and no readers of bytes.
    https://streams.spec.whatwg.org/#rs-class
    """

    def __init__(self, messages: MessageQueue, source: "Source", outcome: Outcome) -> None:
        self._messages = messages
        self._source = source
        self._outcome = outcome
        self._reader: Reader | None = None
        self._closed = Promise(outcome.tell)

    @property
    def locked(self) -> bool:
        """Whether there is a reader, which alone may read."""
        return self._reader is not None

    def getReader(self) -> "Reader":
        """Return a reader, which alone may read until its `releaseLock()`; `TypeError` if there is one."""
        self._check_unlocked()
        self._reader = Reader(self)
        return self._reader

    async def cancel(self, reason: "Any" = None) -> None:
        """Begin the closing handshake, with code and reason of a `WebSocketError`; unread messages are lost."""
        self._check_unlocked()
        self._cancel(reason)

    def __aiter__(self) -> "ReadableStream":
        return self

    async def __anext__(self) -> "str | bytes":
        self._check_unlocked()
        message: str | bytes = await self._take()
        return message

    def _check_unlocked(self) -> None:
        if self._reader is not None:
            raise TypeError("a reader has this stream: read from that, or call its releaseLock()")

    async def _take(self) -> "Any":
        messages = self._messages
        message = None  # see `Waiters.acquire`
        try:
            message = await messages.take()
        except DOMException as error:
            raise self._outcome.tell(error) from None
        if not messages.items:
            self._source.pull()
            self._close_if_read()
        return message

    def _cancel(self, reason: "Any") -> None:
        if self._outcome.error is not None:
            raise self._outcome.tell(self._outcome.error)
        self._messages.items.clear()
        self._messages.end()
        self._close_if_read()
        self._source.cancel(reason)

    def _close_if_read(self) -> None:
        """Settle the promise `closed` if no message comes and none is left. Call it when either changes."""
        if self._messages.error is not None and not self._messages.items:
            _settle(self._closed, self._outcome.error)


class Reader:
    """Reads the messages of a stream. https://streams.spec.whatwg.org/#default-reader-class"""

    def __init__(self, readable: ReadableStream) -> None:
        self._readable: ReadableStream | None = readable
        self._closed = readable._closed

    @property
    def closed(self) -> "Awaitable[None]":
        """To be awaited: the end of the messages. Raises what `read` would."""
        return self._closed.wait()

    async def read(self) -> ReadResult:
        """Wait for the next message. Raises `WebSocketError` if the connection failed, `TypeError` once released."""
        try:
            return ReadResult(await self._locked_stream()._take(), False)
        except StopAsyncIteration:
            return ReadResult(None, True)

    async def cancel(self, reason: "Any" = None) -> None:
        """Do what `ReadableStream.cancel` does."""
        self._locked_stream()._cancel(reason)

    def releaseLock(self) -> None:
        """Let others read. A pending `read()` or `closed` of this reader raises `TypeError`."""
        readable, self._readable = self._readable, None
        if readable is not None:
            readable._reader = None
            readable._messages.waiters.reject_all(_released_error())
            readable._closed = self._closed.replace(_released_error())

    def _locked_stream(self) -> ReadableStream:
        if self._readable is None:
            raise _released_error()
        return self._readable


class WritableStream:
    """Takes messages to send, as far as the Streams standard is needed for that.

    https://streams.spec.whatwg.org/#ws-class
    """

    def __init__(self, sink: "Sink", outcome: Outcome) -> None:
        self._sink = sink
        self._outcome = outcome
        self._writer: Writer | None = None
        self._closed = Promise(outcome.tell)
        self._ready: Promise | None = None  # while a task waits for it

    @property
    def locked(self) -> bool:
        """Whether there is a writer, which alone may write."""
        return self._writer is not None

    def getWriter(self) -> "Writer":
        """Return a writer, which alone may write until its `releaseLock()`; `TypeError` if there is one."""
        self._check_unlocked()
        self._writer = Writer(self)
        return self._writer

    async def close(self) -> None:
        """Send what was written and an empty Close frame, and wait until the connection is closed."""
        self._check_unlocked()
        await self._close()

    async def abort(self, reason: "Any" = None) -> None:
        """Begin the closing handshake, with code and reason of a `WebSocketError`, and wait for what is being sent.

        A `write()` fails if its message is not being sent yet.
        """
        self._check_unlocked()
        await self._abort(reason)

    def _check_unlocked(self) -> None:
        if self._writer is not None:
            raise TypeError("a writer has this stream: write to that, or call its releaseLock()")

    def _error(self) -> "BaseException | None":
        """Return why nothing can be written any more; None if something can, or after a `close()` that did not fail."""
        return None if self._closed_by_program() else self._outcome.write_error(self._sink.open)

    def _closed_by_program(self) -> bool:
        return self._outcome.closed and self._outcome.error is None

    def _check_not_closed(self) -> None:
        if self._outcome.closed:
            raise TypeError("this stream was closed by close()")

    def _desired_size(self) -> int:
        """Return 1, less the messages that were written and have not left."""
        return 1 - self._sink.pending

    def _when_ready(self) -> "Awaitable[None]":
        ready = self._ready = self._ready or Promise(self._outcome.tell)
        self._sink.changed = self._settle_ready
        self._sink.update()
        return ready.wait()

    def _settle_ready(self) -> None:
        """Settle the promise `ready` when all that was written has left, or nothing more can be written."""
        error = self._error()
        if self._ready is not None and (self._closed_by_program() or error is not None or self._desired_size() > 0):
            _settle(self._ready, error)
            self._ready = self._sink.changed = None

    async def _close(self) -> None:
        self._check_not_closed()
        if self._outcome.write_error(self._sink.open) is not None:
            raise TypeError("this stream cannot be closed any more")
        self._outcome.closed = True
        self._sink.update()
        await self._sink.close()

    async def _abort(self, reason: "Any") -> None:
        outcome = self._outcome
        if outcome.write_error(self._sink.open) is None:
            aborted = DOMException("The stream was aborted.", "AbortError")
            outcome.aborted = reason if isinstance(reason, BaseException) else aborted
            self._closed.reject(outcome.aborted)
            await self._sink.abort(reason)

    def _end(self) -> None:
        """Settle the promise `closed`. Call it when the connection is closed, and the outcome is known."""
        _settle(self._closed, self._error())


class Writer:
    """Writes messages to a stream. https://streams.spec.whatwg.org/#default-writer-class"""

    def __init__(self, writable: WritableStream) -> None:
        self._writable: WritableStream | None = writable
        self._closed = writable._closed

    @property
    def closed(self) -> "Awaitable[None]":
        """To be awaited: the end of a `close()`. Raises "InvalidStateError" if it was closed otherwise."""
        return self._closed.wait()

    @property
    def desiredSize(self) -> int | None:
        """1, less the messages that were written and have not left; 0 after `close()`; None if none can be written."""
        writable = self._locked_stream()
        writable._sink.update()
        if writable._closed_by_program() and writable._outcome.over:
            return 0
        return None if writable._error() is not None else writable._desired_size()

    @property
    def ready(self) -> "Awaitable[None]":
        """To be awaited: that all that was written has left. Raises what `write` would."""
        return self._locked_stream()._when_ready()

    async def write(self, chunk: "Any") -> None:
        """Send a message, and wait until it has left: text for `str`, binary for any buffer, else `TypeError`.

        A task that is canceled while it waits has sent the message if its turn had come; messages that were
        written later go out after it.
        Raises `TypeError` after `close()`, "InvalidStateError" if the closing began otherwise, `WebSocketError` if the
        connection failed before it left, the reason of `abort`.
        """
        writable = self._locked_stream()
        message = writable._sink.message(chunk)
        writable._check_not_closed()
        await writable._sink.write(message)

    async def close(self) -> None:
        """Do what `WritableStream.close` does."""
        await self._locked_stream()._close()

    async def abort(self, reason: "Any" = None) -> None:
        """Do what `WritableStream.abort` does."""
        await self._locked_stream()._abort(reason)

    def releaseLock(self) -> None:
        """Let others write; written messages are still sent. A pending `ready` or `closed` raises `TypeError`."""
        writable, self._writable = self._writable, None
        if writable is not None:
            writable._writer = None
            if writable._ready is not None:
                writable._ready.reject(_released_error())
                writable._ready = writable._sink.changed = None
            writable._closed = self._closed.replace(_released_error())

    def _locked_stream(self) -> WritableStream:
        if self._writable is None:
            raise _released_error()
        return self._writable


def _settle(promise: Promise, error: "BaseException | None") -> None:
    if error is None:
        promise.resolve()
    else:
        promise.reject(error)


def _released_error() -> TypeError:
    return TypeError("this reader or writer was released: get another one")

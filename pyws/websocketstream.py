"""The WebSocketStream proposal: messages are awaited, and whoever is faster waits for the other.

Its law: nothing is received that nobody has room for, and who has sent a message waits until it has left: until the
network (on CPython the kernel, in a page the browser's network) has taken all of it.
https://github.com/ricea/websocketstream-explainer, https://github.com/whatwg/websockets/pull/48
"""

from . import javascript, loop
from .blob import Blob, buffer_bytes
from .dom import DOMException, Interface, adopt, members, scalar
from .websocket import StreamConnection, address_of, farewell, subprotocols

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Mapping
    from typing import Any

    from .dom import AbortSignal


class WebSocketError(DOMException):
    """The connection of a stream failed or was refused: `closeCode` and `reason` are the server's, if it said any.

    `WebSocketError("no more", closeCode=4000, reason="…")`, given to `cancel` or `abort`, is what the server is told.
    https://developer.mozilla.org/docs/Web/API/WebSocketError
    """

    def __init__(
        self,
        message: str = "",
        init: "Mapping[str, object] | None" = None,
        *,
        closeCode: int | None = None,
        reason: str = "",
    ) -> None:
        super().__init__(message, "WebSocketError")
        self._pyws_known = False  # whether anybody was told of it who waited for something
        given = members(init, {}, "closeCode", "reason")
        self._pyws_close_code, self._pyws_reason = farewell(
            given.get("closeCode", closeCode), given.get("reason", reason)
        )

    @property
    def closeCode(self) -> int | None:
        """The code of the Close frame, None if there is none.

        https://developer.mozilla.org/docs/Web/API/WebSocketError/closeCode
        """
        return self._pyws_close_code

    @property
    def reason(self) -> str:
        """The reason in the Close frame.

        https://developer.mozilla.org/docs/Web/API/WebSocketError/reason
        """
        return self._pyws_reason


def _failure(message: str, code: int | None = None, reason: str = "") -> WebSocketError:
    error = WebSocketError(message)
    error._pyws_close_code, error._pyws_reason = code, reason  # 1006 is none that a program may say
    return error


def _known(error: BaseException) -> BaseException:
    """Return an error that somebody is told of, without the frames of others who were; the program knows it now."""
    if isinstance(error, WebSocketError):
        error._pyws_known = True
    return error.with_traceback(None)


class Later:
    """A value or an error that is there once, for any number of those who await it: `get()` is awaited."""

    def __init__(self) -> None:
        self.settled = False
        self._value: Any = None
        self._error: BaseException | None = None
        self._waiting: list[Any] = []

    def get(self) -> "Awaitable[Any]":
        """Return something to await, once."""
        future = loop.future()
        loop.hush(future)
        if self.settled:
            self._tell(future)
        else:
            self._waiting = [other for other in self._waiting if not other.done()]  # who was canceled
            self._waiting.append(future)
        return future  # type: ignore[no-any-return] # a runtime's own

    def settle(self, value: object, error: BaseException | None = None) -> None:
        """Give the value, or raise the error: the first time counts."""
        if self.settled:
            return
        self.settled = True
        self._value, self._error = value, error
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                self._tell(future)

    def part(self, error: BaseException) -> "Later":
        """Raise `error` from now on, and for all who wait; what is returned goes on in its place."""
        other = Later()
        if self.settled:
            other.settle(self._value, self._error)
        self.settle(None, error)
        self._error = error
        return other

    def _tell(self, future: "Any") -> None:
        if self._error is None:
            future.set_result(self._value)
        else:
            future.set_exception(_known(self._error))


class WebSocketOpenInfo:
    """What `opened` gives: `readable`, `writable`, `extensions` and `protocol`."""

    def __init__(self, readable: "ReadableStream", writable: "WritableStream", extensions: str, protocol: str) -> None:
        self.readable = readable
        self.writable = writable
        self.extensions = extensions
        self.protocol = protocol


class WebSocketCloseInfo:
    """What `closed` gives: `closeCode` and `reason` of the server's Close frame; 1005 if it had none."""

    def __init__(self, closeCode: int, reason: str) -> None:
        self.closeCode = closeCode
        self.reason = reason

    def __repr__(self) -> str:
        return f"<WebSocketCloseInfo closeCode={self.closeCode} reason={self.reason!r}>"


class ReadResult:
    """What `read()` gives: `value`, a `str` or `bytes`; None and `done` after the last."""

    def __init__(self, value: "str | bytes | None", done: bool) -> None:
        self.value = value
        self.done = done


class ReadableStream:
    """The messages of a stream, as far as the Streams standard is needed for them: readers, `cancel`, `async for`.

    There are no `tee`, `pipeTo` and `pipeThrough`, and no readers of bytes.
    https://streams.spec.whatwg.org/#rs-class
    """

    def __init__(self, stream: "WebSocketStream") -> None:
        self._stream = stream
        self._reader: Reader | None = None
        self._over = Later()

    @property
    def locked(self) -> bool:
        """Whether a reader has it."""
        return self._reader is not None

    def getReader(self) -> "Reader":
        """Return a reader, which alone may read until its `releaseLock()`; `TypeError` if there is one."""
        self._check_unlocked()
        self._reader = Reader(self)
        return self._reader

    async def cancel(self, reason: "Any" = None) -> None:
        """Begin the closing handshake, with code and reason of a `WebSocketError`; what was not read is lost."""
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
        messages = self._stream._pyws_messages
        message = None
        try:
            message = await messages.take()
        except WebSocketError as error:
            raise _known(error) from None
        if not messages.items:
            self._stream._pyws_connection.pause(False)
            self._settle()
        return message

    def _cancel(self, reason: "Any") -> None:
        if self._stream._pyws_error is not None:
            raise _known(self._stream._pyws_error)
        self._stream._pyws_messages.items.clear()
        self._stream._pyws_messages.end()
        self._settle()
        self._stream._pyws_leave(reason)

    def _settle(self) -> None:
        # What is over is over when the last message is read.
        messages = self._stream._pyws_messages
        if messages.error is not None and not messages.items:
            self._over.settle(None, self._stream._pyws_error)


class Reader:
    """Reads the messages of a stream. https://streams.spec.whatwg.org/#default-reader-class"""

    def __init__(self, readable: ReadableStream) -> None:
        self._readable: ReadableStream | None = readable
        self._over = readable._over

    @property
    def closed(self) -> "Awaitable[None]":
        """To be awaited: the end of the messages. Raises what `read` would."""
        return self._over.get()

    async def read(self) -> ReadResult:
        """Wait for the next message. Raises `WebSocketError` if the connection failed, `TypeError` once released."""
        try:
            return ReadResult(await self._mine()._take(), False)
        except StopAsyncIteration:
            return ReadResult(None, True)

    async def cancel(self, reason: "Any" = None) -> None:
        """Do what `ReadableStream.cancel` does."""
        self._mine()._cancel(reason)

    def releaseLock(self) -> None:
        """Let others read; who waits for a `read()` or `closed` of this reader gets a `TypeError`."""
        readable, self._readable = self._readable, None
        if readable is not None:
            readable._reader = None
            readable._stream._pyws_messages.line.dismiss(_released())
            readable._over = self._over.part(_released())

    def _mine(self) -> ReadableStream:
        if self._readable is None:
            raise _released()
        return self._readable


class Sent:
    """A message that the connection was given: it leaves, or the connection ends before."""

    def __init__(self, position: int) -> None:
        self.position = position
        """Bytes that the connection had been given, this message included."""
        self.over = False
        self.error: BaseException | None = None
        self.ticket: Any = None
        """The future of who waits, if it did not leave at once."""

    def end(self, error: BaseException | None = None) -> None:
        """Say that it has left, or that because of `error` it never will."""
        self.over = True
        self.error = error
        if self.ticket is not None and not self.ticket.done():
            self.ticket.set_result(None)


class WritableStream:
    """Takes messages to send, as far as the Streams standard is needed for that.

    https://streams.spec.whatwg.org/#ws-class
    """

    def __init__(self, stream: "WebSocketStream") -> None:
        self._stream = stream
        self._writer: Writer | None = None
        self._over = Later()
        self._ready: Later | None = None  # while somebody waits for that
        self._closing = False
        self._reason: BaseException | None = None  # why it was aborted
        # What is written waits in line while the network takes nothing; then it is sent, and leaves.
        self._line = loop.Line(self._may_send)
        self._unsent = 0
        self._leaving: list[Sent] = []

    @property
    def locked(self) -> bool:
        """Whether a writer has it."""
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

        What was written and is not being sent yet fails.
        """
        self._check_unlocked()
        await self._abort(reason)

    def _check_unlocked(self) -> None:
        if self._writer is not None:
            raise TypeError("a writer has this stream: write to that, or call its releaseLock()")

    def _may_send(self) -> bool:
        connection = self._stream._pyws_connection
        return not connection.full or connection.state != 1

    def _refusal(self) -> "BaseException | None":
        """Why nothing can be written any more, if so."""
        error = self._reason or self._stream._pyws_error
        if error is not None:
            return error
        if self._stream._pyws_connection.state != 1:
            return DOMException("The connection is closing or closed.", "InvalidStateError")
        return None

    def _was_closed(self) -> bool:
        """Whether `close()` was called, and has not failed."""
        return self._closing and self._stream._pyws_error is None

    def _check_not_closed(self) -> None:
        if self._closing:
            raise TypeError("this stream was closed by close()")

    async def _write(self, message: "str | bytes") -> None:
        self._check_not_closed()
        sent: Any = None  # see `Line.turn`
        self._unsent += 1
        try:
            await self._line.turn()
            try:
                if self._stream._pyws_connection.send(message) != 1:
                    raise _known(self._refusal() or AssertionError())
                sent = self._sent()
            finally:
                self._line.done()
        finally:
            self._unsent -= 1
        await self._until_over(sent)
        if sent.error is not None:
            raise _known(sent.error)

    def _sent(self) -> Sent:
        sent = Sent(self._stream._pyws_connection.sent)
        self._leaving.append(sent)
        return sent

    async def _until_over(self, sent: Sent) -> None:
        """Wait until a message has left, or never will: one may wait for each."""
        await loop.next_turn()  # what is sent in one turn of the loop goes out together, at the end of it
        if not sent.over:
            self._look()
        if not sent.over:
            sent.ticket = loop.future()
            try:
                await sent.ticket
            finally:
                sent.ticket = None  # if who waits is canceled, it knows the exception, which knows this frame

    def _look(self) -> None:
        """Tell those who wait which messages have left, and whether the stream is ready."""
        if self._leaving:
            gone = self._stream._pyws_connection.gone
            number = 0
            for sent in self._leaving:
                if sent.position > gone:
                    break
                sent.end()
                number += 1
            del self._leaving[:number]
        if self._ready is not None:
            refusal = None if self._was_closed() else self._refusal()
            if self._was_closed() or refusal is not None or self._desired() > 0:
                self._ready.settle(None, refusal)
                self._ready = None

    def _until_ready(self) -> "Awaitable[None]":
        ready = self._ready = self._ready or Later()
        self._look()
        return ready.get()

    def _desired(self) -> int:
        """How many more messages would be too few: 1, less those that were written and have not left."""
        return 1 - self._unsent - len(self._leaving)

    def _drained(self) -> None:
        """Go on when the network may have taken more, or nothing more can be sent."""
        self._look()
        self._line.next()

    async def _close(self) -> None:
        self._check_not_closed()
        if self._refusal() is not None:
            raise TypeError("this stream cannot be closed any more")
        self._closing = True
        self._look()
        try:
            await self._line.turn()  # what waits to be sent goes first
        finally:
            self._stream.close()
        self._line.done()
        await self._stream.closed

    async def _abort(self, reason: "Any") -> None:
        if self._refusal() is None:
            aborted = DOMException("The stream was aborted.", "AbortError")
            self._reason = reason if isinstance(reason, BaseException) else aborted
            self._over.settle(None, self._reason)
            self._stream._pyws_leave(reason)
            await self._until_over(self._sent())  # all that was sent, and the Close frame is the next

    def _end(self) -> None:
        self._look()
        leaving, self._leaving = self._leaving, []
        error = self._stream._pyws_error or self._refusal()
        for sent in leaving:
            sent.end(error)
        self._over.settle(None, None if self._was_closed() else self._refusal())
        self._drained()


class Writer:
    """Writes messages to a stream. https://streams.spec.whatwg.org/#default-writer-class"""

    def __init__(self, writable: WritableStream) -> None:
        self._writable: WritableStream | None = writable
        self._over = writable._over

    @property
    def closed(self) -> "Awaitable[None]":
        """To be awaited: the end of a `close()`. Raises "InvalidStateError" if it was closed otherwise."""
        return self._over.get()

    @property
    def desiredSize(self) -> int | None:
        """1, less the messages that were written and have not left; 0 after `close()`; None if none can be written."""
        writable = self._mine()
        writable._look()
        if writable._was_closed():
            return 0 if writable._stream._pyws_connection.state == 3 else writable._desired()
        return None if writable._refusal() is not None else writable._desired()

    @property
    def ready(self) -> "Awaitable[None]":
        """To be awaited: that all that was written has left. Raises what `write` would."""
        return self._mine()._until_ready()

    async def write(self, chunk: "Any") -> None:
        """Send a message, and wait until it has left: text for `str`, binary for any buffer, else `TypeError`.

        Who is canceled while he waits has sent it if its turn had come; what was written later goes out after it.
        Raises `TypeError` after `close()`, "InvalidStateError" if the closing began otherwise, `WebSocketError` if the
        connection failed before it left, the reason of `abort`.
        """
        await self._mine()._write(_message(chunk))

    async def close(self) -> None:
        """Do what `WritableStream.close` does."""
        await self._mine()._close()

    async def abort(self, reason: "Any" = None) -> None:
        """Do what `WritableStream.abort` does."""
        await self._mine()._abort(reason)

    def releaseLock(self) -> None:
        """Let others write; what was written is still sent. Who waits for `ready` or `closed` gets a `TypeError`."""
        writable, self._writable = self._writable, None
        if writable is not None:
            writable._writer = None
            if writable._ready is not None:
                writable._ready.settle(None, _released())
                writable._ready = None
            writable._over = self._over.part(_released())

    def _mine(self) -> WritableStream:
        if self._writable is None:
            raise _released()
        return self._writable


def _released() -> TypeError:
    return TypeError("this reader or writer was released: get another one")


class WebSocketStream(metaclass=Interface):
    """A connection to a WebSocket server whose messages are awaited:

        async with WebSocketStream("wss://example.org/chat") as stream:
            await stream.send("Hello 🌍")
            async for message in stream:
                print(message)  # str or bytes

    It begins to connect at once. While nobody reads nothing more is received, so that the server's own sending waits;
    `send` waits until its message has left. `async with` waits for `opened`, and closes at its end; it raises there if
    the connection failed, unless something in it has raised already.

    `url` and `protocols` are those of `WebSocket`, but one subprotocol stands in a list, too; aborting `signal` gives
    up the opening handshake. Raises as `WebSocket` does. Options may be a dictionary, too.
    https://developer.mozilla.org/docs/Web/API/WebSocketStream
    """

    def __init__(
        self,
        url: "Any",
        options: "Mapping[str, object] | None" = None,
        *,
        protocols: "Iterable[str] | None" = None,
        signal: "AbortSignal | None" = None,
    ) -> None:
        given = members(options, {}, "protocols", "signal")
        protocols = given.get("protocols", protocols)
        signal = given.get("signal", signal)
        address = address_of(url)
        if isinstance(protocols, str):
            raise TypeError(f"protocols must be an iterable of str, such as [{protocols!r}]")
        names = subprotocols(protocols)
        if signal is not None:
            signal = adopt(signal)
        self._pyws_opening = Later()
        self._pyws_ending = Later()
        self._pyws_error: BaseException | None = None  # why it ended, if not by Close frames
        self._pyws_signal: AbortSignal | None = None  # while it may still abort
        self._pyws_messages = loop.Queue()
        self._pyws_readable = ReadableStream(self)
        self._pyws_writable = WritableStream(self)
        aborted = signal is not None and signal.aborted
        self._pyws_connection = connection = StreamConnection(address, names, self, aborted)
        connection.held = True
        connection.drained = self._pyws_writable._drained
        self._pyws_url = connection.url
        if signal is not None:
            if aborted:
                self._pyws_abort(signal.reason)
            else:
                self._pyws_signal = signal
                self._pyws_step = lambda: self._pyws_abort(signal.reason)
                signal.follow(self._pyws_step)

    @property
    def url(self) -> str:
        """The URL that it connects to, serialized, with the scheme "ws" or "wss".

        https://developer.mozilla.org/docs/Web/API/WebSocketStream/url
        """
        return self._pyws_url

    @property
    def opened(self) -> "Awaitable[WebSocketOpenInfo]":
        """To be awaited: a `WebSocketOpenInfo`. Raises `WebSocketError`, or the reason of an aborted signal.

        https://developer.mozilla.org/docs/Web/API/WebSocketStream/opened
        """
        return self._pyws_opening.get()

    @property
    def closed(self) -> "Awaitable[WebSocketCloseInfo]":
        """To be awaited: a `WebSocketCloseInfo`. Raises `WebSocketError` if the connection failed.

        The server's Close frame is seen only after the messages before it: who never reads never sees the end.
        https://developer.mozilla.org/docs/Web/API/WebSocketStream/closed
        """
        return self._pyws_ending.get()

    def close(
        self,
        closeInfo: "Mapping[str, object] | None" = None,
        *,
        closeCode: int | None = None,
        reason: str | None = None,
    ) -> None:
        """Begin the closing handshake; before `opened`, give up. What was received can be read still.

        `closeCode` and `reason` (a dictionary may hold them) are those of `WebSocket.close`, with its errors.
        https://developer.mozilla.org/docs/Web/API/WebSocketStream/close
        """
        given = members(closeInfo, {}, "closeCode", "reason")
        code, words = farewell(given.get("closeCode", closeCode), given.get("reason", reason))
        if self._pyws_connection.state < 2:
            self._pyws_connection.pause(False)
            self._pyws_connection.close(code, words)
            self._pyws_writable._drained()  # who waits to write need not wait any more

    # Python's way of saying it.

    async def send(self, data: "Any") -> None:
        """Send a message when it is open, and wait until it has left: text for `str`, binary for any buffer.

        In a page JavaScript's ArrayBuffer, typed arrays and DataView are buffers, too.

        Raises `TypeError` for other types, `InvalidStateError` after the closing began, `WebSocketError` if the
        connection failed before the message left.
        """
        message = _message(data)
        if not self._pyws_opening.settled:
            await self.opened
        await self._pyws_writable._write(message)

    def __aiter__(self) -> "WebSocketStream":
        return self

    async def __anext__(self) -> "str | bytes":
        self._pyws_readable._check_unlocked()
        message: str | bytes = await self._pyws_readable._take()
        return message

    async def __aenter__(self) -> "WebSocketStream":
        try:
            await self.opened
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        error = self._pyws_error
        known = kind is not None or (isinstance(error, WebSocketError) and error._pyws_known)
        self.close()
        try:
            await self.closed
        except WebSocketError:
            if not known:
                raise

    def __repr__(self) -> str:
        return f"<WebSocketStream url={self._pyws_url!r}>"

    def _pyws_leave(self, reason: "Any") -> None:
        if isinstance(reason, WebSocketError):
            self.close(closeCode=reason.closeCode, reason=reason.reason)
        else:
            self.close()

    # Feedback from the protocol, across the seam (see websocket.py).

    def _pyws_abort(self, reason: "Any") -> None:
        if not self._pyws_opening.settled:
            error = reason if isinstance(reason, BaseException) else DOMException(str(reason), "AbortError")
            self._pyws_error = error
            self._pyws_opening.settle(None, error)
            self._pyws_ending.settle(None, error)
            self._pyws_connection.close(None, "")

    def _pyws_unfollow(self) -> None:
        # A signal may live long: it need not know this stream any more.
        if self._pyws_signal is not None:
            self._pyws_signal.unfollow(self._pyws_step)
            self._pyws_signal = None

    def _pyws_opened(self, protocol: str, extensions: str) -> None:
        self._pyws_unfollow()
        self._pyws_opening.settle(WebSocketOpenInfo(self._pyws_readable, self._pyws_writable, extensions, protocol))

    def _pyws_received(self, data: "str | bytes", _: float) -> None:
        self._pyws_messages.put(data)
        if len(self._pyws_messages.items) > self._pyws_messages.waiting:
            self._pyws_connection.pause(True)

    def _pyws_closed(self, failed: bool, clean: bool, code: int, reason: str) -> None:
        self._pyws_unfollow()
        if clean and not failed:
            self._pyws_messages.end()
            self._pyws_ending.settle(WebSocketCloseInfo(code, reason))
        else:
            message = "The connection ended without a Close frame." if self._pyws_opening.settled else "No connection."
            self._pyws_error = self._pyws_error or _failure(message, code, reason)
            self._pyws_opening.settle(None, _failure(message))
            self._pyws_messages.items.clear()
            self._pyws_messages.end(self._pyws_error)
            self._pyws_ending.settle(None, self._pyws_error)
        self._pyws_readable._settle()
        self._pyws_writable._end()


def _message(data: "Any") -> "str | bytes":
    if isinstance(data, str):
        return scalar(data)
    if javascript.kind_of(data) == javascript.BUFFER:
        return javascript.bytes_of(data)
    if not javascript.name_of(data):
        try:
            return buffer_bytes(data)
        except TypeError:
            pass
    if isinstance(data, Blob):
        advice = "send await ….bytes()"
    else:
        advice = javascript.advice(data, "send await (await Blob.from_js(…)).bytes()")
    raise TypeError(f"a message is str, bytes or any buffer, not {javascript.describe(data)}: {advice}")

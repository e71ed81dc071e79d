"""The WebSocketStream proposal: messages are awaited, and the faster side waits for the slower one.

Its law: while no task takes messages, no more are received (a browser receives them all the same); a task that sends a
message waits until it has left, which means that the network (on CPython the kernel, in a page the browser) has taken
all of it.
https://github.com/ricea/websocketstream-explainer, https://github.com/whatwg/websockets/pull/48
"""

from . import loop
from .blob import Blob
from .buffersource import to_bytes
from .dom import as_signal
from .loop import Interface
from .streams import Outcome, ReadableStream, WritableStream
from .waiters import MessageQueue, Promise, Waiters
from .webidl import DOMException, dictionary, usv_string
from .websocket import StreamConnection, url_string, validate_close, validate_subprotocols

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from typing import Any

    from .dom import AbortSignal

MESSAGE_TYPES = "a message is str, bytes or any buffer"


class WebSocketError(DOMException):
    """The connection of a stream failed or was refused: `closeCode` and `reason` are those of the server, if any.

    `WebSocketError("no more", closeCode=4000, reason="…")`, given to `cancel` or `abort`, sets the code and the reason
    that the server gets.
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
        given = dictionary(init, {}, "closeCode", "reason")
        self._pyws_close_code, self._pyws_reason = validate_close(
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
    error._pyws_close_code, error._pyws_reason = code, reason  # not checked: a program may not give the code 1006
    return error


class WebSocketOpenInfo:
    """The value of `opened`: `readable`, `writable`, `extensions` and `protocol`."""

    def __init__(self, readable: "ReadableStream", writable: "WritableStream", extensions: str, protocol: str) -> None:
        self.readable = readable
        self.writable = writable
        self.extensions = extensions
        self.protocol = protocol


class WebSocketCloseInfo:
    """The value of `closed`: `closeCode` and `reason` of the server's Close frame; 1005 if it had no code."""

    def __init__(self, closeCode: int, reason: str) -> None:
        self.closeCode = closeCode
        self.reason = reason

    def __repr__(self) -> str:
        return f"<WebSocketCloseInfo closeCode={self.closeCode} reason={self.reason!r}>"


class MessageSource:
    """The underlying source of a stream: the connection pauses while messages wait to be taken."""

    def __init__(self, stream: "WebSocketStream") -> None:
        self._stream = stream

    def pull(self) -> None:
        """Let the connection receive more."""
        self._stream._pyws_connection.pause(False)

    def cancel(self, reason: "Any") -> None:
        """Begin the closing handshake, with code and reason of a `WebSocketError`."""
        self._stream._pyws_close_for(reason)


class Sent:
    """A message that the connection has taken: it leaves, or the connection ends before."""

    def __init__(self, position: int) -> None:
        self.position = position
        """Bytes that the connection has taken, this message included."""
        self.settled = False
        self.error: BaseException | None = None
        self.future: Any = None
        """The future of the task that waits, if the message did not leave at once."""

    def settle(self, error: BaseException | None = None) -> None:
        """Say that it has left, or that because of `error` it never will."""
        self.settled = True
        self.error = error
        if self.future is not None and not self.future.done():
            self.future.set_result(None)


class MessageSink:
    """The underlying sink of a stream: it sends while the network takes what is sent, and knows what has left.

    A message that is written waits for its turn, until the connection is not full; then it is sent, and leaves.
    """

    changed: "Callable[[], object] | None" = None

    def __init__(self, stream: "WebSocketStream") -> None:
        self._stream = stream
        self._outcome = stream._pyws_outcome
        self._waiters = Waiters(self._may_send)
        self._unsent = 0
        self._leaving: list[Sent] = []

    @property
    def open(self) -> bool:
        """Whether messages can be sent."""
        return self._stream._pyws_connection.state == 1

    @property
    def pending(self) -> int:
        """Messages that were written and have not left."""
        return self._unsent + len(self._leaving)

    def message(self, chunk: "Any") -> "str | bytes":
        """Return the message of a chunk, a `str` or a buffer; else `TypeError`."""
        if isinstance(chunk, str):
            return usv_string(chunk)
        if isinstance(chunk, Blob):
            raise TypeError(f"{MESSAGE_TYPES}, not Blob: send await ….bytes()")
        data: bytes = to_bytes(chunk, MESSAGE_TYPES, "send await (await Blob.from_js(…)).bytes()")
        return data

    async def write(self, message: "str | bytes") -> None:
        """Send a message, and wait until it has left; raise if it never will."""
        sent: Any = None  # see `Waiters.acquire`
        self._unsent += 1
        try:
            await self._waiters.acquire()
            try:
                if self._stream._pyws_connection.send(message) != 1:
                    raise self._outcome.tell(self._outcome.write_error(False) or AssertionError())
                sent = self._last_sent()
            finally:
                self._waiters.release()
        finally:
            self._unsent -= 1
        await self._wait(sent)
        if sent.error is not None:
            raise self._outcome.tell(sent.error)

    async def close(self) -> None:
        """Begin the closing handshake when the messages that were written are sent; wait for the end."""
        try:
            await self._waiters.acquire()
        finally:
            self._stream.close()
        self._waiters.release()
        await self._stream.closed

    async def abort(self, reason: "Any") -> None:
        """Begin the closing handshake, with code and reason of a `WebSocketError`; wait for what is being sent."""
        self._stream._pyws_close_for(reason)
        await self._wait(self._last_sent())  # the Close frame comes after all that was sent

    def update(self) -> None:
        """Tell the tasks whose messages have left, then call `changed`."""
        if self._leaving:
            gone = self._stream._pyws_connection.gone
            number = 0
            for sent in self._leaving:
                if sent.position > gone:
                    break
                sent.settle()
                number += 1
            del self._leaving[:number]
        if self.changed is not None:
            self.changed()

    def go_on(self) -> None:
        """Go on when the network may have taken more, or when nothing more can be sent."""
        self.update()
        self._waiters.wake_next()

    def end(self) -> None:
        """Say that what has not left never will. Call it when the connection is closed, then call `go_on`."""
        self.update()
        leaving, self._leaving = self._leaving, []
        error = self._outcome.error or self._outcome.write_error(False)
        for sent in leaving:
            sent.settle(error)

    def _may_send(self) -> bool:
        connection = self._stream._pyws_connection
        return not connection.full or connection.state != 1

    def _last_sent(self) -> Sent:
        sent = Sent(self._stream._pyws_connection.sent)
        self._leaving.append(sent)
        return sent

    async def _wait(self, sent: Sent) -> None:
        """Wait until a message has left, or never will. Only one task may wait for each."""
        await loop.next_turn()  # all messages of one turn of the loop go out together, at the end of it
        if not sent.settled:
            self.update()
        if not sent.settled:
            sent.future = loop.future()
            try:
                await sent.future
            finally:
                sent.future = None  # it may have an exception, which has this frame: else a reference cycle


class WebSocketStream(Interface):
    """A connection to a WebSocket server whose messages are awaited:

        async with WebSocketStream("wss://example.org/chat") as stream:
            await stream.send("Hello 🌍")
            async for message in stream:
                print(message)  # str or bytes

    It begins to connect at once. While no task reads, nothing more is received, so that the server has to wait; `send`
    waits until its message has left. `async with` waits for `opened`, and closes at its end; it raises there if the
    connection failed, unless something in it has raised already.

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
        given = dictionary(options, {}, "protocols", "signal")
        protocols = given.get("protocols", protocols)
        signal = given.get("signal", signal)
        address = url_string(url)
        if isinstance(protocols, str):
            raise TypeError(f"protocols must be an iterable of str, such as [{protocols!r}]")
        names = validate_subprotocols(protocols)
        if signal is not None:
            signal = as_signal(signal)
        self._pyws_outcome = outcome = Outcome()
        self._pyws_opened_promise = Promise(outcome.tell)
        self._pyws_closed_promise = Promise(outcome.tell)
        self._pyws_signal: AbortSignal | None = None  # while it may still abort
        self._pyws_messages = MessageQueue()
        self._pyws_sink = MessageSink(self)
        self._pyws_readable = ReadableStream(self._pyws_messages, MessageSource(self), outcome)
        self._pyws_writable = WritableStream(self._pyws_sink, outcome)
        aborted = signal is not None and signal.aborted
        self._pyws_connection = connection = StreamConnection(address, names, self, aborted)
        connection.held = True
        connection.drained = self._pyws_sink.go_on
        self._pyws_url = connection.url
        if signal is not None:
            if aborted:
                self._pyws_abort(signal.reason)
            else:
                self._pyws_signal = signal
                self._pyws_abort_algorithm = lambda: self._pyws_abort(signal.reason)
                signal.add_algorithm(self._pyws_abort_algorithm)

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
        return self._pyws_opened_promise.wait()

    @property
    def closed(self) -> "Awaitable[WebSocketCloseInfo]":
        """To be awaited: a `WebSocketCloseInfo`. Raises `WebSocketError` if the connection failed.

        The server's Close frame is seen only after the messages before it: read them all, or the end may never come.
        https://developer.mozilla.org/docs/Web/API/WebSocketStream/closed
        """
        return self._pyws_closed_promise.wait()

    def close(
        self,
        closeInfo: "Mapping[str, object] | None" = None,
        *,
        closeCode: int | None = None,
        reason: str | None = None,
    ) -> None:
        """Begin the closing handshake; before `opened`, give up. Messages that were received can still be read.

        `closeCode` and `reason` (a dictionary may hold them) are those of `WebSocket.close`, with its errors.
        https://developer.mozilla.org/docs/Web/API/WebSocketStream/close
        """
        given = dictionary(closeInfo, {}, "closeCode", "reason")
        code, words = validate_close(given.get("closeCode", closeCode), given.get("reason", reason))
        if self._pyws_connection.state < 2:
            self._pyws_connection.pause(False)
            self._pyws_connection.close(code, words)
            self._pyws_sink.go_on()  # a task that waits to send need not wait any more

    # Methods for Python programs, which the proposal does not have.

    async def send(self, data: "Any") -> None:
        """Send a message when it is open, and wait until it has left: text for `str`, binary for any buffer.

        In a page JavaScript's ArrayBuffer, typed arrays and DataView are buffers, too.

        Raises `TypeError` for other types, `InvalidStateError` after the closing began, `WebSocketError` if the
        connection failed before the message left.
        """
        message = self._pyws_sink.message(data)
        if not self._pyws_opened_promise.settled:
            await self.opened
        self._pyws_writable._check_not_closed()
        await self._pyws_sink.write(message)

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
        told = kind is not None or self._pyws_outcome.told
        self.close()
        try:
            await self.closed
        except WebSocketError:
            if not told:
                raise

    def __repr__(self) -> str:
        return f"<WebSocketStream url={self._pyws_url!r}>"

    def _pyws_close_for(self, reason: "Any") -> None:
        if isinstance(reason, WebSocketError):
            self.close(closeCode=reason.closeCode, reason=reason.reason)
        else:
            self.close()

    # Feedback from the protocol, across the seam (see websocket.py).

    def _pyws_abort(self, reason: "Any") -> None:
        """Give up, because the signal was aborted while `opened` is not settled: see `_pyws_leave_signal`."""
        error = reason if isinstance(reason, BaseException) else DOMException(str(reason), "AbortError")
        self._pyws_outcome.error = error
        self._pyws_opened_promise.reject(error)
        self._pyws_closed_promise.reject(error)
        self._pyws_connection.close(None, "")

    def _pyws_leave_signal(self) -> None:
        # A signal may live long: it need not refer to this stream any more.
        if self._pyws_signal is not None:
            self._pyws_signal.remove_algorithm(self._pyws_abort_algorithm)
            self._pyws_signal = None

    def _pyws_opened(self, protocol: str, extensions: str) -> None:
        self._pyws_leave_signal()
        self._pyws_opened_promise.resolve(
            WebSocketOpenInfo(self._pyws_readable, self._pyws_writable, extensions, protocol)
        )

    def _pyws_received(self, data: "str | bytes", _: float) -> None:
        self._pyws_messages.put(data)
        if len(self._pyws_messages.items) > len(self._pyws_messages.waiters):
            self._pyws_connection.pause(True)

    def _pyws_closed(self, failed: bool, clean: bool, code: int, reason: str) -> None:
        self._pyws_leave_signal()
        outcome = self._pyws_outcome
        outcome.over = True
        if clean and not failed:
            self._pyws_messages.end()
            self._pyws_closed_promise.resolve(WebSocketCloseInfo(code, reason))
        else:
            opened = self._pyws_opened_promise
            message = "The connection ended without a Close frame." if opened.settled else "No connection."
            outcome.error = outcome.error or _failure(message, code, reason)
            opened.reject(_failure(message))
            self._pyws_messages.items.clear()
            self._pyws_messages.end(outcome.error)
            self._pyws_closed_promise.reject(outcome.error)
        self._pyws_readable._close_if_read()
        self._pyws_sink.end()
        self._pyws_writable._end()
        self._pyws_sink.go_on()

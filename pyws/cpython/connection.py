"""The life of one connection on CPython, from connecting to its one ending.

Its laws: only this file writes `state`, and only `_end` writes CLOSED. One task lives as long as the connection. In
every case `_finish` is called when that task is done.
https://www.rfc-editor.org/rfc/rfc6455
"""

import asyncio
import contextlib
import logging
import weakref
from threading import get_ident

from websockets.client import ClientProtocol
from websockets.http11 import Response
from websockets.protocol import State

from .. import loop as runtime
from ..loop import LoopThread
from ..webidl import DOMException, usv_string
from .closing import TCP_CLOSE_TIMEOUT, Closing
from .handshake import FailedError, describe_loss
from .keepalive import Keepalive
from .opcodes import BINARY, TEXT
from .opening import Opening
from .receiver import Owner, Receiver
from .refusal import Refusal, describe
from .sender import Sender
from .url import parse
from .useragent import UserAgent

CONNECTING, OPEN, CLOSING, CLOSED = range(4)

logger = logging.getLogger("pyws")

# Raise glibc's M_MMAP_THRESHOLD by freeing one block of 4 MiB, which is never touched. Large messages then reuse the
# heap: else their memory goes back to the system after each one, and comes again page by page.
bytes(1 << 22)


class OwnerReference(weakref.ref[Owner]):
    """A weak reference that knows the connection: a bound method as its callback would take 56 bytes more."""

    __slots__ = ("connection",)

    connection: "Connection"

    @staticmethod
    def collected(reference: "weakref.ref[Owner]") -> None:
        """Close the connection, whose owner is garbage; this may run in any thread.

        https://websockets.spec.whatwg.org/#garbage-collection
        """
        assert isinstance(reference, OwnerReference)
        reference.connection.close_unreferenced()


class Connection(asyncio.Protocol):
    """One connection: the other side of the seam (see `websocket.py`)."""

    paused = False
    """Whether nothing is read for now: a stream's may be (see `streamconnection.py`)."""

    # A third of the memory that a dict of them takes.
    __slots__ = (
        "_address", "_agent", "_closing", "_core", "_failure", "_held", "_keepalive", "_loop_thread", "_opening",
        "_outcome", "_owner", "_protocols", "_receiver", "_sender", "_task", "_transport", "canceled", "is_ending",
        "refusal", "state", "url", "__weakref__",
    )  # fmt: skip

    def __init__(self, url: str, protocols: list[str], owner: Owner) -> None:
        self._loop_thread = LoopThread()
        self._agent = agent = UserAgent.current()
        self._address = parse(url, agent.base)
        if agent.forbids(self._address):
            raise DOMException(f"{self._address.href!r} is not secure, and the origin is: use wss://", "SecurityError")
        self._protocols = protocols
        self.url = self._address.href
        self.state = CONNECTING

        # The program's object is held only while it listens: otherwise it may be collected.
        self._owner = OwnerReference(owner, OwnerReference.collected)
        self._owner.connection = self
        self._held: Owner | None = None

        # While connecting there is an opening; from then on a transport, the library's core, and what uses them.
        self._opening: Opening | None = None
        self._transport: asyncio.Transport | None = None
        self._core: ClientProtocol
        self._closing: Closing
        self._sender: Sender
        self._receiver: Receiver | None = None
        self._keepalive: Keepalive | None = None

        self.is_ending = False
        """Whether the end has begun: nothing more is received, nor written of what the program sends."""
        self._failure: str | None = None
        self._outcome: tuple[bool, bool, int, str] | None = None  # until the owner was called
        self.refusal: Refusal | None = None
        """The server's answer if it has refused; for `ReconnectingWebSocket`."""
        self.canceled = False
        """Whether the program's tasks, and this one with them, were canceled."""

        self._task: asyncio.Task[None] | None = None
        self._task = self._loop_thread.loop.create_task(self._run())
        self._task.add_done_callback(self._finish)

    # The seam: calls down.

    def send(self, data: str | bytes) -> int:
        """Send a message as soon as control returns to the loop, if OPEN; the state."""
        if self.state != OPEN:
            return self.state
        if get_ident() != self._loop_thread.thread:
            self._loop_thread.ensure_current()
        sender = self._sender
        if not sender.flush_is_due:
            self._flush_soon()
        if isinstance(data, bytes):
            first, payload = BINARY, data
        else:
            try:
                first, payload = TEXT, data.encode()
            except UnicodeEncodeError:
                first, payload = TEXT, usv_string(data).encode()
        sender.queued += len(payload)
        sender.queue.append((first, payload))
        if self._agent.max_buffered is not None and sender.buffered > self._agent.max_buffered:
            self._loop_thread.loop.call_soon(self._overflow)
        return OPEN

    def close(self, code: int | None, reason: str) -> None:
        """Start the closing handshake, after what was sent; while connecting, give up."""
        self._loop_thread.ensure_current()
        if self._transport is None:
            if self._task is not None and self._opening is not None:  # and not on its way to the end already
                self._task.cancel()
        else:
            self._sender.close_frame = (code, reason)
            self._flush_soon()
        self.state = CLOSING

    def time_out(self, name: str, seconds: float) -> None:
        """Give up while connecting, because a limit of that name is over: the log says what took the time."""
        if self._opening is not None and self.state == CONNECTING:
            self._failure = self._opening.describe_timeout(name, seconds)
        self.close(None, "")

    @property
    def held(self) -> bool:
        """Whether the owner stays alive although nothing else may refer to it."""
        return self._held is not None

    @held.setter
    def held(self, value: bool) -> None:
        self._held = self._owner() if value else None

    @property
    def buffered(self) -> int:
        """Payload bytes that the network has not taken: see `Sender.buffered`."""
        return 0 if self._transport is None else self._sender.buffered

    # The life of a connection: one task. When it is done, `_finish` is the one ending.

    async def _run(self) -> None:
        """Live until TCP has ended."""
        try:
            # A loop may begin its tasks eagerly: nothing may happen inside the constructor.
            if self._task is None:  # pragma: no cover - with eager tasks, from Python 3.12 on
                await asyncio.sleep(0)
            if self.state == CLOSING:
                return
            await self._open()
            if self._transport is not None:
                await self._closing.wait_lost()
        except asyncio.CancelledError:
            self.canceled = True
            if self._transport is not None:
                # The program ends: https://html.spec.whatwg.org/multipage/document-lifecycle.html#unloading-documents
                self._go_away()
                if not self._closing.is_lost:
                    self._stop()
                    await self._closing.close_now()
            raise
        except GeneratorExit:
            self._end(False)
            raise

    async def _open(self) -> None:
        """Connect; an error is kept as the reason. An attempt that `close()` has ended did not fail."""
        agent = self._agent
        opening = self._opening = Opening(self._address, agent, self._protocols, self._begin)
        del self._protocols  # an idle connection would keep them
        try:
            async with asyncio.timeout(agent.opening_timeout) as limit:
                await opening.run()
        except asyncio.CancelledError:
            if self.state != CLOSING or self._transport is not None:  # it was open, and closes by a Close frame
                raise
        except Exception as error:
            if self._transport is not None:
                return  # the server has accepted in the very last moment
            if limit.expired():
                self._failure = opening.describe_timeout("opening_timeout", agent.opening_timeout)
            else:
                self._failure = str(error) if isinstance(error, FailedError) else describe(error)
        finally:
            self._opening = None
            # The attempt may have ended while the body came.
            if self._transport is None and opening.refusal is not None:
                self.refusal = opening.refusal
                self._failure = opening.describe_refusal()

    def _begin(self, transport: asyncio.Transport, core: ClientProtocol, response: Response, rest: bytes) -> None:
        """Take over from the opening handshake, with the bytes that have come behind it."""
        if self.state != CONNECTING:  # pragma: no cover - where a library below has lost the cancellation
            transport.abort()
            return
        is_calling = False  # whether the program is called
        try:
            self._sender = Sender(transport, core)
            self._closing = Closing(transport, self._sender)
            self._receiver = Receiver(self, core)
            self._transport, self._core = transport, core
            transport.set_protocol(self)
            self.state = OPEN
            agent = self._agent
            if agent.ping_interval is not None:
                self._keepalive = Keepalive(self, agent.ping_interval, agent.ping_timeout)
            extensions = ", ".join(response.headers.get_all("Sec-WebSocket-Extensions"))
            response.headers.clear()  # the library keeps them for as long as the connection lives
            if rest:  # kept first: a listener of `open` may raise
                self._receiver.keep(rest, 0)
            owner = self._owner()
            is_calling = owner is not None
            if owner is not None:
                owner._pyws_opened(core.subprotocol or "", extensions)
            is_calling = False
            self._go_on()
        except BaseException as error:
            if is_calling and isinstance(error, (KeyboardInterrupt, SystemExit)):
                self.interrupted(error)
            else:
                transport.abort()
                self._break(error)

    def _finish(self, _: object = None) -> None:
        """End it, when the task is done, and tell the owner.

        Listeners, and Ctrl-C between any two lines, may cut it short: then it goes on where it was.
        https://websockets.spec.whatwg.org/#dom-websocket-close, "when the WebSocket connection is closed"
        """
        try:
            runtime.complete(self._end)
        except BaseException as error:
            runtime.interrupt_or_report(error)

    def _end(self, is_told: bool = True) -> None:
        """Become CLOSED, and tell the owner, unless the loop was closed before: then no callback of it ever runs."""
        if self.state != CLOSED:
            self._outcome = self._conclude() if is_told else None
            self.state = CLOSED
        owner, self._held = self._owner(), None
        if self._outcome is not None:
            if owner is not None:
                owner._pyws_closed(*self._outcome)
            self._outcome = None

    def _conclude(self) -> tuple[bool, bool, int, str]:
        """Clear up, and say how it has ended: failed, clean, the server's code and reason."""
        assert self._task is not None
        if self._task.cancelled():
            self.canceled = True
        elif (error := self._task.exception()) is not None:
            self._failure = self._failure or describe(error)
        if self._transport is None:
            failed = self._failure is not None or not self.canceled
            self._log_end(failed)
            return failed, False, 1006, ""
        self._end_timers()
        if not self._closing.is_lost:  # the task was canceled twice
            self._transport.abort()
        sender = self._sender
        sender.drop_queue()
        sender.release()
        self._core.extensions = []
        failed = self._failure is not None
        close = self._core.close_rcvd
        clean = close is not None and not failed and self._core.close_sent is not None and not sender.has_lost
        if not clean:
            self._log_end(failed)
        self._receiver = None  # a reference cycle
        return (failed, False, 1006, "") if close is None else (failed, clean, int(close.code), close.reason)

    def _log_end(self, failed: bool) -> None:
        """Tell why the end is not clean: the one line of this connection."""
        level = logging.WARNING
        if self._failure is not None:
            reason = self._failure
        elif self.canceled:
            level, reason = logging.INFO, "the program's tasks were canceled"
        elif self._transport is None:
            reason = "the program closed it before it was open"
        else:
            is_within_message = self._receiver is not None and self._receiver.is_within_message
            reason = self._closing.describe_unclean(self._core, is_within_message, self._agent.closing_timeout)
        how = "failed" if failed else "did not end cleanly"
        logger.log(level, "WebSocket connection to %r %s: %s", self._address.public, how, reason)

    # The end of TCP: see `closing.py`.

    def _go_away(self) -> None:
        # https://websockets.spec.whatwg.org/#make-disappear
        if self._core.state is State.OPEN and not self.is_ending:
            self.flush(whole=True)
            if self._core.state is State.OPEN:
                self._core.send_close(1001)
                self._sender.write_core()
            self._sender.finish()
        if self.state == OPEN:
            self.state = CLOSING

    def _stop(self) -> None:
        """Begin the end: nothing more is received, and nothing more is taken from the program."""
        self.is_ending = True
        self._sender.stop()

    def _end_timers(self) -> None:
        self._closing.stop_timer()
        if self._keepalive is not None:
            self._keepalive.stop()

    def _break(self, error: BaseException) -> None:
        """End TCP after an exception between any two lines here, such as Ctrl-C: half of a step may be done."""
        self._failure = self._failure or f"it was cut short by {type(error).__name__}"
        if self._transport is not None:
            self._stop()
            self._closing.abort()
        runtime.interrupt_or_report(error)

    def close_unreferenced(self) -> None:
        """Close it, unless the end has begun: the program has dropped it. Call it in any thread."""

        def close() -> None:
            if self.state < CLOSING:
                self.close(None, "")

        with contextlib.suppress(RuntimeError):  # the loop is closed, and with it the connection
            self._loop_thread.loop.call_soon_threadsafe(close)

    # asyncio.Protocol: calls of the transport.

    def data_received(self, data: bytes) -> None:
        """Take what arrived: each message is dispatched at once, one after the other."""
        receiver, sender = self._receiver, self._sender
        if receiver is None:  # pragma: no cover - where a loop reads on after `abort()`
            return
        try:
            if self._keepalive is not None:
                self._keepalive.heard = True
            if sender.queue or sender.close_frame is not None:
                self.flush()
            sender.flush_is_due = True  # messages that listeners send are written together, below
            try:
                receiver.feed(data)
            finally:
                self.flush()
        except BaseException as error:
            self._break(error)

    def eof_received(self) -> None:
        """End TCP from our side too, after what is being written."""
        try:
            self._stop()
            self._sender.finish()
            self._closing.abort_after(self._agent.closing_timeout if self._core.close_rcvd else TCP_CLOSE_TIMEOUT)
        except BaseException as error:
            self._break(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """TCP has ended: by a reset if there is an exception."""
        try:
            self._end_timers()
            if exc is not None and self._core.close_rcvd is None and self._failure is None and not self.canceled:
                self._failure = describe_loss(exc)
            if exc is None and not self._closing.is_aborted:
                self._sender.confirm_all()
        finally:
            self._closing.lost()

    def pause_writing(self) -> None:
        """Learn from the transport that the network does not take all of it now."""
        self._sender.pause()

    def resume_writing(self) -> None:
        """Learn that the network has taken all."""
        self._sender.resume()

    # Calls of the receiver.

    @property
    def owner(self) -> Owner | None:
        """The object above the seam; None when the program has dropped it."""
        return self._owner()

    def answer(self) -> None:
        """Write the answer to a frame that the library has ready: a Pong."""
        self._sender.write_core()

    def close_received(self) -> None:
        """Answer the server's Close frame, which the library has read."""
        # The closing handshake started when the frame arrived. A message that a listener of the same read sent is
        # counted, and never sent; its `close()` comes too late. The library has the answer ready.
        self._stop()
        self.state = CLOSING
        self._sender.drop_queue()
        self._sender.close_frame = None
        self._sender.write_core()
        self._closing.close_after(TCP_CLOSE_TIMEOUT, self._agent.closing_timeout)

    def fail(self, code: int, reason: str) -> None:
        """Fail the connection, with this code in our Close frame (RFC 6455, 7.1.7)."""
        self.flush(whole=True)
        self._core.fail(code, reason[:100])
        self.failed(reason)

    def failed(self, reason: str) -> None:
        """Fail the connection: the library has its Close frame ready."""
        self._stop()
        self._failure = reason
        self._sender.write_queue()  # not written yet if it is the server's Close frame that breaks the protocol
        self._sender.write_core()
        self._closing.close()
        self._closing.abort_after(TCP_CLOSE_TIMEOUT)

    def interrupted(self, error: BaseException) -> None:
        """Let the program end by an exception of a listener; the messages that were kept are delivered after it."""
        runtime.interrupt(error)
        # uvloop ends its turn before it raises what ends a program: one turn later.
        self._loop_thread.loop.call_soon(self._loop_thread.loop.call_soon, self._go_on)

    def _go_on(self) -> None:
        """Receive what was kept, if it is enough, and unless the program has ended."""
        if self._receiver is not None and self._receiver.has_whole_frame:
            assert self._task is not None
            if not self._task.cancelling():
                self.data_received(b"")

    # Settings of the user agent: pings, and a limit of what may wait.

    def ping(self) -> bool:
        """Send a Ping, unless the end has begun; whether it was sent."""
        if self.state != OPEN or self.is_ending:
            return False
        self._core.send_ping(b"")
        self._sender.write_core()
        return True

    @property
    def progress(self) -> int:
        """A number that grows as the other side takes what was sent."""
        return self._sender.progress

    def expire(self, seconds: float) -> None:
        """Fail the connection, whose server has given no sign of life; a program that does not read sees none."""
        if self.state == OPEN and not self.is_ending:
            self.fail(1011, f"the server gave no sign of life within {seconds:g} seconds")

    def _overflow(self) -> None:
        if self.state == OPEN and not self.is_ending:
            self.fail(1011, f"more than max_buffered, {self._agent.max_buffered} bytes, wait for the network")

    # Writing: everything that one task sent is written together when it ends.

    def _flush_soon(self) -> None:
        sender = self._sender
        sender.flush_is_due = True
        if not sender.has_turn:
            sender.has_turn = True
            self._loop_thread.loop.call_soon(self._flush_in_turn)

    def _flush_in_turn(self) -> None:
        self._sender.has_turn = self._sender.is_cut = False
        self.flush()

    def flush(self, whole: bool = False) -> None:
        """Write what the program has sent so far; much that is compressed takes several turns, unless `whole`."""
        try:
            if self._sender.flush(whole):
                self._closing.abort_after(self._agent.closing_timeout)
            if self._sender.queue:
                self._flush_soon()
        except BaseException as error:
            self._break(error)

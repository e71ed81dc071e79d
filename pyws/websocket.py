"""The WebSockets standard: the interface, its events, and the seam to the protocol below.

Everything that can be decided without the network is decided here, once for all runtimes.
https://websockets.spec.whatwg.org/

The seam. Below it stands `Connection` (`browser/connection.py` in a page, `cpython/connection.py` elsewhere):

    down  Connection(url, protocols, owner) begins to connect; may raise DOMException SyntaxError or SecurityError
          StreamConnection(…, idle)         the same for a stream; if idle, connects to nothing and waits for its close
          .send(data) -> state              str: a text message, bytes: a binary message; taken only if OPEN.
                                            In a page also a Blob of JavaScript, or a copy of a JavaScript buffer
          .close(code, reason)              int | None, str: already valid
          .time_out(name, seconds)          give up while connecting: the owner's limit of that name is over
          .held                             whether the program still listens: else it may be collected as garbage
          .pause(bool)                      receive no more for now, or again; data that was read before still comes up
    read  .url  .state  .buffered           state is asked, never mirrored
          .full                             whether a stream should send no more for now
          .sent  .gone                      of a stream: payload bytes that `send` took; those of them that have left
          .drained                          of a stream: called when it is not full any more, or when more has left
          .refusal  .canceled               how the server refused: None, or its `status` and `retry_after` (seconds
                                            or None); whether the program's end has ended it: both known at the end
    up    owner._pyws_opened(protocol, extensions)
          owner._pyws_received(data, timestamp)  str | bytes, and a time stamp of loop.now()
          owner._pyws_closed(failed, clean, code, reason)

If a listener raises an exception that ends the program, such as SystemExit, these methods raise it when all listeners
were called. After "closed" that means: call it again, until it returns; each event is fired once.

Its laws: 1. Nothing comes up from inside a call down. 2. "Opened" comes at most once and before anything "received";
"closed" comes exactly once, and last. 3. When a call comes up, `state` already agrees. 4. After `close()` or a failure
nothing more is received.

The private names of classes that programs derive from begin with `_pyws_`, so that a subclass may have a `_url`, or
a `_received`, of its own.
"""

import sys

from . import loop
from .blob import Blob, blob_of
from .buffersource import size_of, to_bytes
from .dom import Event, EventTarget, event_handler
from .events import CloseEvent, MessageEvent
from .webidl import DOMException, dictionary, is_dictionary, to_integer, to_usv_string, usv_string

if sys.platform == "emscripten" or sys.platform == "brython" or sys.platform == "webassembly":
    from .browser.connection import Connection as Connection
    from .browser.connection import StreamConnection as StreamConnection
    from .browser.connection import UserAgent as UserAgent
else:
    from .cpython.connection import Connection as Connection
    from .cpython.streamconnection import StreamConnection as StreamConnection
    from .cpython.useragent import UserAgent as UserAgent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from typing import Any, Generic, Literal, Protocol, TypedDict, TypeVar, Unpack, overload

    from .dom import AbortSignal, Listener
    from .observable import Events, Observable

    E = TypeVar("E", bound=Event, contravariant=True)
    Seen = TypeVar("Seen", bound=Event)
    Loss = TypeVar("Loss", bound=Event)

    class EventsOf(Events, Generic[Seen]):
        """Events of one class."""

        async def __anext__(self) -> Seen: ...

    class ObservableOf(Observable, Generic[Seen]):
        """An observable of events of one class."""

        def first(self) -> Awaitable[Seen]: ...
        def __aiter__(self) -> EventsOf[Seen]: ...

    class ObservableOptions(TypedDict, total=False):
        """The options of `when`, as keywords."""

        capture: bool
        passive: bool | None

    class HandlesEvent(Protocol[E]):
        """An object that listens by its method `handleEvent`."""

        def handleEvent(self, event: E) -> object:
            """Called with each event."""

    Listens = Callable[[E], object] | HandlesEvent[E] | None

    class Reconnects(Protocol[Loss]):
        """A socket that has the event `reconnecting`, too: a `ReconnectingWebSocket`, which is known above only."""

        onreconnecting: Callable[[Loss], object] | None

    class ListenerOptions(TypedDict, total=False):
        """The options of `addEventListener`, as keywords."""

        capture: bool
        once: bool
        passive: bool | None
        signal: AbortSignal | None


_new = object.__new__

# https://www.rfc-editor.org/rfc/rfc9110#name-tokens
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


class WebSocket(EventTarget):
    """A connection to a WebSocket server, as the W3C and MDN document it.

        ws = WebSocket("wss://example.org/echo")
        ws.onopen = lambda event: ws.send("Hello")
        ws.onmessage = lambda event: ws.close(1000, event.data)
        ws.onclose = lambda event: print(event.code, event.reason)

    It begins to connect at once and returns; events report the rest, never from inside a call:

    open      connected: now `send()` may be called.
    message   a message came: `event.data` is `str`, or for binary what `binaryType` says.
    error     the connection failed; no event says why. `close` follows at once.
    close     the end, exactly once and last: `event.code`, `event.reason`, `event.wasClean`.

    Listen by `ws.onopen = ...` and its like, or by `ws.addEventListener("open", ...)`. A listener is a function of one
    argument, the event; it may be `async def`. Its exceptions go to `sys.excepthook`.

    `url` is a `str` (or has a `str` attribute `href`), relative to the page where there is one. `protocols` is a
    subprotocol or an iterable of them, or a dictionary that has either as its member "protocols" and whose other
    members are ignored; the server must choose one. Raises `DOMException` "SyntaxError" for a URL or a subprotocol that
    cannot be, "SecurityError" for one that is not allowed (an insecure one where only secure ones may be, or without a
    permission of Deno), `TypeError` for other types. On CPython it needs a running event loop, else `RuntimeError`: see
    `asyncio.run`, `python -m pyws run`. There, headers, cookies, certificates and proxies are settings of the
    `UserAgent`; in a page the browser decides.
    https://websockets.spec.whatwg.org/#dom-websocket-websocket
    """

    CONNECTING = 0
    OPEN = 1
    CLOSING = 2
    CLOSED = 3

    onopen: "Callable[[Event], object] | None" = event_handler(
        "open", "https://websockets.spec.whatwg.org/#handler-websocket-onopen"
    )
    onmessage: "Callable[[MessageEvent], object] | None" = event_handler(
        "message", "https://websockets.spec.whatwg.org/#handler-websocket-onmessage"
    )
    onerror: "Callable[[Event], object] | None" = event_handler(
        "error", "https://websockets.spec.whatwg.org/#handler-websocket-onerror"
    )
    onclose: "Callable[[CloseEvent], object] | None" = event_handler(
        "close", "https://websockets.spec.whatwg.org/#handler-websocket-onclose"
    )

    if TYPE_CHECKING:

        @overload
        def addEventListener(
            self,
            type: Literal["message"],
            callback: Listens[MessageEvent],
            options: bool | Mapping[str, object] | None = None,
            **keywords: Unpack[ListenerOptions],
        ) -> None: ...
        @overload
        def addEventListener(
            self,
            type: Literal["close"],
            callback: Listens[CloseEvent],
            options: bool | Mapping[str, object] | None = None,
            **keywords: Unpack[ListenerOptions],
        ) -> None: ...
        @overload
        def addEventListener(
            self: Reconnects[Loss],
            type: Literal["reconnecting"],
            callback: Listens[Loss],
            options: bool | Mapping[str, object] | None = None,
            **keywords: Unpack[ListenerOptions],
        ) -> None: ...
        @overload
        def addEventListener(
            self,
            type: str,
            callback: Listens[Event],
            options: bool | Mapping[str, object] | None = None,
            **keywords: Unpack[ListenerOptions],
        ) -> None: ...
        def addEventListener(self, *arguments: Any, **keywords: Any) -> None:
            """See `EventTarget.addEventListener`; an editor knows the event by its type."""

        @overload
        def when(
            self,
            type: Literal["message"],
            options: Mapping[str, object] | None = None,
            **keywords: Unpack[ObservableOptions],
        ) -> ObservableOf[MessageEvent]: ...
        @overload
        def when(
            self,
            type: Literal["close"],
            options: Mapping[str, object] | None = None,
            **keywords: Unpack[ObservableOptions],
        ) -> ObservableOf[CloseEvent]: ...
        @overload
        def when(
            self: Reconnects[Loss],
            type: Literal["reconnecting"],
            options: Mapping[str, object] | None = None,
            **keywords: Unpack[ObservableOptions],
        ) -> ObservableOf[Loss]: ...
        @overload
        def when(
            self,
            type: str,
            options: Mapping[str, object] | None = None,
            **keywords: Unpack[ObservableOptions],
        ) -> ObservableOf[Event]: ...
        def when(self, *arguments: Any, **keywords: Any) -> Any:
            """See `EventTarget.when`; an editor knows the event by its type."""

    def __init__(self, url: "Any", protocols: "str | Iterable[str] | Mapping[str, object] | None" = None) -> None:
        address = url_string(url)
        names = validate_subprotocols(protocols_of(protocols))
        self._pyws_begin(Connection(address, names, self))

    def _pyws_begin(self, connection: "Connection | Any") -> None:
        super().__init__()
        self._pyws_binary_type = "blob"
        self._pyws_protocol = self._pyws_extensions = ""
        self._pyws_unsent = 0
        self._pyws_connection: Connection = connection
        self._pyws_origin = origin_of(connection.url)

    @property
    def url(self) -> str:
        """The URL that it connects to, serialized, with the scheme "ws" or "wss".

        https://websockets.spec.whatwg.org/#dom-websocket-url
        """
        return self._pyws_connection.url

    @property
    def readyState(self) -> int:
        """CONNECTING (0), OPEN (1), CLOSING (2) or CLOSED (3).

        https://websockets.spec.whatwg.org/#dom-websocket-readystate
        """
        return self._pyws_connection.state

    @property
    def bufferedAmount(self) -> int:
        """The bytes of messages given to `send()` that the network has not taken; stays as it is within a task.

        The bytes of a message that is sent after the closing began are added and never leave.
        https://websockets.spec.whatwg.org/#dom-websocket-bufferedamount
        """
        return self._pyws_connection.buffered + self._pyws_unsent

    @property
    def extensions(self) -> str:
        """The extensions that the server chose; "" before `open`.

        https://websockets.spec.whatwg.org/#dom-websocket-extensions
        """
        return self._pyws_extensions

    @property
    def protocol(self) -> str:
        """The subprotocol that the server chose; "" before `open`.

        https://websockets.spec.whatwg.org/#dom-websocket-protocol
        """
        return self._pyws_protocol

    @property
    def binaryType(self) -> str:
        """The type of binary messages: "blob" (a `Blob`, the default) or "arraybuffer" (`bytes`).

        Any other value is ignored.
        https://websockets.spec.whatwg.org/#dom-websocket-binarytype
        """
        return self._pyws_binary_type

    @binaryType.setter
    def binaryType(self, value: str) -> None:
        if isinstance(value, str) and value in ("blob", "arraybuffer"):
            self._pyws_binary_type = value

    def send(self, data: "Any") -> None:
        """Send a message: text for `str`, binary for a `Blob` or anything with the buffer protocol.

        In a page it takes JavaScript's own data, too: Blob, File, ArrayBuffer, typed arrays and DataView.
        The data is taken at once. Raises `InvalidStateError` while CONNECTING, `TypeError` for other types. Once
        the closing began nothing is sent, and `bufferedAmount` grows. In another thread than the event loop's use
        `loop.call_soon_threadsafe(ws.send, data)`: there the call itself raises `RuntimeError`.
        https://websockets.spec.whatwg.org/#dom-websocket-send
        """
        kind = type(data)
        if kind is not str and kind is not bytes:  # Deviation: SND-05, everywhere
            if isinstance(data, str):
                data = usv_string(data)
            elif isinstance(data, Blob):
                data = data._pyws_data
            else:
                data = to_bytes(data, "send() takes str, bytes, any buffer or Blob", copy=loop.js_copy)
        state = self._pyws_connection.send(data)
        if state != 1:
            if state == 0:
                raise DOMException("Still connecting: send after the open event.", "InvalidStateError")
            self._pyws_unsent += len(usv_string(data).encode()) if isinstance(data, str) else size_of(data)

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Begin the closing handshake; while CONNECTING, give up. The `close` event follows later.

        `code` is 1000 or 3000 to 4999 (1000 if there is only a reason), else `InvalidAccessError`; `reason` is at
        most 123 bytes of UTF-8, else "SyntaxError". Without both the Close frame is empty.
        https://websockets.spec.whatwg.org/#dom-websocket-close
        """
        code, words = validate_close(code, reason)
        if self._pyws_connection.state < 2:
            self._pyws_connection.close(code, words)
            self._pyws_listeners_changed()

    def __setattr__(self, name: str, value: object) -> None:
        own = type(self)
        if name[:2] == "on" and not hasattr(own, name):
            handlers = [
                other for other in sorted(dir(own)) if other[:2] == "on" and isinstance(getattr(own, other), property)
            ]
            raise AttributeError(
                f"{own.__name__} has no {name!r}: its event handlers are {', '.join(handlers)}; "
                "for other events use addEventListener, for data of your own declare it in your class"
            )
        if name.isupper() and hasattr(WebSocket, name):
            raise AttributeError(f"WebSocket.{name} is a constant and cannot be changed")
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} url={self.url!r} readyState={self.readyState}>"

    # https://websockets.spec.whatwg.org/#feedback-from-the-protocol

    _pyws_failed = False
    _pyws_message_listener: "Listener | None" = None  # the only one for messages, if it is a function without options

    def _pyws_opened(self, protocol: str, extensions: str) -> None:
        self._pyws_protocol = protocol
        self._pyws_extensions = extensions
        self._pyws_listeners_changed()
        self._pyws_fire(Event("open"))

    def _pyws_received(self, data: "str | bytes", timestamp: float) -> None:
        # The one event that comes by the million: made and dispatched without a call that can be spared.
        event: MessageEvent = _new(MessageEvent)
        event._pyws_time_stamp = timestamp
        event._pyws_origin = self._pyws_origin
        as_is = isinstance(data, str) or self._pyws_binary_type != "blob"
        event._pyws_data = data if as_is else blob_of(data)  # type: ignore[arg-type] # it is `bytes`
        listener = self._pyws_message_listener
        if listener is None:
            self._pyws_dispatch(event)
            return
        # The same as in `_pyws_dispatch`, for one listener.
        event._pyws_target = event._pyws_current_target = self
        try:
            result = listener.callback(event)
            if result is not None:
                listener.process_return_value(event, result)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            loop.report(error)
        finally:
            event._pyws_current_target = None
            if event._pyws_stopped:
                event._pyws_stopped = event._pyws_stopped_immediately = False

    def _pyws_closed(self, failed: bool, clean: bool, code: int, reason: str) -> None:
        # A listener may raise an exception that ends the program: then the caller calls again, and the next call goes
        # on where this one was left.
        if failed and not self._pyws_failed:
            self._pyws_failed = True
            self._pyws_fire(Event("error"))
        if not self._pyws_ended:
            event = CloseEvent("close")
            event._pyws_was_clean = clean
            event._pyws_code = code
            event._pyws_reason = reason
            self._pyws_ended = True  # so that a wait that begins in a listener of this event ends at once
            self._pyws_fire(event)
        self._pyws_end()

    # https://websockets.spec.whatwg.org/#garbage-collection

    _pyws_WAITED_FOR = (
        ("open", "message", "error", "close"),
        ("message", "error", "close"),
        ("error", "close"),
        (),
    )

    def _pyws_listeners_changed(self) -> None:
        listeners = self._pyws_listeners.get("message", ())
        plain = len(listeners) == 1 and not listeners[0].special and callable(listeners[0].callback)
        self._pyws_message_listener = listeners[0] if plain else None
        waited_for = self._pyws_WAITED_FOR[self._pyws_connection.state]
        self._pyws_connection.held = any(self._pyws_listeners.get(type) for type in waited_for)


def url_string(url: "Any") -> str:
    """Return a constructor's `url`, a `str` or an object with a `str` attribute `href`, as a scalar value string."""
    if not isinstance(url, str):
        href = getattr(url, "href", None)
        if not isinstance(href, str):
            raise TypeError(f"url must be str, or an object with a str attribute href, not {type(url).__name__}")
        url = href
    return usv_string(url)


def protocols_of(argument: "Any") -> "Any":
    """Return what a constructor's second argument gives as subprotocols: itself, or a member if it is a dictionary.

    https://github.com/whatwg/websockets/pull/76
    """
    return dictionary(argument, {}, "protocols").get("protocols") if is_dictionary(argument) else argument


def protocol_list(protocols: "Any") -> "list[str]":
    """Return subprotocols, one or several, as a list of `str`."""
    if loop.is_null(protocols):
        return []
    if isinstance(protocols, str):
        return [usv_string(protocols)]
    if (
        isinstance(protocols, (bytes, bytearray, memoryview))
        or is_dictionary(protocols)
        or not loop.has_method(protocols, "__iter__")
    ):
        raise TypeError(f"protocols must be str or an iterable of str, not {type(protocols).__name__}")
    names = list(protocols)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"protocols must be str, not {type(name).__name__}")
    return [usv_string(name) for name in names]


def validate_subprotocols(protocols: "Any") -> "list[str]":
    """Return subprotocols as a list; "SyntaxError" for what can name none."""
    names = protocol_list(protocols)
    for name in names:
        if not name or not _TOKEN.issuperset(name):
            raise DOMException(f"{name!r} is not a subprotocol: it must be a token of HTTP", "SyntaxError")
    if len(set(names)) < len(names):
        raise DOMException(f"each subprotocol may be named once: {', '.join(names)}", "SyntaxError")
    return names


def validate_close(code: "Any", reason: "Any") -> "tuple[int | None, str]":
    """Return what a Close frame will have, if a program may say that.

    https://websockets.spec.whatwg.org/#validate-close-code-and-reason
    """
    if code is not None:
        code = to_integer(code, "code")
    words = "" if reason is None else to_usv_string(reason, "reason")
    if code is not None and code != 1000 and not 3000 <= code <= 4999:
        raise DOMException(f"code must be 1000 or from 3000 to 4999, not {code}", "InvalidAccessError")
    if words:
        size = len(words.encode())
        if size > 123:
            raise DOMException(f"reason must be at most 123 bytes of UTF-8, not {size}", "SyntaxError")
        if code is None:
            code = 1000
    return code, words


def origin_of(url: str) -> str:
    """Return the origin of a URL that is serialized, such as "wss://example.org"."""
    # https://url.spec.whatwg.org/#concept-url-origin, of a URL that is serialized: it has a path, perhaps credentials
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}"

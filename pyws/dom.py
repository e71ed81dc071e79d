"""The DOM standard's events, event handlers and aborting, as far as a WebSocket needs them.

Its law: only the standard's own steps change state; an exception in a listener is reported and stops nothing.
https://dom.spec.whatwg.org/
"""

from . import loop
from .loop import Interface
from .observable import Observable
from .webidl import DOMException, dictionary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from .observable import Subscription


class Event(Interface):
    """Something that happened: `Event("tick", bubbles=True)` or `Event("tick", {"bubbles": True})`.

    https://dom.spec.whatwg.org/#interface-event
    """

    NONE = 0
    CAPTURING_PHASE = 1
    AT_TARGET = 2
    BUBBLING_PHASE = 3

    _pyws_MEMBERS: "tuple[str, ...]" = ("bubbles", "cancelable", "composed")

    # The values that most events share are attributes of the class: a new event stores only values that differ.
    _pyws_bubbles = _pyws_cancelable = _pyws_composed = False
    _pyws_trusted = True  # until `__init__` has made it
    _pyws_target: "EventTarget | None" = None
    _pyws_current_target: "EventTarget | None" = None
    _pyws_stopped = _pyws_stopped_immediately = _pyws_canceled = _pyws_in_passive = False

    def __init__(self, type: str, eventInitDict: "Mapping[str, object] | None" = None, **keywords: "Any") -> None:
        if not isinstance(type, str):
            raise TypeError(f"type must be str, not {type.__class__.__name__}")
        self._pyws_type = type
        self._pyws_trusted = False
        self._pyws_time_stamp: float = loop.now()
        if eventInitDict is not None or keywords:
            self._pyws_initialize(dictionary(eventInitDict, keywords, *self._pyws_MEMBERS))

    def _pyws_initialize(self, init: "dict[str, Any]") -> None:
        self._pyws_bubbles = bool(init.get("bubbles"))
        self._pyws_cancelable = bool(init.get("cancelable"))
        self._pyws_composed = bool(init.get("composed"))

    @property
    def type(self) -> str:
        """The name of the event, such as "message".

        https://dom.spec.whatwg.org/#dom-event-type
        """
        return self._pyws_type

    @property
    def target(self) -> "EventTarget | None":
        """The object that the event is, or was last, dispatched to.

        https://dom.spec.whatwg.org/#dom-event-target
        """
        return self._pyws_target

    @property
    def srcElement(self) -> "EventTarget | None":
        """The old name of `target`.

        https://dom.spec.whatwg.org/#dom-event-srcelement
        """
        return self._pyws_target

    @property
    def currentTarget(self) -> "EventTarget | None":
        """The object whose listeners run now; None when none does.

        https://dom.spec.whatwg.org/#dom-event-currenttarget
        """
        return self._pyws_current_target

    @property
    def eventPhase(self) -> int:
        """AT_TARGET (2) while listeners run, else NONE (0).

        https://dom.spec.whatwg.org/#dom-event-eventphase
        """
        return 2 if self._pyws_current_target is not None else 0

    @property
    def bubbles(self) -> bool:
        """Whether it was made with `bubbles`.

        https://dom.spec.whatwg.org/#dom-event-bubbles
        """
        return self._pyws_bubbles

    @property
    def cancelable(self) -> bool:
        """Whether `preventDefault()` has an effect.

        https://dom.spec.whatwg.org/#dom-event-cancelable
        """
        return self._pyws_cancelable

    @property
    def composed(self) -> bool:
        """Whether it was made with `composed`.

        https://dom.spec.whatwg.org/#dom-event-composed
        """
        return self._pyws_composed

    @property
    def defaultPrevented(self) -> bool:
        """Whether `preventDefault()` was called to effect.

        https://dom.spec.whatwg.org/#dom-event-defaultprevented
        """
        return self._pyws_canceled

    @property
    def isTrusted(self) -> bool:
        """True for what the network did, False for what a program dispatched.

        https://dom.spec.whatwg.org/#dom-event-istrusted
        """
        return self._pyws_trusted

    @property
    def timeStamp(self) -> float:
        """When it was made: milliseconds of a monotonic clock.

        https://dom.spec.whatwg.org/#dom-event-timestamp
        """
        return loop.to_milliseconds(self._pyws_time_stamp)

    @property
    def cancelBubble(self) -> bool:
        """The old way to say `stopPropagation()`: True can be set, and never taken back.

        https://dom.spec.whatwg.org/#dom-event-cancelbubble
        """
        return self._pyws_stopped

    @cancelBubble.setter
    def cancelBubble(self, value: object) -> None:
        if value:
            self._pyws_stopped = True

    @property
    def returnValue(self) -> bool:
        """The old way to say `preventDefault()`: set it False.

        https://dom.spec.whatwg.org/#dom-event-returnvalue
        """
        return not self._pyws_canceled

    @returnValue.setter
    def returnValue(self, value: object) -> None:
        if not value:
            self.preventDefault()

    def composedPath(self) -> "list[EventTarget]":
        """Return the objects whose listeners will run: the target, while it is dispatched.

        https://dom.spec.whatwg.org/#dom-event-composedpath
        """
        return [] if self._pyws_current_target is None else [self._pyws_current_target]

    def stopPropagation(self) -> None:
        """Let no further phase begin: called in a capturing listener, the others do not run.

        https://dom.spec.whatwg.org/#dom-event-stoppropagation
        """
        self._pyws_stopped = True

    def stopImmediatePropagation(self) -> None:
        """Let no further listener run.

        https://dom.spec.whatwg.org/#dom-event-stopimmediatepropagation
        """
        self._pyws_stopped = self._pyws_stopped_immediately = True

    def preventDefault(self) -> None:
        """Cancel the event, if it is cancelable and the listener is not passive.

        https://dom.spec.whatwg.org/#dom-event-preventdefault
        """
        if self._pyws_cancelable and not self._pyws_in_passive:
            self._pyws_canceled = True

    def initEvent(self, type: str, bubbles: object = False, cancelable: object = False) -> None:
        """Initialize again (legacy): without effect while it is dispatched.

        https://dom.spec.whatwg.org/#dom-event-initevent
        """
        if not isinstance(type, str):
            raise TypeError(f"type must be str, not {type.__class__.__name__}")
        if self._pyws_current_target is not None:
            return
        self._pyws_stopped = self._pyws_stopped_immediately = self._pyws_canceled = self._pyws_trusted = False
        self._pyws_target = None
        self._pyws_type = type
        self._pyws_bubbles = bool(bubbles)
        self._pyws_cancelable = bool(cancelable)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._pyws_SHOWN)
        return f"<{type(self).__name__} {self._pyws_type!r}{' ' if shown else ''}{shown}>"

    _pyws_SHOWN: "tuple[str, ...]" = ()


class Listener:
    """One registration: a callback, its type and its options.

    https://dom.spec.whatwg.org/#concept-event-listener
    """

    __slots__ = ("callback", "capture", "handler", "once", "passive", "removed", "special")

    def __init__(self, callback: "Any", capture: bool, once: bool, passive: bool, handler: bool) -> None:
        self.callback = callback
        self.capture = capture
        self.once = once
        self.passive = passive
        self.special = capture or once or passive
        self.handler = handler
        self.removed = False

    def matches(self, callback: object, capture: bool) -> bool:
        """Tell whether this is the registration of `callback` for that phase."""
        if self.handler or self.capture != capture:
            return False
        return self.callback is callback or loop.is_same_method(self.callback, callback)

    def call(self, event: Event) -> object:
        """Call the method `handleEvent` of a callback that is not a function; for an event handler, do nothing."""
        if self.handler:
            return None
        handle = getattr(self.callback, "handleEvent", None)
        if not callable(handle):
            raise TypeError(f"the listener {self.callback!r} is not callable and has no method handleEvent")
        return handle(event)

    def process_return_value(self, event: Event, result: "Any") -> None:
        """Start the coroutine of an `async def`; cancel the event if an event handler returned False.

        https://html.spec.whatwg.org/multipage/webappapis.html#the-event-handler-processing-algorithm
        """
        if loop.is_awaitable(result):
            loop.start(result)
        elif result is False and self.handler:
            event.preventDefault()


class EventTarget(Interface):
    """An object that listeners can be added to, and events dispatched to: a `WebSocket`, or a class of your own.

        class Clock(EventTarget):
            def tick(self):
                self.dispatchEvent(Event("tick"))

    https://dom.spec.whatwg.org/#interface-eventtarget
    """

    def __init__(self) -> None:
        self._pyws_listeners: dict[str, tuple[Listener, ...]] = {}

    def addEventListener(
        self,
        type: str,
        callback: "Any",
        options: "bool | Mapping[str, object] | None" = None,
        *,
        capture: bool = False,
        once: bool = False,
        passive: bool | None = None,
        signal: "AbortSignal | None" = None,
    ) -> None:
        """Call `callback(event)`, or its `handleEvent(event)`, for each event of that type.

        The same callback is added once for each `capture`. `once` removes it before its first call; `passive` makes
        its `preventDefault()` do nothing; aborting `signal` (in a page also a signal of JavaScript) removes it. An
        `async def` is started as a task.
        Raises `TypeError` for a callback that can never be called.
        https://dom.spec.whatwg.org/#dom-eventtarget-addeventlistener
        """
        if not isinstance(type, str):
            raise TypeError(f"type must be str, not {type.__class__.__name__}")
        _check_callback(callback)
        if isinstance(options, bool):
            capture = options
        elif options is not None:
            given = dictionary(options, {}, "capture", "once", "passive", "signal")
            capture = bool(given.get("capture", capture))
            once = bool(given.get("once", once))
            passive = bool(given.get("passive", passive))
            signal = given.get("signal", signal)
        if signal is not None:
            signal = as_signal(signal)
        if (signal is not None and signal.aborted) or callback is None:
            return
        present = self._pyws_listeners.get(type, ())
        if any(listener.matches(callback, bool(capture)) for listener in present):
            return
        listener = Listener(callback, bool(capture), bool(once), bool(passive), False)
        self._pyws_append(type, listener)
        if signal is not None:
            signal.add_algorithm(lambda: None if listener.removed else self._pyws_remove(type, listener))

    def removeEventListener(
        self,
        type: str,
        callback: "Any",
        options: "bool | Mapping[str, object] | None" = None,
        *,
        capture: bool = False,
    ) -> None:
        """Remove what `addEventListener` added with the same type, callback and `capture`; else do nothing.

        https://dom.spec.whatwg.org/#dom-eventtarget-removeeventlistener
        """
        if not isinstance(type, str):
            raise TypeError(f"type must be str, not {type.__class__.__name__}")
        _check_callback(callback)
        if isinstance(options, bool):
            capture = options
        elif options is not None:
            capture = bool(dictionary(options, {}, "capture").get("capture", capture))
        for listener in self._pyws_listeners.get(type, ()):
            if listener.matches(callback, bool(capture)):
                self._pyws_remove(type, listener)
                return

    def dispatchEvent(self, event: Event) -> bool:
        """Dispatch `event` here, now; return False if a listener canceled it.

        Raises `InvalidStateError` if it is being dispatched already.
        https://dom.spec.whatwg.org/#dom-eventtarget-dispatchevent
        """
        if not isinstance(event, Event):
            raise TypeError(f"event must be a pyws.Event, not {type(event).__name__}")
        if event._pyws_current_target is not None:
            raise DOMException("This event is being dispatched: dispatch a new one.", "InvalidStateError")
        event._pyws_trusted = False
        return self._pyws_dispatch(event)

    def when(
        self,
        type: str,
        options: "Mapping[str, object] | None" = None,
        *,
        capture: bool = False,
        passive: bool | None = None,
    ) -> "Observable":
        """Return the events of that type, to be awaited: `await target.when("open").first()`, or by `async for`.

        `capture` and `passive` are those of `addEventListener`.
        https://wicg.github.io/observable/#dom-eventtarget-when
        """
        if not isinstance(type, str):
            raise TypeError(f"type must be str, not {type.__class__.__name__}")
        given = dictionary(options, {}, "capture", "passive")
        return Observable(self, type, bool(given.get("capture", capture)), bool(given.get("passive", passive)))

    _pyws_ended = False  # whether no event will come any more
    _pyws_subscriptions: "tuple[Subscription, ...]" = ()

    def _pyws_end(self) -> None:
        """End all pending waits for an event: there will be none. Call it once, after the last event."""
        subscriptions, self._pyws_subscriptions = self._pyws_subscriptions, ()
        for subscription in subscriptions:
            subscription.end()

    def _pyws_listen(self, type: str, callback: "Any", capture: bool, passive: bool) -> Listener:
        """Add a listener of our own; end it by `_pyws_remove(type, listener)`."""
        listener = Listener(callback, capture, False, passive, False)
        self._pyws_append(type, listener)
        return listener

    def _pyws_fire(self, event: Event) -> None:
        """Dispatch `event` as the user agent does: it is trusted.

        https://dom.spec.whatwg.org/#concept-event-fire
        """
        event._pyws_trusted = True
        self._pyws_dispatch(event)

    def _pyws_dispatch(self, event: Event) -> bool:
        """Call all listeners; then raise the exception of a listener that ends the program, such as SystemExit.

        https://dom.spec.whatwg.org/#concept-event-dispatch, for a path of one
        """
        event._pyws_target = self
        ending: BaseException | None = None
        if self._pyws_listeners.get(event._pyws_type):
            event._pyws_current_target = self
            try:
                ending = self._pyws_invoke(event, capture=True)
                at_target = self._pyws_invoke(event, capture=False)
                ending = ending or at_target
            finally:
                event._pyws_current_target = None
        if event._pyws_stopped:
            event._pyws_stopped = event._pyws_stopped_immediately = False
        if ending is not None:
            raise ending
        return not event._pyws_canceled

    def _pyws_invoke(self, event: Event, capture: bool) -> "BaseException | None":
        """Call the listeners of a phase; return the first exception that ends the program, for the caller to raise.

        https://dom.spec.whatwg.org/#concept-event-listener-inner-invoke
        """
        ending: BaseException | None = None
        if event._pyws_stopped:
            return ending
        # A listener that is added or removed makes a new tuple: this one does not change during the calls.
        for listener in self._pyws_listeners[event._pyws_type]:
            if listener.removed or listener.capture != capture:
                continue
            if listener.once:
                self._pyws_remove(event._pyws_type, listener)
            if listener.passive:
                event._pyws_in_passive = True
            try:
                callback = listener.callback
                result = callback(event) if callable(callback) else listener.call(event)
                if result is not None:
                    listener.process_return_value(event, result)
            except (KeyboardInterrupt, SystemExit) as error:
                ending = ending or error
            except BaseException as error:
                loop.report(error)
            finally:
                if listener.passive:
                    event._pyws_in_passive = False
            if event._pyws_stopped_immediately:
                break
        return ending

    def _pyws_append(self, type: str, listener: Listener) -> None:
        self._pyws_listeners[type] = self._pyws_listeners.get(type, ()) + (listener,)
        self._pyws_listeners_changed()

    def _pyws_remove(self, type: str, listener: Listener) -> None:
        listener.removed = True
        self._pyws_listeners[type] = tuple(other for other in self._pyws_listeners[type] if other is not listener)
        self._pyws_listeners_changed()

    def _pyws_listeners_changed(self) -> None:
        """Called after a listener was added, changed or removed, for a subclass that depends on its listeners."""


def _check_callback(callback: object) -> None:
    if isinstance(callback, (bool, int, float, str, bytes)):
        raise TypeError(f"callback must be callable or have a method handleEvent, not {callback.__class__.__name__}")


def event_handler(type: str, standard: str = "") -> "Any":
    """Make the event handler attribute `on<type>`: it keeps its place among the listeners until it is None.

    `standard` is the anchor URL of the attribute, for `help`.
    https://html.spec.whatwg.org/multipage/webappapis.html#event-handler-attributes
    """

    def find(target: EventTarget) -> "Listener | None":
        for listener in target._pyws_listeners.get(type, ()):
            if listener.handler:
                return listener
        return None

    def get(target: EventTarget) -> "Any":
        listener = find(target)
        return None if listener is None else listener.callback

    def set(target: EventTarget, value: "Any") -> None:
        if isinstance(value, (bool, int, float, str, bytes)):
            value = None
        listener = find(target)
        if listener is None:
            if value is not None:
                target._pyws_append(type, Listener(value, False, False, False, True))
        elif value is None:
            target._pyws_remove(type, listener)
        else:
            listener.callback = value
            target._pyws_listeners_changed()

    return property(get, set, None, f'Called with each "{type}" event; None by default.\n\n{standard}')


class AbortSignal(EventTarget):
    """Tells whether, and why, something was aborted. `AbortController` makes one.

    https://dom.spec.whatwg.org/#interface-AbortSignal
    """

    onabort = event_handler("abort", "https://dom.spec.whatwg.org/#abortsignal-onabort")

    def __init__(self) -> None:
        if type(self) is AbortSignal:
            raise TypeError(
                "AbortSignal cannot be made directly: use AbortController().signal or AbortSignal.timeout()"
            )
        super().__init__()
        self._pyws_aborted = False
        self._pyws_reason: Any = None
        self._pyws_algorithms: list[Callable[[], object]] = []
        self._pyws_sources: tuple[AbortSignal, ...] = (self,)
        self._pyws_dependents: list[AbortSignal] = []

    @property
    def aborted(self) -> bool:
        """Whether it was aborted.

        https://dom.spec.whatwg.org/#dom-abortsignal-aborted
        """
        return self._pyws_aborted

    @property
    def reason(self) -> "Any":
        """Why: None until it is aborted, then by default a `DOMException` called "AbortError".

        https://dom.spec.whatwg.org/#dom-abortsignal-reason
        """
        return self._pyws_reason

    def throwIfAborted(self) -> None:
        """Raise the reason, if aborted (wrapped in an `AbortError` if it is not an exception).

        https://dom.spec.whatwg.org/#dom-abortsignal-throwifaborted
        """
        if self._pyws_aborted:
            if isinstance(self._pyws_reason, BaseException):
                raise self._pyws_reason
            raise DOMException(str(self._pyws_reason), "AbortError")

    @staticmethod
    def abort(reason: "Any" = None) -> "AbortSignal":
        """Return a signal that is aborted already.

        https://dom.spec.whatwg.org/#dom-abortsignal-abort
        """
        signal = _Signal()
        signal._pyws_abort(reason)
        return signal

    @staticmethod
    def timeout(milliseconds: float) -> "AbortSignal":
        """Return a signal that is aborted with a `TimeoutError` after that many milliseconds.

        https://dom.spec.whatwg.org/#dom-abortsignal-timeout
        """
        if (
            isinstance(milliseconds, bool)
            or not isinstance(milliseconds, (int, float))
            or not 0 <= milliseconds < 2**53
        ):
            raise TypeError(f"milliseconds must be a number that is not negative, not {milliseconds!r}")
        signal = _Signal()
        loop.call_later(
            milliseconds / 1000, lambda: signal._pyws_abort(DOMException("The time is up.", "TimeoutError"))
        )
        return signal

    @staticmethod
    def any(signals: "Iterable[AbortSignal]") -> "AbortSignal":
        """Return a signal that is aborted as soon as one of `signals` is, for the same reason.

        https://dom.spec.whatwg.org/#dom-abortsignal-any
        """
        given = [as_signal(source) for source in signals]
        signal = _Signal()
        for source in given:
            if source.aborted:
                signal._pyws_abort(source.reason)
                return signal
        signal._pyws_sources = tuple(origin for source in given for origin in source._pyws_sources)
        for origin in signal._pyws_sources:
            if signal not in origin._pyws_dependents:
                origin._pyws_dependents.append(signal)
        return signal

    def add_algorithm(self, algorithm: "Callable[[], object]") -> None:
        """Run `algorithm` when this is aborted, before the event. Call it only while this is not aborted.

        https://dom.spec.whatwg.org/#abortsignal-add
        """
        self._pyws_algorithms.append(algorithm)

    def remove_algorithm(self, algorithm: "Callable[[], object]") -> None:
        """Do not run `algorithm` any more.

        https://dom.spec.whatwg.org/#abortsignal-remove
        """
        if algorithm in self._pyws_algorithms:
            self._pyws_algorithms.remove(algorithm)

    def _pyws_abort(self, reason: "Any" = None) -> None:
        # https://dom.spec.whatwg.org/#abortsignal-signal-abort
        if self._pyws_aborted:
            return
        if reason is None:
            reason = DOMException("The operation was aborted.", "AbortError")
        # All are aborted before the first event, so that every listener sees all of them aborted.
        aborted = [self] + [signal for signal in self._pyws_dependents if not signal._pyws_aborted]
        for signal in aborted:
            signal._pyws_aborted = True
            signal._pyws_reason = reason
        ending: BaseException | None = None
        for signal in aborted:
            algorithms, signal._pyws_algorithms = signal._pyws_algorithms, []
            for algorithm in algorithms:
                algorithm()
            try:
                signal._pyws_fire(Event("abort"))
            except (KeyboardInterrupt, SystemExit) as error:  # of a listener: first fire the other events
                ending = ending or error
        self._pyws_dependents.clear()
        if ending is not None:
            raise ending


class _Signal(AbortSignal):
    """A signal that this module may make: `AbortSignal` itself raises."""


def as_signal(signal: "Any") -> AbortSignal:
    """Return `signal`; for JavaScript's AbortSignal, a new signal that is aborted together with it."""
    if isinstance(signal, AbortSignal):
        return signal
    if not hasattr(signal, "throwIfAborted") or isinstance(signal, type):
        raise TypeError(f"signal must be a pyws.AbortSignal, not {type(signal).__name__}")
    return _follow(signal)  # pragma: no cover - in a page


def _follow(signal: "Any") -> AbortSignal:  # pragma: no cover - in a page
    follower = _Signal()
    if signal.aborted:
        follower._pyws_abort(signal.reason)
    else:
        signal.addEventListener("abort", loop.js_once(lambda *_: follower._pyws_abort(signal.reason)))
    return follower


class AbortController(Interface):
    """Aborts what listens to its `signal`.

        controller = AbortController()
        ws.addEventListener("message", show, signal=controller.signal)
        controller.abort()  # `show` is called no more

    https://dom.spec.whatwg.org/#interface-abortcontroller
    """

    def __init__(self) -> None:
        self._pyws_signal = _Signal()

    @property
    def signal(self) -> AbortSignal:
        """The signal to hand on: always the same.

        https://dom.spec.whatwg.org/#dom-abortcontroller-signal
        """
        return self._pyws_signal

    def abort(self, reason: "Any" = None) -> None:
        """Abort the signal, for `reason` (by default an `AbortError`).

        https://dom.spec.whatwg.org/#dom-abortcontroller-abort
        """
        self._pyws_signal._pyws_abort(reason)

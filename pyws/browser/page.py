"""The words of the runtime that Pyodide and Brython share: see `loop.py`.

Functions of JavaScript that differ between the two are arguments here.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# The longest time of a timer, in milliseconds: 24 days. Browsers take a longer time for none.
# https://html.spec.whatwg.org/multipage/timers-and-user-prompts.html#dom-settimeout
LONGEST_TIMEOUT = 2**31 - 1


class LoopThread:
    """The event loop and its thread: a page has only one of each."""

    loop: "Any"
    thread: int

    def ensure_current(self) -> None:
        """Do nothing."""


def after_read(callback: "Callable[[], object]") -> None:
    """Run `callback` now: each message that a browser has read comes in a task of its own."""
    callback()


def on_wake(
    callback: "Callable[[], object]",
    js_window: "Any",
    js_callable: "Callable[[Any], Any]",
    js_release: "Callable[[Any], None]",
) -> "Callable[[], object]":
    """Run `callback` each time that the page is online, visible or shown again; return a function that ends that.

    A worker has only the event that it is online, and Node has none.
    """
    js_document: Any = getattr(js_window, "document", None)

    def on_event(event: "Any") -> None:
        if event.type == "visibilitychange" and js_document.visibilityState != "visible":
            return
        if event.type != "pageshow" or event.persisted:
            callback()

    js_on_event = js_callable(on_event)
    pairs = (js_window, "online"), (js_window, "pageshow"), (js_document, "visibilitychange")
    # Brython gives a worker a `document` of its own, which is not an event target.
    listening = [(target, type) for target, type in pairs if hasattr(target, "addEventListener")]
    for target, type in listening:
        target.addEventListener(type, js_on_event)

    def end() -> None:
        for target, type in listening:
            target.removeEventListener(type, js_on_event)
        js_release(js_on_event)

    return end


def js_href(js_class: "Any", url: str, base: str) -> str:
    """Return a URL in full; "" if it can be none. `js_class` is JavaScript's URL."""
    try:
        return str((js_class.new(url, base) if base else js_class.new(url)).href)
    except Exception:
        return ""

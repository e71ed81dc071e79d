"""The W3C WebSocket interface in Python: in a page the browser's own WebSocket, on CPython a socket.

https://websockets.spec.whatwg.org/
"""

import sys

from .version import __version__ as __version__

TYPE_CHECKING = False
# On CPython `__getattr__` loads the rest: pytest imports this file in each run, for the plugin in `testing`.
if TYPE_CHECKING or sys.platform in ("brython", "emscripten", "webassembly"):
    from .blob import Blob
    from .dom import AbortController, AbortSignal, Event, EventTarget
    from .events import CloseEvent, MessageEvent
    from .webidl import DOMException
    from .websocket import UserAgent, WebSocket
else:

    def _load() -> "dict[str, object]":
        from .blob import Blob
        from .dom import AbortController, AbortSignal, Event, EventTarget
        from .events import CloseEvent, MessageEvent
        from .webidl import DOMException
        from .websocket import UserAgent, WebSocket

        classes = [AbortController, AbortSignal, Blob, CloseEvent, DOMException, Event, EventTarget]
        return {own.__name__: own for own in classes + [MessageEvent, UserAgent, WebSocket]}


if TYPE_CHECKING:
    from .reconnecting import ReconnectingEvent, ReconnectingWebSocket
    from .websocketstream import WebSocketError, WebSocketStream

__all__ = [
    "AbortController",
    "AbortSignal",
    "Blob",
    "CloseEvent",
    "DOMException",
    "Event",
    "EventTarget",
    "MessageEvent",
    "ReconnectingEvent",
    "ReconnectingWebSocket",
    "UserAgent",
    "WebSocket",
    "WebSocketError",
    "WebSocketStream",
]


def __getattr__(name: str) -> object:
    # A class that few programs need is loaded when a program asks for it. (`from . import` would call this function
    # again in Brython.)
    found: dict[str, object] = {}
    if name in ("ReconnectingEvent", "ReconnectingWebSocket"):
        from .reconnecting import ReconnectingEvent, ReconnectingWebSocket

        found = {"ReconnectingEvent": ReconnectingEvent, "ReconnectingWebSocket": ReconnectingWebSocket}
    elif name in ("WebSocketError", "WebSocketStream"):
        from .websocketstream import WebSocketError, WebSocketStream

        found = {"WebSocketError": WebSocketError, "WebSocketStream": WebSocketStream}
    elif name in __all__:
        found = _load()  # type: ignore[name-defined] # mypy takes the other branch
    if name not in found:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals().update(found)
    return found[name]


def __dir__() -> "list[str]":
    return sorted(set(globals()).union(__all__))

"""The W3C WebSocket interface in Python: in a page the browser's own WebSocket, on CPython a socket.

https://websockets.spec.whatwg.org/
"""

from .blob import Blob
from .dom import AbortController, AbortSignal, DOMException, Event, EventTarget
from .websocket import CloseEvent, MessageEvent, UserAgent, WebSocket

__all__ = [
    "AbortController",
    "AbortSignal",
    "Blob",
    "CloseEvent",
    "DOMException",
    "Event",
    "EventTarget",
    "MessageEvent",
    "UserAgent",
    "WebSocket",
]
__version__ = "0.1.0"

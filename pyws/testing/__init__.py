"""For tests of programs that speak WebSocket: a server that does what a test says, and a journal of events.

With pytest, the fixtures `websocket_server` and `websocket_journal` come with the package.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .client import ConnectionOver
    from .connection import Connection
    from .conversation import Conversation, Row
    from .expectations import ExpectationError
    from .journal import Journal
    from .running import run_script
    from .script import Place, Script
    from .server import WebSocketServer

__all__ = [
    "Connection",
    "ConnectionOver",
    "Conversation",
    "ExpectationError",
    "Journal",
    "Place",
    "Row",
    "Script",
    "WebSocketServer",
    "run_script",
]

# A name is loaded when a program asks for it: pytest imports this file for its plugin in each run.
_HOMES = {
    "Connection": "connection",
    "ConnectionOver": "client",
    "Conversation": "conversation",
    "ExpectationError": "expectations",
    "Journal": "journal",
    "Place": "script",
    "Row": "conversation",
    "Script": "script",
    "WebSocketServer": "server",
    "run_script": "running",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(set(globals()).union(__all__))

"""For tests of programs that speak WebSocket: a server that a test tells what to do, and a journal of events.

With pytest, the fixtures `websocket_server` and `websocket_journal` come with the package.
"""

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

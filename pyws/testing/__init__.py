"""For tests of programs that speak WebSocket: a server that does what a test says, a journal of events, recordings.

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
    from .masks import MASK, Masks
    from .recorded import RecordingError
    from .recorder import Recorder, record
    from .recording import Recording
    from .replaying import Replay
    from .replayserver import replay
    from .running import run_script
    from .script import Place, Script
    from .server import WebSocketServer

__all__ = [
    "MASK",
    "Connection",
    "ConnectionOver",
    "Conversation",
    "ExpectationError",
    "Journal",
    "Masks",
    "Place",
    "Recorder",
    "Recording",
    "RecordingError",
    "Replay",
    "Row",
    "Script",
    "WebSocketServer",
    "record",
    "replay",
    "run_script",
]

# A name is loaded when a program asks for it: pytest imports this file for its plugin in each run.
_HOMES = {
    "Connection": "connection",
    "ConnectionOver": "client",
    "Conversation": "conversation",
    "ExpectationError": "expectations",
    "Journal": "journal",
    "MASK": "masks",
    "Masks": "masks",
    "Place": "script",
    "Recorder": "recorder",
    "Recording": "recording",
    "RecordingError": "recorded",
    "Replay": "replaying",
    "Row": "conversation",
    "Script": "script",
    "WebSocketServer": "server",
    "record": "recorder",
    "replay": "replayserver",
    "run_script": "running",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(set(globals()).union(__all__))

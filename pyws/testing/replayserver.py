"""A server that answers from a recording."""

import os

from .connection import TIMEOUT
from .server import WebSocketServer


def replay(
    path: str | os.PathLike[str],
    *,
    url: str | None = None,
    index: int | None = None,
    lenient: bool = False,
    speed: float | None = None,
    repeat: bool = False,
    timeout: float = TIMEOUT,
) -> WebSocketServer:
    """Return a server that answers from a recording, for a `with` or `async with` statement:

        with replay("chat.jsonl") as server:
            ...  # connect to server.url

    See `Replay` for the arguments, and for what it raises. `timeout`: seconds to wait for what a client says. At the
    end of the statement a difference is raised as `ExpectationError`.
    """
    server = WebSocketServer(timeout=timeout)
    return server.replay(path, url=url, index=index, lenient=lenient, speed=speed, repeat=repeat)

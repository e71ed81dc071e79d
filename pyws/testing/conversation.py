"""The conversation of a server with one client, as rows, and how it is shown when a test fails.

Its law: rows are only appended, in the order in which things happened at the server. A row shows no header and no query
of a URL: they may have secrets.
"""

import time
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from .data import show

Side = Literal["client", "server"]
Message = str | bytes


class Row(NamedTuple):
    """One thing that one side did."""

    side: Side
    """The side that did it: "client" or "server"."""
    kind: str
    """"message", "close", "request", "accept", "refuse", "ping", "pong", "write", "end", "reset", "pause", "resume",
    or "broken"."""
    value: object
    """The data of a message, Ping, Pong or write; of a close the code and the reason; of a request the path without the
    query, and the subprotocols; the status of a refusal; of an acceptance the subprotocol and whether it compresses;
    else words."""
    seconds: float
    """Seconds since the conversation began."""

    def __str__(self) -> str:
        return f"{self.side}  {self._words()}"

    def _words(self) -> str:
        value: Any = self.value
        match self.kind:
            case "request":
                path, *subprotocols = value
                return f"opens {path}" + (f", offers {', '.join(map(show, subprotocols))}" if subprotocols else "")
            case "accept":
                subprotocol, compressed = value
                chosen = f", chooses {show(subprotocol)}" if subprotocol else ""
                return f"accepts{chosen}{', compresses' if compressed else ''}"
            case "refuse":
                return f"refuses with {value}"
            case "message":
                return show(value)
            case "close":
                code, reason = value
                return f"closes with {code} {show(reason)}" if reason else f"closes with {code}"
            case "end":
                return "ends TCP without a Close frame"
            case "reset":
                return "resets TCP"
            case "broken":
                return f"breaks the protocol: {value}"
            case "pause" | "resume":
                return f"{self.kind}s reading"
        return f"{self.kind} {show(value)}"


class Conversation:
    """The rows of one connection. It is written by the thread of the server, and may be read in any thread."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._start = time.monotonic()

    def add(self, side: Side, kind: str, value: object = None) -> Row:
        """Append a row of now, and return it."""
        row = Row(side, kind, value, time.monotonic() - self._start)
        self.rows.append(row)
        return row

    def messages(self, side: Side) -> list[Message]:
        """Return the messages that one side has sent, in order."""
        messages = [row.value for row in self.rows if row.side == side and row.kind == "message"]
        return messages  # type: ignore[return-value] # the value of such a row is a message

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def show(self) -> str:
        """Return all rows as text, a line for each, with the seconds since the start."""
        return "\n".join(f"{row.seconds:8.3f} s  {row}" for row in list(self.rows))

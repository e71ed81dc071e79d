"""The conversations of a recording, as data: the events of each, and the readers of files.

The suffix of a file says how it is written: `.jsonl` is JSON Lines, `.har` an HTTP Archive.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from .masks import Masks

Side = Literal["client", "server"]
Headers = tuple[tuple[str, str], ...]


class RecordingError(ValueError):
    """A file is not a recording, or does not have the conversation that was asked for. The message says where."""


@dataclass(frozen=True, slots=True)
class Request:
    """The opening handshake of the client: its URL, the subprotocols that it offers, its other headers."""

    url: str = ""
    subprotocols: tuple[str, ...] = ()
    headers: Headers = ()
    time: float = 0.0
    """Seconds since the recording began."""


@dataclass(frozen=True, slots=True)
class Response:
    """The answer of the server: 101 with the subprotocol that it chose, or the status, headers, text of a refusal."""

    status: int = 101
    subprotocol: str | None = None
    headers: Headers = ()
    body: str = ""
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class Message:
    """A message: `str` is text, `bytes` is binary."""

    sender: Side
    data: str | bytes
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class Close:
    """The Close frame of the side that closed first. `code` is None if it had none; `clean` if the other answered."""

    sender: Side
    code: int | None = None
    reason: str = ""
    clean: bool = True
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class Lost:
    """The end of the connection by one side without a Close frame; before an answer: there was none."""

    sender: Side
    time: float = 0.0


Event = Request | Response | Message | Close | Lost


class Placed(NamedTuple):
    """An event, and its place in the file in words, such as "line 7"."""

    place: str
    event: Event


@dataclass
class RecordedConversation:
    """One connection of a recording, without its messages."""

    number: int
    """1 for the first conversation of the file."""
    url: str = ""
    messages: int = 0
    start: int = 0
    """Where it begins in the file, a number for its reader, and where its last event begins."""
    end: int = 0
    line: int = 0
    """The number of its first line, where the file has lines."""

    def __str__(self) -> str:
        count = "1 message" if self.messages == 1 else f"{self.messages} messages"
        return f"{self.number}: {Masks().url(self.url) or 'any URL'} ({count})"


class Reader(Protocol):
    """The reader of one form of files."""

    started: float
    """Seconds of `time.time` when the recording began; 0 if that is unknown."""
    conversations: list[RecordedConversation]

    def events(self, conversation: RecordedConversation) -> Iterator[Placed]:
        """Yield the events of a conversation, in order."""
        ...


FORMS = (".jsonl", ".har")


def form(path: "str | os.PathLike[str]") -> str:
    """Return the form of a file, by its suffix; raise `RecordingError` for any other suffix than those of FORMS."""
    suffix = Path(path).suffix.lower()
    if suffix not in FORMS:
        raise RecordingError(f"{os.fspath(path)}: name the file .jsonl (JSON Lines) or .har (HTTP Archive)")
    return suffix

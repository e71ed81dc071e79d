"""A recording: a file with conversations of clients with a server.

It is read line by line where its form allows that, so it may be larger than the memory.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from .har import HarReader
from .jsonlines import JsonLinesReader
from .masks import Masks
from .recorded import Placed, Reader, RecordedConversation, RecordingError, form


class Recording:
    """The conversations of a file.

    Raises `RecordingError` if the file is not a recording, `OSError` if it cannot be read.
    """

    def __init__(self, path: "str | os.PathLike[str]") -> None:
        self.path = Path(path)
        self._reader: Reader
        if form(path) == ".har":
            part = self.path.with_name(self.path.name + ".jsonl")
            if not self.path.exists() and part.exists():
                raise RecordingError(f"{self.path} is not complete, its recorder was interrupted: use {part}")
            self._reader = HarReader(self.path)
        else:
            self._reader = JsonLinesReader(self.path)
        if not self.conversations:
            raise RecordingError(f"{self.path} has no WebSocket in it")

    @property
    def conversations(self) -> list[RecordedConversation]:
        """The conversations, in the order in which they began."""
        return self._reader.conversations

    @property
    def started(self) -> float:
        """Seconds of `time.time` when the recording began; 0 if the file does not say so."""
        return self._reader.started

    def events(self, conversation: RecordedConversation) -> Iterator[Placed]:
        """Yield the events of a conversation, in order, read from the file one by one."""
        return self._reader.events(conversation)

    def select(self, url: str | None = None, index: int | None = None) -> list[RecordedConversation]:
        """Return the conversations whose URL contains `url`, or the one with the number `index`; else all.

        Raises `RecordingError`, with a list of what is there, if there is none.
        """
        chosen = [
            conversation
            for conversation in self.conversations
            if (url is None or url in conversation.url) and (index is None or index == conversation.number)
        ]
        if not chosen:
            wanted = f"number {index}" if index is not None else f"with {Masks().url(url or '')!r} in its URL"
            raise RecordingError(f"{self.path} has no WebSocket {wanted}; there are\n{self.listing()}")
        return chosen

    def listing(self) -> str:
        """Return a line for each conversation: its number, its URL without secrets, how many messages it has."""
        return "\n".join(f"  {conversation}" for conversation in self.conversations)

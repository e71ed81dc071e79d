"""The file of a recording while it is made.

Its law: every event is in a file on the disk, without its secrets, when `write` returns, in the order of the calls.
"""

import errno
import os
import time
from pathlib import Path

from . import har
from .jsonlines import JsonLinesReader, JsonLinesWriter
from .masks import Masks
from .recorded import Event, form


class RecordingFile:
    """A new file for a recording, `path`, .jsonl or .har, whose secrets are masked by `masks`.

    An archive cannot be written line by line: until it is finished, its events are in a file beside it, .har.jsonl.
    Raises `RecordingError` for another suffix, `FileExistsError` if the file exists, unless `overwrite`, and `OSError`
    if it cannot be written.
    """

    def __init__(self, path: "str | os.PathLike[str]", masks: Masks, overwrite: bool = False) -> None:
        self.masks = masks
        self.failure: Exception | None = None
        """The error because of which the recording is not complete: a full disk, an exception of a function of the
        program that masks; None if there is none."""
        self._path = Path(path)
        self._lines = self._path
        if form(path) == ".har":
            self._lines = self._path.with_name(self._path.name + ".jsonl")
            if self._path.exists() and not overwrite:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        self._writer = JsonLinesWriter(self._lines, overwrite)
        self._start = time.monotonic()

    def now(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._start

    def write(self, number: int, event: Event) -> bool:
        """Write an event of the conversation `number`, already masked; return whether that was possible.

        After the first failure nothing more is written.
        """
        if self.failure is None:
            try:
                self._writer.write(number, event)
            except OSError as error:
                self.failure = error
        return self.failure is None

    def fail(self, error: Exception) -> None:
        """Write nothing more, because of that error."""
        self.failure = self.failure or error

    def finish(self) -> None:
        """Close the file, and write the archive if it is one; raise the failure if there is one. Call it once."""
        try:
            self._writer.close()
            if self.failure is None and self._lines != self._path:
                self._write_archive()
        except OSError as error:  # a full disk may be noticed only now
            self.failure = self.failure or error
        if self.failure is not None:
            raise self.failure

    def discard(self) -> None:
        """Close and remove the file, because nothing will be recorded."""
        self._writer.close()
        self._lines.unlink()

    def _write_archive(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        try:
            with open(os.open(self._path, flags, 0o600), "w", encoding="utf-8") as file:
                har.write(file, JsonLinesReader(self._lines))
        except BaseException:
            self._path.unlink(missing_ok=True)  # half an archive is not JSON; its lines remain
            raise
        self._lines.unlink()

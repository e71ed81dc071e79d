"""A prompt with history below the messages, by prompt_toolkit."""

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Prompt:
    """The prompt of a terminal. While it runs, text is shown by `show` only."""

    def __init__(self, session: "Any", run_in_terminal: "Any") -> None:
        self._session = session
        self._run_in_terminal = run_in_terminal
        self._texts: list[str] = []
        self._showing: asyncio.Future[None] | None = None

    @classmethod
    def load(cls) -> "Prompt | None":
        """Return a prompt; None if prompt_toolkit is not installed."""
        try:
            from prompt_toolkit import PromptSession
            from prompt_toolkit.application import run_in_terminal
            from prompt_toolkit.history import FileHistory, InMemoryHistory
        except ImportError:
            return None
        history: Any = InMemoryHistory()
        name = os.environ.get("PYWS_HISTORY", "~/.pyws_history")
        if name:
            path = Path(name).expanduser()
            with contextlib.suppress(OSError):
                # Messages may be secret: only the user may read the file.
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
                history = FileHistory(str(path))
        return cls(PromptSession(history=history), run_in_terminal)

    async def run(self, send: Callable[[str], None]) -> bool:
        """Call `send` with each line that is typed, until Ctrl-D or Ctrl-C; return whether it was Ctrl-C."""
        while True:
            try:
                send(await self._session.prompt_async("> "))
            except EOFError:
                return False
            except KeyboardInterrupt:
                return True

    def show(self, text: str) -> None:
        """Show a text above the prompt."""
        self._texts.append(text)
        if self._showing is None or self._showing.done():
            self._showing = asyncio.ensure_future(self._work())

    async def flush(self) -> None:
        """Wait until every text is shown."""
        if self._showing is not None:
            await self._showing

    async def _work(self) -> None:
        while self._texts:
            texts, self._texts = self._texts, []
            await self._run_in_terminal(lambda texts=texts: print(*texts, sep="\n", flush=True))

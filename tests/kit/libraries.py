"""Play a script of tests/libraries: what it prints is its journal. The same file on CPython and in Pyodide.

On CPython it is a program of its own: `python3 libraries.py play SCRIPT ORIGIN KEY PATH FUNCTION`, or `run PROGRAM URL
PATH`, writes what came of it as JSON.
"""

import asyncio
import contextlib
import functools
import io
import itertools
import json
import logging
import sys
import traceback
from types import ModuleType
from urllib.parse import quote


async def play(script, origin, key, path, name="main"):
    """Run a function of a script, which finds its library in the folders of `path`.

    What it printed, what it returned, the log, the traceback if any, and the tasks that it has left.
    """
    tasks = asyncio.all_tasks()
    with listening(path) as result:
        module = ModuleType("script")
        module.__file__ = str(script)
        with open(script, encoding="utf-8") as file:
            exec(compiled(file.read(), str(script)), vars(module))
        result["expected"] = await getattr(module, name)(Addresses(origin, key))
    left = [task for task in asyncio.all_tasks() - tasks if not task.cancelling()]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    return {**result, "tasks": sorted(task.get_coro().__qualname__ for task in left)}


@functools.cache
def compiled(source, file):
    """The code of a script, of which one function after the other is played: in a page it takes long to compile."""
    return compile(source, file, "exec")


def run(program, url, path):
    """Run a program as it stands, but for the URL, with a name on its standard input: what it printed, the error."""
    with open(program) as file, listening(path) as result:
        sys.stdin = io.StringIO("Ann\n")
        try:
            exec(file.read().replace("ws://localhost:8765", url), {"__name__": "__main__"})
        finally:
            sys.stdin = sys.__stdin__
    return result


@contextlib.contextmanager
def listening(path):
    """Note what is printed, what is logged and an exception's traceback while the folders of `path` are searched."""
    result = {"journal": [], "log": [], "error": None, "expected": None}
    before = set(sys.modules)
    folders = path.split(":") if path else []
    sys.path[:0] = folders
    printed, log = io.StringIO(), Log()
    logging.getLogger("pyws").addHandler(log)
    try:
        with contextlib.redirect_stdout(printed):
            yield result
    except Exception:
        result["error"] = traceback.format_exc()
    finally:
        logging.getLogger("pyws").removeHandler(log)
        del sys.path[: len(folders)]
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None) or ""
            if file.startswith(tuple(folders)) and not file.endswith(".so"):  # that can be loaded once
                del sys.modules[name]
        result |= {"journal": printed.getvalue().splitlines(), "log": log.lines}


class Addresses:
    """Call it for the URL at which the peer (tests/kit/peer.py) does what the verbs say."""

    def __init__(self, origin, key):
        self.origin = origin
        self._key = key
        self._numbers = itertools.count(1)
        self.key = key

    def __call__(self, *verbs):
        first = [] if "accept" in verbs else ["accept"]
        query = "&".join("do=" + quote(verb) for verb in [*first, *verbs])
        self.key = f"{self._key}-{next(self._numbers)}"
        return f"{self.origin}/{self.key}?{query}"


class Log(logging.Handler):
    """What the logger was told."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(f"{record.levelname} {record.getMessage()}")


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    print(json.dumps(run(*arguments) if command == "run" else asyncio.run(play(*arguments))))

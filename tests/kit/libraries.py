"""Play a script of tests/libraries: what it prints is its journal. The same file on CPython and in Pyodide.

On CPython it is a program of its own: `python3 libraries.py play SCRIPT ORIGIN KEY PATH FUNCTION`, or `run PROGRAM URLS
PATH TYPED`, writes what came of it as JSON; URLS and TYPED are JSON.
"""

import asyncio
import contextlib
import functools
import io
import itertools
import json
import logging
import sys
import threading
import traceback
from types import ModuleType
from urllib.parse import quote

in_page = sys.platform == "emscripten"
if in_page:
    from pyodide.ffi import run_sync


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


def run(program, urls, path, typed):
    """Run a program as it stands, but for URLs, {its own: the one instead}: what it printed, the error.

    `typed` are the lines on its standard input.
    """
    with open(program) as file:
        text = file.read()
    for url, instead in urls.items():
        text = text.replace(url, instead)
    with listening(path) as result:
        sys.stdin = Person(typed, sys.stdout)
        sys.argv, before = [program], sys.argv
        try:
            exec(compile(text, program, "exec"), {"__name__": "__main__"})
        finally:
            sys.stdin, sys.argv = sys.__stdin__, before
    return result


@contextlib.contextmanager
def listening(path):
    """Note what is printed, what is logged and an exception's traceback while the folders of `path` are searched."""
    result = {"journal": [], "log": [], "error": None, "expected": None}
    before = set(sys.modules)
    folders = path.split(":") if path else []
    sys.path[:0] = folders
    printed, log = Printed(), Log()
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


class Printed(io.StringIO):
    """What has been printed."""

    def __init__(self):
        super().__init__()
        self._news = asyncio.Event() if in_page else threading.Event()

    def write(self, text):
        written = super().write(text)
        if text.endswith("\n"):
            self._news.set()
        return written

    def flush(self):
        """Called after a prompt, too."""
        self._news.set()

    def wait(self):
        """Block until there is something that this method has not waited for."""
        if in_page:
            run_sync(self._news.wait())
        else:
            self._news.wait()
        self._news.clear()


class Person:
    """A standard input: somebody types a line each time that something has been printed, and at last Ctrl-D."""

    def __init__(self, lines, printed):
        self._lines = [f"{line}\n" for line in lines]
        self._printed = printed

    def readline(self, size=-1):
        self._printed.wait()
        return self._lines.pop(0) if self._lines else ""


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
    if command == "run":
        program, urls, path, typed = arguments
        print(json.dumps(run(program, json.loads(urls), path, json.loads(typed))))
    else:
        print(json.dumps(asyncio.run(play(*arguments))))

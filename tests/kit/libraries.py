"""Play a script of tests/libraries: what it prints is its journal. The same file on CPython and in Pyodide.

On CPython it is a program of its own: `python3 libraries.py SCRIPT ORIGIN KEY FOLDER` writes the journal as JSON.
"""

import asyncio
import contextlib
import importlib.util
import io
import itertools
import json
import logging
import sys
import traceback
import zipfile
from pathlib import Path
from urllib.parse import quote


async def play(script, origin, key, folder, name="main"):
    """Run a function of a script with the wheels of a folder: what it printed, the log, the traceback if any."""
    before = set(sys.modules)
    place = unpack(folder)
    sys.path.insert(0, str(place))
    printed, log, error, expected = io.StringIO(), Log(), None, None
    logging.getLogger("pyws").addHandler(log)
    try:
        spec = importlib.util.spec_from_file_location("script", script)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        with contextlib.redirect_stdout(printed):
            expected = await getattr(module, name)(Addresses(origin, key))
    except Exception:
        error = traceback.format_exc()
    finally:
        logging.getLogger("pyws").removeHandler(log)
        sys.path.remove(str(place))
        for name in set(sys.modules) - before:
            if str(place) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]
    left = asyncio.all_tasks() - {asyncio.current_task()}
    return {
        "journal": printed.getvalue().splitlines(),
        "expected": expected,
        "log": log.lines,
        "error": error,
        "tasks": sorted(task.get_coro().__qualname__ for task in left),
    }


def unpack(folder):
    """Unpack the wheels of a folder, unless that was done; the folder of what they contain."""
    place = Path(folder, "unpacked")
    if not place.exists():
        for wheel in Path(folder).glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(place)
    return place


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
    print(json.dumps(asyncio.run(play(*sys.argv[1:]))))

"""The wheels of the libraries that run over the bridge, as pins.toml names them: downloaded and unpacked once.

Each lies unpacked in a folder of its own, from which CPython and Pyodide under Node import, and beside it as a zip
file, which pages fetch. The modules are compiled for Pyodide, as pip compiles what it installs: in a page that would
take longer than to run the script.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import environment
from runtimes import Node

LIBRARIES = Path(__file__).parents[1] / "libraries"
PINS = tomllib.loads(LIBRARIES.joinpath("pins.toml").read_text())
NEWEST = bool(os.environ.get("PYWS_NEWEST"))
FOLDER = environment.ROOT / "dist" / "libraries" / ("newest" if NEWEST else "pinned")
POOL = FOLDER / "wheels"

KEYS = ["sources", "wheels", "compiled"]

ONE = ["--no-deps", "--only-binary", ":all:"]
ANY_PYTHON = [*ONE, "--platform", "any", "--implementation", "py", "--abi", "none", "--python-version", "3.14"]
PYODIDE = [*ONE, "--platform", "pyemscripten_2026_0_wasm32", "--implementation", "cp", "--python-version", "3.14"]


class Wheels(NamedTuple):
    """The folders from which a library and what it needs are imported."""

    cpython: list[Path]
    pyodide: list[Path]


def prepare():
    """Get the wheels of all libraries, unless they are there: tools/test.py begins with it, beside other tests."""
    with locked(FOLDER / ".lock"):
        stamp = FOLDER / ".ready"
        state = json.dumps([PINS, sys.version])
        if not stamp.exists() or stamp.read_text() != state:
            if NEWEST:
                shutil.rmtree(FOLDER)
            download()
            unpack()
            stamp.write_text(state)


def provide(name):
    """The wheels of a library."""
    prepare()
    found = Wheels([], [])
    for pin in pins([name], *KEYS):
        project, _, version = pin.replace("-", "_").partition("==")
        for folder in FOLDER.glob(f"{project}-{version or '[0-9]*'}-*/"):
            if "emscripten" not in folder.name:
                found.cpython.append(folder)
            if folder.name.endswith("-any") or "emscripten" in folder.name:
                found.pyodide.append(folder)
    return found


def files(name):
    """The wheels of a library themselves, as a page of Pyodide takes them."""
    return [POOL / f"{folder.name}.whl" for folder in provide(name).pyodide]


@contextlib.contextmanager
def locked(path):
    """Be alone: tests run in several processes. Meanwhile the time limit of a test rests.

    That limit is a signal of this timer, if there is one. On a busy machine the first test that needs what is prepared
    waits longer than a test may take.
    """
    import fcntl  # not on Windows, where other tests run

    path.parent.mkdir(parents=True, exist_ok=True)
    rest = signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        with path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *rest)


def pins(names, *keys):
    """What libraries ask for under these keys, each once; without its version if the newest is wanted."""
    found = [
        re.sub("==.*", "", pin) if NEWEST and key != "compiled" else pin
        for name in names
        for key in keys
        for pin in PINS[name].get(key, ())
    ]
    return list(dict.fromkeys(found))


def download():
    """Get the wheels of all libraries, and build those that are not there for any Python."""
    get("wheels", ANY_PYTHON)
    get("compiled", ONE)
    get("compiled", PYODIDE)
    for pin in pins(PINS, "sources"):
        with patch.dict(os.environ, AIOHTTP_NO_EXTENSIONS="1"):
            pip("wheel", "--no-deps", "--no-binary", pin.partition("==")[0], "--wheel-dir", POOL, pin)


def get(key, options):
    """Download wheels: pip takes one version of a project at a time."""
    wanted = pins(PINS, key)
    while wanted:
        batch = {pin.partition("==")[0]: pin for pin in reversed(wanted)}
        pip("download", *options, "--dest", POOL, *batch.values())
        wanted = [pin for pin in wanted if pin not in batch.values()]


def pip(*arguments):
    environment.pip(Path(sys.executable), *map(str, arguments))


def unpack():
    """Unpack the wheels that are new, compile them for Pyodide, and pack them for pages."""
    new = [wheel for wheel in POOL.glob("*.whl") if not Path(f"{FOLDER / wheel.stem}.zip").exists()]
    for wheel in new:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(FOLDER / wheel.stem)
    program = """
        import compileall
        import py_compile

        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        compileall.compile_dir(f"/wheels/{folder}", quiet=2, invalidation_mode=mode)
    """
    with Node("pyodide-node") as node:
        answers = [node.evaluate("pyodide.mountNodeFS('/wheels', given[0]); return null", str(FOLDER))]
        script = "return pyodide.runPython(given[0], { globals: pyodide.toPy({ folder: given[1] }) })"
        # One after the other: a busy machine needs a minute for all of them.
        answers += [node.evaluate(script, program, wheel.stem) for wheel in new]
    for answer in answers:
        if "error" in answer:
            raise RuntimeError(answer["error"])
    for wheel in new:
        with zipfile.ZipFile(f"{FOLDER / wheel.stem}.zip", "w") as archive:  # not compressed: it does not go far
            for path in sorted((FOLDER / wheel.stem).rglob("*")):
                archive.write(path, path.relative_to(FOLDER / wheel.stem))

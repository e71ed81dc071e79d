"""Programs over the bridge, in the cells of Pyodide, and beside them on CPython: what they print, as JSON."""

import base64
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import environment
import libraries

TESTS = Path(__file__).parents[1]
LIBRARIES = TESTS / "libraries"
DOWNLOADS = environment.ROOT / "dist" / "libraries"
PINS = tomllib.loads(LIBRARIES.joinpath("pins.toml").read_text())
PLAYER = Path(__file__).with_name("libraries.py")


def provide(name):
    """The folder with the wheels of a library, and what they contain: downloaded by the first test that asks."""
    wheels = PINS[name]["wheels"]
    if os.environ.get("PYWS_NEWEST"):
        wheels = [re.sub("==.*", "", wheel) for wheel in wheels]
    folder = DOWNLOADS / name
    stamp = folder / ".ready"
    DOWNLOADS.mkdir(parents=True, exist_ok=True)
    with open(DOWNLOADS / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes
        if not stamp.exists() or stamp.read_text() != str(wheels):
            shutil.rmtree(folder, ignore_errors=True)
            options = (
                "--platform any --implementation py --abi none --python-version 3.14 --only-binary :all: --no-deps"
            )
            environment.pip(Path(sys.executable), "download", *options.split(), "--dest", str(folder), *wheels)
            libraries.unpack(folder)
            stamp.write_text(str(wheels))
    return folder


def play_on_cpython(script, origin, key, wheels="", name="main"):
    """Play a function of a script on CPython."""
    command = [sys.executable, PLAYER, script, origin, key, wheels, name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def play_in_pyodide(cell, script, origin, key, wheels=None, name="main"):
    """Play a function of a script over the bridge."""
    files = {"/tests/kit/libraries.py": PLAYER.read_bytes(), f"/tests/{script.name}": script.read_bytes()}
    folder = f"/wheels/{wheels.name}" if wheels else ""
    if wheels:
        files |= {f"{folder}/{wheel.name}": wheel.read_bytes() for wheel in wheels.glob("*.whl")}
    program = f"""
        import json
        import pyws.bridge
        import libraries

        with pyws.bridge.installed():
            result = await libraries.play{(f"/tests/{script.name}", origin, key, folder, name)}
        json.dumps(result)
    """
    return json.loads(run(cell, program, files))


def run(cell, program, files=()):
    """What a program in Python gives in a cell; `files` are written there first."""
    answer = cell.evaluate(
        """
        const [program, files] = given;
        for (const [path, data] of Object.entries(files)) {
            pyodide.FS.mkdirTree(path.replace(/[/][^/]*$/, ""));
            pyodide.FS.writeFile(path, Uint8Array.from(atob(data), (c) => c.charCodeAt(0)));
        }
        pyodide.runPython("import importlib; importlib.invalidate_caches()");
        return await pyodide.runPythonAsync(program);
        """,
        program,
        {path: base64.b64encode(data).decode() for path, data in dict(files).items()},
    )
    if "error" in answer:
        pytest.fail("\n".join([answer["error"], *cell.complaints()]), pytrace=False)
    return answer["value"]

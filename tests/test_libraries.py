"""Python's WebSocket libraries in a page, by the bridge: a script prints there what it prints on CPython."""

import base64
import itertools
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import environment
import pytest
from runtimes import required

LIBRARIES = Path(__file__).parent / "libraries"
KIT = Path(__file__).parent / "kit"
PINS = tomllib.loads(LIBRARIES.joinpath("pins.toml").read_text())
numbers = itertools.count()


def provide(name):
    """The folder with the wheels of a library, downloaded unless they are there."""
    folder = LIBRARIES / "wheels" / name
    wheels = PINS[name]["wheels"]
    if os.environ.get("PYWS_NEWEST"):
        wheels = [re.sub("==.*", "", wheel) for wheel in wheels]
    stamp = folder / ".ready"
    if not stamp.exists() or stamp.read_text() != str(wheels):
        options = "--platform any --implementation py --abi none --python-version 3.14 --only-binary :all: --no-deps"
        for old in folder.glob("*.whl"):
            old.unlink()
        environment.pip(Path(sys.executable), "download", *options.split(), "--dest", str(folder), *wheels)
        stamp.write_text(str(wheels))
    return folder


def play_on_cpython(name, origin, key):
    """What the script of a library does on CPython."""
    script = LIBRARIES / PINS[name]["script"]
    command = [sys.executable, KIT / "libraries.py", script, origin, key, provide(name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def play_in_pyodide(cell, name, origin, key):
    """What the script of a library does over the bridge."""
    folder = f"/libraries/{name}"
    files = {f"{folder}/{wheel.name}": wheel.read_bytes() for wheel in provide(name).glob("*.whl")}
    files[f"/libraries/{PINS[name]['script']}"] = LIBRARIES.joinpath(PINS[name]["script"]).read_bytes()
    files["/tests/kit/libraries.py"] = KIT.joinpath("libraries.py").read_bytes()
    return run(
        cell,
        f"""
        import json
        import pyws.bridge
        import libraries

        with pyws.bridge.installed():
            result = await libraries.play(*{[f"/libraries/{PINS[name]['script']}", origin, key, folder]})
        json.dumps(result)
        """,
        files,
    )


def run(cell, program, files=()):
    """What a program in Python gives in a cell, as JSON; `files` are written there first."""
    encoded = {path: base64.b64encode(data).decode() for path, data in dict(files).items()}
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
        encoded,
    )
    if "error" in answer:
        pytest.fail("\\n".join([answer["error"], *cell.complaints()]), pytrace=False)
    return json.loads(answer["value"])


@pytest.mark.parametrize("name", PINS)
def test_library(cell, peer, name):
    if not cell.id.startswith(("pyodide", "pyscript")):
        pytest.skip("no page of Pyodide")
    key = f"{name}-{next(numbers)}"
    with required():
        expected = play_on_cpython(name, peer.origin, f"{key}-cpython")
    result = play_in_pyodide(cell, name, peer.origin, key)
    assert result == expected, "\n".join(filter(None, [result["error"], expected["error"]]))

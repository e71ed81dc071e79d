"""Which libraries `serve --bridge` finds that a script needs, and the wheels that it makes of what is installed."""

import subprocess
import sys
import zipfile
from importlib.metadata import Distribution, version
from io import BytesIO

import pytest
from pyws.commands import libraries

pytestmark = pytest.mark.once


def test_the_imports_of_a_script_are_its_requirements():
    """Those that are installed here, by the names of their packages, and the names of the others."""
    source = """
import asyncio, js, pyodide.http
import selenium.webdriver as driver
from pyws import WebSocket
from . import beside
def later():
    from websockets.asyncio.client import connect
    from no_such_library.inner import name
"""
    assert libraries.requirements(source) == (["selenium", "websockets"], ["no_such_library"])
    assert libraries.requirements("x = = 1") == libraries.requirements("") == ([], [])


def test_a_script_may_name_its_requirements_itself():
    """In a block of comments; then its imports do not count."""
    block = '# /// script\n# requires-python = ">=3.11"\n# dependencies = [\n#   "gql[aiohttp]>=4",\n# ]\n# ///\n'
    assert libraries.requirements(f"#!/usr/bin/python\n{block}import websockets\n") == (["gql[aiohttp]>=4"], [])
    assert libraries.requirements("# /// script\n# ///\nimport websockets\n") == (["websockets"], [])
    for wrong in ("dependencies = [1]", 'dependencies = "gql"', "dependencies = ["):
        with pytest.raises(ValueError):
            libraries.requirements(f"# /// script\n# {wrong}\n# ///\n")


class Package(Distribution):
    """A package in a folder, as pip leaves it there."""

    def __init__(self, folder, files, requires=()):
        self._folder = folder
        name = "some_package-1.2.dist-info"
        metadata = ["Metadata-Version: 2.1", "Name: Some.Package", "Version: 1.2", *requires]
        files = {**files, f"{name}/METADATA": "\n".join(metadata), f"{name}/RECORD": "", f"{name}/WHEEL": "Tag: x"}
        for file, text in files.items():
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        folder.joinpath(f"{name}/RECORD").write_text("".join(f"{file},,\n" for file in [*files, "some/gone.py"]))

    def read_text(self, filename):
        path = self._folder / "some_package-1.2.dist-info" / filename
        return path.read_text() if path.exists() else None

    def locate_file(self, path):
        return self._folder / path


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Let a package with these files be all that is installed in this Python."""

    def install(files, requires=()):
        package = Package(tmp_path / "site", files, requires)

        def distribution(name):
            if libraries.canonical(name) != "some-package":
                raise libraries.PackageNotFoundError(name)
            return package

        monkeypatch.setattr(libraries, "distribution", distribution)
        monkeypatch.setattr(libraries, "packages_distributions", lambda: {"some": ["Some.Package"]})
        return libraries.Installed()

    return install


FILES = {
    "some/__init__.py": "try:\n    from .fast import one\nexcept ImportError:\n    one = 1\n",
    "some/data.json": "{}",
    "some/fast.cpython-311-x86_64-linux-gnu.so": "",
    "some.libs/libx.so.1.2": "",
    "some/__pycache__/__init__.cpython-311.pyc": "",
    "../../bin/some": "",
}


def test_a_wheel_has_what_a_page_can_use(install, capsys):
    """Neither compiled parts nor what lies elsewhere; Python can import it, and knows its version."""
    installed = install(FILES)
    name = "some_package-1.2-py3-none-any.whl"
    assert f'<a href="/libraries/{name}">{name}</a>' in installed.page("some-package")
    wheel = installed.wheel(name)
    with zipfile.ZipFile(BytesIO(wheel)) as archive:
        metadata = [f"some_package-1.2.dist-info/{file}" for file in ("METADATA", "WHEEL", "RECORD")]
        assert sorted(archive.namelist()) == sorted(["some/__init__.py", "some/data.json", *metadata])
        assert b"Tag: py3-none-any\n" in archive.read(metadata[1])
    assert capsys.readouterr().out == "  some-package 1.2, as installed in this Python, without its compiled parts\n"
    assert [installed.wheel(file) for file in ("some_package-1.3-py3-none-any.whl", "other-1.2.whl", "")] == [None] * 3


def test_a_wheel_of_a_real_library_can_be_imported(tmp_path):
    """One that has a compiled part here, which it can do without."""
    name = f"websockets-{version('websockets')}-py3-none-any.whl"
    path = tmp_path / name
    path.write_bytes(libraries.Installed().wheel(name))
    program = "import sys; sys.path.insert(0, sys.argv[1]); import websockets.frames; print(websockets.__version__)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program, path], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"{version('websockets')}\n", "")


@pytest.mark.parametrize(
    "files, of_pyodide, sentence",
    [
        (FILES, {"some-package"}, "has compiled parts: the page takes the version that Pyodide has."),
        ({"some.pth": "/src"}, set(), "is here by a link to its sources only: install it without --editable."),
    ],
)
def test_what_a_page_should_not_get_from_here(install, capsys, files, of_pyodide, sentence):
    """The terminal says where the page gets it, or what to do; once, however often it is asked."""
    installed = install(files)
    installed.of_pyodide = of_pyodide
    assert [installed.page("Some_Package"), installed.page("some.package")] == [None, None]
    assert [installed.page("other"), installed.page("other")] == [None, None]
    other = "  other is not installed in this Python: the page asks Pyodide, then PyPI.\n"
    assert capsys.readouterr().out == f"  some-package {sentence}\n{other}"


def test_extras_are_asked_for_where_all_of_them_is_installed(install):
    """A program that imports a library may use each of them."""
    requires = [
        "Requires-Dist: some.package[fast]; extra == 'all'",
        'Requires-Dist: some-package ; python_version < "4" and extra == "fast"',
        'Requires-Dist: some_package>=1; extra=="half"',
        'Requires-Dist: other (>=1); extra == "half"',
        "Requires-Dist: other",
    ]
    install({"some/__init__.py": ""}, requires)
    assert libraries.requirements("import some") == (["Some.Package[all,fast]"], [])

"""What `pyws.commands.packing` makes of a package: folders, imports, platforms and data files, down to the line."""

import ast
import base64
import io
import json
import re
import zipfile

import pytest
from pyws.commands import packing

pytestmark = pytest.mark.once

FILES = {
    "__init__.py": "from .deep.inner import one\n",
    "deep/__init__.py": "",
    "deep/inner/__init__.py": "from . import leaf as one\nfrom ..sibling import later\nfrom ...top import name\n",
    "deep/inner/leaf.py": 'import sys\n\nif sys.platform == "brython":\n    file = "example/deep/page.js"\n',
    "deep/sibling.py": "def later():\n    from ..lazy import name\n",
    "deep/page.js": '// A comment.\n\nconst f = () => {\n  // Another.\n  return "//Grüße"; // a third\n};\n',
    "deep/other.js": "",
    "lazy.py": "name = 1\n",
    "top.py": "name = 2\n",
    "unused.py": "",
}


@pytest.fixture
def package(tmp_path):
    """A package in a folder of its own."""
    for name, text in FILES.items():
        path = tmp_path / "example" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return tmp_path / "example"


def entries(script):
    """The modules of a script by name, and its data files."""
    modules, *files = [json.loads(line) for line in re.findall(r"\((.*)\)$", script, re.M)]
    assert modules.pop("$timestamp") > 0
    return modules, files[0] if files else {}


def test_the_script_has_what_a_page_can_reach(package):
    """Modules behind any number of dots, the folders around them, which are marked, and the data files they name."""
    modules, files = entries(packing.brython_script(package))
    folders = {"example", "example.deep", "example.deep.inner"}
    assert set(modules) == folders | {"example.deep.inner.leaf", "example.deep.sibling", "example.lazy", "example.top"}
    assert {name for name, entry in modules.items() if entry[3:] == [1]} == folders
    assert modules["example.deep.inner.leaf"] == [".py", '\n\nif True:\n file = "example/deep/page.js"\n', []]
    (data,) = [base64.b64decode(file["content"]).decode() for name, file in files.items()]
    assert set(files) == {"example/deep/page.js"}
    assert data == 'const f = () => {\nreturn "//Grüße"; // a third\n};\n'


def test_the_script_has_what_a_program_imports_by_name(package):
    """The folder `bridge` and what it says in Brython, without the modules behind it."""
    package.joinpath("bridge").mkdir()
    text = "import sys\nif sys.platform == 'emscripten':\n    from . import loop\nelse:\n    from ..lazy import name\n"
    package.joinpath("bridge/__init__.py").write_text(text)
    package.joinpath("bridge/loop.py").touch()
    modules, _ = entries(packing.brython_script(package))
    assert "example.bridge" in modules and "example.bridge.loop" not in modules
    assert modules["example.bridge"] == [".py", "\nif True:\n\n\n from ..lazy import name\n", [], 1]


def test_a_data_file_that_is_not_there_is_an_error(package):
    """It is told when the script is made, not in the page."""
    package.joinpath("deep/page.js").unlink()
    with pytest.raises(FileNotFoundError):
        packing.brython_script(package)


def test_the_script_depends_on_the_sources_alone(package):
    """The same bytes each time; Brython translates anew as soon as a module is another."""
    script = packing.brython_script(package)
    assert packing.brython_script(package) == script
    package.joinpath("top.py").write_text("name = 3\n")
    stamps = [re.search(r'"\$timestamp": (\d+)', text)[1] for text in (script, packing.brython_script(package))]
    assert stamps[0] != stamps[1]


PLATFORMS = '''\
"""A module: it says "Grüße"."""

import sys

if sys.platform == "emscripten":
    import js  # of Pyodide
elif sys.platform == "brython":
    import browser
else:
    import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@property
def speak():
    """Say "ü"."""; return "# no comment"  # a comment


def be_silent():
    """Say nothing."""


def be_brief():
    """Say
    little."""
    return ""


if TYPE_CHECKING or speak:
    pass
'''
IN_BRYTHON = """\




if True:


    import browser



TYPE_CHECKING = False




@property
def speak():
    ""; return "# no comment"


def be_silent():
    ""


def be_brief():


    return ""


if TYPE_CHECKING or speak:
    pass
"""


def test_each_line_keeps_its_number():
    """Without the code of other platforms, comments and docstrings; the `sys` that only they asked goes, too."""
    assert packing.without_comments(packing.for_brython(PLATFORMS)) == IN_BRYTHON
    assert "import sys" in packing.for_brython("import sys\n\nprint(sys.platform)\n")


def test_stripping_keeps_the_code():
    """Each module of the package has the same syntax tree without its comments, but for docstrings and annotations."""
    for name, data in packing.package_files().items():
        if name.endswith(".py"):
            tree = ast.parse(data)
            for node in ast.walk(tree):
                if isinstance(body := getattr(node, "body", None), list) and len(body) > 1:
                    node.body = [statement for statement in body if not is_docstring(statement)]
                elif body and isinstance(body, list) and is_docstring(body[0]):
                    body[0].value.value = ""
            stripped = packing.without_comments(data.decode())
            assert ast.dump(ast.parse(stripped)) == ast.dump(tree), name
            without = packing.without_annotations(stripped)
            short = packing.less_indented(without)
            assert short.count("\n") == without.count("\n") == stripped.count("\n")
            assert bare(ast.parse(short)) == bare(tree), name


def test_a_long_string_keeps_its_spaces():
    """Only the indentation of code is less."""
    source = 'def f(x):\n    if x:\n        return """a\n    b {x}\n        c"""\n    return f"""\n    {x}\n"""\n'
    short = 'def f(x):\n if x:\n  return """a\n    b {x}\n        c"""\n return f"""\n    {x}\n"""\n'
    assert packing.less_indented(source) == short


def is_docstring(node):
    """Whether a statement is a text and nothing else."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def bare(tree):
    """A syntax tree without the annotations of arguments, results and values, as text."""

    class Bare(ast.NodeTransformer):
        def visit_arg(self, node):
            node.annotation = None
            return node

        def visit_FunctionDef(self, node):
            node.returns = None
            return self.generic_visit(node)

        visit_AsyncFunctionDef = visit_FunctionDef

        def visit_AnnAssign(self, node):
            return ast.Assign([node.target], node.value) if node.value else node

    return ast.unparse(ast.fix_missing_locations(Bare().visit(tree)))


ANNOTATED = """\
def f(a: "list[int]", *b: int, c: "dict[str, é]" = {}, **d: "Any") -> "tuple[str, int]":
    x: "str | None" = "é -> é"; y: int = 1
    z: int
    return lambda a: {a: x}
"""
BARE = """\
def f(a, *b, c = {}, **d):
    x = "é -> é"; y = 1
    z: int
    return lambda a: {a: x}
"""


def test_annotations_are_left_out():
    """Those of arguments, results and values; the name of a variable without a value stays."""
    assert packing.without_annotations(ANNOTATED) == BARE


def test_the_wheel_can_be_read():
    """Each file has a line in its RECORD; nothing depends on the time."""
    wheel = packing.wheel()
    assert packing.wheel() == wheel
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        assert archive.testzip() is None
        (record,) = [name for name in archive.namelist() if name.endswith(".dist-info/RECORD")]
        assert [line.split(",")[0] for line in archive.read(record).decode().splitlines()] == archive.namelist()
        assert {name.date_time for name in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}

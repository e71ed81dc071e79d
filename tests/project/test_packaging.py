"""What `python3 tools/bundle.py` makes, installed as each ecosystem does it: by the very lines of web/docs/install.md.

Every page begins empty, and takes nothing but what the project serves itself.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

from runtimes import chromium, required

pytestmark = [pytest.mark.once, pytest.mark.timeout(180)]  # packages may have to be fetched

ROOT = Path(__file__).parents[2]
INSTALL = ROOT.joinpath("web", "docs", "install.md").read_text("utf-8")
LINE = re.compile(r"^\| ([^|]+) \| `([^|]+)` \|$", re.M)
LINES = dict(LINE.findall(INSTALL))
READY_WITHIN = 100  # seconds for a page to load its interpreter, and for one echo
BRYTHON = "/node_modules/brython"

# The one program that everything here is for: a message there and back, then the title of the page or a line printed.
ECHO = """
import {world}
from pyws import WebSocket

def on_message(event):
    done.append(event.data)
    ws.close()

def on_close(event):
    {tell}

done = []
ws = WebSocket("{address}")
ws.binaryType = "arraybuffer"
ws.onopen = lambda event: ws.send(b"\\0pyws\\xff")
ws.onmessage = on_message
ws.onclose = on_close
"""
TITLE = "document.title = f'{event.code} {done}'"
ECHOED = "1005 [b'\\x00pyws\\xff']"


def echo(runtime, address):
    """The program, for a runtime."""
    world, tell = {
        "sys": ("sys", "print(sys.modules['pyws'].__file__, f'{event.code} {done}', sep='\\n')"),
        "js": ("js", f"js.{TITLE}"),
        "browser": ("browser", f"browser.{TITLE}"),
    }[runtime]
    return ECHO.format(world=world, tell=tell, address=address)


@pytest.fixture(scope="module")
def made():
    import bundle

    return bundle.build()


@pytest.fixture(scope="module")
def wheel(made):
    return made[0]


@pytest.fixture(scope="module")
def archive(made):
    return made[2]


class Site:
    """A web server with nothing but `dist` and npm's packages, a browser that looks at it, and an echo server."""

    def __init__(self, folder, origin, address, driver):
        self.folder = folder
        self.origin = origin
        self.address = address
        self.driver = driver

    def open(self, html):
        """Show a page of that content, which nobody has seen before."""
        self.driver.get("about:blank")
        self.driver.get_log("browser")  # what it said of earlier pages
        page = tempfile.mkstemp(".html", dir=self.folder)[1]  # of a new name: the browser has nothing to remember
        Path(page).write_text(f'<!doctype html><link rel="icon" href="data:,">\n{html}\n')
        self.driver.get(f"{self.origin}/{Path(page).name}")

    def run(self, script):
        """Run JavaScript in a page with nothing in it."""
        self.open("")
        error = self.driver.execute_async_script(
            f"const done = arguments[0]; (async () => {{ {script} }})().then(() => done(), (e) => done(String(e)))"
        )
        assert error is None, [error, *self.console()]

    def title(self):
        """The title of the page as soon as there is one."""
        patience = time.monotonic() + READY_WITHIN
        while not (title := self.driver.title):
            if time.monotonic() > patience:
                pytest.fail("\n".join(["no echo", *self.console()]), pytrace=False)
            time.sleep(0.1)  # each question takes processor time
        return title

    def console(self):
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def complaints(self):
        """What the browser's console has to say of a page: warnings and errors."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("WARNING", "SEVERE")]

    def requests(self):
        """The addresses that the page asked for, whether or not it got an answer."""
        entries = self.driver.execute_script("return performance.getEntriesByType('resource').map(({name}) => name)")
        return [name.removeprefix(self.origin) for name in entries if not name.startswith(("data:", "blob:"))]

    def wheels(self):
        """The wheels among them, when nothing was asked of another host."""
        requests = self.requests()
        assert [name for name in requests if not name.startswith(("/dist/", "/node_modules/"))] == []
        return [name for name in requests if name.endswith(".whl")]


@pytest.fixture(scope="module")
def site(made, tmp_path_factory):
    import serve

    folder = tmp_path_factory.mktemp("site")
    folder.joinpath("node_modules").symlink_to(serve.FOLDERS["/"] / "node_modules")
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setitem(serve.FOLDERS, "/", folder)
        origin = stack.enter_context(serve.pages())
        address = stack.enter_context(serve.echo())
        with required():
            driver = stack.enter_context(chromium())
        driver.set_script_timeout(READY_WITHIN)
        yield Site(folder, origin, address, driver)


# How a program has Pyodide, with micropip in the global scope where a line asks for it.
PYODIDE = """
    const {{ loadPyodide }} = await import("{home}/pyodide.mjs");
    const pyodide = await loadPyodide({options});
    pyodide.setStdout({{}});
"""
# The same from the memory of one that has started, which has nothing more in it: half of the processor's time.
SAVED = """
    const {{ loadPyodide }} = await import("{home}/pyodide.mjs");
    const {{ snapshot }} = await (await fetch("/dist/index.json")).json();
    const memory = snapshot ? {{ _loadSnapshot: fetch(`/dist/${{snapshot}}`).then((a) => a.arrayBuffer()) }} : {{}};
    const pyodide = await loadPyodide({{ ...memory, ...{options} }});
    pyodide.setStdout({{}});
"""
OWN = "/dist/pyodide"
NPM = "/node_modules/pyodide"
LOCKED = "".join(re.findall(r"`loadPyodide\((.+?)\)`", INSTALL))


def by_pyodide(site, line, home, options="{}", start=PYODIDE):
    """Run a line of JavaScript in Pyodide, then the program; the packages that Pyodide has then."""
    program = json.dumps(echo("js", site.address))
    script = start.format(home=home, options=options)
    site.run(f"{script}; {line}; pyodide.runPython({program}); window.pyodide = pyodide")
    assert site.title() == ECHOED
    return site.driver.execute_script("return pyodide.loadedPackages")


def by_micropip(site, line, start=PYODIDE):
    """Run a line of Python with micropip, then the program; the packages that micropip sees then."""
    line = line.replace("http://localhost:8000", site.origin)
    install = f'await pyodide.loadPackage("micropip"); await pyodide.runPythonAsync({json.dumps("import micropip")});'
    by_pyodide(site, f"{install} await pyodide.runPythonAsync({json.dumps(line)})", OWN, start=start)
    return site.driver.execute_script("return [...pyodide.runPython('sorted(micropip.list())').toJs()]")


def test_every_way_to_install_is_named():
    """Each line of the table is run below, with the version that it names; the README has some of them."""
    assert set(LINES) == {
        "CPython 3.11 and newer",
        "Pyodide",
        "Pyodide, by micropip",
        "Pyodide, by its lock file",
        "Pyodide, by what a program imports",
        "PyScript",
        "PyScript with MicroPython",
        "Brython",
    }
    readme = dict(LINE.findall(ROOT.joinpath("README.md").read_text("utf-8").partition("## Install")[2]))
    assert readme
    assert readme.items() <= LINES.items()


@pytest.mark.parametrize("home", [OWN, NPM])
def test_pyodide_loads_the_wheel(site, wheel, home):
    """By its address: nothing else comes, whichever Pyodide asks."""
    packages = by_pyodide(site, LINES["Pyodide"], home)
    assert packages == {"pyws_websocket": f"/dist/{wheel.name}"}
    assert site.wheels() == [f"/dist/{wheel.name}"]
    assert site.complaints() == []


@pytest.mark.parametrize("home, options", [(OWN, "{}"), (NPM, LOCKED)], ids=["own", "lockFileURL"])
@pytest.mark.parametrize("way", ["Pyodide, by its lock file", "Pyodide, by what a program imports"])
def test_pyodide_knows_it_by_name(site, wheel, way, home, options):
    """The lock file leads from the name, or from what is imported, to the wheel."""
    packages = by_pyodide(site, LINES[way], home, options, SAVED)
    assert packages == {"pyws-websocket": "default channel"}
    assert site.wheels() == [f"{OWN}/{wheel.name}"]
    assert site.complaints() == []


def test_micropip_installs_the_wheel(site, wheel):
    """By its address, with its requirements read and none of them found to hold in a page."""
    assert by_micropip(site, LINES["Pyodide, by micropip"]) == ["micropip", "pyws-websocket"]
    assert site.wheels()[1:] == [f"/dist/{wheel.name}"]
    assert site.complaints() == []


def test_micropip_knows_it_by_name(site, wheel):
    """The lock file spares micropip the question to PyPI."""
    assert by_micropip(site, 'await micropip.install("pyws-websocket")', SAVED) == ["micropip", "pyws-websocket"]
    assert site.wheels()[1:] == [f"{OWN}/{wheel.name}"]
    assert site.complaints() == []


@pytest.mark.parametrize("package", ["pyws-websocket", "/dist/{}"])
def test_pyscript_installs_its_packages(site, wheel, package):
    """By name or address: PyScript has micropip do it, and asks nobody else."""
    package = package.format(wheel.name)
    tag = LINES["PyScript"].replace("pyws-websocket", package)
    core = '<script type="module" src="/node_modules/@pyscript/core/dist/core.js"></script>'
    site.open(f"{core}\n{tag}\n{echo('js', site.address)}</script>")
    assert site.title() == ECHOED
    assert site.wheels()[1:] == [package if package.startswith("/") else f"{OWN}/{wheel.name}"]
    assert site.complaints() == []


def test_pyscript_unpacks_it_for_micropython(site, wheel):
    """By its address; nothing else comes, and nobody else is asked."""
    core = '<script type="module" src="/node_modules/@pyscript/core/dist/core.js"></script>'
    site.open(f"{core}\n{LINES['PyScript with MicroPython']}\n{echo('js', site.address)}</script>")
    assert site.title() == ECHOED
    assert site.wheels() == [f"/dist/{wheel.name}"]
    assert site.complaints() == []


@pytest.mark.parametrize("library", [[], [f"{BRYTHON}/brython_stdlib.js"]], ids=["alone", "stdlib"])
def test_brython_imports_the_script(site, library):
    """One line after Brython's own, which may or may not have its standard library with it."""
    open_brython(site, library, echo("browser", site.address))
    assert site.title() == ECHOED
    assert sorted(site.requests()) == sorted([f"{BRYTHON}/brython.min.js", *library, "/dist/pyws.brython.js"])
    assert site.complaints() == []


def open_brython(site, library, program):
    """Show a page of Brython that loads pyws as the page says, and runs a program."""
    lines = "\n".join(f'<script src="{path}"></script>' for path in [f"{BRYTHON}/brython.min.js", *library])
    site.open(f'{lines}\n{LINES["Brython"]}\n<script type="text/python">{program}</script>')


def test_brython_reports_without_its_library(site):
    """Where no `sys` can be imported, an exception in a listener is told to the console, and the next listener runs."""
    open_brython(site, [], REPORT)
    assert site.title() == "next"
    assert [line for line in site.console() if "ValueError: told" in line]
    assert "/dist/pyws.brython.js" in site.requests()
    assert not [name for name in site.requests() if "sys" in name]


REPORT = """
from browser import document
from pyws import Event, EventTarget

def fail(event):
    raise ValueError("told")

def succeed(event):
    document.title = "next"

target = EventTarget()
target.addEventListener("test", fail)
target.addEventListener("test", succeed)
target.dispatchEvent(Event("test"))
"""


def test_brython_script_is_as_small_as_said(made):
    """The page states its size, to a thousand bytes."""
    (said,) = re.findall(r"The script for Brython has less than ([\d,]+) bytes", INSTALL)
    assert 0 < int(said.replace(",", "")) - made[1].stat().st_size <= 1000


def run(*command, folder, **environment):
    """Run a program elsewhere than in the checkout, which must be to its own satisfaction; what it prints."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=folder, env={**environ, **environment}, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_pip_installs_the_wheel(made, tmp_path):
    """In a virtual environment with nothing in it: the package is there, and what it needs, and talks to a server."""
    import serve

    command, *arguments = LINES["CPython 3.11 and newer"].split()
    assert command == "pip"
    python = new_environment(sys.executable, tmp_path)
    tmp_path.joinpath("dist").symlink_to(made[0].parent)
    run(sys.executable, "-m", "pip", "--python", python, *arguments, "--quiet", folder=tmp_path)
    with serve.echo() as address:
        tmp_path.joinpath("echo.py").write_text(echo("sys", address))
        told = run(python, "-I", "-W", "error", "-m", "pyws", "run", "echo.py", folder=tmp_path)
    where, answer = told.splitlines()
    assert Path(where).is_relative_to(tmp_path)
    assert answer == ECHOED


def new_environment(base, folder):
    """A virtual environment of that Python without even pip; its own Python."""
    run(base, "-m", "venv", "--without-pip", folder / "venv", folder=folder)
    return str(folder / "venv" / "bin" / "python")


def test_the_sources_make_the_same_wheel(wheel, archive, tmp_path):
    """Unpacked elsewhere, by pip: byte for byte but for the order, and so the archive holds all that a wheel needs."""
    import bundle

    run(
        sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet", str(archive),
        folder=tmp_path, SOURCE_DATE_EPOCH=bundle.ZIP_EPOCH,
    )  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == [wheel.name]
    assert bundle.with_licenses_last(tmp_path.joinpath(wheel.name).read_bytes()) == wheel.read_bytes()


def test_the_sources_are_all_there_is_to_check(archive):
    """Every file under version control but the settings of git and of the checks' host, and no other."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a clone of the repository")
    wanted = {name for name in tracked.stdout.split("\0") if name and not name.startswith((".ci/", ".gitignore"))}
    with tarfile.open(archive) as files:
        found = {name.partition("/")[2] for name in files.getnames()}
    assert found - {"PKG-INFO"} == wanted


def test_the_same_sources_make_the_same_bytes(made, tmp_path, monkeypatch):
    """Made again, elsewhere, nothing differs."""
    import bundle

    first = bundle.DIST
    for memory in first.glob("*.snapshot"):  # of an interpreter: it takes long, and is not the same
        tmp_path.joinpath(memory.name).symlink_to(memory)
    monkeypatch.setattr(bundle, "DIST", tmp_path)
    again = {path.name for path in bundle.build()}
    files = [path.relative_to(tmp_path) for path in tmp_path.rglob("[!.]*") if path.is_file()]
    assert again == {path.name for path in made}
    assert again | {"index.json", "pyodide-lock.json"} <= {path.name for path in files}
    assert [path for path in files if tmp_path.joinpath(path).read_bytes() != first.joinpath(path).read_bytes()] == []


def test_what_has_not_changed_is_not_made_again(made, tmp_path, monkeypatch):
    """A file that is changed, new or gone makes a difference, among the sources and among what is made of them."""
    import bundle

    monkeypatch.setattr(bundle, "build_all", lambda: pytest.fail("made again"))
    assert bundle.build() == made
    sources = bundle.digest()
    copy = tmp_path / "copy"
    not_sources = (".git", ".venv*", ".*_cache", "dist", "node_modules", "wheels", "__pycache__")
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*not_sources))
    monkeypatch.setattr(bundle.environment, "ROOT", copy)
    assert bundle.digest() == sources
    example = copy / "web" / "examples" / "echo.py"
    text = example.read_bytes()
    for change in (
        lambda: example.write_bytes(text.replace(b"echo", b"ehco", 1)),
        lambda: example.write_bytes(text),
        lambda: example.chmod(0o700),
        lambda: example.rename(example.with_name("other.py")),
        lambda: copy.joinpath("pyws", "new.py").touch(),
    ):
        before = bundle.digest()
        change()
        assert bundle.digest() != before
    folder = tmp_path / "dist"
    folder.joinpath("pyodide").mkdir(parents=True)
    monkeypatch.setattr(bundle, "DIST", folder)
    file = folder / "pyodide" / "file"
    for change in (file.touch, lambda: file.write_text("x"), lambda: os.utime(file, (0, 0)), file.unlink):
        before = bundle.state(sources, [])
        change()
        assert bundle.state(sources, []) != before


def test_the_index_takes_it(wheel, archive, tmp_path):
    """What PyPI asks of an upload: metadata that is valid, a README that can be shown."""
    told = run(sys.executable, "-m", "twine", "check", "--strict", str(wheel), str(archive), folder=tmp_path)
    assert told.count("PASSED") == 2


def test_the_lock_file_is_that_of_pyodides_own_tool(made, tmp_path):
    """`pyodide lockfile add-wheels` of pyodide-build, which needs Python 3.12, makes the same bytes."""
    import bundle
    import environment

    here = f"3.{sys.version_info.minor}", sys.executable
    able = [(version, program) for version, program in [here, *environment.other_pythons()] if version != "3.11"]
    if not able:
        pytest.skip("no Python 3.12 or newer")
    python = new_environment(able[0][1], tmp_path)
    group = f"{ROOT / 'pyproject.toml'}:demo"
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--quiet",
        "--no-compile",
        "--group",
        group,
        folder=tmp_path,
    )
    wheels = sorted(str(path) for path in bundle.DIST.joinpath("pyodide").glob("*.whl"))
    original = bundle.PYODIDE / "pyodide-lock.json"
    pyodide = str(Path(python).parent / "pyodide")
    run(pyodide, "lockfile", "add-wheels", "--input", original, "--output", "lock", *wheels, folder=tmp_path)
    assert bundle.DIST.joinpath("pyodide/pyodide-lock.json").read_bytes() == tmp_path.joinpath("lock").read_bytes()


def test_the_wheel_is_pure(wheel):
    """One wheel for every platform, holding the package and nothing else."""
    assert wheel.name.endswith("-py3-none-any.whl")
    with ZipFile(wheel) as archive:
        folders = {name.partition("/")[0] for name in archive.namelist() if ".dist-info/" not in name}
    assert folders == {"pyws"}


def test_the_wheel_needs_nothing_in_a_page(wheel):
    """Under Emscripten no requirement holds, with the extras or without; elsewhere each does with one of them."""
    with ZipFile(wheel) as archive:
        (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        fields = Parser().parsestr(archive.read(metadata).decode())
    requirements = [Requirement(line) for line in fields.get_all("Requires-Dist", [])]
    assert requirements

    def holds(requirement, platform, extra):
        return requirement.marker is None or requirement.marker.evaluate({"sys_platform": platform, "extra": extra})

    extras = ["connect", "speed", "testing"]
    assert not [r for r in requirements if any(holds(r, "emscripten", extra) for extra in ["", *extras])]
    assert all(any(holds(r, sys.platform, extra) for extra in extras) for r in requirements)
    optional = [r.name for r in requirements if not holds(r, sys.platform, "")]
    assert optional == ["prompt_toolkit", "isal", "zlib-ng", "trustme"]

"""JupyterLite and marimo with the notebooks of web/notebooks: pages that load nothing from another host.

Each page is made by the command of its makers; the groups of pyproject.toml have the versions. As these commands make
them, pages load Pyodide and packages from public addresses: here they get npm's Pyodide and wheels that were
downloaded once.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile

from pyws.commands import packing

import bundle
import environment
import wheels

FOLDER = bundle.DIST / "notebooks"
TOOLS = FOLDER / "tools"
SOURCES = environment.WEB / "notebooks"
PROJECT = environment.ROOT / "pyproject.toml"
GROUPS = ["notebooks", "jupyterlite-page", "marimo-page"]
ADDRESS = "ws://127.0.0.1:8765/"  # of the server in the notebooks
CORE = ["pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip"]
# marimo asks `uv` for a ruff that tells which modules a notebook imports.
UV = f"""#!/bin/sh
while [ "$1" != analyze ]; do shift; done
exec "{sys.executable}" -m ruff "$@"
"""


def prepare():
    """Get what the pages are made of, unless it is there: tools/test.py begins with it, beside other tests."""
    with wheels.locked(FOLDER / ".lock"):
        stamp = FOLDER / ".ready"
        pins = tomllib.loads(PROJECT.read_text())["dependency-groups"]
        state = json.dumps([[pins[name] for name in GROUPS], pyodide_version(), sys.version])
        if stamp.exists() and stamp.read_text() == state:
            return
        for folder in [TOOLS, pool("jupyterlite"), pool("marimo")]:
            shutil.rmtree(folder, ignore_errors=True)
        wheels.pip("install", "--no-compile", "--target", TOOLS, *group("notebooks"))
        pins = [f"{package['name']}=={package['version']}" for package in in_pyodide("ipython", "jedi")]
        wheels.pip("download", *wheels.PYODIDE, "--dest", pool("jupyterlite"), *group("jupyterlite-page"), *pins)
        wheels.pip("download", *wheels.PYODIDE, "--dest", pool("marimo"), *group("marimo-page"))
        for name in ("bin", "home"):
            FOLDER.joinpath(name).mkdir(exist_ok=True)
        uv = FOLDER / "bin" / "uv"
        uv.write_text(UV)
        uv.chmod(0o755)
        stamp.write_text(state)


def pool(name):
    """The folder of the wheels that a page loads."""
    return FOLDER / f"{name}-wheels"


def group(name):
    return ["--group", f"{PROJECT}:{name}"]


def pyodide_lock():
    return json.loads(bundle.PYODIDE.joinpath("pyodide-lock.json").read_bytes())


def in_pyodide(*names):
    """What Pyodide's lock file says of packages and of all that they need."""
    packages, found, waiting = pyodide_lock()["packages"], {}, list(names)
    while waiting:
        name = waiting.pop().replace("_", "-")
        if name not in found:
            found[name] = packages[name]
            waiting += packages[name]["depends"]
    return found.values()


def environ():
    """The environment of a program that finds the tools, and keeps what it writes in a home of its own."""
    path = os.pathsep.join([str(FOLDER / "bin"), os.environ["PATH"]])
    return {**os.environ, "HOME": str(FOLDER / "home"), "PATH": path, "PYTHONPATH": str(TOOLS)}


def call(folder, *command):
    """Run a module of the tools in a folder."""
    command = [sys.executable, "-m", *map(str, command)]
    done = subprocess.run(command, cwd=folder, env=environ(), capture_output=True, text=True, timeout=200)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")


def hashed(wheel):
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def jupyterlite(address):
    """Build the site with the notebook, with the address of a server; where it lies."""
    source, site = FOLDER / "jupyterlite", FOLDER / "jupyterlite-site"
    for folder in (source, site):
        shutil.rmtree(folder, ignore_errors=True)
    pyodide = source / "static" / "pyodide"
    pyodide.mkdir(parents=True)
    source.joinpath("pypi").mkdir()
    lock = pyodide_lock()
    by_file = {package["file_name"]: package for package in lock["packages"].values()}
    for wheel in [*pool("jupyterlite").glob("*.whl"), *bundle.DIST.glob("pyodide/micropip-*.whl")]:
        if wheel.name in by_file:
            by_file[wheel.name]["sha256"] = hashed(wheel)  # Pyodide packs its wheels again
            shutil.copy2(wheel, pyodide)
        else:
            shutil.copy2(wheel, source / "pypi")
    for name in CORE:
        shutil.copy2(bundle.PYODIDE / name, pyodide)
    pyodide.joinpath("pyodide-lock.json").write_text(json.dumps(lock))
    for wheel in [*bundle.DIST.glob("*.whl"), *wheels.files("websockets-17")]:
        shutil.copy2(wheel, source / "pypi")
    kernel = {"@jupyterlite/pyodide-kernel-extension:kernel": {"disablePyPIFallback": True}}
    settings = {"exposeAppInBrowser": True, "contentsAllJsonFile": "all.json", "litePluginSettings": kernel}
    configuration = {"jupyter-lite-schema-version": 0, "jupyter-config-data": settings}
    source.joinpath("jupyter-lite.json").write_text(json.dumps(configuration))
    extensions = f"--FederatedExtensionAddon.extra_labextensions_path={TOOLS}/share/jupyter/labextensions"
    build = ["jupyterlite_core", "build", "--output-dir", site, "--apps", "notebooks", "--no-sourcemaps"]
    call(source, *build, extensions)
    # The command would do this for notebooks in `files/`, but only with a whole Jupyter server.
    notebook = jupyter_notebook(address)
    site.joinpath("files").mkdir()
    site.joinpath("files", "echo.ipynb").write_text(notebook, "utf-8")
    entry = {"name": "echo.ipynb", "path": "echo.ipynb", "type": "notebook", "format": "json", "writable": True}
    entry |= {"created": "2026-01-01T00:00:00Z", "last_modified": "2026-01-01T00:00:00Z", "content": None}
    entry |= {"mimetype": None, "size": len(notebook)}
    listing = site / "api" / "contents" / "all.json"
    listing.parent.mkdir(parents=True)
    listing.write_text(json.dumps({**entry, "name": "", "path": "", "type": "directory", "content": [entry]}))
    return site


def jupyter_notebook(address):
    """The text of the notebook for Jupyter, with the address of a server."""
    return SOURCES.joinpath("echo.ipynb").read_text("utf-8").replace(ADDRESS, address)


def marimo(address):
    """Export the notebook for marimo, with the address of a server; where it lies."""
    source, site = FOLDER / "marimo", FOLDER / "marimo-site"
    for folder in (source, site):
        shutil.rmtree(folder, ignore_errors=True)
    source.mkdir()
    text = SOURCES.joinpath("echo.py").read_text("utf-8")
    text = text.replace(ADDRESS, address).replace("../../dist/", f"{bundle.DIST}/")
    source.joinpath("echo.py").write_text(text, "utf-8")
    call(source, "marimo", "export", "html-wasm", "echo.py", "--output", site, "--mode", "edit")
    pyodide = site / "pyodide"
    pyodide.mkdir()
    pure_yaml(pyodide)
    for file in [
        *(bundle.PYODIDE / name for name in CORE),
        *pool("marimo").glob("*.whl"),
        *bundle.DIST.glob("pyodide/micropip-*.whl"),
        *wheels.files("websockets-17"),
    ]:
        shutil.copy2(file, pyodide)
    lock = pyodide_lock()
    lock["packages"] = {package["name"]: package for package in map(locked, pyodide.glob("*.whl"))}
    lock["packages"]["marimo-base"]["depends"] = sorted({*lock["packages"]} - {"marimo-base", "websockets"})
    pyodide.joinpath("pyodide-lock.json").write_text(json.dumps(lock))
    # The addresses that marimo itself writes into a page which it exports with `--offline`.
    addresses = "data-pyodide-index-url='./pyodide/' data-pyodide-lockfile-url='./pyodide/pyodide-lock.json'"
    exchange(site / "index.html", "<marimo-wasm ", f"<marimo-wasm {addresses} ")
    # marimo brings a part of Pyodide, which accepts no other version of the rest.
    for worker in site.glob("assets/*worker-*.js"):
        exchange(worker, "`314.0.0`", f"`{pyodide_version()}`")
    return site


def pyodide_version():
    return json.loads(bundle.PYODIDE.joinpath("package.json").read_bytes())["version"]


def exchange(path, before, after):
    text = path.read_text("utf-8")
    if before not in text:
        raise RuntimeError(f"{path} has no {before}")
    path.write_text(text.replace(before, after), "utf-8")


def locked(wheel):
    """What a lock file says of a wheel that needs nothing else."""
    name, version = wheel.name.split("-")[:2]
    names = [name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()]
    return {
        "name": name.replace("_", "-"),
        "version": version,
        "file_name": wheel.name,
        "sha256": hashed(wheel),
        "imports": sorted({name.removesuffix(".py") for name in names if not name.endswith((".dist-info", ".data"))}),
        "depends": [],
        "install_dir": "site",
        "package_type": "package",
        "unvendored_tests": False,
    }


def pure_yaml(folder):
    """Pack PyYAML without its part in C: there is no such wheel, and none for Pyodide on PyPI."""
    (metadata,) = TOOLS.glob("pyyaml-*.dist-info/METADATA")
    files = {path.relative_to(TOOLS).as_posix(): path.read_bytes() for path in [*TOOLS.glob("yaml/*.py"), metadata]}
    name = metadata.parent.name.removesuffix(".dist-info")
    folder.joinpath(f"{name}-py3-none-any.whl").write_bytes(packing.pure_wheel(files, metadata.parent.name))


def rows(outputs):
    """A row for each output of Jupyter and each line: what was shown or raised, then what was printed.

    The two streams do not keep their order among each other.
    """
    found, printed = [], {"stderr": "", "stdout": ""}
    for output in outputs:
        content = output.get("content", output)
        kind = output.get("output_type") or output["msg_type"]
        if kind == "stream":
            printed[content["name"]] += content["text"]
        elif kind == "error":
            found.append(f"failed: {content['ename']} {content['evalue']}")
        elif "data" in content:
            found.append(content["data"]["text/plain"])
    found += [f"stderr {line}" for line in traceback_rows(printed["stderr"])]
    return found + [f"stdout {line}" for line in printed["stdout"].splitlines()]


def traceback_rows(text):
    """The places in cells and the exceptions of a traceback."""
    lines = [re.sub(r"\x1b\[[\d;]*m", "", line).lstrip(" |+-") for line in text.splitlines()]
    return [line for line in lines if re.match(r"Cell In|\w+(Error|Group): ", line)]

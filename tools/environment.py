"""Set up what a command of this project needs, then run the command there.

The only home of set-up. Needs nothing but Python 3.11, and says in one sentence what is missing and what to do.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "web"
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

# A Debian package that tools and tests use, and the command by which to see that it is there, on any system.
DEBIAN = {
    "chromium": "chromium",
    "chromium-driver": "chromedriver",
    "dante-server": "danted",
    "firefox-esr": "firefox-esr",
    "microsocks": "microsocks",
    "nats-server": "nats-server",
    "npm": "npm",
    "squid": "squid",
    "tinyproxy-bin": "tinyproxy",
    "webkit2gtk-driver": "WebKitWebDriver",
    "xvfb": "xvfb-run",
}


class CommandError(Exception):
    """What went wrong and what to do about it: shown to the user without a traceback."""


def enter(group: str, debian: Sequence[str] = ()) -> None:
    """Make sure everything is there, and that this script runs in `.venv`: call it first in a command.

    `group` is a dependency group of pyproject.toml, `debian` a selection of DEBIAN.
    From here on a CommandError and Ctrl-C end the command with one line.
    """
    sys.excepthook = say
    if sys.version_info < (3, 11):  # noqa: UP036 - who has an older one should hear it from us
        raise CommandError("Python 3.11 or newer is needed: run this with a newer python3.")
    provide_debian([*debian, "npm"])
    provide_python(group)
    provide_npm()
    provide_wheels()
    if Path(sys.prefix).resolve() != VENV:
        sys.stdout.flush()
        os.execv(PYTHON, [str(PYTHON), *sys.argv])


def say(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """The `sys.excepthook` of commands."""
    if issubclass(kind, CommandError):
        print(error, file=sys.stderr)
    elif issubclass(kind, KeyboardInterrupt):
        print("\nInterrupted.", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


def provide_python(group: str) -> None:
    """Create `.venv` and install the checkout and a dependency group there, unless nothing has changed since."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if importlib.util.find_spec("ensurepip") is None and not PYTHON.exists():
        install_debian(["python3-venv"], "Python's venv module")
    provide_venv(VENV, getattr(sys, "_base_executable", sys.executable), version, group)


def provide_venv(folder: Path, base: str, version: str, group: str) -> Path:
    """Create a virtual environment of the Python `base`, with the checkout and a group; its Python."""
    configuration = folder / "pyvenv.cfg"
    python = folder / PYTHON.relative_to(VENV)
    found = re.search(r"^version\S* = (\d+\.\d+)", configuration.read_text(), re.M) if configuration.exists() else None
    ready = folder / ".ready"
    if not (found and found[1] == version and ready.exists() and python.exists()):
        with step(f"creating {folder.name} with Python {version}"):
            run([base, "-m", "venv", "--clear", str(folder)], f"Python could not create {folder.name}")
            # Dependency groups need a pip of 2025.
            pip(python, "install", "--upgrade", "pip>=25.1")
            ready.touch()
    stamp = folder / f".ready-{group}"
    state = fingerprint(ROOT / "pyproject.toml", configuration)
    if not stamp.exists() or stamp.read_text() != state:
        with step(f"installing pyws and the dependency group {group!r} in {folder.name}"):
            pip(python, "install", "--editable", str(ROOT), "--group", f"{ROOT / 'pyproject.toml'}:{group}")
            stamp.write_text(state)
    return python


def other_pythons() -> Iterator[tuple[str, str]]:
    """Every other Python of this machine that the package supports: version and program, on the path or of pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    for minor in range(11, 30):
        name = f"python3.{minor}"
        if minor == sys.version_info.minor:
            continue
        for program in filter(None, [shutil.which(name), *map(str, sorted(pyenv.glob(f"3.{minor}.*/bin/{name}")))]):
            # What lies on the path may be a stand-in that knows of no such version.
            if subprocess.run([program, "-c", "import ensurepip"], capture_output=True).returncode == 0:
                yield f"3.{minor}", program
                break


def provide_npm() -> None:
    """Install the interpreters that pages load in `web/node_modules`, unless nothing has changed since."""
    stamp = WEB / "node_modules" / ".ready"
    state = fingerprint(WEB / "package.json", WEB / "package-lock.json")
    if not stamp.exists() or stamp.read_text() != state:
        with step("installing Pyodide, PyScript, Brython, Node, Deno and Bun in web/node_modules"):
            npm = shutil.which("npm") or "npm"
            run([npm, "ci", "--no-audit", "--no-fund"], "npm could not install web/package-lock.json", WEB)
            stamp.write_text(state)


def provide_wheels() -> None:
    """Download the wheels that pages load, the group "page", to `web/wheels`, unless nothing has changed since."""
    folder = WEB / "wheels"
    stamp = folder / ".ready"
    state = fingerprint(ROOT / "pyproject.toml")
    if not stamp.exists() or stamp.read_text() != state:
        with step("downloading what pages install"):
            shutil.rmtree(folder, ignore_errors=True)
            # Meant for Pyodide's Python, not for the one that downloads.
            pip(
                PYTHON, "download", "--no-deps", "--only-binary", ":all:", "--python-version", "3.14",
                "--dest", str(folder), "--group", f"{ROOT / 'pyproject.toml'}:page",
            )  # fmt: skip
            stamp.write_text(state)


def which(command: str) -> str | None:
    """Return the path of a command; servers are often where only root looks."""
    return shutil.which(command, path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))


def provide_debian(packages: Sequence[str]) -> None:
    """Install those packages whose command is missing."""
    missing = [package for package in packages if which(DEBIAN[package]) is None]
    if missing:
        install_debian(missing, ", ".join(DEBIAN[package] for package in missing))
        gone = [DEBIAN[package] for package in missing if which(DEBIAN[package]) is None]
        if gone:
            raise CommandError(f"Missing on PATH, though just installed: {', '.join(gone)}. Add the folder to PATH.")


def install_debian(packages: Sequence[str], what: str) -> None:
    """Install Debian packages where that is possible; `what` they are, for the sentence where it is not."""
    apt = shutil.which("apt-get")
    names = " ".join(packages)
    if apt is None:
        raise CommandError(f"Missing: {what}. Install what Debian calls {names}, then run this again.")
    if os.geteuid() != 0:
        raise CommandError(f"Missing: {what}. Run 'sudo apt-get install {names}', then run this again.")
    install = [apt, "install", "--yes", "--no-install-recommends", *packages]
    with step(f"installing {names} with apt-get"):
        try:
            run(install, "")
        except CommandError:
            # The usual reason is a list of packages that is old, or not there yet.
            run([apt, "update"], f"Missing: {what}. apt-get could not update its lists")
            run(install, f"Missing: {what}. apt-get could not install {names}")
    importlib.invalidate_caches()


def pip(python: Path, *arguments: str) -> None:
    """Run the pip of a virtual environment."""
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    run(command, "pip could not install what is needed")


def run(command: Sequence[str], failure: str, folder: Path = ROOT) -> None:
    """Run a program quietly; if it fails, raise a CommandError: `failure` and the program's own last complaint."""
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        subprocess.run(
            command, cwd=folder, env=environ, check=True, text=True, errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except OSError as error:
        raise CommandError(f"{failure}: {error}.") from error
    except subprocess.CalledProcessError as error:
        lines = [line.strip() for line in error.stdout.splitlines() if line.strip()]
        # The end of a traceback says more than the program's summary after it.
        raised = [line for line in lines if re.match(r"[\w.]+Error: ", line)]
        complaints = [line for line in lines if re.match(r"error|E:|npm error", line, re.I)]
        reason = [*raised[-1:], *complaints, *lines[-1:], f"exit status {error.returncode}"][0]
        raise CommandError(f"{failure}: {reason}\nCheck the network connection, then run this again.") from error


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is being done, and how long it took."""
    print(f"{what} …", end=" ", flush=True)
    start = time.monotonic()
    try:
        yield
    except BaseException:
        print("failed", flush=True)
        raise
    print(f"{time.monotonic() - start:.1f} s", flush=True)


def fingerprint(*files: Path) -> str:
    """Of the content of files, and of the place of this checkout, which a virtual environment remembers."""
    parts = [str(ROOT).encode(), *(file.read_bytes() for file in files)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()

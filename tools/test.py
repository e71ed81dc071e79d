"""Run every check of this project.

python3 tools/test.py [--quick | --every-python] [arguments of pytest]
"""

import argparse
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence

import environment

BROWSERS = ["chromium", "chromium-driver", "firefox-esr", "webkit2gtk-driver", "xvfb"]
SERVERS = ["dante-server", "microsocks", "nats-server", "squid", "tinyproxy-bin"]

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        usage="python3 tools/test.py [-h] [--quick | --every-python] [arguments of pytest]",
        description="Run every check of this project.",
        allow_abbrev=False,
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--quick", action="store_true", help="only what needs no browser, with asyncio: in a minute")
    group.add_argument("--every-python", action="store_true", help="not only this one, the oldest and the newest")
    options, arguments = parser.parse_known_args()
    environment.enter("test", [] if options.quick else [*BROWSERS, *SERVERS])
    # Hundreds of Pythons run: each would compile the package and the tests anew, and pytest would rewrite all of them.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import bundle

# A cache of its own for each platform: they would throw away each other's.
STEPS = {
    "ruff check": ["-m", "ruff", "check"],
    "ruff format": ["-m", "ruff", "format", "--check"],
    "mypy": ["-m", "mypy", "--platform", "linux"],
    "mypy emscripten": ["-m", "mypy", "--platform", "emscripten", "--cache-dir", ".mypy_cache/emscripten", "pyws"],
    "mypy brython": ["-m", "mypy", "--platform", "brython", "--cache-dir", ".mypy_cache/brython", "pyws"],
    "mypy micropython": ["-m", "mypy", "--platform", "webassembly", "--cache-dir", ".mypy_cache/webassembly", "pyws"],
}
PYTEST = ["-m", "pytest", "--numprocesses"]
# Other people's test suite keeps both cores busy on its own, and must not be slowed down by looking at which lines run.
OUTSIDE = "tests/outside"
# Which lines of the package run, too; pyproject.toml says how many must. Tests that share a browser stay together; more
# groups at once than there are cores, for browsers often wait.
ALL = ["-m", "coverage", "run", *PYTEST, "5", f"--ignore={OUTSIDE}"]
# A browser does not know which Python drives it. Files that are marked so as a whole are not even imported, for they
# may need what other Pythons do not have.
ON_CPYTHON = ["--runtimes", "cpython", "-m", "not once"]
CPYTHON = [*PYTEST, "3", *ON_CPYTHON, "--no-debug"]
# Of each kind of loop, and of tasks that begin at once or later, but not each with each. Without input that is made by
# chance, and without the scenarios a second time, with the library doing all: neither depends on what differs between
# Pythons, which are asyncio and ssl. Of the commands, how `run` closes sockets shows that they start. The loop of the
# main Python is in debug mode; here it is as programs have it.
KINDS = "not (uvloop and not eager) and not (eager and not uvloop)"
OTHER = [
    *PYTEST,
    "3",
    "--runtimes",
    "cpython",
    "-m",
    "not once and not hypothesis",
    "-k",
    f"{KINDS} and not long_way and not test_connect.py and not test_record.py and (not test_run.py or closes)",
    "--no-debug",
]
QUICK = [*PYTEST, "5", *ON_CPYTHON, "-k", "not uvloop and not test_any_ and not long_way"]
ONCE = re.compile(r"^pytestmark = .*\bpytest\.mark\.once\b", re.M)

# The libraries that run over the bridge, and the pages of notebooks: whichever test needs them first would wait long.
PATH = "import sys; sys.path[:0] = ['tests', 'tests/kit', 'tools']; "
WHEELS = ["-c", PATH + "import wheels; wheels.prepare()"]
NOTEBOOKS = ["-c", PATH + "import notebooks; notebooks.prepare()"]

LIMIT = 2400
"""Seconds that a step may take: several times what it needs."""


class Lane:
    """Steps that run one after the other, whatever their outcome, beside those of another lane."""

    def __init__(self, steps: Mapping[str, Sequence[str]], shown: bool) -> None:
        self.rows: list[tuple[str, float, int]] = []
        self._steps = steps
        self._output = None if shown else subprocess.PIPE
        self._written: list[str] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        for name, command in self._steps.items():
            self._say(f"--- {name}\n")
            start = time.monotonic()
            try:
                done = subprocess.run(
                    command, cwd=environment.ROOT, timeout=LIMIT, text=True, stdout=self._output, stderr=self._output
                )
                self._say(f"{done.stdout or ''}{done.stderr or ''}")
                status = done.returncode
            except subprocess.TimeoutExpired as expired:
                self._say(f"{(expired.stdout or b'').decode()}\n{name} did not end within {LIMIT} s\n")
                status = 1
            self.rows.append((name, time.monotonic() - start, status))

    def _say(self, text: str) -> None:
        if self._output is None:
            print(text, end="", flush=True)
        else:
            self._written.append(text)

    def join(self) -> None:
        """Wait for the end of the last step, then show what was written, unless it has been."""
        self._thread.join()
        print(*self._written, sep="", flush=True)


def main(quick: bool, every_python: bool, arguments: Sequence[str]) -> int:
    """Run all steps and sum up."""
    start = time.monotonic()
    with environment.step("bundling what pages load"):
        bundle.build()
    tests = environment.ROOT.joinpath("tests").rglob("test_*.py")
    once = [f"--ignore={file}" for file in tests if ONCE.search(file.read_text("utf-8"))]
    beside = {name: [sys.executable, *command] for name, command in STEPS.items()}
    if quick:
        first = {"pytest": [sys.executable, *QUICK, *once, *arguments]}
    else:
        for file in environment.ROOT.glob(".coverage*"):
            file.unlink()
        thorough = ["--thorough"] if every_python else []
        first = {"pytest": [sys.executable, *ALL, *thorough, *arguments]}
        if arguments:  # a choice of tests, which covers less
            first = {"pytest": [sys.executable, *PYTEST, "5", *thorough, *arguments]}
        else:
            first["coverage combine"] = [sys.executable, "-m", "coverage", "combine", "--quiet"]
            first["coverage report"] = [sys.executable, "-m", "coverage", "report"]
            beside["pytest outside"] = [sys.executable, "-m", "pytest", OUTSIDE, *thorough]
        others = dict(environment.other_pythons())
        versions = sorted([f"3.{sys.version_info.minor}", *others], key=lambda version: int(version.partition(".")[2]))
        for version, program in others.items():
            if not every_python and version not in (versions[0], versions[-1]):
                continue
            folder = environment.ROOT / f".venv-{version}"
            python = environment.provide_venv(folder, program, version, "cpython")
            beside[f"pytest {version}"] = [str(python), *(CPYTHON if every_python else OTHER), *once, *arguments]
    # Side by side: where tests wait for a browser, another step goes on.
    more = {} if quick else {"wheels": [sys.executable, *WHEELS], "notebooks": [sys.executable, *NOTEBOOKS]}
    lanes = [Lane(more, shown=False), Lane(first, shown=True), Lane(beside, shown=False)]
    for lane in lanes:
        lane.join()
    print()
    rows = [row for lane in lanes for row in lane.rows]
    for name, seconds, status in rows:
        print(f"{name:16}{seconds:7.1f} s  {'FAILED' if status else 'ok'}")
    print(f"{'in all':16}{time.monotonic() - start:7.1f} s")
    return 1 if any(status for _, _, status in rows) else 0


if __name__ == "__main__":
    sys.exit(main(options.quick, options.every_python, arguments))

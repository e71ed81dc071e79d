"""Run every check of this project.

python3 tools/test.py [arguments of pytest]
"""

import re
import subprocess
import sys
import time

import environment

BROWSERS = ["chromium", "chromium-driver", "firefox-esr", "webkit2gtk-driver", "xvfb"]
PROXIES = ["dante-server", "microsocks", "squid", "tinyproxy-bin"]

if __name__ == "__main__":
    environment.enter("test", [*BROWSERS, *PROXIES])

import bundle

# Tests that share a runtime stay together; three groups at once keep two cores busy, for browsers often wait.
TOGETHER = ["--numprocesses", "3"]
STEPS = {
    "ruff check": ["-m", "ruff", "check"],
    "ruff format": ["-m", "ruff", "format", "--check"],
    "mypy": ["-m", "mypy", "--platform", "linux"],
    "mypy emscripten": ["-m", "mypy", "--platform", "emscripten", "pyws"],
    "mypy brython": ["-m", "mypy", "--platform", "brython", "pyws"],
    "pytest": ["-m", "pytest", *TOGETHER],
}
# What other Pythons of the machine run: a browser does not know which one drives it. Files that are marked so as a
# whole are not even imported, for they may need what those Pythons do not have.
ELSEWHERE = ["-m", "pytest", *TOGETHER, "--cells", "cpython", "-m", "not once"]
ONCE = re.compile(r"^pytestmark = .*\bpytest\.mark\.once\b", re.M)

LIMIT = 2400
"""Seconds that a step may take: several times what it needs."""


def main() -> int:
    """Run all steps, whatever their outcome, and sum up."""
    with environment.step("bundling what pages load"):
        bundle.build()
    steps = {name: [sys.executable, *command] for name, command in STEPS.items()}
    tests = environment.ROOT.joinpath("tests").rglob("test_*.py")
    once = [f"--ignore={file}" for file in tests if ONCE.search(file.read_text("utf-8"))]
    for version, program in environment.other_pythons():
        folder = environment.ROOT / f".venv-{version}"
        python = environment.provide_venv(folder, program, version, "cpython")
        steps[f"pytest {version}"] = [str(python), *ELSEWHERE, *once]
    rows = []
    for name, command in steps.items():
        arguments = sys.argv[1:] if name.startswith("pytest") else []
        print(f"--- {name}", flush=True)
        start = time.monotonic()
        try:
            status = subprocess.run([*command, *arguments], cwd=environment.ROOT, timeout=LIMIT).returncode
        except subprocess.TimeoutExpired:
            print(f"\n{name} did not end within {LIMIT} s", flush=True)
            status = 1
        rows.append((name, time.monotonic() - start, status))
    print()
    for name, seconds, status in rows:
        print(f"{name:16}{seconds:7.1f} s  {'FAILED' if status else 'ok'}")
    return 1 if any(status for _, _, status in rows) else 0


if __name__ == "__main__":
    sys.exit(main())

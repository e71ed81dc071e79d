"""Run every check of this project.

python3 tools/test.py [arguments of pytest]
"""

import subprocess
import sys
import time

import environment

if __name__ == "__main__":
    environment.enter("test", ["chromium", "chromium-driver", "firefox-esr", "webkit2gtk-driver", "xvfb"])

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
# What other Pythons of the machine run: a browser does not know which one drives it, Autobahn takes minutes.
ELSEWHERE = ["-m", "pytest", *TOGETHER, "--cells", "cpython", "-m", "not once", "--ignore", "tests/test_autobahn.py"]


def main() -> int:
    """Run all steps, whatever their outcome, and sum up."""
    with environment.step("bundling what pages load"):
        bundle.build()
    steps = {name: [sys.executable, *command] for name, command in STEPS.items()}
    for version, program in environment.other_pythons():
        folder = environment.ROOT / f".venv-{version}"
        steps[f"pytest {version}"] = [str(environment.provide_venv(folder, program, version, "cpython")), *ELSEWHERE]
    rows = []
    for name, command in steps.items():
        arguments = sys.argv[1:] if name.startswith("pytest") else []
        print(f"--- {name}", flush=True)
        start = time.monotonic()
        status = subprocess.run([*command, *arguments], cwd=environment.ROOT).returncode
        rows.append((name, time.monotonic() - start, status))
    print()
    for name, seconds, status in rows:
        print(f"{name:16}{seconds:7.1f} s  {'FAILED' if status else 'ok'}")
    return 1 if any(status for _, _, status in rows) else 0


if __name__ == "__main__":
    sys.exit(main())

"""Programs in a Python of their own, run to their end, and what the page of `python -m pyws serve` shows."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyws

PATH = str(Path(pyws.__file__).parent.parent)
SERVE = [sys.executable, "-X", "dev", "-m", "pyws", "serve"]
READY_WITHIN = 100  # seconds for a page to load its interpreter and run


def run(*arguments, **settings):
    """Run a page's script to its end: exit status, what it printed, what it complained of."""
    return python("-m", "pyws", "run", *arguments, **settings)


def python(*arguments, cwd=None, input=None, **environment):
    """Run Python to its end."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", *map(str, arguments)],
        capture_output=True,
        cwd=cwd,
        input=input,
        text=True,
        encoding="utf-8",
        timeout=90,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONPATH": PATH, **environment},
    )
    # With -X dev asyncio tells of slow steps: on a busy machine any is, and it says nothing of the program.
    errors = re.sub(r"^Executing .+ took [\d.]+ seconds\n", "", done.stderr, flags=re.M)
    return done.returncode, done.stdout, errors


@contextlib.contextmanager
def serving(*arguments, told=()):
    """Run the command on any free port; the address that it prints. It must end by Ctrl-C, and complain of nothing.

    `told` is what it must print while it runs, in any order; None for anything.
    """
    command = [*SERVE, "--port", "0", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": PATH, "PYTHONIOENCODING": "utf-8"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", env=environment
    ) as process:
        line = process.stdout.readline()
        try:
            assert "http://127.0.0.1:" in line, process.communicate()
            yield re.search(r"http://\S+", line)[0]
        finally:
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "interrupted\n")
    assert told is None or sorted(output.splitlines()) == sorted(told)


def shown(driver, text, state):
    """What the page shows, as soon as it has that text and is in that state."""
    patience = time.monotonic() + READY_WITHIN
    while True:
        output = driver.execute_script("return document.getElementById('output')?.textContent ?? ''")
        if text in output and driver.execute_script("return document.body.dataset.state") == state:
            return output
        assert time.monotonic() < patience, [output, *driver.get_log("browser")]
        time.sleep(0.2)  # each question takes processor time

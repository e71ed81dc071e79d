"""Programs in a Python of their own, run to their end, and what the page of `python -m pyws serve` shows."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pyws

PATH = str(Path(pyws.__file__).parent.parent)
READY_WITHIN = 60  # seconds for a page to load its interpreter and run


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
        timeout=30,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONPATH": PATH, **environment},
    )
    # With -X dev asyncio tells of slow steps: on a busy machine any is, and it says nothing of the program.
    errors = re.sub(r"^Executing .+ took [\d.]+ seconds\n", "", done.stderr, flags=re.M)
    return done.returncode, done.stdout, errors


def shown(driver, text, state):
    """What the page shows, as soon as it has that text and is in that state."""
    patience = time.monotonic() + READY_WITHIN
    while True:
        output = driver.execute_script("return document.getElementById('output')?.textContent ?? ''")
        if text in output and driver.execute_script("return document.body.dataset.state") == state:
            return output
        assert time.monotonic() < patience, [output, *driver.get_log("browser")]
        time.sleep(0.05)

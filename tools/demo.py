"""Run one script on CPython and, in a browser, on Pyodide and Brython; compare what it prints, then open the lab.

python3 tools/demo.py
python3 tools/demo.py --compare   to end after the comparison, as it does in CI
python3 tools/demo.py --serve     to open the lab at once, in a browser of your own
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
import unicodedata
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import SequenceMatcher
from itertools import zip_longest
from tempfile import TemporaryDirectory

import environment

parser = argparse.ArgumentParser(description="Compare what one script prints on CPython, Pyodide and Brython.")
parser.add_argument("--compare", action="store_true", help="end after the comparison, as in CI")
parser.add_argument("--serve", action="store_true", help="serve the lab without comparing")
parser.add_argument("--port", type=int, help="of the lab (default: 8000, or a free one if it is taken)")

if __name__ == "__main__":
    options = parser.parse_args()
    environment.enter("demo", [] if options.serve else ["chromium", "chromium-driver"])

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service

import bundle
import serve

SCRIPT = "examples/echo.py"
PAGES = ["Pyodide", "Brython"]  # the runtimes with which CPython is compared
LAST_EVENT = "close"  # the row that starts with this word is the journal's last
PATIENCE = 60  # seconds for one runtime
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

Journal = list[str]


def main(port: int | None, to_compare: bool, to_serve: bool) -> int:
    """Compare, and serve the lab until Ctrl-C; the exit status."""
    bundle.build()
    stays = to_serve or not (to_compare or os.environ.get("CI"))
    if port is None:
        port = serve.usual(serve.PORT) if stays else 0
    # Both stay when the comparison is over: a port that is taken is known at once.
    with serve.echo(serve.usual(serve.ECHO_PORT) if stays else 0) as address, serve.pages(port, address) as origin:
        status = 0 if to_serve else compare(origin, address)
        if stays:
            print()
            if has_desktop():
                webbrowser.open(f"{origin}/")
            serve.until_interrupted(origin, address)
    return status


def compare(origin: str, address: str) -> int:
    """Run the script everywhere and print the journals; the exit status."""
    with environment.step("CPython"):
        journals = {"CPython": run_here(address)}
    with chromium() as browser:
        for runtime in PAGES:
            with environment.step(f"{runtime} in Chromium"):
                journals[runtime] = run_page(browser, runtime, serve.page(origin, runtime.lower(), SCRIPT, address))
    differences = show(journals)
    if differences:
        print(f"\nThe journals differ in {differences} rows, marked ≠.")
        return 1
    print(f"\nThe {len(journals)} journals are identical: {len(journals['CPython'])} rows each.")
    return 0


def has_desktop() -> bool:
    """Whether somebody sits here, at a screen that can show a browser."""
    screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform in ("darwin", "win32")
    return sys.stdout.isatty() and bool(screen)


def run_here(address: str) -> Journal:
    """The journal on CPython."""
    command = [sys.executable, "-m", "pyws", "run", str(environment.WEB / SCRIPT), address]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", timeout=PATIENCE
        )
    except subprocess.TimeoutExpired as error:
        printed = (error.stdout or b"").decode()
        raise environment.CommandError(failure("CPython", f"did not end in {PATIENCE} s", printed)) from None
    if done.returncode:
        raise environment.CommandError(failure("CPython", f"failed with exit status {done.returncode}", done.stdout))
    return done.stdout.splitlines()


def run_page(browser: webdriver.Chrome, runtime: str, url: str) -> Journal:
    """The journal in a page."""
    browser.get(url)
    deadline = time.monotonic() + PATIENCE
    while True:
        state, lines = browser.execute_script(
            "const rows = document.querySelectorAll('#output span');"
            "return [document.body.dataset.state, Array.from(rows, row => row.textContent)]"
        )
        if state == "error":
            raise environment.CommandError(failure(runtime, "failed", "\n".join(lines)))
        if any(line.split(" ", 1)[0] == LAST_EVENT for line in lines):
            return list(lines)
        if time.monotonic() > deadline:
            raise environment.CommandError(failure(runtime, f"did not end in {PATIENCE} s", "\n".join(lines)))
        time.sleep(0.05)


def failure(runtime: str, what: str, printed: str) -> str:
    return f"{SCRIPT} {what} on {runtime}, where it printed:\n\n{printed.strip() or '(nothing)'}"


@contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    """A headless browser."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in FLAGS:
        options.add_argument(flag)
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        # In a session of its own the driver is still there after a Ctrl-C, to close the browser;
        # the browser leaves files behind in what it takes for the place of temporary ones.
        service = Service(
            shutil.which("chromedriver"), env={**os.environ, "TMPDIR": folder}, popen_kw={"start_new_session": True}
        )
        try:
            browser = webdriver.Chrome(options, service)
        except WebDriverException as error:
            reason = (error.msg or "no reason given").splitlines()[0]
            raise environment.CommandError(f"Chromium does not start: {reason}") from error
        try:
            yield browser
        finally:
            browser.quit()


def show(journals: dict[str, Journal]) -> int:
    """Print journals side by side, fitted to the terminal; the number of rows that differ."""
    room = shutil.get_terminal_size((120, 24)).columns - 2 - 3 * (len(journals) - 1)
    longest = max(width(line) for journal in journals.values() for line in journal)
    column = max(16, min(room // len(journals), longest))
    print()
    print_row(" ", [[name] for name in journals], column)
    print_row(" ", [["─" * column] for _ in journals], column)
    rows = aligned(list(journals.values()))
    for row in rows:
        mark = " " if len(set(row)) == 1 else "≠"
        print_row(mark, [wrapped(line, column) for line in row], column)
    return sum(len(set(row)) > 1 for row in rows)


def aligned(journals: Sequence[Journal]) -> list[list[str]]:
    """Rows of one line per journal, so that lines which journals share stand in one row; "" where one has none."""
    rows = [[line] for line in journals[0]]
    for done, journal in enumerate(journals[1:], 1):
        # The line that stands for a row is the first there is.
        known = [next(filter(None, row), "") for row in rows]
        merged = []
        for _, start, end, first, last in SequenceMatcher(None, known, journal, autojunk=False).get_opcodes():
            for row, line in zip_longest(rows[start:end], journal[first:last]):
                merged.append([*(row or [""] * done), line or ""])
        rows = merged
    return rows


def print_row(mark: str, cells: Sequence[Sequence[str]], column: int) -> None:
    for lines in zip_longest(*cells, fillvalue=""):
        print(mark, "   ".join(line + " " * (column - width(line)) for line in lines).rstrip())
        mark = " "


def wrapped(line: str, column: int) -> list[str]:
    """A line broken to fit its column, at a space where there is one; what follows is indented."""
    lines = []
    while width(line) > column:
        end = column
        while width(line[:end]) > column:
            end -= 1
        space = line.rfind(" ", 3, end + 1)
        end = space if space > 0 else end
        lines.append(line[:end])
        line = "  " + line[end:].lstrip()
    return [*lines, line]


def width(text: str) -> int:
    """Columns that a text takes in a terminal."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


if __name__ == "__main__":
    sys.exit(main(options.port, options.compare, options.serve))

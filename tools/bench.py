"""Measure pyws beside its peers, honestly: ratios of programs that take turns on this machine.

    python3 tools/bench.py [--quick] [--group NAME] [--rounds N] [--uvloop]

Each figure is one program's run, in a process of its own, against a server on another core. The programs take turns,
round after round; a ratio is pyws to a peer in the same round, and what is quoted is the median of the rounds with the
smallest and the largest. Prints one table, and which targets are met; draws one picture a group (*.svg) and keeps all
figures (figures.json): a full run in web/bench/, where it also renews the tables of web/docs/speed.md and of the
README, others in dist/bench/.
"""

import argparse
import contextlib
import json
import os
import platform
import re
import sys
import textwrap
from importlib.metadata import version
from pathlib import Path

import environment

if __name__ == "__main__":
    environment.enter("bench", ["chromium", "chromium-driver"])

from benchmark.field import Field
from benchmark.pages import picture, short_table, tables
from benchmark.results import Figures, Result, report
from benchmark.works import Work, works

FOLDER = environment.WEB / "bench"
SPEED = environment.WEB / "docs" / "speed.md"
README = environment.ROOT / "README.md"


def measure(field: Field, work: Work, rounds: int) -> Result:
    """Let all programs take turns."""
    names = ["pyws", *work.peers]
    figures: dict[str, list[Figures]] = {name: [] for name in names}
    for number in range(min(rounds, work.rounds or rounds)):
        for name in names if number % 2 == 0 else reversed(names):
            say(f"{work.group}: {work.label}, round {number + 1} of {rounds}, {name}")
            figures[name].append(field.take(work, name))
    say("")
    return Result(work, figures)


def say(progress: str) -> None:
    """One line of progress, which the next one overwrites; nothing where nobody looks."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{progress}", end="", file=sys.stderr, flush=True)


def machine() -> str:
    """What this was measured on."""
    names = ["websockets", "aiohttp", "picows"]
    model = "unknown processor"
    with contextlib.suppress(OSError):
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.M)
        model = found[1] if found else model
    libraries = ", ".join(f"{name} {version(name)}" for name in names)
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, CPython {platform.python_version()}, {libraries}"


def keep(folder: Path, results: list[Result]) -> None:
    """Write all figures, and draw a picture of each group."""
    raw = [{"group": one.work.group, "label": one.work.label, "figures": one.figures} for one in results]
    folder.joinpath("figures.json").write_text(json.dumps({"machine": machine(), "works": raw}, indent=1) + "\n")
    for group in dict.fromkeys(result.work.group for result in results):
        drawn = [result for result in results if result.work.group == group and result.work.drawn]
        folder.joinpath(f"{group.replace(' ', '-')}.svg").write_text(picture(group, drawn))


def renew(page: Path, text: str) -> None:
    """Put the tables where a page has them."""
    old = page.read_text("utf-8")
    new = re.sub(r"(<!-- bench -->\n).*?(\n<!-- /bench -->)", lambda match: match[1] + text + match[2], old, flags=re.S)
    page.write_text(new, "utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure pyws beside its peers.")
    parser.add_argument("--quick", action="store_true", help="fewer sizes, shorter runs, three rounds: about a minute")
    parser.add_argument("--group", help="only this group: 'as people use it', flood, echo, send, page, bridge …")
    parser.add_argument("--rounds", type=int, help="how often all programs take turns (default: 7)")
    parser.add_argument("--uvloop", action="store_true", help="all programs on uvloop instead of asyncio's own loop")
    options = parser.parse_args()
    rounds = options.rounds or (3 if options.quick else 7)
    chosen = [work for work in works(options.quick) if options.group in (None, work.group)]
    if not chosen:
        raise environment.CommandError(f"There is no group {options.group!r}.")
    # What the project shows comes from a full run; a part of one is only for whoever started it.
    full = not (options.quick or options.group or options.rounds or options.uvloop)
    folder = FOLDER if full else environment.ROOT / "dist" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    print(machine(), flush=True)
    results: list[Result] = []
    with Field(options.uvloop) as field:
        for work in chosen:
            results.append(measure(field, work, rounds))
            print(*report(results[-1]), sep="\n", flush=True)
            keep(folder, results)
    verdicts = [verdict for result in results for verdict in result.verdicts()]
    print("\nTargets")
    for met, measured in verdicts:
        print(f"{'met' if met else 'MISSED':8}{measured}")
    if full:
        origin = textwrap.fill(f"Medians of {rounds} rounds, on {machine()}.", 118)
        renew(SPEED, "\n".join([*tables(results), "", origin]))
        renew(README, "\n".join(short_table(results)))
    missed = sum(not met for met, _ in verdicts)
    print(f"\nPictures and figures are in {folder.relative_to(environment.ROOT)}/.", end=" ")
    print(f"{missed} of {len(verdicts)} targets missed." if missed else "Every target is met.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Measure pyws beside its peers, honestly: ratios of programs that take turns on this machine.

    python3 tools/bench.py [--quick] [--group NAME] [--rounds N] [--uvloop]

Each figure is one program's run, in a process of its own, against a raw server (see bench_peers.py) on another core.
The programs take turns, round after round; a ratio is pyws to a peer in the same round, and what is quoted is the
median of the rounds with the smallest and the largest. Prints one table, draws one picture a group (*.svg) and keeps
all figures (figures.json): a full run in web/bench/, where it also renews the table of web/docs/speed.md, others in
dist/bench/.
"""

import argparse
import contextlib
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import environment

if __name__ == "__main__":
    environment.enter("bench", ["chromium", "chromium-driver"])

PEERS = Path(__file__).with_name("bench_peers.py")
FOLDER = environment.WEB / "bench"
SPEED = environment.WEB / "docs" / "speed.md"
SERVER_CORE, CLIENT_CORE = 0, 1
PATIENCE = 120  # seconds for one figure

Figures = dict[str, Any]
LIBRARIES = ["websockets", "aiohttp", "picows", "bare"]
OVER_THE_BRIDGE = {"websockets": "websockets-17", "aiohttp": "aiohttp-3"}  # in tests/libraries/pins.toml
IMPORTS = {"pyws": "pyws", "websockets": "websockets.asyncio.client", "aiohttp": "aiohttp"}
SAY = {
    "bare": "bare asyncio (the limit)",
    "picows": "picows (a bare callback)",
    "javascript": "JavaScript (the limit)",
    "js.WebSocket": "js.WebSocket by hand",
    "window.WebSocket": "window.WebSocket by hand",
}


@dataclass
class Work:
    """One line of the table: what is done, and by whom besides pyws."""

    group: str
    label: str
    peers: list[str]
    arguments: dict[str, Any]
    quick: bool = False  # whether a quick run has it
    less_is_better: bool = False
    # What is met or missed: the least ratio to each peer.
    targets: tuple[float | None, ...] = ()

    @property
    def in_page(self) -> bool:
        """Whether a browser does it."""
        return self.group in ("page", "bridge")

    def value(self, figures: Figures) -> float:
        """What is compared: per second, or bytes, or seconds."""
        for name in ("p50", "bytes", "import"):
            if name in figures:
                return float(figures[name])
        return float(figures["n"] / figures["seconds"])

    def said(self, value: float) -> str:
        """A value, for people."""
        if self.group == "round trip" or self.group == "import":
            return f"{value * 1e6:,.0f} µs"
        if self.group == "idle":
            return f"{value / 1024:,.1f} KiB"
        return f"{value:,.0f}/s"


def works(quick: bool) -> list[Work]:
    """Everything that is measured."""
    sizes = {32: "32 B", 256: "256 B", 8192: "8 KiB", 1 << 20: "1 MiB"}
    less = 5 if quick else 1
    found = []
    for group, numbers in {
        "flood": (200_000, 200_000, 50_000, 1_000),
        "echo": (50_000, 50_000, 20_000, 400),
        "send": (100_000, 100_000, 30_000, 500),
    }.items():
        for (size, label), n in zip(sizes.items(), numbers, strict=True):
            large = size > 100_000
            in_flight = 4 if large else 64
            targets: tuple[float | None, ...] = ()
            if group == "flood" and size == 256:
                targets = (3.0, 1.0, 0.8)
            elif group == "echo":
                label += f", {in_flight} in flight"
                targets = (1.5, 2.0, 1.0) if large else (2.0, 1.2, 1.1)
            arguments = {"kind": group, "size": size, "n": n // less, "in_flight": in_flight}
            found.append(Work(group, label, LIBRARIES, arguments, size == 256 or large, targets=targets))
    arguments = {"kind": "round trip", "size": 256, "n": 10_000 // less}
    found.append(Work("round trip", "256 B, p50", LIBRARIES, arguments, True, True, (1.0, 1.0, 1 / 1.1)))
    for size, n, label in ((1024, 20_000, "JSON of 1 KiB"), (65536, 800, "JSON of 64 KiB")):
        arguments = {"kind": "documents", "size": size, "n": n // less, "in_flight": 16}
        found.append(Work("compressed", f"{label}, 16 in flight", ["websockets", "aiohttp"], arguments, size < 2000))
    found.append(
        Work("connections", "opened and closed", LIBRARIES, {"kind": "open and close", "n": 1000 // less}, True)
    )
    found.append(
        Work("idle", "memory of an idle one", LIBRARIES, {"kind": "idle", "n": 1000}, True, True, (1.0, None, None))
    )
    found.append(Work("import", "import", ["websockets", "aiohttp"], {"kind": "import"}, True, True, (1.0, None)))
    for runtime, hand in (("pyscript", "js.WebSocket"), ("brython", "window.WebSocket")):
        rivals = ["javascript", hand, *(["pyscript.WebSocket"] if runtime == "pyscript" else [])]
        for size, label, in_flight in ((256, "256 B", 64), (1 << 18, "256 KiB", 4)):
            for kind in ("text", "binary"):
                n = {"pyscript": (20_000, 800), "brython": (10_000, 60)}[runtime][size > 256] // less
                arguments = {"runtime": runtime, "kind": kind, "size": size, "n": max(n, 10), "in_flight": in_flight}
                if runtime == "pyscript":
                    targets = (0.9, 1.0, 100.0 if kind == "binary" and size > 256 else None)
                else:
                    targets = (0.8 if kind == "text" else 0.5 if size == 256 else 0.3, None)
                name = "Pyodide" if runtime == "pyscript" else "Brython"
                found.append(Work("page", f"{name}, {label} {kind}", rivals, arguments, size == 256, targets=targets))
    for size, label, kind, n, share in (
        (256, "256 B", "text", 10_000, 0.6),
        (1 << 16, "64 KiB", "text", 1_000, 0.8),
        (1 << 18, "256 KiB", "binary", 400, 0.8),
    ):
        arguments = {"runtime": "bridge", "kind": kind, "size": size, "n": n // less, "in_flight": 32}
        peers = list(OVER_THE_BRIDGE)
        found.append(Work("bridge", f"{label} {kind}, 32 in flight", peers, arguments, True, targets=(share, share)))
    return found


class Field:
    """Where the figures are taken: the server, the browser, the processes."""

    def __init__(self, uvloop: bool) -> None:
        self.uvloop = uvloop
        self._stack = contextlib.ExitStack()
        self._pages: dict[str, Any] = {}

    def __enter__(self) -> "Field":
        command = [sys.executable, str(PEERS), "server", "--core", str(SERVER_CORE)]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._stack.enter_context(server)  # which ends when its input does
        assert server.stdout is not None
        self.address = server.stdout.readline().strip()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def take(self, work: Work, name: str) -> Figures:
        """One figure."""
        if work.in_page:
            return self._in_page(work, name)
        if work.group == "import":
            return imported(IMPORTS[name])
        command = [sys.executable, PEERS, name, work.arguments["kind"], self.address, "--core", str(CLIENT_CORE)]
        for option in ("size", "n", "in_flight"):
            if option in work.arguments:
                command += [f"--{option.replace('_', '-')}", str(work.arguments[option])]
        done = subprocess.run([*command, *["--uvloop"] * self.uvloop], capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode:
            raise environment.CommandError(f"{name} failed at {work.group}, {work.label}:\n{done.stderr.strip()}")
        figures: Figures = json.loads(done.stdout)
        return figures

    def _in_page(self, work: Work, name: str) -> Figures:
        details = work.arguments
        driver = self._page(details["runtime"])
        path = "binary" if details["kind"] == "binary" else "echo"
        url = f"{self.address}/{path}?size={details['size']}"
        # A peer that is a hundred times slower need not do it as often.
        n = max(8, details["n"] // 50) if name == "pyscript.WebSocket" and details["kind"] == "binary" else details["n"]
        seconds = driver.execute_async_script(
            "const [given, done] = arguments; measure(...given).then(done, (error) => done(String(error)))",
            [name, url, details["kind"], details["size"], n, details["in_flight"]],
        )
        if not isinstance(seconds, (int, float)):
            raise environment.CommandError(f"{name} failed at {work.label} in the page: {seconds}")
        return {"n": n, "seconds": seconds}

    def _page(self, runtime: str) -> Any:
        if runtime not in self._pages:
            import bundle
            import demo
            import serve

            if not self._pages:
                bundle.build()
                self._origin = self._stack.enter_context(serve.pages())
            driver = self._stack.enter_context(demo.chromium())
            driver.set_script_timeout(PATIENCE)
            query = urlencode([("wheel", path) for path in bridge_wheels()]) if runtime == "bridge" else ""
            driver.get(f"{self._origin}/bench/{runtime}.html?{query}")
            deadline = time.monotonic() + PATIENCE
            while not driver.execute_script("return typeof measure == 'function'"):
                if time.monotonic() > deadline:
                    raise environment.CommandError(f"web/bench/{runtime}.html does not start: open it in a browser.")
                time.sleep(0.1)
            self._pages[runtime] = driver
        return self._pages[runtime]


def bridge_wheels() -> list[str]:
    """The addresses of the wheels of OVER_THE_BRIDGE on the server of pages; they are downloaded once."""
    pins = tomllib.loads(environment.ROOT.joinpath("tests", "libraries", "pins.toml").read_text("utf-8"))
    wheels = sorted({wheel for name in OVER_THE_BRIDGE.values() for wheel in pins[name]["wheels"]})
    folder = environment.ROOT / "dist" / "bench" / "wheels"
    stamp = folder / ".ready"
    if not stamp.exists() or stamp.read_text() != str(wheels):
        shutil.rmtree(folder, ignore_errors=True)
        with environment.step("downloading the libraries that run over the bridge"):
            options = (
                "--platform any --implementation py --abi none --python-version 3.14 --only-binary :all: --no-deps"
            )
            environment.pip(environment.PYTHON, "download", *options.split(), "--dest", str(folder), *wheels)
        stamp.write_text(str(wheels))
    return [f"/dist/bench/wheels/{path.name}" for path in sorted(folder.glob("*.whl"))]


def imported(module: str) -> Figures:
    """Seconds that the import of a compiled module takes, in an interpreter of its own."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([sys.executable, "-c", f"import {module}"], env=environ, check=True)
    command = [sys.executable, "-X", "importtime", "-c", f"import {module}"]
    lines = subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stderr.splitlines()
    return {"import": int(lines[-1].split("|")[1]) / 1e6}


@dataclass
class Result:
    """The figures of a work, by program, round by round."""

    work: Work
    figures: dict[str, list[Figures]]

    def values(self, name: str) -> list[float]:
        return [self.work.value(figures) for figures in self.figures[name]]

    def ratios(self, peer: str) -> list[float]:
        """How many times better pyws was, in each round; of the bridge, which part of the speed of pyws is left."""
        pairs = zip(self.values("pyws"), self.values(peer), strict=True)
        if self.work.group == "bridge":
            return [theirs / ours for ours, theirs in pairs]
        return [theirs / ours if self.work.less_is_better else ours / theirs for ours, theirs in pairs]

    def share(self, name: str) -> float:
        """What a program reached of what pyws did."""
        if name == "pyws":
            return 1.0
        ratio = statistics.median(self.ratios(name))
        return ratio if self.work.group == "bridge" else 1 / ratio

    def verdict(self, peer: str) -> str:
        """Whether the target is met, if there is one."""
        targets = dict(zip(self.work.peers, self.work.targets, strict=False))
        target = targets.get(peer)
        if target is None:
            return ""
        return f"{'met' if statistics.median(self.ratios(peer)) >= target * 0.995 else 'MISSED'} (≥ {target:.2g})"


def measure(field: Field, work: Work, rounds: int) -> Result:
    """Let all programs take turns."""
    names = ["pyws", *work.peers]
    figures: dict[str, list[Figures]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            say(f"{work.group}: {work.label}, round {number + 1} of {rounds}, {name}")
            figures[name].append(field.take(work, name))
    say("")
    return Result(work, figures)


def say(progress: str) -> None:
    """One line of progress, which the next one overwrites; nothing where nobody looks."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{progress}", end="", file=sys.stderr, flush=True)


def report(result: Result) -> Iterator[str]:
    """The lines of a work in the table."""
    work = result.work
    ours = result.values("pyws")
    figures = result.figures["pyws"]
    extra = ""
    if "cpu" in figures[0]:
        extra = f", {statistics.median(one['cpu'] / one['n'] for one in figures) * 1e6:,.2f} µs of CPU each"
    if "p99" in figures[0]:
        extra += f", p99 {statistics.median(one['p99'] for one in figures) * 1e6:,.0f} µs"
    yield f"{work.group}: {work.label}: pyws {work.said(statistics.median(ours))}{extra}"
    for peer in work.peers:
        ratios = result.ratios(peer)
        theirs = work.said(statistics.median(result.values(peer)))
        yield (
            f"    {statistics.median(ratios):6.2f} × {SAY.get(peer, peer):26} "
            f"[{min(ratios):.2f} … {max(ratios):.2f}]  {theirs:>14}  {result.verdict(peer)}"
        )


COLORS = {"pyws": "#0969da", "bare": "#8c959f", "javascript": "#8c959f"}


def picture(group: str, results: list[Result]) -> str:
    """Bars: each program's value to that of pyws, more to the right is better."""
    bar, gap, left, width = 18, 26, 210, 760
    rows: list[str] = []
    top = 34
    most = 2.0
    rows.append(f'<text x="12" y="22" font-size="15" font-weight="bold">{escape(group)}</text>')
    for result in results:
        rows.append(f'<text x="12" y="{top + 13}" font-weight="bold">{escape(result.work.label)}</text>')
        top += 22
        for name in ["pyws", *result.work.peers]:
            ratio = result.share(name)
            value = result.work.said(statistics.median(result.values(name)))
            length = min(ratio, most) / most * (width - left - 170)
            arrow = " →" if ratio > most else ""
            rows.append(f'<text x="{left - 8}" y="{top + 13}" text-anchor="end">{escape(SAY.get(name, name))}</text>')
            rows.append(
                f'<rect x="{left}" y="{top}" width="{max(length, 1):.0f}" height="{bar - 4}" rx="3" '
                f'fill="{COLORS.get(name, "#bf8700")}"/>'
            )
            rows.append(f'<text x="{left + length + 6:.0f}" y="{top + 12}">{ratio:.2f}{arrow} · {value}</text>')
            top += bar
        top += gap - bar
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top + 6}" font-family="system-ui, sans-serif" '
        f'font-size="12"><title>{escape(group)}: pyws is 1, longer is better</title>'
        f'<rect width="{width}" height="{top + 6}" rx="8" fill="#fff"/>' + "\n".join(rows) + "</svg>\n"
    )


def machine() -> str:
    """What this was measured on."""
    names = ["websockets", "aiohttp", "picows"]
    model = "unknown processor"
    with contextlib.suppress(OSError):
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.M)
        model = found[1] if found else model
    libraries = ", ".join(f"{name} {version(name)}" for name in names)
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, CPython {platform.python_version()}, {libraries}"


def table(results: list[Result], rounds: int) -> str:
    """The tables of web/docs/speed.md."""
    lines = [
        "| | pyws | " + " | ".join(f"to {name}" for name in ("websockets", "aiohttp", "picows")) + " |",
        "|---|---:|---:|---:|---:|",
    ]
    for result in results:
        work = result.work
        if work.in_page:
            continue
        cells = []
        for peer in ("websockets", "aiohttp", "picows"):
            cells.append(f"{statistics.median(result.ratios(peer)):.2f} ×" if peer in work.peers else "")
        ours = work.said(statistics.median(result.values("pyws")))
        lines.append(f"| {work.group}: {work.label} | {ours} | {' | '.join(cells)} |")
    lines += ["", "| In a page | pyws | to JavaScript | to the runtime's own by hand | to pyscript.WebSocket |"]
    lines += ["|---|---:|---:|---:|---:|"]
    for result in results:
        work = result.work
        if work.group == "page":
            cells = [f"{statistics.median(result.ratios(peer)):.2f} ×" for peer in work.peers]
            ours = work.said(statistics.median(result.values("pyws")))
            lines.append(f"| {work.label} | {ours} | {' | '.join([*cells, ''][:3])} |")
    lines += ["", "| Over the bridge, in Pyodide | pyws itself | websockets | aiohttp |", "|---|---:|---:|---:|"]
    for result in results:
        work = result.work
        if work.group == "bridge":
            cells = [f"{result.share(peer):.2f} ×" for peer in work.peers]
            lines.append(
                f"| {work.label} | {work.said(statistics.median(result.values('pyws')))} | {' | '.join(cells)} |"
            )
    lines += ["", f"Medians of {rounds} rounds, on {machine()}."]
    return "\n".join(lines)


def renew_tables(text: str) -> None:
    """Put the tables where web/docs/speed.md has them."""
    old = SPEED.read_text("utf-8")
    new = re.sub(r"(<!-- bench -->\n).*?(\n<!-- /bench -->)", lambda match: match[1] + text + match[2], old, flags=re.S)
    SPEED.write_text(new, "utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure pyws beside its peers.")
    parser.add_argument("--quick", action="store_true", help="fewer sizes, shorter runs, three rounds: about a minute")
    parser.add_argument("--group", help="only this group: flood, echo, send, 'round trip', page, bridge …")
    parser.add_argument("--rounds", type=int, help="how often all programs take turns (default: 7)")
    parser.add_argument("--uvloop", action="store_true", help="all programs on uvloop instead of asyncio's own loop")
    options = parser.parse_args()
    rounds = options.rounds or (3 if options.quick else 7)
    chosen = [work for work in works(options.quick) if options.group in (None, work.group)]
    chosen = [work for work in chosen if work.quick or not options.quick]
    if not chosen:
        raise environment.CommandError(f"There is no group {options.group!r}.")
    print(machine(), flush=True)
    results = []
    with Field(options.uvloop) as field:
        for work in chosen:
            results.append(measure(field, work, rounds))
            print(*report(results[-1]), sep="\n", flush=True)
    # What the project shows comes from a full run; a part of one is only for whoever started it.
    full = not (options.quick or options.group or options.rounds or options.uvloop)
    folder = FOLDER if full else environment.ROOT / "dist" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    for group in dict.fromkeys(result.work.group for result in results):
        drawn = picture(group, [result for result in results if result.work.group == group])
        folder.joinpath(f"{group.replace(' ', '-')}.svg").write_text(drawn)
    if full:
        renew_tables(table(results, rounds))
    raw = [{"group": one.work.group, "label": one.work.label, "figures": one.figures} for one in results]
    folder.joinpath("figures.json").write_text(json.dumps({"machine": machine(), "works": raw}, indent=1) + "\n")
    missed = sum("MISSED" in one.verdict(peer) for one in results for peer in one.work.peers)
    print(f"\nPictures and figures are in {folder.relative_to(environment.ROOT)}/.", end=" ")
    print(f"{missed} targets missed." if missed else "Every target is met.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

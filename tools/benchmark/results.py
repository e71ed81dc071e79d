"""What was measured: ratios of programs that took turns, and whether they meet the targets."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .documents import bytes_at_level_6
from .works import LEVEL_6, USUAL, Target, Work

Figures = dict[str, Any]
WINDOWS = {"websockets": 12, "aiohttp": 15}  # bits, by server, of the window with which a client may compress
SAY = {
    "bare": "bare asyncio (the limit)",
    "picows": "picows (a bare callback)",
    "picows, text": "picows (takes the text)",
    "javascript": "JavaScript (the limit)",
    "js.WebSocket": "js.WebSocket by hand",
    "window.WebSocket": "window.WebSocket by hand",
}


@dataclass
class Result:
    """The figures of a work, by program, round by round."""

    work: Work
    figures: dict[str, list[Figures]]

    def values(self, name: str) -> list[float]:
        """What a program did: per second, or bytes, or seconds."""
        return [self.work.value(figures) for figures in self.figures[name]]

    def typical(self, name: str, figure: str) -> float:
        """The median of one figure of a program."""
        return float(statistics.median(figures[figure] for figures in self.figures[name]))

    def ratios(self, peer: str, ours: str = "pyws") -> list[float]:
        """How many times better pyws was, in each round; of the bridge, which part of the speed of pyws is left."""
        pairs = zip(self.values(ours), self.values(peer), strict=True)
        if self.work.group == "bridge":
            return [theirs / ours for ours, theirs in pairs]
        return [theirs / ours if self.work.less_is_better else ours / theirs for ours, theirs in pairs]

    @property
    def has_cpu(self) -> bool:
        """Whether the time of CPU was taken."""
        return "cpu" in self.figures["pyws"][0]

    def cpu_ratios(self, peer: str, ours: str = "pyws") -> list[float]:
        """How many times as much time of CPU the peer took, in each round."""
        pairs = zip(self.figures[ours], self.figures[peer], strict=True)
        return [(theirs["cpu"] / theirs["n"]) / (ours["cpu"] / ours["n"]) for ours, theirs in pairs]

    def share(self, name: str) -> float:
        """What a program reached of what pyws did."""
        if name == "pyws":
            return 1.0
        ratio = statistics.median(self.ratios(name))
        return ratio if self.work.group == "bridge" else 1 / ratio

    def level_6(self) -> float:
        """Bytes of a frame if zlib's default level had made it, with the window that the server demands."""
        return bytes_at_level_6(self.work.arguments["size"], self.work.arguments["n"], WINDOWS[self.work.server])

    def verdicts(self) -> Iterator[tuple[bool, str]]:
        """Whether each target is met, and by which figures."""
        for target in self.work.targets:
            yield self.verdict(target)

    def verdict(self, target: Target) -> tuple[bool, str]:
        """Whether a target is met, and by which figures; the clock's time and that of the CPU both count."""
        work = self.work
        if target.peer == LEVEL_6:
            ratio = self.typical(target.ours, "sent") / self.level_6()
            met, measured = ratio <= target.ratio, f"{ratio:.2f} × the bytes of {LEVEL_6} (at most {target.ratio:g})"
        else:
            ratios = {"": statistics.median(self.ratios(target.peer, target.ours))}
            if work.group == USUAL and self.has_cpu:
                ratios = {"wall ": ratios[""], "CPU ": statistics.median(self.cpu_ratios(target.peer, target.ours))}
            met = min(ratios.values()) >= target.ratio * 0.995
            measured = ", ".join(f"{name}{ratio:.2f} ×" for name, ratio in ratios.items())
            measured += f" {SAY.get(target.peer, target.peer)} (at least {target.ratio:.2g})"
        return met, f"{work.group}: {work.label}: {target.ours} {measured}"


def spread(ratios: list[float]) -> str:
    """The median, the smallest and the largest."""
    return f"{statistics.median(ratios):6.2f} × [{min(ratios):.2f} … {max(ratios):.2f}]"


def report(result: Result) -> Iterator[str]:
    """The lines of a work."""
    work = result.work
    yield f"{work.group}: {work.label}"
    for name in result.figures:
        value = work.said(statistics.median(result.values(name)))
        columns = [f"    {SAY.get(name, name):25}{value:>12}"]
        columns.append("" if name == "pyws" else spread(result.ratios(name)))
        if result.has_cpu:
            cpu = statistics.median(figures["cpu"] / figures["n"] for figures in result.figures[name]) * 1e6
            columns.append(f"CPU {cpu:,.2f} µs")
            columns.append("" if name == "pyws" else spread(result.cpu_ratios(name)))
        if "p99" in result.figures[name][0]:
            columns.append(f"p99 {result.typical(name, 'p99') * 1e6:,.0f} µs")
        if "sent" in result.figures[name][0]:
            columns.append(f"bytes {result.typical(name, 'sent'):,.0f} ↑ {result.typical(name, 'received'):,.0f} ↓")
        widths = (0, 28, 16, 28, 0)
        yield "  ".join(f"{column:{width}}" for column, width in zip(columns, widths, strict=False)).rstrip()

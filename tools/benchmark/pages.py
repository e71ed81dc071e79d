"""What pages show of the results: tables for web/docs/speed.md and the README, and pictures."""

import statistics
from collections.abc import Iterator
from html import escape

from .results import SAY, Result
from .works import DEFAULTS, USUAL

COLORS = {
    "pyws": "#0969da",
    "pyws[speed]": "#54aeff",
    "pyws[speed], fast": "#54aeff",
    "bare": "#8c959f",
    "javascript": "#8c959f",
}


def times(ratios: list[float]) -> str:
    """The median of ratios."""
    return f"{statistics.median(ratios):.2f}"


def ours(result: Result) -> str:
    """What pyws did."""
    return result.work.said(statistics.median(result.values("pyws")))


def usual_tables(results: list[Result]) -> Iterator[str]:
    """The tables of the group "as people use it"."""
    found = [result for result in results if result.work.group == USUAL]
    yield "| Wall, CPU | pyws | " + " | ".join(f"to {name}" for name in DEFAULTS) + " |"
    yield "|---" + "|---:" * (1 + len(DEFAULTS)) + "|"
    for result in found:
        cells = []
        for peer in DEFAULTS:
            ratios = [times(result.ratios(peer))] if peer in result.figures else []
            if ratios and result.has_cpu:
                ratios.append(times(result.cpu_ratios(peer)))
            cells.append(f"{', '.join(ratios)} ×" if ratios else "")
        yield f"| {result.work.label} | {ours(result)} | {' | '.join(cells)} |"
    yield ""
    yield "| Bytes sent, received | pyws | " + " | ".join(DEFAULTS) + " | zlib's level 6 would send |"
    yield "|---" + "|---:" * (2 + len(DEFAULTS)) + "|"
    for result in found:
        if result.work.scheme == "ws:":
            cells = [
                f"{result.typical(name, 'sent'):,.0f}, {result.typical(name, 'received'):,.0f}"
                if name in result.figures
                else ""
                for name in ["pyws", *DEFAULTS]
            ]
            is_message = result.work.arguments["kind"] == "documents"
            cells.append(f"{result.level_6():,.0f}" if is_message else "")
            yield f"| {result.work.label} | {' | '.join(cells)} |"


def tables(results: list[Result]) -> Iterator[str]:
    """All tables of web/docs/speed.md."""
    yield from usual_tables(results)
    yield ""
    peers = ("websockets", "aiohttp", "aiohttp, receive()", "picows", "picows, text")
    yield "| The client alone | pyws | " + " | ".join(f"to {name}" for name in peers) + " |"
    yield "|---" + "|---:" * (1 + len(peers)) + "|"
    for result in results:
        work = result.work
        if not work.in_page and work.group != USUAL:
            cells = [f"{times(result.ratios(peer))} ×" if peer in work.peers else "" for peer in peers]
            yield f"| {work.group}: {work.label} | {ours(result)} | {' | '.join(cells)} |"
    yield ""
    yield "| In a page | pyws | to JavaScript | to the runtime's own by hand | to pyscript.WebSocket |"
    yield "|---" + "|---:" * 4 + "|"
    for result in results:
        if result.work.group == "page":
            cells = [f"{times(result.ratios(peer))} ×" for peer in result.work.peers]
            yield f"| {result.work.label} | {ours(result)} | {' | '.join([*cells, ''][:3])} |"
    yield ""
    yield "| Over the bridge, in Pyodide | pyws itself | websockets | aiohttp |"
    yield "|---" + "|---:" * 3 + "|"
    for result in results:
        if result.work.group == "bridge":
            cells = [f"{result.share(peer):.2f} ×" for peer in result.work.peers]
            yield f"| {result.work.label} | {ours(result)} | {' | '.join(cells)} |"


def short_table(results: list[Result]) -> Iterator[str]:
    """The table of the README: of two servers, the one by which pyws is worse."""
    peers = ("websockets", "aiohttp, compress=15")
    yield "| | to websockets | to aiohttp, `compress=15` |"
    yield "|---|---:|---:|"
    sizes = ("256 B", "1 KiB", "64 KiB")
    lines = [
        ("pyws", "echo, `ws:` 256 B, 1 KiB, 64 KiB", [f"ws: {size}," for size in sizes]),
        ("pyws[speed]", "with `pyws-websocket[speed]`", [f"ws: {size}," for size in sizes]),
        ("pyws", "echo, `wss:`", [f"wss: {size}," for size in sizes]),
        ("pyws", "open and close, `ws:`, `wss:`", ["ws: open", "wss: open"]),
        ("pyws", "idle memory, `wss:`", ["wss: memory of an idle connection, after"]),
    ]
    for ours, label, beginnings in lines:
        cells = []
        for peer in peers:
            worst = []
            for beginning in beginnings:
                found = [result for result in results if result.work.label.startswith(beginning)]
                of_each = [(one.cpu_ratios if one.has_cpu else one.ratios)(peer, ours) for one in found]
                worst.append(f"{min(statistics.median(ratios) for ratios in of_each):.2f}")
            cells.append(f"{', '.join(worst)} ×")
        yield f"| {label} | {' | '.join(cells)} |"


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
        for name in result.figures:
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

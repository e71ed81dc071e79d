"""The page that shows which library runs where, `web/libraries.html`: libraries down, runtimes across.

`conftest.py` hands over what the tests of tests/bridge/test_libraries.py have found; a full run writes the page. It is
one file that needs no other, and no script.
"""

import html
import re
from pathlib import Path

import wheels
from runtimes import RUNTIMES

TESTS = Path(__file__).parents[1]
TEMPLATE = TESTS / "pages" / "libraries.html"
PAGE = TESTS.parent / "web" / "libraries.html"

SAME, DEVIATES, FAILED = "same", "deviates", "failed"
SIGNS = {SAME: "●", DEVIATES: "◆", FAILED: "✕"}
WORDS = {SAME: "as expected", DEVIATES: "a deviation with a name", FAILED: "failed"}

# What a library plays, by the key of pins.toml that names the script.
KINDS = {
    "script": "its conversation, as on CPython",
    "blocking": "a script that blocks, as on CPython",
    "refusals": "what a page cannot do",
    "program": "a whole program that ends with asyncio.run",
}
# The runtimes, by browser: the head of the table.
COLUMNS = {
    "Chromium": {
        "pyodide-chromium": "page",
        "pyodide-worker-chromium": "worker",
        "pyscript-chromium": "PyScript",
        "pyodide-chromium-strict": "strict",
    },
    "Firefox": {"pyodide-firefox": "page", "pyodide-worker-firefox": "worker"},
    "WebKit": {"pyodide-webkit": "page", "pyodide-worker-webkit": "worker"},
    "Node": {"pyodide-node": "normal", "pyodide-node-strict": "strict"},
    "Deno": {"pyodide-deno": "normal"},
    "Bun": {"pyodide-bun": "normal"},
}
IDS = [id for columns in COLUMNS.values() for id in columns]
# Deno and Bun differ from Node in the WebSocket below the bridge, and strict pages in how messages cross: each library
# meets both in the same way. There only these play, one for each kind of connection.
OF_FEW = {"pyodide-deno", "pyodide-bun", "pyodide-node-strict", "pyodide-chromium-strict"}
FEW = {"websockets-17", "aiohttp-3", "websocket-client-1"}
assert set(IDS) == {runtime.id for runtime in RUNTIMES if runtime.id.startswith(("pyodide", "pyscript"))}


def rows():
    """The rows of the table: the library, the kind, the script."""
    return [(name, kind, pins[kind]) for name, pins in wheels.PINS.items() for kind in KINDS if kind in pins]


def is_played(name, id):
    """Whether a library plays in that runtime."""
    return name in FEW or id not in OF_FEW


def marked():
    """What each mark of the table is of: the library, the kind, the runtime."""
    return [(name, kind, id) for name, kind, _ in rows() for id in IDS if is_played(name, id)]


def is_complete(found):
    """Whether `found`, {(name, kind, id): what a test has recorded}, has a result for each mark of the table."""
    return set(marked()) <= set(found)


def write(found):
    """Write the page. A record is the mark, a sentence about the deviation or "", the runtime, and the journal."""
    marks = [found[key][0] for key in marked()]
    counts = [f'<span class="{mark}">{SIGNS[mark]} {marks.count(mark)}</span> {WORDS[mark]}' for mark in SIGNS]
    about = {key[2]: found[key][2] for key in marked()}
    parts = {
        "summary": f"{len(wheels.PINS)} libraries in {len(IDS)} runtimes: {', '.join(counts)}.",
        "head": head(),
        "body": "\n".join(row(name, kind, found) for name, kind, _ in rows()),
        "runtimes": "\n".join(
            f"<tr><th scope=row>{html.escape(f'{browser}, {label}')}<td>{html.escape(about[id])}"
            for browser, columns in COLUMNS.items()
            for id, label in columns.items()
        ),
        "libraries": "\n".join(section(name, found) for name in wheels.PINS),
    }
    page = TEMPLATE.read_text()
    for key, text in parts.items():
        page = page.replace("{{" + key + "}}", text)
    PAGE.write_text(page)


def head():
    """The two rows above the marks."""
    first = "".join(f"<th scope=colgroup colspan={len(columns)}>{name}" for name, columns in COLUMNS.items())
    second = "".join(
        f"<th scope=col id={id}><span>{label}</span>" for columns in COLUMNS.values() for id, label in columns.items()
    )
    return f"<tr><th rowspan=2 scope=col>Library{first}\n<tr>{second}"


def row(name, kind, found):
    """A library's marks."""
    says = f"{title(name)}</a> {version(name)}" if kind == "script" else f"<small>{KINDS[kind]}</small></a>"
    first = f'<tr id="{name}-{kind}" class={kind}><th scope=row><a href="#{name}">{says}'
    cells = (cell(name, kind, id, *found[name, kind, id][:2]) if is_played(name, id) else "<td>" for id in IDS)
    return first + "".join(cells)


def cell(name, kind, id, mark, sentence):
    """One mark; its words are for who points at it, and for who cannot see it."""
    words = f"{title(name)} in {id}, {KINDS[kind]}: {WORDS[mark]}{f', {sentence}' if sentence else ''}"
    link = f'<a class={mark} href="#{name}" title="{html.escape(words)}">{SIGNS[mark]}<i>{html.escape(words)}</i></a>'
    return f"<td>{link}"


def section(name, found):
    """A library: what it is made of, what its scripts do, its deviations, and what it has printed."""
    pins = wheels.PINS[name]
    does = prose(sentence(pins.get("does", "the same script")))
    lines = [f'<section id="{name}"><h3>{title(name)} {version(name)}</h3>', f"<p>{does}</p>"]
    lines += [
        f'<p><a href="../tests/libraries/{pins[kind]}">{pins[kind]}</a>: {words}</p>'
        for kind, words in KINDS.items()
        if kind in pins
    ]
    deviations = {}
    for kind in KINDS:
        for id in IDS:
            if (name, kind, id) in found and found[name, kind, id][0] != SAME:
                deviations.setdefault(tuple(found[name, kind, id][:2]), []).append(id)
    lines += [
        f"<p class={mark}>{SIGNS[mark]} {html.escape(sentence)} <small>({', '.join(ids)})</small></p>"
        for (mark, sentence), ids in deviations.items()
    ]
    first = next(kind for kind in KINDS if kind in pins)
    printed = html.escape("\n".join(found[name, first, IDS[0]][3]))
    lines.append(f"<details><summary>What it prints</summary><pre>{printed}</pre></details>")
    lines.append(f"<p class=quiet>{', '.join(pin.replace('==', ' ') for pin in wheels.pins([name], *wheels.KEYS))}</p>")
    return "\n".join([*lines, "</section>"])


def table():
    """The lines of the table in web/docs/bridge.md: libraries that differ in the version only share one."""
    lines = {}
    for name, pins in wheels.PINS.items():
        if "script" not in pins:
            continue
        does = " ".join(pins.get("does", "").split())
        lines.setdefault(pins.get("title", name), []).append((version(name), does))
    for text, found in lines.items():
        versions = ", ".join(version for version, _ in found)
        does = "; ".join(filter(None, (does for _, does in reversed(found))))
        yield f"| {text} | {versions} | {does} |"


def title(name):
    return html.escape(wheels.PINS[name].get("title", re.sub(r"-[\d.]+$", "", name)))


def version(name):
    """The version of the library itself: its pin is the first one."""
    return wheels.pins([name], *wheels.KEYS)[0].partition("==")[2]


def sentence(text):
    return f"{text[:1].upper()}{text[1:]}."


def prose(text):
    """Text with `code` in it."""
    return re.sub(r"`(.+?)`", r"<code>\1</code>", html.escape(text))

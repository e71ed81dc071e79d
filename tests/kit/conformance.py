"""The picture of a test run, `web/conformance.html`: scenarios down, cells across, each journal a click away.

`conftest.py` hands over what every cell wrote. One journal everywhere is the aim: where a cell differs, the scenario
must name the deviation of that cell's engine in a comment, else the page says so in red and the test run fails. What a
deviation is stands in deviations.tsv; the page shows it at its marks, and all of them in a table.
"""

import ast
import json
import re
from pathlib import Path

from requirements import DEVIATIONS

TESTS = Path(__file__).parents[1]
TEMPLATE = TESTS / "pages" / "conformance.html"
PAGE = TESTS.parent / "web" / "conformance.html"
EQUAL, DEVIATES, FAILED = "equal", "deviates", "failed"
ENGINES = ["CPython", "Chromium", "Firefox", "WebKit", "Node", "Brython"]


def deviations():
    """The deviations that each scenario names, as {scenario: [(row, "Firefox and WebKit")]}."""
    found = {}
    for path in TESTS.glob("scenarios/*.py"):
        source = path.read_text()
        lines = source.splitlines()
        for node in ast.parse(source).body:
            if isinstance(node, ast.AsyncFunctionDef):
                body = "\n".join(lines[node.lineno - 1 : node.end_lineno])
                found[node.name] = re.findall(r"# Deviation: (\S+), (.+)$", body, re.M)
    return found


def compare(played, cells, scenarios):
    """The results as the page reads them; `played` is {(scenario, cell id): what the cell's `run` returned}.

    `cells` are those of `runtimes.py`, `scenarios` is stage.SCENARIOS.
    """
    named = deviations()
    rows = []
    for name, scenario in scenarios.items():
        journals, results = [], []
        for cell in cells:
            result = played.get((name, cell.id))
            if result is None:
                results.append(None)
                continue
            if result["journal"] not in journals:
                journals.append(result["journal"])
            which = [f"{row}, {who}" for row, who in named[name] if concerns(who, cell.engine)]
            failed = result["error"] or result["journal"] != result["expected"]
            results.append([journals.index(result["journal"]), which, FAILED if failed else EQUAL, result["error"]])
        # What cells without a named deviation wrote is what the standard says; they must agree.
        plain = [result[0] for result in results if result and not result[1] and result[2] == EQUAL]
        law = max(plain, key=plain.count, default=0)
        for result in filter(None, results):
            if result[2] == EQUAL and result[0] != law:
                result[2] = DEVIATES if result[1] else FAILED
        rows.append(
            {
                "name": name,
                "says": scenario.function.__doc__,
                "rows": scenario.ids,
                "law": law,
                "journals": journals,
                "results": results,
            }
        )
    about = {id: result["about"] for (_, id), result in played.items()}
    return {
        "cells": [{"id": cell.id, "about": about.get(cell.id, "")} for cell in cells],
        "deviations": explained(),
        "scenarios": rows,
    }


def explained():
    """All deviations, with their sentences, and the engines that each concerns."""
    return [
        {"row": row, "who": who, "says": sentence, "engines": [name for name in ENGINES if concerns(who, name.lower())]}
        for (row, who), sentence in DEVIATIONS.items()
    ]


def concerns(who, engine):
    """Whether "Firefox and WebKit", "every browser" or "everywhere" is this engine too."""
    browsers = ("chromium", "firefox", "webkit")
    return engine in who.lower() or (who == "every browser" and engine in browsers) or who == "everywhere"


def nameless(results):
    """What is red, as "scenario in cell" lines."""
    for row in results["scenarios"]:
        for cell, result in zip(results["cells"], row["results"], strict=True):
            if result and result[2] == FAILED:
                yield f"{row['name']} in {cell['id']}"


def write(results):
    """Write the page: one file that needs no other."""
    data = json.dumps(results, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    # A line for each scenario and each deviation, so that the file's history can be read.
    data = data.replace('{"name"', '\n{"name"').replace('{"row"', '\n{"row"')
    PAGE.write_text(TEMPLATE.read_text().replace("{{results}}", data))

"""The picture of a test run, `web/conformance.html`: scenarios down, runtimes across, each journal a click away.

`conftest.py` hands over what every runtime wrote. One journal everywhere is the aim: where a runtime differs, the
scenario must name the deviation of that runtime's engine in a comment, else the page says so in red and the test run
fails. What a deviation is stands in deviations.tsv; the page shows it at its marks, and all of them in a table.
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
ENGINES = ["CPython", "Chromium", "Firefox", "WebKit", "Node", "Deno", "Bun", "Brython", "MicroPython"]


def deviations():
    """The deviations that each scenario names, as {scenario: [(requirement, "Firefox and WebKit")]}."""
    found = {}
    for path in TESTS.glob("scenarios/*.py"):
        source = path.read_text()
        lines = source.splitlines()
        for node in ast.parse(source).body:
            if isinstance(node, ast.AsyncFunctionDef):
                body = "\n".join(lines[node.lineno - 1 : node.end_lineno])
                found[node.name] = re.findall(r"# Deviation: (\S+), (.+)$", body, re.M)
    return found


def compare(played, runtimes, scenarios):
    """The results as the page reads them; `played` is {(scenario, runtime id): what the runtime's `run` returned}.

    `runtimes` are those of `runtimes.py`, `scenarios` is stage.SCENARIOS.
    """
    named = deviations()
    rows = []
    for name, scenario in scenarios.items():
        journals, results = [], []
        for runtime in runtimes:
            result = played.get((name, runtime.id))
            if result is None:
                results.append(None)
                continue
            if result["journal"] not in journals:
                journals.append(result["journal"])
            which = [f"{id}, {who}" for id, who in named[name] if concerns(who, runtime.engine, runtime.python)]
            failed = result["error"] or result["journal"] != result["expected"]
            results.append([journals.index(result["journal"]), which, FAILED if failed else EQUAL, result["error"]])
        # What runtimes without a named deviation wrote is what the standard says; they must agree.
        plain = [result[0] for result in results if result and not result[1] and result[2] == EQUAL]
        law = max(plain, key=plain.count, default=0)
        for result in filter(None, results):
            if result[2] == EQUAL and result[0] != law:
                result[2] = DEVIATES if result[1] else FAILED
        rows.append(
            {
                "name": name,
                "says": scenario.function.__doc__,
                "requirements": scenario.ids,
                "law": law,
                "journals": journals,
                "results": results,
            }
        )
    about = {id: result["about"] for (_, id), result in played.items()}
    return {
        "runtimes": [{"id": runtime.id, "about": about.get(runtime.id, "")} for runtime in runtimes],
        "deviations": explained(),
        "scenarios": rows,
    }


def explained():
    """All deviations, with their sentences, and the engines that each concerns."""
    return [
        {
            "requirement": id,
            "who": who,
            "says": sentence,
            "engines": [name for name in ENGINES if concerns(who, name.lower())],
        }
        for (id, who), sentence in DEVIATIONS.items()
    ]


def concerns(who, engine, python=""):
    """Whether "Firefox and WebKit", "every browser" or "everywhere" is this engine, or this interpreter, too."""
    browsers = ("chromium", "firefox", "webkit")
    if python and python in who.lower():
        return True
    return engine in who.lower() or (who == "every browser" and engine in browsers) or who == "everywhere"


def nameless(results):
    """What is red, as "scenario in runtime" lines."""
    for row in results["scenarios"]:
        for runtime, result in zip(results["runtimes"], row["results"], strict=True):
            if result and result[2] == FAILED:
                yield f"{row['name']} in {runtime['id']}"


def write(results):
    """Write the page: one file that needs no other."""
    data = json.dumps(results, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    # A line for each scenario and each deviation, so that the file's history can be read.
    data = data.replace('{"name"', '\n{"name"').replace('{"requirement"', '\n{"requirement"')
    PAGE.write_text(TEMPLATE.read_text().replace("{{results}}", data))

"""Every scenario in every runtime: the journal must equal what the scenario returns."""

import difflib
import itertools

import pytest

from stage import SCENARIOS

numbers = itertools.count()
journals = {}  # by scenario, then by runtime: what the other runtimes wrote


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(runtime, peer, name, record_property):
    result = runtime.run(name, peer.origin, f"{name}-{next(numbers)}")
    record_property("played", [name, runtime.id, {"about": runtime.about, **result}])
    others = {id: journal for id, journal in journals.get(name, {}).items() if journal != result["journal"]}
    if result["journal"]:
        journals.setdefault(name, {})[runtime.id] = result["journal"]
    if result["error"] or result["journal"] != result["expected"]:
        pytest.fail(report(name, runtime.id, result, others), pytrace=False)


def report(name, id, result, others):
    """What was expected beside what came, and beside each journal of another runtime that differs."""
    scenario = SCENARIOS[name]
    parts = [f"{name} in {id} ({', '.join(scenario.ids)}): {scenario.function.__doc__}"]
    if result["error"]:
        parts.append(result["error"])
    if result["journal"] != result["expected"]:
        parts.append(columns("expected", result["expected"], id, result["journal"]))
    parts += [columns(id, result["journal"], other, journal) for other, journal in others.items()]
    return "\n\n".join(parts)


def columns(left_title, left, right_title, right):
    """Two lists side by side, aligned, a mark where they differ."""
    left, right = list(map(str, left)), list(map(str, right))
    width = max(map(len, [left_title, *left]))
    lines = [f"  {left_title:{width}}  |  {right_title}"]
    for tag, start, end, start2, end2 in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        for a, b in itertools.zip_longest(left[start:end], right[start2:end2], fillvalue=""):
            lines.append(f"{'  ' if tag == 'equal' else '≠ '}{a:{width}}  |  {b}")
    return "\n".join(lines)

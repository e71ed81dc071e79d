"""The coverage of the specification: no row without a proof, no proof of a row that is not there."""

import re
from pathlib import Path

import pytest

from requirements import ROWS, UNPROVED, proofs

pytestmark = pytest.mark.once


def test_every_row_is_proved_or_says_why_not():
    """A row has scenarios or tests, or else a reason; never both."""
    found = proofs()
    assert [row for row, places in found.items() if row not in ROWS] == []
    assert [row for row in ROWS if not found[row] and row not in UNPROVED] == []
    assert [row for row in UNPROVED if found[row]] == []
    assert all(reason.endswith(".") for reason in UNPROVED.values())


def test_every_scenario_proves_something():
    """A scenario without a row would be an opinion."""
    from stage import SCENARIOS

    assert [name for name, scenario in SCENARIOS.items() if not scenario.ids] == []


def test_every_file_of_scenarios_is_played():
    """The package imports each of them, else no runtime would know of it."""
    import scenarios

    files = Path(scenarios.__file__).parent.glob("*.py")
    assert [path.name for path in files if path.stem != "__init__" and not hasattr(scenarios, path.stem)] == []


def test_every_deviation_is_in_the_readme():
    """A departure from a row is a comment where it is made and a line of the README's table, and nothing else is."""
    root = Path(__file__).parents[2]
    sources = [*root.glob("pyws/**/*.py"), *root.glob("tests/scenarios/*.py")]
    pattern = re.compile(r"# Deviation: (\S+), (.+)$", re.M)
    texts = [path.read_text() for path in sources]
    made = {match for text in texts for match in pattern.findall(text)}
    table = root.joinpath("README.md").read_text().partition("## Deviations")[2]
    told = {(row, where) for where, row in re.findall(r"^\|.* \| ([^|]+) \| (\w+-\d+) \|$", table, re.M)}
    assert made == told
    assert {row for row, _ in made} <= set(ROWS)
    assert sum(text.count("Deviation:") for text in texts) == sum(len(pattern.findall(text)) for text in texts)

"""The coverage of the specification: no requirement without a proof, no proof of one that is not there."""

import re
from pathlib import Path

import pytest

from requirements import DEVIATIONS, REQUIREMENTS, UNPROVED, proofs

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]


def test_every_requirement_is_proved_or_says_why_not():
    """A requirement has scenarios or tests, or else a reason; never both."""
    found = proofs()
    assert [id for id, places in found.items() if id not in REQUIREMENTS] == []
    assert [id for id in REQUIREMENTS if not found[id] and id not in UNPROVED] == []
    assert [id for id in UNPROVED if found[id]] == []
    assert all(reason.endswith(".") for reason in UNPROVED.values())


def test_every_scenario_proves_something():
    """A scenario without a requirement would be an opinion."""
    from stage import SCENARIOS

    assert [name for name, scenario in SCENARIOS.items() if not scenario.ids] == []


def test_every_file_of_scenarios_is_played():
    """The package imports each of them, else no runtime would know of it."""
    import scenarios

    files = Path(scenarios.__file__).parent.glob("*.py")
    assert [path.name for path in files if path.stem != "__init__" and not hasattr(scenarios, path.stem)] == []


def test_every_deviation_is_explained():
    """A departure from a requirement is a comment where it is made and a line of deviations.tsv."""
    sources = [*ROOT.glob("pyws/**/*.py"), *ROOT.glob("tests/scenarios/*.py")]
    pattern = re.compile(r"# Deviation: (\S+), (.+)$", re.M)
    texts = [path.read_text() for path in sources]
    made = {match for text in texts for match in pattern.findall(text)}
    assert made == set(DEVIATIONS)
    assert {id for id, _ in made} <= set(REQUIREMENTS)
    assert sum(text.count("Deviation:") for text in texts) == sum(len(pattern.findall(text)) for text in texts)


def test_the_deviations_are_in_order():
    """One line each: those of every runtime first, then by their requirement; each is a phrase without a full stop."""
    lines = ROOT.joinpath("tests", "deviations.tsv").read_text().splitlines()
    assert len(lines) == len(DEVIATIONS)
    keys = [(who != "everywhere", id) for id, who in DEVIATIONS]
    assert keys == sorted(keys)
    assert [sentence for sentence in DEVIATIONS.values() if not re.fullmatch(r"[`A-Z].*[^.\s]", sentence)] == []


def test_the_readme_names_the_deviations_of_every_runtime():
    """Word for word; those of single engines are on the page of the test run."""
    readme = ROOT.joinpath("README.md").read_text()
    told = re.findall(r"^\| (.*) \| (\w+-\d+) \|$", readme, re.M)
    assert told == [(sentence, id) for (id, who), sentence in DEVIATIONS.items() if who == "everywhere"]
    assert f"a table of {len(REQUIREMENTS)} requirements" in " ".join(readme.split())

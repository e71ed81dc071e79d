"""The coverage of the specification: no row without a proof, no proof of a row that is not there."""

import pytest

from rows import ROWS, UNPROVED, proofs

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

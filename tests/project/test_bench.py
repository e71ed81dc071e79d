"""The benchmark does the work it measures; how fast is never a test."""

import pytest

import bench
from runtimes import find, required

pytestmark = pytest.mark.once

WORKS = {(work.group, work.arguments.get("size")): work for work in bench.works(quick=True) if not work.in_page}


@pytest.fixture(scope="module")
def field():
    with bench.Field(uvloop=False) as field:
        yield field


@pytest.mark.parametrize("group", dict.fromkeys(group for group, _ in WORKS))
def test_every_program_does_the_work(field, group):
    """Its figures are there, and are more than nothing."""
    work = next(work for (name, _), work in WORKS.items() if name == group)
    if "n" in work.arguments:
        work.arguments["n"] = 200
    for name in ["pyws", *work.peers]:
        assert work.value(field.take(work, name)) > 0


def test_libraries_do_the_work_over_the_bridge(field):
    """In a page of Chromium, beside pyws."""
    work = next(work for work in bench.works(quick=True) if work.group == "bridge")
    work.arguments["n"] = 50
    with required():
        find("chromedriver")
    for name in ["pyws", *work.peers]:
        assert work.value(field.take(work, name)) > 0


def test_a_ratio_says_how_many_times_better_pyws_was():
    """More a second, or fewer seconds, in the same round; the median decides on the target."""
    fast = [{"n": 100, "seconds": seconds} for seconds in (1, 2, 4)]
    slow = [{"n": 100, "seconds": seconds} for seconds in (3, 4, 4)]
    work = bench.Work("echo", "256 B", ["other"], {}, targets=(2.0,))
    result = bench.Result(work, {"pyws": fast, "other": slow})
    assert result.ratios("other") == [3, 2, 1]
    assert result.verdict("other") == "met (≥ 2)"
    backwards = bench.Result(work, {"pyws": slow, "other": fast})
    assert backwards.verdict("other") == "MISSED (≥ 2)"
    bridge = bench.Work("bridge", "256 B", ["other"], {}, targets=(0.6,))
    result = bench.Result(bridge, {"pyws": fast, "other": slow})
    assert (result.share("other"), result.verdict("other")) == (0.5, "MISSED (≥ 0.6)")
    times = bench.Work("round trip", "256 B", ["other"], {}, less_is_better=True)
    assert bench.Result(times, {"pyws": [{"p50": 1}], "other": [{"p50": 3}]}).ratios("other") == [3]

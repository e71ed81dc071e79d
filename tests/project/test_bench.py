"""The benchmark does the work it measures; how fast is never a test."""

import json
import zlib

import pytest

import bench
from benchmark.documents import bytes_at_level_6, documents
from benchmark.field import Field
from benchmark.pages import picture, short_table, tables
from benchmark.results import Result, report
from benchmark.works import LEVEL_6, Target, Work, works
from runtimes import find, required

pytestmark = pytest.mark.once

# One of each kind, with each make of server.
WORKS = {
    f"{work.group}, {work.arguments['kind']}, server {work.server}": work
    for work in reversed(works(quick=False))
    if not work.in_page and (work.scheme == "wss:" or work.server == "raw")
}


@pytest.fixture(scope="module")
def field():
    with Field(uvloop=False) as field:
        yield field


@pytest.mark.parametrize("name", WORKS)
def test_every_program_does_the_work(field, name):
    """Its figures are there, and are more than nothing."""
    work = WORKS[name]
    if "n" in work.arguments:
        work.arguments["n"] = 50 if work.server != "raw" else 200  # not fewer than are on their way
    result = bench.measure(field, work, 1)
    assert list(result.figures) == ["pyws", *work.peers]
    assert all(value > 0 for program in result.figures for value in result.values(program))
    assert all(figures.get("sent", 1) > 0 for [figures] in result.figures.values())
    assert len(list(report(result))) == 1 + len(result.figures)
    assert len(list(result.verdicts())) == len(work.targets)


def test_libraries_do_the_work_over_the_bridge(field):
    """In a page of Chromium, beside pyws."""
    work = next(work for work in works(quick=True) if work.group == "bridge")
    work.arguments["n"] = 50
    with required():
        find("chromedriver")
    for name in ["pyws", *work.peers]:
        assert work.value(field.take(work, name)) > 0


def test_documents_do_not_repeat_within_the_window():
    """They are JSON of the size asked for, and a compressor has forgotten the first when it comes again."""
    for size in (256, 1024, 65536):
        texts = documents(size)
        assert {len(text) for text in texts} == {size}
        assert len(set(texts)) == len(texts)
        assert sum(map(len, texts)) > 10 * (1 << zlib.MAX_WBITS)
        assert all(json.loads(text) for text in texts)


def test_a_ratio_says_how_many_times_better_pyws_was():
    """More a second, or fewer seconds, in the same round; the median decides on the target."""
    fast = [{"n": 100, "seconds": seconds} for seconds in (1, 2, 4)]
    slow = [{"n": 100, "seconds": seconds} for seconds in (3, 4, 4)]
    target = Target("other", 2.0)
    work = Work("echo", "256 B", ["other"], {})
    result = Result(work, {"pyws": fast, "other": slow})
    assert result.ratios("other") == [3, 2, 1]
    assert result.verdict(target) == (True, "echo: 256 B: pyws 2.00 × other (at least 2)")
    backwards = Result(work, {"pyws": slow, "other": fast})
    assert backwards.verdict(target) == (False, "echo: 256 B: pyws 0.50 × other (at least 2)")
    bridge = Work("bridge", "256 B", ["other"], {})
    result = Result(bridge, {"pyws": fast, "other": slow})
    assert (result.share("other"), result.verdict(Target("other", 0.6))[0]) == (0.5, False)
    times = Work("round trip", "256 B", ["other"], {}, less_is_better=True)
    assert Result(times, {"pyws": [{"p50": 1}], "other": [{"p50": 3}]}).ratios("other") == [3]


def test_a_target_of_programs_as_people_use_them_counts_both_times_and_bytes():
    """The clock's time, and that of the CPU; bytes are compared with what zlib would make of the same documents."""
    size, n = 256, 100
    level_6 = bytes_at_level_6(size, n, 12)
    work = Work("as people use it", "ws:", ["other"], {"size": size, "n": n}, server="websockets")
    ours = {"n": n, "seconds": 1, "cpu": 1, "sent": 1.1 * level_6, "received": 1}
    result = Result(work, {"pyws": [ours], "other": [{**ours, "seconds": 3, "cpu": 2}]})
    assert result.verdict(Target("other", 2.0))[0]
    assert not result.verdict(Target("other", 2.5))[0]
    assert result.verdict(Target(LEVEL_6, 1.25))[0]
    assert not result.verdict(Target(LEVEL_6, 1.05))[0]


def test_pages_show_every_line():
    """Each work is a line of a table, and each program a bar of a picture."""
    figures = {"n": 1, "seconds": 1, "cpu": 1, "sent": 1, "received": 1}
    results = []
    for work in works(quick=False):
        work.arguments["n"] = 10
        results.append(Result(work, {name: [figures] for name in ["pyws", *work.peers]}))
    text = "\n".join(tables(results))
    assert all(result.work.label in text for result in results)
    assert len(list(short_table(results))) == 7
    for result in results:
        assert picture("group", [result]).count("<rect") == 2 + len(result.work.peers)

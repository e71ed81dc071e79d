"""The picture of a test run: what it draws is what was played, and it can be read in a browser."""

import pytest

import conformance
from requirements import DEVIATIONS
from runtimes import chromium, required
from stage import Scenario

pytestmark = pytest.mark.once


class Runtime:
    """As much of a runtime as the page shows."""

    def __init__(self, engine):
        self.id = f"python-{engine}"
        self.engine = engine
        self.python = ""


RUNTIMES = [Runtime("cpython"), Runtime("chromium"), Runtime("webkit"), Runtime("firefox")]


async def one_word(stage):
    """A word comes & goes."""


def results(monkeypatch, named=()):
    """CPython and Chromium agree, WebKit has its own way, Firefox failed."""
    monkeypatch.setattr(conformance, "deviations", lambda: {"one_word": list(named)})

    def wrote(journal, error=None, expected=None):
        return {"journal": journal, "expected": expected or journal, "error": error, "about": "a runtime, 1.0"}

    journals = [wrote(["open 1"]), wrote(["open 1"]), wrote(["open 1", "</script> 'é' 3"]), wrote([], "Traceback …")]
    played = {("one_word", runtime.id): result for runtime, result in zip(RUNTIMES, journals, strict=True)}
    return conformance.compare(played, RUNTIMES, {"one_word": Scenario(one_word, ("CON-01",))})


def test_a_difference_needs_a_name(monkeypatch):
    """A journal of its own is red, unless the scenario names a deviation of that engine."""
    assert list(conformance.nameless(results(monkeypatch))) == [
        "one_word in python-webkit",
        "one_word in python-firefox",
    ]
    named = results(monkeypatch, [("CON-01", "Firefox and WebKit"), ("CON-02", "CPython")])
    assert list(conformance.nameless(named)) == ["one_word in python-firefox"]


def test_every_deviation_of_a_scenario_is_found():
    """Those that deviations.tsv explains, but for what deviates everywhere."""
    named = {key for deviations in conformance.deviations().values() for key in deviations}
    assert named <= set(DEVIATIONS)
    assert ("ERR-05", "Chromium and Bun") in conformance.deviations()["a_reset_is_an_error"]


def test_every_deviation_concerns_an_engine():
    """Each names at least one; "every browser" is not Node, and "everywhere" is all of them."""
    engines = {(line["requirement"], line["who"]): line["engines"] for line in conformance.explained()}
    assert [key for key, names in engines.items() if not names] == []
    assert engines["HND-10", "everywhere"] == conformance.ENGINES
    assert engines["HSK-08", "every browser"] == ["Chromium", "Firefox", "WebKit"]
    assert engines["RED-02", "Firefox and WebKit"] == ["Firefox", "WebKit"]


def test_the_readme_counts_right():
    """So many scenarios in so many runtimes."""
    from runtimes import RUNTIMES
    from stage import SCENARIOS

    text = (conformance.TESTS.parent / "README.md").read_text()
    assert f"It plays {len(SCENARIOS)} conversations in {len(RUNTIMES)} runtimes" in text


SOME = {
    ("CON-05", "everywhere"): "Waits & goes",
    ("CON-01", "WebKit"): "Says `<3>` at once",
    ("CON-09", "Firefox and WebKit"): "Answers twice",
}


@pytest.fixture(scope="module")
def driver():
    """A browser as wide as a phone."""
    with required(), chromium() as driver:
        driver.set_window_size(390, 844)
        yield driver


def test_the_page_shows_each_journal_on_click(driver, monkeypatch, tmp_path):
    """From a file, with no network, as wide as a phone: the marks, the words and the journals."""
    monkeypatch.setattr(conformance, "PAGE", tmp_path / "page.html")
    monkeypatch.setattr(conformance, "DEVIATIONS", SOME)
    conformance.write(results(monkeypatch, [("CON-01", "WebKit")]))
    driver.get(conformance.PAGE.as_uri())
    summary = driver.find_element("id", "summary").text
    assert "1 scenarios in 4 runtimes: ● 2 " in summary
    assert "◆ 1 a deviation" in summary and "✕ 1 wrong" in summary
    marks = driver.find_elements("css selector", "#scenarios td button")
    assert [mark.text for mark in marks] == ["●", "●", "◆", "✕"]
    marks[2].click()
    shown = driver.find_element("css selector", "dialog").text
    assert "A word comes & goes." in shown and "Says <3> at once (CON-01, WebKit)" in shown
    assert [code.text for code in driver.find_elements("css selector", "dialog code")] == ["<3>"]
    assert [line.text for line in driver.find_elements("css selector", "dialog li")] == [
        *["open 1"],  # the standard's
        *["open 1", "</script> 'é' 3"],
    ]
    assert [mark.text for mark in driver.find_elements("css selector", "dialog mark")] == ["</script> 'é' 3"]
    driver.find_element("css selector", "dialog button").click()
    marks[3].click()
    assert "Traceback …" in driver.find_element("css selector", "dialog").text
    driver.find_element("css selector", "dialog button").click()
    assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    driver.find_element("css selector", "input[type=search]").send_keys("nothing of the kind")
    assert not marks[0].is_displayed()
    assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_the_page_lists_the_deviations(driver, monkeypatch, tmp_path):
    """All of them, by whatever column is asked for, or those of one engine; a requirement leads to its scenarios."""
    from selenium.webdriver.support.ui import Select

    monkeypatch.setattr(conformance, "PAGE", tmp_path / "page.html")
    monkeypatch.setattr(conformance, "DEVIATIONS", SOME)
    conformance.write(results(monkeypatch))

    def shown():
        rows = [row.text for row in driver.find_elements("css selector", "#deviations tbody tr") if row.text]
        return [row.partition(" ")[0] for row in rows], driver.find_element("css selector", "[role=status]").text

    driver.get(conformance.PAGE.as_uri())
    assert shown() == (["CON-05", "CON-01", "CON-09"], "3 of 3")
    row, where, what = driver.find_elements("css selector", "#deviations thead button")
    row.click()
    assert shown()[0] == ["CON-01", "CON-05", "CON-09"]
    row.click()
    assert shown()[0] == ["CON-09", "CON-05", "CON-01"]
    where.click()
    assert shown()[0] == ["CON-05", "CON-09", "CON-01"]
    what.click()
    assert shown()[0] == ["CON-09", "CON-01", "CON-05"]
    select = Select(driver.find_element("css selector", "select"))
    assert [option.text for option in select.options] == ["all", *conformance.ENGINES]
    select.select_by_visible_text("Firefox")
    assert shown() == (["CON-09", "CON-05"], "2 of 3")
    other, named, _ = driver.find_elements("css selector", "#deviations tbody button")
    mark = driver.find_element("css selector", "#scenarios td button")
    other.click()
    assert not mark.is_displayed()
    select.select_by_visible_text("WebKit")
    named.click()
    assert mark.is_displayed()
    assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []

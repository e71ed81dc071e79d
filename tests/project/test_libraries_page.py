"""The page about libraries: what it shows is what pins.toml and the runtimes are, and it can be read anywhere."""

import re

import pytest

import matrix
import wheels
from runtimes import WEB, chromium, required

pytestmark = pytest.mark.once


def test_the_page_is_of_these_pins_and_these_runtimes():
    """A mark for every library, script and runtime, and every version; a full run of the tests writes it again."""
    page = matrix.PAGE.read_text()
    rows = re.findall(r'<tr id="(.+?)" class', page)
    assert rows == [f"{name}-{kind}" for name, kind, _ in matrix.rows()], "run python3 tools/test.py"
    assert re.findall(r"<th scope=col id=([\w-]+)", page) == matrix.IDS
    assert page.count("<td><a class=") == len(matrix.marked())
    for name in wheels.PINS:
        assert ", ".join(pin.replace("==", " ") for pin in wheels.pins([name], *wheels.KEYS)) in page


def test_nothing_on_the_page_has_failed():
    assert "class=failed href" not in matrix.PAGE.read_text()


def test_the_documentation_names_every_library():
    """The table of web/docs/bridge.md has what pins.toml says."""
    table = WEB.joinpath("docs", "bridge.md").read_text()
    for line in matrix.table():
        assert line in table


@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_can_be_read(width):
    """From a file, with no network, as wide as a phone: only the table scrolls, and each mark leads somewhere."""
    with required(), chromium() as driver:
        driver.set_window_size(width, 844)
        driver.get(matrix.PAGE.as_uri())
        assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        missing = """
            const targets = [...document.links].map(({ hash }) => hash.slice(1)).filter(Boolean);
            return targets.length ? targets.filter((id) => !document.getElementById(id)) : ["no links"];
        """
        assert driver.execute_script(missing) == []
        assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []

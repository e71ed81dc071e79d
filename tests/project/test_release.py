"""What keeps a release back, and that the version has one home."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest
import pyws

import release

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]
CHANGES = "# Changes\n\n## 1.2.0 (unreleased)\n\n## 1.1.0 (2027-01-31)\n"
HOME = "Project-URL: Source, https://example.org/\n"


@pytest.mark.parametrize(
    "tag, version, urls, words",
    [
        ("v1.1.0", "1.1.0", HOME, []),
        ("v1.1", "1.1.0", HOME, ["tag is v1.1,"]),
        ("1.1.0", "1.1.0", HOME, ["tag is 1.1.0,"]),
        ("v1.1.0", "1.1.0", "", ["project.urls"]),
        ("v1.2.0", "1.2.0", HOME, ['"## 1.2.0 (YEAR']),
        ("v1.3.0", "1x3.0", "", ["tag is v1.3.0,", "project.urls", '"## 1x3.0 (YEAR']),
    ],
)
def test_what_is_not_ready_is_named(tmp_path, tag, version, urls, words):
    """The tag, the address, the changes: each with a sentence that says what to do."""
    wheel = tmp_path / "a.whl"
    with ZipFile(wheel, "w") as archive:
        archive.writestr("a.dist-info/METADATA", f"Metadata-Version: 2.4\nName: a\nVersion: {version}\n{urls}\nText\n")
    reasons = release.missing(tag, wheel, CHANGES)
    assert len(reasons) == len(words)
    assert all(word in reason for word, reason in zip(words, reasons, strict=True))


def test_the_command_says_it_in_lines(tmp_path):
    """And without a traceback; here there is no tag at all."""
    done = subprocess.run([sys.executable, "tools/release.py"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Say which tag, as in: python3 tools/release.py v0.1.0\n"


def test_the_version_has_one_home():
    """The package's own file; pages may name the wheel of that version, and no other one."""
    project = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text("utf-8"))["project"]
    assert "version" in project["dynamic"] and "version" not in project
    named = []
    for path in [*ROOT.glob("*.md"), *ROOT.glob("web/docs/*.md"), *ROOT.glob("pyws/**/*.py")]:
        text = path.read_text("utf-8")
        named += re.findall(r"pyws_websocket-(\d[^-]*)-py3", text)
        if path.suffix == ".py" and path.name != "version.py":
            assert pyws.__version__ not in text, path
    assert set(named) == {pyws.__version__}
    assert re.search(rf"^## {re.escape(pyws.__version__)} \(", ROOT.joinpath("web/docs/changes.md").read_text(), re.M)

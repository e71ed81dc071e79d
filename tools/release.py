"""Refuse to release what is not ready: called by .github/workflows/release.yml between making and publishing.

    python3 tools/release.py v0.1.0

Looks at the wheel in dist/ that tools/bundle.py has made. The tag must be its version, it must name where the project
lives, and web/docs/changes.md must say what is new in that version, and no more call it unreleased.
"""

import re
import sys
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import environment

DIST = environment.ROOT / "dist"
CHANGES = environment.WEB / "docs" / "changes.md"


def main() -> None:
    """Say what is not ready, or that all is."""
    if len(sys.argv) != 2:
        raise environment.CommandError("Say which tag, as in: python3 tools/release.py v0.1.0")
    wheels = list(DIST.glob("*.whl"))
    if len(wheels) != 1:
        raise environment.CommandError(f"There are {len(wheels)} wheels in dist/, and one is needed: empty the folder.")
    reasons = list(missing(sys.argv[1], wheels[0], CHANGES.read_text("utf-8")))
    if reasons:
        raise environment.CommandError("\n".join(reasons))
    print(f"{wheels[0].name} is ready to be published.")


def missing(tag: str, wheel: Path, changes: str) -> list[str]:
    """Return what stands in the way of publishing `wheel` as `tag`, each a sentence."""
    with ZipFile(wheel) as archive:
        (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        fields = Parser().parsestr(archive.read(metadata).decode())
    version = fields["Version"]
    reasons = []
    if tag != f"v{version}":
        reasons.append(f"The tag is {tag}, but the version in pyws/version.py is {version}.")
    if not fields.get_all("Project-URL"):
        reasons.append("pyproject.toml has no [project.urls]: give it the repository's address.")
    if not re.search(rf"^## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)$", changes, re.M):
        reasons.append(f'web/docs/changes.md has no heading "## {version} (YEAR-MONTH-DAY)".')
    return reasons


if __name__ == "__main__":
    sys.excepthook = environment.say
    main()

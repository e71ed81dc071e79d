"""Programs by the libraries' own authors, as examples.toml names them: out of READMEs, and of archives downloaded once.

A wheel has the README. Examples are in archives of the source, on PyPI or in Debian, whose package is websockets'
archive with the folder that the one on PyPI lacks.
"""

import os
import re
import shutil
import subprocess
import tarfile
import textwrap
import tomllib

import environment
import wheels

EXAMPLES = tomllib.loads(wheels.LIBRARIES.joinpath("examples.toml").read_text())
FOLDER = wheels.FOLDER / "examples"
DEBIAN = "trixie"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
BLOCK = re.compile(
    r"^```py\w*\n(?P<markdown>.*?)^```|^\.\. code:: python\n\n(?P<rst>(?:[ ]{4}[^\n]*\n|\n)+)", re.S | re.M
)


def text(name):
    """The program. Raises CommandError if its archive cannot be had."""
    example = EXAMPLES[name]
    if "readme" in example:
        library = wheels.provide(example["library"]).pyodide[0]
        readme = next(library.glob("*.dist-info/METADATA")).read_text("utf-8")
        blocks = [textwrap.dedent(found["markdown"] or found["rst"]) for found in BLOCK.finditer(readme)]
        return next(block for block in blocks if example["readme"] in block)
    folder = archive("sdist", example["sdist"]) if "sdist" in example else archive("debian", example["debian"])
    return folder.joinpath(example["file"]).read_text("utf-8")


def archive(kind, name):
    """The folder of an archive, downloaded once."""
    place = FOLDER / name
    with wheels.locked(FOLDER / ".lock"):
        if not place.exists():
            part = FOLDER / f"{name}.part"
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            if kind == "sdist":
                from_pypi(name, part)
            else:
                from_debian(name, part)
            part.rename(place)
    return next(folder for folder in place.iterdir() if folder.is_dir())


def from_pypi(pin, folder):
    """Download and unpack a project's archive."""
    project = pin.partition("==")[0]
    wanted = project if wheels.NEWEST else pin
    wheels.pip("download", "--no-deps", "--no-binary", project, "--dest", folder, wanted)
    unpack(folder)


def from_debian(package, folder):
    """Download and unpack the archive that a source package of Debian was made of. The system stays as it is."""
    folder.joinpath("lists").mkdir()
    settings = folder / "apt.conf"
    sources = folder / "sources.list"
    settings.write_text(
        f'Dir::State::lists "{folder}/lists";\nDir::Cache "{folder}";\nDir::Etc::sourcelist "{sources}";\n'
        'Dir::Etc::sourceparts "-";\nAPT::Sandbox::User "root";\n'
    )
    sources.write_text(f"deb-src [signed-by={KEYRING}] {mirror()} {DEBIAN} main\n")
    command = ["env", f"APT_CONFIG={settings}", "apt-get", "--quiet"]
    failure = f"apt-get could not get the source of {package}"
    environment.run([*command, "update"], failure)
    environment.run([*command, "source", "--tar-only", "--download-only", package], failure, folder)
    shutil.rmtree(folder / "lists")
    unpack(folder)


def mirror():
    """The server of packages that this machine uses."""
    if shutil.which("apt-get") is None or not os.path.exists(KEYRING):
        raise environment.CommandError("Missing: apt-get and Debian's keys.")
    said = subprocess.run(["apt-get", "update", "--print-uris"], capture_output=True, text=True).stdout
    found = re.search(r"^'(\S+)/dists/[a-z]+/InRelease'", said, re.M)
    if found is None:
        raise environment.CommandError("apt-get has no server of packages.")
    return found[1]


def unpack(folder):
    for file in folder.glob("*.tar.*"):
        with tarfile.open(file) as opened:
            opened.extractall(folder, filter="data")
        file.unlink()

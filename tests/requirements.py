"""What the specification demands, and where it is proved: by scenarios, in every runtime, or by tests on CPython.

    python3 tests/requirements.py     prints the table

A scenario names its requirements in `@scenario(...)`, a test in `@pytest.mark.requirements(...)`, a conversation over
the bridge in `@requirements(...)`. One that nothing here can prove stands in `UNPROVED` with the reason.

Where a journal is not what a requirement says, by choice of pyws ("everywhere") or because an engine forces it, a
comment `# Deviation: REQUIREMENT, WHO` stands in the code, and a line in deviations.tsv explains it.
"""

import ast
from pathlib import Path

HERE = Path(__file__).parent
REQUIREMENTS = dict(line.rstrip("\n").split("\t") for line in (HERE / "requirements.tsv").read_text().splitlines())

UNPROVED: dict[str, str] = {}

DEVIATIONS = {
    (id, who): sentence
    for id, who, sentence in (line.split("\t") for line in (HERE / "deviations.tsv").read_text().splitlines())
}


def proofs():
    """Each requirement's proofs, as "folder/file::function", in the order of the files."""
    found = {id: [] for id in REQUIREMENTS}
    for path in sorted(HERE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                for id in cited(node):
                    found.setdefault(id, []).append(f"{path.relative_to(HERE).as_posix()}::{node.name}")
    return found


def cited(function):
    """The requirements that a function's decorators name."""
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) in (
            "scenario",
            "pytest.mark.requirements",
            "requirements",
        ):
            yield from (node.value for node in ast.walk(decorator) if isinstance(node, ast.Constant))


def table():
    """Every requirement, what it demands, and its proofs or the reason why there are none, as lines of text."""
    found = proofs()
    for id, demand in REQUIREMENTS.items():
        yield f"{id}  {demand}"
        yield from (
            f"        {place}" for place in found[id] or [f"not proved: {UNPROVED.get(id, 'nobody knows why')}"]
        )
    proved = sum(map(bool, found.values()))
    yield f"\n{len(found)} requirements, {proved} proved, {len(UNPROVED)} with a reason why not."


if __name__ == "__main__":
    print(*table(), sep="\n")

"""The rows of the specification, and where each is proved: by scenarios, in every runtime, or by tests on CPython.

    python3 tests/requirements.py     prints the table

A scenario names its rows in `@scenario(...)`, a test in `@pytest.mark.rows(...)`, a conversation over the bridge in
`@rows(...)`. A row that nothing here can prove
stands in `UNPROVED` with the reason.

Where a journal is not what a row says, by choice of pyws ("everywhere") or because an engine forces it, a comment
`# Deviation: ROW, WHO` stands in the code, and a line in deviations.tsv explains it.
"""

import ast
from pathlib import Path

HERE = Path(__file__).parent
ROWS = dict(line.rstrip("\n").split("\t") for line in (HERE / "requirements.tsv").read_text().splitlines())

UNPROVED: dict[str, str] = {}

DEVIATIONS = {
    (row, who): sentence
    for row, who, sentence in (line.split("\t") for line in (HERE / "deviations.tsv").read_text().splitlines())
}


def proofs():
    """Each row's proofs, as "folder/file::function", in the order of the files."""
    found = {row: [] for row in ROWS}
    for path in sorted(HERE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                for row in cited(node):
                    found.setdefault(row, []).append(f"{path.relative_to(HERE).as_posix()}::{node.name}")
    return found


def cited(function):
    """The rows that a function's decorators name."""
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) in ("scenario", "pytest.mark.rows", "rows"):
            yield from (node.value for node in ast.walk(decorator) if isinstance(node, ast.Constant))


def table():
    """Every row, what it demands, and its proofs or the reason why there are none, as lines of text."""
    found = proofs()
    for row, demand in ROWS.items():
        yield f"{row}  {demand}"
        yield from (
            f"        {place}" for place in found[row] or [f"not proved: {UNPROVED.get(row, 'nobody knows why')}"]
        )
    yield f"\n{len(ROWS)} rows, {sum(map(bool, found.values()))} proved, {len(UNPROVED)} with a reason why not."


if __name__ == "__main__":
    print(*table(), sep="\n")

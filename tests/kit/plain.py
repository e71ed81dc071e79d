"""Files of the tests, written so that MicroPython can read them.

It knows no `[*a, b]`, `(*a, b)`, `{*a, b}` and `{**a}`, no `zip(…, strict=True)`, and in an expression of an f-string
no colon and no other f-string. The package itself is written without them.
"""

import ast
import functools
from pathlib import Path

TESTS = Path(__file__).parents[1]
FOLDER = TESTS.parent / "dist" / "plain"


def write(files):
    """Write those files of the tests to `FOLDER`, which is made; the folder."""
    for name in files:
        path = FOLDER / name
        source = rewritten(TESTS.joinpath(name).read_text("utf-8"))
        if not path.exists() or path.read_text("utf-8") != source:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source, "utf-8")
    return FOLDER


def rewritten(source):
    """The same program with plainer expressions; each line keeps its number."""
    lines = [line.encode() for line in source.splitlines()]
    for node in sorted(outermost(ast.parse(source)), key=lambda node: (node.lineno, node.col_offset), reverse=True):
        first, last = node.lineno - 1, node.end_lineno - 1
        before, after = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
        text = ast.unparse(Plainer().visit(node)).encode()
        # Parentheses go around all lines that it has had.
        lines[first : last + 1] = [before + b"(" + text + b")" * (first == last)] + [b""] * (last - first)
        lines[last] = (b")" if first != last else lines[last]) + after
    return b"\n".join(lines).decode() + "\n"


def outermost(tree):
    """The expressions to write plainer, but none that is a part of another."""
    found = []

    def visit(node):
        if is_hard(node):
            found.append(node)
        else:
            for child in ast.iter_child_nodes(node):
                visit(child)

    visit(tree)
    return found


def is_hard(node):
    """Whether MicroPython does not know that."""
    if isinstance(node, ast.Dict):
        return None in node.keys
    if isinstance(node, ast.Call):
        return any(keyword.arg == "strict" for keyword in node.keywords)
    if isinstance(node, ast.JoinedStr):
        expressions = [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
        inner = [each for expression in expressions for each in ast.walk(expression)]
        return any(":" in ast.unparse(each) for each in expressions) or any(isinstance(n, ast.JoinedStr) for n in inner)
    return (
        isinstance(node, ast.List | ast.Tuple | ast.Set)
        and not isinstance(getattr(node, "ctx", None), ast.Store)  # the target of an assignment
        and any(isinstance(element, ast.Starred) for element in node.elts)
    )


class Plainer(ast.NodeTransformer):
    """Writes a display that unpacks as a sum, an f-string as a call of `join`."""

    def generic_visit(self, node):
        plain = not (is_hard(node))
        super().generic_visit(node)
        if plain:
            return node
        if isinstance(node, ast.Call):
            node.keywords = [keyword for keyword in node.keywords if keyword.arg != "strict"]
            return node
        if isinstance(node, ast.JoinedStr):
            return ast.Call(
                ast.Attribute(ast.Constant(""), "join", ast.Load()), [listed(map(self.text, node.values))], []
            )
        if isinstance(node, ast.Dict):
            items = [
                called("list", ast.Call(ast.Attribute(value, "items", ast.Load()), [], []))
                if key is None
                else listed([ast.Tuple([key, value], ast.Load())])
                for key, value in zip(node.keys, node.values, strict=True)
            ]
            return called("dict", summed(items, ast.Add()))
        kind = {ast.List: "list", ast.Tuple: "tuple", ast.Set: "set"}[type(node)]
        parts = [element.value if isinstance(element, ast.Starred) else listed([element]) for element in node.elts]
        return summed([called(kind, part) for part in parts], ast.BitOr() if kind == "set" else ast.Add())

    @staticmethod
    def text(part):
        """The expression of a part of an f-string."""
        if isinstance(part, ast.Constant):
            return part
        if part.format_spec is not None:
            return called("format", part.value, part.format_spec)
        return called("repr" if part.conversion == ord("r") else "str", part.value)


def summed(parts, operator):
    return functools.reduce(lambda one, other: ast.BinOp(one, operator, other), parts)


def called(name, *arguments):
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def listed(elements):
    return ast.List(list(elements), ast.Load())

"""What `help()` says: every public name has a docstring, and what a standard defines names its place there."""

import ast
import inspect
import re
import textwrap
from pathlib import Path

import pytest
import pyws

import serve
from programs import python, run

pytestmark = pytest.mark.once

# What no standard defines.
OURS = ("UserAgent", "ReconnectingEvent", "ReconnectingWebSocket", "WebSocketStream.send", "Blob.from_js", "Blob.to_js")
STANDARDS = re.compile(
    r"https://(?:(?:(?:websockets|dom|html|webidl|streams)\.spec\.whatwg\.org|w3c\.github\.io|wicg\.github\.io)/\S*#[\w-]+"
    r"|developer\.mozilla\.org/docs/Web/API/WebSocket(?:Stream|Error)\S*)"  # of a proposal without anchors
)


def standard(name):
    """Whether a standard defines it."""
    return not any(name == ours or name.startswith(f"{ours}.") for ours in OURS)


def public():
    """Each class of the package, and each of its methods and attributes, as name and docstring."""
    for name in pyws.__all__:
        value = getattr(pyws, name)
        yield name, value.__doc__
        if inspect.isclass(value):
            for attribute, member in vars(value).items():
                if attribute.startswith("_") or not (inspect.isroutine(member) or isinstance(member, property)):
                    continue
                yield f"{name}.{attribute}", inspect.getdoc(member)


@pytest.mark.parametrize("name, text", list(public()), ids=[name for name, _ in public()])
def test_a_docstring_says_what_and_where(name, text):
    """A sentence first; the anchor of the standard on a line of its own at the end."""
    assert text, "no docstring"
    first, *_, last = [line.strip() for line in text.strip().splitlines()] * 2
    assert re.fullmatch(r"[A-Z\"(].*[.:]|[A-Z].*,", first), first
    if standard(name):
        assert STANDARDS.fullmatch(last), last


def test_each_anchor_is_of_one_name():
    """No two members point at the same place: a line that was copied and left."""
    seen = {}
    for name, text in public():
        if standard(name):
            seen.setdefault(text.strip().splitlines()[-1].strip(), []).append(name)
    assert {anchor: names for anchor, names in seen.items() if len(names) > 1} == {}


def test_help_shows_a_program_that_runs(tmp_path):
    """The example of `help(pyws.WebSocket)`, as it stands there but for the address."""
    text = inspect.getdoc(pyws.WebSocket)
    example = textwrap.dedent("".join(re.findall(r"^    .*\n", text, re.M)))
    script = tmp_path / "script.py"
    with serve.echo() as address:
        example = example.replace("wss://example.org/", address)
        script.write_text(f"from pyws import WebSocket\n{example}")
        assert run(script) == (0, "1000 Hello\n", "")


def test_the_events_of_help_are_those_that_happen():
    """Each that a socket can have a handler for."""
    listed = re.findall(r"^(\w+)   +\S", inspect.getdoc(pyws.WebSocket), re.M)
    assert [f"on{name}" for name in listed] == [name for name in vars(pyws.WebSocket) if name.startswith("on")]


def test_the_settings_of_a_user_agent_are_all_named():
    """In its docstring, each with its back quotes."""
    named = set(re.findall(r"`(\w+)`", pyws.UserAgent.__doc__))
    assert set(inspect.signature(pyws.UserAgent).parameters) <= named


@pytest.mark.parametrize("command", [[], ["run"], ["connect"], ["serve"], ["record"], ["replay"]], ids=" ".join)
def test_the_command_line_explains_itself(command):
    """`--help` says what it does, and what each argument and option is for."""
    status, output, errors = python("-m", "pyws", *command, "--help", COLUMNS="120")
    assert (status, errors) == (0, "")
    usage, _, rest = output.partition("\n\n")
    assert usage.startswith(f"usage: python -m pyws{''.join(f' {word}' for word in command)} ")
    assert re.match(r"[A-Z][^\n]+", rest)
    entries = re.split(r"^  (?=\S)", rest.partition("\n\n")[2], flags=re.M)[1:]
    assert entries
    for entry in entries:
        name, *explained = re.split(r"\s{2,}", entry.partition("\n\n")[0].strip(), maxsplit=1)
        assert explained, name


def test_every_function_of_the_package_that_is_not_private_says_what_it_does():
    """In all of pyws/*.py: a reader of the source is a reader, too."""
    silent = []
    for path in Path(pyws.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        for scope in [tree, *classes]:
            if isinstance(scope, ast.ClassDef) and scope.name.startswith("_"):
                continue
            for node in scope.body:
                named = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
                setter = named and any(ast.unparse(d).endswith(".setter") for d in node.decorator_list)
                if named and not node.name.startswith("_") and not setter and not ast.get_docstring(node):
                    silent.append(f"{path.name}: {node.name}")
    assert silent == []

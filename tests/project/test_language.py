"""The language of comments and docstrings: plain sentences with nouns, for readers who learned English later."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest
import pyws

pytestmark = pytest.mark.once

PACKAGE = Path(pyws.__file__).parent

# A pattern that is not allowed, the reason, an example, and a better sentence.
PATTERNS = [
    (
        r"(?<!\w)who(?:m|ever|mever)?\b|\b(?:no|some|any|every)(?:body|one)\b",
        "names no person or program",
        "Whoever waits is called.",
        "The task that waits is called.",
    ),
    (
        r"\b(?:what|which|wher)(?:so)?ever\b",
        "names no case",
        "It ends, whatever happens.",
        "It ends in every case.",
    ),
    (
        r"(?:^|[.:;!?] )what (?!if\b)",
        "begins with a clause instead of a noun",
        "Its law: what is sent is a copy.",
        "Its law: the data that is sent is a copy.",
    ),
    (
        r"\w's(?=[.,:;)]|$)|\w's (?:and|or|too|in|where|with|when|that)\b",
        "has a genitive without its noun",
        "The time is the server's.",
        "The time is that of the server.",
    ),
    (
        r"\b(?:is|are|was|were|be|been) told\b",
        "tells, but does not say to whom",
        "The exception is told.",
        "The exception is reported.",
    ),
    (r"\bknows? (?:it|this|them)\b", "says that objects know", "Its timer knows it.", "Its timer refers to it."),
    (r"\b(?:has|have) it\b", "has an idiom", "It is as the standard has it.", "It is as in the standard."),
    (
        r"(?<!\bthere )\b(?:is|are|was|were) (?:no|(?-i:none))\b(?! (?:longer|more|other)\b)",
        "denies the noun instead of the verb",
        "A name that is no URL.",
        "A name that is not a URL; there is no other, and the result is None.",
    ),
    (r"\b(?:he|she|him|his|hers?)\b", "makes a program a person", "It waits until he has sent.", "It waits."),
    (
        r"\b(?:hush\w*|farewell|goodbye|glance\w*|deaf|judge\w*|forsaken|by and by|in a hurry|the last word)\b",
        "has an image",
        "The library is the judge.",
        "The library decides.",
    ),
    (r"\b(?:anew|meanwhile|hence|thus|lest)\b", "has a rare word", "It begins anew.", "It begins again."),
]


def paragraphs(path):
    """The comments and docstrings of a file by paragraphs: the number of the first line, and the text."""
    text = path.read_text("utf-8")
    found = []  # lines with their numbers; None between paragraphs
    if path.suffix == ".py":
        latest = 0
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                alone = not token.line[: token.start[1]].strip()
                if not alone or token.start[0] != latest + 1:
                    found.append(None)
                latest = token.start[0] if alone else 0
                found.append((token.start[0], token.string.lstrip("# ")))
        for node in ast.walk(ast.parse(text)):
            if (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                found.append(None)
                found += enumerate(node.value.value.split("\n"), node.lineno)
    else:
        for match in re.finditer(r"(?<![:\w])//[^\n]*(?:\n\s*//[^\n]*)*|/\*.*?\*/", text, re.S):
            found.append(None)
            lines = [line.strip("/* ") for line in match[0].split("\n")]
            found += enumerate(lines, text[: match.start()].count("\n") + 1)
    number, words = 0, []
    for entry in [*found, None]:
        if entry is None or not entry[1].strip():
            if words:
                yield number, re.sub(r"`[^`]*`", "`…`", " ".join(words))
            words = []
        else:
            number = number if words else entry[0]
            words.append(entry[1].strip())


def faults(text):
    """The parts of a text that are not allowed, each with the reason."""
    return [
        f"{match[0].strip()!r} {reason}"
        for pattern, reason, *_ in PATTERNS
        for match in re.finditer(pattern, text, re.IGNORECASE)
    ]


CHECKED = sorted(path for path in PACKAGE.rglob("*.*") if path.suffix in (".py", ".js", ".css", ".html"))


@pytest.mark.parametrize("path", CHECKED, ids=[path.relative_to(PACKAGE).as_posix() for path in CHECKED])
def test_comments_are_plain(path):
    """No comment and no docstring has one of PATTERNS."""
    assert [f"line {number}: {fault}: {text}" for number, text in paragraphs(path) for fault in faults(text)] == []


@pytest.mark.parametrize("pattern", PATTERNS, ids=[reason for _, reason, *_ in PATTERNS])
def test_a_pattern_finds_its_example(pattern):
    """It finds the example, and no pattern finds anything in the better sentence."""
    _, reason, example, better = pattern
    assert [fault for fault in faults(example) if fault.endswith(reason)]
    assert faults(better) == []


PYTHON = '''\
"""First line.

A second
paragraph with `code`.
"""

x = 1  # beside
y = "# no comment"
# above
# it
"""Of x."""
'''
JAVASCRIPT = """\
// one
// two
f("http://x"); // three
/* four
 * five */
"""


def test_comments_of_each_kind_are_read(tmp_path):
    """Comments beside the code and above it, docstrings of attributes, comments of JavaScript; code is left out."""
    python, javascript = tmp_path / "a.py", tmp_path / "a.js"
    python.write_text(PYTHON)
    javascript.write_text(JAVASCRIPT)
    assert sorted(paragraphs(python)) == [
        (1, "First line."),
        (3, "A second paragraph with `…`."),
        (7, "beside"),
        (9, "above it"),
        (11, "Of x."),
    ]
    assert list(paragraphs(javascript)) == [(1, "one two"), (3, "three"), (4, "four five")]

"""Patterns of secrets in texts: texts that are secrets by their form, and names with values.

Its law: no pattern takes more than linear time, because a message may have 100 MiB.
"""

import heapq
import re
from collections.abc import Iterator

# Texts that are secrets by their form: a JSON Web Token, keys of known services, credentials of HTTP, a private key.
FORMS = re.compile(
    r"""\b(?:[Bb]earer|BEARER|Basic|Digest|Negotiate)\s+(?P<credentials>[\w\-.~+/=]{6,})
    | (?P<jwt>(?<![\w-])eyJ[\w-]{5,}\.[\w-]{2,}(?:\.[\w-]*)*)
    | (?P<key>(?<![\w-])
        (?:sk-|gh[opusr]_|github_pat_|glpat-|xox[a-z]-|xapp-|AKIA|ASIA|AIza|hf_|npm_|ya29\.)[\w\-.]{10,})
    | (?P<pem>-----BEGIN[ A-Z]*PRIVATE[ ]KEY-----.*?(?:-----END[ A-Z]*-----|\Z))""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
FORM_BEGINNINGS = (
    "Bearer",
    "bearer",
    "BEARER",
    "Basic",
    "Digest",
    "Negotiate",
    "eyJ",
    "sk-",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
) + ("glpat-", "xox", "xapp-", "AKIA", "ASIA", "AIza", "hf_", "npm_", "ya29.", "-----BEGIN")
"""A form begins with one of these."""


def find_forms(text: str) -> Iterator[re.Match[str]]:
    """Yield the secrets in a text that have one of the forms. To search for texts is much faster than for patterns."""
    position = 0
    for start in heapq.merge(*(_places(text, beginning) for beginning in FORM_BEGINNINGS if beginning in text)):
        if start >= position and (match := FORMS.match(text, start)):
            position = match.end()
            yield match


def _places(text: str, part: str) -> Iterator[int]:
    place = text.find(part)
    while place >= 0:
        yield place
        place = text.find(part, place + 1)


# The user and the password of a URL inside a text.
USER = re.compile(r"(?<=://)[^\s/?#@\"']{1,256}(?=@)")
# A quoted name with its value, as in JSON, also in JSON that was cut off, or that stands in a string of JSON.
QUOTED = re.compile(
    r"""(?<!\\)(?P<quote>\\{0,7}["'])(?P<name>[\w.\- ]{1,64})(?P=quote)\s{0,16}[:,]\s{0,16}
    (?:"(?P<string>(?:[^"\\]|\\.)*)(?:"|\Z)|(?P=quote)(?P<other>.*?)(?:(?P=quote)|\Z)|(?P<number>-?[0-9][\w.+-]*))""",
    re.VERBOSE | re.DOTALL,
)
# Parameters, attributes and headers: name=value, name="value", a line "name: value"; PASS and AUTH of text protocols.
_VALUE = r"""(?:"(?P<quoted>[^"]+)"|'(?P<single>[^']+)'|(?P<plain>[^\s&;,"'<>\\\x00-\x1f\x7f-\x9f]+))"""
ASSIGNED = re.compile(r"(?<![\w\-.%\[\]])(?P<name>[\w\-.%\[\]]{1,64})[ \t]{0,8}=[ \t]{0,8}" + _VALUE)
LINE = re.compile(
    r"^[ \t]{0,32}(?:- {1,4})?(?:(?P<name>[\w\-]{1,64}):[ \t]*|(?:PASS|AUTH|IDENTIFY)[ \t]+)(?P<value>[^\s].*)$",
    re.MULTILINE,
)
# A name with a colon in the middle of a text, for names that are not words of a sentence.
NAMED = re.compile(r"(?<![\w\-.])(?P<name>[\w\-.]{1,64})[ \t]{0,8}:[ \t]{0,8}(?!//)" + _VALUE)
# An element of XML with a text.
ELEMENT = re.compile(r"<(?P<name>[\w:.\-]{1,64})(?:\s[^<>]{0,256})?>(?P<text>[^<>]+)(?=</)")

"""Masks: secrets are taken out of a conversation before it is written.

Its law: a recorder passes every text through `Masks`, and only the results reach a file or a terminal. A secret that
was seen once, such as a token in the URL, is masked in all later texts, under every name.
"""

import base64
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote, unquote_plus

from .jsontext import JsonStyle, documents
from .secretforms import ASSIGNED, ELEMENT, LINE, NAMED, QUOTED, USER, find_forms
from .secretnames import (
    is_before_secret,
    is_count,
    is_password,
    is_random,
    is_secret_name,
    normalized,
    split_subprotocol,
)

MASK = "~masked~"
"""The text that stands for a secret. URLs, headers, JSON and names of subprotocols may contain it as it is."""

MIN_KNOWN = 6
"""Characters of the shortest secret that is masked in all later texts: shorter ones are parts of other words."""

MAX_KNOWN = 1000
"""Secrets that are remembered at most, the first ones: each is searched for in each message."""

_CREDENTIALS = frozenset(("authorization", "proxy-authorization"))
_COOKIES = frozenset(("cookie", "set-cookie"))
_URLS = frozenset(("origin", "referer", "location", "content-location"))
# How objects of JSON are written that have a name and a value: a header, a field of a form.
_TITLES = ("name", "key", "header", "field", "id", "param")
_VALUES = ("value", "val")
_NO_SECRETS = frozenset(("user-agent", "sec-websocket-extensions", "date"))

Pattern = str | re.Pattern[str]


class Masks:
    """The texts that are masked in a recording, beside those that are always masked.

    `names`: more names of headers, parameters and keys of JSON whose values are secret, such as "email". `patterns`:
    regular expressions; all that they match is masked, or their groups if they have some. `show`: names that look
    secret, and are not, such as "session" or "key". `function`: it gets each text (URL, value of a header, message,
    also a binary one that is UTF-8) before anything is masked, and returns it without its secrets. Letter case and
    separators make no difference in names.

    Raises `ValueError` for a pattern that is not a regular expression, `TypeError` for arguments of other types.
    """

    def __init__(
        self,
        names: Iterable[str] = (),
        patterns: Iterable[Pattern] = (),
        show: Iterable[str] = (),
        function: Callable[[str], str] | None = None,
    ) -> None:
        if isinstance(names, str) or isinstance(show, str) or isinstance(patterns, (str, re.Pattern)):
            raise TypeError("names, patterns and show are lists, such as ['email']")
        if function is not None and not callable(function):
            raise TypeError(f"function must be a function from str to str, not {type(function).__name__}")
        self._names = frozenset(normalized(name) for name in names)
        self._shown = frozenset(normalized(name) for name in show)
        self._patterns = [_compile(pattern) for pattern in patterns]
        self._function = function
        self._known: dict[str, None] = {}  # a dictionary keeps the order, a set does not

    def url(self, url: str) -> str:
        """Return a URL without user, password, and secrets in its path and query."""
        url = self._custom(url)
        head, mark, query = url.partition("?")
        scheme, separator, rest = head.rpartition("://")
        authority, slash, path = rest.partition("/")
        user, at, host = authority.rpartition("@")
        if at:
            for part in user.split(":", 1):
                self._learn(part)
            self._learn(user)
            host = f"{MASK}@{host}"
        path = "/".join(self._path(path.split("/")))
        query = "&".join(map(self._parameter, query.split("&")))
        return self._hide_known(scheme + separator + host + slash + path + mark + query)

    def header(self, name: str, value: str) -> str:
        """Return the value of a header without its secrets. Call it for the headers before the messages."""
        value, lower = self._custom(value), name.lower()
        if lower in _CREDENTIALS:
            # After the scheme all is secret: parameters, as of Digest, too. Without a scheme all of it is.
            scheme, space, credentials = value.strip().partition(" ")
            if not space:
                scheme, credentials = "", scheme
            self._learn_credentials(credentials.strip())
            return f"{scheme} {MASK}".lstrip()
        if lower in _COOKIES:
            for cookie in value.split(";") if lower == "cookie" else [value.partition(";")[0]]:
                self._learn(cookie.partition("=")[2].strip())
            return MASK
        if lower == "sec-websocket-protocol":
            return ", ".join(self.subprotocols([part.strip() for part in value.split(",")]))
        if lower in _URLS:
            return self.url(value)
        if lower not in _NO_SECRETS and (self._is_secret(name) or (" " not in value and is_random(value))):
            self._learn(value)
            return MASK
        return self._hide_known(self._plain(value))

    def subprotocols(self, names: Iterable[str]) -> list[str]:
        """Return the names that a client offers; one after a name such as "access_token" is a token."""
        masked: list[str] = []
        before = ""
        for name in names:
            alone = bool(before) and self._is_secret(before) and not split_subprotocol(before)[1]
            masked.append(self._hide(name) if alone else self.subprotocol(name))
            before = name
        return masked

    def subprotocol(self, name: str) -> str:
        """Return the name of a subprotocol; of one that carries a token, the beginning, and the mask."""
        kept, secret = split_subprotocol(self._custom(name))
        if secret and not self._is_shown(kept.rstrip("-._:")):
            self._learn(secret)
            return self._hide_known(kept) + MASK
        return self._hide_known(kept + secret)

    def text(self, text: str) -> str:
        """Return a text, such as a message or the reason of a close, without its secrets."""
        text = self._custom(text)
        parts: list[str] = []
        for part, value in documents(text):
            if value is None:
                parts.append(self._plain(part))
                continue
            masked = self._value(value.json, False)
            parts.append(part if masked == value.json else JsonStyle.of(part, value.json).write(masked))
        return self._hide_known("".join(parts))

    def binary(self, data: bytes) -> bytes:
        """Return a binary message without its secrets: as a text if it is UTF-8, else without what is known to be one.

        In other binary formats a secret is found by its form, by `patterns`, or because it was seen before.
        """
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = data.decode("latin-1")  # each byte is a character: no byte is lost
            masked = QUOTED.sub(self._hide_quoted, self._forms(self._match_patterns(text)))
            masked = ASSIGNED.sub(self._hide_assigned, masked)
            for known in self._known:
                masked = masked.replace(known.encode().decode("latin-1"), MASK)
            return data if masked == text else masked.encode("latin-1")
        masked = self.text(text)
        return data if masked == text else masked.encode("utf-8", "surrogatepass")

    # Names.

    def _is_secret(self, name: str) -> bool:
        if self._names and normalized(name) in self._names:
            return True
        return is_secret_name(name) and not self._is_shown(name)

    def _is_shown(self, name: str) -> bool:
        return bool(self._shown) and normalized(name) in self._shown

    # Secrets that are known.

    def _learn(self, secret: str) -> None:
        for text in (secret, unquote_plus(secret)):
            new = len(text) >= MIN_KNOWN and MASK not in text and text not in MASK and text not in self._known
            if new and len(self._known) < MAX_KNOWN:
                # The longest first: a shorter one may be a part of it, whose rest would be shown.
                self._known = dict.fromkeys(sorted([*self._known, text], key=len, reverse=True))

    def _learn_credentials(self, credentials: str) -> None:
        self._learn(credentials)
        try:
            user, colon, password = base64.b64decode(credentials, validate=True).decode().partition(":")
        except ValueError:
            return
        if colon and user.isprintable():
            self._learn(password)

    def _hide_known(self, text: str) -> str:
        for known in self._known:
            text = text.replace(known, MASK)
        return text

    def _hide(self, secret: str) -> str:
        """Remember a secret, and return the mask; an empty value is shown."""
        self._learn(secret)
        return MASK if secret else secret

    # The parts of texts.

    def _custom(self, text: str) -> str:
        """Return the text after the function and the patterns of the user."""
        if self._function is not None:
            text = self._function(text)
            if not isinstance(text, str):
                raise TypeError(f"the function of Masks must return str, not {type(text).__name__}")
        return self._match_patterns(text)

    def _match_patterns(self, text: str) -> str:
        for pattern in self._patterns:
            text = pattern.sub(self._hide_groups, text)
        return text

    def _hide_groups(self, match: re.Match[str]) -> str:
        """Return the text of a match whose groups are masked; without groups all of it is."""
        spans = [match.span(group) for group in range(1, (match.re.groups or 0) + 1)] or [match.span()]
        shown, position = "", match.start()
        for start, end in sorted(spans):
            if start >= position and end > start:
                self._learn(match.string[start:end])
                shown += match.string[position:start] + MASK
                position = end
        return shown + match.string[position : match.end()]

    def _path(self, parts: list[str]) -> list[str]:
        return [
            self._hide(part)
            if is_random(unquote(part)) or (before and is_before_secret(before) and not self._is_shown(before))
            else self._plain(part)
            for before, part in zip(["", *parts], parts, strict=False)
        ]

    def _parameter(self, parameter: str) -> str:
        """Mask a parameter of a query."""
        name, equals, value = parameter.partition("=")
        if not equals:
            return self._hide(name) if is_random(unquote_plus(name)) else self._plain(name)
        plain = unquote_plus(value)
        if self._is_secret(unquote_plus(name)) or (is_random(plain) and not self._is_shown(unquote_plus(name))):
            return f"{name}={self._hide(value)}"
        return f"{name}={value if self.text(plain) == plain else MASK}"

    def _plain(self, text: str) -> str:
        """Mask a text that is not JSON."""
        text = self._forms(text)
        if "://" in text:
            text = USER.sub(lambda match: self._hide(match[0]), text)
        if ":" in text or "," in text:
            text = QUOTED.sub(self._hide_quoted, text)
        text = LINE.sub(self._hide_line, text)
        if "=" in text:
            text = ASSIGNED.sub(self._hide_assigned, text)
        if ":" in text:
            text = NAMED.sub(self._hide_named, text)
        if "</" in text:
            text = ELEMENT.sub(self._hide_assigned, text)
        return text

    def _forms(self, text: str) -> str:
        parts, position = [], 0
        for match in find_forms(text):
            secret = match[match.lastgroup or 0]
            parts += [text[position : match.end() - len(secret)], self._hide(secret)]
            position = match.end()
        return "".join([*parts, text[position:]]) if parts else text

    def _hide_quoted(self, match: re.Match[str]) -> str:
        group = "string" if match["string"] is not None else "other" if match["other"] is not None else "number"
        if not self._is_secret(match["name"]) or (group == "number" and is_count(match["name"])):
            return match[0]
        start, end = (place - match.start() for place in match.span(group))
        mask = self._hide(match[group])
        return match[0][:start] + (f'"{mask}"' if group == "number" else mask) + match[0][end:]

    def _hide_assigned(self, match: re.Match[str]) -> str:
        value = match[match.lastgroup or 0]
        if not self._is_secret(unquote_plus(match["name"])) or MASK in value:
            return match[0]
        start, end = (place - match.start() for place in match.span(match.lastgroup or 0))
        return match[0][:start] + self._hide(value) + match[0][end:]

    def _hide_named(self, match: re.Match[str]) -> str:
        return self._hide_assigned(match) if is_password(match["name"]) else match[0]

    def _hide_line(self, match: re.Match[str]) -> str:
        value = match["value"]
        if (match["name"] and not self._is_secret(match["name"])) or MASK in value:
            return match[0]
        return match[0].removesuffix(value) + self._hide(value)

    # JSON.

    def _value(self, value: Any, secret: bool, name: str = "") -> Any:
        """Return a value of JSON without its secrets: all texts in it if `secret`, numbers by their own `name`."""
        if isinstance(value, dict):
            return self._object(value, secret)
        if isinstance(value, list):
            # A pair of a name and a value, as headers are written, or an event with one argument.
            pair = len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], str)
            if pair and not secret and self._is_secret(value[0]):
                return [value[0], self._hide(value[1])]
            return [self._value(item, secret, name) for item in value]
        if isinstance(value, str):
            return self._hide(value) if secret else self.text(value)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        # Of an object with a secret name, such as "session", the numbers with other names are settings.
        return self._hide(str(value)) if number and self._is_secret(name) and not is_count(name) else value

    def _object(self, value: dict[str, Any], secret: bool) -> dict[str, Any]:
        # {"name": "Authorization", "value": "..."} is a header, too.
        title = next((value[key] for key in _TITLES if isinstance(value.get(key), str)), "")
        kind = value.get("type")
        named = (bool(title) and self._is_secret(title)) or (isinstance(kind, str) and is_password(kind))
        return {
            self._hide_known(self._forms(key)): self._value(
                item, (secret or self._is_secret(key) or (named and key in _VALUES)) and not self._is_shown(key), key
            )
            for key, item in value.items()
        }


def _compile(pattern: Pattern) -> re.Pattern[str]:
    if not isinstance(pattern, (str, re.Pattern)):
        raise TypeError(f"a pattern is a regular expression, not {type(pattern).__name__}")
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
    if not isinstance(compiled.pattern, str):
        raise TypeError("a pattern is a regular expression for text, not for bytes")
    return compiled

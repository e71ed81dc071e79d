"""The answer of a server that refuses the opening handshake, and the sentence about it in the log.

https://www.rfc-editor.org/rfc/rfc9110
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from websockets.datastructures import Headers

MAX_SHOWN = 200
"""Characters of a text from the server that the log shows."""

# Advice for a status, which follows it in the log.
_ADVICE = {
    400: "the server did not take the request",
    401: "it wants credentials: put user and password into the URL, or UserAgent(headers={'Authorization': ...})",
    403: "it refuses this client: Origin, cookies or a token may be missing",
    404: "is this the URL of a WebSocket?",
    405: "is this the URL of a WebSocket?",
    407: "a proxy in between wants credentials: put user and password into UserAgent(proxy=...)",
    410: "this URL is gone",
    426: "the server wants another protocol at this URL",
    429: "it has too many requests: try again later",
    503: "the service is not available now: try again later",
}


@dataclass(frozen=True)
class Refusal:
    """An HTTP response that ends the opening handshake."""

    status: int
    phrase: str
    headers: Headers
    body: bytes = b""
    """The beginning of the body, as far as it has arrived."""

    @property
    def retry_after(self) -> float | None:
        """Seconds after which the server may be asked again, by a valid Retry-After; None without one.

        https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
        """
        values = self.headers.get_all("Retry-After")
        if not values:
            return None
        value = values[0].strip()
        if value.isascii() and value.isdigit():
            return float(value[:15])
        try:
            date = parsedate_to_datetime(value)
            timestamp = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
        except (ValueError, TypeError, OverflowError):
            return None
        return max(0.0, timestamp - datetime.now(UTC).timestamp())

    def sentence(self, secrets: Collection[str] = ()) -> str:
        """Return one line for the log, without control characters and without any of `secrets`."""
        phrase = escape(redact(self.phrase, secrets))
        clauses = [f"the server answered {self.status} {phrase}".rstrip() + " instead of 101"]
        if 300 <= self.status < 400 and (location := self.headers.get_all("Location")):
            target = escape(redact(_public(location[0]), secrets))
            clauses.append(f"it leads to {target}: a WebSocket does not follow, use that URL")
        elif advice := _ADVICE.get(self.status, "is this the URL of a WebSocket?" if self.status < 400 else ""):
            clauses.append(advice)
        if retry_after := self.headers.get_all("Retry-After"):
            clauses.append(f"Retry-After: {escape(redact(retry_after[0], secrets))}")
        if text := redact(self._text(), secrets):
            clauses.append(f'it says "{escape(text)}"')
        return "; ".join(clauses)

    def _text(self) -> str:
        """Return the beginning of the body as plain text, "" if the body is of another kind."""
        kind = ",".join(self.headers.get_all("Content-Type")).lower()
        if self.headers.get_all("Content-Encoding") or not re.match(r"$|text/|application/(\S*\+)?(json|xml)\b", kind):
            return ""
        text = self.body.decode("utf-8", "replace")
        if "html" in kind or text.lstrip()[:1] == "<":
            title = re.search(r"<title[^>]*>(.*?)</title", text, re.IGNORECASE | re.DOTALL)
            text = title[1] if title else re.sub(r"<[^>]*>?", " ", text)
        return " ".join(text.split())


def redact(text: str, secrets: Collection[str]) -> str:
    """Return text without `secrets`, none of which is empty; call it before `escape`, which may cut a secret in two."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "…")
    return text


def escape(text: str, limit: int = MAX_SHOWN) -> str:
    """Return text from the network for one line of a log: shortened, with escapes for characters that do not print."""
    shown = text[:limit] + ("…" if len(text) > limit else "")
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode() for char in shown
    )


def describe(error: BaseException) -> str:
    """Return an exception as one line: its message, or the name of its type if it has no message."""
    return escape(str(error)) or type(error).__name__


def _public(location: str) -> str:
    """Return a URL without the parts that may be secret: credentials, query and fragment."""
    try:
        parts = urlsplit(location)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "another URL"
    return (f"{parts.scheme}:" if parts.scheme else "") + (f"//{host}" if host else "") + parts.path

"""Names and texts that look like secrets: of headers, parameters, keys of JSON, tokens in a URL.

Its law: a text that only may be a secret counts as one, because a recording is made to be shown to others.
"""

import re
from functools import lru_cache

# A name is secret if it contains one of these, in any letter case and without its separators.
_PARTS = ("token", "password", "passwd", "passwort", "passphrase", "passcode", "secret", "credential", "authoriz") + (
    "authent",
    "apikey",
    "accesskey",
    "privatekey",
    "signature",
    "session",
    "sessid",
    "cookie",
    "oauth",
    "jwt",
    "kennwort",
    "mnemonic",
)

# A name is secret if one of its words is one of these.
_WORDS = frozenset(
    (
        "auth",
        "key",
        "keys",
        "pass",
        "pwd",
        "pw",
        "pswd",
        "sign",
        "pin",
        "otp",
        "totp",
        "sid",
        "sig",
        "hmac",
        "bearer",
        "csrf",
        "xsrf",
    )
    + ("nonce", "ticket", "creds")
)

# Names of a part of a path whose next part is a secret, as in /token/1234.
_BEFORE_SECRET = re.compile(r"token|password|secret|api-?_?key|credential|^(key|jwt|ticket)$", re.IGNORECASE)

_PASSWORD = re.compile("passw|passphrase|passcode|kennwort|secret|apikey|accesskey|privatekey|accesstoken|authtoken")

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_SEPARATORS = re.compile(r"[^a-z0-9]")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def normalized(name: str) -> str:
    """Return a name in lower case, without separators: `X-Api_Key` and `xApiKey` are `xapikey`."""
    return _SEPARATORS.sub("", name.lower())


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Tell whether a name, such as `accessToken`, `X-API-Key` or `password`, says that its value is a secret."""
    joined = normalized(name[:256])
    if any(part in joined for part in _PARTS):
        return True
    return not _WORDS.isdisjoint(word.lower() for word in _WORD.findall(name[:256]))


def is_password(name: str) -> bool:
    """Tell whether a name is one of a password or key also where it stands in a sentence, or is the kind of a field."""
    return _PASSWORD.search(normalized(name[:256])) is not None


def is_count(name: str) -> bool:
    """Tell whether a number of this name counts things: `max_tokens`, `sessions`, but not `pass`; so does no `key`."""
    joined = normalized(name)
    return (joined.endswith("s") and not joined.endswith("pass")) or joined in ("key", "keycode", "session")


def is_random(text: str) -> bool:
    """Tell whether a text has a long part without a word, as tokens have: letters mixed with digits, or letter cases.

    A part has at least 16 characters, and lies between any of `-._~:`.
    """
    for part in re.split(r"[-._~:]", text):
        if len(part) < 16 or not re.fullmatch(r"[A-Za-z0-9+/=%]+", part):
            continue
        has_digit, has_letter = re.search("[0-9]", part), re.search("[A-Za-z]", part)
        if has_digit and has_letter:
            return True
        if len(part) >= 24 and len(re.findall("[a-z][A-Z]", part)) >= 3:
            return True
    return False


def is_before_secret(part: str) -> bool:
    """Tell whether the part of a path after this one is a secret."""
    return _BEFORE_SECRET.search(part) is not None


def split_subprotocol(name: str) -> tuple[str, str]:
    """Return the harmless beginning of the name of a subprotocol, and its secret rest, "" if it has none.

    Where headers cannot be sent, tokens are: `bearer.TOKEN`, `openai-insecure-api-key.TOKEN`, or a token alone.
    """
    for separator in re.finditer(r"[-._:]", name):
        first = name[: separator.start()]
        if is_secret_name(re.split(r"[-._:]", first)[-1]):
            return name[: separator.end()], name[separator.end() :]
    if is_random(name) or _UUID.search(name):
        return "", name
    return name, ""

"""Arguments that several commands take: headers, seconds, numbers, TLS."""

import ssl

from .printable import printable


def insecure_context() -> ssl.SSLContext:
    """Return the TLS context of --insecure, which accepts any certificate."""
    tls = ssl.create_default_context()
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    tls.set_alpn_protocols(["http/1.1"])
    return tls


def headers_by_name(headers: list[str]) -> dict[str, str]:
    """Return headers as a dictionary. An exception does not show a value, which may be a secret."""
    values: dict[str, str] = {}
    for header in headers:
        name, colon, value = header.partition(":")
        name = name.strip()
        if not colon:
            raise ValueError("a header is written as 'NAME: VALUE': one has no colon")
        if name in values:
            raise ValueError(f"the header {printable(name)} is given twice")
        values[name] = value.strip(" \t")
    return values


def seconds(text: str) -> float:
    """Convert an argument to a time in seconds, which may be "inf"."""
    if not (value := float(text)) >= 0:
        raise ValueError(text)
    return value


def count(text: str) -> int:
    """Convert an argument to a number of messages."""
    if not (value := int(text)) >= 1:
        raise ValueError(text)
    return value


def port(text: str) -> int:
    """Convert an argument to the number of a port; 0 is any free one."""
    if not 0 <= (value := int(text)) <= 65535:
        raise ValueError(text)
    return value


def factor(text: str) -> float:
    """Convert an argument to a positive, finite number."""
    if not 0 < (value := float(text)) < float("inf"):
        raise ValueError(text)
    return value

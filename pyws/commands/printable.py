"""Text for a terminal: the characters that a terminal obeys are escaped.

https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing
"""

import unicodedata


def printable(text: str) -> str:
    r"""Return a text whose control characters are escaped, as in \x1b or \u202e.

    Escaped are the control characters (C0 and C1), the line breaks, the characters that change the direction of text,
    and other invisible marks. A tab becomes spaces.
    """
    if text.isprintable():
        return text
    return "".join(character if is_harmless(character) else escaped(character) for character in text.expandtabs())


def is_harmless(character: str) -> bool:
    """Tell whether a terminal shows a character, or joins the characters beside it (ZWNJ, ZWJ)."""
    return character in "\u200c\u200d" or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def escaped(character: str) -> str:
    """Return the escape sequence of a character in Python's notation."""
    return ascii(character)[1:-1]

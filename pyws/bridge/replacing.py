"""The values of other modules that the bridge has replaced, and the hook of the program.

Its law: each is put back as it was, in the reverse order.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from . import Hook

hook: "Hook | None" = None
"""The handshake hook of the program."""

_replaced: "list[tuple[Any, str, Any, bool]]" = []  # the owner, the name, its own value, whether that is inherited


def replace(owner: "Any", name: str, value: object) -> None:
    """Give a class or a module another value of that name, until `put_back`."""
    inherited = name not in vars(owner)
    before = getattr(owner, name) if inherited else vars(owner)[name]
    _replaced.append((owner, name, before, inherited))
    setattr(owner, name, value)


def own(owner: "Any", name: str) -> "Callable[..., Any]":
    """Return the own function or method of that name: that which was replaced, or is there now."""
    found: Callable[..., Any] = getattr(owner, name)
    for replaced, of_that_name, before, _ in _replaced:
        if replaced is owner and of_that_name == name:
            found = before
            break
    return found


def is_replaced() -> bool:
    """Return whether anything is replaced now."""
    return bool(_replaced)


def put_back() -> None:
    """Put everything back."""
    while _replaced:
        owner, name, before, inherited = _replaced.pop()
        if inherited:
            delattr(owner, name)
        else:
            setattr(owner, name, before)

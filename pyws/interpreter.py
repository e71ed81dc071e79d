"""The words of the interpreter that each Python has but MicroPython, which has its own: see `loop.py`."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Constants(type):
    """The metaclass of interfaces: their constants (names in capitals) can be neither changed nor removed.

    https://webidl.spec.whatwg.org/#idl-constants
    """

    def __setattr__(cls, name: str, value: object) -> None:
        _check(cls, name, "changed")
        super().__setattr__(name, value)

    def __delattr__(cls, name: str) -> None:
        _check(cls, name, "removed")
        super().__delattr__(name)


def _check(cls: type, name: str, done: str) -> None:
    if name.isupper() and name[0] != "_":
        raise AttributeError(f"{cls.__name__}.{name} is a constant and cannot be {done}")


class Interface(metaclass=Constants):
    """The base class of interfaces."""

    __slots__ = ()


has_method = hasattr


def is_same_method(one: object, other: object) -> bool:
    """Tell whether both are the same method of the same object: a program gets a new object each time it asks."""
    instance = getattr(one, "__self__", None)
    if instance is None or instance is not getattr(other, "__self__", None):
        return False
    # A method of a builtin type has no function.
    return one.__func__ is getattr(other, "__func__", None) if hasattr(one, "__func__") else bool(one == other)


def to_scalar_values(string: str, decode: "Callable[[bytes], str]") -> str:
    """Return the plain `str`: surrogate pairs joined, each lone surrogate U+FFFD."""
    if type(string) is not str:
        string = str.__str__(string)
    if string.isascii():
        return string
    try:
        return decode(string.encode())  # which is not the same text in Brython, where surrogates can be encoded
    except UnicodeEncodeError:
        # Not plain "utf-16", which would eat a byte order mark.
        return string.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def buffer_bytes(value: "Any") -> bytes:
    """Return the bytes of a buffer; `TypeError` for any other value."""
    return memoryview(value).tobytes()


def without_traceback(error: BaseException) -> BaseException:
    """Return `error` without its traceback."""
    return error.with_traceback(None)

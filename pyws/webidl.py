"""Web IDL: how what a program gives becomes a value of a type of the standards, and the exception they raise.

Its law: a conversion gives a value of that type, or raises `TypeError`; it changes nothing.
https://webidl.spec.whatwg.org/
"""

from . import loop
from .loop import Interface

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def usv_string(string: str) -> str:
    """Return `string` as a scalar value string: surrogate pairs joined, each lone surrogate U+FFFD.

    Of a subclass of `str` the plain `str`: to JavaScript any other is an object.
    https://webidl.spec.whatwg.org/#js-USVString
    """
    return loop.to_scalar_values(string, loop.decode)


# https://webidl.spec.whatwg.org/#dfn-error-names-table
_CODES = {
    "IndexSizeError": 1,
    "HierarchyRequestError": 3,
    "WrongDocumentError": 4,
    "InvalidCharacterError": 5,
    "NoModificationAllowedError": 7,
    "NotFoundError": 8,
    "NotSupportedError": 9,
    "InUseAttributeError": 10,
    "InvalidStateError": 11,
    "SyntaxError": 12,
    "InvalidModificationError": 13,
    "NamespaceError": 14,
    "InvalidAccessError": 15,
    "TypeMismatchError": 17,
    "SecurityError": 18,
    "NetworkError": 19,
    "AbortError": 20,
    "URLMismatchError": 21,
    "QuotaExceededError": 22,
    "TimeoutError": 23,
    "InvalidNodeTypeError": 24,
    "DataCloneError": 25,
}


class DOMException(Exception, Interface):
    """An error of the web platform: tell it by `name` ("SyntaxError", "InvalidStateError", ...).

    `code` is the legacy number of that name, or 0. `str()` gives "name: message".
    https://webidl.spec.whatwg.org/#idl-DOMException
    """

    INDEX_SIZE_ERR = 1
    DOMSTRING_SIZE_ERR = 2
    HIERARCHY_REQUEST_ERR = 3
    WRONG_DOCUMENT_ERR = 4
    INVALID_CHARACTER_ERR = 5
    NO_DATA_ALLOWED_ERR = 6
    NO_MODIFICATION_ALLOWED_ERR = 7
    NOT_FOUND_ERR = 8
    NOT_SUPPORTED_ERR = 9
    INUSE_ATTRIBUTE_ERR = 10
    INVALID_STATE_ERR = 11
    SYNTAX_ERR = 12
    INVALID_MODIFICATION_ERR = 13
    NAMESPACE_ERR = 14
    INVALID_ACCESS_ERR = 15
    VALIDATION_ERR = 16
    TYPE_MISMATCH_ERR = 17
    SECURITY_ERR = 18
    NETWORK_ERR = 19
    ABORT_ERR = 20
    URL_MISMATCH_ERR = 21
    QUOTA_EXCEEDED_ERR = 22
    TIMEOUT_ERR = 23
    INVALID_NODE_TYPE_ERR = 24
    DATA_CLONE_ERR = 25

    def __init__(self, message: str = "", name: str = "Error") -> None:
        for argument in (message, name):
            if not isinstance(argument, str):
                raise TypeError(f"message and name must be str, not {type(argument).__name__}")
        super().__init__(message, name)
        self._pyws_message = message
        self._pyws_name = name

    @property
    def name(self) -> str:
        """The error's name, such as "SyntaxError".

        https://webidl.spec.whatwg.org/#dom-domexception-name
        """
        return self._pyws_name

    @property
    def message(self) -> str:
        """The description of the error, for a person.

        https://webidl.spec.whatwg.org/#dom-domexception-message
        """
        return self._pyws_message

    @property
    def code(self) -> int:
        """The legacy code of the name, 0 if it has none.

        https://webidl.spec.whatwg.org/#dom-domexception-code
        """
        return _CODES.get(self._pyws_name, 0)

    def __str__(self) -> str:
        return f"{self._pyws_name}: {self._pyws_message}" if self._pyws_message else self._pyws_name


def dictionary(value: "Mapping[str, object] | None", keywords: "dict[str, Any]", *names: str) -> "dict[str, Any]":
    """Return the members `names` of a dictionary argument and of `keywords`, which are stronger.

    A key of the dictionary that is not in `names` is ignored; such a keyword is a `TypeError`.

    https://webidl.spec.whatwg.org/#js-dictionary
    """
    for keyword in keywords:
        if keyword not in names:
            raise TypeError(f"unknown keyword {keyword!r}; the members are {', '.join(names)}")
    if value is None:
        return keywords
    if loop.is_js(value):  # pragma: no cover - in a page
        value = {name: getattr(value, name) for name in names if hasattr(value, name)}
    if not hasattr(value, "keys") or isinstance(value, type):
        raise TypeError(f"a dictionary is needed here, not {type(value).__name__}")
    merged = {name: value[name] for name in names if name in value}
    merged.update(keywords)
    return merged


def is_dictionary(value: object) -> bool:
    """Tell whether an argument that may also be a list is a dictionary: a mapping, or JavaScript's plain object.

    https://webidl.spec.whatwg.org/#js-union
    """
    if loop.is_js(value):  # pragma: no cover - in a page
        return loop.is_js_dictionary(value)
    if loop.is_null(value):
        return False
    return hasattr(value, "keys") and hasattr(value, "__getitem__") and not isinstance(value, type)


def to_usv_string(value: object, name: str) -> str:
    """Return `value` if it is a `str`, as a scalar value string; else `TypeError`."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be str, not {type(value).__name__}")
    return usv_string(value)


def to_integer(value: "Any", name: str) -> int:
    """Return `value` as an `int`; `TypeError` for a value that is not a whole number."""
    # Deviation: CLS-03, everywhere
    if not loop.has_method(value, "__index__"):
        raise TypeError(f"{name} must be int, not {type(value).__name__}")
    return value.__index__() if hasattr(value, "__index__") else int(value)

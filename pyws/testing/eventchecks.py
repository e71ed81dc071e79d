"""Checks of the events of a file. An event that cannot be replayed is an error when the file is read, with its place.

Its law: a file that a recorder has written passes.
"""

from urllib.parse import urlsplit

from .arguments import check_headers
from .recorded import Close, Event, Lost, Message, Request, Response

_NO_CODE = {
    1005: "1005 is an empty Close frame: write null",
    1006: "1006 is an end without a Close frame: write it as lost",
    1015: "1015 is a failure of TLS: no Close frame has it",
}


def check_event(event: Event) -> None:
    """Raise `ValueError` for an event that cannot be replayed."""
    match event:
        case Request():
            _check_texts(event.url, *event.subprotocols)
            try:
                urlsplit(event.url)
            except ValueError as error:
                raise ValueError(f"the URL of a request cannot be read: {error}") from None
        case Response():
            if not (event.status == 101 or 200 <= event.status <= 599):
                raise ValueError("the status of a response is 101, or from 200 to 599")
            _check_texts(event.subprotocol or "", event.body)
            check_headers(event.headers)
        case Message(data=str()):
            _check_texts(event.data)  # type: ignore[arg-type] # it is str here
        case Close():
            _check_texts(event.reason)
            if event.code in _NO_CODE:
                raise ValueError(_NO_CODE[event.code])
            if len(event.reason.encode()) > 123:
                raise ValueError("a reason has at most 123 bytes of UTF-8")
            if event.reason and event.code is None:
                raise ValueError("a Close frame without a code has no reason")


def _check_texts(*texts: str) -> None:
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("it has half of a surrogate pair, which cannot be sent: text travels as UTF-8") from None


class Order:
    """Checks that the events of one conversation can come one after the other."""

    def __init__(self) -> None:
        self._requested = self._answered = False
        self._ended = ""

    def check(self, event: Event, place: str) -> None:
        """Raise `ValueError` if `event` cannot come after those before; `place` is where it is, in words."""
        if self._ended:
            raise ValueError(f"the conversation has ended before, in {self._ended}")
        match event:
            case Request():
                if self._requested or self._answered:
                    raise ValueError("a request begins a conversation: another one needs a connection of its own")
                self._requested = True
            case Response():
                if self._answered:
                    raise ValueError("a response comes once, and before messages")
                self._answered = True
                self._ended = "" if event.status == 101 else place
            case Close() | Lost():
                self._answered = True
                self._ended = place
            case _:
                self._answered = True

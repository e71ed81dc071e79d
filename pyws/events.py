"""The events of a WebSocket that carry data: HTML's MessageEvent, and the WebSockets standard's CloseEvent.

Their base class, and how an event is dispatched to listeners, stand in `dom.py`.

https://html.spec.whatwg.org/multipage/comms.html#messageevent
"""

from . import loop
from .dom import Event
from .webidl import to_integer, to_usv_string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class MessageEvent(Event):
    """A message came: `data` is `str`, `bytes` or `Blob`.

    A program may make one: `MessageEvent("message", data="Hello")`, or with a dictionary, as in JavaScript.
    https://html.spec.whatwg.org/multipage/comms.html#messageevent
    """

    _pyws_MEMBERS = Event._pyws_MEMBERS + ("data", "origin", "lastEventId", "source", "ports")
    _pyws_SHOWN = ("data", "origin")

    _pyws_type = "message"  # of those that a WebSocket makes
    _pyws_data: "Any" = None
    _pyws_origin = ""
    _pyws_last_event_id = ""
    _pyws_source: object = None
    _pyws_ports: "tuple[object, ...]" = ()

    def _pyws_initialize(self, init: "dict[str, Any]") -> None:
        super()._pyws_initialize(init)
        self._pyws_fill(**{name: init[name] for name in MessageEvent._pyws_MEMBERS[3:] if name in init})

    def _pyws_fill(
        self, data: object = None, origin: str = "", lastEventId: str = "", source: object = None, ports: "Any" = ()
    ) -> None:
        if isinstance(ports, (str, bytes)) or not loop.has_method(ports, "__iter__"):
            raise TypeError(f"ports must be a sequence, not {type(ports).__name__}")
        self._pyws_origin = to_usv_string(origin, "origin")
        self._pyws_last_event_id = to_usv_string(lastEventId, "lastEventId")
        self._pyws_data = data
        self._pyws_source = source
        self._pyws_ports = tuple(ports)

    @property
    def data(self) -> "Any":
        """The message: `str` for text; `bytes` or `Blob` for binary, as `binaryType` says.

        https://html.spec.whatwg.org/multipage/comms.html#dom-messageevent-data
        """
        return self._pyws_data

    @property
    def origin(self) -> str:
        """Where it came from, such as "wss://example.org".

        https://html.spec.whatwg.org/multipage/comms.html#dom-messageevent-origin
        """
        return self._pyws_origin

    @property
    def lastEventId(self) -> str:
        """Empty: WebSocket messages have none.

        https://html.spec.whatwg.org/multipage/comms.html#dom-messageevent-lasteventid
        """
        return self._pyws_last_event_id

    @property
    def source(self) -> object:
        """None for WebSocket messages.

        https://html.spec.whatwg.org/multipage/comms.html#dom-messageevent-source
        """
        return self._pyws_source

    @property
    def ports(self) -> "tuple[object, ...]":
        """Empty for WebSocket messages.

        https://html.spec.whatwg.org/multipage/comms.html#dom-messageevent-ports
        """
        return self._pyws_ports

    def initMessageEvent(
        self,
        type: str,
        bubbles: object = False,
        cancelable: object = False,
        data: object = None,
        origin: str = "",
        lastEventId: str = "",
        source: object = None,
        ports: "Any" = (),
    ) -> None:
        """Initialize again (legacy): without effect while it is dispatched.

        https://html.spec.whatwg.org/multipage/comms.html#dom-messageevent-initmessageevent
        """
        if self._pyws_current_target is not None:
            return
        self._pyws_fill(data, origin, lastEventId, source, ports)
        self.initEvent(type, bubbles, cancelable)


class CloseEvent(Event):
    """The connection is closed: `wasClean`, `code` and `reason` tell how.

    A program may make one: `CloseEvent("close", code=1000)`, or with a dictionary, as in JavaScript.
    https://websockets.spec.whatwg.org/#the-closeevent-interface
    """

    _pyws_MEMBERS = Event._pyws_MEMBERS + ("wasClean", "code", "reason")
    _pyws_SHOWN: "tuple[str, ...]" = ("wasClean", "code", "reason")

    _pyws_was_clean = False
    _pyws_code = 0
    _pyws_reason = ""

    def _pyws_initialize(self, init: "dict[str, Any]") -> None:
        super()._pyws_initialize(init)
        self._pyws_was_clean = bool(init.get("wasClean", False))
        self._pyws_code = to_integer(init.get("code", 0), "code") & 0xFFFF
        self._pyws_reason = to_usv_string(init.get("reason", ""), "reason")

    @property
    def wasClean(self) -> bool:
        """Whether both sides sent a Close frame before the connection ended.

        https://websockets.spec.whatwg.org/#dom-closeevent-wasclean
        """
        return self._pyws_was_clean

    @property
    def code(self) -> int:
        """The code in the server's Close frame; 1005 if it had none, 1006 if no such frame came.

        https://websockets.spec.whatwg.org/#dom-closeevent-code
        """
        return self._pyws_code

    @property
    def reason(self) -> str:
        """The reason in the server's Close frame.

        https://websockets.spec.whatwg.org/#dom-closeevent-reason
        """
        return self._pyws_reason

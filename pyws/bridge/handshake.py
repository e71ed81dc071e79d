"""The opening handshake that a library asks for: the parts that a page can do, and the answer.

Its law: a header that a page cannot send, and the service may need, is an error; a header without such a use is
dropped, and the log says so once. Only names of headers come into the log and into errors, never values.
https://www.rfc-editor.org/rfc/rfc6455#section-4
"""

import logging
import re
from base64 import b64encode
from collections.abc import MutableMapping
from hashlib import sha1

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_HEAD = 1 << 16  # bytes
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

# Headers of the handshake itself: the page sends its own.
HANDSHAKE = {"host", "upgrade", "connection", "sec-websocket-key", "sec-websocket-version"}
HANDSHAKE |= {"sec-websocket-protocol", "sec-websocket-extensions"}
# Headers that a browser sends with values of its own.
BROWSER = {"user-agent", "origin", "accept", "accept-encoding", "accept-language", "cache-control", "pragma", "referer"}
# Headers that say nothing where a request has no body.
BROWSER |= {"content-length", "content-type", "transfer-encoding", "te", "date", "keep-alive", "proxy-connection"}
# Words in the names of headers by which a service decides whether a client may connect.
CREDENTIALS = re.compile(r"auth|cookie|token|secret|passw|credential|signature|session|api-?key|access-?key|^x-.*-key$")

REQUEST_LINE = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.\d\r?\n")
METHOD = re.compile(rb"[A-Z]{1,20}( |$)")
HEADER = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*", re.DOTALL)

ONLY_WEBSOCKETS = (
    "a page can open WebSockets only: {}. For HTTP there is pyodide.http.pyfetch; another protocol needs a server that "
    "speaks it inside of WebSockets."
)
WAY_OUT = (
    "take it away in a hook, pyws.bridge.install(handshake=hook), and say it in a way that pages have and the service "
    "knows: in the query of the URL, in a subprotocol, or in the first message."
)

log = logging.getLogger("pyws")
_said: "set[str]" = set()  # names of headers, and sentences, that the log has


class Headers(MutableMapping[str, str]):
    """The headers of a request: a dict in which the case of names does not matter.

    https://www.rfc-editor.org/rfc/rfc9110#section-5.1
    """

    def __init__(self) -> None:
        self._items: dict[str, tuple[str, str]] = {}

    def __getitem__(self, name: str) -> str:
        return self._items[name.lower()][1]

    def __setitem__(self, name: str, value: str) -> None:
        self._items[name.lower()] = name, value

    def __delitem__(self, name: str) -> None:
        del self._items[name.lower()]

    def __iter__(self) -> "Iterator[str]":
        return (name for name, _ in self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"<Headers {', '.join(self)}>"


class Request:
    """The opening handshake that a library asks for. A hook may change it: the page asks for the changed one.

    url        where to connect, from the library's request: `str`.
    protocols  the subprotocols to offer, a list of `str`.
    headers    the other headers, a dict in which the case of names does not matter. None of them can be sent.

    https://www.rfc-editor.org/rfc/rfc6455#section-4.1
    """

    def __init__(self, url: str, protocols: "list[str]", headers: Headers, key: str) -> None:
        self.url = url
        self.protocols = protocols
        self.headers = headers
        self._key = key
        self._offered = list(protocols)

    def __repr__(self) -> str:
        return f"<Request with {self.headers!r}>"

    def examine(self) -> None:
        """Raise OSError if a header is left that a page cannot send and the service may need; drop the others."""
        dropped = []
        for name in self.headers:
            lower = name.lower()
            if lower.startswith("sec-websocket-") or CREDENTIALS.search(lower):
                raise OSError(f"a page cannot send the header {name}: {WAY_OUT}")
            if lower not in BROWSER and lower not in _said:
                dropped.append(name)
        self.headers.clear()
        if dropped:
            _said.update(map(str.lower, dropped))
            log.warning(
                "A page cannot send the headers of a library: %s. If the service needs one, %s",
                ", ".join(dropped),
                WAY_OUT,
            )

    def answer(self, protocol: str) -> bytes:
        """Return the answer that opens the connection; a subprotocol that only a hook has offered is left out.

        https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
        """
        accept = b64encode(sha1(self._key.encode() + GUID).digest()).decode()
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
        lines.append(f"Sec-WebSocket-Accept: {accept}")
        if protocol in self._offered:
            lines.append(f"Sec-WebSocket-Protocol: {protocol}")
        return "\r\n".join([*lines, "", ""]).encode()


def head_size(data: bytes) -> int:
    """Return the size of the request's head that these first bytes of a connection begin with; 0 if it goes on.

    Raises OSError if they can be no request.
    """
    end = data.find(b"\r\n\r\n") + 4
    begin = REQUEST_LINE if b"\n" in data else METHOD
    if data and not begin.match(data):
        raise OSError(ONLY_WEBSOCKETS.format("the library speaks another protocol"))
    if end < 4 and len(data) > LARGEST_HEAD:
        raise OSError(ONLY_WEBSOCKETS.format("the library's request has no end"))
    return end if end >= 4 else 0


def parse_request(head: bytes, scheme: str, host: str, port: int, server_name: str) -> Request:
    """Return the request in a head, for a connection to that host and port.

    `server_name` is the name in TLS, "" for none. Raises OSError if it is not an opening handshake, and if it
    wants to reach the host by another name: the browser has one name for both.
    """
    match = REQUEST_LINE.match(head)
    if match is None:
        raise OSError(ONLY_WEBSOCKETS.format("the library speaks another protocol"))
    method, target = (part.decode("latin-1") for part in match.groups())
    if method == "CONNECT" or "://" in target:  # only a proxy is asked for a whole URL
        raise OSError(
            "a page cannot choose a proxy, the browser has its own: leave out the option proxy, and the environment "
            "variables HTTP_PROXY, HTTPS_PROXY and ALL_PROXY."
        )
    headers = Headers()
    for line in re.split("\r?\n", head[match.end() :].decode("latin-1")):
        if field := HEADER.fullmatch(line):
            name, value = field.groups()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if method != "GET" or headers.get("Upgrade", "").lower() != "websocket":
        raise OSError(ONLY_WEBSOCKETS.format("this is another request of HTTP"))
    for other, option in (_host_of(headers.get("Host", host)), "Host"), (server_name, "server_hostname"):
        if other and _canonical(other) != _canonical(host):
            raise OSError(
                f"a page reaches a host by one name only, and {option} differs from where the library connects: "
                "put the name into the URL."
            )
    protocols = [name.strip() for name in headers.get("Sec-WebSocket-Protocol", "").split(",")]
    key = headers.get("Sec-WebSocket-Key", "")
    for name in HANDSHAKE & {*map(str.lower, headers)}:
        del headers[name]
    return Request(f"{scheme}://{_authority(host, port, scheme)}{target}", list(filter(None, protocols)), headers, key)


def _host_of(authority: str) -> str:
    """Return the host in a value of the header Host."""
    return re.sub(r":\d*$", "", authority)


def _canonical(host: str) -> str:
    return host.strip("[]").partition("%")[0].rstrip(".").lower()


def _authority(host: str, port: int, scheme: str) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port == {"ws": 80, "wss": 443}[scheme] else f"{name}:{port}"


def say_once(sentence: str, level: int = logging.WARNING) -> None:
    """Write a sentence into the log, the first time."""
    if sentence not in _said:
        _said.add(sentence)
        log.log(level, "%s", sentence)


def report(error: Exception) -> None:
    """Write into the log that a library cannot connect, and why, the first time: some libraries do not say so."""
    reason = error if isinstance(error, OSError) else type(error).__name__
    say_once(f"A library cannot connect: {reason}", logging.ERROR)


def report_hook(error: BaseException) -> None:
    """Write into the log that a hook has raised an exception, whose text is not known to be without secrets."""
    reason = f"the handshake hook has raised {type(error).__name__}"
    say_once(f"A library cannot connect: {reason}", logging.ERROR)

"""`websockets.sync.client`: its connections without threads, which a page does not have.

They stand on `websockets.asyncio` of the same version. Its law: `connect`, and all that it does until it has a socket,
is the library's own; only the connection that it makes of a socket of the bridge is another one.
https://websockets.readthedocs.io/en/stable/reference/sync/client.html
"""

import asyncio
import sys
import threading

from .blockingsockets import derive, hand_over, stream_of
from .replacing import replace
from .transport import Transport
from .waiting import Signal, complete, wait_until

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

CLIENT = "websockets.sync.client"


class Finder:
    """The finder of modules that has the client changed when a program imports it."""

    @staticmethod
    def find_spec(name: str, path: "Any" = None, target: "Any" = None) -> "ModuleSpec | None":
        """Return where the client is, as the next finder says; None for any other module."""
        if name != CLIENT:
            return None
        specs = (finder.find_spec(name, path, target) for finder in sys.meta_path if finder is not Finder)
        spec = next(filter(None, specs), None)
        loader: Any = None if spec is None else spec.loader
        if loader is not None:

            def exec_module(module: "ModuleType") -> None:
                del loader.exec_module
                loader.exec_module(module)
                change(module)

            loader.exec_module = exec_module
        return spec


def install() -> None:
    """Change the client, now or when it is imported; `replacing.put_back` undoes the change."""
    sys.meta_path.insert(0, Finder)
    if CLIENT in sys.modules:
        change(sys.modules[CLIENT])


def uninstall() -> None:
    """Let the client be imported as it is."""
    sys.meta_path.remove(Finder)


def change(client: "Any") -> None:
    """Have the connections of the client made by `begin`, where their socket is one of the bridge."""
    from websockets.asyncio.client import ClientConnection

    cls = client.ClientConnection
    own = cls.__init__
    facade = type(cls.__name__, (BlockingConnection, cls), {"__module__": cls.__module__, "__doc__": cls.__doc__})

    def __init__(self: "Any", sock: "Any", protocol: "Any", **options: "Any") -> None:  # noqa: N807 - it replaces it
        if stream_of(sock) is None:
            own(self, sock, protocol, **options)
        else:
            self.__class__ = derive(type(self), facade)
            self.begin(sock, protocol, ClientConnection(protocol, **options))

    replace(cls, "__init__", __init__)
    for name in ("unix_connect", "unix_reconnect"):
        if hasattr(client, name):
            replace(client, name, refuse)


def refuse(*_: object, **__: object) -> "Any":
    """Raise OSError: it takes the place of functions for Unix sockets."""
    raise OSError("a page cannot open Unix sockets: connect to a ws: or wss: URL.")


class BlockingConnection:
    """The methods of a connection that use threads in the library; the others stay as they are there."""

    def begin(self, sock: "Any", protocol: "Any", connection: "Any") -> None:
        """Give a connection of `websockets.asyncio` what goes over the socket: once, before anything else."""
        loop = asyncio.get_event_loop()
        transport = Transport(loop, hand_over(sock))
        transport.set_protocol(connection)
        connection.connection_made(transport)
        connection.connection_lost_waiter.add_done_callback(lambda _: sock.close())
        self.socket = sock
        self.protocol = protocol
        self.id = connection.id
        self.logger = connection.logger
        self.debug = connection.debug
        self.close_timeout = connection.close_timeout
        self.ping_interval = connection.ping_interval
        self.ping_timeout = connection.ping_timeout
        self.send_in_progress = False
        self.pending_legacy_warning = True
        self.recv_events_thread = Reading(connection.connection_lost_waiter)
        self.keepalive_thread = None
        self._connection = connection

    @property
    def request(self) -> "Any":
        """The request of the opening handshake."""
        return self._connection.request

    @property
    def response(self) -> "Any":
        """The answer to it."""
        return self._connection.response

    @property
    def latency(self) -> float:
        """Seconds from the last Ping to its Pong."""
        return float(self._connection.latency)

    def handshake(self, additional_headers: "Any" = None, *rest: "Any", **more: "Any") -> None:
        """Do the opening handshake, with the arguments of the library; `connect` calls this.

        Raises TimeoutError if there is no answer after `timeout` seconds.
        """
        options = dict(zip(("user_agent_header", "timeout"), rest, strict=False)) | more
        timeout = options.pop("timeout", None)
        try:
            complete(self._connection.handshake(additional_headers, **options), timeout)
        except TimeoutError:
            raise TimeoutError("timed out while waiting for handshake response") from None

    def recv(self, timeout: float | None = None, decode: bool | None = None) -> "str | bytes":
        """Return the next message.

        Raises TimeoutError after `timeout` seconds; no message is lost by that.
        """
        self._warn()
        return self._complete(self._connection.recv(decode), timeout)  # type: ignore[no-any-return] # a library

    def recv_streaming(self, decode: bool | None = None) -> "Iterator[str | bytes]":
        """Return an iterator of the fragments of the next message."""
        self._warn()
        fragments = self._connection.recv_streaming(decode)

        async def following() -> "Any":
            return await anext(fragments, None)

        while (fragment := self._complete(following())) is not None:
            yield fragment

    def send(self, message: "Any", *, text: bool | None = None) -> None:
        """Send a message, or the fragments of one in an iterable.

        Raises ConcurrencyError while another call sends fragments.
        """
        self._warn()
        if self.send_in_progress:
            from websockets.exceptions import ConcurrencyError

            raise ConcurrencyError("cannot call send while another thread is already running send")
        if hasattr(message, "__aiter__"):
            raise TypeError("data must be str, bytes, or iterable")
        self.send_in_progress = not isinstance(message, (str, bytes, bytearray, memoryview))
        options = {} if text is None else {"text": text}
        try:
            self._complete(self._connection.send(message, **options))
        except TypeError as error:
            raise TypeError(str(error).replace("iterable, or async iterable", "or iterable")) from None
        finally:
            self.send_in_progress = False

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Do the closing handshake, and wait for the end of the connection."""
        self._warn()
        self._complete(self._connection.close(code, reason))

    def ping(self, data: "Any" = None, *, ack_on_close: bool = False) -> "Pong":
        """Send a Ping, and return an event that is set when the Pong has come."""
        self._warn()
        future: asyncio.Future[float] = self._complete(self._connection.ping(data))
        pong = Pong()

        def done(_: object) -> None:
            if ack_on_close or (not future.cancelled() and future.exception() is None):
                pong.set()

        future.add_done_callback(done)
        return pong

    def pong(self, data: "Any" = b"") -> None:
        """Send a Pong that answers nothing."""
        self._warn()
        self._complete(self._connection.pong(data))

    def start_keepalive(self) -> None:
        """Send Pings from now on, unless the connection has ended already; `connect` calls this."""
        if self.recv_events_thread.is_alive():
            self._connection.start_keepalive()

    def close_socket(self) -> None:
        """End the connection at once; `connect` calls this if the opening handshake fails."""
        self._connection.transport.abort()

    def _warn(self) -> None:
        """Warn of a call without `with`, if this version does."""
        getattr(self, "maybe_raise_legacy_warning", lambda: None)()

    def _complete(self, coroutine: "Any", timeout: float | None = None) -> "Any":
        """Wait for a method of the other connection; its errors name threads, as those of this one do."""
        from websockets.exceptions import ConcurrencyError

        try:
            return complete(coroutine, timeout)
        except ConcurrencyError as error:
            raise ConcurrencyError(str(error).replace("another coroutine", "another thread")) from None


class Reading:
    """The object that takes the place of the thread that reads: it lives until the connection has ended."""

    def __init__(self, ended: "asyncio.Future[None]") -> None:
        self._ended = ended
        self._signal = Signal()
        ended.add_done_callback(lambda _: self._signal.notify())

    def is_alive(self) -> bool:
        """Return whether the connection is there."""
        return not self._ended.done()

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end."""
        wait_until(self._ended.done, timeout, [self._signal])


class Pong(threading.Event):
    """An event for which a program can wait without threads."""

    def __init__(self) -> None:
        super().__init__()
        self._signal = Signal()

    def set(self) -> None:
        """Have all that wait go on."""
        super().set()
        self._signal.notify()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait, and return whether it is set."""
        return wait_until(self.is_set, timeout, [self._signal])

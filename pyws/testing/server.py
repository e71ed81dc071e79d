"""A real WebSocket server for tests, on this machine, that does what a test says and keeps what it hears.

Its law: each fault in it reaches the test: an expectation that is not met, an exception of a coroutine, a step that was
never reached. It has a thread and an event loop of its own, so that every client can talk to it: of this thread or
another, of any event loop or of none, of another process, a browser.
"""

import asyncio
import ssl
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Self, TypeVar

from .arguments import check_seconds
from .client import ConnectionOver
from .connection import TIMEOUT, Connection
from .conversation import Message
from .expectations import ExpectationError, check_expected, describe
from .player import Player
from .script import Place, Script
from .waiting import Changes, in_its_loop

if TYPE_CHECKING:
    from .. import UserAgent

T = TypeVar("T")

BLOCKED_AFTER = 5.0
"""Seconds that code of the test may keep the event loop of the server, and its tasks may go on when it ends."""
TURNS = 20
"""Turns of the event loop after which a client that has connected before is known: it takes about five."""


class WebSocketServer(Place):
    """A WebSocket server for a test, which chained calls tell what to do:

        with WebSocketServer() as server:
            server.expect("hello").send("world").close(4001, "bye")
            ...  # connect to server.url

    The steps are taken for each connection; those after `next_connection()` for the next one, those of `at(path)` for
    a path. `connections` has what it heard. At the end, and by `check()`, a fault of the conversations is raised.

    `compression`: whether permessage-deflate is accepted if the client offers that. `timeout`: seconds that each step
    waits for the client.
    """

    def __init__(self, *, compression: bool = True, timeout: float = TIMEOUT) -> None:
        super().__init__()
        check_seconds("timeout", timeout)
        self.compression = compression
        """Whether it accepts permessage-deflate, from connections that come later."""
        self.timeout = timeout
        """Seconds that a step waits for the client, of connections that come later."""
        self.connections: list[Connection] = []
        """All connections so far, in the order of their requests."""
        self._places: dict[str, Place] = {}
        self._changes = Changes()
        self._players: dict[Player, asyncio.Task[None]] = {}
        self._serving: set[asyncio.Task[None]] = set()
        self._failures: list[BaseException] = []
        self._listeners: list[asyncio.Server] = []
        self._running = False
        self._silent: set[Connection] = set()  # those whose request has not come

    def at(self, path: str) -> Place:
        """Return the place of that path, such as "/chat": its steps are for connections to it, with every query.

        If the server itself has no steps, it then answers 404 to all other paths.
        """
        if not isinstance(path, str) or not path.startswith("/"):
            raise ValueError(f"path must begin with a slash, not {path!r}")
        return self._places.setdefault(path, Place())

    # Start and end

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        try:
            if error is None:
                self.check()
        finally:
            self.stop()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        try:
            if error is None:
                await self.async_check()
        finally:
            self.stop()

    def start(self) -> None:
        """Listen on a free port of 127.0.0.1, in a thread of its own. `with` does this."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="pyws.testing", daemon=True)
        self._thread.start()
        self._running = True
        self._port = self._call(self._listen(None))

    def stop(self) -> None:
        """End all connections, with 1001 where one is open, and the thread. `with` does this."""
        self._call(self._stop())
        self._running = False
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the thread of the server; raise `RuntimeError` if that is blocked, or does not run."""
        if not self._running:
            coroutine.close()
            raise RuntimeError("the server does not run: use it in a with statement, and ask inside of that")
        alive = threading.Event()
        self._loop.call_soon_threadsafe(alive.set)
        if not alive.wait(BLOCKED_AFTER):
            coroutine.close()
            raise RuntimeError("a function of the test blocks the thread of the server: let it be async, and await")
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _listen(self, context: ssl.SSLContext | None) -> int:
        listener = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self._listeners.append(listener)
        port: int = listener.sockets[0].getsockname()[1]
        return port

    async def _stop(self) -> None:
        for listener in self._listeners:
            listener.close()
        for player, task in self._players.items():
            player.connection.hurry()
            task.cancel()
        for connection in self._silent:
            connection.abort()
        if self._serving:
            await asyncio.wait(self._serving, timeout=BLOCKED_AFTER)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for other in others:
            other.cancel()
        if others:
            await asyncio.wait(others, timeout=BLOCKED_AFTER)
        await self._loop.shutdown_asyncgens()

    # Addresses

    @property
    def url(self) -> str:
        """The address, such as "ws://127.0.0.1:49152"."""
        if self._port is None:
            raise RuntimeError("the server has not started: use it in a with statement")
        return f"ws://127.0.0.1:{self._port}"

    @property
    def secure_url(self) -> str:
        """The address for TLS, such as "wss://127.0.0.1:49153"; `user_agent` and `ssl_context` trust its certificate.

        Raises `ImportError` without the extra `pyws-websocket[testing]`.
        """
        if self._secure_port is None:
            from .certificates import server_context

            self._secure_port = self._call(self._listen(server_context()))
        return f"wss://127.0.0.1:{self._secure_port}"

    _port: int | None = None
    _secure_port: int | None = None

    @property
    def authorities(self) -> str:
        """The path of a PEM file with the authority to trust, for clients of every kind."""
        from .certificates import authorities

        return authorities()

    @property
    def user_agent(self) -> "UserAgent":
        """A `pyws.UserAgent` that trusts the certificate, for a `with` statement or its method `use()`."""
        from .. import UserAgent

        return UserAgent(authorities=self.authorities)

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """A context that trusts the certificate, for other clients."""
        return ssl.create_default_context(cafile=self.authorities)

    # One connection

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        connection = Connection(
            reader, writer, compression=self.compression, timeout=self.timeout, changes=self._changes
        )
        self._silent.add(connection)
        try:
            try:
                await connection.requested()
            finally:
                self._silent.discard(connection)
        except ConnectionOver:
            if connection.broken is not None:
                text = "a client has sent bytes that are not a request of HTTP: does it use wss: at the address of ws:?"
                self._failures.append(ExpectationError(f"{text} ({connection.broken})"))
        else:
            await self._converse(connection)
        finally:
            await connection.finish()
            self._serving.discard(task)
            self._changes.notify()

    async def _converse(self, connection: Connection) -> None:
        player = Player(connection, self._script_for(connection), self._failures, self._changes)
        self._players[player] = playing = asyncio.create_task(player.play())
        self.connections.append(connection)
        self._changes.notify()
        await asyncio.wait([playing])

    def _script_for(self, connection: Connection) -> Script:
        place = self._places.get(connection.path) or self._places.get(connection.path.partition("?")[0])
        if place is None and self._places and self.empty:
            return Script().refuse(404)
        return (place or self).take()

    # Questions of the test

    def check(self) -> None:
        """Wait for the steps that are being taken, each as long as its time limit, and raise what went wrong.

        That is `ExpectationError` for an expectation that is not met, also for one that no connection came to; or the
        exception of a function of the test. If there are several, the first is raised, and has the others as notes.
        """
        __tracebackhide__ = True
        self._call(self._settle())
        self._raise(self._failures + self._unmet())

    async def async_check(self) -> None:
        """The same as `check`, for a coroutine: other tasks of its loop go on."""
        __tracebackhide__ = True
        await self._settle()
        self._raise(self._failures + self._unmet())

    @in_its_loop
    async def _settle(self) -> None:
        await _turns()
        for player in self._players:
            player.connection.hurry()
        changed = asyncio.Event()
        unsubscribe = self._changes.subscribe(lambda: self._loop.call_soon_threadsafe(changed.set))
        try:
            while self._busy():
                await changed.wait()
                changed.clear()
                # A coroutine of the test is busy again when it goes on to the next message.
                await _turns()
        finally:
            unsubscribe()
        # A coroutine of the test whose client has gone ends by itself: its last lines may be assertions.
        ending = [task for player, task in self._players.items() if player.connection.over and not task.done()]
        if ending:
            await asyncio.wait(ending, timeout=BLOCKED_AFTER)

    def _busy(self) -> bool:
        return any(player.busy for player in self._players)

    def _unmet(self) -> list[BaseException]:
        """Return an error for each script with an expectation that no connection came to."""
        errors: list[BaseException] = []
        for path, place in {"": self, **self._places}.items():
            for number, script in enumerate(place.scripts, 1):
                if step := script.unmet():
                    where = f"to {path}" if path else "to the server"
                    came = "has left before" if script.begun else "did not come"
                    text = f"expected {step.expected}, but connection {number} {where} {came}"
                    errors.append(ExpectationError(f"{text}\n  in {step.place}"))
        return errors

    @staticmethod
    def _raise(errors: list[BaseException]) -> None:
        __tracebackhide__ = True
        for other in errors[1:]:
            errors[0].add_note(f"And another fault: {type(other).__name__}: {other}")
        if errors:
            raise errors[0]

    def wait_for_connection(self, number: int = 1, *, timeout: float | None = None) -> Connection:
        """Block until so many connections have come (1 is the first), and return the last one of them.

        Raises `ExpectationError` after `timeout` seconds (that of the server by default).
        """
        return self._changes.wait(self._connection(number), self._limit(timeout), self._came(number))

    async def async_wait_for_connection(self, number: int = 1, *, timeout: float | None = None) -> Connection:
        """The same as `wait_for_connection`, for a coroutine."""
        return await self._changes.async_wait(self._connection(number), self._limit(timeout), self._came(number))

    def wait_for(self, expected: Any, *, timeout: float | None = None) -> Message:
        """Block until a client has sent a message that is as expected (see `expect`), and return it.

        Messages that came before count. Raises `ExpectationError` after `timeout` seconds (that of the server by
        default), and what went wrong, if a conversation has failed.
        """
        message: Message = self._changes.wait(self._heard(expected), self._limit(timeout), self._all(expected))
        return message

    async def async_wait_for(self, expected: Any, *, timeout: float | None = None) -> Message:
        """The same as `wait_for`, for a coroutine."""
        message: Message = await self._changes.async_wait(
            self._heard(expected), self._limit(timeout), self._all(expected)
        )
        return message

    def _limit(self, timeout: float | None) -> float:
        check_seconds("timeout", timeout)
        return self.timeout if timeout is None else timeout

    def _connection(self, number: int) -> Callable[[], Connection | None]:
        def ready() -> Connection | None:
            self._raise(self._failures)
            return self.connections[number - 1] if number <= len(self.connections) else None

        return ready

    def _came(self, number: int) -> Callable[[], str]:
        return lambda: f"connection {number}, but {len(self.connections)} came"

    def _heard(self, expected: Any) -> Callable[[], Any]:
        check_expected(expected)
        searches: list[Callable[[], Message | None]] = []

        def ready() -> Message | None:
            searches.extend(connection.search(expected) for connection in self.connections[len(searches) :])
            for search in searches:
                message = search()
                if message is not None:
                    return message
            self._raise(self._failures)
            return None

        return ready

    def _all(self, expected: Any) -> Callable[[], str]:
        return lambda: f"{describe(expected)}\n{self.show()}"

    def show(self) -> str:
        """Return as text what went wrong, and where, then all conversations so far, a line for each row."""
        faults = [_head(error) for error in list(self._failures)]
        shown = [f"connection {n}:\n{c.conversation.show()}" for n, c in enumerate(list(self.connections), 1)]
        return "\n".join([*faults, *(shown or ["no connection came"])])


def _head(error: BaseException) -> str:
    """Return the first line of a fault, and the second if that is its place."""
    first, *rest = f"{type(error).__name__}: {error}".splitlines()
    return "\n".join([first, *(line for line in rest[:1] if line.startswith("  in "))])


async def _turns() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)

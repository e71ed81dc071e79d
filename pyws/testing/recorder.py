"""A recorder: a server between clients and the real server, that passes everything on and writes it down.

Both legs stand on `websockets`: fragments arrive as one message, Pings are answered on the leg on which they come.
"""

import asyncio
import contextlib
import os
import ssl
import threading
from collections.abc import Callable, Iterable
from typing import Self
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.http11 import Request as HttpRequest
from websockets.http11 import Response as HttpResponse

from ..cpython.url import is_this_machine, parse
from .arguments import MoreHeaders, check_headers
from .masks import Masks
from .recorded import Lost, Request, Response, form
from .recordingfile import RecordingFile
from .relay import CLOSING_TIMEOUT, Relay
from .upstream import dial, passed_on, silent_logger


class Recorder:
    """Records what clients that connect to `address` say to the server at `url`, and what it answers.

        with record("wss://example.org/chat", "chat.jsonl") as recorder:
            ...  # connect to recorder.address

    In a coroutine it may be `async with`: then it runs in the same event loop; else it has a thread of its own.

    `path`: the file, .jsonl or .har; an archive is written at the end, until then its events are in a file beside it,
    .har.jsonl. `masks`: the secrets. `overwrite`: replace an old file. `headers`: headers to send to the server,
    instead of those of the client with these names. `tls`: an `ssl.SSLContext` for the server. `proxy`: the URL of a
    proxy to it, "" for none, None for that of the environment. `origins`: web origins, such as "https://example.org",
    whose pages may connect, beside those of this machine. `timeout`: seconds to connect to the server within. `port`:
    where to listen on 127.0.0.1; 0 is a free port. `connections`: how many have to end until `enough` returns, None
    for any number. `note`: a function that gets a line for people whenever a connection begins or ends.

    A client that asks for another path than "/" gets that path of the server. Raises `DOMException` "SyntaxError" for a
    URL that is not one of a WebSocket, `RecordingError` for another suffix, and when it starts `FileExistsError` if the
    file exists, `OSError` if it cannot be written or the port is in use.
    """

    def __init__(
        self,
        url: str,
        path: "str | os.PathLike[str]",
        *,
        masks: Masks | None = None,
        overwrite: bool = False,
        headers: MoreHeaders = (),
        tls: ssl.SSLContext | None = None,
        proxy: str | None = None,
        origins: Iterable[str] = (),
        timeout: float = 30.0,
        port: int = 0,
        connections: int | None = None,
        note: Callable[[str], object] = lambda _: None,
    ) -> None:
        form(path)
        self._href = parse(url).href
        self._path = path
        self._masks = masks or Masks()
        self._overwrite = overwrite
        self._headers = check_headers(headers)
        self._tls = tls
        self._proxy = proxy
        self._origins = frozenset(origins)
        self._timeout = timeout
        self._port = port
        self._note = note
        self._connections = connections
        self._server: Server | None = None
        self._ended = 0
        self._enough = asyncio.Event()
        self._count = 0
        self._dialing: set[asyncio.Future[ClientConnection]] = set()
        self._opening: dict[ServerConnection, Relay] = {}
        self._relays: dict[Relay, asyncio.Task[None]] = {}

    @property
    def address(self) -> str:
        """The address for clients, such as "ws://127.0.0.1:49152"; ask for it after the start."""
        if self._server is None:
            raise RuntimeError("the recorder has not started: use it in a with statement")
        return f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def url(self) -> str:
        """The URL of the real server, without its secrets."""
        return self._masks.url(self._href)

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="pyws.testing", daemon=True)
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self.start(), self._loop).result()
        except BaseException:
            self._end_thread()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            asyncio.run_coroutine_threadsafe(self.stop(), self._loop).result()
        finally:
            self._end_thread()

    def _end_thread(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Make the file, and listen. Call it once."""
        self._file = RecordingFile(self._path, self._masks, self._overwrite)
        try:
            self._server = await serve(
                self._pass_on,
                "127.0.0.1",
                self._port,
                process_request=self._open,
                process_response=self._add_headers,
                select_subprotocol=lambda client, _: self._opening[client].server.subprotocol,
                compression=None,
                server_header=None,
                open_timeout=self._timeout + CLOSING_TIMEOUT,
                close_timeout=CLOSING_TIMEOUT,
                ping_interval=None,
                max_size=None,
                logger=silent_logger,
            )
        except BaseException:
            self._file.discard()
            raise

    async def stop(self) -> None:
        """Wait for what a side has begun to close, close the rest with 1001, and finish the file. Call it once.

        Raises `OSError` if the recording is not complete, because it could not be written; the exception of a function
        that masks.
        """
        for relay in self._relays:
            relay.stopping = not relay.is_ending
        assert self._server is not None
        self._server.close()
        for dialing in list(self._dialing):
            dialing.cancel()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._server.wait_closed(), 2 * CLOSING_TIMEOUT)
        self._file.finish()

    async def enough(self) -> None:
        """Wait until `connections` have ended, refused ones too, or the file cannot be written."""
        await self._enough.wait()

    def _note_end(self, text: str) -> None:
        """Note that a connection has ended."""
        if self._file.failure is not None:
            failure = self._file.failure
            # The text of an exception of a function that masks may have a secret.
            words = failure if isinstance(failure, OSError) else type(failure).__name__
            text = f"the recording cannot be written: {words}"
            self._enough.set()
        self._note(text)
        self._ended += 1
        if self._ended == self._connections:
            self._enough.set()

    # The opening handshake.

    async def _open(self, client: ServerConnection, request: HttpRequest) -> HttpResponse | None:
        """Open the leg to the server; return the refusal for the client, or None to accept."""
        try:
            return await self._open_leg(client, request)
        except Exception as error:
            # A function that masks has failed: nothing more is written, so that no secret is.
            self._file.fail(error)
            if client in self._opening:
                self._opening.pop(client).server.transport.abort()
            self._note_end("")
            return client.respond(500, "The recording cannot be written.\n")

    async def _open_leg(self, client: ServerConnection, request: HttpRequest) -> HttpResponse | None:
        origin = request.headers.get("Origin")
        if origin is not None and not self._is_allowed(origin):
            self._note(f"a page of another origin was refused; to allow it: --allow-origin {origin}")
            return client.respond(403, "The recorder does not know the origin of this page.\n")
        self._count += 1
        number, url = self._count, self._target(request.path)
        values = ",".join(request.headers.get_all("Sec-WebSocket-Protocol"))
        offered = [name.strip() for name in values.split(",") if name.strip()]
        replaced = {name.lower() for name, _ in self._headers}
        headers = [pair for pair in passed_on(request.headers) if pair[0].lower() not in replaced] + self._headers
        if not self._write_request(number, url, offered, headers):
            return client.respond(500, "The recording cannot be written.\n")
        dialing = asyncio.ensure_future(
            dial(url, offered, headers, tls=self._tls, proxy=self._proxy, timeout=self._timeout)
        )
        dialing.add_done_callback(self._dialing.discard)
        self._dialing.add(dialing)
        gone = asyncio.ensure_future(client.wait_closed())
        try:
            await asyncio.wait([dialing, gone], return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                dialing.add_done_callback(_abort)
                self._file.write(number, Lost("client", self._file.now()))
                self._note_end(f"connection {number}: the client has gone before it was open")
                return client.respond(502, "")
            if dialing.cancelled():
                return client.respond(503, "The recorder has ended.\n")
            server = dialing.result()
        except InvalidStatus as error:
            return self._refuse(number, error.response)
        except (OSError, InvalidHandshake, ImportError, EOFError) as error:
            self._file.write(number, Lost("server", self._file.now()))
            reason = self._masks.text(str(error) or type(error).__name__)
            self._note_end(f"connection {number}: the server cannot be reached: {reason}")
            return client.respond(502, "The recorder cannot reach the server.\n")
        finally:
            dialing.cancel()
            gone.cancel()
        self._opening[client] = Relay(number, client, server, self._file)
        answer = server.response
        assert answer is not None
        chosen = None if server.subprotocol is None else self._masks.subprotocol(server.subprotocol)
        self._file.write(number, Response(101, chosen, self._kept(answer.headers), "", self._file.now()))
        self._note(f"connection {number} is open: {self._masks.url(url)}")
        return None

    def _is_allowed(self, origin: str) -> bool:
        """Tell whether the pages of an origin may connect: others could use what is secret in the URL."""
        try:
            host = urlsplit(origin).hostname or ""
        except ValueError:
            host = ""
        return origin in self._origins or is_this_machine(host)

    def _target(self, path: str) -> str:
        """Return the URL at the server for a path that a client asks for."""
        if path in ("", "/"):
            return self._href
        scheme, _, rest = self._href.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}{path}"

    def _refuse(self, number: int, response: HttpResponse) -> HttpResponse:
        """Write a refusal of the server, and return it for the client."""
        body = bytes(response.body)
        kept = self._kept(response.headers)  # before the body: it may repeat what is secret in a header
        text = self._masks.text(body.decode("utf-8", "replace"))
        self._file.write(number, Response(response.status_code, None, kept, text, self._file.now()))
        self._note_end(f"connection {number}: the server refuses with {response.status_code}")
        headers = Headers(passed_on(response.headers))
        headers["Content-Length"] = str(len(body))
        headers["Connection"] = "close"
        return HttpResponse(response.status_code, response.reason_phrase, headers, body)

    def _add_headers(self, client: ServerConnection, _: HttpRequest, response: HttpResponse) -> None:
        """Add the headers of the server's answer, such as Set-Cookie, to that for the client."""
        if client in self._opening and response.status_code == 101:
            answer = self._opening[client].server.response
            assert answer is not None
            for name, value in passed_on(answer.headers):
                response.headers[name] = value

    # The events.

    def _write_request(self, number: int, url: str, offered: list[str], headers: list[tuple[str, str]]) -> bool:
        # All parts are masked twice: a secret that is known after the first time is masked in all of them.
        for _ in range(2):
            names = tuple(self._masks.subprotocols(offered))
            masked = tuple((name, self._masks.header(name, value)) for name, value in headers)
            request = Request(self._masks.url(url), names, masked, self._file.now())
        return self._file.write(number, request)

    def _kept(self, headers: Headers) -> tuple[tuple[str, str], ...]:
        return tuple((name, self._masks.header(name, value)) for name, value in passed_on(headers))

    async def _pass_on(self, client: ServerConnection) -> None:
        relay = self._opening.pop(client)
        task = asyncio.current_task()
        assert task is not None
        self._relays[relay] = task
        try:
            await relay.run()
        finally:
            del self._relays[relay]
        self._note_end(f"connection {relay.number} is closed by the {relay.ended_by or 'recorder'}")


def _abort(dialing: "asyncio.Future[ClientConnection]") -> None:
    """Abort a connection to the server that is not needed any more."""
    if not dialing.cancelled() and dialing.exception() is None:
        dialing.result().transport.abort()  # pragma: no cover - if both happen in one turn of the event loop


record = Recorder
"""Its name in a `with` statement."""

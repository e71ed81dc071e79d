"""Serve the lab and the pages that run pyws in a browser, and an echo server for them to talk to.

    python3 tools/serve.py [--port 8000] [--echo-port 8765]

Tests and tools use the same two servers as context managers.
"""

import argparse
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from socketserver import BaseServer
from typing import NoReturn
from urllib.parse import urlencode

import environment

parser = argparse.ArgumentParser(description="Serve the pages that run pyws, and an echo server.")
parser.add_argument("--port", type=int, help="of the pages (default: 8000, or a free one if it is taken)")
parser.add_argument("--echo-port", type=int, help="of the echo server (default: 8765, or a free one if it is taken)")

if __name__ == "__main__":
    options = parser.parse_args()
    environment.enter("demo")

from pyws.commands.serve import FileHandler, FileServer
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.sync.server import Server as WebSocketServer
from websockets.sync.server import serve as serve_websocket

import bundle
import lab
import services

HOST = "127.0.0.1"
PORT, ECHO_PORT = 8000, 8765
LARGEST_MESSAGE = 1 << 28  # bytes
# Of a page that is asked for with `?policy=strict`: no code may be made of strings, only WebAssembly.
STRICT_POLICY = "script-src 'self' 'wasm-unsafe-eval'; require-trusted-types-for 'script'"
FOLDERS = {
    "/dist/": bundle.DIST,
    "/tests/": environment.ROOT / "tests",
    "/pyws/": environment.ROOT / "pyws",
    "/": environment.WEB,
}


class PageServer(FileServer):
    """The server of FOLDERS and of the lab."""

    def __init__(self, port: int, echo: str | None) -> None:
        self.echo = echo
        self.runs = lab.Runs()
        super().__init__((HOST, port), PageHandler)

    def server_close(self) -> None:
        """Leave no script behind."""
        super().server_close()
        self.runs.stop()


class PageHandler(FileHandler):
    """Files of FOLDERS, and for the lab `lab.json` and `lab/run`."""

    server: PageServer

    def do_GET(self) -> None:
        """Answer."""
        if self.path != "/lab.json":
            return super().do_GET()
        data = json.dumps(lab.offer(self.server.echo)).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self) -> None:
        """Run a script, and send each row as a line of JSON while it happens."""
        self.close_connection = True
        try:
            if self.path != "/lab/run":
                raise lab.RefusedError(HTTPStatus.NOT_FOUND, "Nothing here can be run.")
            lab.check(self.headers, self.server.server_port)
            lab.check_user(self.client_address, self.connection.getsockname())
            script, arguments = lab.read(self.headers, self.rfile)
        except lab.RefusedError as refusal:
            return self.send_error(refusal.status, str(refusal))
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Connection", "close")
        self.end_headers()
        with closing(self.server.runs.rows(script, arguments, self.connection)) as rows:
            for row in rows:
                self.wfile.write(row)

    def end_headers(self) -> None:
        """Set the policy, if asked to."""
        if "policy=strict" in self.path.partition("?")[2].split("&"):
            self.send_header("Content-Security-Policy", STRICT_POLICY)
        super().end_headers()

    def translate_path(self, path: str) -> str:
        prefix = next(prefix for prefix in FOLDERS if path.startswith(prefix))
        self.directory = str(FOLDERS[prefix])
        return super().translate_path("/" + path.removeprefix(prefix))


def usual(port: int) -> int:
    """Return that port, or 0, which stands for any free one, if another program has it."""
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return 0
    return port


@contextmanager
def pages(port: int = 0, echo: str | None = None) -> Iterator[str]:
    """Serve FOLDERS and the lab from another thread; the origin, as "http://127.0.0.1:8000". Port 0 is any free one.

    `echo` is the address of the server that the lab proposes to talk to.
    """
    with listening(port):
        server = PageServer(port, echo)
    with server, running(server, server.shutdown):
        yield f"http://{HOST}:{server.server_port}"


@contextmanager
def echo(port: int = 0) -> Iterator[str]:
    """Serve services.py from other threads; the address, as "ws://127.0.0.1:8765/". Port 0 is any free one."""
    with listening(port):
        server = serve_websocket(
            services.serve,
            HOST,
            port,
            # The answer that fits every offer: on CPython, in Chromium and in Firefox `extensions` is the same.
            compression=None,
            extensions=[ServerPerMessageDeflateFactory()],
            max_size=LARGEST_MESSAGE,
            select_subprotocol=services.choose,
        )
    with running(server, server.shutdown):
        yield f"ws://{HOST}:{server.socket.getsockname()[1]}/"


@contextmanager
def listening(port: int) -> Iterator[None]:
    """Turn the failure to listen into a sentence."""
    try:
        yield
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise environment.CommandError(
            f"Cannot listen on {HOST}:{port} ({reason}): stop the program that does, or choose another port."
        ) from error


@contextmanager
def running(server: BaseServer | WebSocketServer, shutdown: Callable[[], None]) -> Iterator[None]:
    """Run a server's loop in another thread."""
    thread = threading.Thread(target=server.serve_forever, name=type(server).__name__, daemon=True)
    thread.start()
    try:
        yield
    finally:
        shutdown()
        thread.join()


def page(origin: str, runtime: str, script: str, *arguments: str) -> str:
    """The address of the page that runs a script, "examples/echo.py", under a runtime, "pyodide"."""
    parameters = [("script", script), *(("arg", argument) for argument in arguments)]
    return f"{origin}/{runtime}.html?{urlencode(parameters, safe='/:')}"


def until_interrupted(origin: str, address: str) -> NoReturn:
    """Say what to open, and stay."""
    print(f"The lab: {origin}/  (Ctrl-C ends)\nIts echo server: {address}", flush=True)
    while True:
        threading.Event().wait()


if __name__ == "__main__":
    bundle.build()
    echo_port = usual(ECHO_PORT) if options.echo_port is None else options.echo_port
    port = usual(PORT) if options.port is None else options.port
    with echo(echo_port) as address, pages(port, address) as origin:
        until_interrupted(origin, address)

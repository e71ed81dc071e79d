"""Serve the pages that run pyws in a browser, and an echo server for them to talk to.

    python3 tools/serve.py [--port 8000] [--echo-port 8765]

Tests and tools use the same two servers as context managers.
"""

import argparse
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socketserver import BaseServer
from typing import NoReturn
from urllib.parse import urlencode

import environment

parser = argparse.ArgumentParser(description="Serve the pages that run pyws, and an echo server.")
parser.add_argument("--port", type=int, default=8000, help="of the pages (default: %(default)s)")
parser.add_argument("--echo-port", type=int, default=8765, help="of the echo server (default: %(default)s)")

if __name__ == "__main__":
    options = parser.parse_args()
    environment.enter("demo")

from pyws.page import FileHandler, FileServer
from websockets.sync.server import Server as WebSocketServer
from websockets.sync.server import serve as serve_websocket

import bundle
import services

HOST = "127.0.0.1"
LARGEST_MESSAGE = 1 << 28  # bytes
FOLDERS = {
    "/dist/": bundle.DIST,
    "/tests/": environment.ROOT / "tests",
    "/pyws/": environment.ROOT / "pyws",
    "/": environment.WEB,
}


class PageHandler(FileHandler):
    """Files of FOLDERS."""

    def translate_path(self, path: str) -> str:
        prefix = next(prefix for prefix in FOLDERS if path.startswith(prefix))
        self.directory = str(FOLDERS[prefix])
        return super().translate_path("/" + path.removeprefix(prefix))


@contextmanager
def pages(port: int = 0) -> Iterator[str]:
    """Serve FOLDERS from another thread; the origin, as "http://127.0.0.1:8000". Port 0 is any free one."""
    with listening(port):
        server = FileServer((HOST, port), PageHandler)
    with server, running(server, server.shutdown):
        yield f"http://{HOST}:{server.server_port}"


@contextmanager
def echo(port: int = 0) -> Iterator[str]:
    """Serve services.py from other threads; the address, as "ws://127.0.0.1:8765/". Port 0 is any free one."""
    with listening(port):
        server = serve_websocket(
            services.serve, HOST, port, max_size=LARGEST_MESSAGE, select_subprotocol=services.choose
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


def until_interrupted(port: int, echo_port: int) -> NoReturn:
    """Serve both and say what to open."""
    with pages(port) as origin, echo(echo_port) as address:
        print(f"Echo server: {address}\n\nOpen in a browser, and stop with Ctrl-C:")
        for runtime in ("pyodide", "brython"):
            print(f"  {page(origin, runtime, 'examples/echo.py', address)}", flush=True)
        while True:
            threading.Event().wait()


if __name__ == "__main__":
    bundle.build()
    until_interrupted(options.port, options.echo_port)

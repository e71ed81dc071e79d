"""`python -m pyws serve`: a web server for a page that runs a script, and runs it again after each change.

Its law: it listens on this machine only, and serves nothing but the page, the script and the interpreter; with
`--bridge` the libraries too that are installed in this Python.
"""

import argparse
import html
import json
import sys
import time
from functools import cached_property
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import unquote

from . import libraries, packing

FOLDER = Path(__file__).parent
HOST = "127.0.0.1"
POLL_INTERVAL = 0.2
"""Seconds between two checks whether the script has changed."""

# The default address of each interpreter, and a file by which its folder is recognised.
# https://pyodide.org/en/stable/usage/downloading-and-deploying.html, https://brython.info/static_doc/3.14/en/intro.html
INTERPRETERS = {
    "pyodide": ("https://cdn.jsdelivr.net/pyodide/v314.0.7/full/", "pyodide.mjs"),
    "brython": ("https://cdn.jsdelivr.net/npm/brython@3.14.3/", "brython.min.js"),
}
USUAL_PORT = 8000
BRYTHON_SCRIPT = "/pyws.brython.js"
INDEX = "/libraries"
LARGEST_QUESTION = 1 << 20
"""Bytes of what a page may say about its Pyodide."""


def main(arguments: list[str]) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        "python -m pyws serve",
        usage="python -m pyws serve [OPTIONS] SCRIPT [ARGUMENT ...]",
        description="Serve a page that runs a script, on this machine only, until Ctrl-C. What it prints is shown in "
        "the page, its tracebacks too; when the script is saved, the page runs it again.",
    )
    parser.add_argument("--runtime", choices=INTERPRETERS, default="pyodide", help="(default: %(default)s)")
    parser.add_argument(
        "--interpreter",
        metavar="FOLDER",
        type=Path,
        help="the folder of pyodide.mjs or of brython.min.js, such as node_modules/pyodide (default: the page loads "
        f"{' or '.join(address for address, _ in INTERPRETERS.values())})",
    )
    parser.add_argument(
        "--bridge",
        action="store_true",
        help="let Python's WebSocket libraries connect in the page (pyws.bridge), and load those that the script "
        "imports, or names in a block '# /// script': the ones installed in this Python, else Pyodide's or PyPI's",
    )
    parser.add_argument("--port", type=int, help="0 is any free one (default: 8000, or a free one if it is taken)")
    parser.add_argument("script", type=Path, metavar="SCRIPT", help="the file")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGUMENT", help="its sys.argv[1:]")
    options = parser.parse_args(arguments)
    if not options.script.is_file():
        parser.error(f"cannot read {options.script}: there is no such file")
    needed = INTERPRETERS[options.runtime][1]
    if options.interpreter is not None and not (options.interpreter / needed).is_file():
        parser.error(f"{options.interpreter} is not the folder of {options.runtime.title()}: it has no {needed}")
    if options.bridge and options.runtime == "brython":
        parser.error("--bridge needs Pyodide: Brython's asyncio is empty, so the libraries do not load there")
    if options.bridge and options.interpreter is not None and not any(options.interpreter.glob("micropip-*.whl")):
        parser.error(
            f"--bridge needs micropip, and {options.interpreter} has none: take Pyodide's full distribution, or the "
            "folder dist/pyodide that tools/bundle.py makes"
        )
    site = Site(options.script, options.arguments, options.runtime, options.interpreter, options.bridge)
    try:
        server = listening(options.port, site)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", error)
        print(f"cannot listen on {HOST}:{options.port}: {reason}. Choose another --port", file=sys.stderr)
        return 1
    with server:
        address = f"http://{HOST}:{server.server_port}/"
        print(f"{options.script} in {options.runtime.title()}: {address}  (Ctrl-C ends)", flush=True)
        server.serve_forever()
    return 0


def listening(port: int | None, site: "Site") -> "SiteServer":
    """Return a server of a site at that port; if it is None, at the usual port, or at a free one if that is taken."""
    if port is not None:
        return SiteServer(port, site)
    try:
        return SiteServer(USUAL_PORT, site)
    except OSError:
        return SiteServer(0, site)


class Site:
    """A script, and the page that runs it."""

    def __init__(
        self, script: Path, arguments: list[str], runtime: str, interpreter: Path | None, bridge: bool = False
    ) -> None:
        self._script = script
        self._arguments = arguments
        self._runtime = runtime
        self.interpreter = interpreter
        self.installed = libraries.Installed() if bridge else None

    @cached_property
    def files(self) -> dict[str, tuple[str, bytes]]:
        """The files that never change: media type and content by path."""
        files = {
            "/": ("text/html", self._page().encode()),
            "/pyws/commands/serve.css": ("text/css", FOLDER.joinpath("serve.css").read_bytes()),
            "/pyws/commands/serve.js": ("text/javascript", FOLDER.joinpath("serve.js").read_bytes()),
        }
        if self._runtime == "brython":
            files[BRYTHON_SCRIPT] = ("text/javascript", packing.brython_script().encode())
        else:
            files[f"/{packing.WHEEL}"] = ("application/zip", packing.wheel())
        return files

    def _page(self) -> str:
        address = INTERPRETERS[self._runtime][0] if self.interpreter is None else "/interpreter/"
        scripts = []
        if self._runtime == "brython":
            scripts = [f"{address}brython.min.js", f"{address}brython_stdlib.js", BRYTHON_SCRIPT]
        name = self._script.name
        data = {
            "script": name,
            "argv": json.dumps([name, *self._arguments]),
            "source": "/script",
            "changes": "/changes",
            "interpreter": address,
            "wheel": f"/{packing.WHEEL}",
        }
        if self.installed is not None:
            data["libraries"] = INDEX
        return Template(FOLDER.joinpath("serve.html").read_text("utf-8")).substitute(
            script=html.escape(name),
            runtime=self._runtime.title(),
            data=" ".join(f'data-{key}="{html.escape(value)}"' for key, value in data.items()),
            scripts="".join(f'<script src="{script}"></script>\n' for script in scripts),
        )

    def version(self) -> str:
        """Return the version of the script as an entity tag, another one after each change; "" if there is no file."""
        try:
            status = self._script.stat()
        except OSError:
            return ""
        return f'"{status.st_mtime_ns}-{status.st_size}"'

    def source(self) -> bytes:
        """Read the script."""
        return self._script.read_bytes()

    def needs(self, packages: dict[str, str]) -> dict[str, list[str]]:
        """Return what the page has to load: `requirements`, and `modules` of which no package is known here.

        `packages` are those of the page's Pyodide: file names by names. Raises ValueError if the script's block cannot
        be read.
        """
        assert self.installed is not None
        folder = self.interpreter
        self.installed.of_pyodide = {
            name for name, file in packages.items() if folder is None or folder.joinpath(file).is_file()
        }
        requirements, modules = libraries.requirements(self.source().decode())
        for module in modules:
            self.installed.miss(module)
        return {"requirements": requirements, "modules": modules}


class FileHandler(SimpleHTTPRequestHandler):
    """Serves the files of a folder, without listings; a browser asks each time whether a file has changed."""

    protocol_version = "HTTP/1.1"
    extensions_map = {
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".mjs": "text/javascript; charset=utf-8",
        ".py": "text/x-python; charset=utf-8",
        ".wasm": "application/wasm",
        ".whl": "application/zip",
        ".zip": "application/zip",
    }

    def end_headers(self) -> None:
        """Tell the browser not to use its cache without asking."""
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def list_directory(self, path: Any) -> None:
        """Answer 404."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *args: Any) -> None:
        """Log no requests."""


class FileServer(ThreadingHTTPServer):
    """A web server with a thread for each connection."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore the errors of a connection that the browser has closed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class SiteServer(FileServer):
    """The server of one site."""

    def __init__(self, port: int, site: Site) -> None:
        self.site = site
        super().__init__((HOST, port), SiteHandler)


class SiteHandler(FileHandler):
    """Answers with the page, its files, the script, or a stream of the script's changes."""

    server: SiteServer

    def do_GET(self) -> None:
        """Answer a request."""
        site = self.server.site
        path, _, query = self.path.partition("?")
        if path == "/script":
            version = site.version()  # before the script is read: a file that is saved in between counts as changed
            try:
                self._answer("text/x-python", site.source(), {"ETag": version})
            except OSError as error:
                self.send_error(HTTPStatus.NOT_FOUND, error.strerror)
        elif path == "/changes":
            self._send_change(unquote(query))
        elif site.installed is not None and path.startswith(f"{INDEX}/"):
            self._answer_library(site.installed, unquote(path.removeprefix(f"{INDEX}/")))
        elif path in site.files:
            self._answer(*site.files[path])
        else:
            super().do_GET()

    def do_POST(self) -> None:
        """Answer a page that tells which packages its Pyodide has, and asks what the script needs."""
        size = int(self.headers.get("Content-Length") or 0)
        if self.server.site.installed is None or self.path != INDEX or size > LARGEST_QUESTION:
            self.close_connection = True
            return self.send_error(HTTPStatus.NOT_FOUND)
        try:
            needs = self.server.site.needs(json.loads(self.rfile.read(size)))
        except OSError as error:
            self.send_error(HTTPStatus.NOT_FOUND, error.strerror)
        except ValueError as error:
            reason = f"the block # /// script cannot be read: {error}"
            print(f"  {reason}", flush=True)
            self.send_error(HTTPStatus.UNPROCESSABLE_ENTITY, reason.splitlines()[0])
        else:
            self._answer("application/json", json.dumps(needs).encode())

    def translate_path(self, path: str) -> str:
        """Return the path of a file of the interpreter; other files are not served from disk."""
        folder = self.server.site.interpreter
        if folder is None or not path.startswith("/interpreter/"):
            return ""
        self.directory = str(folder)
        return super().translate_path(path.removeprefix("/interpreter"))

    def _answer(self, type: str, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", f"{type}; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _answer_library(self, installed: libraries.Installed, name: str) -> None:
        """Answer with a wheel, or with the page of an index for a package: `name/`."""
        if name.endswith("/"):
            page = installed.page(name.removesuffix("/"))
            if page is not None:
                return self._answer("text/html", page.encode())
        elif (wheel := installed.wheel(name)) is not None:
            return self._answer("application/zip", wheel)
        self.send_error(HTTPStatus.NOT_FOUND)

    def _send_change(self, seen: str) -> None:
        """Send an event as soon as the script has another version than the one that the page has seen.

        https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
        """
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        while self.server.site.version() in ("", seen):
            self.wfile.write(b":\n\n")  # a comment; writing it fails when the page is gone
            time.sleep(POLL_INTERVAL)
        self.wfile.write(b"data: changed\n\n")

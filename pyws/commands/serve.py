"""`python -m pyws serve`: a script in a web page, run again whenever it changes.

Its law: nothing is needed but what is installed. The page's own files lie beside this one; the interpreter is fetched
by the browser from where its makers publish it, or served from a folder.
"""

import argparse
import hashlib
import html
import io
import json
import sys
import time
import zipfile
from functools import cached_property
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import unquote

from pyws import __version__

PACKAGE = Path(__file__).parent.parent
HOST = "127.0.0.1"
WHEEL = f"pyws_websocket-{__version__}-py3-none-any.whl"
INTERVAL = 0.2
"""Seconds from one look at the script to the next."""

# Where a browser finds an interpreter by default, and a file by which to know its folder.
# https://pyodide.org/en/stable/usage/downloading-and-deploying.html, https://brython.info/static_doc/3.14/en/intro.html
INTERPRETERS = {
    "pyodide": ("https://cdn.jsdelivr.net/pyodide/v314.0.7/full/", "pyodide.mjs"),
    "brython": ("https://cdn.jsdelivr.net/npm/brython@3.14.3/", "brython.min.js"),
}
STARTS = {
    "pyodide": """\
<script type="module">
import { runPyodide } from "/pyws/commands/serve.js";

await runPyodide(document.body.dataset.interpreter, document.body.dataset.wheel);
</script>
""",
    "brython": """\
<script src="${interpreter}brython.min.js"></script>
<script src="${interpreter}brython_stdlib.js"></script>
<script src="/pyws.brython.js"></script>
<script type="module">
import { runBrython } from "/pyws/commands/serve.js";

await runBrython();
</script>
""",
}
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$script</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/pyws/commands/serve.css">
</head>
<body data-state="loading" $data>
<header><h1>$script</h1></header>
<p id="status" role="status">loading $runtime …</p>
<pre id="output" role="log"></pre>
$start</body>
</html>
"""


def main(arguments: list[str]) -> int:
    """Run the command; its exit status."""
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
    parser.add_argument("--port", type=int, default=8000, help="0 is any free one (default: %(default)s)")
    parser.add_argument("script", type=Path, metavar="SCRIPT", help="the file")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGUMENT", help="its sys.argv[1:]")
    options = parser.parse_args(arguments)
    if not options.script.is_file():
        parser.error(f"cannot read {options.script}: there is no such file")
    needed = INTERPRETERS[options.runtime][1]
    if options.interpreter is not None and not (options.interpreter / needed).is_file():
        parser.error(f"{options.interpreter} is not the folder of {options.runtime.title()}: it has no {needed}")
    site = Site(options.script, options.arguments, options.runtime, options.interpreter)
    try:
        server = SiteServer(options.port, site)
    except (OSError, OverflowError) as error:
        print(f"cannot listen on {HOST}:{options.port}: {getattr(error, 'strerror', error)}", file=sys.stderr)
        return 1
    with server:
        address = f"http://{HOST}:{server.server_port}/"
        print(f"{options.script} in {options.runtime.title()}: {address}  (Ctrl-C ends)", flush=True)
        server.serve_forever()
    return 0


class Site:
    """A script and all that its page loads."""

    def __init__(self, script: Path, arguments: list[str], runtime: str, interpreter: Path | None) -> None:
        self._script = script
        self._arguments = arguments
        self._runtime = runtime
        self.interpreter = interpreter

    @cached_property
    def files(self) -> dict[str, tuple[str, bytes]]:
        """The type and the content of what does not change, by path."""
        return {
            "/": ("text/html", self._page().encode()),
            "/pyws/commands/serve.css": ("text/css", PACKAGE.joinpath("commands/serve.css").read_bytes()),
            "/pyws/commands/serve.js": ("text/javascript", PACKAGE.joinpath("commands/serve.js").read_bytes()),
            "/pyws.brython.js": ("text/javascript", brython_script().encode()),
            f"/{WHEEL}": ("application/zip", wheel()),
        }

    def _page(self) -> str:
        address = INTERPRETERS[self._runtime][0] if self.interpreter is None else "/interpreter/"
        name = self._script.name
        data = {
            "script": name,
            "argv": json.dumps([name, *self._arguments]),
            "source": "/script",
            "changes": "/changes",
            "interpreter": address,
            "wheel": f"/{WHEEL}",
        }
        return Template(PAGE).substitute(
            script=html.escape(name),
            runtime=self._runtime.title(),
            data=" ".join(f'data-{key}="{html.escape(value)}"' for key, value in data.items()),
            start=Template(STARTS[self._runtime]).substitute(interpreter=address),
        )

    def stamp(self) -> str:
        """Return what is another string after each change of the script; "" while it is not there."""
        try:
            status = self._script.stat()
        except OSError:
            return ""
        return f'"{status.st_mtime_ns}-{status.st_size}"'

    def source(self) -> bytes:
        """Read the script."""
        return self._script.read_bytes()


def sources() -> dict[str, bytes]:
    """Return the package's modules, by the paths of their files from its folder."""
    return {path.relative_to(PACKAGE).as_posix(): path.read_bytes() for path in sorted(PACKAGE.rglob("*.py"))}


def wheel() -> bytes:
    """Return the package, as it is installed here, in the form that Pyodide installs.

    https://packaging.python.org/en/latest/specifications/binary-distribution-format/
    """
    about = f"pyws_websocket-{__version__}.dist-info"
    files = {f"pyws/{name}": data for name, data in sources().items()}
    files[f"{about}/METADATA"] = f"Metadata-Version: 2.1\nName: pyws-websocket\nVersion: {__version__}\n".encode()
    files[f"{about}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: pyws\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{about}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{about}/RECORD"]).encode()
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return result.getvalue()


def brython_script() -> str:
    """Return the package, as it is installed here, in the form that Brython imports from.

    Brython keeps translated modules for as long as `$timestamp` is the same: here it stands for the content.
    """
    files: dict[str, object] = {}
    for file, source in sources().items():
        name = f"pyws.{file.removesuffix('.py').replace('/', '.')}".removesuffix(".__init__")
        files[name] = [".py", source.decode(), [], *([1] if file.endswith("__init__.py") else [])]
    digest = hashlib.sha256(json.dumps(files).encode()).hexdigest()
    return f"__BRYTHON__.loadBrythonPackage({json.dumps({'$timestamp': int(digest[:12], 16), **files})})\n"


class FileHandler(SimpleHTTPRequestHandler):
    """Files of a folder, always asked for anew so that an edited one shows, and no listings."""

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
        """Forbid browsers to remember."""
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def list_directory(self, path: Any) -> None:
        """Refuse to."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal is for what matters."""


class FileServer(ThreadingHTTPServer):
    """A server in a thread for each connection."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a browser that leaves in the middle of an answer."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class SiteServer(FileServer):
    """The server of one site."""

    def __init__(self, port: int, site: Site) -> None:
        self.site = site
        super().__init__((HOST, port), SiteHandler)


class SiteHandler(FileHandler):
    """The page, its files, the script, and a stream that tells when that changes."""

    server: SiteServer

    def do_GET(self) -> None:
        """Answer."""
        site = self.server.site
        path, _, query = self.path.partition("?")
        if path == "/script":
            stamp = site.stamp()  # taken first: what is saved meanwhile is another change
            try:
                self._answer("text/x-python", site.source(), {"ETag": stamp})
            except OSError as error:
                self.send_error(HTTPStatus.NOT_FOUND, error.strerror)
        elif path == "/changes":
            self._tell_changes(unquote(query))
        elif path in site.files:
            self._answer(*site.files[path])
        else:
            super().do_GET()

    def translate_path(self, path: str) -> str:
        """Return the place of a file of the interpreter; of nothing else."""
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

    def _tell_changes(self, seen: str) -> None:
        """Send an event as soon as the script is not what the page has seen.

        https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
        """
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        while self.server.site.stamp() in ("", seen):
            self.wfile.write(b":\n\n")  # a comment: by it we learn that the page has gone
            time.sleep(INTERVAL)
        self.wfile.write(b"data: changed\n\n")

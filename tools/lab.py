"""The server's side of the lab page: what it can choose from, and CPython, which no page can start.

It executes what it is sent, as you. So it answers only to the page that this very server has sent: requests that name
another host (a page whose name was bound anew to this machine), come from another origin, or are of the kind that any
page may send without asking, are refused; and so is another user of this machine, where the system tells who it is.
"""

import ast
import json
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from email.message import Message
from http import HTTPStatus
from io import BufferedIOBase
from pathlib import Path

import environment

EXAMPLES = environment.WEB / "examples"
INSTRUMENT = environment.WEB / "lab" / "instrument.py"
SCRIPT = "script.py"
LARGEST_SCRIPT = 1 << 20  # bytes
TIME_LIMIT = 120.0  # seconds for one run
STRAY = 1000  # lines written around the instrument that are told
HEARTBEAT = 0.1  # seconds from one look at whether the page is still there to the next


class RefusedError(Exception):
    """Why a request is not answered: a status and a sentence."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def offer(echo: str | None) -> dict[str, object]:
    """What the page asks for first: the examples, the address of the echo server, and the Python that runs here."""
    examples = [{"file": path.name, "about": about(path)} for path in sorted(EXAMPLES.glob("*.py"))]
    # The simplest comes first.
    examples.sort(key=lambda example: example["file"] != "echo.py")
    return {"examples": examples, "echo": echo, "python": sys.version.split()[0], "limit": TIME_LIMIT}


def about(path: Path) -> str:
    """The first line of a script's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or path.stem
    return text.partition("\n")[0].rstrip(".")


def check(headers: Message, port: int) -> None:
    """Refuse a request that the page of this server has not sent."""
    host = headers.get("Host", "")
    if host not in (f"127.0.0.1:{port}", f"localhost:{port}"):
        raise RefusedError(HTTPStatus.MISDIRECTED_REQUEST, "This server answers only to its own name.")
    if headers.get("Origin") != f"http://{host}":
        raise RefusedError(HTTPStatus.FORBIDDEN, "Only the lab's own page may run scripts.")
    # Any page may send three types, those of forms, without asking; for this one a browser would ask first.
    # https://fetch.spec.whatwg.org/#cors-safelisted-request-header
    if headers.get("Content-Type") != "application/json":
        raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "A script comes as application/json.")


def check_user(client: tuple[str, int], server: tuple[str, int]) -> None:
    """Refuse what another user's program sends: Linux tells whose socket it is at the other end of a connection."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError), open(table) as lines:
            for line in lines:
                _, local, remote, _, _, _, _, user, *_ = line.split()
                if local.endswith(place(client)) and remote.endswith(place(server)) and int(user) != os.getuid():
                    raise RefusedError(HTTPStatus.FORBIDDEN, "Only the user who started the lab may run scripts.")


def place(address: tuple[str, int]) -> str:
    """Return an address as Linux lists it."""
    host, port = address
    return f"{int.from_bytes(socket.inet_aton(host), sys.byteorder):08X}:{port:04X}"


def read(headers: Message, body: BufferedIOBase) -> tuple[str, list[str]]:
    """Read a request: the script and its arguments."""
    try:
        length = int(headers.get("Content-Length", ""))
        if not 0 <= length <= LARGEST_SCRIPT:
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A script has at most {LARGEST_SCRIPT} bytes.")
        request = json.loads(body.read(length))
        script, arguments = request["script"], request["arguments"]
        if not isinstance(script, str) or not all(isinstance(argument, str) for argument in arguments):
            raise TypeError
        return script, list(arguments)
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, 'A request is {"script": "...", "arguments": ["..."]}.') from error


class Runs:
    """The scripts that run, so that none is left behind."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()

    def stop(self) -> None:
        """End them all."""
        for process in list(self._running):
            kill(process)

    def rows(self, script: str, arguments: list[str], page: socket.socket) -> Generator[bytes]:
        """Run a script, and yield each row as a line of JSON; the last one tells how it ended.

        An empty line means that nothing happened. Whoever closes the generator, or leaves at `page`, ends the script.
        """
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            Path(folder, SCRIPT).write_text(script, "utf-8", newline="\n")
            with self._process(folder, arguments) as process:
                lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
                reader = threading.Thread(target=merge, args=(process, f"{folder}{os.sep}", lines), daemon=True)
                reader.start()
                deadline = time.monotonic() + TIME_LIMIT
                while line := next_line(lines):
                    if line == b"\n" and gone(page):
                        return
                    yield line
                    if time.monotonic() > deadline:
                        kill(process)
                late = time.monotonic() > deadline
                yield json.dumps({"kind": "exit", "status": process.wait(), "late": late}).encode() + b"\n"

    @contextmanager
    def _process(self, folder: str, arguments: list[str]) -> Iterator[subprocess.Popen[bytes]]:
        environ = {**os.environ, "PYTHONPATH": str(environment.ROOT), "PYTHONUTF8": "1", "NO_COLOR": "1"}
        command = [sys.executable, str(INSTRUMENT), SCRIPT, *arguments]
        # In a session of its own it can be ended with what it has started.
        with subprocess.Popen(
            command, cwd=folder, env=environ, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as process:  # fmt: skip
            self._running.add(process)
            try:
                yield process
            finally:
                kill(process)
                self._running.discard(process)


def next_line(lines: "queue.SimpleQueue[bytes]") -> bytes:
    """The next line, an empty one if none comes for a while; b"" after the last."""
    try:
        return lines.get(timeout=HEARTBEAT)
    except queue.Empty:
        return b"\n"


def merge(process: "subprocess.Popen[bytes]", folder: str, lines: "queue.SimpleQueue[bytes]") -> None:
    """Put what a process tells in a queue: its rows, and what was written around them. b"" is the end."""

    def told() -> None:
        for line in process.stdout or ():
            lines.put(line.replace(json.dumps(folder)[1:-1].encode(), b""))  # tracebacks are as in a page

    def stray() -> None:
        for number, line in enumerate(process.stderr or ()):
            if number < STRAY:  # the rest is read all the same: else the script would wait for us
                text = line.decode("utf-8", "replace").rstrip("\r\n").replace(folder, "")
                lines.put(json.dumps({"kind": "stderr", "text": text}).encode() + b"\n")

    other = threading.Thread(target=stray, daemon=True)
    other.start()
    told()
    other.join()
    lines.put(b"")


def kill(process: "subprocess.Popen[bytes]") -> None:
    """End a process, and on POSIX what it has started."""
    with suppress(ProcessLookupError, PermissionError):
        if process.returncode is None:
            if os.name == "posix":
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()


def gone(page: socket.socket) -> bool:
    """Whether the other side has ended the connection."""
    try:
        return bool(select.select([page], [], [], 0)[0]) and not page.recv(1, socket.MSG_PEEK)
    except OSError:
        return True

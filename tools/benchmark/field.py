"""Where the figures are taken: servers, browsers, and a process for each figure of a client."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import environment

from .works import IMPORTS, OVER_THE_BRIDGE, Work

TOOLS = Path(__file__).parents[1]
SERVER_CORE, CLIENT_CORE = 0, 1
PATIENCE = 120  # seconds for one figure

Figures = dict[str, Any]


class Field:
    """Servers and pages start when the first work needs them, and end with the block."""

    def __init__(self, uvloop: bool) -> None:
        self.uvloop = uvloop
        self._stack = contextlib.ExitStack()
        self._pages: dict[str, Any] = {}
        self._addresses: dict[tuple[str, str], str] = {}
        self._folder = Path()

    def __enter__(self) -> "Field":
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def take(self, work: Work, name: str) -> Figures:
        """One figure."""
        if work.in_page:
            return self._in_page(work, name)
        if work.group == "import":
            return imported(IMPORTS[name])
        address = self.address(work.server, work.scheme) + work.arguments.get("path", "")
        command = [sys.executable, "-m", "benchmark.client", name, work.arguments["kind"], address]
        for option in ("size", "n", "in_flight"):
            if option in work.arguments:
                command += [f"--{option.replace('_', '-')}", str(work.arguments[option])]
        if work.server == "raw":
            command.append("--plain")
        if work.scheme == "wss:":
            command += ["--authority", str(self._folder / "authority.pem")]
        command += ["--core", str(CLIENT_CORE), *["--uvloop"] * self.uvloop]
        done = subprocess.run(command, cwd=TOOLS, capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode:
            raise environment.CommandError(f"{name} failed at {work.group}, {work.label}:\n{done.stderr.strip()}")
        figures: Figures = json.loads(done.stdout)
        return figures

    def address(self, server: str, scheme: str) -> str:
        """The address of a server, which is started if it does not run yet."""
        if (server, scheme) not in self._addresses:
            command = [sys.executable, "-m", "benchmark.raw", "--core", str(SERVER_CORE)]
            if server != "raw":
                command[2:] = ["benchmark.servers", server, *command[3:], "--identity", str(self._identity())]
            process = subprocess.Popen(command, cwd=TOOLS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self._stack.enter_context(process)  # which ends when its input does
            assert process.stdout is not None
            for scheme_served, address in json.loads(process.stdout.readline()).items():
                self._addresses[server, scheme_served] = address
        return self._addresses[server, scheme]

    def _identity(self) -> Path:
        """The certificate of the servers, and its key; that of the authority lies beside it."""
        import trustme

        path = self._folder / "identity.pem"
        if not path.exists():
            authority = trustme.CA()
            authority.cert_pem.write_to_path(str(self._folder / "authority.pem"))
            authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(path))
        return path

    def _in_page(self, work: Work, name: str) -> Figures:
        details = work.arguments
        driver = self._page(details["runtime"])
        path = "binary" if details["kind"] == "binary" else "echo"
        url = f"{self.address('raw', 'ws:')}/{path}?size={details['size']}"
        # A peer that is a hundred times slower need not do it as often.
        n = max(8, details["n"] // 50) if name == "pyscript.WebSocket" and details["kind"] == "binary" else details["n"]
        seconds = driver.execute_async_script(
            "const [given, done] = arguments; measure(...given).then(done, (error) => done(String(error)))",
            [name, url, details["kind"], details["size"], n, details["in_flight"]],
        )
        if not isinstance(seconds, (int, float)):
            raise environment.CommandError(f"{name} failed at {work.label} in the page: {seconds}")
        return {"n": n, "seconds": seconds}

    def _page(self, runtime: str) -> Any:
        if runtime not in self._pages:
            import bundle
            import demo
            import serve

            if not self._pages:
                bundle.build()
                self._origin = self._stack.enter_context(serve.pages())
            driver = self._stack.enter_context(demo.chromium())
            driver.set_script_timeout(PATIENCE)
            query = urlencode([("wheel", path) for path in bridge_wheels()]) if runtime == "bridge" else ""
            driver.get(f"{self._origin}/bench/{runtime}.html?{query}")
            deadline = time.monotonic() + PATIENCE
            while not driver.execute_script("return typeof measure == 'function'"):
                if time.monotonic() > deadline:
                    raise environment.CommandError(f"web/bench/{runtime}.html does not start: open it in a browser.")
                time.sleep(0.1)
            self._pages[runtime] = driver
        return self._pages[runtime]


def bridge_wheels() -> list[str]:
    """The addresses of the wheels of OVER_THE_BRIDGE on the server of pages; they are downloaded once."""
    pins = tomllib.loads(environment.ROOT.joinpath("tests", "libraries", "pins.toml").read_text("utf-8"))
    wheels = sorted({wheel for name in OVER_THE_BRIDGE.values() for wheel in pins[name]["wheels"]})
    folder = environment.ROOT / "dist" / "bench" / "wheels"
    stamp = folder / ".ready"
    if not stamp.exists() or stamp.read_text() != str(wheels):
        shutil.rmtree(folder, ignore_errors=True)
        with environment.step("downloading the libraries that run over the bridge"):
            options = (
                "--platform any --implementation py --abi none --python-version 3.14 --only-binary :all: --no-deps"
            )
            environment.pip(environment.PYTHON, "download", *options.split(), "--dest", str(folder), *wheels)
        stamp.write_text(str(wheels))
    return [f"/dist/bench/wheels/{path.name}" for path in sorted(folder.glob("*.whl"))]


def imported(module: str) -> Figures:
    """Seconds that the import of a compiled module takes, in an interpreter of its own."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([sys.executable, "-c", f"import {module}"], env=environ, check=True)
    command = [sys.executable, "-X", "importtime", "-c", f"import {module}"]
    lines = subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stderr.splitlines()
    return {"import": int(lines[-1].split("|")[1]) / 1e6}

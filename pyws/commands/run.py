"""`python -m pyws run`: a script that was written for a page, on CPython.

Its law: as in a page, the script's top-level code runs inside an event loop and may `await`, and the program ends when
its sockets are closed and its tasks are done. Everything else is as with `python script.py`.
"""

import argparse
import ast
import asyncio
import importlib.util
import os
import pkgutil
import sys
from importlib.machinery import BuiltinImporter, ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

# The interface is loaded here, not by the first step of a script: that would keep the event loop waiting.
from .. import websocket as websocket
from . import termination


class NoScriptError(Exception):
    """There is no such script. The message is a sentence for the user."""


def main(arguments: list[str]) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        "python -m pyws run",
        usage="python -m pyws run [-h] (SCRIPT | - | -m MODULE) [ARGUMENT ...]",
        description="Run a script as a page would: its top level may await, and the program lives until the script's "
        "sockets are closed and its tasks are done. Ctrl-C and SIGTERM close the sockets with 1001.",
    )
    parser.add_argument("-m", dest="module", nargs=argparse.REMAINDER, metavar="MODULE", help="a module, by its name")
    parser.add_argument("script", nargs="?", metavar="SCRIPT", help="a file, a folder with a __main__.py, - for stdin")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGUMENT", help="its sys.argv[1:]")
    options = parser.parse_args(arguments)
    try:
        if options.module:
            return run_module(options.module[0], options.module[1:])
        if options.script is None:
            parser.error("name a script")
        return run(options.script, options.arguments)
    except NoScriptError as error:
        print(error, file=sys.stderr)
        return 2


def run(script: str, arguments: list[str]) -> int:
    """Run a file, the `__main__.py` of a folder or of an archive, or stdin for "-"; return the exit status."""
    path = os.path.realpath(script)
    importer = None if script == "-" else pkgutil.get_importer(path)
    if importer is not None:
        sys.path[: not sys.flags.safe_path] = [path]
        spec = importer.find_spec("__main__", None)
        if spec is None:
            raise NoScriptError(f"cannot find a file __main__.py in {script}")
        return _run_module(spec, [script, *arguments])
    module = ModuleType("__main__")
    try:
        if script == "-":
            source, name = sys.stdin.buffer.read(), "<stdin>"
            module.__loader__ = BuiltinImporter
        else:
            source, name = Path(script).read_bytes(), os.path.join(os.getcwd(), script)
            module.__loader__ = SourceFileLoader("__main__", name)
    except OSError as error:
        raise NoScriptError(f"cannot read {script}: {error.strerror}") from None
    module.__file__ = name
    _set_path("" if script == "-" else os.path.dirname(path))
    return _run(module, source, name, [script, *arguments])


def run_module(name: str, arguments: list[str]) -> int:
    """Run a module, found as `python -m` finds it; return the exit status."""
    _set_path(os.getcwd())
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
    except ImportError as error:
        raise NoScriptError(str(error)) from None
    if spec is None or spec.origin is None:
        raise NoScriptError(f"No module named {name}")
    return _run_module(spec, [spec.origin, *arguments])


def _set_path(folder: str) -> None:
    """Let the script import from its own folder: for `-m pyws`, Python has put the current folder in its place."""
    if not sys.flags.safe_path:
        sys.path[0] = folder


def _run_module(spec: ModuleSpec, argv: list[str]) -> int:
    source = getattr(spec.loader, "get_source", lambda _: None)(spec.name)
    if source is None:
        raise NoScriptError(f"{spec.name} is not written in Python")
    module = importlib.util.module_from_spec(spec)
    module.__name__ = "__main__"
    return _run(module, source, spec.origin or spec.name, argv)


def _run(module: ModuleType, source: str | bytes, name: str, argv: list[str]) -> int:
    sys.argv = argv
    sys.modules["__main__"] = module
    try:
        code = compile(source, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        _report(error, None)
        return 1
    try:
        termination.run(run_until_done(code, module))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        _report(error, code)
        return 1
    return 0


async def run_until_done(code: CodeType, module: ModuleType) -> None:
    """Run the code of a script in the running loop, and wait for all tasks of that loop."""
    task = asyncio.current_task()
    assert task is not None
    result = eval(code, module.__dict__)
    if result is not None:  # a coroutine: the top-level code has an `await`
        await result
    if task.cancelling():  # the script has caught the cancellation, and ended: its tasks are not waited for
        raise asyncio.CancelledError  # pragma: no cover - in Python 3.11 coverage sees nothing after the script's catch
    await asyncio.sleep(0)  # a callback that the script has scheduled may open a socket
    while others := asyncio.all_tasks() - {task}:
        await asyncio.wait(others)
        await asyncio.sleep(0)


def _report(error: BaseException, code: CodeType | None) -> None:
    """Report an exception; its traceback begins with the frame of the script."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_code is not code:
        traceback = traceback.tb_next
    sys.excepthook(type(error), error.with_traceback(traceback), traceback)

"""`python -m pyws run`: a script that was written for a page, on CPython.

As in a page its top-level code runs inside an event loop and may `await`, and the program lives until its sockets are
closed and its tasks are done. Everything else is as `python script.py` has it.
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

from . import termination


class NoScriptError(Exception):
    """There is no such script, in one sentence."""


def main(arguments: list[str]) -> int:
    """Run the command; its exit status."""
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
    """Run a file, what a folder or an archive has as `__main__`, or with "-" what stdin has; the exit status."""
    place = os.path.realpath(script)
    importer = None if script == "-" else pkgutil.get_importer(place)
    if importer is not None:
        sys.path[: not sys.flags.safe_path] = [place]
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
    _set_path("" if script == "-" else os.path.dirname(place))
    return _run(module, source, name, [script, *arguments])


def run_module(name: str, arguments: list[str]) -> int:
    """Run a module as `python -m` finds it; the exit status."""
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
    """Look for modules beside the script: Python has put the current folder there, for `-m pyws`."""
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
        _show(error, None)
        return 1
    try:
        termination.run(_live(code, module))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        _show(error, code)
        return 1
    return 0


async def _live(code: CodeType, module: ModuleType) -> None:
    me = asyncio.current_task()
    assert me is not None
    result = eval(code, module.__dict__)
    if result is not None:  # the code awaits: evaluated, it is a coroutine
        await result
    if me.cancelling():  # it was told to end, and has done so in its own way: nothing more is waited for
        raise asyncio.CancelledError
    await asyncio.sleep(0)  # what the script has asked the loop to call may open a socket
    while others := asyncio.all_tasks() - {me}:
        await asyncio.wait(others)
        await asyncio.sleep(0)


def _show(error: BaseException, code: CodeType | None) -> None:
    """Show an exception without the frames before the script's own."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_code is not code:
        traceback = traceback.tb_next
    sys.excepthook(type(error), error.with_traceback(traceback), traceback)

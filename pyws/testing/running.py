"""How a test runs the script of a page in its own process, as `python -m pyws run` does.

Its law: an exception of the script reaches the test, also one of a listener; afterwards the interpreter is as before.
"""

import ast
import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from ..commands.run import run_until_done
from .arguments import check_seconds
from .expectations import ExpectationError
from .journal import Journal


def run_script(script: str | os.PathLike[str], *arguments: str, timeout: float = 30.0) -> ModuleType:
    """Run the script of a page, until its sockets are closed and its tasks are done; return it as a module.

        run_script("web/examples/chat.py", server.url + "/")

    Its top level may `await`; `arguments` are its `sys.argv[1:]`. Prints go where those of the test go. It uses the
    `UserAgent` of the test. Raises the first exception of the script, also of one of its listeners; `ExpectationError`,
    with the rows of its sockets, if it has not ended after `timeout` seconds; `RuntimeError` in a coroutine.
    """
    __tracebackhide__ = True
    check_seconds("timeout", timeout)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise RuntimeError("run_script has an event loop of its own: call it in a test that is not async")
    path = os.path.abspath(script)
    code = compile(Path(path).read_bytes(), path, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    module = ModuleType("__main__")
    module.__file__ = path
    errors: list[BaseException] = []

    async def main() -> None:
        try:
            async with asyncio.timeout(timeout):
                await run_until_done(code, module)
        except TimeoutError:
            text = f"{os.fspath(script)} has not ended after {timeout:g} s; the rows of its sockets:\n{journal.show()}"
            errors.append(ExpectationError(text))

    with _as_main(module, [os.fspath(script), *map(str, arguments)]), _collected(errors), Journal() as journal:
        try:
            asyncio.run(main())
        except SystemExit as error:
            if error.code not in (None, 0):
                raise
    if errors:
        raise errors[0]
    return module


@contextlib.contextmanager
def _as_main(module: ModuleType, argv: list[str]) -> Iterator[None]:
    before = sys.argv, sys.path[:], sys.modules["__main__"]
    sys.argv, sys.modules["__main__"] = argv, module
    sys.path.insert(0, os.path.dirname(module.__file__ or ""))
    try:
        yield
    finally:
        sys.argv, sys.path[:], sys.modules["__main__"] = before


@contextlib.contextmanager
def _collected(errors: list[BaseException]) -> Iterator[None]:
    """Collect the exceptions of listeners, instead of reporting them."""
    before = sys.excepthook
    sys.excepthook = lambda kind, error, traceback: errors.append(error)
    try:
        yield
    finally:
        sys.excepthook = before

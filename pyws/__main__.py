"""`python -m pyws run script.py`: run a script that was written for a page.

As in a page its top-level code runs inside an event loop, may `await`, and the program lives until its sockets are
closed and its tasks are done.
"""

import argparse
import ast
import asyncio
import inspect
import sys
from types import CodeType, ModuleType


def main() -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m pyws", description="The W3C WebSocket interface on CPython.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run a script as a page would")
    run.add_argument("script", help="the file")
    run.add_argument("arguments", nargs=argparse.REMAINDER, help="its sys.argv[1:]")
    options = parser.parse_args()
    try:
        with open(options.script, encoding="utf-8") as file:
            source = file.read()
    except OSError as error:
        print(f"cannot read {options.script}: {error.strerror}", file=sys.stderr)
        return 2
    code = compile(source, options.script, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    sys.argv = [options.script, *options.arguments]
    module = ModuleType("__main__")
    module.__file__ = options.script
    sys.modules["__main__"] = module
    try:
        asyncio.run(_run(code, module))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


async def _run(code: CodeType, module: ModuleType) -> None:
    result = eval(code, module.__dict__)
    if inspect.iscoroutine(result):
        await result
    me = asyncio.current_task()
    while others := asyncio.all_tasks() - {me}:
        await asyncio.wait(others)


if __name__ == "__main__":
    sys.exit(main())

"""`python -m pyws`: run a script that was written for a page, on CPython."""

import argparse
import sys


def main() -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m pyws", description="The W3C WebSocket interface on CPython.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_run(commands)
    options = parser.parse_args()
    try:
        return int(options.function(options))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def add_run(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `run`."""
    parser = commands.add_parser(
        "run",
        help="run a script as a page would",
        usage="python -m pyws run [-h] (SCRIPT | - | -m MODULE) [ARGUMENT ...]",
        description="Run a script as a page would: its top level may await, and the program lives until the script's "
        "sockets are closed and its tasks are done. Ctrl-C closes the sockets with 1001.",
    )
    parser.add_argument("-m", dest="module", nargs=argparse.REMAINDER, metavar="MODULE", help="a module, by its name")
    parser.add_argument("script", nargs="?", metavar="SCRIPT", help="a file, a folder with a __main__.py, - for stdin")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGUMENT", help="its sys.argv[1:]")

    def run(options: argparse.Namespace) -> int:
        from . import script

        try:
            if options.module:
                return script.run_module(options.module[0], options.module[1:])
            if options.script is None:
                parser.error("name a script")
            return script.run(options.script, options.arguments)
        except script.NoScriptError as error:
            print(error, file=sys.stderr)
            return 2

    parser.set_defaults(function=run)


if __name__ == "__main__":
    sys.exit(main())

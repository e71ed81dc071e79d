"""`python -m pyws`: a line in COMMANDS for each command; the module of the same name in `commands` runs it."""

import argparse
import importlib
import sys

COMMANDS = {
    "run": "run a script as a page would",
    "connect": "talk to a server, from a terminal or a pipe",
    "serve": "run a script in a page, again whenever it changes",
    "record": "write down what clients and a server say to each other",
    "replay": "be a server that answers from a recording",
}


def main() -> int:
    """Run the command that the command line names; return its exit status."""
    parser = argparse.ArgumentParser(
        "python -m pyws",
        usage="python -m pyws [-h] COMMAND ...",
        description="The W3C WebSocket interface in Python.",
        epilog="""examples:
  python -m pyws run script.py             a script that opens WebSockets, until they are closed
  python -m pyws connect wss://HOST/PATH   a prompt: each line is sent, each message is shown
  python -m pyws serve script.py           the same script in a page of this machine
  python -m pyws record wss://HOST/ a.har  what clients and that server say, as a file
  python -m pyws replay a.har              a server that answers from the file

python -m pyws COMMAND --help explains a command, help(pyws.WebSocket) in Python the interface.""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND")
    for name, purpose in COMMANDS.items():
        commands.add_parser(name, help=purpose, add_help=False)
    options = parser.parse_args(sys.argv[1:2])
    try:
        return int(importlib.import_module(f"pyws.commands.{options.command}").main(sys.argv[2:]))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

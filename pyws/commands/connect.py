"""`python -m pyws connect`: talk to a server, from a terminal or a pipe.

It is built on the public interface alone.
"""

import argparse
import os
import sys

from pyws import DOMException, UserAgent

from . import termination
from .arguments import count, headers_by_name, insecure_context, seconds
from .prompt import Prompt
from .session import USAGE, Session, parse_message

# A type checker reads on only for CPython, where `UserAgent` has settings.
assert sys.platform not in ("emscripten", "brython", "webassembly")

EXIT_STATUS = """exit status:
  0    the connection was closed cleanly
  1    there was no connection; the reason is told
  2    the command line is wrong, or what it needs is not installed
  3    the connection was lost, or not closed cleanly
  4    it was closed cleanly, but before all was sent, or --count messages had come
  130  Ctrl-C
  143  SIGTERM

At a prompt, each line is a message; Ctrl-D closes. The prompt's history is kept in the
file that PYWS_HISTORY names, in ~/.pyws_history by default; with PYWS_HISTORY= it is not.
Where stdin is not a terminal, each of its lines is a message; where stdout is not, it
gets the messages and nothing else, each as one line: text with spaces for line breaks,
binary as hex digits."""

CLOSING_TIMEOUT = 5.0
"""Seconds that the server has to answer a Close frame: short, because the user waits for the shell."""


def main(arguments: list[str]) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        "python -m pyws connect",
        description="Connect to a WebSocket server: type messages, send them from a pipe, or with --send.",
        epilog=EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("url", metavar="URL", help="such as wss://example.org/chat")
    add("-H", "--header", action="append", default=[], metavar="'NAME: VALUE'", help="one more header of the handshake")
    add("-s", "--subprotocol", action="append", default=[], metavar="NAME", help="one that the server may choose")
    add("--origin", help="the Origin header (default: none)")
    add("--proxy", metavar="URL", help="an HTTP or SOCKS proxy, '' for none (default: the environment's)")
    add("-k", "--insecure", action="store_true", help="accept any certificate: the server may be anybody")
    add("--timeout", type=seconds, default=30.0, metavar="SECONDS", help="to connect within (default: 30)")
    add("-x", "--hex", action="store_true", help="what is sent is binary, given as hex digits")
    add("--send", action="append", metavar="TEXT", help="send this instead of what is typed or piped")
    add("-n", "--count", type=count, metavar="N", help="close after N messages have come")
    add(
        "--wait",
        type=seconds,
        metavar="SECONDS",
        help="once all is sent, close after this time without a message, 'inf' for never (default: 1; inf with -n)",
    )
    options = parser.parse_args(arguments)
    tls = insecure_context() if options.insecure else None
    try:
        agent = UserAgent(
            headers=headers_by_name(options.header),
            origin=options.origin,
            proxy=options.proxy,
            tls=tls,
            opening_timeout=options.timeout,
            closing_timeout=CLOSING_TIMEOUT,
            blocked_ports=False,  # they protect from scripts of a page; here the user has typed the address
        )
        messages = None if options.send is None else [parse_message(text, options.hex) for text in options.send]
    except ValueError as error:
        parser.error(str(error))
    prompt = None
    if messages is None and sys.stdin.isatty() and sys.stdout.isatty():
        prompt = Prompt.load()
        if prompt is None:
            print("A prompt needs prompt_toolkit: pip install 'pyws-websocket[connect]'.", file=sys.stderr)
            return USAGE
    # A message may have a character that the encoding of stdout lacks: it is escaped.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # TextIO lacks it
    session = Session(options.hex, options.count, options.wait)
    try:
        with agent:
            return termination.run(session.run(options.url, options.subprotocol, messages, prompt))
    except DOMException as error:
        parser.error(error.message)
    except BrokenPipeError:
        # The program that read the messages has ended. Python must not fail again when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0

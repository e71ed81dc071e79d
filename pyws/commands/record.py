"""`python -m pyws record`: a server between clients and the real server, that writes down what both say."""

import argparse
import sys

from pyws import DOMException, UserAgent
from pyws.testing.masks import Masks
from pyws.testing.recorded import RecordingError
from pyws.testing.recorder import Recorder

from . import termination
from .arguments import count, headers_by_name, insecure_context, port, seconds
from .printable import printable

# A type checker reads on only for CPython, where `UserAgent` has settings.
assert sys.platform != "emscripten" and sys.platform != "brython" and sys.platform != "webassembly"

EXIT_STATUS = """exit status:
  0    --connections have ended, and are in the file
  1    it cannot listen, or the file cannot be written
  2    the command line is wrong, or the file exists already
  130  Ctrl-C, after the file was finished
  143  SIGTERM, after the file was finished

Connect any client to the address that is printed, instead of to URL: what it says goes to the server, and the answers
come back. For another path than / it gets that path of the server. FILE.jsonl has a line for each event, FILE.har is
what browsers' developer tools write. What looks like a secret (passwords, tokens, cookies, keys, in URLs, headers,
subprotocols and messages) is ~masked~ in the file, and matches anything when it is replayed: look at the file before
you share it, and add what is secret for you by --mask and --mask-name."""


def main(arguments: list[str]) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        "python -m pyws record",
        description="Record the conversations of WebSocket clients with a server, until Ctrl-C.",
        epilog=EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("url", metavar="URL", help="the server, such as wss://example.org/chat")
    add("file", metavar="FILE", help="a new file, .jsonl or .har")
    add("--port", type=port, default=0, help="where to listen on 127.0.0.1 (default: any free one)")
    add("--overwrite", action="store_true", help="replace FILE if it exists")
    add("-n", "--connections", type=count, metavar="N", help="end when N connections have ended")
    add("--mask", action="append", default=[], metavar="REGEX", help="mask what matches, or its groups if it has some")
    add("--mask-name", action="append", default=[], metavar="NAME", help="mask values of this name, such as email")
    add("--show-name", action="append", default=[], metavar="NAME", help="do not mask values of this name, such as key")
    add("-H", "--header", action="append", default=[], metavar="'NAME: VALUE'", help="send this header to the server")
    add("--origin", help="the Origin header for the server (default: that of the client)")
    add("--allow-origin", action="append", default=[], metavar="ORIGIN", help="let pages of this origin connect, too")
    add("--proxy", metavar="URL", help="a proxy to the server, '' for none (default: the environment's)")
    add("-k", "--insecure", action="store_true", help="accept any certificate: the server may be anybody")
    add("--timeout", type=seconds, default=30.0, metavar="SECONDS", help="to connect to the server (default: 30)")
    options = parser.parse_args(arguments)
    try:
        headers = list(UserAgent(headers=headers_by_name(options.header), origin=options.origin).headers.items())
        if options.origin is not None:
            headers.append(("Origin", options.origin))
        recorder = Recorder(
            options.url,
            options.file,
            masks=Masks(options.mask_name, options.mask, options.show_name),
            overwrite=options.overwrite,
            headers=headers,
            tls=insecure_context() if options.insecure else None,
            proxy=options.proxy,
            origins=options.allow_origin,
            timeout=options.timeout,
            port=options.port,
            connections=options.connections,
            note=lambda text: print(printable(text), file=sys.stderr, flush=True),
        )
    except (ValueError, RecordingError) as error:
        parser.error(str(error))
    except DOMException as error:
        parser.error(error.message)
    try:
        return termination.run(run(recorder, options.file))
    except FileExistsError as error:
        parser.error(f"{error.filename} exists: --overwrite replaces it")
    except OSError as error:
        print(f"cannot record: {printable(str(error))}", file=sys.stderr)
        return 1


async def run(recorder: Recorder, file: str) -> int:
    """Record until enough connections have ended, or the task is canceled; return the exit status."""
    async with recorder:
        print(f"{recorder.address}/ leads to {printable(recorder.url)}", end=", ")
        print(f"and is recorded in {printable(file)}  (Ctrl-C ends)", flush=True)
        await recorder.enough()
    return 0

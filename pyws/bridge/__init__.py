"""The bridge: WebSocket libraries of Python run in a page of Pyodide, unmodified.

    import pyws.bridge

    pyws.bridge.install()

From then on what asyncio calls a connection is one of the browser's WebSockets: `websockets`, `aiohttp` and what stands
on them connect as they do on CPython. To them the bridge is a TCP connection, with a server of RFC 6455 at its end.
https://www.rfc-editor.org/rfc/rfc6455
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from .handshake import Request
    from .installation import Block

    Hook = Callable[[Request], Awaitable[None] | None]

__all__ = ["install", "installed", "uninstall"]


def install(*, handshake: "Hook | None" = None, force: bool = False) -> bool:
    """Give Pyodide's event loop connections, and return whether it has them now.

    handshake  called with the `Request` of each opening handshake before the page connects; it may be `async def`. It
               may change the URL, add subprotocols and take away headers, which no page can send. An exception that it
               raises ends the connection. None keeps the hook of an earlier call.
    force      install where Pyodide has sockets of its own, too: in Node after `useNodeSockFS()`, in Cloudflare's
               workers. Else they are left alone.

    It may be called again. On CPython it does nothing and returns False, so that the same file runs there. Raises
    `DOMException` NotSupportedError in Brython and MicroPython, where these libraries do not load.
    https://www.rfc-editor.org/rfc/rfc6455#section-4.1
    """
    if sys.platform == "brython":
        from ..webidl import DOMException

        raise DOMException(
            "Brython has no asyncio, so Python's WebSocket libraries do not load: use pyws.WebSocket, or Pyodide.",
            "NotSupportedError",
        )
    if sys.platform == "webassembly":
        from ..webidl import DOMException

        raise DOMException(
            "In MicroPython Python's WebSocket libraries do not load: use pyws.WebSocket, or Pyodide.",
            "NotSupportedError",
        )
    if sys.platform == "emscripten":
        from . import installation

        return installation.install(handshake, force)
    return False


def uninstall() -> None:
    """Take the connections away from Pyodide's event loop; open connections stay open.

    Does nothing where nothing is installed.
    """
    if sys.platform == "emscripten":
        from . import installation

        installation.uninstall()


class installed:  # noqa: N801 - it is used like a function, as those of contextlib are
    """A context manager: `install` at its beginning, and what was before at its end. The same arguments."""

    def __init__(self, *, handshake: "Hook | None" = None, force: bool = False) -> None:
        self._handshake = handshake
        self._force = force
        self._blocks: list[Block] = []  # more than one if it is entered again inside of itself

    def __enter__(self) -> bool:
        """Return whether Pyodide's event loop has connections now."""
        if sys.platform == "emscripten":
            from . import installation

            self._blocks.append(installation.Block(self._handshake, self._force))
            return self._blocks[-1].is_installed
        return install(handshake=self._handshake, force=self._force)

    def __exit__(
        self, kind: "type[BaseException] | None", error: "BaseException | None", traceback: "TracebackType | None"
    ) -> None:
        """Install or uninstall what was before."""
        if sys.platform == "emscripten":
            self._blocks.pop().leave()

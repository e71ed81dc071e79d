"""Where the bridge is installed, and which functions and methods of other modules it replaces then.

Its law: `uninstall` undoes all of it; connections that are open stay open.
"""

import select
import selectors
import socket
import ssl
import threading

from . import blockingsockets, eventloop, replacing, selecting, syncwebsockets, threads, tls, tlssockets, watching

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import Hook


def install(hook: "Hook | None", force: bool) -> bool:
    """Replace the functions and methods, unless real sockets are there; return whether they are replaced now."""
    from pyodide.webloop import WebLoop

    if not replacing.is_replaced():
        if has_sockets() and not force:
            return False
        for owner, module, names in (
            (WebLoop, eventloop, ("create_connection", "sock_connect", "getaddrinfo", "start_tls", "call_at")),
            (WebLoop, watching, ("add_reader", "add_writer", "remove_reader", "remove_writer")),
            (ssl.SSLContext, tls, ("wrap_bio",)),
            (ssl.SSLContext, tlssockets, ("wrap_socket",)),
            (socket.socket, blockingsockets, ("__init__", "connect", "connect_ex")),
            (socket, blockingsockets, ("getaddrinfo",)),
            (select, selecting, ("select",)),
            (threading.Thread, threads, ("start",)),
        ):
            for name in names:
                replacing.replace(owner, name, getattr(module, name))
        replacing.replace(select, "poll", selecting.Poll)
        # They took the functions out of the module `select` when they were made.
        replacing.replace(selectors.SelectSelector, "_select", staticmethod(selecting.select))
        replacing.replace(selectors.PollSelector, "_selector_cls", selecting.Poll)
        syncwebsockets.install()
    if hook is not None:
        replacing.hook = hook
    return True


def uninstall() -> None:
    """Put the own functions and methods back."""
    replacing.hook = None
    if replacing.is_replaced():
        replacing.put_back()
        syncwebsockets.uninstall()


def installation() -> "tuple[bool, Hook | None]":
    """Return whether the bridge is installed, and the hook."""
    return replacing.is_replaced(), replacing.hook


class Block:
    """A `with` block that has the bridge, and what was before it."""

    def __init__(self, hook: "Hook | None", force: bool) -> None:
        self._before = installation()
        self.is_installed = install(hook, force)
        _blocks.append(self)

    def leave(self) -> None:
        """Make it again as it was before; if a later block still runs, that one will do it."""
        place = _blocks.index(self)
        if self is not _blocks[-1]:
            _blocks[place + 1]._before = self._before
        elif self._before[0]:
            install(None, force=True)
            replacing.hook = self._before[1]
        else:
            uninstall()
        del _blocks[place]


_blocks: list[Block] = []  # those that run, the latest last


def has_sockets() -> bool:
    """Return whether this Pyodide has sockets of its own: in Node by `useNodeSockFS()`, or in Cloudflare's workers."""
    import js
    from pyodide_js import _api

    agent = getattr(getattr(js, "navigator", None), "userAgent", "")
    return hasattr(_api, "_nodeSock") or agent == "Cloudflare-Workers"

"""The leg of a recorder to the real server."""

import logging
import re
import ssl
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.datastructures import Headers

from .relay import CLOSING_TIMEOUT

silent_logger = logging.Logger("pyws.testing", logging.CRITICAL + 1)  # the library would log headers and messages

# Headers that belong to one leg.
_OF_A_LEG = re.compile(
    r"host|connection|upgrade|keep-alive|te|trailer|transfer-encoding|content-length|proxy-connection|expect|date"
    r"|sec-websocket-.*",
    re.IGNORECASE,
)


def passed_on(headers: Headers) -> list[tuple[str, str]]:
    """Return the headers that are passed on to the other leg."""
    return [(name, value) for name, value in headers.raw_items() if not _OF_A_LEG.fullmatch(name)]


async def dial(
    url: str,
    subprotocols: list[Any],
    headers: list[tuple[str, str]],
    *,
    tls: ssl.SSLContext | None,
    proxy: str | None,
    timeout: float,
) -> ClientConnection:
    """Connect to the server within `timeout` seconds, with these subprotocols and headers and no others.

    `proxy`: its URL, "" for none, None for that of the environment. Raises `InvalidStatus` for a refusal; `OSError`,
    `InvalidHandshake`, `EOFError`, or `ImportError` for a proxy whose library is not installed.
    """
    options: dict[str, Any] = {"ssl": tls} if tls is not None and url.startswith("wss:") else {}
    special = {name.lower(): value for name, value in headers if name.lower() in ("origin", "user-agent")}
    return await _Connect(
        url,
        origin=special.get("origin"),  # type: ignore[arg-type] # it wants its own kind of str
        user_agent_header=special.get("user-agent"),
        subprotocols=subprotocols or None,
        additional_headers=[pair for pair in headers if pair[0].lower() not in special],
        proxy=True if proxy is None else proxy or None,
        open_timeout=timeout,
        close_timeout=CLOSING_TIMEOUT,
        ping_interval=None,
        max_size=None,
        logger=silent_logger,
        **options,
    )


class _Connect(connect):
    """Connects as a browser does: redirects are not followed."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Return the exception that says that the server has refused."""
        return exc

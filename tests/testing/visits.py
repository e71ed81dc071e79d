"""A client for the tests of `pyws.testing`: one socket of pyws, and the rows of its journal."""

import asyncio
import re

import pytest
import pyws
from pyws.testing import ExpectationError, Journal


def visit(url, *messages, protocols=None, replies=None, close=(), agent=None):
    """Open a socket, send the first message, and one more after each reply; return its rows.

    After so many `replies` it is closed, with the code and the reason of `close`.
    """
    return asyncio.run(async_visit(url, *messages, protocols=protocols, replies=replies, close=close, agent=agent))


async def async_visit(url, *messages, protocols=None, replies=None, close=(), agent=None):
    """The same in a coroutine."""
    with Journal() as journal, agent or pyws.UserAgent():
        ws = pyws.WebSocket(url, protocols)
        waiting = list(messages)
        came = -1

        def go_on(event):
            nonlocal came
            came += 1
            if waiting:
                ws.send(waiting.pop(0))
            if came == replies:
                ws.close(*close)

        ws.onopen = ws.onmessage = go_on
        await journal.async_wait_for("close")
    return journal.rows


def shown(server):
    """What `check` raises, without the seconds of the rows and the line of the test."""
    with pytest.raises(ExpectationError) as caught:
        server.check()
    text = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    text = re.sub(r"\n  in test_\w+\.py, line \d+$", "", text, flags=re.M)
    return re.sub(r"^ +\d+\.\d{3} s  ", "", text, flags=re.M).split("\n")

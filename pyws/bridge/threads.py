"""The function that takes the place of `threading.Thread.start`, for what it says where there are no threads.

https://docs.python.org/3/library/threading.html#threading.Thread.start
"""

import threading

from .replacing import own


def start(self: threading.Thread) -> None:
    """Take the place of `start`. Raises RuntimeError, with the way out, if there are no threads."""
    try:
        own(threading.Thread, "start")(self)
    except RuntimeError as error:
        if str(error) != "can't start new thread":
            raise
        raise RuntimeError(
            "a page has no threads (can't start new thread): leave out the option that needs one, such as "
            "ping_interval of websocket-client, or take an asynchronous library."
        ) from None

"""What every runtime plays: conversations, each with the journal that the standard gives it.

Who imports this package has them all in `stage.SCENARIOS`. Pages load the same files.
"""

from scenarios import (  # noqa: F401 - each module registers its scenarios
    events,
    handshake,
    interface,
    laws,
    observable,
    page,
    reconnecting,
    streams,
    wire,
)

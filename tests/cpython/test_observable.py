"""Waiting for events on CPython: what is left early leaves nothing behind. The guide's example runs as it stands."""

import asyncio
import gc
import itertools
import weakref
from pathlib import Path

import pytest
from pyws import Event, EventTarget, WebSocket

from stage import Stage

GUIDE = Path(__file__).parents[2].joinpath("web", "docs", "guide.md").read_text("utf-8")
numbers = itertools.count()


def play(peer, conversation):
    """Run `async def conversation(stage)`; its journal."""
    stage = Stage(peer.origin, f"when-{next(numbers)}", "cpython")
    asyncio.run(conversation(stage))
    return stage.journal


class Target(EventTarget):
    """A target that tells how many listen to it."""

    count = 0

    def _pyws_listeners_changed(self):
        self.count = sum(map(len, self._pyws_listeners.values()))


@pytest.mark.requirements("WHN-01", "WHN-06")
@pytest.mark.parametrize("way", ["break", "raise", "return", "cancel"])
def test_what_is_left_early_leaves_no_listener(way):
    """However an `async for` is left, nobody listens any more at that very moment."""

    async def loop(target):
        async for _ in target.when("tick"):
            if way == "break":
                break
            if way == "raise":
                raise ValueError
            if way == "return":
                return

    async def main():
        target = Target()
        target.when("tick")
        assert target.count == 0
        task = asyncio.create_task(loop(target))
        await asyncio.sleep(0)
        assert target.count == 1
        if way == "cancel":
            task.cancel()
        else:
            target.dispatchEvent(Event("tick"))
        await asyncio.wait([task])  # not `await task`: what that raises, asyncio lets go of only in the next round
        assert task.cancelled() == (way == "cancel")
        assert way != "raise" or isinstance(task.exception(), ValueError)
        del task  # its exception has a traceback, which has the loop's frame
        assert target.count == 0
        assert target._pyws_subscriptions == ()

    asyncio.run(main())


@pytest.mark.requirements("WHN-06")
def test_first_that_is_canceled_leaves_no_listener():
    """By a time limit, too."""

    async def main():
        target = Target()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(target.when("tick").first(), 0.01)
        await asyncio.sleep(0)
        assert target.count == 0
        assert target._pyws_subscriptions == ()

    asyncio.run(main())


@pytest.mark.requirements("WHN-06")
def test_first_that_is_canceled_in_the_turn_of_its_event():
    """The event, or the end of the target, comes after the cancellation, and before the loop has reported that."""

    async def main():
        target = Target()
        tick, other = target.when("tick").first(), target.when("other").first()
        tick.cancel()
        target.dispatchEvent(Event("tick"))
        other.cancel()
        target._pyws_end()
        await asyncio.sleep(0)
        assert tick.cancelled() and other.cancelled()
        assert target.count == 0

    asyncio.run(main())


@pytest.mark.requirements("WHN-04", "WHN-06")
def test_a_socket_that_is_only_awaited_stays_alive(peer):
    """While a loop waits, collections change nothing; when the loop was left, the socket is garbage."""

    async def conversation(stage):
        async def loop():
            ws = WebSocket(f"{stage.origin}/{stage._key}?do=accept&do=wait%200.1&do=text%20one&do=hang")
            found.append(weakref.ref(ws))
            events = ws.when("message")
            del ws
            async for event in events:
                stage.note(event.data)
                return

        found = []
        task = asyncio.create_task(loop())
        for _ in range(5):
            await asyncio.sleep(0.01)
            gc.collect()
        await task
        gc.collect()
        await asyncio.sleep(0.01)
        stage.note(found[0]())

    assert play(peer, conversation) == ["one", None]


@pytest.mark.requirements("WHN-04")
def test_who_is_canceled_takes_nothing_along(peer):
    """One who waited and was canceled just as an event came leaves that event to the next."""

    async def main():
        target = Target()
        iterator = target.when("tick").__aiter__()
        first, second = (asyncio.create_task(iterator.__anext__()) for _ in range(2))
        await asyncio.sleep(0)
        event = Event("tick")
        target.dispatchEvent(event)
        first.cancel()
        assert await second is event

    asyncio.run(main())


@pytest.mark.once
def test_the_guide_s_example_runs(capsys):
    """Against the echo server, with nothing changed but the address."""
    import serve

    example = GUIDE.partition("## Waiting for events")[2].partition("```python\n")[2].partition("```")[0]
    with serve.echo() as address:
        space = {}
        exec(example.replace("wss://example.org/echo", address), space)
        asyncio.run(space["main"]())
    assert capsys.readouterr().out == "Hello 🌍\n"

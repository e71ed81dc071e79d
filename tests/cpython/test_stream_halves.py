"""The two halves of a stream alone, without a connection: a source and a sink of a few lines stand below them."""

import asyncio

import pytest
from pyws.streams import Outcome, ReadableStream, WritableStream
from pyws.waiters import MessageQueue

pytestmark = pytest.mark.timeout(10)


class Source:
    """Writes down what a readable half asks for."""

    def __init__(self, journal):
        self.pull = lambda: journal.append("pull")
        self.cancel = lambda reason: journal.append(f"cancel {reason}")


class Sink:
    """Writes down what a writable half asks for; messages leave when `leave` is called."""

    open = True
    changed = None

    def __init__(self, journal):
        self.journal = journal
        self.waiting = []

    pending = property(lambda self: len(self.waiting))

    def message(self, chunk):
        return chunk.upper()

    def update(self):
        if self.changed is not None:
            self.changed()

    async def write(self, message):
        self.journal.append(f"write {message}")
        self.waiting.append(asyncio.get_running_loop().create_future())
        await self.waiting[-1]

    def leave(self):
        self.waiting.pop(0).set_result(None)
        self.update()

    async def close(self):
        self.journal.append("close")

    async def abort(self, reason):
        self.journal.append(f"abort {reason}")


def halves():
    """A journal, the parts below, and the two halves that stand on them."""
    journal, outcome, messages = [], Outcome(), MessageQueue()
    source, sink = Source(journal), Sink(journal)
    return journal, outcome, messages, sink, ReadableStream(messages, source, outcome), WritableStream(sink, outcome)


async def turns():
    """Let all tasks go on as far as they can."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.requirements("WSS-17")
def test_the_source_is_pulled_when_all_was_taken():
    """Not before: two messages, then the second is taken."""

    async def main():
        journal, _, messages, _, readable, _ = halves()
        for message in ("one", "two"):
            messages.put(message)
        reader = readable.getReader()
        for _ in range(2):
            journal.append((await reader.read()).value)
        messages.end()
        readable._close_if_read()
        journal.append((await reader.read()).done)
        await reader.closed
        return journal

    assert asyncio.run(main()) == ["one", "pull", "two", True]


@pytest.mark.requirements("WSS-17")
def test_a_readable_half_is_a_loop_over_its_messages():
    """To the end; while a reader has it, only that may read."""

    async def main():
        _, _, messages, _, readable, _ = halves()
        for message in ("one", "two"):
            messages.put(message)
        messages.end()
        journal = [message async for message in readable]
        readable.getReader()
        with pytest.raises(TypeError):
            await anext(readable)
        return journal

    assert asyncio.run(main()) == ["one", "two"]


@pytest.mark.requirements("WSS-18")
def test_a_reader_that_is_canceled_ends_and_tells_the_source():
    """What was not read is lost, and `closed` is kept."""

    async def main():
        journal, _, messages, _, readable, _ = halves()
        messages.put("one")
        reader = readable.getReader()
        await reader.cancel("enough")
        await reader.closed
        return [*journal, (await reader.read()).done]

    assert asyncio.run(main()) == ["cancel enough", True]


@pytest.mark.requirements("WSS-07")
def test_an_error_comes_after_the_messages_that_had_come_and_is_known_to_be_told():
    """The outcome knows that a task was told of it."""

    async def main():
        journal, outcome, messages, _, readable, writable = halves()
        messages.put("one")
        outcome.error = OSError("lost")
        messages.end(outcome.error)
        writable._end()
        reader, writer = readable.getReader(), writable.getWriter()
        journal += [(await reader.read()).value, outcome.told, writer.desiredSize]
        for awaitable in (reader.closed, writer.closed, writer.ready):
            with pytest.raises(OSError):
                await awaitable
        return [*journal, outcome.told]

    assert asyncio.run(main()) == ["pull", "one", False, None, True]


@pytest.mark.requirements("WSS-17", "WSS-19")
def test_ready_comes_when_everything_that_was_written_has_left():
    """`desiredSize` counts it down, and `close` is not ready for more."""

    async def main():
        journal, outcome, _, sink, _, writable = halves()
        writer = writable.getWriter()
        writes = [asyncio.ensure_future(writer.write(text)) for text in ("a", "b")]
        await turns()
        ready = asyncio.ensure_future(writer.ready)
        for _ in range(2):
            journal += [writer.desiredSize, ready.done()]
            sink.leave()
            await turns()
        journal += [writer.desiredSize, ready.done()]
        await asyncio.gather(*writes)
        await writer.close()
        outcome.over = True
        writable._end()
        await writer.closed
        return [*journal, writer.desiredSize]

    assert asyncio.run(main()) == ["write A", "write B", -1, False, 0, False, 1, True, "close", 0]


@pytest.mark.requirements("WSS-18")
def test_a_lock_that_is_released_ends_what_waits():
    """Once; it may be released again, and after the end, too."""

    async def main():
        _, outcome, messages, sink, readable, writable = halves()
        writer = writable.getWriter()
        write = asyncio.ensure_future(writer.write("a"))
        await turns()
        waiting = [writer.ready, writer.closed]
        for _ in range(2):
            writer.releaseLock()
        for awaitable in waiting:
            with pytest.raises(TypeError):
                await awaitable
        sink.leave()
        await write
        reader = readable.getReader()
        messages.end()
        readable._close_if_read()
        await reader.closed
        for _ in range(2):
            reader.releaseLock()
        with pytest.raises(TypeError):
            await reader.closed
        await readable.getReader().closed

    asyncio.run(main())


@pytest.mark.requirements("WSS-18")
def test_an_abort_is_the_reason_of_everything_after_it():
    """Of the promise `closed`, of `ready`, and of a second `close`."""

    async def main():
        journal, _, _, _, _, writable = halves()
        writer = writable.getWriter()
        reason = OSError("enough")
        await writer.abort(reason)
        for awaitable in (writer.closed, writer.ready):
            with pytest.raises(OSError) as raised:
                await awaitable
            assert raised.value is reason
        with pytest.raises(TypeError):
            await writer.close()
        await writer.abort()
        return journal

    assert asyncio.run(main()) == ["abort enough"]

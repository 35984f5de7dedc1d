"""Words between nodes: what one writes is seen on the other, also where the words are lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from uuid import UUID

import pytest

from tests.runtime.disk import Disk
from tests.runtime.given import Node, Reader, at_work, follow
from tests.runtime.model import finishes, says
from tests.runtime.waiting import everything_else, time_passes, until
from turnlog.adapters.memory import MemoryHints
from turnlog.domain.events import Changes
from turnlog.projections.context import Context
from turnlog.projections.view import View
from turnlog.runtime import hints as exchange
from turnlog.runtime import projectors
from turnlog.runtime.hints import HintExchange
from turnlog.runtime.tail import Tails

POLL_SECONDS = 3600.0


@pytest.fixture(autouse=True)
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words are said as soon as the loop comes round; and no look comes unasked."""
    monkeypatch.setattr(exchange, "GATHER_SECONDS", 0)
    monkeypatch.setattr(exchange, "POLL_SECONDS", POLL_SECONDS)
    monkeypatch.setattr(projectors, "POLL_SECONDS", 1000 * POLL_SECONDS)


class Wire(MemoryHints):
    """Hints between nodes that can be cut, and remember what was said."""

    def __init__(self) -> None:
        super().__init__()
        self.cut = False
        self.said: list[dict[UUID, int]] = []
        self.reconnected: list[Callable[[], None]] = []

    async def say(self, moved: Mapping[UUID, int]) -> None:
        self.said.append(dict(moved))
        if not self.cut:
            await super().say(dict(moved))

    async def listen(
        self, hear: Callable[[UUID, int], None], reconnected: Callable[[], None]
    ) -> None:
        self.reconnected.append(reconnected)
        await super().listen(hear, reconnected)


class TwoNodes:
    """Two nodes on one disk, and somebody who reads on one what the other writes."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.wire = Wire()
        self.here = Node(self.disk, hints=self.wire)
        self.there = Node(self.disk, hints=self.wire)

    async def read_there(self) -> tuple[UUID, Reader]:
        conversation_id = await self.here.conversation()
        await everything_else()
        return conversation_id, await follow(self.there.turnlog, conversation_id)

    async def write_here(self, conversation_id: UUID, title: str) -> None:
        await self.here.turnlog.update(conversation_id, Changes(title=title))


async def test_what_one_node_writes_is_seen_on_the_other() -> None:
    both = TwoNodes()
    async with at_work(both.here, both.there):
        conversation_id, reader = await both.read_there()
        both.here.model.answer().gives(says("Hi ", "there"), finishes())
        await both.here.say(conversation_id)
        await reader.sees("turn.completed")
        log = await both.here.log(conversation_id)
    replay = b"".join(View().render(entry, Context()) for entry in log.entries[1:])
    assert b"".join(reader.frames) == replay
    assert both.there.model.requests == []


async def test_words_that_were_lost_are_made_up_for_within_a_second() -> None:
    both = TwoNodes()
    async with at_work(both.here, both.there):
        conversation_id, reader = await both.read_there()
        both.wire.cut = True
        await both.write_here(conversation_id, "Tea")
        await everything_else()
        assert reader.frames == []
        time_passes(POLL_SECONDS)
        await reader.sees("Tea")


async def test_what_moves_in_the_same_moment_is_said_in_one_word() -> None:
    both = TwoNodes()
    async with at_work(both.here, both.there):
        ids = await asyncio.gather(*(both.here.conversation() for _ in range(5)))
        await until(lambda: both.wire.said)
        assert both.wire.said == [dict.fromkeys(ids, 1)]


async def test_a_nodes_own_words_are_no_news_to_it() -> None:
    both = TwoNodes()
    async with at_work(both.here):
        conversation_id = await both.here.conversation()
        reader = await both.here.follow(conversation_id)
        reads = both.disk.reads
        await both.write_here(conversation_id, "Tea")
        await until(lambda: len(both.wire.said) == 2)
        await everything_else()
    assert both.disk.reads == reads
    assert reader.cursor == 2


async def test_a_log_that_nobody_reads_here_is_not_read() -> None:
    both = TwoNodes()
    async with at_work(both.here, both.there):
        conversation_id, reader = await both.read_there()
        unread = await both.here.conversation()
        reads = both.disk.reads
        await both.write_here(unread, "Coffee")
        await everything_else()
        assert both.disk.reads == reads
        await both.write_here(conversation_id, "Tea")
        await reader.sees("Tea")


async def test_a_store_that_is_away_when_a_word_comes_is_asked_again_later() -> None:
    both = TwoNodes()
    async with at_work(both.here, both.there):
        conversation_id, reader = await both.read_there()
        both.disk.unreadable = True
        await both.write_here(conversation_id, "Tea")
        await everything_else()
        time_passes(POLL_SECONDS)
        await everything_else()
        assert reader.frames == []
        both.disk.unreadable = False
        time_passes(POLL_SECONDS)
        await reader.sees("Tea")


async def test_a_defect_while_one_log_is_shown_does_not_end_the_exchange(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = TwoNodes()
    async with at_work(both.here, both.there):
        conversation_id, reader = await both.read_there()
        with monkeypatch.context() as patch:
            patch.setattr(reader, "receive", None)
            await both.write_here(conversation_id, "Tea")
            await everything_else()
        other_id, other = await both.read_there()
        await both.write_here(other_id, "Coffee")
        await other.sees("Coffee")


# ------------------------------------------------------------------ looking again


class Looking:
    """A node that only looks, and a log that others write."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.writer = Node(self.disk)
        self.tails = Tails(self.disk)
        self.exchange = HintExchange(MemoryHints(), self.disk, self.tails)

    async def reading(self) -> tuple[UUID, Reader]:
        conversation_id = await self.writer.conversation()
        tail = self.tails.open(conversation_id)
        tail.reached(1)
        return conversation_id, Reader(tail, 1)

    async def update(self, conversation_id: UUID) -> None:
        await self.writer.turnlog.update(conversation_id, Changes(title="Tea"))


async def test_a_look_shows_what_was_written_since() -> None:
    node = Looking()
    conversation_id, reader = await node.reading()
    await node.exchange.look()
    assert reader.frames == []
    await node.update(conversation_id)
    await node.exchange.look()
    assert reader.cursor == 2


async def test_a_look_at_a_system_at_rest_is_one_question() -> None:
    node = Looking()
    await node.reading()
    await node.exchange.look()
    reads = node.disk.reads
    await node.exchange.look()
    assert node.disk.reads == reads + 1


async def test_a_log_that_moved_while_its_end_was_looked_for_is_not_forgotten() -> None:
    node = Looking()
    conversation_id = await node.writer.conversation()
    tail = node.tails.open(conversation_id)
    end = await node.disk.head(conversation_id)
    assert end is not None
    await node.update(conversation_id)
    await node.exchange.look()
    tail.reached(end.offset)
    reader = Reader(tail, end.offset)
    await node.exchange.look()
    assert reader.cursor == 2


async def test_after_words_may_have_been_missed_every_log_is_looked_at() -> None:
    both = TwoNodes()
    async with at_work(both.there):
        await both.read_there()
        time_passes(POLL_SECONDS)
        await everything_else()
        reads = both.disk.reads
        for reconnected in both.wire.reconnected:
            reconnected()
        time_passes(POLL_SECONDS)
        await everything_else()
    assert both.disk.reads == reads + 2

"""Group commit: one transaction a bucket at a time, and what arrives meanwhile is the next."""

from __future__ import annotations

import asyncio
import os
from uuid import UUID

import pytest
from msgspec.structs import replace

from tests.domain import ask
from tests.runtime.disk import Disk
from tests.runtime.waiting import everything_else, time_passes, until
from tests.store.given import Writer
from turnlog.adapters.memory import MemoryStore
from turnlog.domain.errors import StoreUnavailable
from turnlog.domain.identity import uuid7
from turnlog.domain.records import Append
from turnlog.runtime import journal as journals
from turnlog.runtime.journal import MAX_BATCH, Journal
from turnlog.runtime.standing import Draft, unborn


def new(bucket: int = 0) -> Append:
    """A new conversation's first append."""
    conversation_id = uuid7(ask.NOW, os.urandom(8), last_byte=bucket)
    draft = Draft(unborn(conversation_id, os.urandom(32), "acme"))
    draft.add(replace(ask.create(), conversation_id=conversation_id))
    return draft.append()


def delta(bucket: int) -> Append:
    """An append of text alone, which no client waits for."""
    writer = Writer(bucket)
    return writer.ready(b'{"type":"message.delta","item":1,"delta":"a"}', topic="message.delta")


@pytest.fixture
def long_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for a slot waits for hours."""
    monkeypatch.setattr(journals, "SLOT_SECONDS", 3600.0)


def begin(journal: Journal, append: Append) -> asyncio.Task[bool]:
    return asyncio.create_task(journal.append(append))


def batches(disk: Disk) -> list[list[UUID]]:
    return [[append.conversation_id for append in batch] for batch in disk.begun]


async def test_what_arrives_during_a_commit_is_the_next_commit() -> None:
    disk = Disk(slow=True)
    journal = Journal(disk)
    appends = [new() for _ in range(4)]
    first = begin(journal, appends[0])
    await disk.holds(1)
    later = [begin(journal, append) for append in appends[1:]]
    await everything_else()
    assert len(disk.begun) == 1
    disk.release()
    assert await first is True
    await disk.holds(1)
    ids = [append.conversation_id for append in appends]
    assert batches(disk) == [ids[:1], ids[1:]]
    assert not any(task.done() for task in later)
    disk.release()
    assert await asyncio.gather(*later) == [True, True, True]


async def test_buckets_are_written_side_by_side() -> None:
    disk = Disk(slow=True)
    journal = Journal(disk)
    slow, quick = begin(journal, new(bucket=1)), begin(journal, new(bucket=2))
    await disk.holds(2)
    disk.release(bucket=2)
    assert await quick is True
    assert not slow.done()
    disk.release()
    assert await slow is True


@pytest.mark.usefixtures("long_slots")
async def test_on_an_idle_node_deltas_are_written_at_once() -> None:
    disk = Disk()
    journal = Journal(disk)
    for bucket in (1, 2, 1, 2):
        assert await journal.append(delta(bucket)) is True
    assert [len(batch) for batch in disk.begun] == [1, 1, 1, 1]


@pytest.mark.usefixtures("long_slots")
async def test_while_another_commit_is_under_way_deltas_gather_until_they_have_a_slot() -> None:
    disk = Disk(slow=True)
    journal = Journal(disk)
    under_way = begin(journal, delta(bucket=1))
    await disk.holds(1)
    waiting = [begin(journal, delta(bucket=2)) for _ in range(3)]
    await everything_else()
    assert len(disk.begun) == 1
    disk.quicken()
    asked = begin(journal, new(bucket=2))
    assert await asked is True
    assert all(await asyncio.gather(under_way, *waiting))
    assert [len(batch) for batch in disk.begun] == [1, 4]


@pytest.mark.usefixtures("long_slots")
async def test_the_slots_of_those_that_wait_come_one_after_the_other() -> None:
    disk = Disk(slow=True)
    journal = Journal(disk)
    under_way = begin(journal, new(bucket=0))
    await disk.holds(1)
    waiting = [begin(journal, delta(bucket)) for bucket in (1, 2, 3)]
    await everything_else()
    for held in (2, 3, 4):
        time_passes(3601.0)
        await disk.holds(held)
    disk.quicken()
    assert all(await asyncio.gather(under_way, *waiting))


@pytest.mark.usefixtures("long_slots")
async def test_a_slot_that_was_not_waited_for_is_the_next_ones() -> None:
    disk = Disk(slow=True)
    journal = Journal(disk)
    under_way = begin(journal, new(bucket=0))
    await disk.holds(1)
    for _ in range(3):
        writes = [begin(journal, delta(bucket=1)), begin(journal, new(bucket=1))]
        await disk.holds(2)
        disk.release(bucket=1)
        assert all(await asyncio.gather(*writes))
    waiting = begin(journal, delta(bucket=2))
    await everything_else()
    time_passes(3601.0)
    await disk.holds(2)
    disk.quicken()
    assert all(await asyncio.gather(under_way, waiting))


@pytest.mark.usefixtures("long_slots")
async def test_of_many_that_wait_several_go_at_once() -> None:
    disk = Disk(MemoryStore(buckets=64), slow=True)
    journal = Journal(disk)
    writes = [begin(journal, new(bucket=0))]
    await disk.holds(1)
    writes += [begin(journal, delta(bucket)) for bucket in range(1, 64)]
    await everything_else()
    time_passes(3601.0)
    await disk.holds(1 + 63 // 8)
    disk.quicken()
    await journal.close()
    assert all(await asyncio.gather(*writes))


@pytest.mark.usefixtures("long_slots")
async def test_closing_does_not_wait_for_slots() -> None:
    disk = Disk(slow=True)
    journal = Journal(disk)
    writes = [begin(journal, new(bucket=1)), begin(journal, delta(bucket=2))]
    await disk.holds(1)
    writes.append(begin(journal, delta(bucket=1)))
    await everything_else()
    closing = asyncio.create_task(journal.close())
    await disk.holds(2)
    disk.quicken()
    await closing
    assert all(write.done() for write in writes)


async def test_a_bucket_that_was_idle_is_written_at_once_again() -> None:
    disk = Disk()
    journal = Journal(disk)
    for _ in range(3):
        assert await journal.append(new()) is True
    assert [len(batch) for batch in disk.begun] == [1, 1, 1]


async def test_a_batch_has_its_limit_and_nothing_is_left_behind() -> None:
    disk = Disk(slow=True)
    journal = Journal(disk)
    first = begin(journal, new())
    await disk.holds(1)
    disk.slow = False
    later = [begin(journal, new()) for _ in range(MAX_BATCH + 1)]
    await everything_else()
    disk.release()
    assert all(await asyncio.gather(first, *later))
    assert [len(batch) for batch in disk.begun] == [1, MAX_BATCH, 1]


async def test_each_writer_learns_its_own_outcome() -> None:
    disk = Disk(slow=True)
    journal = Journal(disk)
    taken = new()
    assert await disk.memory.append(0, [taken]) == [True]
    other = replace(taken, entries=(replace(taken.entries[0], hash=b"another"),))
    first = begin(journal, new())
    await disk.holds(1)
    winner, loser, second = (begin(journal, append) for append in (new(), other, new()))
    await everything_else()
    disk.quicken()
    assert [await task for task in (first, winner, loser, second)] == [True, True, False, True]
    assert len(disk.begun) == 2


async def test_a_store_that_fails_is_told_to_each_of_the_batch_and_to_nobody_else() -> None:
    disk = Disk(slow=True)
    journal = Journal(disk)
    first = begin(journal, new())
    await disk.holds(1)
    failing = [begin(journal, new()) for _ in range(3)]
    await everything_else()
    disk.release()
    assert await first is True
    await disk.holds(1)
    disk.lost()
    for task in failing:
        with pytest.raises(StoreUnavailable):
            await task
    disk.away = disk.slow = False
    assert await journal.append(new()) is True


async def test_whoever_gives_up_loses_nothing_and_harms_nobody() -> None:
    disk = Disk(slow=True)
    journal = Journal(disk)
    under_way, waiting, other = new(), new(), new()
    first = begin(journal, under_way)
    await disk.holds(1)
    second, third = begin(journal, waiting), begin(journal, other)
    await everything_else()
    first.cancel()
    second.cancel()
    await everything_else()
    disk.quicken()
    assert await third is True
    for append in (under_way, waiting, other):
        assert await disk.memory.head(append.conversation_id) is not None


async def test_closing_waits_for_all_that_is_under_way() -> None:
    disk = Disk(slow=True)
    journal = Journal(disk)
    writes = [begin(journal, new(bucket=1)), begin(journal, new(bucket=2))]
    await disk.holds(2)
    writes.append(begin(journal, new(bucket=2)))
    await everything_else()
    closing = asyncio.create_task(journal.close())
    await everything_else()
    disk.release()
    await disk.holds(1)
    assert not closing.done()
    disk.release()
    await closing
    assert all(write.done() for write in writes)


async def test_closing_does_not_wait_for_what_comes_after_it() -> None:
    disk = Disk(slow=True)
    journal = Journal(disk)
    first = begin(journal, new())
    await disk.holds(1)
    closing = asyncio.create_task(journal.close())
    await everything_else()
    later = begin(journal, new())
    await everything_else()
    disk.release()
    await until(closing.done)
    assert await first is True
    assert not later.done()
    disk.quicken()
    assert await later is True


async def test_a_journal_at_rest_closes_at_once() -> None:
    journal = Journal(Disk())
    await journal.append(new())
    await journal.close()

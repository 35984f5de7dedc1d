"""Asynchronous projections on every store: each event is taken in once, whatever happens."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence

import pytest

from tests.store.conftest import Stores
from tests.store.given import Writer, written
from tests.store.ledger import Ledger, MemoryTable, Table, postgres_table
from turnlog.domain.errors import StoreUnavailable
from turnlog.domain.records import Checkpoint, FedEntry
from turnlog.runtime import projecting
from turnlog.runtime.moves import Moves
from turnlog.runtime.projecting import Projection, Projector
from turnlog.runtime.projectors import Projectors, behind


@pytest.fixture
async def table(stores: Stores, request: pytest.FixtureRequest) -> AsyncIterator[Table]:
    if request.node.callspec.params["stores"] == "memory":
        yield MemoryTable()
    else:
        async with postgres_table(request.getfixturevalue("database_url")) as table:
            yield table


def projectors(stores: Stores, *projections: Projection) -> Projectors:
    """Those of one node."""
    moves = Moves(stores.store.buckets)
    return Projectors(projections, stores.checkpoints, stores.generations, stores.store, moves)


async def checkpoint(stores: Stores, bucket: int = 0, name: str = "ledger") -> Checkpoint:
    found = await stores.checkpoints.checkpoints()
    return next(one for one in found if (one.projection, one.bucket) == (name, bucket))


async def test_a_projection_takes_in_all_that_there_is_bucket_by_bucket(
    stores: Stores, table: Table
) -> None:
    ledger, writers = Ledger(table), [Writer(0), Writer(3), Writer(3)]
    node = projectors(stores, ledger)
    for writer in writers:
        await written(stores.store, writer, b"1", b"2")
    await node.settle()
    await written(stores.store, writers[0], b"3")
    await node.settle()

    assert await table.lines(0, 1) == [(1, b"1"), (2, b"2"), (3, b"3")]
    assert await ledger.positions(3) == [1, 2, 3, 4]
    assert await checkpoint(stores, 3) == Checkpoint("ledger", 3, 1, True, 4, 4)
    assert await node.lag() == {"ledger": 0}


async def test_deltas_are_passed_over_and_so_is_what_was_not_asked_for(
    stores: Stores, table: Table
) -> None:
    ledger, chosen = Ledger(table), Ledger(MemoryTable(), "chosen", frozenset({"b.c"}))
    chosen.table = table
    writer = Writer()
    await written(stores.store, writer, b"1", b"2", topic="message.delta")
    await written(stores.store, writer, b"3", topic="a.b")
    await written(stores.store, writer, b"4", topic="b.c")
    await written(stores.store, writer, b"5", topic="message.delta")

    await projectors(stores, ledger).settle()
    assert await table.lines(0, 1) == [(3, b"3"), (4, b"4")]
    assert (await checkpoint(stores)).position == 5
    await table.forget(0, 1)
    await projectors(stores, chosen).settle()
    assert await table.lines(0, 1) == [(4, b"4")]


async def test_small_portions_come_to_the_same(
    stores: Stores, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projecting, "MOST", 3)
    ledger, writer = Ledger(table), Writer()
    for number in range(10):
        await written(stores.store, writer, b"%d" % number, b"x")
    await projectors(stores, ledger).settle()
    assert await ledger.positions() == list(range(1, 21))


class Crash(BaseException):
    """The process is gone."""


async def test_a_crash_at_any_moment_leaves_nothing_behind_and_nothing_is_taken_in_twice(
    stores: Stores, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projecting, "MOST", 4)
    chance = random.Random(7)

    async def crash(found: Sequence[FedEntry]) -> None:
        if chance.random() < 0.4:
            raise Crash

    ledger, writer = Ledger(table, between=crash), Writer()
    crashes = 0
    for number in range(30):
        await written(stores.store, writer, b"%d" % number, b"x")
        try:
            await projectors(stores, ledger).settle()
        except Crash:
            crashes += 1
        positions = await ledger.positions()
        assert positions == list(range(1, (await checkpoint(stores)).position + 1))
    chance.random = lambda: 1.0  # type: ignore[method-assign]
    await projectors(stores, ledger).settle()
    assert crashes > 5
    assert await ledger.positions() == list(range(1, 61))


async def test_what_one_node_has_claimed_no_other_takes_in_meanwhile(
    stores: Stores, table: Table
) -> None:
    inside, go = asyncio.Event(), asyncio.Event()

    async def wait(found: Sequence[FedEntry]) -> None:
        inside.set()
        await go.wait()

    here, there = Ledger(table, between=wait), Ledger(table)
    await written(stores.store, Writer(), b"1")
    await written(stores.store, Writer(1), b"1")
    await projectors(stores, there).begin()
    working = asyncio.create_task(projectors(stores, here)["ledger"].advance(0))
    await inside.wait()
    await projectors(stores, there).settle()
    assert await there.positions(0) == []
    assert await there.positions(1) == [1]
    go.set()
    await working
    assert await there.positions(0) == [1]


async def test_two_nodes_share_the_work_under_load(stores: Stores, table: Table) -> None:
    nodes = [projectors(stores, Ledger(table)) for _ in range(2)]
    writers = [Writer(bucket) for bucket in (0, 0, 1, 5)]
    over = False

    async def write() -> None:
        nonlocal over
        for number in range(25):
            for writer in writers:
                await written(stores.store, writer, b"%d" % number)
        over = True

    async def follow(node: Projectors) -> None:
        while not over:
            await node.settle()
            await asyncio.sleep(0)

    await nodes[0].begin()
    await asyncio.gather(write(), *(follow(node) for node in nodes))
    await nodes[0].settle()
    for bucket, events in ((0, 50), (1, 25), (5, 25)):
        assert await Ledger(table).positions(bucket) == list(range(1, events + 1))


class Poison:
    """Fails where it finds the word."""

    def __init__(self) -> None:
        self.harmless = False

    async def __call__(self, found: Sequence[FedEntry]) -> None:
        if not self.harmless and any(fed.entry.state == b"poison" for fed in found):
            raise ValueError("that is no food")


async def test_a_poisoned_event_stops_its_projection_there_and_nothing_else(
    stores: Stores, table: Table
) -> None:
    poison, writer, elsewhere = Poison(), Writer(), Writer(2)
    ledger, other = Ledger(table, between=poison), Ledger(MemoryTable(), "other")
    node = projectors(stores, ledger)
    await written(stores.store, writer, *[b"good"] * 20, b"poison", b"good")
    await written(stores.store, elsewhere, b"good")
    await node.settle()
    await written(stores.store, writer, b"good")
    await written(stores.store, elsewhere, b"good")
    await node.settle()

    assert await ledger.positions() == list(range(1, 21))
    assert await ledger.positions(2) == [1, 2]
    stopped = await checkpoint(stores)
    assert (stopped.position, stopped.stopped_at, stopped.head) == (20, 21, 23)
    assert stopped.reason == (
        f"message.completed at offset 21 of {writer.conversation_id}: ValueError: that is no food"
    )
    assert (await checkpoint(stores, 2)).stopped_at is None
    assert behind(await stores.checkpoints.checkpoints()) == {"ledger": 3}
    assert other.name not in node

    assert await stores.checkpoints.resume("ledger") == 1
    await node.settle()
    assert (await checkpoint(stores)).stopped_at == 21
    poison.harmless = True
    assert await stores.checkpoints.resume("ledger") == 1
    await node.settle()
    assert await ledger.positions() == list(range(1, 24))
    assert (await checkpoint(stores)).reason is None
    assert await stores.checkpoints.resume("ledger") == 0


async def test_a_store_that_is_away_stops_nothing(stores: Stores, table: Table) -> None:
    async def away(found: Sequence[FedEntry]) -> None:
        raise StoreUnavailable

    ledger = Ledger(table, between=away)
    node = projectors(stores, ledger)
    await written(stores.store, Writer(), b"1")
    with pytest.raises(StoreUnavailable):
        await node.settle()
    assert (await checkpoint(stores)).stopped_at is None


async def test_projectors_at_work_follow_what_moves_and_outlive_each_others_failures(
    stores: Stores, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projecting, "GATHER_SECONDS", 0)
    seen = asyncio.Event()

    async def tell(found: Sequence[FedEntry]) -> None:
        if found[-1].entry.state == b"3":
            seen.set()

    moves = Moves(stores.store.buckets)
    projections = [Ledger(table, "sick", between=Poison()), Ledger(table, between=tell)]
    node = Projectors(projections, stores.checkpoints, stores.generations, stores.store, moves)
    writer = Writer()
    await written(stores.store, writer, b"poison")
    await node.begin()
    working = asyncio.create_task(node.run())
    async with asyncio.timeout(10):
        for number in (2, 3):
            await written(stores.store, writer, b"%d" % number)
            await asyncio.sleep(0)
            moves.tell(writer.conversation_id, number)
        await seen.wait()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await node.settle()
    assert (await checkpoint(stores)).position == 3
    assert (await checkpoint(stores, name="sick")).stopped_at == 1


async def test_a_generation_is_built_beside_the_one_that_is_read_and_then_replaces_it(
    stores: Stores, table: Table
) -> None:
    ledger, writer = Ledger(table), Writer()
    node = projectors(stores, ledger)
    await written(stores.store, writer, b"1", b"2")
    await node.settle()
    second = await stores.generations.renew("ledger")
    await written(stores.store, writer, b"3")
    await node.settle()
    assert await ledger.positions(generation=1) == [1, 2, 3]
    assert await ledger.positions(generation=second) == []

    while await node["ledger"].advance(0, second):
        pass
    assert await ledger.positions(generation=second) == [1, 2, 3]
    assert await stores.generations.swap("ledger", second)
    await stores.generations.end_others("ledger", second)
    await written(stores.store, writer, b"4")
    await node.settle()
    assert await ledger.positions(generation=1) == [1, 2, 3]
    assert await ledger.positions(generation=second) == [1, 2, 3, 4]
    assert not await node["ledger"].advance(0, 1)
    current = [one.generation for one in await stores.checkpoints.checkpoints() if one.current]
    assert set(current) == {second}


async def test_of_two_that_are_built_the_newer_one_counts(stores: Stores, table: Table) -> None:
    node = projectors(stores, Ledger(table))
    await node.begin()
    older = await stores.generations.renew("ledger")
    newer = await stores.generations.renew("ledger")
    await stores.generations.end_others("ledger", newer)
    assert not await stores.generations.swap("ledger", older)
    assert {one.generation for one in await stores.checkpoints.checkpoints()} == {1, newer}
    assert await stores.generations.swap("ledger", newer)


async def test_to_begin_again_changes_nothing(stores: Stores, table: Table) -> None:
    node = projectors(stores, Ledger(table))
    await written(stores.store, Writer(), b"1")
    await node.settle()
    await stores.generations.begin("ledger")
    assert (await checkpoint(stores)).position == 1


async def test_a_projector_only_asks_where_there_is_something_to_do(
    stores: Stores, table: Table
) -> None:
    projector = Projector(Ledger(table), stores.checkpoints, stores.store.buckets)
    await stores.generations.begin("ledger")
    await written(stores.store, Writer(4), b"1")
    ends = await stores.store.positions()
    projector.look(ends)
    assert await projector.moved.take(0) == [4]
    while await projector.advance(4):
        pass
    projector.look(ends)
    projector.moved.add(7)
    assert await projector.moved.take(0) == [7]

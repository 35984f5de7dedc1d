"""Which nodes are at work, and whose turns are nobody's."""

from __future__ import annotations

import asyncpg
import pytest

from tests.store.conftest import Stores
from tests.store.given import NOON, Writer, written
from turnlog.adapters.memory import MemoryStore
from turnlog.adapters.postgres import Postgres
from turnlog.domain.records import Process

HERE = Process(machine="a boot", process=7)
SILENT = "UPDATE nodes SET heartbeat_at = clock_timestamp() - interval '6 s' WHERE node = $1"


async def run_by(stores: Stores, node: str | None, bucket: int = 0, at: int = NOON) -> Writer:
    """A conversation whose one turn the node runs; its turn's id is made `at` that time."""
    writer = Writer(bucket)
    turn = writer.turn(writer.new_turn_id(at), node=node, attempt=2)
    await written(stores.store, writer, b"{}", turns=[turn])
    return writer


async def orphans(stores: Stores, bucket: int = 0, timeout: float | None = None) -> list[str]:
    rows = await stores.nodes.orphans(bucket, timeout=timeout, limit=10)
    return [str(row.conversation_id) for row in rows]


async def test_a_turn_is_an_orphan_once_its_node_has_left(stores: Stores) -> None:
    await stores.nodes.beat("one", HERE)
    writer = await run_by(stores, "one")
    assert await orphans(stores) == []
    await stores.nodes.leave("one")
    assert await orphans(stores) == [str(writer.conversation_id)]
    assert (await stores.nodes.orphans(0, timeout=None, limit=1))[0].attempt == 2


async def test_a_turn_of_a_node_that_was_never_there_is_an_orphan(stores: Stores) -> None:
    writer = await run_by(stores, "nobody")
    assert await orphans(stores) == [str(writer.conversation_id)]


async def test_orphans_are_found_by_bucket_and_oldest_first(stores: Stores) -> None:
    young = await run_by(stores, "gone", at=NOON + 2000)
    old = await run_by(stores, "gone", at=NOON + 1000)
    elsewhere = await run_by(stores, "gone", bucket=1)
    assert await orphans(stores) == [str(old.conversation_id), str(young.conversation_id)]
    assert await orphans(stores, bucket=1) == [str(elsewhere.conversation_id)]
    assert len(await stores.nodes.orphans(0, timeout=None, limit=1)) == 1


@pytest.mark.parametrize(
    "turn", [{"node": None}, {"node": "gone", "last_offset": 1, "status": "failed"}]
)
async def test_a_turn_that_waits_or_has_ended_is_no_orphan(
    stores: Stores, turn: dict[str, object]
) -> None:
    writer = Writer()
    row = writer.turn(writer.new_turn_id(), **turn)
    await written(stores.store, writer, b"{}", turns=[row])
    assert await orphans(stores) == []


async def test_whoever_takes_a_turn_over_has_it(stores: Stores) -> None:
    await stores.nodes.beat("two", HERE)
    writer = await run_by(stores, "one")
    (row,) = await stores.nodes.orphans(0, timeout=None, limit=1)
    mine = writer.turn(row.turn_id, first_offset=row.first_offset, node="two", attempt=3)
    await written(stores.store, writer, b"{}", turns=[mine])
    assert await orphans(stores) == []
    assert await stores.views.turn(row.turn_id) == mine


async def test_others_are_counted_without_oneself(stores: Stores) -> None:
    await stores.nodes.beat("one", HERE)
    assert await stores.nodes.others("one", 5.0) == 0
    await stores.nodes.beat("two", HERE)
    assert await stores.nodes.others("one", 5.0) == 1


async def test_a_silent_node_is_lost_after_the_time_out_by_the_databases_clock(
    postgres: Postgres, admin: asyncpg.Connection
) -> None:
    stores = Stores.of(postgres)
    await stores.nodes.beat("one", HERE)
    await stores.nodes.beat("two", HERE)
    writer = await run_by(stores, "one")
    await admin.execute(SILENT, "one")
    assert await orphans(stores) == []
    assert await orphans(stores, timeout=60.0) == []
    assert await orphans(stores, timeout=5.0) == [str(writer.conversation_id)]
    assert await stores.nodes.others("two", 5.0) == 0
    await stores.nodes.beat("one", HERE)
    assert await orphans(stores, timeout=5.0) == []


async def test_the_nodes_beside_one_are_those_of_its_machine(postgres: Postgres) -> None:
    await postgres.nodes.beat("one", HERE)
    await postgres.nodes.beat("two", Process(machine="a boot", process=8))
    await postgres.nodes.beat("far", Process(machine="another boot", process=8))
    assert await postgres.nodes.beside("one", "a boot") == {"two": 8}


async def test_a_heartbeat_is_of_one_process_and_a_node_that_left_may_return(
    stores: Stores,
) -> None:
    writer = await run_by(stores, "one")
    for _ in range(2):
        await stores.nodes.beat("one", HERE)
        assert await orphans(stores) == []
        await stores.nodes.leave("one")
        await stores.nodes.leave("one")
        assert await orphans(stores) == [str(writer.conversation_id)]


async def test_in_memory_nodes_die_with_their_process() -> None:
    """So none is late, and none is beside another."""
    memory = MemoryStore()
    await memory.beat("one", HERE)
    await memory.beat("two", HERE)
    assert await memory.beside("one", HERE.machine) == {}
    assert await memory.others("one", 0.0) == 1


# ------------------------------------------------------------------- turns that rest


async def resting(stores: Stores, until: int | None, bucket: int = 0, **fields: object) -> Writer:
    """A conversation whose one turn rests until that time."""
    writer = Writer(bucket)
    row = writer.turn(
        writer.new_turn_id(), **{"status": "requires_action", "expires_at": until} | fields
    )
    await written(stores.store, writer, b"{}", turns=[row])
    return writer


async def expired(stores: Stores, now: int, bucket: int = 0, limit: int = 10) -> list[str]:
    rows = await stores.nodes.expired(bucket, now, limit)
    return [str(row.conversation_id) for row in rows]


async def test_a_turn_has_rested_too_long_once_its_time_is_over(stores: Stores) -> None:
    writer = await resting(stores, NOON + 10)
    assert await expired(stores, NOON + 9) == []
    assert await expired(stores, NOON + 10) == [str(writer.conversation_id)]
    (row,) = await stores.nodes.expired(0, NOON + 11, 1)
    assert row == await stores.views.turn(row.turn_id)
    assert (row.status, row.node, row.expires_at) == ("requires_action", None, NOON + 10)


async def test_those_are_found_by_bucket_and_longest_first(stores: Stores) -> None:
    late = await resting(stores, NOON + 3)
    first = await resting(stores, NOON + 1)
    second = await resting(stores, NOON + 2)
    elsewhere = await resting(stores, NOON, bucket=1)
    ids = [str(writer.conversation_id) for writer in (first, second, late)]
    assert await expired(stores, NOON + 5) == ids
    assert await expired(stores, NOON + 5, limit=2) == ids[:2]
    assert await expired(stores, NOON + 2) == ids[:2]
    assert await expired(stores, NOON + 5, bucket=1) == [str(elsewhere.conversation_id)]
    assert await expired(stores, NOON + 5, bucket=2) == []


@pytest.mark.parametrize(
    "turn",
    [
        {"until": None},
        {"until": None, "status": "running", "node": "one"},
        {"until": NOON, "status": "failed", "last_offset": 1},
    ],
    ids=["without an end", "at work", "over"],
)
async def test_a_turn_that_does_not_rest_does_not_expire(
    stores: Stores, turn: dict[str, object]
) -> None:
    await resting(stores, **turn)  # type: ignore[arg-type]
    assert await expired(stores, NOON + 1_000_000) == []


async def test_a_turn_that_rests_is_no_orphan_and_nobodys_to_look_after(stores: Stores) -> None:
    await resting(stores, NOON + 10)
    assert await orphans(stores) == []
    assert await stores.nodes.entrusted(0, "", ()) == []


async def test_whoever_wakes_a_turn_takes_its_end_away_and_the_next_rest_gives_another(
    stores: Stores,
) -> None:
    writer = await resting(stores, NOON + 10)
    (row,) = await stores.nodes.expired(0, NOON + 10, 1)
    steps: list[dict[str, object]] = [
        {"status": "running", "node": "two", "attempt": 2, "expires_at": None},
        {"status": "requires_action", "node": None, "attempt": 2, "expires_at": NOON + 30},
        {"status": "failed", "node": None, "attempt": 2, "expires_at": None, "last_offset": 4},
    ]
    found = []
    for step in steps:
        after = writer.turn(row.turn_id, **{"first_offset": row.first_offset} | step)
        await written(stores.store, writer, b"{}", turns=[after])
        assert await stores.views.turn(row.turn_id) == after
        assert await stores.views.turns(writer.conversation_id, limit=1) == [after]
        found.append(len(await expired(stores, NOON + 30)))
    assert found == [0, 1, 0]

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

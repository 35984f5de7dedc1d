"""The road to the schema: walked once, by one, and never rewritten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from msgspec.structs import replace

from tests.store.given import Writer, states_in, written
from tests.store.schema import SNAPSHOT, schema_of
from turnlog.adapters.postgres import open_postgres
from turnlog.adapters.postgres.migrate import (
    ALONE,
    Migration,
    SchemaAltered,
    SchemaBehind,
    SchemaTooNew,
    migrate,
    migrations,
)
from turnlog.domain.errors import StoreUnavailable

HISTORY = "SELECT name FROM schema_migrations ORDER BY version"
NAMES = [step.name for step in migrations()]


@pytest.fixture
async def visitor(empty_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(empty_database_url)
    yield connection
    await connection.close()


def test_the_steps_are_numbered_from_one_without_a_gap() -> None:
    assert [step.version for step in migrations()] == list(range(1, len(NAMES) + 1))


async def test_the_steps_lead_to_the_schema_that_is_written_down(
    empty_database_url: str, visitor: asyncpg.Connection
) -> None:
    steps = migrations()
    for number, step in enumerate(steps, 1):
        assert await migrate(empty_database_url, steps=steps[:number]) == [step.name]
    assert await schema_of(visitor) == SNAPSHOT.read_text("utf-8")


async def test_of_many_nodes_that_start_together_one_migrates(
    empty_database_url: str, visitor: asyncpg.Connection
) -> None:
    async with asyncio.timeout(20):
        taken = await asyncio.gather(*(migrate(empty_database_url) for _ in range(8)))
    assert sorted(taken) == [[]] * 7 + [NAMES]
    assert [name for (name,) in await visitor.fetch(HISTORY)] == NAMES


async def test_the_number_of_buckets_is_chosen_once(empty_database_url: str) -> None:
    await migrate(empty_database_url, buckets=3)
    await migrate(empty_database_url, buckets=16)
    async with open_postgres(empty_database_url) as postgres:
        assert postgres.store.buckets == 3
        assert await postgres.store.positions() == [0, 0, 0]
        writer = Writer(bucket=2)
        await written(postgres.store, writer, b"1")
        assert await states_in(postgres.store, writer) == [b"1"]
    with pytest.raises(ValueError, match="1 to 256"):
        await migrate(empty_database_url, buckets=257)


async def test_an_edited_step_is_refused_by_name(empty_database_url: str) -> None:
    await migrate(empty_database_url)
    first, *others = migrations()
    edited = [replace(first, sql=first.sql + "\n-- only a comment"), *others]
    for check_only in (True, False):
        with pytest.raises(SchemaAltered, match=first.name):
            await migrate(empty_database_url, steps=edited, check_only=check_only)


async def test_a_database_of_a_later_release_is_refused(empty_database_url: str) -> None:
    later = Migration(len(NAMES) + 1, "9999_the_future", "SELECT 1")
    await migrate(empty_database_url, steps=[*migrations(), later])
    for check_only in (True, False):
        with pytest.raises(SchemaTooNew, match="9999_the_future"):
            await migrate(empty_database_url, check_only=check_only)


async def test_a_check_names_what_is_missing_and_writes_nothing(
    empty_database_url: str, visitor: asyncpg.Connection
) -> None:
    with pytest.raises(SchemaBehind, match=", ".join(NAMES)):
        await migrate(empty_database_url, check_only=True)
    assert (await schema_of(visitor)).strip() == ""

    await migrate(empty_database_url)
    assert await migrate(empty_database_url, check_only=True) == []
    await visitor.execute("DELETE FROM settings")
    with pytest.raises(SchemaBehind, match="buckets"):
        await migrate(empty_database_url, check_only=True)


async def test_a_step_that_fails_leaves_nothing_behind(
    empty_database_url: str, visitor: asyncpg.Connection
) -> None:
    good = Migration(1, "0001_good", "CREATE TABLE settings (name text, value text)")
    bad = Migration(2, "0002_bad", "CREATE TABLE half (); SELECT 1 / 0")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(empty_database_url, steps=[good, bad])
    assert [name for (name,) in await visitor.fetch(HISTORY)] == ["0001_good"]
    assert await visitor.fetchval("SELECT to_regclass('half')") is None


async def test_a_step_outside_a_transaction_may_do_what_others_may_not(
    empty_database_url: str,
) -> None:
    index = "CREATE INDEX CONCURRENTLY IF NOT EXISTS another ON stored_events (bucket, at)"
    alone = Migration(len(NAMES) + 1, "9999_alone", ALONE + index)
    assert await migrate(empty_database_url, steps=[*migrations(), alone]) == [*NAMES, "9999_alone"]


async def test_a_database_that_is_away_is_said_to_be(unused_tcp_port: int) -> None:
    with pytest.raises(StoreUnavailable):
        await migrate(f"postgresql://postgres@127.0.0.1:{unused_tcp_port}/nothing")

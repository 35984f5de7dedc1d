"""Connections break; what was appended lands once, and the caller is told the truth."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from msgspec.structs import replace

from tests.store.given import NOON, Writer, feed_of, states_in, written
from tests.store.proxy import MOMENTS, Moment, Proxy, proxy_of
from turnlog.adapters.postgres import Postgres, open_postgres
from turnlog.domain.errors import StoreUnavailable
from turnlog.domain.records import AnswerRecord

LOCK = "SELECT FROM feed_heads WHERE bucket = 0 FOR UPDATE"
WAITING = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%append_batch%'
"""
OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.fixture
async def proxied(database_url: str) -> AsyncIterator[tuple[Proxy, Postgres]]:
    """A store behind a proxy, with one connection for writing."""
    async with (
        proxy_of(database_url) as (proxy, url),
        open_postgres(url, writers=1, readers=1, patience=5.0) as postgres,
    ):
        yield proxy, postgres


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("size", [10, 500_000], ids=["small", "large"])
async def test_a_cut_connection_costs_nothing_and_doubles_nothing(
    proxied: tuple[Proxy, Postgres], moment: Moment, size: int
) -> None:
    proxy, postgres = proxied
    writer, new = Writer(), Writer()
    await written(postgres.store, writer, b"1")
    batch = [writer.ready(b"2" * size, b"3"), new.ready(b"4", row=new.row())]

    proxy.cut(moment)
    assert await postgres.store.append(0, batch) == [True, True]

    assert proxy.spoiled.is_set()
    assert await states_in(postgres.store, writer) == [b"1", b"2" * size, b"3"]
    assert await states_in(postgres.store, new) == [b"4"]
    assert [fed.position for fed in await feed_of(postgres.store)] == [1, 2, 3, 4]


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_cut_connection_does_not_use_up_a_key(
    proxied: tuple[Proxy, Postgres], moment: Moment
) -> None:
    proxy, postgres = proxied
    writer, other = Writer(), Writer()
    record = AnswerRecord(key=b"key", fingerprint=b"body", answer=b"201", at=NOON)
    await written(postgres.store, writer, b"1")

    proxy.cut(moment)
    append = replace(writer.ready(b"2"), records=(record,))
    assert await postgres.store.append(0, [append, other.ready(b"3")]) == [True, True]

    assert proxy.spoiled.is_set()
    assert await states_in(postgres.store, writer) == [b"1", b"2"]
    assert await postgres.records.get(0, b"key") == record


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_loser_whose_connection_is_cut_is_told_that_it_lost(
    proxied: tuple[Proxy, Postgres], moment: Moment
) -> None:
    proxy, postgres = proxied
    writer, other = Writer(), Writer()
    await written(postgres.store, writer, b"1")
    loser = writer.twin()
    await written(postgres.store, writer, b"2")

    proxy.cut(moment)
    batch = [loser.ready(b"two"), other.ready(b"3")]
    assert await postgres.store.append(0, batch) == [False, True]

    assert await states_in(postgres.store, writer) == [b"1", b"2"]
    assert [fed.position for fed in await feed_of(postgres.store)] == [1, 2, 3]


async def test_the_first_try_may_still_be_at_work_when_the_second_begins(
    proxied: tuple[Proxy, Postgres], admin: asyncpg.Connection, database_url: str
) -> None:
    proxy, postgres = proxied
    writer = Writer()
    await written(postgres.store, writer, b"1")
    async with asyncio.timeout(10):
        async with admin.transaction():
            await admin.execute(LOCK)
            proxy.hang_up_at_once()
            appending = asyncio.create_task(postgres.store.append(0, [writer.ready(b"2")]))
            await waiting(database_url, 2)
        assert await appending == [True]
    assert await states_in(postgres.store, writer) == [b"1", b"2"]


async def test_the_first_try_may_even_begin_after_the_second(
    proxied: tuple[Proxy, Postgres],
) -> None:
    proxy, postgres = proxied
    writer = Writer()
    await written(postgres.store, writer, b"1")

    proxy.hold_back()
    assert await postgres.store.append(0, [writer.ready(b"2")]) == [True]
    async with asyncio.timeout(10):
        await proxy.deliver_late()
    await written(postgres.store, writer, b"3")

    assert await states_in(postgres.store, writer) == [b"1", b"2", b"3"]
    assert [fed.position for fed in await feed_of(postgres.store)] == [1, 2, 3]


@pytest.mark.parametrize("end", ["pg_terminate_backend", "pg_cancel_backend"])
async def test_a_backend_that_is_ended_at_work_is_replaced(
    postgres: Postgres, admin: asyncpg.Connection, database_url: str, end: str
) -> None:
    writer = Writer()
    await written(postgres.store, writer, b"1")
    async with asyncio.timeout(10):
        async with admin.transaction():
            await admin.execute(LOCK)
            appending = asyncio.create_task(postgres.store.append(0, [writer.ready(b"2")]))
            (first,) = await waiting(database_url, 1)
            await admin.execute(f"SELECT {end}($1::integer)", first)
            await waiting(database_url, 1, but_not=first if "terminate" in end else 0)
        assert await appending == [True]
    assert await states_in(postgres.store, writer) == [b"1", b"2"]


async def test_an_outage_leaves_the_outcome_open_and_the_append_can_be_sent_again(
    database_url: str,
) -> None:
    async with (
        proxy_of(database_url) as (proxy, url),
        open_postgres(url, patience=0.5) as postgres,
    ):
        writer = Writer()
        await written(postgres.store, writer, b"1")
        append = writer.ready(b"2")
        proxy.cut("before the answer")
        proxy.is_down = True
        with pytest.raises(StoreUnavailable):
            await postgres.store.append(0, [append])
        proxy.go_down()
        with pytest.raises(StoreUnavailable):
            await postgres.views.conversation(writer.conversation_id)

        proxy.is_down = False
        assert await postgres.store.append(0, [append]) == [True]
        assert await states_in(postgres.store, writer) == [b"1", b"2"]


async def test_a_caller_who_gives_up_can_ask_again(
    database_url: str, admin: asyncpg.Connection
) -> None:
    async with open_postgres(database_url, writers=1) as postgres, asyncio.timeout(10):
        writer = Writer()
        await written(postgres.store, writer, b"1")
        append = writer.ready(b"2")
        async with admin.transaction():
            await admin.execute(LOCK)
            appending = asyncio.create_task(postgres.store.append(0, [append]))
            await waiting(database_url, 1)
            appending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await appending
        assert await postgres.store.append(0, [append]) == [True]
        assert await states_in(postgres.store, writer) == [b"1", b"2"]


async def test_a_reader_does_not_notice_that_its_connections_were_ended(
    postgres: Postgres, admin: asyncpg.Connection
) -> None:
    writer = Writer()
    await written(postgres.store, writer, b"1", row=writer.row())
    await admin.execute(OTHERS)
    assert await states_in(postgres.store, writer) == [b"1"]
    await admin.execute(OTHERS)
    assert await postgres.views.conversation(writer.conversation_id) is not None


async def test_a_server_that_does_not_answer_is_not_waited_for_long(database_url: str) -> None:
    async with (
        proxy_of(database_url) as (proxy, url),
        open_postgres(url, readers=1, patience=0.2) as postgres,
    ):
        writer = Writer()
        await written(postgres.store, writer, b"1")
        append = writer.ready(b"2")
        proxy.is_silent = True
        async with asyncio.timeout(10):
            # The second finds no connection free, or none to be made.
            for _ in range(2):
                with pytest.raises(StoreUnavailable):
                    await postgres.store.head(writer.conversation_id)
            with pytest.raises(StoreUnavailable):
                await postgres.store.append(0, [append])
        proxy.is_silent = False
        assert await postgres.store.append(0, [append]) == [True]
        assert await states_in(postgres.store, writer) == [b"1", b"2"]


async def test_a_wrong_argument_is_not_an_outage(postgres: Postgres) -> None:
    with pytest.raises(asyncpg.DataError):
        await postgres.store.feed(0, after=0, limit="x")  # type: ignore[arg-type]


async def waiting(database_url: str, number: int, *, but_not: int = 0) -> list[int]:
    """The backends that wait in `append_batch`, once there are that many of them."""
    watcher = await asyncpg.connect(database_url)
    try:
        while True:
            pids = [pid for (pid,) in await watcher.fetch(WAITING) if pid != but_not]
            if len(pids) == number:
                return pids
    finally:
        await watcher.close()

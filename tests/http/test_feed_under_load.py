"""Many writers on two nodes of a real database, and readers who skip and repeat nothing.

Two naive readers are put to the same test, and fail it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import pytest
from aiohttp import ClientTimeout
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.e2e.client import frames
from tests.http.nodes import serving
from tests.http.server import PATIENCE, Api, node_on, postgres_ports
from tests.store.conftest import EMPTY, execute
from tests.store.given import Writer
from turnlog.adapters.postgres import open_postgres
from turnlog.domain.ports import EventStore
from turnlog.projections import feed_cursor
from turnlog.runtime import feed
from turnlog.runtime.application import TENANT

BUCKETS = (0, 3, 5)
EVENTS = """
SELECT originator_id, originator_version FROM stored_events ORDER BY bucket, notification_id
"""

Seen = list[tuple[UUID, int]]
Read = Callable[[Callable[[], bool]], Awaitable[Seen]]
"""Reads the feed until everything was written and it has come to the end."""


async def test_a_reader_who_wanders_from_node_to_node_skips_and_repeats_nothing(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "POLL_SECONDS", 0.02)
    async with two_servers(database_url) as nodes:

        async def write(seed: int) -> None:
            await writing(database_url, [api.node.parts.store for api in nodes], seed)

        for seed in range(3):
            await execute(database_url, EMPTY)
            begun = feed_cursor.word((0,) * 8)
            readers = [wanderer(nodes, number, begun) for number in range(4)]
            for seen in await under_load(write(seed), *readers):
                await assert_exactly_what_was_written(database_url, seen)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32))
async def test_pages_skip_and_repeat_nothing(database_url: str, seed: int) -> None:
    await execute(database_url, EMPTY)
    async with two_servers(database_url) as nodes:
        stores = [api.node.parts.store for api in nodes]
        pages = [pager(nodes, random.Random(seed + number)) for number in range(2)]
        for seen in await under_load(writing(database_url, stores, seed), *pages):
            await assert_exactly_what_was_written(database_url, seen)


@pytest.mark.parametrize("column", ["notification_id", "at"])
async def test_a_naive_reader_skips_what_is_committed_late(database_url: str, column: str) -> None:
    """Ordered by one number over all buckets, or by time, as if that were the order of commits."""
    async with two_servers(database_url) as nodes:
        stores = [api.node.parts.store for api in nodes]
        skipped = False
        for seed in range(10):
            await execute(database_url, EMPTY)
            (seen,) = await under_load(
                writing(database_url, stores, seed), naive(database_url, column)
            )
            try:
                await assert_exactly_what_was_written(database_url, seen)
            except AssertionError:
                skipped = True
                break
        assert skipped


@asynccontextmanager
async def two_servers(url: str) -> AsyncIterator[tuple[Api, Api]]:
    """Two nodes, each with connections of its own."""
    async with (
        open_postgres(url) as one,
        open_postgres(url) as other,
        serving(node_on(postgres_ports(one))) as here,
        serving(node_on(postgres_ports(other))) as there,
    ):
        yield here, there


async def under_load(write: Awaitable[None], *readers: Read) -> list[Seen]:
    """What each has seen when all is written."""
    over = False
    async with asyncio.timeout(3 * PATIENCE):
        tasks = [asyncio.ensure_future(read(lambda: over)) for read in readers]
        await write
        over = True
        return [await task for task in tasks]


async def assert_exactly_what_was_written(url: str, seen: Seen) -> None:
    connection = await asyncpg.connect(url)
    written = [tuple(row) for row in await connection.fetch(EVENTS)]
    await connection.close()
    assert sorted(seen) == sorted(written)
    for bucket in BUCKETS:
        assert [one for one in seen if one[0].bytes[-1] == bucket] == [
            one for one in written if one[0].bytes[-1] == bucket
        ]


async def writing(url: str, stores: list[EventStore], seed: int) -> None:
    """Batches that win, lose, fail or are given up, beside a transaction that stays open."""
    chance = random.Random(seed)
    logs = [Writer(bucket, tenant_id=TENANT) for bucket in BUCKETS for _ in range(3)]
    elsewhere = await asyncpg.connect(url)
    await elsewhere.execute("BEGIN; INSERT INTO settings VALUES ('open', 'for long')")

    async def write(store: EventStore) -> None:
        mine = {id(log): log.twin() for log in logs}
        for _ in range(15):
            bucket = chance.choice(BUCKETS)
            chosen = [log for log in logs if log.bucket == bucket and chance.random() < 0.6]
            states = [b'{"type":"x.y","n":1}'] * chance.randint(1, 3)
            now = time.time_ns() // 1000
            appends = [mine[id(log)].ready(*states, topic="x.y", begun=now) for log in chosen]
            written = asyncio.ensure_future(store.append(bucket, appends))
            if chance.random() < 0.2:
                await asyncio.sleep(0.002 * chance.random())
                written.cancel()
            outcomes = await asyncio.gather(written, return_exceptions=True)
            if not isinstance(outcomes[0], list) or not all(outcomes[0]):
                for log in chosen:
                    head = await store.head(log.conversation_id)
                    mine[id(log)].head = head or log.head

    await asyncio.gather(*(write(store) for store in stores * 3))
    await elsewhere.execute("ROLLBACK")
    await elsewhere.close()


def wanderer(nodes: tuple[Api, Api], seed: int, begun: str) -> Read:
    """Reads some frames, breaks off, and goes on at the other node; now and then lives."""

    async def read(over: Callable[[], bool]) -> Seen:
        chance, cursor, seen = random.Random(seed), begun, []
        while True:
            api = chance.choice(nodes)
            last = over()
            query = "?follow=false" if last else ""
            headers = {"Accept": "text/event-stream", "Last-Event-ID": cursor}
            path = f"/api/v1/events{query}"
            timeout = ClientTimeout(total=None if last else 0.2 * chance.random() + 0.05)
            patience = chance.choice([3, 30, 3000])
            try:
                async with api.client.get(path, headers=headers, timeout=timeout) as response:
                    assert response.status == 200, await response.text()
                    async for frame in frames(response.content):
                        cursor = frame.id
                        place = frame.payload["conversationId"], frame.payload["offset"]
                        seen.append((UUID(place[0]), place[1]))
                        patience -= 1
                        if not (patience or last):
                            break
                    else:
                        if last:
                            return seen
            except TimeoutError:
                pass

    return read


def pager(nodes: tuple[Api, Api], chance: random.Random) -> Read:
    async def read(over: Callable[[], bool]) -> Seen:
        params: dict[str, str | int] = {}
        seen: Seen = []
        while True:
            last = over()
            params["limit"] = chance.choice([1, 5, 100])
            page = (await chance.choice(nodes).get("/events", params=params)).json
            seen += [(UUID(event["conversationId"]), event["offset"]) for event in page["events"]]
            params["after"] = page["nextAfter"]
            if last and page["nextAfter"] == page["head"]:
                return seen

    return read


def naive(url: str, column: str) -> Read:
    query = f"""
    SELECT {column}, originator_id, originator_version FROM stored_events
    WHERE {column} > $1 ORDER BY {column}
    """

    async def read(over: Callable[[], bool]) -> Seen:
        connection, cursor, seen = await asyncpg.connect(url), 0, []
        while True:
            last = over()
            for number, conversation_id, offset in await connection.fetch(query, cursor):
                cursor = number
                seen.append((conversation_id, offset))
            if last:
                await connection.close()
                return seen

    return read

"""Words between nodes: heard when all is well, and missed without harm when it is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg

from tests.store.conftest import Stores
from tests.store.given import Writer
from tests.store.proxy import proxy_of
from turnlog.adapters.postgres.hints import PostgresHints, payloads, words_of
from turnlog.domain.ports import Hints

END_LISTENERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND query LIKE 'LISTEN%'
"""


class Ear:
    """What one node heard, and how often its hearing began."""

    def __init__(self) -> None:
        self.heard: dict[UUID, int] = {}
        self.beginnings = 0
        self._something = asyncio.Event()

    def hear(self, conversation_id: UUID, offset: int) -> None:
        self.heard[conversation_id] = offset
        self._something.set()

    def reconnected(self) -> None:
        self.beginnings += 1
        self._something.set()

    async def has_heard(self, moved: dict[UUID, int]) -> None:
        while self.heard != moved:
            await self._wait()

    async def has_begun(self, times: int) -> None:
        while self.beginnings < times:
            await self._wait()

    async def _wait(self) -> None:
        async with asyncio.timeout(10):
            await self._something.wait()
        self._something.clear()


@asynccontextmanager
async def listening(hints: Hints) -> AsyncIterator[Ear]:
    ear = Ear()
    task = asyncio.create_task(hints.listen(ear.hear, ear.reconnected))
    try:
        await ear.has_begun(1)
        yield ear
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def many(number: int) -> dict[UUID, int]:
    return {Writer().conversation_id: 2**62 + n for n in range(number)}


async def test_all_nodes_hear_what_is_said_the_speaker_too(stores: Stores) -> None:
    moved = many(3)
    async with listening(stores.hints) as one, listening(stores.hints) as another:
        await stores.hints.say(moved)
        await one.has_heard(moved)
        await another.has_heard(moved)
        await stores.hints.say({})


async def test_other_nodes_hear_thousands_of_words_at_once(database_url: str) -> None:
    here, there = PostgresHints(database_url), PostgresHints(database_url)
    moved = many(3_000)
    async with listening(there) as ear:
        await asyncio.gather(here.say(moved), here.say(moved))
        await ear.has_heard(moved)
    here.hang_up()


async def test_a_listener_that_was_cut_off_comes_back_and_says_so(
    database_url: str, admin: asyncpg.Connection
) -> None:
    hints, moved = PostgresHints(database_url), many(1)
    async with listening(hints) as ear:
        await admin.execute(END_LISTENERS)
        await ear.has_begun(2)
        await hints.say(moved)
        await ear.has_heard(moved)
    hints.hang_up()


async def test_a_speaker_that_was_cut_off_loses_words_and_no_more(
    database_url: str, admin: asyncpg.Connection
) -> None:
    hints, moved = PostgresHints(database_url), many(1)
    async with listening(PostgresHints(database_url)) as ear:
        await hints.say(many(0))
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE '%pg_notify%'"
            " AND pid <> pg_backend_pid()"
        )
        await hints.say(many(0))
        await hints.say(moved)
        await ear.has_heard(moved)
    hints.hang_up()


async def test_nobody_hears_and_nobody_minds(unused_tcp_port: int) -> None:
    hints = PostgresHints(f"postgresql://postgres@127.0.0.1:{unused_tcp_port}/nothing")
    await hints.say(many(1))


async def test_a_silent_connection_is_asked_whether_it_is_still_there(database_url: str) -> None:
    async with proxy_of(database_url) as (proxy, url):
        hints = PostgresHints(url, patience=0.5, doubt=0.05)
        async with listening(hints) as ear:
            proxy.is_silent = True
            await asyncio.wait_for(proxy.ignored.wait(), 10)
            proxy.is_silent = False
            await ear.has_begun(2)


async def test_other_talk_on_the_channel_is_passed_over(
    database_url: str, admin: asyncpg.Connection
) -> None:
    hints, moved = PostgresHints(database_url), many(1)
    async with listening(hints) as ear:
        await admin.execute("SELECT pg_notify('turnlog', 'hello world: 12:x')")
        await hints.say(moved)
        await ear.has_heard(moved)
    hints.hang_up()


def test_payloads_are_short_enough_and_say_it_all() -> None:
    moved = {UUID(int=2**128 - 1 - n): 2**63 - 1 for n in range(1_000)}
    words = payloads(moved)
    assert max(len(payload) for payload in words) < 8_000
    assert dict(word for payload in words for word in words_of(payload)) == moved
    assert payloads({}) == []

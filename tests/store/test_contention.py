"""Many writers on two nodes, and readers of the feed that never miss and never repeat."""

from __future__ import annotations

import asyncio
import random
from uuid import UUID

from tests.store.given import Writer, feed_of
from turnlog.adapters.postgres import Postgres, open_postgres
from turnlog.domain.chain import genesis, link
from turnlog.domain.ports import EventStore
from turnlog.domain.records import FedEntry

BUCKETS = (0, 1)


async def test_a_feed_ascends_without_a_gap_in_the_order_of_commits(
    postgres: Postgres, database_url: str
) -> None:
    logs = [Writer(bucket) for bucket in BUCKETS for _ in range(4)]
    done = asyncio.Event()
    async with open_postgres(database_url, readers=2) as other_node, asyncio.timeout(30):
        readers = [asyncio.create_task(follow(other_node.store, b, done)) for b in BUCKETS]
        nodes = (postgres.store, other_node.store)
        work = [write(node, logs, seed) for seed, node in enumerate(nodes * 4)]
        won = sum(await asyncio.gather(*work))
        done.set()
        feeds = [await reader for reader in readers]

    assert await postgres.store.positions() == [len(feed) for feed in feeds] + [0] * 6
    assert sum(len(feed) for feed in feeds) == won
    for bucket, feed in zip(BUCKETS, feeds, strict=True):
        assert feed == await feed_of(postgres.store, bucket)
    for log in logs:
        await assert_a_whole_chain(postgres.store, log.conversation_id)


async def write(store: EventStore, logs: list[Writer], seed: int) -> int:
    """Batches to logs that others write to as well; how many events were written."""
    chance = random.Random(seed)
    mine, won = {id(log): log.twin() for log in logs}, 0
    for _ in range(40):
        bucket = chance.choice(BUCKETS)
        chosen = [log for log in logs if log.bucket == bucket and chance.random() < 0.5]
        states = [b"%d" % chance.getrandbits(64) for _ in range(chance.randint(1, 3))]
        appends = [mine[id(log)].ready(*states) for log in chosen]
        for log, written in zip(chosen, await store.append(bucket, appends), strict=True):
            if written:
                won += len(states)
            else:
                head = await store.head(log.conversation_id)
                assert head is not None, "somebody must have won"
                mine[id(log)].head = head
    return won


async def follow(store: EventStore, bucket: int, done: asyncio.Event) -> list[FedEntry]:
    """The feed, as a reader sees it who is always at its end."""
    seen: list[FedEntry] = []
    while True:
        nothing_more = done.is_set()
        page = await store.feed(bucket, after=len(seen), limit=7)
        ahead = range(len(seen) + 1, len(seen) + 1 + len(page))
        assert [fed.position for fed in page] == list(ahead)
        seen += page
        if nothing_more and not page:
            return seen


async def assert_a_whole_chain(store: EventStore, conversation_id: UUID) -> None:
    head = await store.head(conversation_id)
    assert head is not None
    hash, log = genesis(conversation_id), await store.read(conversation_id)
    assert [entry.offset for entry in log] == list(range(1, head.offset + 1))
    for entry in log:
        hash = link(hash, entry.offset, entry.at, entry.topic, head.secret, entry.state)
    assert hash == head.hash

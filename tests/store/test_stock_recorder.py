"""The log can be read by the `eventsourcing` library, which knows nothing of us."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, unquote, urlsplit

from eventsourcing.persistence import Notification
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

from tests.store.given import Writer, feed_of, written
from turnlog.adapters.postgres import Postgres


async def test_the_stock_recorder_pages_through_a_log_at_rest(
    postgres: Postgres, database_url: str
) -> None:
    writers = [Writer(bucket) for bucket in (0, 3, 3, 7)]
    for n in range(10):
        for writer in writers:
            await written(postgres.store, writer, b"%d" % n, b"\0\xff")

    notifications = await asyncio.to_thread(all_notifications, database_url)

    ours = [
        (
            fed.position * 8 + bucket,
            fed.conversation_id,
            fed.entry.offset,
            fed.entry.topic,
            fed.entry.state,
        )
        for bucket in range(8)
        for fed in await feed_of(postgres.store, bucket)
    ]
    assert sorted(ours) == [
        (it.id, it.originator_id, it.originator_version, it.topic, it.state) for it in notifications
    ]


async def test_the_stock_recorder_reads_a_conversation(
    postgres: Postgres, database_url: str
) -> None:
    writer = Writer()
    await written(postgres.store, Writer(), b"another")
    await written(postgres.store, writer, *(b"%d" % n for n in range(20)))

    def read() -> list[tuple[int, bytes]]:
        with recorder_of(database_url) as recorder:
            events = recorder.select_events(writer.conversation_id, gt=3, lte=9, limit=5)
            return [(event.originator_version, event.state) for event in events]

    expected = await postgres.store.read(writer.conversation_id, after=3, until=9, limit=5)
    assert await asyncio.to_thread(read) == [(entry.offset, entry.state) for entry in expected]


def all_notifications(database_url: str) -> list[Notification]:
    found: list[Notification] = []
    with recorder_of(database_url) as recorder:
        last = None
        while page := recorder.select_notifications(last, 7, inclusive_of_start=False):
            found += page
            last = page[-1].id
        assert recorder.max_notification_id() == last
    return found


@contextmanager
def recorder_of(database_url: str) -> Iterator[PostgresApplicationRecorder]:
    """The recorder as it comes, which is not asked to create its tables."""
    parts = urlsplit(database_url)
    options = parse_qs(parts.query)
    with PostgresDatastore(
        dbname=parts.path.removeprefix("/"),
        host=parts.hostname or options["host"][0],
        port=parts.port or options.get("port", ["5432"])[0],
        user=unquote(parts.username or "postgres"),
        password=unquote(parts.password or ""),
    ) as datastore:
        yield PostgresApplicationRecorder(datastore)

"""The log, its projections, blobs and hints in PostgreSQL, 15 or newer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec import Struct

from turnlog.adapters.postgres.blobs import PostgresBlobs
from turnlog.adapters.postgres.checkpoints import PostgresCheckpoints
from turnlog.adapters.postgres.connections import open_connections
from turnlog.adapters.postgres.generations import PostgresGenerations
from turnlog.adapters.postgres.hints import PostgresHints
from turnlog.adapters.postgres.inline_rows import PostgresInlineRows
from turnlog.adapters.postgres.lanes import open_lanes
from turnlog.adapters.postgres.migrate import SchemaRefused, migrate
from turnlog.adapters.postgres.nodes import PostgresNodes
from turnlog.adapters.postgres.records import PostgresRecords
from turnlog.adapters.postgres.search import PostgresSearch, UnknownLanguage, check_language
from turnlog.adapters.postgres.search_texts import PostgresSearchTexts
from turnlog.adapters.postgres.store import BUCKETS, PostgresEventStore
from turnlog.adapters.postgres.usage import PostgresUsage
from turnlog.adapters.postgres.views import PostgresViews
from turnlog.adapters.postgres.webhooks import PostgresWebhooks

__all__ = ["Postgres", "SchemaRefused", "UnknownLanguage", "migrate", "open_postgres"]


class Postgres(Struct, frozen=True):
    """Every port that one database serves."""

    store: PostgresEventStore
    views: PostgresViews
    inline_rows: PostgresInlineRows
    blobs: PostgresBlobs
    nodes: PostgresNodes
    records: PostgresRecords
    checkpoints: PostgresCheckpoints
    generations: PostgresGenerations
    usage: PostgresUsage
    hints: PostgresHints
    webhooks: PostgresWebhooks
    search: PostgresSearch
    search_texts: PostgresSearchTexts


@asynccontextmanager
async def open_postgres(
    url: str,
    *,
    writers: int = 8,
    readers: int = 8,
    projectors: int = 2,
    patience: float = 10.0,
    language: str = "english",
) -> AsyncIterator[Postgres]:
    """The ports of a migrated database; raises `StoreUnavailable` if it cannot be reached.

    At most so many connections are made, and two for hints. `patience`, in seconds, is how
    long to wait for a connection, and for an answer. `language` is the database's text search
    configuration; raises `UnknownLanguage` where it has no such.
    """
    async with (
        open_lanes(url, number=writers, patience=patience) as writing,
        # A plan that was made for an empty table, or for a rare tag, must not be kept.
        open_connections(
            url, size=readers, patience=patience, plans="force_custom_plan"
        ) as reading,
        # What takes long must not keep others waiting.
        open_connections(
            url, size=projectors, patience=patience, plans="force_custom_plan"
        ) as projecting,
    ):
        buckets: int = (await reading.rows(BUCKETS))[0][0]
        await check_language(reading, language)
        hints = PostgresHints(url)
        try:
            yield Postgres(
                store=PostgresEventStore(writing, reading, buckets),
                views=PostgresViews(reading, buckets),
                inline_rows=PostgresInlineRows(projecting),
                blobs=PostgresBlobs(reading, buckets),
                nodes=PostgresNodes(reading),
                records=PostgresRecords(reading),
                checkpoints=PostgresCheckpoints(projecting, buckets),
                generations=PostgresGenerations(projecting, buckets),
                usage=PostgresUsage(reading),
                hints=hints,
                webhooks=PostgresWebhooks(reading),
                search=PostgresSearch(reading, buckets, language),
                search_texts=PostgresSearchTexts(projecting, language),
            )
        finally:
            hints.hang_up()

"""Every adapter that keeps the store's promises, and databases to be cruel to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
from msgspec import Struct

from tests.conftest import create_database, drop_database, in_a_loop, with_database
from turnlog.adapters.memory import MemoryBlobs, MemoryHints, MemoryStore
from turnlog.adapters.memory_checkpoints import MemoryCheckpoints
from turnlog.adapters.memory_search import MemorySearch
from turnlog.adapters.memory_usage import MemoryUsage
from turnlog.adapters.memory_webhooks import MemoryWebhooks
from turnlog.adapters.postgres import Postgres, open_postgres
from turnlog.domain.ports import BlobStore, EventStore, Hints, Nodes, Records, Views
from turnlog.domain.projecting import Checkpoints, Generations, InlineRows, UsageTable
from turnlog.domain.search import Search, SearchTexts
from turnlog.domain.webhooks import Webhooks


class Stores(Struct, frozen=True):
    """An adapter of each port, over the same log."""

    store: EventStore
    views: Views
    inline_rows: InlineRows
    blobs: BlobStore
    nodes: Nodes
    records: Records
    checkpoints: Checkpoints
    generations: Generations
    usage: UsageTable
    hints: Hints
    webhooks: Webhooks
    search: Search
    search_texts: SearchTexts

    @classmethod
    def of(cls, pg: Postgres) -> Stores:
        """Those of a database."""
        return cls(
            store=pg.store,
            views=pg.views,
            inline_rows=pg.inline_rows,
            blobs=pg.blobs,
            nodes=pg.nodes,
            records=pg.records,
            checkpoints=pg.checkpoints,
            generations=pg.generations,
            usage=pg.usage,
            hints=pg.hints,
            webhooks=pg.webhooks,
            search=pg.search,
            search_texts=pg.search_texts,
        )


# Much quicker than a new database for each test, of which there are many here.
EMPTY = """
DELETE FROM stored_events;
DELETE FROM conversation_heads;
DELETE FROM conversation_secrets;
DELETE FROM conversations;
DELETE FROM turns;
DELETE FROM blobs;
DELETE FROM nodes;
DELETE FROM idempotency_records;
DELETE FROM webhooks;
DELETE FROM webhook_places;
DELETE FROM search_texts;
DELETE FROM projections;
DELETE FROM projection_checkpoints;
DELETE FROM usage_entries;
DELETE FROM usage_turns;
UPDATE feed_heads SET position = 0;
"""


@pytest.fixture(scope="session")
def the_database_url(server_url: str, template_database: str) -> Iterator[str]:
    name = create_database(server_url, template=template_database)
    yield with_database(server_url, name)
    drop_database(server_url, name)


@pytest.fixture
def database_url(the_database_url: str) -> str:
    """A migrated database with nothing in it."""
    in_a_loop(execute(the_database_url, EMPTY))
    return the_database_url


@pytest.fixture(params=["memory", "postgres"])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    if request.param == "memory":
        memory = MemoryStore()
        checkpoints, blobs = MemoryCheckpoints(memory), MemoryBlobs()
        search = MemorySearch(memory, blobs, checkpoints)
        yield Stores(
            store=memory,
            views=memory,
            blobs=blobs,
            inline_rows=memory,
            nodes=memory,
            records=memory,
            checkpoints=checkpoints,
            generations=checkpoints,
            usage=MemoryUsage(memory, checkpoints),
            hints=MemoryHints(),
            webhooks=MemoryWebhooks(memory),
            search=search,
            search_texts=search,
        )
    else:
        async with open_postgres(request.getfixturevalue("database_url")) as pg:
            yield Stores.of(pg)


@pytest.fixture
async def postgres(database_url: str) -> AsyncIterator[Postgres]:
    async with open_postgres(database_url) as postgres:
        yield postgres


@pytest.fixture
async def admin(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the operator, beside those of the store."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
def empty_database_url(server_url: str) -> Iterator[str]:
    """A database that nobody has migrated."""
    name = create_database(server_url)
    yield with_database(server_url, name)
    drop_database(server_url, name)


async def execute(url: str, statements: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statements)
    await connection.close()

"""What every row is given: databases of its own, and a place to say what it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
from msgspec import Struct

from benchmarks.apparatus.spent import family_seconds
from turnlog.adapters.postgres import migrate


class Database(Struct, frozen=True, kw_only=True):
    """A migrated database; `postmaster` is the process whose children serve it."""

    url: str
    postmaster: int

    def processor_seconds(self) -> float:
        """What PostgreSQL has cost so far, with all its processes."""
        return family_seconds(self.postmaster)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection of the operator."""
        connection = await asyncpg.connect(self.url)
        try:
            yield connection
        finally:
            await connection.close()


class Bench(Struct, frozen=True, kw_only=True):
    """`small`: only to see that it runs; the figures mean nothing then."""

    server_url: str
    folder: Path
    small: bool
    say: Callable[[str], None]

    async def settle(self, seconds: float) -> None:
        """Let what was begun get under way."""
        await asyncio.sleep(seconds * (0.2 if self.small else 1))

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """An empty one, dropped at the end."""
        name = f"bench_{uuid4().hex[:12]}"
        admin = await asyncpg.connect(self.server_url)
        try:
            await admin.execute(f"CREATE DATABASE {name}")
            postmaster = int(
                (await admin.fetchval("SELECT pg_read_file('postmaster.pid')")).split()[0]
            )
            url = urlsplit(self.server_url)._replace(path=f"/{name}").geturl()
            await migrate(url)
            yield Database(url=url, postmaster=postmaster)
        finally:
            await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            await admin.execute("CHECKPOINT")  # what one row has dirtied is not the next one's
            await admin.close()

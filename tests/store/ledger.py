"""A projection for tests: it writes down each event that it takes in, and counts them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import asyncpg

from turnlog.adapters.memory_checkpoints import within as within_memory
from turnlog.adapters.postgres.checkpoints import PostgresClaim
from turnlog.domain.projecting import Claim
from turnlog.domain.records import FedEntry

# No key: what were taken in twice would stand there twice.
CREATE = """
DROP TABLE IF EXISTS test_ledger;
CREATE TABLE test_ledger (bucket integer, generation integer, position bigint, state bytea)
"""
WRITE = "INSERT INTO test_ledger VALUES ($1, $2, $3, $4)"
READ = "SELECT position, state FROM test_ledger WHERE bucket = $1 AND generation = $2 ORDER BY 1"
FORGET = """
DELETE FROM test_ledger WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM test_ledger WHERE bucket = $1 AND generation = $2 LIMIT 3
)) RETURNING true
"""

Lines = list[tuple[int, bytes]]


class Table(Protocol):
    """Where the lines are kept."""

    async def write(self, claim: Claim, lines: Lines) -> None: ...
    async def lines(self, bucket: int, generation: int) -> Lines: ...
    async def forget(self, bucket: int, generation: int) -> bool: ...


class MemoryTable:
    def __init__(self) -> None:
        self._lines: dict[tuple[int, int], Lines] = {}

    async def write(self, claim: Claim, lines: Lines) -> None:
        kept = self._lines.setdefault((claim.bucket, claim.generation), [])
        within_memory(claim).writes.append(lambda: kept.extend(lines))

    async def lines(self, bucket: int, generation: int) -> Lines:
        return sorted(self._lines.get((bucket, generation), []))

    async def forget(self, bucket: int, generation: int) -> bool:
        return self._lines.pop((bucket, generation), None) is not None


class PostgresTable:
    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def write(self, claim: Claim, lines: Lines) -> None:
        assert isinstance(claim, PostgresClaim)
        for line in lines:
            await claim.rows(WRITE, claim.bucket, claim.generation, *line)

    async def lines(self, bucket: int, generation: int) -> Lines:
        return [tuple(row) for row in await self._connection.fetch(READ, bucket, generation)]

    async def forget(self, bucket: int, generation: int) -> bool:
        return bool(await self._connection.fetch(FORGET, bucket, generation))


@asynccontextmanager
async def postgres_table(url: str) -> AsyncIterator[PostgresTable]:
    connection = await asyncpg.connect(url)
    await connection.execute(CREATE)
    try:
        yield PostgresTable(connection)
    finally:
        await connection.execute("DROP TABLE test_ledger")
        await connection.close()


async def _nothing(found: Sequence[FedEntry]) -> None:
    pass


class Ledger:
    """The projection (`runtime.projecting.Projection`). `between` is awaited after the fold,
    before it writes, and once more after that."""

    def __init__(
        self,
        table: Table,
        name: str = "ledger",
        topics: frozenset[str] | None = None,
        between: Callable[[Sequence[FedEntry]], Awaitable[None]] = _nothing,
    ) -> None:
        self.name = name
        self.topics = topics
        self.between = between
        self.table = table

    async def take_in(self, claim: Claim, found: Sequence[FedEntry]) -> None:
        lines = [(fed.position, fed.entry.state) for fed in found]
        await self.between(found)
        await self.table.write(claim, lines)
        await self.between(found)

    async def forget(self, bucket: int, generation: int) -> bool:
        return await self.table.forget(bucket, generation)

    async def positions(self, bucket: int = 0, generation: int = 1) -> list[int]:
        """Those of the events that were taken in."""
        return [position for position, _ in await self.table.lines(bucket, generation)]

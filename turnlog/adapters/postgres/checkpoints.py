"""How far the asynchronous projections have come, kept in the transactions that they write in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg

from turnlog.adapters.postgres.connections import Connections
from turnlog.adapters.postgres.outages import is_outage
from turnlog.domain.errors import StoreUnavailable
from turnlog.domain.projecting import Claim
from turnlog.domain.records import Checkpoint, Entry, FedEntry

CLAIM = """
SELECT generation, position FROM projection_checkpoints
WHERE bucket = $1 AND projection = $2 AND stopped_at IS NULL AND generation = coalesce(
    $3, (SELECT p.generation FROM projections p WHERE p.projection = $2)
)
FOR UPDATE SKIP LOCKED
"""

END = "SELECT position FROM feed_heads WHERE bucket = $1"

READ = """
SELECT originator_id, tenant_id, notification_id, originator_version, topic, state, turn_id, at
FROM stored_events
WHERE bucket = $1 AND notification_id > $2 AND notification_id <= $3 AND {topics}
ORDER BY notification_id
LIMIT $4
"""
READ_TOPICS = READ.format(topics="topic = ANY ($5::text[])")
READ_NO_DELTAS = READ.format(topics="topic NOT LIKE '%delta'")

ADVANCE = """
UPDATE projection_checkpoints SET position = $4
WHERE bucket = $1 AND projection = $2 AND generation = $3
"""

STOP = """
UPDATE projection_checkpoints SET stopped_at = $5, reason = $6
WHERE bucket = $1 AND projection = $2 AND generation = $3 AND position = $4
"""

RESUME = """
UPDATE projection_checkpoints SET stopped_at = NULL, reason = NULL
WHERE bucket = $1 AND projection = $2 AND stopped_at IS NOT NULL
RETURNING true
"""

CHECKPOINTS = """
SELECT c.projection, c.bucket, c.generation, c.generation = p.generation, c.position,
    h.position, c.stopped_at, c.reason
FROM projection_checkpoints c
JOIN projections p USING (projection)
JOIN feed_heads h USING (bucket)
ORDER BY c.projection, c.generation, c.bucket
"""

# So many positions are looked through in one transaction, deltas too.
SPAN = 20_000


class PostgresClaim:
    """`Claim`. What is written on its connection is written only if the claim ends well."""

    def __init__(
        self,
        claims: PostgresCheckpoints,
        connection: asyncpg.pool.PoolConnectionProxy,
        place: tuple[Any, ...],
    ) -> None:
        self.projection, self.bucket, self.generation, self.position = place
        self._claims = claims
        self._connection = connection

    async def read(self, topics: frozenset[str] | None, limit: int) -> tuple[list[FedEntry], int]:
        buckets = self._claims.buckets
        (end,) = (await self.rows(END, self.bucket))[0]
        until = min(end, self.position + SPAN)
        rows = await self.rows(
            READ_NO_DELTAS if topics is None else READ_TOPICS,
            self.bucket,
            self.position * buckets + self.bucket,
            until * buckets + self.bucket,
            limit,
            *(() if topics is None else (list(topics),)),
        )
        found = [
            FedEntry(self.bucket, number // buckets, an_id, tenant_id, Entry(*row))
            for an_id, tenant_id, number, *row in rows
        ]
        return found, found[-1].position if len(found) == limit else until

    async def advance(self, position: int) -> None:
        await self.rows(ADVANCE, self.bucket, self.projection, self.generation, position)

    async def rows(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """What a statement gives within the claim's transaction."""
        patience = self._claims.patience
        return await self._connection.fetch(statement, *arguments, timeout=patience)


class PostgresCheckpoints:
    """`Checkpoints`."""

    def __init__(self, connections: Connections, buckets: int) -> None:
        self._connections = connections
        self.buckets = buckets

    @property
    def patience(self) -> float:
        """How long to wait for an answer, in seconds."""
        return self._connections.patience

    @asynccontextmanager
    async def claim(
        self, projection: str, bucket: int, generation: int | None = None
    ) -> AsyncIterator[PostgresClaim | None]:
        with _outages_told():
            async with self._connections.transaction() as connection:
                place = await connection.fetchrow(
                    CLAIM, bucket, projection, generation, timeout=self.patience
                )
                if place is None:
                    yield None
                else:
                    yield PostgresClaim(self, connection, (projection, bucket, *place))

    async def stop(self, claim: Claim, position: int, reason: str) -> None:
        await self._connections.rows(
            STOP, claim.bucket, claim.projection, claim.generation, claim.position, position, reason
        )

    async def resume(self, projection: str) -> int:
        resumed = 0
        for bucket in range(self.buckets):
            resumed += len(await self._connections.rows(RESUME, bucket, projection))
        return resumed

    async def checkpoints(self) -> list[Checkpoint]:
        return [Checkpoint(*row) for row in await self._connections.rows(CHECKPOINTS)]


def within(claim: Claim) -> PostgresClaim:
    """The claim as this database's: what is done with it is done in its transaction."""
    if not isinstance(claim, PostgresClaim):
        raise TypeError(f"{type(claim).__name__} is a claim on another store")
    return claim


@contextmanager
def _outages_told() -> Iterator[None]:
    """As everywhere; but who holds a claim meets nobody, so a key that is there is a mistake."""
    try:
        yield
    except asyncpg.UniqueViolationError:
        raise
    except Exception as error:
        if is_outage(error):
            raise StoreUnavailable() from error
        raise

"""The generations of the asynchronous projections: one is read, while another is built."""

from __future__ import annotations

from turnlog.adapters.postgres.connections import Connections

BEGIN = """
INSERT INTO projections (projection, generation, newest) VALUES ($1, 1, 1)
ON CONFLICT (projection) DO NOTHING
"""

# Where it is there already, or another generation is read meanwhile, this does no harm.
BEGIN_CHECKPOINT = """
INSERT INTO projection_checkpoints (bucket, projection, generation, position)
SELECT $1, projection, coalesce($3, generation), 0 FROM projections WHERE projection = $2
ON CONFLICT (bucket, projection, generation) DO NOTHING
"""

NEXT = "UPDATE projections SET newest = newest + 1 WHERE projection = $1 RETURNING newest"

SWAP = """
UPDATE projections SET generation = $2
WHERE projection = $1 AND newest = $2
RETURNING true
"""

# A claim that is held is waited for; nobody claims what is gone.
END = """
DELETE FROM projection_checkpoints
WHERE bucket = $1 AND projection = $2 AND generation < $3 AND generation <> (
    SELECT p.generation FROM projections p WHERE p.projection = $2
)
"""


class PostgresGenerations:
    """`Generations`."""

    def __init__(self, connections: Connections, buckets: int) -> None:
        self._connections = connections
        self._buckets = buckets

    async def begin(self, projection: str) -> None:
        await self._connections.rows(BEGIN, projection)
        for bucket in range(self._buckets):
            await self._connections.rows(BEGIN_CHECKPOINT, bucket, projection, None)

    async def renew(self, projection: str) -> int:
        generation: int = (await self._connections.rows(NEXT, projection))[0][0]
        for bucket in range(self._buckets):
            await self._connections.rows(BEGIN_CHECKPOINT, bucket, projection, generation)
        return generation

    async def swap(self, projection: str, generation: int) -> bool:
        return bool(await self._connections.rows(SWAP, projection, generation))

    async def end_others(self, projection: str, before: int) -> None:
        for bucket in range(self._buckets):
            await self._connections.rows(END, bucket, projection, before)

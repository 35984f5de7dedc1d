"""Bytes beside the log, in PostgreSQL."""

from __future__ import annotations

from uuid import UUID

from turnlog.adapters.postgres.arrays import storable
from turnlog.adapters.postgres.connections import Connections
from turnlog.domain.identity import bucket_of
from turnlog.domain.records import Blob

PUT = """
INSERT INTO blobs (bucket, conversation_id, sha256, media_type, data)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
"""

GET = """
SELECT sha256, media_type, data FROM blobs
WHERE bucket = $1 AND conversation_id = $2 AND sha256 = $3
"""


class PostgresBlobs:
    """`BlobStore`. Either method may raise `StoreUnavailable`."""

    def __init__(self, connections: Connections, buckets: int) -> None:
        self._connections = connections
        self._buckets = buckets

    async def put(self, conversation_id: UUID, blob: Blob) -> None:
        bucket = bucket_of(conversation_id, self._buckets)
        fields = (blob.sha256, blob.media_type, blob.data)
        await self._connections.rows(PUT, bucket, conversation_id, *fields)

    async def get(self, conversation_id: UUID, sha256: str) -> Blob | None:
        bucket = bucket_of(conversation_id, self._buckets)
        row = await self._connections.row(GET, bucket, conversation_id, storable(sha256))
        if row is None:
            return None
        return Blob(sha256=row["sha256"], media_type=row["media_type"], data=row["data"])

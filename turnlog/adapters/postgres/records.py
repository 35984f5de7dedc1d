"""Answers that are given again, in PostgreSQL; `append_batch` writes those that have events."""

from __future__ import annotations

from turnlog.adapters.postgres.connections import Connections
from turnlog.domain.records import AnswerRecord

GET = """
SELECT key, fingerprint, answer, recorded_at FROM idempotency_records
WHERE bucket = $1 AND key = $2
"""

PUT = """
INSERT INTO idempotency_records (bucket, key, fingerprint, answer, recorded_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (bucket, key) DO NOTHING
RETURNING true
"""

FORGET = "DELETE FROM idempotency_records WHERE bucket = $1 AND recorded_at < $2"


class PostgresRecords:
    """`Records`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def get(self, bucket: int, key: bytes) -> AnswerRecord | None:
        row = await self._connections.row(GET, bucket, key)
        if row is None:
            return None
        return AnswerRecord(
            key=row["key"],
            fingerprint=row["fingerprint"],
            answer=row["answer"],
            at=row["recorded_at"],
        )

    async def put(self, bucket: int, record: AnswerRecord) -> bool:
        fields = (record.key, record.fingerprint, record.answer, record.at)
        return bool(await self._connections.rows(PUT, bucket, *fields))

    async def forget(self, bucket: int, before: int) -> None:
        await self._connections.rows(FORGET, bucket, before)

"""Webhooks in PostgreSQL. A place is leased by the database's clock, bucket by bucket."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import asyncpg

from turnlog.adapters.postgres.arrays import storable
from turnlog.adapters.postgres.connections import Connections
from turnlog.domain.webhooks import Webhook, WebhookPlace, WebhookStanding

ADD = """
WITH added AS (
    INSERT INTO webhooks (webhook_id, tenant_id, url, types, secret, created_at)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (webhook_id) DO NOTHING
)
INSERT INTO webhook_places (bucket, webhook_id, position, failures, not_before, leased_until)
SELECT bucket, $1, position, 0, '-infinity', '-infinity' FROM feed_heads
ON CONFLICT (bucket, webhook_id) DO NOTHING
"""

_WEBHOOK = "h.webhook_id, h.tenant_id, h.url, h.types, h.secret, h.created_at, h.disabled"

ALL = f"""
SELECT {_WEBHOOK}, sum(f.position - p.position)::bigint AS behind,
    (extract(epoch FROM min(p.failing_since)) * 1000000)::bigint AS failing_since,
    max(p.last_error) AS last_error
FROM webhooks h
JOIN webhook_places p USING (webhook_id)
JOIN feed_heads f USING (bucket)
WHERE h.tenant_id = $1
GROUP BY h.webhook_id
ORDER BY h.created_at, h.webhook_id
"""

GET = f"SELECT {_WEBHOOK} FROM webhooks h WHERE h.webhook_id = $1"

REMOVE = """
WITH removed AS (
    DELETE FROM webhooks WHERE tenant_id = $1 AND webhook_id = $2 RETURNING webhook_id
), without_places AS (
    DELETE FROM webhook_places WHERE webhook_id IN (SELECT webhook_id FROM removed)
)
SELECT webhook_id FROM removed
"""

DISABLE = "UPDATE webhooks SET disabled = $2 WHERE webhook_id = $1"

RESUME = """
WITH resumed AS (
    UPDATE webhooks SET disabled = NULL WHERE webhook_id = $1 RETURNING webhook_id
), places AS (
    UPDATE webhook_places SET failures = 0, failing_since = NULL, not_before = '-infinity'
    WHERE webhook_id IN (SELECT webhook_id FROM resumed)
)
SELECT webhook_id FROM resumed
"""

_IS_DUE = """
    p.not_before <= clock_timestamp() AND p.leased_until <= clock_timestamp()
    AND h.disabled IS NULL
"""

DUE = f"""
SELECT DISTINCT p.bucket
FROM webhook_places p
JOIN webhooks h USING (webhook_id)
JOIN feed_heads f USING (bucket)
WHERE p.position < f.position AND {_IS_DUE}
ORDER BY p.bucket
"""

CLAIM = f"""
WITH free AS (
    SELECT p.webhook_id
    FROM webhook_places p
    JOIN webhooks h USING (webhook_id)
    WHERE p.bucket = $1 AND {_IS_DUE}
        AND p.position < (SELECT position FROM feed_heads WHERE bucket = $1)
    FOR UPDATE OF p SKIP LOCKED
)
UPDATE webhook_places p
SET node = $2, leased_until = clock_timestamp() + $3
FROM free JOIN webhooks h USING (webhook_id)
WHERE p.bucket = $1 AND p.webhook_id = free.webhook_id
RETURNING {_WEBHOOK}, p.position, p.failures
"""

_MINE = "bucket = $1 AND webhook_id = $2 AND node = $3"

MOVE = f"""
UPDATE webhook_places
SET position = $4, failures = 0, failing_since = NULL, last_error = NULL,
    leased_until = clock_timestamp() + $5
WHERE {_MINE}
RETURNING true
"""

FAIL = f"""
UPDATE webhook_places
SET failures = failures + 1, failing_since = coalesce(failing_since, clock_timestamp()),
    not_before = clock_timestamp() + $5, leased_until = '-infinity', last_error = $4
WHERE {_MINE}
RETURNING extract(epoch FROM clock_timestamp() - failing_since)::float8
"""

RELEASE = f"UPDATE webhook_places SET leased_until = '-infinity' WHERE {_MINE}"


class PostgresWebhooks:
    """`Webhooks`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def add(self, webhook: Webhook) -> None:
        await self._connections.rows(
            ADD,
            webhook.webhook_id,
            webhook.tenant_id,
            webhook.url,
            webhook.types,
            webhook.secret,
            webhook.created_at,
        )

    async def all(self, tenant_id: str) -> list[WebhookStanding]:
        return [
            WebhookStanding(
                webhook=_webhook(row),
                behind=row["behind"],
                failing_since=row["failing_since"],
                last_error=row["last_error"],
            )
            for row in await self._connections.rows(ALL, tenant_id)
        ]

    async def get(self, webhook_id: UUID) -> Webhook | None:
        row = await self._connections.row(GET, webhook_id)
        return None if row is None else _webhook(row)

    async def remove(self, tenant_id: str, webhook_id: UUID) -> bool:
        return bool(await self._connections.rows(REMOVE, tenant_id, webhook_id))

    async def disable(self, webhook_id: UUID, reason: str) -> None:
        await self._connections.rows(DISABLE, webhook_id, storable(reason))

    async def resume(self, webhook_id: UUID) -> bool:
        return bool(await self._connections.rows(RESUME, webhook_id))

    async def due(self) -> list[int]:
        return [bucket for (bucket,) in await self._connections.rows(DUE)]

    async def claim(self, bucket: int, node: str, lease: float) -> list[WebhookPlace]:
        rows = await self._connections.rows(CLAIM, bucket, node, timedelta(seconds=lease))
        return [
            WebhookPlace(
                webhook=_webhook(row),
                bucket=bucket,
                position=row["position"],
                failures=row["failures"],
            )
            for row in rows
        ]

    async def move(self, place: WebhookPlace, node: str, position: int, lease: float) -> bool:
        mine = (place.bucket, place.webhook.webhook_id, node)
        return bool(await self._connections.rows(MOVE, *mine, position, timedelta(seconds=lease)))

    async def fail(self, place: WebhookPlace, node: str, error: str, pause: float) -> float:
        mine = (place.bucket, place.webhook.webhook_id, node)
        rows = await self._connections.rows(FAIL, *mine, storable(error), timedelta(seconds=pause))
        return float(rows[0][0]) if rows else 0.0

    async def release(self, place: WebhookPlace, node: str) -> None:
        await self._connections.rows(RELEASE, place.bucket, place.webhook.webhook_id, node)


def _webhook(row: asyncpg.Record) -> Webhook:
    return Webhook(
        webhook_id=row["webhook_id"],
        tenant_id=row["tenant_id"],
        url=row["url"],
        types=tuple(row["types"]),
        secret=row["secret"],
        created_at=row["created_at"],
        disabled=row["disabled"],
    )

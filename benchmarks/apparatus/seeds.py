"""Logs and lists of any length, made at once by SQL: only their numbers and sizes are true.

A log that is made longer gets deltas behind its last event, whose hashes link nothing.
"""

from __future__ import annotations

from uuid import UUID

import asyncpg

from turnlog.domain.identity import bucket_of

LENGTHEN = """
WITH feed AS (
    UPDATE feed_heads SET position = position + $3 WHERE bucket = $1
    RETURNING position - $3 AS base
), log AS (
    SELECT * FROM conversation_heads WHERE bucket = $1 AND conversation_id = $2
), made AS (
    INSERT INTO stored_events (
        bucket, originator_id, originator_version, notification_id,
        tenant_id, turn_id, at, topic, hash, state
    )
    SELECT
        $1, $2, log.head + n, (feed.base + n) * $4 + $1,
        log.tenant_id, $5, 1700000000000000 + n, 'message.delta',
        sha256(int8send(n)),
        convert_to(format('{"type":"message.delta","item":5,"delta":" w%s"}', n % 1000), 'UTF8')
    FROM feed, log, generate_series(1, $3::bigint) AS n
)
UPDATE conversation_heads h SET head = h.head + $3, hash = sha256(int8send($3))
WHERE bucket = $1 AND conversation_id = $2
"""

COPIES = """
WITH model AS (
    SELECT * FROM conversations WHERE bucket = $1 AND conversation_id = $2
), ids AS (
    SELECT
        n, (n % $5)::smallint AS bucket,
        encode(
            substr(sha256(int8send(n)), 1, 15) || substr(int2send((n % $5)::smallint), 2), 'hex'
        )::uuid AS id
    FROM generate_series($3::bigint, $4::bigint - 1) AS n
), heads AS (
    INSERT INTO conversation_heads (head, conversation_id, bucket, tenant_id, hash)
    SELECT 1, ids.id, ids.bucket, model.tenant_id, sha256(int8send(n)) FROM ids, model
)
INSERT INTO conversations (
    created_at, updated_at, conversation_id, bucket, deleted,
    tenant_id, status, agent_role, tags, document
)
SELECT
    model.created_at - n * 1000, model.updated_at, ids.id, ids.bucket, false,
    model.tenant_id, model.status, NULL, ARRAY['tag' || n % 100], model.document
FROM ids, model
"""

PLACE = """
SELECT created_at, conversation_id FROM conversations WHERE NOT deleted
ORDER BY created_at DESC, conversation_id DESC OFFSET $1 LIMIT 1
"""


async def buckets(connection: asyncpg.Connection) -> int:
    """Among how many the conversations are shared out."""
    found: int = await connection.fetchval("SELECT count(*)::integer FROM feed_heads")
    return found


async def lengthen(
    connection: asyncpg.Connection, conversation_id: str, turn_id: str, events: int
) -> None:
    """Put so many deltas behind a log's last event."""
    number = await buckets(connection)
    log = UUID(conversation_id)
    await connection.execute(
        LENGTHEN, bucket_of(log, number), log, events, number, UUID(turn_id), timeout=300
    )


async def copies(
    connection: asyncpg.Connection, conversation_id: str, first: int, last: int
) -> None:
    """Put conversations like this one into the list, each a little older than the one before."""
    number = await buckets(connection)
    model = UUID(conversation_id)
    await connection.execute(
        COPIES, bucket_of(model, number), model, first, last, number, timeout=600
    )


async def settled(connection: asyncpg.Connection) -> None:
    """What autovacuum and the checkpointer would have done by now, done."""
    await connection.execute("VACUUM (ANALYZE)", timeout=600)
    await connection.execute("CHECKPOINT", timeout=600)

"""The inline projections put right, conversation by conversation, beside the writers."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from turnlog.adapters.postgres.arrays import array_text, storable
from turnlog.adapters.postgres.connections import Connections
from turnlog.adapters.postgres.outages import outages_told
from turnlog.domain.records import FoldedRows, InlineKind, Replaced

HEADS = """
SELECT conversation_id, head FROM conversation_heads
WHERE bucket = $1 AND conversation_id > $2
ORDER BY conversation_id
LIMIT $3
"""

# As every append does first: from then on nobody writes to the bucket.
LOCK = "SELECT position FROM feed_heads WHERE bucket = $1 FOR UPDATE"

UNMOVED = """
SELECT h.conversation_id FROM conversation_heads h
WHERE h.bucket = $1 AND (h.conversation_id, h.head) IN (
    SELECT id, head FROM unnest($2::uuid[], $3::bigint[]) AS asked (id, head)
)
"""

REPLACE_CONVERSATIONS = """
INSERT INTO conversations AS kept (
    bucket, conversation_id, tenant_id, created_at, updated_at,
    status, agent_role, tags, deleted, document
)
SELECT
    $1, c.id, h.tenant_id, c.created_at, c.updated_at,
    c.status, c.agent_role, c.tags::text[], c.deleted, c.document
FROM unnest(
    $2::uuid[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::boolean[],
    $9::bytea[]
) AS c (id, created_at, updated_at, status, agent_role, tags, deleted, document)
JOIN conversation_heads h ON h.bucket = $1 AND h.conversation_id = c.id
ON CONFLICT (bucket, conversation_id) DO UPDATE SET
    tenant_id = excluded.tenant_id,
    created_at = excluded.created_at,
    updated_at = excluded.updated_at,
    status = excluded.status,
    agent_role = excluded.agent_role,
    tags = excluded.tags,
    deleted = excluded.deleted,
    document = excluded.document
WHERE (
    kept.tenant_id, kept.created_at, kept.updated_at, kept.status, kept.agent_role, kept.tags,
    kept.deleted, kept.document
) IS DISTINCT FROM (
    excluded.tenant_id, excluded.created_at, excluded.updated_at, excluded.status,
    excluded.agent_role, excluded.tags, excluded.deleted, excluded.document
)
RETURNING true
"""

DROP_TURNS = """
DELETE FROM turns
WHERE bucket = $1 AND conversation_id = ANY ($2) AND NOT turn_id = ANY ($3)
RETURNING true
"""

REPLACE_TURNS = """
INSERT INTO turns AS kept (
    bucket, turn_id, conversation_id, status, first_offset, last_offset, attempt, node, expires_at
)
SELECT $1, t.* FROM unnest(
    $2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::bigint[], $7::integer[], $8::text[],
    $9::bigint[]
) AS t
ON CONFLICT (bucket, turn_id) DO UPDATE SET
    conversation_id = excluded.conversation_id,
    status = excluded.status,
    first_offset = excluded.first_offset,
    last_offset = excluded.last_offset,
    attempt = excluded.attempt,
    node = excluded.node,
    expires_at = excluded.expires_at
WHERE (
    kept.conversation_id, kept.status, kept.first_offset, kept.last_offset, kept.attempt, kept.node,
    kept.expires_at
) IS DISTINCT FROM (
    excluded.conversation_id, excluded.status, excluded.first_offset, excluded.last_offset,
    excluded.attempt, excluded.node, excluded.expires_at
)
RETURNING true
"""

_STRANGERS = """
DELETE FROM {table} WHERE bucket = $1 AND NOT EXISTS (
    SELECT FROM conversation_heads h
    WHERE h.bucket = $1 AND h.conversation_id = {table}.conversation_id
)
RETURNING true
"""
DROP_STRANGERS: dict[InlineKind, str] = {
    "conversations": _STRANGERS.format(table="conversations"),
    "turns": _STRANGERS.format(table="turns"),
}


class PostgresInlineRows:
    """`InlineRows`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def heads(self, bucket: int, *, after: UUID | None, limit: int) -> list[tuple[UUID, int]]:
        rows = await self._connections.rows(HEADS, bucket, after or UUID(int=0), limit)
        return [(row["conversation_id"], row["head"]) for row in rows]

    async def replace(
        self, bucket: int, kind: InlineKind, folded: Sequence[FoldedRows]
    ) -> Replaced:
        with outages_told():
            async with self._connections.transaction() as connection:
                await connection.execute(LOCK, bucket)
                rows = await connection.fetch(
                    UNMOVED,
                    bucket,
                    [rows.conversation_id for rows in folded],
                    [rows.head for rows in folded],
                )
                unmoved = {an_id for (an_id,) in rows}
                still = [rows for rows in folded if rows.conversation_id in unmoved]
                put = _put_conversations if kind == "conversations" else _put_turns
                changed = await put(connection, bucket, still)
        moved = [one.conversation_id for one in folded if one.conversation_id not in unmoved]
        return Replaced(changed=changed, moved=moved)

    async def drop_strangers(self, bucket: int, kind: InlineKind) -> int:
        return len(await self._connections.rows(DROP_STRANGERS[kind], bucket))


async def _put_conversations(
    connection: asyncpg.pool.PoolConnectionProxy, bucket: int, folded: Sequence[FoldedRows]
) -> int:
    listed = [row for rows in folded if (row := rows.conversation)]
    changed = await connection.fetch(
        REPLACE_CONVERSATIONS,
        bucket,
        [row.conversation_id for row in listed],
        [row.created_at for row in listed],
        [row.updated_at for row in listed],
        [row.status for row in listed],
        [row.agent_role and storable(row.agent_role) for row in listed],
        [array_text(row.tags) for row in listed],
        [row.deleted for row in listed],
        [row.document for row in listed],
    )
    return len(changed)


async def _put_turns(
    connection: asyncpg.pool.PoolConnectionProxy, bucket: int, folded: Sequence[FoldedRows]
) -> int:
    turns = [turn for rows in folded for turn in rows.turns]
    ids = [turn.turn_id for turn in turns]
    dropped = await connection.fetch(
        DROP_TURNS, bucket, [rows.conversation_id for rows in folded], ids
    )
    changed = await connection.fetch(
        REPLACE_TURNS,
        bucket,
        ids,
        [turn.conversation_id for turn in turns],
        [turn.status for turn in turns],
        [turn.first_offset for turn in turns],
        [turn.last_offset for turn in turns],
        [turn.attempt for turn in turns],
        [turn.node for turn in turns],
        [turn.expires_at for turn in turns],
    )
    return len(dropped) + len(changed)

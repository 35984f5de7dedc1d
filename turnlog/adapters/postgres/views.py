"""The inline projections in PostgreSQL; `append_batch` writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from turnlog.adapters.postgres.arrays import storable
from turnlog.adapters.postgres.connections import Connections
from turnlog.domain.identity import bucket_of
from turnlog.domain.records import ConversationRow, Labels, Listed, ListQuery, TurnRow

LISTED = """
SELECT c.conversation_id, c.created_at, c.updated_at, c.status, c.agent_role, c.tags,
    c.deleted, c.document, h.head
FROM conversations c
JOIN conversation_heads h USING (bucket, conversation_id)
"""

CONVERSATION = LISTED + "WHERE c.bucket = $1 AND c.conversation_id = $2"

CONVERSATIONS = LISTED + "WHERE NOT c.deleted AND c.tenant_id = $1"
NEWEST_FIRST = " ORDER BY c.created_at DESC, c.conversation_id DESC LIMIT $2"

LABELS = """
SELECT conversation_id, tags, deleted FROM conversations
WHERE bucket = ANY ($1) AND conversation_id = ANY ($2)
"""

TURN = """
SELECT turn_id, conversation_id, status, first_offset, last_offset, attempt, node, expires_at
FROM turns
WHERE bucket = $1 AND """

ONE_TURN = TURN + "turn_id = $2"
TURNS = TURN + "conversation_id = $2 AND first_offset < $3 ORDER BY first_offset DESC LIMIT $4"

_NO_END = 2**63 - 1


class PostgresViews:
    """`Views`."""

    def __init__(self, readers: Connections, buckets: int) -> None:
        self._readers = readers
        self._buckets = buckets

    async def conversation(self, conversation_id: UUID) -> Listed | None:
        bucket = bucket_of(conversation_id, self._buckets)
        row = await self._readers.row(CONVERSATION, bucket, conversation_id)
        return None if row is None else listed(row)

    async def conversations(self, query: ListQuery) -> list[Listed]:
        statement, arguments = list_query(query)
        return [listed(row) for row in await self._readers.rows(statement, *arguments)]

    async def labels(self, conversation_ids: Sequence[UUID]) -> dict[UUID, Labels]:
        buckets = {bucket_of(an_id, self._buckets) for an_id in conversation_ids}
        rows = await self._readers.rows(LABELS, list(buckets), list(conversation_ids))
        return {an_id: Labels(frozenset(tags), deleted) for an_id, tags, deleted in rows}

    async def turn(self, turn_id: UUID) -> TurnRow | None:
        row = await self._readers.row(ONE_TURN, bucket_of(turn_id, self._buckets), turn_id)
        return None if row is None else turn_row(row)

    async def turns(
        self, conversation_id: UUID, *, limit: int, before: int | None = None
    ) -> list[TurnRow]:
        bucket = bucket_of(conversation_id, self._buckets)
        before = _NO_END if before is None else before
        rows = await self._readers.rows(TURNS, bucket, conversation_id, before, limit)
        return [turn_row(row) for row in rows]


def list_query(query: ListQuery) -> tuple[str, list[Any]]:
    """The statement for a page of the list, with only the conditions that were asked for."""
    arguments: list[Any] = [query.tenant_id, query.limit]
    return CONVERSATIONS + conditions(query, arguments) + NEWEST_FIRST, arguments


def conditions(query: ListQuery, arguments: list[Any]) -> str:
    """What a page is narrowed by, as more of a WHERE; `arguments` grow by its own."""
    statement = ""

    def where(condition: str, *values: Any) -> None:
        nonlocal statement
        first = len(arguments) + 1
        arguments.extend(values)
        numbers = (f"${n}" for n in range(first, first + len(values)))
        statement += " AND " + condition.format(*numbers)

    if query.before is not None:
        where("(c.created_at, c.conversation_id) < ({}, {})", *query.before)
    if query.tags:
        where("c.tags <> '{{}}' AND c.tags @> {}", [storable(tag) for tag in query.tags])
    if query.agent_role is not None:
        where("c.agent_role = {}", storable(query.agent_role))
    if query.status is not None:
        where("c.status = {}", query.status)
        if query.status != "idle":
            statement += " AND c.status <> 'idle'"
    return statement


def listed(row: asyncpg.Record) -> Listed:
    """A row that begins with the columns of `LISTED`."""
    (
        conversation_id,
        created_at,
        updated_at,
        status,
        agent_role,
        tags,
        deleted,
        document,
        head,
        *_,
    ) = row
    return Listed(
        row=ConversationRow(
            conversation_id=conversation_id,
            created_at=created_at,
            updated_at=updated_at,
            status=status,
            agent_role=agent_role,
            tags=tuple(tags),
            deleted=deleted,
            document=document,
        ),
        offset=head,
    )


def turn_row(row: asyncpg.Record) -> TurnRow:
    """A row of `TURN`."""
    return TurnRow(
        turn_id=row["turn_id"],
        conversation_id=row["conversation_id"],
        status=row["status"],
        first_offset=row["first_offset"],
        last_offset=row["last_offset"],
        attempt=row["attempt"],
        node=row["node"],
        expires_at=row["expires_at"],
    )

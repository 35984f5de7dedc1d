"""The nodes' heartbeats, by the database's clock, and the turns of those that have none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from turnlog.adapters.postgres.connections import Connections
from turnlog.adapters.postgres.views import TURN, turn_row
from turnlog.domain.records import Process, TurnRow

BEAT = """
INSERT INTO nodes (node, machine, process, heartbeat_at) VALUES ($1, $2, $3, clock_timestamp())
ON CONFLICT (node) DO UPDATE SET heartbeat_at = clock_timestamp()
"""

LEAVE = "DELETE FROM nodes WHERE node = $1"

BESIDE = "SELECT node, process FROM nodes WHERE machine = $2 AND node <> $1"

OTHERS = """
SELECT count(*) FROM nodes
WHERE node <> $1 AND heartbeat_at > clock_timestamp() - $2::interval
    AND machine IS DISTINCT FROM $3
"""

# `since` is '-infinity' where only those count that have left.
ORPHANS = (
    TURN
    + """last_offset IS NULL AND node IS NOT NULL AND NOT EXISTS (
    SELECT FROM nodes n
    WHERE n.node = turns.node
        AND n.heartbeat_at > coalesce(clock_timestamp() - $2::interval, '-infinity')
)
ORDER BY turn_id
LIMIT $3
"""
)

ENTRUSTED = TURN + "last_offset IS NULL AND node = $2 AND NOT turn_id = ANY ($3::uuid[])"

EXPIRED = TURN + "last_offset IS NULL AND expires_at <= $2 ORDER BY expires_at LIMIT $3"


class PostgresNodes:
    """`Nodes`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def beat(self, node: str, process: Process) -> None:
        await self._connections.rows(BEAT, node, process.machine, process.process)

    async def leave(self, node: str) -> None:
        await self._connections.rows(LEAVE, node)

    async def beside(self, node: str, machine: str) -> dict[str, int]:
        rows = await self._connections.rows(BESIDE, node, machine)
        return {row["node"]: row["process"] for row in rows}

    async def others(self, node: str, timeout: float, *, without: str | None = None) -> int:
        rows = await self._connections.rows(OTHERS, node, timedelta(seconds=timeout), without)
        count: int = rows[0][0]
        return count

    async def entrusted(self, bucket: int, node: str, known: Sequence[UUID]) -> list[TurnRow]:
        rows = await self._connections.rows(ENTRUSTED, bucket, node, known)
        return [turn_row(row) for row in rows]

    async def orphans(self, bucket: int, *, timeout: float | None, limit: int) -> list[TurnRow]:
        patience = None if timeout is None else timedelta(seconds=timeout)
        rows = await self._connections.rows(ORPHANS, bucket, patience, limit)
        return [turn_row(row) for row in rows]

    async def expired(self, bucket: int, now: int, limit: int) -> list[TurnRow]:
        rows = await self._connections.rows(EXPIRED, bucket, now, limit)
        return [turn_row(row) for row in rows]

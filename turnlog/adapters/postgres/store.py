"""The log in PostgreSQL."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import starmap
from uuid import UUID

from turnlog.adapters.batches import check
from turnlog.adapters.postgres.arrays import call
from turnlog.adapters.postgres.connections import Connections
from turnlog.adapters.postgres.lanes import Lanes
from turnlog.adapters.postgres.outages import is_outage
from turnlog.domain.errors import StoreUnavailable
from turnlog.domain.identity import bucket_of
from turnlog.domain.records import Append, Entry, FedEntry, Head

BUCKETS = "SELECT value::integer FROM settings WHERE name = 'buckets'"

HEAD = """
SELECT h.head, h.hash, coalesce(s.secret, ''), h.tenant_id
FROM conversation_heads h
LEFT JOIN conversation_secrets s USING (bucket, conversation_id)
WHERE h.bucket = $1 AND h.conversation_id = $2
"""

READ = """
SELECT originator_version, topic, state, turn_id, at
FROM stored_events
WHERE bucket = $1 AND originator_id = $2
    AND originator_version > $3 AND originator_version <= $4{filters}
ORDER BY originator_version
LIMIT $5
"""
_NO_DELTAS = " AND topic NOT LIKE '%delta'"
_ONE_TURN = " AND turn_id = $6"
READS = {
    (deltas, one_turn): READ.format(
        filters=("" if deltas else _NO_DELTAS) + (_ONE_TURN if one_turn else "")
    )
    for deltas in (True, False)
    for one_turn in (True, False)
}

# For each log its own look into the key's index, one after the other within one query.
READ_EACH = """
SELECT e.originator_id, e.originator_version, e.topic, e.state, e.turn_id, e.at
FROM unnest($1::smallint[], $2::uuid[], $3::bigint[]) AS asked (bucket, id, after)
CROSS JOIN LATERAL (
    SELECT originator_id, originator_version, topic, state, turn_id, at
    FROM stored_events
    WHERE bucket = asked.bucket
        AND originator_id = asked.id AND originator_version > asked.after
    ORDER BY originator_version
    LIMIT $4
) AS e
ORDER BY e.originator_id, e.originator_version
"""

FEED = """
SELECT originator_id, tenant_id, notification_id, originator_version, topic, state, turn_id, at
FROM stored_events
WHERE bucket = $1 AND notification_id > $2
ORDER BY notification_id
LIMIT $3
"""

OFFSETS = """
SELECT conversation_id, head FROM conversation_heads
WHERE bucket = ANY ($1) AND conversation_id = ANY ($2)
"""

POSITIONS = "SELECT position FROM feed_heads ORDER BY bucket"

_NO_END = 2**63 - 1


class PostgresEventStore:
    """`EventStore`. Writers and readers have connections of their own, so that neither
    waits for the other's."""

    def __init__(self, writers: Lanes, readers: Connections, buckets: int) -> None:
        self._writers = writers
        self._readers = readers
        self._buckets = buckets

    @property
    def buckets(self) -> int:
        return self._buckets

    async def append(self, bucket: int, appends: Sequence[Append]) -> list[bool]:
        """As the port says. The outcome of a commit that was cut off is learned by sending
        it again: the function knows its own events by their hash.

        The first try may still be at work then, or may even begin later, from what the
        connection had taken in. Both take the bucket's row first, so one sees all that the
        other did; and whichever is second finds the head moved, and writes nothing.

        Who cancels this does not learn the outcome, and should shield it; the same append
        may be sent again at any time.
        """
        check(bucket, appends, self._buckets)
        if not appends:
            return []
        statement, arguments = call(bucket, self._buckets, appends)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + 2 * self._writers.patience
        pause = 0.0
        while True:
            try:
                written: list[bool] = await self._writers.value(bucket, statement, *arguments)
                return written
            except Exception as error:
                if not is_outage(error):
                    raise
                if loop.time() + pause > deadline:
                    raise StoreUnavailable() from error
            await asyncio.sleep(pause)
            pause = min(max(2 * pause, 0.05), 1.0)

    async def head(self, conversation_id: UUID) -> Head | None:
        row = await self._readers.row(HEAD, self._bucket(conversation_id), conversation_id)
        if row is None:
            return None
        offset, hash, secret, tenant_id = row
        return Head(offset=offset, hash=hash, secret=secret, tenant_id=tenant_id)

    async def read(
        self,
        conversation_id: UUID,
        *,
        after: int = 0,
        until: int | None = None,
        limit: int | None = None,
        turn_id: UUID | None = None,
        deltas: bool = True,
    ) -> list[Entry]:
        rows = await self._readers.rows(
            READS[deltas, turn_id is not None],
            self._bucket(conversation_id),
            conversation_id,
            after,
            _NO_END if until is None else until,
            limit,
            *(() if turn_id is None else (turn_id,)),
        )
        return list(starmap(Entry, rows))

    async def read_each(self, after: Mapping[UUID, int], *, limit: int) -> dict[UUID, list[Entry]]:
        rows = await self._readers.rows(
            READ_EACH,
            [self._bucket(an_id) for an_id in after],
            list(after),
            list(after.values()),
            limit,
        )
        found: defaultdict[UUID, list[Entry]] = defaultdict(list)
        for an_id, *row in rows:
            found[an_id].append(Entry(*row))
        return dict(found)

    async def feed(self, bucket: int, *, after: int, limit: int) -> list[FedEntry]:
        after = after * self._buckets + bucket
        rows = await self._readers.rows(FEED, bucket, after, limit)
        return [
            FedEntry(bucket, number // self._buckets, an_id, tenant_id, Entry(*row))
            for an_id, tenant_id, number, *row in rows
        ]

    async def offsets(self, conversation_ids: Sequence[UUID]) -> dict[UUID, int]:
        buckets = {self._bucket(conversation_id) for conversation_id in conversation_ids}
        rows = await self._readers.rows(OFFSETS, list(buckets), list(conversation_ids))
        return {row["conversation_id"]: row["head"] for row in rows}

    async def positions(self) -> list[int]:
        return [position for (position,) in await self._readers.rows(POSITIONS)]

    def _bucket(self, conversation_id: UUID) -> int:
        return bucket_of(conversation_id, self._buckets)

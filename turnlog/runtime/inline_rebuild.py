"""The rows that appends write, compared with the log and put right, in small batches.

A log is folded without holding anything up. Then, for a moment, the bucket's row is held as
an append holds it: rows of conversations that have not moved meanwhile are replaced where
they differ; the others are folded again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

from turnlog.domain.ports import EventStore
from turnlog.domain.projecting import InlineRows
from turnlog.domain.records import FoldedRows, InlineKind
from turnlog.projections.rows import Rows

BATCH = 64
AT_ONCE = 4
PAGE = 512


async def rebuild_inline(
    store: EventStore, table: InlineRows, kind: InlineKind, told: Callable[[int, int], None]
) -> int:
    """Make all rows of that kind what the log says; how many were not."""
    counts = [await _count(table, bucket) for bucket in range(store.buckets)]
    done = changed = 0
    told(0, sum(counts))
    for bucket in range(store.buckets):
        after: UUID | None = None
        while heads := await table.heads(bucket, after=after, limit=BATCH):
            after = heads[-1][0]
            changed += await _put_right(store, table, kind, bucket, [an_id for an_id, _ in heads])
            done += len(heads)
            told(done, max(done, sum(counts)))
        changed += await table.drop_strangers(bucket, kind)
    return changed


async def _count(table: InlineRows, bucket: int) -> int:
    found, after = 0, None
    while heads := await table.heads(bucket, after=after, limit=10_000):
        found, after = found + len(heads), heads[-1][0]
    return found


async def _put_right(
    store: EventStore, table: InlineRows, kind: InlineKind, bucket: int, ids: Sequence[UUID]
) -> int:
    changed, left = 0, list(ids)
    while left:
        folded: list[FoldedRows] = []
        for first in range(0, len(left), AT_ONCE):
            some = left[first : first + AT_ONCE]
            found = await asyncio.gather(*(_folded(store, an_id) for an_id in some))
            folded += [rows for rows in found if rows is not None]
        replaced = await table.replace(bucket, kind, folded)
        changed, left = changed + replaced.changed, replaced.moved
    return changed


async def _folded(store: EventStore, conversation_id: UUID) -> FoldedRows | None:
    head = await store.head(conversation_id)
    if head is None:
        return None
    rows, after = Rows(conversation_id), 0
    while entries := await store.read(
        conversation_id, after=after, until=head.offset, limit=PAGE, deltas=False
    ):
        for entry in entries:
            rows.learn(entry)
        after = entries[-1].offset
    return rows.folded(head.offset)

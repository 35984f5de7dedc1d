"""Reading the feed in portions that are small in bytes, whatever the size of its events."""

from __future__ import annotations

from collections.abc import Sequence

from turnlog.domain.ports import EventStore
from turnlog.domain.records import FedEntry
from turnlog.projections.feed_cursor import Place

PORTION_BYTES = 256 * 1024
MOST = 256
FIRST = 16


class FeedPages:
    """One who reads. How many events make a portion is learned from those before.

    `more` says whether the last portion left something behind, as far as one can tell.
    """

    def __init__(self, store: EventStore) -> None:
        self.more = False
        self._store = store
        self._limit = FIRST

    async def between(self, after: Place, until: Place, most: int = MOST) -> list[FedEntry]:
        """A portion of what lies between two places: of the bucket with the most to come.

        Empty if there is nothing.
        """
        missing, bucket = max((until[b] - after[b], b) for b in range(len(after)))
        if missing <= 0:
            return []
        return await self.of(bucket, after[bucket], min(most, missing))

    async def of(self, bucket: int, after: int, most: int = MOST) -> list[FedEntry]:
        """What follows a position of a bucket; empty at its end."""
        limit = min(most, self._limit)
        read = await self._store.feed(bucket, after=after, limit=limit)
        found = portion(read)
        self.more = len(read) == limit or len(found) < len(read)
        if size := sum(len(fed.entry.state) for fed in found):
            self._limit = min(MOST, max(1, len(found) * PORTION_BYTES // size))
        return found


def portion(found: Sequence[FedEntry]) -> list[FedEntry]:
    """The first of them that make a portion; one at least, if there is one."""
    size = 0
    for count, fed in enumerate(found):
        size += len(fed.entry.state)
        if count and size > PORTION_BYTES:
            return list(found[:count])
    return list(found)

"""Which buckets have moved, as this node's commits and the hints tell those who read the feed."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from turnlog.domain.identity import bucket_of

REMEMBERED = 10_000


class Moved:
    """The buckets that have moved since they were last taken."""

    def __init__(self) -> None:
        self._buckets: set[int] = set()
        self._any = asyncio.Event()

    def add(self, *buckets: int) -> None:
        """These have moved."""
        if buckets:
            self._buckets.update(buckets)
            self._any.set()

    async def take(self, gather: float) -> list[int]:
        """Wait until there are any, and for so many seconds for more that move with them."""
        await self._any.wait()
        await asyncio.sleep(gather)
        self._any.clear()
        buckets, self._buckets = self._buckets, set()
        return sorted(buckets)


class Moves:
    """Tells whoever follows which buckets moved. Word may be lost: behind it there is a poll."""

    def __init__(self, buckets: int) -> None:
        self._buckets = buckets
        self._followers: set[Moved] = set()
        self._told: OrderedDict[UUID, int] = OrderedDict()

    @contextmanager
    def followed(self) -> Iterator[Moved]:
        """What moves from now on."""
        moved = Moved()
        self._followers.add(moved)
        try:
            yield moved
        finally:
            self._followers.discard(moved)

    def tell(self, conversation_id: UUID, offset: int) -> None:
        """The conversation's log has reached the offset; a node hears its own words again."""
        if self._told.get(conversation_id, 0) >= offset:
            return
        self._told[conversation_id] = offset
        self._told.move_to_end(conversation_id)
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        bucket = bucket_of(conversation_id, self._buckets)
        for moved in self._followers:
            moved.add(bucket)

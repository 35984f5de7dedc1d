"""Group commit: what many actors have ready for one bucket becomes one transaction.

While a bucket's commit is under way, what arrives for it gathers, and makes the next
batch; so batches grow with the load. An idle node commits at once. On one that has a
commit under way already, deltas, for which nobody waits, wait for a slot: a slot comes
every millisecond. What somebody waits for takes what has gathered along.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from itertools import islice
from typing import Any

from turnlog.domain.codec import DELTA_TOPICS
from turnlog.domain.identity import bucket_of
from turnlog.domain.ports import EventStore
from turnlog.domain.records import Append

MAX_BATCH = 256
SLOT_SECONDS = 0.001
SLOTS_TO_WAIT = 8


class _Lane:
    """One bucket's appends that wait, and the task that writes."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Append, asyncio.Future[bool]]] = []
        self.urgent = False
        self.writing: asyncio.Task[None] | None = None


class Journal:
    """Writes appends in batches, one commit under way for each bucket."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._lanes: defaultdict[int, _Lane] = defaultdict(_Lane)
        self._under_way = 0
        self._queue: dict[int, None] = {}
        self._slot: asyncio.TimerHandle | None = None
        self._due = 0.0

    async def append(self, append: Append) -> bool:
        """Whether it was written; False: it has lost. Raises `StoreUnavailable`.

        A conversation may have one append under way at a time. Cancelling the
        caller does not stop the write.
        """
        bucket = bucket_of(append.conversation_id, self._store.buckets)
        lane = self._lanes[bucket]
        written: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        lane.waiting.append((append, written))
        lane.urgent = lane.urgent or not _can_wait(append)
        if lane.writing is None:
            self._go_on(bucket, lane)
        return await written

    async def close(self) -> None:
        """Wait for what is under way or waits for its slot; not for what comes after it."""
        pending: list[asyncio.Future[Any]] = []
        for bucket, lane in self._lanes.items():
            pending += [written for _, written in lane.waiting]
            if lane.waiting and lane.writing is None:
                self._begin(bucket, lane)
            if lane.writing is not None:
                pending.append(lane.writing)
            lane.urgent = True
        if pending:
            await asyncio.wait(pending)

    def _go_on(self, bucket: int, lane: _Lane) -> None:
        """Write what waits, now or when the lane has its slot."""
        if lane.urgent or not self._under_way:
            self._begin(bucket, lane)
        else:
            self._queue[bucket] = None
            if self._slot is None:
                loop = asyncio.get_running_loop()
                self._due = loop.time() + SLOT_SECONDS
                self._slot = loop.call_at(self._due, self._take_slot)

    def _take_slot(self) -> None:
        """Begin those that have waited longest: as many as slots have come, for the loop may be
        late; and of many several, so that none waits for long."""
        loop = asyncio.get_running_loop()
        came = 1 + int(max(0.0, loop.time() - self._due) / SLOT_SECONDS)
        for bucket in list(islice(self._queue, max(came, len(self._queue) // SLOTS_TO_WAIT))):
            self._begin(bucket, self._lanes[bucket])
        self._slot = None
        if self._queue:
            self._due += came * SLOT_SECONDS
            self._slot = loop.call_at(self._due, self._take_slot)

    def _begin(self, bucket: int, lane: _Lane) -> None:
        self._queue.pop(bucket, None)
        self._under_way += 1
        lane.writing = asyncio.create_task(self._write(bucket, lane))

    async def _write(self, bucket: int, lane: _Lane) -> None:
        batch, lane.waiting = lane.waiting[:MAX_BATCH], lane.waiting[MAX_BATCH:]
        lane.urgent = not all(_can_wait(append) for append, _ in lane.waiting)
        try:
            outcomes = await self._store.append(bucket, [append for append, _ in batch])
        except Exception as error:  # each writer learns of it, whatever it is
            for _, written in batch:
                if not written.done():
                    written.set_exception(error)
        else:
            for (_, written), outcome in zip(batch, outcomes, strict=True):
                if not written.done():
                    written.set_result(outcome)
        lane.writing = None
        self._under_way -= 1
        if lane.waiting:
            self._go_on(bucket, lane)


def _can_wait(append: Append) -> bool:
    """Whether it holds deltas alone, which nobody is told of but those who read."""
    return all(entry.topic in DELTA_TOPICS for entry in append.entries)

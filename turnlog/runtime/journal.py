"""Group commit: what many actors have ready for one bucket becomes one transaction.

There is no timer. While a bucket's commit is under way, what arrives for it
gathers, and makes the next batch; so batches grow with the load.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict

from turnlog.domain.identity import bucket_of
from turnlog.domain.ports import EventStore
from turnlog.domain.records import Append

MAX_BATCH = 256


class _Lane:
    """One bucket's appends that wait, and the task that writes them."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Append, asyncio.Future[bool]]] = []
        self.writing: asyncio.Task[None] | None = None


class Journal:
    """Writes appends in batches, one commit under way for each bucket."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._lanes: defaultdict[int, _Lane] = defaultdict(_Lane)

    async def append(self, append: Append) -> bool:
        """Whether it was written; False: it has lost. Raises `StoreUnavailable`.

        A conversation may have one append under way at a time. Cancelling the
        caller does not stop the write.
        """
        bucket = bucket_of(append.conversation_id, self._store.buckets)
        lane = self._lanes[bucket]
        written: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        lane.waiting.append((append, written))
        if lane.writing is None:
            lane.writing = asyncio.create_task(self._write(bucket, lane))
        return await written

    async def _write(self, bucket: int, lane: _Lane) -> None:
        while lane.waiting:
            batch, lane.waiting = lane.waiting[:MAX_BATCH], lane.waiting[MAX_BATCH:]
            try:
                outcomes = await self._store.append(bucket, [append for append, _ in batch])
            except Exception as error:  # each writer learns of it, whatever it is
                for _, written in batch:
                    if not written.done():
                        written.set_exception(error)
                continue
            for (_, written), outcome in zip(batch, outcomes, strict=True):
                if not written.done():
                    written.set_result(outcome)
        lane.writing = None

    async def close(self) -> None:
        """Wait for what is under way."""
        writing = [lane.writing for lane in self._lanes.values() if lane.writing is not None]
        await asyncio.gather(*writing)

"""The checkpoints of asynchronous projections in memory, beside `MemoryStore`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from msgspec.structs import replace

from turnlog.adapters.memory import MemoryStore
from turnlog.domain.codec import DELTA_TOPICS
from turnlog.domain.projecting import Claim
from turnlog.domain.records import Checkpoint, FedEntry

_Key = tuple[str, int, int]


class MemoryClaim:
    """`Claim`. Writes are done when it ends well."""

    def __init__(self, store: MemoryStore, checkpoint: Checkpoint) -> None:
        self.projection = checkpoint.projection
        self.bucket = checkpoint.bucket
        self.generation = checkpoint.generation
        self.position = checkpoint.position
        self.writes: list[Callable[[], None]] = []
        self.reached = checkpoint.position
        self._store = store

    async def read(self, topics: frozenset[str] | None, limit: int) -> tuple[list[FedEntry], int]:
        end = (await self._store.positions())[self.bucket]
        feed = await self._store.feed(self.bucket, after=self.position, limit=end)
        found = [
            fed
            for fed in feed
            if (
                fed.entry.topic not in DELTA_TOPICS if topics is None else fed.entry.topic in topics
            )
        ][:limit]
        return found, found[-1].position if len(found) == limit else end

    async def advance(self, position: int) -> None:
        self.reached = position


class MemoryCheckpoints:
    """`Checkpoints` and `Generations`."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._current: dict[str, int] = {}
        self._newest: dict[str, int] = {}
        self._checkpoints: dict[_Key, Checkpoint] = {}
        self._claimed: set[_Key] = set()

    def current(self, projection: str) -> int:
        """The generation that is read; 0 before the first was begun."""
        return self._current.get(projection, 0)

    @asynccontextmanager
    async def claim(
        self, projection: str, bucket: int, generation: int | None = None
    ) -> AsyncIterator[MemoryClaim | None]:
        if generation is None:
            generation = self._current.get(projection, 0)
        key = projection, generation, bucket
        checkpoint = self._checkpoints.get(key)
        if checkpoint is None or checkpoint.stopped_at is not None or key in self._claimed:
            yield None
            return
        claim = MemoryClaim(self._store, checkpoint)
        self._claimed.add(key)
        try:
            yield claim
        finally:
            self._claimed.discard(key)
        if key in self._checkpoints:
            for write in claim.writes:
                write()
            self._checkpoints[key] = replace(checkpoint, position=claim.reached)

    async def stop(self, claim: Claim, position: int, reason: str) -> None:
        key = claim.projection, claim.generation, claim.bucket
        checkpoint = self._checkpoints.get(key)
        if checkpoint is not None and checkpoint.position == claim.position:
            self._checkpoints[key] = replace(checkpoint, stopped_at=position, reason=reason)

    async def resume(self, projection: str) -> int:
        stopped = [
            (key, checkpoint)
            for key, checkpoint in self._checkpoints.items()
            if key[0] == projection and checkpoint.stopped_at is not None
        ]
        for key, checkpoint in stopped:
            self._checkpoints[key] = replace(checkpoint, stopped_at=None, reason=None)
        return len(stopped)

    async def checkpoints(self) -> list[Checkpoint]:
        heads = await self._store.positions()
        return [
            replace(
                checkpoint,
                current=checkpoint.generation == self._current[checkpoint.projection],
                head=heads[checkpoint.bucket],
            )
            for _, checkpoint in sorted(self._checkpoints.items())
        ]

    async def begin(self, projection: str) -> None:
        if projection not in self._current:
            self._current[projection] = self._newest[projection] = 1
            self._start(projection, 1)

    async def renew(self, projection: str) -> int:
        self._newest[projection] += 1
        self._start(projection, self._newest[projection])
        return self._newest[projection]

    async def swap(self, projection: str, generation: int) -> bool:
        if self._newest[projection] != generation:
            return False
        self._current[projection] = generation
        return True

    async def end_others(self, projection: str, before: int) -> None:
        for key in list(self._checkpoints):
            if key[0] == projection and key[1] < before and key[1] != self._current[projection]:
                del self._checkpoints[key]

    def _start(self, projection: str, generation: int) -> None:
        for bucket in range(self._store.buckets):
            self._checkpoints[projection, generation, bucket] = Checkpoint(
                projection, bucket, generation, False, 0, 0
            )


def within(claim: Claim) -> MemoryClaim:
    """The claim as this store's."""
    if not isinstance(claim, MemoryClaim):
        raise TypeError(f"{type(claim).__name__} is a claim on another store")
    return claim

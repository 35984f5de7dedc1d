"""Asynchronous projections: each follows the feed from a checkpoint, bucket by bucket.

What a projection writes, and how far it has come, is one transaction; so each event is
taken in exactly once, whoever crashes. Nodes share the buckets by claiming them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import structlog

from turnlog.domain.errors import StoreUnavailable
from turnlog.domain.projecting import Checkpoints, Claim
from turnlog.domain.records import FedEntry
from turnlog.runtime.moves import Moved

GATHER_SECONDS = 0.1
MOST = 256
MAX_REASON = 500

log = structlog.get_logger(__name__)


class Projection(Protocol):
    """What follows the feed."""

    @property
    def name(self) -> str:
        """Under which its checkpoints are kept: durable data."""

    @property
    def topics(self) -> frozenset[str] | None:
        """The only ones that it looks at; None: all but deltas."""

    async def take_in(self, claim: Claim, found: Sequence[FedEntry]) -> None:
        """Fold the entries, which follow each other in one bucket, and write what they make,
        with the claim and under its generation.

        Nothing else may be done here: all of it may be undone, and done again. An error that
        is no `StoreUnavailable` stops the projection at the entry that caused it.
        """

    async def forget(self, bucket: int, generation: int) -> bool:
        """Drop some of what was written for a generation that has ended; whether there is more."""


class Projector:
    """Keeps one projection up with the feed, as far as this node gets the claims."""

    def __init__(self, projection: Projection, checkpoints: Checkpoints, buckets: int) -> None:
        self.projection = projection
        self.moved = Moved()
        self._checkpoints = checkpoints
        self._limit = MOST
        self._known = [0] * buckets

    def look(self, ends: Sequence[int]) -> None:
        """The buckets reach so far: take in what is missing."""
        self.moved.add(*(bucket for bucket, end in enumerate(ends) if end > self._known[bucket]))

    async def follow(self) -> None:
        """Take in what moves, until cancelled."""
        while True:
            for bucket in await self.moved.take(GATHER_SECONDS):
                try:
                    if await self.advance(bucket):
                        self.moved.add(bucket)
                except StoreUnavailable:
                    log.warning("projection.store_unavailable", projection=self.projection.name)
                except Exception:
                    log.exception("projection.failed", projection=self.projection.name)

    async def advance(self, bucket: int, generation: int | None = None) -> bool:
        """Take in a portion of what follows the checkpoint; whether there may be more.

        Of a portion that fails, less is tried, until the one event is found that cannot be
        taken in. Raises `StoreUnavailable`.
        """
        claim: Claim | None = None
        found: list[FedEntry] = []
        try:
            async with self._checkpoints.claim(self.projection.name, bucket, generation) as claim:
                if claim is None:
                    return False
                found, end = await claim.read(self.projection.topics, self._limit)
                if found:
                    await self.projection.take_in(claim, found)
                if end > claim.position:
                    await claim.advance(end)
        except StoreUnavailable:
            raise
        except Exception as error:
            if claim is None or not found:
                raise
            if len(found) > 1:
                self._limit = len(found) // 2
                return True
            await self._stop(claim, found[0], error)
            return False
        self._limit = min(MOST, self._limit * 2)
        if generation is None:
            self._known[bucket] = end
        return end > claim.position

    async def _stop(self, claim: Claim, fed: FedEntry, error: Exception) -> None:
        log.error(
            "projection.stopped",
            projection=claim.projection,
            bucket=claim.bucket,
            position=fed.position,
            conversation_id=str(fed.conversation_id),
            offset=fed.entry.offset,
            error=type(error).__name__,
        )
        where = f"{fed.entry.topic} at offset {fed.entry.offset} of {fed.conversation_id}"
        reason = f"{where}: {type(error).__name__}: {error}"
        await self._checkpoints.stop(claim, fed.position, reason[:MAX_REASON])

"""Old records of answers are forgotten, hourly, by every node."""

from __future__ import annotations

import asyncio
import random

import structlog

from turnlog.domain.errors import StoreUnavailable
from turnlog.domain.ports import Clock, Records

KEPT_SECONDS = 48 * 3600
SWEEP_SECONDS = 3600.0

log = structlog.get_logger(__name__)


class Forgetting:
    """Drops the records that nobody will ask for any more."""

    def __init__(self, records: Records, clock: Clock, buckets: int) -> None:
        self._records = records
        self._clock = clock
        self._buckets = buckets

    async def run(self) -> None:
        """Sweep until cancelled; nodes that started together do not sweep together."""
        pause = random.uniform(0, SWEEP_SECONDS / 10)
        while True:
            await asyncio.sleep(pause)
            pause = SWEEP_SECONDS
            try:
                await self.sweep()
            except StoreUnavailable:
                log.warning("forgetting.store_unavailable")
            except Exception:
                log.exception("forgetting.failed")

    async def sweep(self) -> None:
        """Drop what was recorded longer ago than it is kept."""
        before = self._clock.now() - KEPT_SECONDS * 1_000_000
        for bucket in range(self._buckets):
            await self._records.forget(bucket, before)

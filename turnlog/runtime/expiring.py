"""Turns that rest for others' answers end when these do not come in time; every node looks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from turnlog.domain.errors import StoreUnavailable
from turnlog.domain.ports import Clock, Nodes
from turnlog.domain.records import TurnRow

LONGEST_PAUSE_SECONDS = 30.0
LOOKS_A_TIMEOUT = 10
AT_ONCE = 64

log = structlog.get_logger(__name__)


class Expiring:
    """Finds the turns whose time is over, and has them ended."""

    def __init__(
        self,
        nodes: Nodes,
        clock: Clock,
        buckets: int,
        expire: Callable[[TurnRow], Awaitable[None]],
        timeout: float,
    ) -> None:
        """`timeout`: for how many seconds turns may rest here, to look often enough."""
        self._nodes = nodes
        self._clock = clock
        self._buckets = buckets
        self._expire = expire
        self._pause = min(LONGEST_PAUSE_SECONDS, timeout / LOOKS_A_TIMEOUT)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self._pause)
            try:
                await self.look()
            except StoreUnavailable:
                log.warning("expiring.store_unavailable")
            except Exception:
                log.exception("expiring.failed")

    async def look(self) -> None:
        """End the turns whose time is over now."""
        for bucket in range(self._buckets):
            expired = await self._nodes.expired(bucket, self._clock.now(), AT_ONCE)
            await asyncio.gather(*(self._expire(turn) for turn in expired))

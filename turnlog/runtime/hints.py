"""Words between nodes: which conversations moved here, and which moved elsewhere.

A hint may be lost. So once a second, and when hearing begins anew, one query
tells which buckets moved, and the logs that are read here are looked at again.
"""

from __future__ import annotations

import asyncio
from uuid import UUID

import structlog

from turnlog.domain.errors import StoreUnavailable
from turnlog.domain.identity import bucket_of
from turnlog.domain.ports import EventStore, Hints
from turnlog.runtime.tail import Tails

GATHER_SECONDS = 0.005
POLL_SECONDS = 1.0

log = structlog.get_logger(__name__)


class HintExchange:
    """Tells other nodes what moved here, and the tails what moved elsewhere."""

    def __init__(self, hints: Hints, store: EventStore, tails: Tails) -> None:
        self._hints = hints
        self._store = store
        self._tails = tails
        self._moved: dict[UUID, int] = {}
        self._any_moved = asyncio.Event()
        self._heard: dict[UUID, int] = {}
        self._any_heard = asyncio.Event()
        self._seen: list[int] = []

    def moved(self, conversation_id: UUID, offset: int) -> None:
        """Say, together with what else moves in these milliseconds, how far the log reaches."""
        self._moved[conversation_id] = offset
        self._any_moved.set()

    async def run(self) -> None:
        """Exchange hints until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._say())
            group.create_task(self._hints.listen(self._hear, self._reconnected))
            group.create_task(self._follow())
            group.create_task(self._poll())

    async def _say(self) -> None:
        while True:
            await self._any_moved.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._any_moved.clear()
            moved, self._moved = self._moved, {}
            await self._hints.say(moved)

    def _hear(self, conversation_id: UUID, offset: int) -> None:
        if self._tails.behind(conversation_id, offset):
            self._heard[conversation_id] = offset
            self._any_heard.set()

    def _reconnected(self) -> None:
        self._seen = []

    async def _follow(self) -> None:
        while True:
            await self._any_heard.wait()
            self._any_heard.clear()
            heard, self._heard = self._heard, {}
            for conversation_id, offset in heard.items():
                try:
                    await self._tails.catch_up(conversation_id, offset)
                except StoreUnavailable:
                    log.warning("hints.store_unavailable")
                except Exception:
                    log.exception("hints.failed", conversation_id=str(conversation_id))

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if not self._tails.read_here():
                self._seen = []
                continue
            try:
                await self.look()
            except StoreUnavailable:
                self._seen = []
            except Exception:
                log.exception("hints.failed")
                self._seen = []

    async def look(self) -> None:
        """Make up for lost hints: look again at the logs in buckets that moved.

        A log whose end was found since the last look may have moved just before that,
        when no hint of it was heeded; so it is looked at in any case.
        """
        positions = await self._store.positions()
        seen, self._seen = self._seen or [-1] * len(positions), positions
        moved = {bucket for bucket, now in enumerate(positions) if now != seen[bucket]}
        for tail in self._tails.read_here():
            known, tail.compared = tail.compared, tail.last > 0
            if not known or bucket_of(tail.conversation_id, self._store.buckets) in moved:
                head = await self._store.head(tail.conversation_id)
                if head is not None:
                    await self._tails.catch_up(tail.conversation_id, head.offset)

"""Words between nodes: which conversations moved here, and which moved elsewhere.

Those that heed them are the tails, for their readers, and the actors of turns that run
here, which others may have asked to end; and, told by `moves`, whoever follows the feed.
Projections follow `news`: what this node wrote but for deltas. They see to what others
wrote and did not project when they look once a second.

A hint may be lost. So once a second, and when hearing begins anew, one query
tells which buckets moved, and the logs that are read here are looked at again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol
from uuid import UUID

import structlog

from turnlog.domain.errors import StoreUnavailable
from turnlog.domain.identity import bucket_of
from turnlog.domain.ports import EventStore, Hints
from turnlog.runtime.moves import Moves
from turnlog.runtime.tail import Tails

GATHER_SECONDS = 0.002
POLL_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Runs(Protocol):
    """The turns that run on this node."""

    def watched(self) -> list[UUID]:
        """Their conversations."""

    def behind(self, conversation_id: UUID, offset: int) -> bool:
        """Whether a turn runs there, and less of the log is known than up to the offset."""

    async def catch_up(self, reached: Mapping[UUID, int]) -> None:
        """The logs have reached these offsets."""


class _NoRuns:
    def watched(self) -> list[UUID]:
        return []

    def behind(self, conversation_id: UUID, offset: int) -> bool:
        return False

    async def catch_up(self, reached: Mapping[UUID, int]) -> None:
        pass


class HintExchange:
    """Tells other nodes what moved here, and those who heed it what moved elsewhere."""

    def __init__(self, hints: Hints, store: EventStore, tails: Tails) -> None:
        self._hints = hints
        self._store = store
        self._tails = tails
        self.moves = Moves(store.buckets)
        self.news = Moves(store.buckets)
        self._runs: Runs = _NoRuns()
        self._moved: dict[UUID, int] = {}
        self._any_moved = asyncio.Event()
        self._heard: dict[UUID, int] = {}
        self._any_heard = asyncio.Event()
        self._seen: list[int] = []

    def moved(self, conversation_id: UUID, offset: int, *, news: bool) -> None:
        """Say how far the log reaches: at once, or with what else moves in these milliseconds.

        `news`: there is more than deltas, which no projection takes in.
        """
        self.moves.tell(conversation_id, offset)
        if news:
            self.news.tell(conversation_id, offset)
        self._moved[conversation_id] = offset
        self._any_moved.set()

    def watch(self, runs: Runs) -> None:
        """Let the turns that run here know what others write."""
        self._runs = runs

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
            self._any_moved.clear()
            moved, self._moved = self._moved, {}
            await self._hints.say(moved)
            await asyncio.sleep(GATHER_SECONDS)  # what moves meanwhile is said together

    def _hear(self, conversation_id: UUID, offset: int) -> None:
        self.moves.tell(conversation_id, offset)
        if any(one.behind(conversation_id, offset) for one in (self._tails, self._runs)):
            self._heard[conversation_id] = offset
            self._any_heard.set()

    def _reconnected(self) -> None:
        self._seen = []

    async def _follow(self) -> None:
        while True:
            await self._any_heard.wait()
            self._any_heard.clear()
            heard, self._heard = self._heard, {}
            try:
                await self._catch_up(heard)
            except StoreUnavailable:
                log.warning("hints.store_unavailable")
                self._seen = []
            except Exception:
                log.exception("hints.failed")
                self._seen = []

    async def _catch_up(self, reached: Mapping[UUID, int]) -> None:
        await self._runs.catch_up(reached)  # first: it reads nothing, and may be a cancel
        await self._tails.catch_up(reached)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if not self._tails.read_here() and not self._runs.watched():
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
        buckets = self._store.buckets
        suspects = {one for one in self._runs.watched() if bucket_of(one, buckets) in moved}
        for tail in self._tails.read_here():
            known, tail.compared = tail.compared, tail.last > 0
            if not known or bucket_of(tail.conversation_id, buckets) in moved:
                suspects.add(tail.conversation_id)
        if not suspects:
            return
        await self._catch_up(await self._store.offsets(list(suspects)))

"""The live end of the feed of all conversations, read once by this node for all its readers.

The buckets' rows are read by position and meet in one line of events. Who has just been
shown an event of the line is handed what comes next; everybody else reads the table, at
their own pace, up to a place on the line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from uuid import UUID

import structlog

from turnlog.domain.errors import StoreUnavailable
from turnlog.domain.ports import EventStore, Views
from turnlog.domain.records import FedEntry, Labels
from turnlog.projections.feed_cursor import Place, reaches
from turnlog.runtime.feed_line import FeedLine
from turnlog.runtime.feed_pages import FeedPages
from turnlog.runtime.labels import KnownLabels
from turnlog.runtime.moves import Moved, Moves

GATHER_SECONDS = 0.01
POLL_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Feed:
    """The feed as this node reads it: only while it has readers."""

    def __init__(self, store: EventStore, views: Views, moves: Moves) -> None:
        self._store = store
        self._moves = moves
        self._labels = KnownLabels(views)
        self._pages = FeedPages(store)
        self._reading = asyncio.Lock()
        self._line: FeedLine | None = None
        self._readers = 0
        self._wanted = asyncio.Event()

    def open(self) -> None:
        """There is one more reader, until it calls `close`."""
        self._readers += 1
        self._wanted.set()

    def close(self) -> None:
        """The end of `open`."""
        self._readers -= 1
        if not self._readers:
            self._wanted.clear()
            self._forget()

    async def reach(self, place: Place) -> FeedLine:
        """The line, read on until it reaches the place, which is somewhere in the feed.

        Only for readers. Raises `StoreUnavailable`.
        """
        async with self._reading:
            if self._line is None:
                self._line = FeedLine(tuple(await self._store.positions()), self._labels)
            line = self._line
            for bucket, position in enumerate(place):
                while line.end[bucket] < position and await self._read_on(line, bucket):
                    pass
            return line

    async def labels(self, found: Iterable[FedEntry]) -> dict[UUID, Labels]:
        """The labels of these events' conversations. Raises `StoreUnavailable`."""
        return await self._labels.find(fed.conversation_id for fed in found)

    async def run(self) -> None:
        """Read what moves while there are readers, until cancelled."""
        with self._moves.followed() as moved:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow(moved))
                group.create_task(self._poll(moved))

    async def _follow(self, moved: Moved) -> None:
        while True:
            await self._wanted.wait()
            for bucket in await moved.take(GATHER_SECONDS):
                try:
                    async with self._reading:
                        if self._line is not None and await self._read_on(self._line, bucket):
                            moved.add(bucket)
                except StoreUnavailable:
                    log.warning("feed.store_unavailable")
                except Exception:
                    log.exception("feed.failed")

    async def _poll(self, moved: Moved) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                if self._line is not None:
                    await self._look(self._line, moved)
            except StoreUnavailable:
                log.warning("feed.store_unavailable")
            except Exception:
                log.exception("feed.failed")

    async def _look(self, line: FeedLine, moved: Moved) -> None:
        """Make up for lost words; and see whether the feed still reaches what was read of it.

        It does not after a backup was restored, or a standby took over that lacked the last
        commits. What would be written now at positions that were read must not be passed
        over in silence: whoever comes again is told that their cursor is ahead.
        """
        before = line.end
        now = tuple(await self._store.positions())
        if not reaches(now, before):
            log.error("feed.went_back")
            line.cut()
            if self._line is line:
                self._forget()
            return
        moved.add(*(bucket for bucket, end in enumerate(now) if end > line.end[bucket]))

    async def _read_on(self, line: FeedLine, bucket: int) -> bool:
        """Show a portion of what follows in the bucket; whether there may be more."""
        found = await self._pages.of(bucket, line.end[bucket])
        more = self._pages.more
        if found and line.asks_for_labels:
            await self.labels(found)
        if found and not line.over:
            line.extend(found)
        return more and bool(found)

    def _forget(self) -> None:
        """Nobody keeps what was read up to date any more."""
        self._line = None
        self._labels.forget()

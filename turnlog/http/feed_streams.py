"""The feed of all conversations as server-sent events, at the reader's own pace."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

from aiohttp.http_writer import StreamWriter

from turnlog.domain.ports import EventStore
from turnlog.domain.records import Labels
from turnlog.http.streams import Outlet
from turnlog.projections.feed_cursor import Place, reaches
from turnlog.projections.feed_view import FeedView, Placed, placed
from turnlog.runtime.feed import Feed
from turnlog.runtime.feed_line import FeedLine
from turnlog.runtime.feed_pages import PORTION_BYTES, FeedPages


class FeedStream(Outlet):
    """One reader of the feed (`runtime.feed_line.FeedFollower`)."""

    def __init__(
        self,
        transport: asyncio.Transport,
        writer: StreamWriter,
        feed: Feed,
        view: FeedView,
        cursor: Place,
        *,
        until: Place | None,
    ) -> None:
        """`until`: end where this place is reached; the feed is open to this reader."""
        super().__init__(transport, writer)
        self.view = view
        self.cursor = cursor
        self._feed = feed
        self._until = until
        self._goal = cursor

    async def run(self, store: EventStore) -> None:
        """Show the feed from the cursor until it, or the stream, ends.

        Off the line, the table is read up to a place on it, which stays the goal until it
        is reached: the line's end may move faster than one can read.
        """
        line = await self._feed.reach(self._until or self.cursor)
        pages = FeedPages(store)
        while not (self._over or line.over or self._has_it_all()):
            self._wake.clear()
            await self._drained()
            window = line.since(self.cursor)
            if window is None:
                if self.cursor == self._goal:
                    line = await self._feed.reach(self.cursor)
                    self._goal = line.end
                await self._read_table(pages)
            elif window:
                await self._read_window(window)
            elif self._until is None:
                await self._live(line)
            else:
                return

    def receive(self, frames: bytes, place: Place) -> None:
        """Take what was read, when caught up."""
        self.cursor = place
        if frames:
            self._send(frames)

    async def _read_table(self, pages: FeedPages) -> None:
        found = await pages.between(self.cursor, self._goal)
        if not found:
            self.end()  # the feed no longer reaches so far: whoever comes again is told
            return
        events, place = placed(found, self.cursor)
        labels = await self._feed.labels(found)
        self.receive(self._frames(events, labels), place)

    async def _read_window(self, window: Sequence[Placed]) -> None:
        events: list[Placed] = []
        size = 0
        for event in window:
            size += len(event.frame)
            if events and size > PORTION_BYTES:
                break
            events.append(event)
        labels: dict[UUID, Labels] = {}
        if self.view.tags:
            labels = await self._feed.labels([event.fed for event in events])
        place = list(self.cursor)
        for event in events:
            place[event.fed.bucket] = event.fed.position
        self.receive(self._frames(events, labels), tuple(place))

    async def _live(self, line: FeedLine) -> None:
        line.attach(self)
        try:
            await self._wake.wait()
        finally:
            line.detach(self)

    def _frames(self, events: Sequence[Placed], labels: dict[UUID, Labels]) -> bytes:
        return b"".join(
            [
                self.view.render(event)
                for event in events
                if self.view.includes(event.fed, labels.get(event.fed.conversation_id))
            ]
        )

    def _has_it_all(self) -> bool:
        return self._until is not None and reaches(self.cursor, self._until)

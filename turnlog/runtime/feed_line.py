"""The last events of the feed in the order in which this node has read them, and who follows.

A follower is a cursor, not a queue. Caught up, it is handed bytes that are made once and
shared by all that look in the same way; behind, it reads the window here, or the table.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Protocol

import structlog
from msgspec.structs import replace

from turnlog.domain.records import FedEntry
from turnlog.projections import feed_cursor
from turnlog.projections.feed_cursor import Place
from turnlog.projections.feed_view import DELETED, FeedView, Placed, placed
from turnlog.runtime.labels import KnownLabels

WINDOW_BYTES = 2 << 20

log = structlog.get_logger(__name__)


class FeedFollower(Protocol):
    """One who is caught up: `cursor` is the place up to which it was handed everything."""

    cursor: Place

    @property
    def view(self) -> FeedView:
        """What it is shown."""

    def receive(self, frames: bytes, place: Place) -> None:
        """Take what follows the cursor, up to the place; `frames` may be empty."""

    def fall_behind(self) -> None:
        """There is more than can be handed over: read it yourself, then attach again."""

    def end(self) -> None:
        """Nothing more will come of this."""


class FeedLine:
    """One order of all events from a place on: each has exactly one place after it.

    `end` is the place of the last one; `over` says that no more will be added.
    """

    def __init__(self, begins: Place, labels: KnownLabels) -> None:
        self.end = begins
        self.over = False
        self._began = feed_cursor.word(begins)
        self._labels = labels
        self._window: deque[Placed] = deque()
        self._window_bytes = 0
        self._followers: dict[FeedView, set[FeedFollower]] = {}

    @property
    def asks_for_labels(self) -> bool:
        """Whether to show an event to those who follow takes its conversation's labels."""
        return any(view.tags for view in self._followers)

    def since(self, cursor: Place) -> list[Placed] | None:
        """What follows a place of the line; None if it is none of its places, or too old."""
        if cursor == self.end:
            return []
        # Each event of the line is one position further than the one before.
        first = len(self._window) - (sum(self.end) - sum(cursor))
        if not 0 <= first < len(self._window):
            return None
        before = self._window[first - 1].cursor if first else self._began
        if before != feed_cursor.word(cursor):
            return None
        return list(islice(self._window, first, None))

    def attach(self, follower: FeedFollower) -> None:
        """From now on the follower, which is caught up, is handed what is read."""
        self._followers.setdefault(follower.view, set()).add(follower)

    def detach(self, follower: FeedFollower) -> None:
        """The end of `attach`; without effect if that has ended."""
        followers = self._followers.get(follower.view, set())
        followers.discard(follower)
        if not followers:
            self._followers.pop(follower.view, None)

    def extend(self, found: Sequence[FedEntry]) -> None:
        """Show what was read: it follows the end in its bucket."""
        before = self.end
        events, self.end = placed(found, before)
        for event in events:
            self._labels.learn(event.fed)
            if event.fed.entry.topic == DELETED:
                self._hide(event.fed)
            self._window.append(event)
            self._window_bytes += len(event.frame)
        while self._window_bytes > WINDOW_BYTES and len(self._window) > 1:
            gone = self._window.popleft()
            self._began = gone.cursor
            self._window_bytes -= len(gone.frame)
        for view, followers in list(self._followers.items()):
            self._show(view, list(followers), events, before)

    def cut(self) -> None:
        """End the line, and those who follow it."""
        self.over = True
        for followers in list(self._followers.values()):
            for follower in list(followers):
                follower.end()

    def _show(
        self,
        view: FeedView,
        followers: list[FeedFollower],
        events: Sequence[Placed],
        before: Place,
    ) -> None:
        frames = self._rendered(view, events)
        for follower in followers:
            if frames is not None and follower.cursor == before:
                follower.receive(frames, self.end)
            else:
                follower.fall_behind()

    def _rendered(self, view: FeedView, events: Sequence[Placed]) -> bytes | None:
        """The frames of the events; None where their readers have to see for themselves."""
        frames = []
        try:
            for event in events:
                labels = self._labels.get(event.fed.conversation_id) if view.tags else None
                if view.tags and labels is None:
                    return None
                if view.includes(event.fed, labels):
                    frames.append(view.render(event))
        except Exception:
            # It fails those who look in this way, when they read; nobody else.
            log.exception("feed.not_rendered")
            return None
        return b"".join(frames)

    def _hide(self, deletion: FedEntry) -> None:
        """Whoever comes later is shown nothing of a conversation but that it was deleted."""
        for number, event in enumerate(self._window):
            if event.frame and event.fed.conversation_id == deletion.conversation_id:
                self._window[number] = replace(event, frame=b"")
                self._window_bytes -= len(event.frame)

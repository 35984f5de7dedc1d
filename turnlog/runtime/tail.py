"""The live end of a log: its last entries, and who follows it.

A follower is a cursor, not a queue. Caught up, it is handed bytes that are made
once and shared by all that look in the same way; behind, it reads the window
here or pages from the table, at its own pace.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Protocol
from uuid import UUID

import structlog

from turnlog.domain.codec import DELTA_TOPICS, decode
from turnlog.domain.ports import EventStore
from turnlog.domain.records import Entry
from turnlog.projections.context import Context
from turnlog.projections.view import View

WINDOW_BYTES = 1 << 20
CATCH_UP_EVENTS = 256
CATCH_UP_LOGS = 128

log = structlog.get_logger(__name__)


class Follower(Protocol):
    """One who is caught up: `cursor` is the offset of the last entry that it was handed."""

    cursor: int

    @property
    def view(self) -> View:
        """How it looks at the log."""

    def receive(self, frames: bytes, offset: int, *, ended: bool) -> None:
        """Take what follows the cursor, up to the offset; `ended`: nothing will follow it.

        `frames` is empty where the view shows nothing of it.
        """

    def fall_behind(self) -> None:
        """There is more than can be handed over: read it yourself, then attach again."""


class Tail:
    """The end of one conversation's log on this node.

    `last` is how far it was shown or read here, 0 before anybody found its end; `compared`
    says whether the log was looked at since then.
    """

    def __init__(self, conversation_id: UUID) -> None:
        self.conversation_id = conversation_id
        self.last = 0
        self.readers = 0
        self.compared = False
        self._window: deque[Entry] = deque()
        self._window_bytes = 0
        self._followers: dict[View, set[Follower]] = {}
        self._context = Context()
        self._learned = 0

    async def context(self, store: EventStore, until: int) -> Context:
        """What dialects need to know of the log up to that offset; kept up from now on."""
        while self._learned < until:
            after = self._learned
            self._learn(
                await store.read(self.conversation_id, after=after, until=until, deltas=False)
            )
            self._learned = max(self._learned, until)
        return self._context

    def since(self, cursor: int) -> list[Entry] | None:
        """The entries after the cursor; None if the window does not reach back so far."""
        if self.last and cursor >= self.last:
            return []
        if not self._window or cursor < self._window[0].offset - 1:
            return None
        return [entry for entry in self._window if entry.offset > cursor]

    def reached(self, offset: int) -> None:
        """Somebody has read the table to its end, which was here; who follows must see that too."""
        if offset <= self.last:
            return
        self._forget()
        self.last = offset
        for followers in self._followers.values():
            for follower in followers:
                if follower.cursor < offset:
                    follower.fall_behind()

    def attach(self, follower: Follower) -> None:
        """From now on the follower, which is caught up, is handed what is published."""
        self._followers.setdefault(follower.view, set()).add(follower)

    def detach(self, follower: Follower) -> None:
        """The end of `attach`; without effect if that has ended."""
        followers = self._followers.get(follower.view, set())
        followers.discard(follower)
        if not followers:
            self._followers.pop(follower.view, None)

    def publish(self, entries: Sequence[Entry]) -> None:
        """Show what is on disk. What was shown before is left out; a gap is left to its readers."""
        entries = [entry for entry in entries if entry.offset > self.last]
        if not entries:
            return
        if entries[0].offset != self.last + 1:
            self._forget()
        self._keep(entries)
        self.last = entries[-1].offset
        for view, followers in list(self._followers.items()):
            self._show(view, list(followers), entries)

    def _show(self, view: View, followers: list[Follower], entries: Sequence[Entry]) -> None:
        before, last = entries[0].offset - 1, entries[-1].offset
        frames = self._rendered(view, entries)
        if frames is None:
            for follower in followers:
                follower.fall_behind()
            return
        ended = any(view.is_last(entry) for entry in entries)
        for follower in followers:
            if follower.cursor == before:
                follower.receive(frames, last, ended=ended)
            elif follower.cursor < last:
                follower.fall_behind()

    def _rendered(self, view: View, entries: Sequence[Entry]) -> bytes | None:
        """The frames of the entries; None where their readers have to see for themselves."""
        if view.needs_context and self._learned < entries[-1].offset:
            return None
        try:
            return view.frames(entries, self._context)
        except Exception:
            # It fails those who look in this way, when they read; not the writer, nor others.
            log.exception("tail.not_rendered", conversation_id=str(self.conversation_id))
            return None

    def _forget(self) -> None:
        self._window.clear()
        self._window_bytes = 0

    def _keep(self, entries: Sequence[Entry]) -> None:
        if self._learned and self._learned >= entries[0].offset - 1:
            self._learn(entries)
            self._learned = max(self._learned, entries[-1].offset)
        for entry in entries:
            self._window.append(entry)
            self._window_bytes += len(entry.state)
        while self._window_bytes > WINDOW_BYTES and len(self._window) > 1:
            self._window_bytes -= len(self._window.popleft().state)

    def _learn(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if entry.topic not in DELTA_TOPICS:
                self._context.learn(entry.offset, decode(entry.topic, entry.state))


class Tails:
    """The tails of this node: one for each conversation that somebody reads just now."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._tails: dict[UUID, Tail] = {}

    def open(self, conversation_id: UUID) -> Tail:
        """The conversation's tail, kept until as many have closed it as opened it."""
        tail = self._tails.setdefault(conversation_id, Tail(conversation_id))
        tail.readers += 1
        return tail

    def close(self, tail: Tail) -> None:
        """The end of `open`."""
        tail.readers -= 1
        if not tail.readers:
            self._tails.pop(tail.conversation_id, None)

    def publish(self, conversation_id: UUID, entries: Sequence[Entry]) -> None:
        """Show what was committed to those who read it here."""
        if tail := self._tails.get(conversation_id):
            tail.publish(entries)

    def read_here(self) -> list[Tail]:
        """The tails of the conversations that somebody reads on this node."""
        return list(self._tails.values())

    def behind(self, conversation_id: UUID, offset: int) -> bool:
        """Whether somebody reads that log here, and has been shown less than up to the offset."""
        tail = self._tails.get(conversation_id)
        return tail is not None and 0 < tail.last < offset

    async def catch_up(self, reached: Mapping[UUID, int]) -> None:
        """Another node has written up to these offsets: show what is missing here."""
        while behind := {
            an_id: self._tails[an_id].last
            for an_id, offset in reached.items()
            if self.behind(an_id, offset)
        }:
            some = dict(islice(behind.items(), CATCH_UP_LOGS))
            found = await self._store.read_each(some, limit=CATCH_UP_EVENTS)
            shown = {an_id: reached[an_id] for an_id in behind.keys() - some.keys()}
            for conversation_id, entries in found.items():
                try:
                    self.publish(conversation_id, entries)
                except Exception:  # a defect there is none of the other logs' business
                    log.exception("tail.not_shown", conversation_id=str(conversation_id))
                else:
                    shown[conversation_id] = reached[conversation_id]
            reached = shown

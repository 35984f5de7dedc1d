"""The live end of the feed: read once by a node, shared by all who follow, and exact."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.runtime.disk import Disk
from tests.runtime.waiting import everything_else, until
from tests.store.given import Writer, written
from turnlog.domain.records import FedEntry
from turnlog.projections import feed_cursor
from turnlog.projections.feed_cursor import Place
from turnlog.projections.feed_view import FeedView, placed
from turnlog.runtime import feed as feeds
from turnlog.runtime import feed_line
from turnlog.runtime.feed import Feed
from turnlog.runtime.feed_line import FeedLine
from turnlog.runtime.labels import KnownLabels
from turnlog.runtime.moves import Moves

ALL = FeedView(tenant_id="acme")
BEGIN: Place = (0,) * 8


class Reader:
    """One who follows the feed (`FeedFollower`)."""

    def __init__(self, line: FeedLine, view: FeedView = ALL) -> None:
        self.view = view
        self.cursor = line.end
        self.frames: list[bytes] = []
        self.behind = False
        self.ended = False
        line.attach(self)

    def receive(self, frames: bytes, place: Place) -> None:
        self.cursor = place
        self.frames.append(frames)

    def fall_behind(self) -> None:
        self.behind = True

    def end(self) -> None:
        self.ended = True


class Reading:
    """A node's feed, at work on a disk."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.moves = Moves(8)
        self.feed = Feed(self.disk, self.disk.memory, self.moves)

    async def write(self, writer: Writer, *states: bytes) -> None:
        await written(self.disk.memory, writer, *states)
        self.moves.tell(writer.conversation_id, writer.head.offset)
        await everything_else()


@asynccontextmanager
async def reading() -> AsyncIterator[Reading]:
    node = Reading()
    working = asyncio.create_task(node.feed.run())
    try:
        await everything_else()
        yield node
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


@pytest.fixture(autouse=True)
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """What moves is read as soon as the loop comes round, and no look comes unasked."""
    monkeypatch.setattr(feeds, "GATHER_SECONDS", 0)
    monkeypatch.setattr(feeds, "POLL_SECONDS", 3600.0)


def line() -> FeedLine:
    return FeedLine(BEGIN, KnownLabels(Disk().memory))


def fed(writer: Writer, position: int, count: int = 1) -> list[FedEntry]:
    """Events of a bucket from a position on."""
    append = writer.ready(*[b'{"type":"x"}'] * count)
    return [
        FedEntry(writer.bucket, position + n, writer.conversation_id, "acme", entry)
        for n, entry in enumerate(append.entries)
    ]


async def test_it_is_read_once_for_any_number_of_readers_and_not_at_all_for_none() -> None:
    async with reading() as node:
        writer = Writer()
        await node.write(writer, b'{"type":"x"}')
        assert node.disk.reads == 0
        node.feed.open()
        readers = [Reader(await node.feed.reach(BEGIN)) for _ in range(50)]
        reads = node.disk.reads
        await node.write(writer, b'{"type":"x"}')
        await until(lambda: all(reader.frames for reader in readers))
        assert node.disk.reads == reads + 1
        assert len({id(reader.frames[0]) for reader in readers}) == 1
        node.feed.close()
        await node.write(writer, b'{"type":"x"}')
        assert node.disk.reads == reads + 1


async def test_a_nodes_own_words_that_it_hears_again_are_no_news() -> None:
    async with reading() as node:
        node.feed.open()
        reader = Reader(await node.feed.reach(BEGIN))
        writer = Writer()
        await node.write(writer, b'{"type":"x"}')
        await until(lambda: reader.frames)
        reads = node.disk.reads
        node.moves.tell(writer.conversation_id, 1)
        await everything_else()
        assert node.disk.reads == reads


async def test_the_line_is_read_on_to_where_a_reader_comes_from() -> None:
    async with reading() as node:
        node.feed.open()
        first = await node.feed.reach(BEGIN)
        await written(node.disk.memory, Writer(5), *[b'{"type":"x"}'] * 40)
        line = await node.feed.reach((0, 0, 0, 0, 0, 40, 0, 0))
        assert line is first
        assert line.end == (0, 0, 0, 0, 0, 40, 0, 0)


async def test_a_follower_that_is_not_at_the_end_reads_for_itself() -> None:
    here = line()
    at_the_end, early = Reader(here), Reader(here)
    early.cursor = (7,) * 8
    here.extend(fed(Writer(), 1))
    assert (at_the_end.behind, early.behind) == (False, True)
    assert early.frames == []


async def test_what_is_not_of_the_view_moves_the_cursor_all_the_same() -> None:
    here = line()
    stranger = Reader(here, FeedView(tenant_id="other"))
    here.extend(fed(Writer(), 1))
    assert (stranger.frames, stranger.cursor) == ([b""], here.end)


async def test_a_view_that_cannot_be_rendered_fails_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = line()
    healthy = Reader(here)
    sick = Reader(here, FeedView(tenant_id="acme", conversations=frozenset()))
    monkeypatch.setattr(
        FeedView, "includes", lambda view, *_: view.conversations is None or 1 / 0 > 0
    )
    here.extend(fed(Writer(), 1))
    assert healthy.frames
    assert sick.behind


async def test_a_line_that_is_cut_ends_those_who_follow_it() -> None:
    here = line()
    reader = Reader(here)
    here.cut()
    assert reader.ended
    assert here.over


async def test_the_window_is_bounded_and_says_what_it_does_not_reach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed_line, "WINDOW_BYTES", 1000)
    here, writer = line(), Writer()
    for position in range(1, 100):
        here.extend(fed(writer, position))
    assert here.since(BEGIN) is None
    since = here.since((98, *BEGIN[1:]))
    assert since is not None
    assert [event.fed.position for event in since] == [99]
    kept = [n for n in range(99) if here.since((n, *BEGIN[1:])) is not None]
    assert 1 < len(kept) < 20


portions = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4)), min_size=1, max_size=12)


@settings(deadline=None)
@given(portions=portions, order=st.randoms(use_true_random=False))
async def test_only_places_on_the_line_are_known_to_it(
    portions: Sequence[tuple[int, int]], order: random.Random
) -> None:
    """Another order of the same events has other places, but for those where the two meet."""
    here, writers, ends = line(), [Writer(bucket) for bucket in range(3)], [0] * 3
    batches = []
    for bucket, count in portions:
        batches.append(fed(writers[bucket], ends[bucket] + 1, count))
        ends[bucket] += count
    on_the_line: list[Place] = [BEGIN]
    for batch in batches:
        events, _ = placed(batch, here.end)
        on_the_line += [feed_cursor.parse(e.cursor, 8) for e in events]  # type: ignore[misc]
        here.extend(batch)
    for number, place in enumerate(on_the_line):
        since = here.since(place)
        assert since is not None
        assert [feed_cursor.parse(event.cursor, 8) for event in since] == on_the_line[number + 1 :]
    by_bucket = {bucket: [b for b in batches if b[0].bucket == bucket] for bucket in range(3)}
    elsewhere: Place = BEGIN
    while any(by_bucket.values()):
        bucket = order.choice([bucket for bucket, left in by_bucket.items() if left])
        _, elsewhere = placed(by_bucket[bucket].pop(0), elsewhere)
        assert (here.since(elsewhere) is not None) == (elsewhere in on_the_line)

"""The live end of a log: shared bytes, bounded windows, and nothing missed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.domain import ask
from tests.runtime.disk import Disk
from tests.runtime.given import Reader, appended
from tests.store.given import Writer, written
from turnlog.domain.codec import decode
from turnlog.domain.records import Append, Entry
from turnlog.projections.context import Context
from turnlog.projections.view import View, view_of
from turnlog.runtime import tail as tails
from turnlog.runtime.tail import Tail, Tails

CALL = "call_5"
WRITTEN = appended(
    ask.create(),
    ask.submit(),
    ask.start_step(),
    ask.start_item(0, "tool_call", "readFile"),
    ask.append_text('{"filePath":', 0),
    ask.append_text('"a.txt"}', 0),
    ask.complete_item(0),
    ask.complete_step(stop_reason="tool_use"),
    ask.append_output(CALL, "some text"),
    ask.complete_call(CALL),
    ask.start_step(),
    ask.start_item(0),
    ask.append_text("It says: "),
    ask.append_text("some text"),
    ask.complete_item(0),
    ask.complete_step(),
    ask.complete_turn(),
)
LOG = WRITTEN.entries
END = len(LOG)
CODEX = view_of(dialect_name="codex", tools="full")


def frames(first: int, last: int, view: View | None = None) -> bytes:
    """The frames of the log from one offset to another, as a replay has them."""
    view, context = view or View(), Context()
    for entry in LOG:
        context.learn(entry.offset, decode(entry.topic, entry.state))
    return b"".join(view.render(entry, context) for entry in LOG[first - 1 : last])


def tail_at(offset: int) -> Tail:
    """A tail whose readers have read the table to that offset."""
    tail = Tail(WRITTEN.conversation_id)
    tail.reached(offset)
    return tail


async def disk_with(append: Append = WRITTEN) -> Disk:
    disk = Disk()
    bucket = append.conversation_id.bytes[-1] % disk.buckets
    assert await disk.append(bucket, [append]) == [True]
    return disk


def test_followers_at_the_same_place_are_handed_the_same_bytes() -> None:
    tail = tail_at(3)
    one, two = Reader(tail, 3), Reader(tail, 3)
    tail.publish(LOG[3:6])
    tail.publish(LOG[6:8])
    assert b"".join(one.frames) == frames(4, 8)
    assert all(mine is theirs for mine, theirs in zip(one.frames, two.frames, strict=True))
    assert (one.cursor, two.cursor) == (8, 8)


def test_each_view_is_handed_its_own_bytes() -> None:
    tail = tail_at(3)
    messages = view_of(types="message.*")
    everything, some = Reader(tail, 3), Reader(tail, 3, messages)
    tail.publish(LOG[3:14])
    assert b"".join(everything.frames) == frames(4, 14)
    assert b"".join(some.frames) == frames(4, 14, messages) != frames(4, 14)


def test_a_follower_that_is_shown_nothing_moves_on_all_the_same() -> None:
    tail = tail_at(3)
    reader = Reader(tail, 3, view_of(types="turn.completed"))
    tail.publish(LOG[3:6])
    assert (reader.cursor, b"".join(reader.frames)) == (6, b"")


def test_a_follower_that_is_behind_is_told_to_read() -> None:
    tail = tail_at(5)
    behind, there = Reader(tail, 3), Reader(tail, 5)
    tail.publish(LOG[5:7])
    assert (behind.behind, behind.frames, behind.cursor) == (True, [], 3)
    assert (there.behind, there.cursor) == (False, 7)


def test_a_follower_that_has_read_ahead_is_shown_nothing_twice() -> None:
    tail = tail_at(3)
    ahead = Reader(tail, 6)
    tail.publish(LOG[3:6])
    assert (ahead.frames, ahead.behind) == ([], False)
    tail.publish(LOG[6:8])
    assert ahead.frames == [frames(7, 8)]


def test_what_was_shown_before_is_not_shown_again() -> None:
    tail = tail_at(3)
    reader = Reader(tail, 3)
    tail.publish(LOG[3:6])
    tail.publish(LOG[4:6])
    tail.publish(LOG[3:8])
    assert reader.frames == [frames(4, 6), frames(7, 8)]


def test_whoever_has_left_is_shown_nothing() -> None:
    tail = tail_at(3)
    leaver, stayer = Reader(tail, 3), Reader(tail, 3)
    tail.detach(leaver)
    tail.detach(leaver)
    tail.publish(LOG[3:4])
    assert (leaver.frames, stayer.frames) == ([], [frames(4, 4)])


def test_the_window_answers_whoever_is_not_too_far_behind() -> None:
    tail = tail_at(3)
    assert tail.since(3) == []
    tail.publish(LOG[3:6])
    assert tail.since(2) is None
    assert tail.since(3) == list(LOG[3:6])
    assert tail.since(5) == [LOG[5]]
    assert tail.since(6) == []


def test_before_the_end_is_found_nobody_is_said_to_be_there() -> None:
    assert Tail(WRITTEN.conversation_id).since(0) is None


def test_a_gap_clears_the_window_and_sends_its_followers_to_read() -> None:
    tail = tail_at(3)
    tail.publish(LOG[3:5])
    reader = Reader(tail, 5)
    tail.publish(LOG[7:9])
    assert (reader.behind, reader.frames) == (True, [])
    assert tail.since(5) is None
    assert tail.since(7) == list(LOG[7:9])


def test_an_end_that_was_read_leaves_no_hole_in_the_window() -> None:
    tail = tail_at(3)
    tail.publish(LOG[3:5])
    tail.reached(8)
    tail.publish(LOG[8:9])
    assert tail.since(4) is None
    assert tail.since(8) == [LOG[8]]


def test_an_end_that_one_has_read_is_no_secret_to_the_others() -> None:
    tail = tail_at(3)
    one, two = Reader(tail, 3), Reader(tail, 8)
    tail.reached(8)
    assert (one.behind, two.behind) == (True, False)


def test_an_end_that_was_read_too_late_is_not_the_end() -> None:
    tail = tail_at(3)
    tail.publish(LOG[3:6])
    tail.reached(4)
    assert tail.last == 6
    assert tail.since(4) == list(LOG[4:6])


def test_the_window_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tails, "WINDOW_BYTES", 1000)
    tail = tail_at(0)
    for entry in LOG:
        tail.publish([entry])
    window = tail.since(LOG[-6].offset) or []
    assert [entry.offset for entry in window] == [entry.offset for entry in LOG[-5:]]
    kept = next(n for n in range(END) if tail.since(n) is not None)
    assert sum(len(entry.state) for entry in LOG[kept:]) <= 1000
    assert sum(len(entry.state) for entry in LOG[kept - 1 :]) > 1000


def test_an_entry_larger_than_the_window_is_kept_while_it_is_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tails, "WINDOW_BYTES", 10)
    tail = tail_at(3)
    tail.publish(LOG[3:6])
    assert tail.since(5) == [LOG[5]]
    assert tail.since(4) is None


def test_a_turns_follower_is_told_that_it_has_ended() -> None:
    tail = tail_at(3)
    endings: list[bool] = []

    class Turns(Reader):
        def receive(self, frames: bytes, offset: int, *, ended: bool) -> None:
            endings.append(ended)

    Turns(tail, 3, View(turn_id=ask.TURN))
    tail.publish(LOG[3:END])
    assert endings == [True]


def test_one_view_that_cannot_be_rendered_spoils_nothing_for_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr("turnlog.projections.dialects.codex.Codex.render", fail)
    tail = tail_at(0)
    broken, sound = Reader(tail, 0, CODEX), Reader(tail, 0)
    tail.publish(LOG)
    assert (broken.behind, broken.frames) == (True, [])
    assert sound.frames == [frames(1, END)]


# ----------------------------------------------- what dialects need to know


async def test_the_context_is_learned_once_and_kept_up() -> None:
    disk = await disk_with()
    tail = tail_at(5)
    reader = Reader(tail, 5, CODEX)
    await tail.context(disk, 5)
    assert disk.reads == 1
    tail.publish(LOG[5:9])
    tail.publish(LOG[9:END])
    assert b"".join(reader.frames) == frames(6, END, CODEX)
    await tail.context(disk, END)
    assert disk.reads == 1


async def test_two_that_learn_at_once_learn_the_same() -> None:
    disk = await disk_with()
    tail = tail_at(5)
    one, two = await asyncio.gather(tail.context(disk, 5), tail.context(disk, END))
    assert one is two
    tail.publish(LOG[5:END])
    assert (one.offset, disk.reads) == (END, 2)


async def test_after_a_gap_those_who_need_context_read_before_they_are_shown_more() -> None:
    disk = await disk_with()
    tail = tail_at(3)
    await tail.context(disk, 3)
    plain, reader = Reader(tail, 10), Reader(tail, 10, CODEX)
    tail.publish(LOG[10:11])
    assert (reader.behind, plain.behind) == (True, False)
    reader.behind = False
    context = await tail.context(disk, 11)
    reader.receive(CODEX.render(LOG[10], context), 11, ended=False)
    tail.publish(LOG[11:END])
    assert b"".join(reader.frames) == frames(11, END, CODEX)
    assert not reader.behind


async def test_whoever_has_read_ahead_is_not_rendered_from_what_was_known_before() -> None:
    disk = await disk_with()
    tail = tail_at(3)
    known = await tail.context(disk, 3)
    assert known.call(5) is None
    assert (await tail.context(disk, 10)).call(5) is not None


def test_a_log_that_nobody_needs_to_know_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise AssertionError("it was decoded")

    monkeypatch.setattr(tails, "decode", fail)
    tail = tail_at(0)
    reader = Reader(tail, 0)
    tail.publish(LOG)
    assert reader.frames == [frames_undecoded()]


def frames_undecoded() -> bytes:
    return b"".join(View().render(entry, Context()) for entry in LOG)


# ---------------------------------------------------------- the tails of a node


async def test_a_tail_is_kept_while_somebody_has_it_open() -> None:
    node = Tails(Disk())
    one, two = node.open(ask.CONVERSATION), node.open(ask.CONVERSATION)
    assert one is two
    node.close(one)
    assert node.read_here() == [one]
    node.close(two)
    assert node.read_here() == []
    assert node.open(ask.CONVERSATION) is not one


async def test_catching_up_shows_what_is_missing_page_by_page() -> None:
    node = Tails(await disk_with())
    tail = node.open(ask.CONVERSATION)
    assert not node.behind(ask.CONVERSATION, END)
    tail.reached(3)
    reader = Reader(tail, 3)
    assert node.behind(ask.CONVERSATION, END)
    await node.catch_up({ask.CONVERSATION: END})
    assert b"".join(reader.frames) == frames(4, END)
    assert not node.behind(ask.CONVERSATION, END)


async def test_catching_up_ends_where_the_log_does() -> None:
    node = Tails(await disk_with())
    node.open(ask.CONVERSATION).reached(END)
    await node.catch_up({ask.CONVERSATION: END + 5})
    await node.catch_up({ask.SECOND: 1})


async def test_a_defect_in_one_log_is_none_of_the_others_business(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = await disk_with()
    other = Writer()
    await written(disk.memory, other, b'{"type":"conversation.updated"}')
    node = Tails(disk)
    broken, whole = node.open(other.conversation_id), node.open(ask.CONVERSATION)
    for tail in (broken, whole):
        tail.reached(1)
    await written(disk.memory, other, b'{"type":"conversation.updated"}')
    tries = 0

    def defect(entries: Sequence[Entry]) -> None:
        nonlocal tries
        tries += 1
        if tries == 3:
            node.close(broken)
        raise ZeroDivisionError

    monkeypatch.setattr(broken, "publish", defect)
    reader = Reader(whole, 1)
    await node.catch_up({other.conversation_id: 2, ask.CONVERSATION: END})
    assert (reader.cursor, tries) == (END, 1)


# ------------------------------------------------- whatever comes in between


class Pager:
    """One who reads a log as `http.streams.Stream` does, a half step at a time."""

    def __init__(self, tail: Tail, cursor: int) -> None:
        self.view, self.start, self.cursor = View(), cursor, cursor
        self.shown = b""
        self.reading: Sequence[Entry] | None = None
        self.live = False
        self._tail = tail

    def receive(self, frames: bytes, offset: int, *, ended: bool) -> None:
        self.cursor = offset
        self.shown += frames

    def fall_behind(self) -> None:
        self.live = False

    def begin(self, log: Sequence[Entry]) -> None:
        """Ask the table, if the window does not reach so far; the answer comes later."""
        self._tail.detach(self)
        entries = self._tail.since(self.cursor)
        self.reading = log[self.cursor : self.cursor + 3] if entries is None else entries

    def finish(self) -> None:
        """The answer has come."""
        entries, self.reading = self.reading, None
        if entries:
            shown = b"".join(self.view.render(entry, Context()) for entry in entries)
            self.receive(shown, entries[-1].offset, ended=False)
            return
        self._tail.reached(self.cursor)
        if self._tail.since(self.cursor) == []:
            self.live = True
            self._tail.attach(self)


class Reading(RuleBasedStateMachine):
    """Writers here and elsewhere, hints that come late, and readers at their own pace."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Entry] = []
        self.tail = Tail(ask.CONVERSATION)
        self.readers: list[Pager] = []
        self._write(1)

    def _write(self, count: int) -> list[Entry]:
        first = len(self.log) + 1
        self.log += [
            Entry(offset, "message.delta", b"%d" % offset, None, offset)
            for offset in range(first, first + count)
        ]
        return self.log[-count:]

    @rule(count=st.integers(1, 4))
    def another_node_writes(self, count: int) -> None:
        self._write(count)

    @rule(count=st.integers(1, 4))
    def this_node_writes(self, count: int) -> None:
        self.tail.publish(self._write(count))

    @rule()
    def a_hint_comes(self) -> None:
        if self.tail.last:
            self.tail.publish(self.log[self.tail.last :])

    @rule(at=st.floats(0, 1))
    def somebody_comes_to_read(self, at: float) -> None:
        self.readers.append(Pager(self.tail, round(at * len(self.log))))

    @precondition(lambda self: self.readers)
    @rule(which=st.integers(0, 9))
    def one_reads_on(self, which: int) -> None:
        reader = self.readers[which % len(self.readers)]
        if reader.reading is not None:
            reader.finish()
        elif not reader.live:
            reader.begin(self.log)

    @invariant()
    def each_was_shown_exactly_the_log_up_to_its_cursor(self) -> None:
        for reader in self.readers:
            expected = self.log[reader.start : reader.cursor]
            assert reader.shown == b"".join(View().render(each, Context()) for each in expected)

    def teardown(self) -> None:
        for _ in range(2):
            for reader in self.readers:
                while not reader.live:
                    reader.finish() if reader.reading is not None else reader.begin(self.log)
            self.a_hint_comes()
        assert all(reader.cursor == len(self.log) for reader in self.readers)
        self.each_was_shown_exactly_the_log_up_to_its_cursor()


def test_whatever_comes_in_between_each_is_shown_exactly_the_log_after_its_cursor() -> None:
    run_state_machine_as_test(
        Reading, settings=settings(max_examples=80, stateful_step_count=30, deadline=None)
    )


@given(cuts=st.lists(st.integers(0, END), max_size=6), start=st.integers(0, END))
def test_however_it_is_cut_into_commits_the_bytes_are_those_of_a_replay(
    cuts: list[int], start: int
) -> None:
    tail = tail_at(start)
    reader = Reader(tail, start)
    places = sorted({start, END, *(cut for cut in cuts if cut > start)})
    for first, last in pairwise(places):
        tail.publish(LOG[first:last])
    assert b"".join(reader.frames) == frames(start + 1, END)

"""One conversation's mailbox: what gathers, what conflicts, and what happens without a disk."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain import ask
from tests.runtime.disk import Disk
from tests.runtime.given import Facts, Reader
from tests.runtime.waiting import PATIENCE, everything_else, time_passes, until
from turnlog.domain import events
from turnlog.domain.codec import MAX_DELTA_CHARACTERS
from turnlog.domain.commands import Command
from turnlog.domain.errors import (
    ConversationBusy,
    NotFound,
    PreconditionFailed,
    StoreUnavailable,
    TurnSuperseded,
)
from turnlog.runtime import actor as actors
from turnlog.runtime import letters
from turnlog.runtime.actor import Actor
from turnlog.runtime.journal import Journal
from turnlog.runtime.letters import Committed
from turnlog.runtime.standing import Standing, unborn
from turnlog.runtime.tail import Tails

STEP, FIRST, SECOND = 4, 5, 6
"""Offsets in the log of `desk_in_step`."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is away is asked again at once."""
    monkeypatch.setattr(actors, "STORE_RETRY_SECONDS", 0)


class Desk:
    """A node's actor of the one conversation, without a runner."""

    def __init__(
        self, disk: Disk, standing: Standing | None = None, text_interval: float = 0.0
    ) -> None:
        self.disk = disk
        self.moves: list[Standing] = []
        self.tails = Tails(disk)
        self.actor = Actor(
            ask.CONVERSATION,
            store=disk,
            records=disk.memory,
            journal=Journal(disk),
            tails=self.tails,
            moved=lambda _, standing, news: self.moves.append(standing),
            standing=standing,
            text_interval=text_interval,
        )

    async def ask(self, *commands: Command) -> Committed:
        """Ask one after the other; the last answer."""
        for command in commands[:-1]:
            await self.actor.ask(command)
        return await self.actor.ask(commands[-1])

    def begin(self, command: Command) -> asyncio.Task[Committed]:
        return asyncio.create_task(self.actor.ask(command))

    def tell(self, *commands: Command) -> None:
        for command in commands:
            self.actor.tell(command)

    @property
    def deltas(self) -> list[str]:
        """The text of the message so far, in the pieces that are on disk."""
        entries = [entry for batch in self.disk.begun for entry in batch[0].entries]
        return Facts(entries).deltas(SECOND)

    async def log(self) -> Facts:
        await self.actor.settle()
        return await stored(self.disk)


async def stored(disk: Disk) -> Facts:
    """The log, which has no gap."""
    entries = await disk.memory.read(ask.CONVERSATION)
    assert [entry.offset for entry in entries] == list(range(1, len(entries) + 1))
    return Facts(entries)


async def new_desk(*commands: Command, text_interval: float = 0.0) -> Desk:
    """A desk on a disk of its own, with a new conversation and what the commands made of it."""
    desk = Desk(Disk(), unborn(ask.CONVERSATION, b"secret", "acme"), text_interval)
    await desk.ask(ask.create(), *commands)
    return desk


async def desk_in_step(text_interval: float = 0.0) -> Desk:
    """A desk where a model has begun a thought and a message."""
    return await new_desk(
        ask.submit(),
        ask.start_step(),
        ask.start_item(0, "thinking"),
        ask.start_item(1),
        text_interval=text_interval,
    )


def think(text: str, **runner: Any) -> Command:
    return ask.append_text(text, 0, **runner)


def say(text: str, **runner: Any) -> Command:
    return ask.append_text(text, 1, **runner)


@asynccontextmanager
async def slow_disk(desk: Desk) -> Any:
    """While a commit of `begun` is under way; then the disk is quick again."""
    desk.disk.slow = True
    desk.tell(say("begun"))
    await desk.disk.holds()
    yield
    desk.disk.quicken()
    await desk.actor.settle()


# -------------------------------------------------------------- what gathers


async def test_what_is_told_during_a_commit_gathers_in_one_delta_for_each_item() -> None:
    desk = await desk_in_step()
    async with slow_disk(desk):
        for n in range(100):
            desk.tell(think(f"t{n} "), say(f" m{n}"))
    log = await desk.log()
    assert log.deltas(FIRST) == ["".join(f"t{n} " for n in range(100))]
    assert log.deltas(SECOND) == ["begun", "".join(f" m{n}" for n in range(100))]
    assert len(desk.disk.begun) == 5 + 2


async def test_a_quick_disk_gathers_nothing() -> None:
    desk = await desk_in_step()
    for word in ("one ", "two ", "three"):
        desk.tell(say(word))
        await desk.actor.settle()
    assert (await desk.log()).deltas(SECOND) == ["one ", "two ", "three"]


async def test_text_that_keeps_an_interval_gathers_in_it() -> None:
    desk = await desk_in_step(text_interval=3600.0)
    for word in ("one ", "two ", "three ", "four ", "five"):
        desk.tell(say(word))
        await everything_else()
        if word == "three ":
            time_passes(3600.0)
            await everything_else()
    assert desk.deltas == ["one ", "two three "]
    time_passes(3600.0)
    await until(lambda: desk.deltas == ["one ", "two three ", "four five"])


async def test_what_is_no_text_waits_for_no_interval_and_takes_the_text_along() -> None:
    desk = await desk_in_step(text_interval=3600.0)
    desk.tell(say("one "))
    await everything_else()
    desk.tell(say("two"), ask.complete_item(1))
    await everything_else()
    assert desk.deltas == ["one ", "two"]
    time_passes(3600.0)
    await everything_else()
    assert desk.actor.idle
    assert len(desk.disk.begun) == 5 + 2


async def test_settling_waits_for_no_interval() -> None:
    desk = await desk_in_step(text_interval=3600.0)
    desk.tell(say("one "))
    await everything_else()
    desk.tell(say("two"))
    await desk.actor.settle()
    assert desk.deltas == ["one ", "two"]


async def test_text_without_end_waits_for_no_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters, "MAX_WAITING_CHARACTERS", 10)
    desk = await desk_in_step(text_interval=3600.0)
    for word in ("one ", "two ", "three and four"):
        desk.tell(say(word))
        await everything_else()
    assert desk.deltas == ["one ", "two three and four"]
    assert not desk.actor.is_full


async def test_what_comes_in_between_keeps_its_place() -> None:
    desk = await desk_in_step()
    async with slow_disk(desk):
        desk.tell(say(" a"), ask.complete_item(1), ask.start_item(2), think("b"))
        desk.tell(ask.append_text("c", 2), ask.complete_item(2))
    log = await desk.log()
    assert log.topics[6:] == [
        "message.delta",
        "message.delta",
        "message.completed",
        "message.started",
        "thinking.delta",
        "message.delta",
        "message.completed",
    ]
    assert [fact.text for fact in log.all(events.MessageCompleted)] == ["begun a", "c"]


async def test_what_comes_after_something_else_does_not_grow_what_came_before() -> None:
    desk = await desk_in_step()
    async with slow_disk(desk):
        desk.tell(say(" a"), ask.update(title="Tea"), say(" b"), ask.complete_item(1), say("late"))
    assert (await desk.log()).topics[6:] == [
        "message.delta",
        "message.delta",
        "conversation.updated",
        "message.delta",
        "message.completed",
    ]


async def test_a_delta_grows_up_to_its_limit() -> None:
    desk = await desk_in_step()
    half = "x" * (MAX_DELTA_CHARACTERS // 2)
    async with slow_disk(desk):
        desk.tell(*(say(half) for _ in range(5)))
    assert [len(delta) for delta in (await desk.log()).deltas(SECOND)[1:]] == [
        MAX_DELTA_CHARACTERS,
        MAX_DELTA_CHARACTERS,
        MAX_DELTA_CHARACTERS // 2,
    ]


async def test_the_words_of_a_superseded_attempt_take_no_others_with_them() -> None:
    desk = await desk_in_step()
    async with slow_disk(desk):
        desk.tell(say(" old", attempt=0), say(" new"), say(" old", turn_id=ask.THIRD))
    assert (await desk.log()).deltas(SECOND) == ["begun", " new"]


@settings(deadline=None, max_examples=40)
@given(acts=st.lists(st.sampled_from(["think", "say", "commit", "update"]), max_size=40))
def test_nothing_is_lost_and_nothing_is_said_twice(acts: list[str]) -> None:
    async def live() -> None:
        desk = await desk_in_step()
        told: dict[str, str] = {"think": "", "say": ""}
        desk.disk.slow = True
        for number, act in enumerate(acts):
            if act == "commit":
                await everything_else()
                desk.disk.release()
            elif act == "update":
                desk.tell(ask.update(title=f"{number}"))
            else:
                told[act] += f"{number} "
                desk.tell({"think": think, "say": say}[act](f"{number} "))
        desk.disk.quicken()
        log = await desk.log()
        assert "".join(log.deltas(FIRST)) == told["think"]
        assert "".join(log.deltas(SECOND)) == told["say"]
        assert len(log.all(events.ConversationUpdated)) == acts.count("update")

    asyncio.run(live())


# --------------------------------------------------------- one commit at a time


async def test_one_append_is_in_flight_and_the_next_takes_all_that_waits() -> None:
    desk = await desk_in_step()
    before = len(desk.disk.begun)
    async with slow_disk(desk):
        asked = [desk.begin(ask.update(title=f"{n}")) for n in range(10)]
        await everything_else()
        assert len(desk.disk.begun) == before + 1
    assert len(desk.disk.begun) == before + 2
    offsets = [[entry.offset for entry in made] for _, made in [await task for task in asked]]
    assert offsets == [[8 + n] for n in range(10)]


async def test_nobody_is_answered_or_shown_anything_before_it_is_on_disk() -> None:
    desk = await new_desk()
    tail = desk.tails.open(ask.CONVERSATION)
    tail.reached(1)
    reader = Reader(tail, 1)
    desk.disk.slow = True
    asked = desk.begin(ask.update(title="Tea"))
    await desk.disk.holds()
    await everything_else()
    assert (reader.frames, asked.done(), len(desk.moves)) == ([], False, 1)
    desk.disk.release()
    await asked
    assert (reader.cursor, len(desk.moves)) == (2, 2)


async def test_whoever_does_not_wait_for_the_answer_has_asked_all_the_same() -> None:
    desk = await new_desk()
    desk.disk.slow = True
    asked, other = desk.begin(ask.update(title="Tea")), desk.begin(ask.update(summary="Hot"))
    await desk.disk.holds()
    asked.cancel()
    desk.disk.quicken()
    await other
    assert len((await desk.log()).all(events.ConversationUpdated)) == 2


async def test_settling_waits_for_all_that_was_told() -> None:
    desk = await desk_in_step()
    desk.disk.slow = True
    desk.tell(say("Hi"))
    settling = asyncio.create_task(desk.actor.settle())
    await desk.disk.holds()
    desk.tell(say(" there"))
    desk.disk.release()
    await desk.disk.holds()
    assert not settling.done()
    assert not desk.actor.idle
    desk.disk.release()
    await settling
    assert desk.actor.idle


async def test_a_conversation_that_is_not_there_is_said_to_be_so() -> None:
    desk = Desk(Disk())
    desk.tell(say("Hi"))
    for task in [desk.begin(ask.submit()), desk.begin(ask.delete())]:
        with pytest.raises(NotFound):
            await task
    assert await desk.disk.memory.head(ask.CONVERSATION) is None


async def test_a_command_that_cannot_be_written_harms_no_other() -> None:
    desk = await desk_in_step()
    async with slow_disk(desk):
        desk.tell(say(" and on"))
        broken = desk.begin(ask.update(title="\ud800"))
        sound = desk.begin(ask.update(title="Tea"))
        await everything_else()
    with pytest.raises(UnicodeEncodeError):
        await broken
    await sound
    log = await desk.log()
    assert log.deltas(SECOND) == ["begun", " and on"]
    assert log.only(events.ConversationUpdated).title == "Tea"


# ----------------------------------------------------------- other nodes write


async def test_a_command_is_decided_anew_where_another_node_has_written() -> None:
    here = await desk_in_step()
    there = Desk(here.disk)
    await there.ask(ask.update(title="Tea"))
    here.tell(say("Hi"))
    _, made = await here.ask(ask.update(summary="Hot"))
    assert [entry.offset for entry in made] == [9]
    assert (await here.log()).topics[6:] == [
        "conversation.updated",
        "message.delta",
        "conversation.updated",
    ]
    assert here.actor.standing is not None
    assert here.actor.standing.state.touched == 9


async def test_what_another_node_has_written_is_shown_here_once_it_is_found() -> None:
    here = await new_desk()
    tail = here.tails.open(ask.CONVERSATION)
    tail.reached(1)
    reader = Reader(tail, 1)
    await Desk(here.disk).ask(ask.update(title="Tea"))
    await here.ask(ask.update(title="Coffee"))
    assert (reader.cursor, reader.behind) == (3, False)
    shown = b"".join(reader.frames)
    assert shown.index(b"Tea") < shown.index(b"Coffee")


async def test_a_precondition_is_about_the_log_as_it_is() -> None:
    here = await new_desk()
    there = Desk(here.disk)
    await there.ask(ask.update(title="Tea"))
    _, made = await here.ask(ask.update(if_match=2, summary="Hot"))
    assert made[0].offset == 3
    await there.ask(ask.update(title="Coffee"))
    with pytest.raises(PreconditionFailed) as refusal:
        await here.ask(ask.update(if_match=3, title="Milk"))
    assert refusal.value.details == {"offset": 4}


async def test_a_conversation_is_busy_only_if_it_still_is() -> None:
    here = await desk_in_step()
    there = Desk(here.disk)
    with pytest.raises(ConversationBusy):
        await here.ask(ask.submit(ask.SECOND, on_busy="reject"))
    await there.ask(ask.complete_turn())
    await here.ask(ask.submit(ask.SECOND, on_busy="reject"))
    assert len((await here.log()).all(events.TurnStarted)) == 2


async def test_a_refusal_that_rests_on_what_is_not_written_is_none() -> None:
    desk = await new_desk()
    desk.disk.slow = True
    before = desk.begin(ask.update(title="Tea"))
    await desk.disk.holds()
    first = desk.begin(ask.submit())
    second = desk.begin(ask.submit(ask.SECOND, on_busy="reject"))
    await everything_else()
    desk.disk.release()
    await before
    await desk.disk.holds()
    assert not second.done()
    desk.disk.lost()
    for task in (first, second):
        with pytest.raises(StoreUnavailable):
            await task


async def test_a_refusal_that_rests_on_what_is_written_with_it_stands() -> None:
    desk = await new_desk()
    first = desk.begin(ask.submit())
    second = desk.begin(ask.submit(ask.SECOND, on_busy="reject"))
    await first
    with pytest.raises(ConversationBusy):
        await second


async def test_two_nodes_that_write_at_once_leave_no_gap_and_lose_nothing() -> None:
    here = await new_desk()
    there = Desk(here.disk)
    asked = [
        desk.begin(ask.update(title=f"{name} {n}"))
        for n in range(30)
        for name, desk in (("here", here), ("there", there))
    ]
    answers = [await task for task in asked]
    log = await here.log()
    assert sorted(entry.offset for _, made in answers for entry in made) == list(range(2, 62))
    titles = [str(fact.title) for fact in log.all(events.ConversationUpdated)]
    for name in ("here", "there"):
        assert [t for t in titles if t.startswith(f"{name} ")] == [f"{name} {n}" for n in range(30)]


async def test_a_runner_whose_turn_another_node_has_ended_is_told_so_and_its_words_dropped() -> (
    None
):
    here = await desk_in_step()
    await Desk(here.disk).ask(ask.delete())
    here.tell(say("too late"))
    with pytest.raises(TurnSuperseded):
        await here.ask(ask.complete_step())
    assert (await here.log()).topics[-1] == "conversation.deleted"
    assert here.moves[-1].state.running is None


# ------------------------------------------------------------ the disk is away


async def test_clients_are_told_at_once_that_the_store_is_away() -> None:
    desk = await new_desk()
    desk.disk.away = True
    for command in (ask.update(title="Tea"), ask.submit()):
        with pytest.raises(StoreUnavailable):
            await desk.ask(command)
    desk.disk.away = False
    await desk.ask(ask.update(title="Coffee"))
    assert (await desk.log()).only(events.ConversationUpdated).title == "Coffee"


async def test_a_runners_words_wait_for_the_store_and_are_written_once() -> None:
    desk = await desk_in_step()
    desk.disk.away = True
    desk.tell(say("one "))
    await everything_else()
    desk.tell(say("two"))
    step = desk.begin(ask.complete_step())
    await everything_else()
    assert not step.done()
    desk.disk.away = False
    await step
    log = await desk.log()
    assert "".join(log.deltas(SECOND)) == "one two"
    assert log.topics.count("step.completed") == 1


async def test_what_was_written_without_word_of_it_is_not_written_again() -> None:
    desk = await desk_in_step()
    desk.disk.silent = True
    desk.tell(say("one "))
    await everything_else()
    desk.tell(say("two"))
    desk.disk.silent = False
    log = await desk.log()
    assert log.deltas(SECOND) == ["one ", "two"]


async def test_nor_if_another_node_has_written_after_it() -> None:
    desk = await desk_in_step()
    desk.disk.silent = True
    desk.tell(say("one "))
    await everything_else()
    there = Desk(Disk(desk.disk.memory))
    await there.ask(ask.update(title="Tea"))
    desk.disk.silent = False
    desk.tell(say("two"))
    log = await desk.log()
    assert log.deltas(SECOND) == ["one ", "two"]
    assert log.topics[6:] == ["message.delta", "conversation.updated", "message.delta"]


async def test_clients_do_not_wait_behind_a_runners_words() -> None:
    desk = await desk_in_step()
    desk.disk.away = True
    desk.tell(say("one"))
    await everything_else()
    with pytest.raises(StoreUnavailable):
        await asyncio.wait_for(desk.ask(ask.update(title="Tea")), PATIENCE)
    desk.disk.away = False
    log = await desk.log()
    assert log.deltas(SECOND) == ["one"]
    assert log.all(events.ConversationUpdated) == []


async def test_clients_in_one_append_with_a_runners_words_are_told_too() -> None:
    desk = await desk_in_step()
    async with slow_disk(desk):
        desk.tell(say(" and on"))
        asked = desk.begin(ask.update(title="Tea"))
        await everything_else()
        desk.disk.release()
        await desk.disk.holds()
        desk.disk.lost()
        with pytest.raises(StoreUnavailable):
            await asked
        desk.disk.away = False
    assert (await desk.log()).deltas(SECOND) == ["begun", " and on"]


async def test_a_turn_that_began_without_word_of_it_is_found_once_the_store_is_back() -> None:
    desk = await new_desk()
    desk.disk.silent = True
    asked = desk.begin(ask.submit())
    await everything_else()
    desk.disk.away, desk.disk.silent = True, False
    with pytest.raises(StoreUnavailable):
        await asked
    await everything_else()
    desk.disk.away = False
    await desk.actor.settle()
    assert desk.moves[-1].state.running is not None
    assert desk.moves[-1].head.offset == 3


async def test_a_conversation_whose_creation_never_arrived_is_not_looked_for_for_ever() -> None:
    desk = Desk(Disk(slow=True), unborn(ask.CONVERSATION, b"secret", "acme"))
    asked = desk.begin(ask.create())
    await desk.disk.holds()
    desk.disk.lost()
    with pytest.raises(StoreUnavailable):
        await asked
    desk.disk.away = False
    await desk.actor.settle()
    assert desk.moves == []


# ------------------------------------------------------------------ who may write


async def test_commands_of_a_superseded_attempt_are_dropped() -> None:
    desk = await desk_in_step()
    desk.tell(say("never", attempt=0), ask.complete_item(1, attempt=0), say("Hi"))
    with pytest.raises(TurnSuperseded):
        await desk.ask(ask.complete_turn(attempt=0))
    assert (await desk.log()).topics[6:] == ["message.delta"]


async def test_what_is_told_of_a_closed_item_is_dropped() -> None:
    desk = await desk_in_step()
    desk.tell(ask.complete_item(1), say("late"))
    await desk.ask(ask.complete_step())
    assert (await desk.log()).deltas(SECOND) == []


# ------------------------------------------------------------------ backpressure


async def test_a_provider_that_is_faster_than_the_disk_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(letters, "MAX_WAITING_CHARACTERS", 100)
    desk = await desk_in_step()
    words = [f"{n:03} " for n in range(1000)]
    said = ""

    async def provider() -> None:
        nonlocal said
        for word in words:
            desk.tell(say(word))
            said += word
            await desk.actor.room()

    desk.disk.slow = True
    speaking = asyncio.create_task(provider())
    await desk.disk.holds()
    while not speaking.done():
        await everything_else()
        written = "".join((await stored(desk.disk)).deltas(SECOND))
        assert 100 < len(said) - len(written) <= 2 * (100 + len(words[0]))
        desk.disk.release()
        await desk.disk.holds()
    desk.disk.quicken()
    assert "".join((await desk.log()).deltas(SECOND)) == "".join(words) == said


async def test_there_is_room_while_the_disk_keeps_up() -> None:
    desk = await desk_in_step()
    async with asyncio.timeout(PATIENCE):
        for _ in range(100):
            desk.tell(say("word " * 3000))
            await desk.actor.room()
            await desk.actor.settle()


async def test_a_store_that_is_away_stops_the_provider_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(letters, "MAX_WAITING_CHARACTERS", 10)
    desk = await desk_in_step()
    desk.disk.away = True
    desk.tell(say("one"))
    await everything_else()
    desk.tell(say("more than ten characters"))
    room = asyncio.create_task(desk.actor.room())
    await everything_else()
    assert not room.done()
    desk.disk.away = False
    await until(room.done)
    assert "".join((await desk.log()).deltas(SECOND)) == "onemore than ten characters"

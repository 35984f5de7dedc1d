"""A turn has one runner at a time; what others say, and what comes too late, is dropped."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from tests.domain import ask, fact
from tests.domain.given import given
from turnlog.domain import events
from turnlog.domain.commands import RunnerCommand
from turnlog.domain.conversation import evolve
from turnlog.domain.errors import InvalidChange, TurnSuperseded
from turnlog.domain.events import Fact

FIRST, SECOND = fact.FIRST_ITEM, fact.FIRST_ITEM + 1
WORKING = (
    *fact.IN_STEP,
    fact.call_started(fact.CALL),
    fact.call_requested(FIRST, "{}"),
    fact.message_started(),
    fact.turn_cancel_requested(),
)

Runner = Callable[..., RunnerCommand]
every_command = pytest.mark.parametrize(
    "command",
    [
        lambda **runner: ask.start_step(**runner),
        lambda **runner: ask.start_item(2, **runner),
        lambda **runner: ask.append_text("Hi", 1, **runner),
        lambda **runner: ask.complete_item(1, **runner),
        lambda **runner: ask.complete_step(**runner),
        lambda **runner: ask.append_output(fact.CALL, "x", **runner),
        lambda **runner: ask.complete_call(fact.CALL, **runner),
        lambda **runner: ask.retry_step(**runner),
        lambda **runner: ask.complete_turn(**runner),
        lambda **runner: ask.acknowledge_cancel(**runner),
        lambda **runner: ask.fail_turn(fact.OVERLOADED, **runner),
    ],
    ids=[
        "start step",
        "start item",
        "append text",
        "complete item",
        "complete step",
        "append output",
        "complete call",
        "retry step",
        "complete turn",
        "acknowledge cancel",
        "fail turn",
    ],
)


@every_command
def test_the_owner_is_obeyed(command: Runner) -> None:
    assert given(*WORKING).and_then(command()).state.offset > len(WORKING)


@every_command
def test_a_superseded_attempt_is_refused(command: Runner) -> None:
    given(*WORKING, fact.turn_resumed(2)).when(command(attempt=1)).refused(TurnSuperseded)


@every_command
def test_the_attempt_that_resumed_owns_the_turn(command: Runner) -> None:
    resumed = given(*WORKING, fact.turn_resumed(2))
    before = resumed.state.offset
    assert resumed.and_then(command(attempt=2)).state.offset > before


@every_command
def test_an_attempt_that_is_not_yet_is_refused(command: Runner) -> None:
    given(*WORKING).when(command(attempt=2)).refused(TurnSuperseded)


@every_command
def test_the_runner_of_a_turn_that_waits_is_refused(command: Runner) -> None:
    given(*WORKING, fact.turn_queued(ask.SECOND)).when(command(turn_id=ask.SECOND)).refused(
        TurnSuperseded
    )


@every_command
@pytest.mark.parametrize(
    "ending",
    [
        (fact.turn_completed(),),
        (fact.turn_failed(), fact.turn_started(ask.SECOND)),
        (fact.turn_cancelled(), fact.deleted()),
    ],
    ids=["completed", "failed, and the next runs", "deleted"],
)
def test_what_comes_after_a_turns_end_is_refused(command: Runner, ending: tuple[Fact, ...]) -> None:
    waiting = (*WORKING, fact.turn_queued(ask.SECOND))
    given(*waiting, *ending).when(command()).refused(TurnSuperseded)


def test_another_turn_is_not_resumed_by_that() -> None:
    resumed = given(*WORKING, fact.turn_resumed(2, turn=ask.SECOND))
    resumed.when(ask.append_text("Hi", 1)).then(events.MessageDelta(SECOND + 1, "Hi"))


def test_an_attempt_that_resumed_begins_its_items_anew() -> None:
    given(*WORKING, fact.attempt_superseded(FIRST), fact.turn_resumed(2)).and_then(
        ask.start_step(attempt=2)
    ).when(ask.start_item(0, attempt=2)).then(fact.message_started(step=1))


def test_between_the_attempts_no_item_can_be_started() -> None:
    superseded = given(*WORKING, fact.attempt_superseded(FIRST), fact.turn_resumed(2))
    for number in (0, 3):
        superseded.when(ask.start_item(number, attempt=2)).refused(InvalidChange)


def test_a_turn_that_resumed_knows_where_it_runs() -> None:
    state = given(*fact.RUNNING, fact.turn_resumed(2)).state
    assert state.running is not None
    assert state.running.node == "b"


def test_deltas_of_what_is_closed_change_nothing() -> None:
    closed = given(*fact.IN_STEP, fact.message_started(), fact.message_completed(FIRST)).state
    late = evolve(closed, events.MessageDelta(FIRST, "late"))
    assert late == replace(closed, offset=closed.offset + 1)
    late = evolve(closed, events.ToolCallOutputDelta(FIRST, "late"))
    assert late == replace(closed, offset=closed.offset + 1)

"""If-Match: refuse when something came after that offset, but for the running turn's own steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.domain import ask, fact
from tests.domain.given import given
from turnlog.domain import events
from turnlog.domain.commands import SubmitMessage, UpdateConversation
from turnlog.domain.decisions import decide
from turnlog.domain.errors import NotFound, PreconditionFailed
from turnlog.domain.events import Fact


def _update(if_match: int) -> UpdateConversation:
    return ask.update(if_match, title="Tea")


def _submit(if_match: int) -> SubmitMessage:
    return ask.submit(ask.THIRD, if_match=if_match)


Ask = Callable[[int], UpdateConversation | SubmitMessage]
both = pytest.mark.parametrize("asked", [_update, _submit])

OWN_STEPS: tuple[Fact, ...] = (
    fact.step_started(),
    fact.message_started(),
    events.MessageDelta(5, "Hi"),
    fact.message_completed(5, "Hi"),
    fact.step_completed(),
)


@both
def test_where_the_log_ends_the_precondition_holds(asked: Ask) -> None:
    assert decide(asked(2), given(fact.created(), fact.updated(title="Te")).state)


@both
@pytest.mark.parametrize(
    "other",
    [
        fact.updated(title="Te"),
        fact.turn_queued(ask.SECOND),
        fact.turn_steered(),
        fact.turn_cancel_requested(),
    ],
    ids=lambda other: type(other).__name__,
)
def test_it_fails_after_what_somebody_else_did(asked: Ask, other: Fact) -> None:
    moved = given(*fact.RUNNING, *OWN_STEPS, other, *OWN_STEPS)
    there = len(fact.RUNNING) + len(OWN_STEPS) + 1
    moved.when(asked(there - 1)).refused(PreconditionFailed, f"offset {there + len(OWN_STEPS)}")
    assert decide(asked(there), moved.state)


@both
def test_the_steps_of_the_running_turn_do_not_matter(asked: Ask) -> None:
    running = given(*fact.RUNNING, *OWN_STEPS)
    for offset in range(2, running.state.offset + 1):
        assert decide(asked(offset), running.state)
    running.when(asked(1)).refused(PreconditionFailed)


@both
@pytest.mark.parametrize(
    "ending", [(fact.turn_completed(),), (fact.turn_failed(), fact.turn_started(ask.SECOND))]
)
def test_neither_do_its_end_and_the_start_of_the_next(asked: Ask, ending: Any) -> None:
    waiting = (*fact.RUNNING, fact.turn_queued(ask.SECOND))
    assert decide(asked(len(waiting)), given(*waiting, *ending).state)


@both
def test_nor_does_what_a_later_release_wrote(asked: Ask) -> None:
    assert decide(asked(1), given(fact.created(), None).state)


@both
def test_it_fails_beyond_the_end_of_the_log(asked: Ask) -> None:
    given(fact.created()).when(asked(2)).refused(PreconditionFailed, "offset 1")


@both
def test_what_is_deleted_is_not_there_whatever_the_precondition(asked: Ask) -> None:
    given(fact.created(), fact.deleted()).when(asked(1)).refused(NotFound)

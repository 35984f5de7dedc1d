"""A step that failed is tried again: of what it left, only the cost counts."""

from __future__ import annotations

from tests.domain import ask, fact
from tests.domain.given import given
from turnlog.domain import events
from turnlog.domain.values import Usage

STEP, FIRST, SECOND = len(fact.IN_STEP), fact.FIRST_ITEM, fact.FIRST_ITEM + 1
COST = Usage(input_tokens=3, output_tokens=1, estimated=True)


def test_what_the_step_left_open_is_closed_and_superseded() -> None:
    given(
        *fact.IN_STEP,
        fact.thinking_started(),
        fact.call_started(f"call_{SECOND}"),
        events.ThinkingDelta(FIRST, "Hm"),
        events.ToolCallArgumentsDelta(SECOND, '{"a'),
    ).when(ask.retry_step(usage=COST)).then(
        fact.thinking_completed(FIRST, "Hm", partial=True),
        fact.call_requested(SECOND, '{"a', partial=True),
        fact.call_completed(SECOND, "cancelled", duration_ms=0),
        fact.attempt_superseded(STEP, COST),
        fact.turn_retrying(),
    )


def test_what_was_whole_is_superseded_too() -> None:
    whole = (fact.call_started(fact.CALL), fact.call_requested(FIRST, "{}"))
    given(*fact.IN_STEP, *whole).when(ask.retry_step()).then(
        fact.call_completed(FIRST, "cancelled", duration_ms=0),
        fact.attempt_superseded(STEP),
        fact.turn_retrying(),
    )


def test_of_a_step_that_left_nothing_nothing_is_superseded() -> None:
    given(*fact.IN_STEP).when(ask.retry_step(2)).then(fact.turn_retrying(2))


def test_its_cost_is_told_all_the_same() -> None:
    given(*fact.IN_STEP).when(ask.retry_step(usage=COST)).then(
        fact.attempt_superseded(STEP, COST), fact.turn_retrying()
    )


def test_the_next_try_has_the_number_of_the_step() -> None:
    second = given(*fact.ANSWERED, fact.turn_steered(), fact.step_started(2))
    second.and_then(ask.retry_step()).when(ask.start_step()).then(fact.step_started(2))
    begun = second.and_then(ask.start_item(0), ask.retry_step())
    begun.when(ask.start_step()).then(fact.step_started(2))
    again = begun.and_then(ask.start_step(), ask.start_item(0), ask.retry_step(2))
    again.when(ask.start_step()).then(fact.step_started(2))


def test_the_next_try_begins_its_items_anew() -> None:
    retried = given(*fact.IN_STEP, fact.message_started()).and_then(ask.retry_step())
    retried.and_then(ask.start_step()).when(ask.start_item(0)).then(fact.message_started())


def test_the_turn_does_not_end_between_the_tries() -> None:
    retried = given(*fact.IN_STEP, fact.message_started()).and_then(ask.retry_step())
    retried.when(ask.complete_turn()).then()


def test_every_try_is_counted() -> None:
    tried = given(*fact.IN_STEP, fact.message_started()).and_then(
        ask.retry_step(usage=COST),
        ask.start_step(),
        ask.retry_step(2, usage=COST),
        ask.start_step(),
        ask.complete_step(),
    )
    tried.when(ask.complete_turn()).then(fact.turn_completed(usage=ask.USAGE + COST + COST))


def test_what_a_try_had_said_is_no_answer() -> None:
    said = (fact.message_started(), fact.message_completed(FIRST, "Hi"))
    tried = given(*fact.IN_STEP, *said).and_then(
        ask.retry_step(), ask.start_step(), ask.complete_step()
    )
    tried.when(ask.complete_turn()).then(fact.turn_completed(usage=ask.USAGE))

"""Submitting messages: turns start, wait, and follow each other."""

from __future__ import annotations

import pytest

from tests.domain import ask, fact
from tests.domain.given import fold, given
from turnlog.domain.errors import ConversationBusy
from turnlog.domain.values import OnBusy, Overrides, Reasoning, Usage

LATER_MODEL = Overrides(**ask.OTHER_MODEL)


def test_on_an_idle_conversation_a_turn_is_queued_and_started_at_once() -> None:
    given(fact.created()).when(ask.submit(node="a")).then(
        fact.turn_queued(), fact.turn_started(node="a")
    )


@pytest.mark.parametrize("on_busy", ["enqueue", "reject", "interrupt", "steer"])
def test_what_to_do_when_busy_does_not_matter_to_the_idle(on_busy: OnBusy) -> None:
    given(fact.created()).when(ask.submit(on_busy=on_busy)).then(
        fact.turn_queued(on_busy=on_busy), fact.turn_started()
    )


def test_while_a_turn_runs_the_next_one_waits() -> None:
    given(*fact.RUNNING).when(ask.submit(ask.SECOND)).then(fact.turn_queued(ask.SECOND))


def test_a_message_that_will_not_wait_is_rejected_while_a_turn_runs() -> None:
    given(*fact.RUNNING).when(ask.submit(ask.SECOND, on_busy="reject")).refused(ConversationBusy)


def test_the_next_turn_starts_with_the_ending_of_the_one_before() -> None:
    given(*fact.RUNNING, fact.turn_queued(ask.SECOND)).when(ask.complete_turn()).then(
        fact.turn_completed(), fact.turn_started(ask.SECOND)
    )


def test_it_starts_so_after_a_failure_too() -> None:
    given(*fact.RUNNING, fact.turn_queued(ask.SECOND)).when(ask.fail_turn(fact.OVERLOADED)).then(
        fact.turn_failed(), fact.turn_started(ask.SECOND)
    )


def test_the_next_turn_starts_where_the_one_before_ran() -> None:
    idle = given(fact.created()).and_then(ask.submit(node="a"), ask.submit(ask.SECOND, node="b"))
    idle.when(ask.complete_turn()).then(
        fact.turn_completed(), fact.turn_started(ask.SECOND, node="a")
    )


def test_turns_start_in_the_order_in_which_they_were_queued() -> None:
    waiting = given(*fact.RUNNING, fact.turn_queued(ask.SECOND), fact.turn_queued(ask.THIRD))
    waiting.when(ask.complete_turn()).then(fact.turn_completed(), fact.turn_started(ask.SECOND))
    waiting.and_then(ask.complete_turn()).when(ask.complete_turn(turn_id=ask.SECOND)).then(
        fact.turn_completed(turn=ask.SECOND), fact.turn_started(ask.THIRD)
    )


def test_after_the_last_turn_the_conversation_is_idle_again() -> None:
    given(*fact.RUNNING, fact.turn_completed()).when(ask.submit(ask.SECOND)).then(
        fact.turn_queued(ask.SECOND), fact.turn_started(ask.SECOND)
    )


def test_a_turn_may_have_a_model_of_its_own() -> None:
    given(fact.created()).when(ask.submit(overrides=LATER_MODEL)).then(
        fact.turn_queued(**ask.OTHER_MODEL), fact.turn_started(**ask.OTHER_MODEL)
    )


def test_it_is_that_turns_only() -> None:
    given(*fact.RUNNING).and_then(
        ask.submit(ask.SECOND, overrides=LATER_MODEL), ask.submit(ask.THIRD), ask.complete_turn()
    ).when(ask.complete_turn(turn_id=ask.SECOND)).then(
        fact.turn_completed(turn=ask.SECOND), fact.turn_started(ask.THIRD)
    )


def test_a_turn_that_waited_keeps_its_own_settings() -> None:
    thinks = Reasoning(effort="high")
    settings = Overrides(reasoning=thinks, max_output_tokens=9, temperature=0.1, tools=())
    running = (
        given(fact.created(temperature=0.9, instructions="Be kind."), *fact.RUNNING[1:])
        .and_then(ask.submit(ask.SECOND, overrides=settings), ask.complete_turn())
        .state.running
    )
    assert running is not None
    assert running.settings == ask.configuration(
        instructions="Be kind.", reasoning=thinks, max_output_tokens=9, temperature=0.1, tools=()
    )


def test_a_turn_that_never_started_can_end() -> None:
    state = fold(*fact.RUNNING, fact.turn_queued(ask.SECOND), fact.turn_cancelled(ask.SECOND))
    assert state.queue == ()
    assert state.running is not None
    assert state.running.turn_id == ask.TURN


def test_a_completed_turn_names_the_message_that_answers_and_what_it_cost() -> None:
    first = fact.FIRST_ITEM
    given(*fact.IN_STEP).and_then(
        ask.start_item(), ask.append_text("Hi"), ask.complete_item(), ask.complete_step()
    ).when(ask.complete_turn()).then(fact.turn_completed(answer=first, usage=ask.USAGE))


def test_the_last_whole_message_is_the_one_that_answers() -> None:
    given(
        *fact.IN_STEP,
        fact.message_started(),
        fact.message_started(),
        fact.message_completed(fact.FIRST_ITEM),
        fact.message_completed(fact.FIRST_ITEM + 1, partial=True),
    ).when(ask.complete_turn()).then(fact.turn_completed(answer=fact.FIRST_ITEM))


def test_what_a_superseded_attempt_said_answers_nothing() -> None:
    said = (fact.message_started(), fact.message_completed(fact.FIRST_ITEM))
    again = (ask.start_step(), ask.complete_step())
    superseded = given(*fact.IN_STEP, *said, fact.attempt_superseded(fact.FIRST_ITEM))
    superseded.and_then(*again).when(ask.complete_turn()).then(fact.turn_completed(usage=ask.USAGE))
    later = given(*fact.IN_STEP, *said, fact.attempt_superseded(fact.FIRST_ITEM + 1))
    later.and_then(*again).when(ask.complete_turn()).then(
        fact.turn_completed(answer=fact.FIRST_ITEM, usage=ask.USAGE)
    )


def test_the_usage_of_all_steps_is_added_up_also_of_one_that_failed() -> None:
    given(
        *fact.RUNNING,
        fact.step_started(1),
        fact.step_completed(1, usage=Usage(input_tokens=1, output_tokens=2, reasoning_tokens=3)),
        fact.step_started(2),
        fact.step_completed(2, usage=Usage(input_tokens=10, cached_input_tokens=4)),
        fact.step_started(3),
    ).when(
        ask.fail_turn(
            fact.OVERLOADED, Usage(input_tokens=100, cache_write_tokens=5, estimated=True)
        )
    ).then(
        fact.turn_failed(
            usage=Usage(
                input_tokens=111,
                output_tokens=2,
                cached_input_tokens=4,
                cache_write_tokens=5,
                reasoning_tokens=3,
                estimated=True,
            )
        )
    )

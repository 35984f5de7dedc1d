"""Messages for a busy conversation: those that interrupt, and those that steer."""

from __future__ import annotations

from tests.domain import ask, fact
from tests.domain.given import fold, given

INTERRUPTS = "another message interrupts"
FIRST = fact.FIRST_ITEM

# ----------------------------------------------------------- interrupting


def test_an_interrupting_message_is_queued_with_the_request_to_stop() -> None:
    given(*fact.IN_STEP).when(ask.submit(ask.SECOND, on_busy="interrupt", by="bob")).then(
        fact.turn_cancel_requested(by="bob", reason=INTERRUPTS),
        fact.turn_queued(ask.SECOND, on_busy="interrupt"),
    )


def test_it_goes_before_those_that_wait_and_they_stay() -> None:
    waiting = given(*fact.RUNNING, fact.turn_queued(ask.SECOND))
    interrupted = waiting.and_then(ask.submit(ask.THIRD, on_busy="interrupt", by="bob"))
    interrupted.when(ask.acknowledge_cancel()).then(
        fact.turn_cancelled(by="bob", reason=INTERRUPTS), fact.turn_started(ask.THIRD)
    )
    interrupted.and_then(ask.acknowledge_cancel()).when(ask.complete_turn(turn_id=ask.THIRD)).then(
        fact.turn_completed(turn=ask.THIRD), fact.turn_started(ask.SECOND)
    )


def test_the_last_that_interrupts_goes_first() -> None:
    twice = given(*fact.RUNNING).and_then(ask.submit(ask.SECOND, on_busy="interrupt", by="bob"))
    twice.when(ask.submit(ask.THIRD, on_busy="interrupt", by="carol")).then(
        fact.turn_queued(ask.THIRD, on_busy="interrupt")
    )
    twice.and_then(ask.submit(ask.THIRD, on_busy="interrupt")).when(ask.acknowledge_cancel()).then(
        fact.turn_cancelled(by="bob", reason=INTERRUPTS), fact.turn_started(ask.THIRD)
    )


def test_a_turn_that_ends_before_it_was_interrupted_is_followed_all_the_same() -> None:
    given(*fact.ANSWERED).and_then(ask.submit(ask.SECOND, on_busy="interrupt")).when(
        ask.complete_turn()
    ).then(fact.turn_completed(answer=FIRST, usage=ask.USAGE), fact.turn_started(ask.SECOND))


# --------------------------------------------------------------- steering


def test_a_steering_message_goes_to_the_turn_that_runs() -> None:
    given(*fact.IN_STEP).when(ask.submit(ask.SECOND, "Rather", on_busy="steer")).then(
        fact.turn_steered()
    )


def test_it_passes_those_that_wait() -> None:
    given(*fact.RUNNING, fact.turn_queued(ask.THIRD)).when(
        ask.submit(ask.SECOND, "Rather", on_busy="steer")
    ).then(fact.turn_steered())


def test_a_turn_that_was_steered_in_its_step_takes_another() -> None:
    steered = given(*fact.IN_STEP, fact.turn_steered(), *fact.ANSWERED[len(fact.IN_STEP) :])
    steered.when(ask.complete_turn()).then()
    steered.when(ask.start_step()).then(fact.step_started(2))


def test_a_turn_that_would_have_ended_hears_it_first() -> None:
    steered = given(*fact.ANSWERED, fact.turn_steered())
    steered.when(ask.complete_turn()).then()
    heard = steered.and_then(ask.start_step(), ask.complete_step())
    heard.when(ask.complete_turn()).then(
        fact.turn_completed(answer=FIRST, usage=ask.USAGE + ask.USAGE)
    )


def test_what_was_said_before_a_step_is_heard_in_it() -> None:
    heard = given(*fact.RUNNING, fact.turn_steered()).and_then(ask.start_step())
    heard.and_then(ask.complete_step()).when(ask.complete_turn()).then(
        fact.turn_completed(usage=ask.USAGE)
    )


def test_what_was_said_in_a_step_that_is_tried_again_is_heard_in_the_next_try() -> None:
    retried = given(*fact.IN_STEP, fact.message_started(), fact.turn_steered())
    retried.and_then(ask.retry_step()).when(ask.complete_turn()).then()
    heard = retried.and_then(ask.start_step(), ask.complete_step())
    heard.when(ask.complete_turn()).then(fact.turn_completed(usage=ask.USAGE))


def test_after_calls_and_pauses_the_model_is_asked_again_too() -> None:
    called = given(*fact.CALLED, fact.call_completed(FIRST))
    called.when(ask.complete_turn()).then()
    paused = given(*fact.IN_STEP, fact.step_completed(stop_reason="pause_turn"))
    paused.when(ask.complete_turn()).then()
    for turn in (called.state.running, paused.state.running):
        assert turn is not None
        assert turn.wants_step


def test_a_turn_wants_a_step_until_one_was_completed() -> None:
    for facts in (fact.RUNNING, fact.IN_STEP):
        turn = fold(*facts).running
        assert turn is not None
        assert turn.wants_step
    answered = fold(*fact.ANSWERED).running
    assert answered is not None
    assert not answered.wants_step


def test_a_turn_that_is_being_cancelled_is_not_steered() -> None:
    given(*fact.RUNNING, fact.turn_cancel_requested()).when(
        ask.submit(ask.SECOND, on_busy="steer")
    ).then(fact.turn_queued(ask.SECOND, on_busy="steer"))

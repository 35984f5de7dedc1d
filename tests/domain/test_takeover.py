"""Taking a turn over from a lost node: one append makes its history whole and fences the owner."""

from __future__ import annotations

import pytest

from tests.domain import ask, fact
from tests.domain.given import Given, given
from turnlog.domain import events
from turnlog.domain.codec import MAX_STATE_BYTES, encode
from turnlog.domain.decisions import decide
from turnlog.domain.errors import TurnSuperseded
from turnlog.domain.events import Fact
from turnlog.domain.takeover import MAX_FRUITLESS
from turnlog.domain.values import TurnError

STEP, FIRST, SECOND = len(fact.IN_STEP), fact.FIRST_ITEM, fact.FIRST_ITEM + 1
UNKNOWN = (
    events.ToolCallOutputDelta(FIRST, fact.NOBODY_KNOWS),
    fact.call_completed(FIRST, "unknown", fact.NOBODY_KNOWS, duration_ms=0),
)
CUT_OFF = (
    *fact.IN_STEP,
    fact.call_started(fact.CALL),
    fact.call_requested(FIRST, '{"a', partial=True),
    fact.step_completed(stop_reason="max_tokens"),
)


def test_the_claimer_owns_the_turn_and_whoever_did_is_refused() -> None:
    given(*fact.RUNNING).when(ask.resume(node="b")).then(fact.turn_resumed(2, node="b"))
    resumed = given(*fact.RUNNING).and_then(ask.resume())
    resumed.when(ask.start_step(attempt=1)).refused(TurnSuperseded)
    resumed.when(ask.start_step(attempt=2)).then(fact.step_started())


@pytest.mark.parametrize("attempt", [0, 1, 3])
def test_who_claims_from_an_attempt_that_is_not_the_owner_is_refused(attempt: int) -> None:
    given(*fact.RUNNING).and_then(ask.resume(1)).when(ask.resume(attempt)).refused(TurnSuperseded)


def test_of_two_claimers_one_is_refused() -> None:
    given(*fact.RUNNING).and_then(ask.resume(node="b")).when(ask.resume(node="c")).refused(
        TurnSuperseded
    )


@pytest.mark.parametrize(
    "facts",
    [
        (fact.created(),),
        (*fact.RUNNING, fact.turn_completed()),
        (*fact.RUNNING, fact.turn_queued(ask.SECOND), fact.turn_completed()),
        (*fact.RUNNING, fact.turn_cancelled(), fact.deleted()),
        (),
    ],
    ids=["idle", "ended", "another runs", "deleted", "absent"],
)
def test_what_does_not_run_cannot_be_claimed(facts: tuple[Fact, ...]) -> None:
    given(*facts).when(ask.resume()).refused(TurnSuperseded)


def test_a_turn_that_waits_cannot_be_claimed() -> None:
    given(*fact.RUNNING, fact.turn_queued(ask.SECOND)).when(ask.resume(turn=ask.SECOND)).refused(
        TurnSuperseded
    )


# -------------------------------------------------- in the middle of a step


def test_the_unfinished_step_is_closed_and_superseded() -> None:
    given(
        *fact.IN_STEP,
        fact.message_started(),
        fact.call_started(f"call_{SECOND}"),
        events.MessageDelta(FIRST, "Hel"),
    ).when(ask.resume()).then(
        fact.message_completed(FIRST, "Hel", partial=True),
        fact.call_requested(SECOND, partial=True),
        fact.call_completed(SECOND, "cancelled", duration_ms=0),
        fact.attempt_superseded(STEP),
        fact.turn_resumed(2),
    )


def test_a_call_of_the_unfinished_step_had_not_begun_and_is_superseded() -> None:
    whole = (fact.call_started(fact.CALL), fact.call_requested(FIRST, "{}", repeatable=True))
    given(*fact.IN_STEP, *whole).when(ask.resume()).then(
        fact.call_completed(FIRST, "cancelled", duration_ms=0),
        fact.attempt_superseded(STEP),
        fact.turn_resumed(2),
    )


def test_the_model_is_asked_again_under_the_number_of_the_step() -> None:
    begun = given(*fact.IN_STEP, fact.message_started()).and_then(ask.resume())
    begun.when(ask.complete_turn(attempt=2)).then()
    begun.when(ask.start_step(attempt=2)).then(fact.step_started(1))


def test_a_step_in_which_nothing_was_said_yet_is_asked_again_too() -> None:
    given(*fact.IN_STEP).when(ask.resume()).then(fact.turn_resumed(2))
    for silent in (given(*fact.IN_STEP), given(*fact.IN_STEP).and_then(ask.retry_step())):
        turn = silent.and_then(ask.resume()).state.running
        assert turn is not None
        assert turn.wants_step
        silent.when(ask.start_step(attempt=2)).then(fact.step_started(1))


def test_finished_steps_stand() -> None:
    second = (fact.turn_steered(), fact.step_started(2), fact.message_started(2))
    resumed = given(*fact.ANSWERED, *second).and_then(ask.resume())
    resumed.and_then(ask.start_step(attempt=2), ask.complete_step(attempt=2)).when(
        ask.complete_turn(attempt=2)
    ).then(fact.turn_completed(answer=FIRST, usage=ask.USAGE + ask.USAGE))


# ------------------------------------------------------------ between steps


def test_between_steps_nothing_is_superseded() -> None:
    given(*fact.ANSWERED).when(ask.resume()).then(fact.turn_resumed(2))
    resumed = given(*fact.ANSWERED).and_then(ask.resume())
    resumed.when(ask.complete_turn(attempt=2)).then(
        fact.turn_completed(answer=FIRST, usage=ask.USAGE)
    )


def test_a_call_that_may_be_run_again_stays_open() -> None:
    again = given(*fact.REPEATABLY_CALLED)
    again.when(ask.resume()).then(fact.turn_resumed(2))
    again.and_then(ask.resume()).when(ask.complete_call(fact.CALL, attempt=2)).then(
        fact.call_completed(FIRST)
    )


def test_of_any_other_call_it_is_not_known_whether_it_ran() -> None:
    given(*fact.CALLED).when(ask.resume()).then(*UNKNOWN, fact.turn_resumed(2))


def test_a_call_that_has_spoken_is_not_run_again() -> None:
    told = f"\n{fact.NOBODY_KNOWS}"
    given(*fact.REPEATABLY_CALLED, events.ToolCallOutputDelta(FIRST, "half")).when(
        ask.resume()
    ).then(
        events.ToolCallOutputDelta(FIRST, told),
        fact.call_completed(FIRST, "unknown", f"half{told}", duration_ms=0),
        fact.turn_resumed(2),
    )


def test_a_call_that_was_cut_off_never_ran_and_stays_open() -> None:
    given(*CUT_OFF).when(ask.resume()).then(fact.turn_resumed(2))


def test_results_that_are_there_stand_and_the_model_is_told_of_the_others() -> None:
    both = given(*fact.IN_STEP).and_then(
        ask.start_item(0, "tool_call", "shell"),
        ask.start_item(1, "tool_call", "readFile"),
        ask.complete_item(0),
        ask.complete_item(1, repeatable=True),
        ask.complete_step(),
        ask.complete_call(f"call_{SECOND}"),
    )
    both.when(ask.resume()).then(*UNKNOWN, fact.turn_resumed(2))
    resumed = both.and_then(ask.resume())
    resumed.when(ask.complete_turn(attempt=2)).then()
    resumed.when(ask.start_step(attempt=2)).then(fact.step_started(2))


def test_what_a_call_has_said_may_be_too_long_for_its_result() -> None:
    long = [events.ToolCallOutputDelta(FIRST, "a" * 100_000) for _ in range(3)]
    *_, result, _ = decide(ask.resume(), given(*fact.CALLED, *long).state)
    assert isinstance(result, events.ToolCallCompleted)
    assert result.truncated
    assert result.bytes == 300_000 + len(f"\n{fact.NOBODY_KNOWS}")
    assert len(encode(result)[1]) <= MAX_STATE_BYTES


# --------------------------------------------------------------- the ending


def test_a_turn_that_was_to_be_cancelled_is_ended_by_the_claimer() -> None:
    given(
        *fact.IN_STEP,
        fact.message_started(),
        fact.turn_queued(ask.SECOND),
        fact.turn_cancel_requested(by="bob", reason="enough"),
    ).when(ask.resume(node="b")).then(
        fact.message_completed(FIRST, partial=True),
        fact.turn_cancelled(by="bob", reason="enough"),
        fact.turn_started(ask.SECOND, node="b"),
    )


def test_the_queue_goes_on_where_the_turn_was_resumed() -> None:
    waiting = given(fact.created()).and_then(ask.submit(node="a"), ask.submit(ask.SECOND, node="a"))
    waiting.and_then(ask.resume(node="b")).when(ask.complete_turn(attempt=2)).then(
        fact.turn_completed(), fact.turn_started(ask.SECOND, node="b")
    )


def taken_over(before: Given, times: int) -> Given:
    """The turn after so many owners were lost, each in the midst of a call's arguments."""
    for _ in range(times):
        turn = before.state.running
        assert turn is not None
        before.and_then(
            ask.start_step(attempt=turn.attempt),
            ask.start_item(0, "tool_call", "shell", attempt=turn.attempt),
            ask.resume(turn.attempt),
        )
    return before


def test_a_turn_that_gets_nowhere_is_given_up() -> None:
    lost = taken_over(given(*fact.RUNNING, fact.turn_queued(ask.SECOND)), MAX_FRUITLESS)
    lost.and_then(ask.start_step(attempt=MAX_FRUITLESS + 1))
    error = TurnError(
        code="too_many_attempts",
        message="The turn was taken over 5 times in a row without getting any further.",
        retryable=True,
    )
    lost.when(ask.resume(MAX_FRUITLESS + 1, node="c")).then(
        fact.turn_failed(error=error), fact.turn_started(ask.SECOND, node="c")
    )


def test_a_step_that_was_completed_is_progress() -> None:
    last = MAX_FRUITLESS + 1
    lost = taken_over(given(*fact.RUNNING), MAX_FRUITLESS)
    lost.and_then(ask.start_step(attempt=last), ask.complete_step(attempt=last))
    lost.when(ask.resume(last)).then(fact.turn_resumed(last + 1))


def test_so_is_a_call_that_was_completed() -> None:
    lost = given(*fact.REPEATABLY_CALLED)
    for attempt in range(1, MAX_FRUITLESS + 1):
        lost.and_then(ask.resume(attempt))
    last = MAX_FRUITLESS + 1
    lost.and_then(ask.complete_call(fact.CALL, attempt=last))
    lost.when(ask.resume(last)).then(fact.turn_resumed(last + 1))


def test_a_call_that_takes_every_node_down_with_it_is_given_up() -> None:
    lost = given(*fact.REPEATABLY_CALLED)
    for attempt in range(1, MAX_FRUITLESS + 1):
        lost.and_then(ask.resume(attempt))
    closed, failed = decide(ask.resume(MAX_FRUITLESS + 1), lost.state)
    assert closed == fact.call_completed(FIRST, "cancelled", duration_ms=0)
    assert isinstance(failed, events.TurnFailed)
    assert failed.usage == ask.USAGE

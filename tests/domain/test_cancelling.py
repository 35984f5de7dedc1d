"""Cancelling is a request in the log, which the owner obeys; what only waits ends with it."""

from __future__ import annotations

import pytest

from tests.domain import ask, fact
from tests.domain.given import given
from turnlog.domain import events
from turnlog.domain.errors import InvalidChange, NotFound
from turnlog.domain.values import Usage

FIRST, SECOND = fact.FIRST_ITEM, fact.FIRST_ITEM + 1
REQUESTED = fact.turn_cancel_requested()
ENDED = fact.turn_cancelled(reason=None)


def test_of_a_turn_that_runs_the_request_is_recorded_with_who_and_why() -> None:
    given(*fact.IN_STEP, fact.message_started()).when(ask.cancel(by="bob", reason="enough")).then(
        fact.turn_cancel_requested(by="bob", reason="enough")
    )


def test_a_turn_that_waits_ends_with_the_request() -> None:
    waiting = given(*fact.RUNNING, fact.turn_queued(ask.SECOND), fact.turn_queued(ask.THIRD))
    waiting.when(ask.cancel(ask.SECOND, by="bob", reason="enough")).then(
        fact.turn_cancel_requested(ask.SECOND, by="bob", reason="enough"),
        fact.turn_cancelled(ask.SECOND, by="bob", reason="enough"),
    )
    waiting.and_then(ask.cancel(ask.SECOND)).when(ask.complete_turn()).then(
        fact.turn_completed(), fact.turn_started(ask.THIRD)
    )


def test_asking_again_changes_nothing() -> None:
    given(*fact.RUNNING, REQUESTED).when(ask.cancel(by="bob")).then()
    given(*fact.RUNNING, fact.turn_queued(ask.SECOND)).and_then(ask.cancel(ask.SECOND)).when(
        ask.cancel(ask.SECOND)
    ).then()


@pytest.mark.parametrize(
    "ended", [fact.turn_completed(), fact.turn_failed(), ENDED], ids=lambda ended: type(ended)
)
def test_a_turn_that_has_ended_stays_as_it_ended(ended: events.TurnEnded) -> None:
    given(*fact.RUNNING, ended).when(ask.cancel()).then()
    given(*fact.RUNNING, fact.turn_queued(ask.SECOND), ended, fact.turn_started(ask.SECOND)).when(
        ask.cancel()
    ).then()


def test_a_turn_that_never_was_cannot_be_stopped() -> None:
    given(*fact.RUNNING).when(ask.cancel(ask.THIRD)).then()


def test_in_a_deleted_conversation_nothing_is_cancelled() -> None:
    given(*fact.RUNNING).and_then(ask.delete()).when(ask.cancel()).refused(NotFound)


def test_the_owner_ends_the_turn_as_it_was_asked() -> None:
    given(*fact.RUNNING).and_then(ask.cancel(by="bob", reason="enough")).when(
        ask.acknowledge_cancel()
    ).then(fact.turn_cancelled(by="bob", reason="enough"))


def test_the_first_who_asked_is_named() -> None:
    given(*fact.RUNNING).and_then(ask.cancel(by="bob"), ask.cancel(by="carol")).when(
        ask.acknowledge_cancel()
    ).then(fact.turn_cancelled(by="bob", reason=None))


def test_the_owner_closes_all_that_is_open() -> None:
    given(
        *fact.IN_STEP,
        fact.message_started(),
        events.MessageDelta(FIRST, "Hel"),
        fact.call_started(f"call_{FIRST + 2}"),
        REQUESTED,
    ).when(ask.acknowledge_cancel()).then(
        fact.message_completed(FIRST, "Hel", partial=True),
        fact.call_requested(FIRST + 2, partial=True),
        fact.call_completed(FIRST + 2, "cancelled", duration_ms=0),
        ENDED,
    )


def test_calls_that_ran_are_cancelled_with_what_they_had_said() -> None:
    given(*fact.CALLED, events.ToolCallOutputDelta(FIRST, "half"), REQUESTED).when(
        ask.acknowledge_cancel()
    ).then(
        fact.call_completed(FIRST, "cancelled", "half", duration_ms=0),
        fact.turn_cancelled(reason=None, usage=ask.USAGE),
    )


def test_the_turn_that_waits_starts_where_the_cancelled_one_ran() -> None:
    idle = given(fact.created()).and_then(ask.submit(node="a"), ask.submit(ask.SECOND, node="b"))
    idle.and_then(ask.cancel()).when(ask.acknowledge_cancel()).then(
        ENDED, fact.turn_started(ask.SECOND, node="a")
    )


def test_what_the_step_cost_that_was_stopped_is_counted() -> None:
    cost = Usage(output_tokens=3, estimated=True)
    second = given(*fact.RUNNING, fact.step_started(), fact.step_completed(), fact.step_started(2))
    second.and_then(ask.cancel()).when(ask.acknowledge_cancel(cost)).then(
        fact.turn_cancelled(reason=None, usage=ask.USAGE + cost)
    )


def test_a_step_that_was_completed_meanwhile_is_not_counted_twice() -> None:
    """The runner was stopped while it waited for the step's end to be on disk."""
    estimate = Usage(output_tokens=3, estimated=True)
    given(*fact.ANSWERED, REQUESTED).when(ask.acknowledge_cancel(estimate)).then(
        fact.turn_cancelled(reason=None, usage=ask.USAGE)
    )
    given(*fact.ANSWERED).when(ask.fail_turn(fact.OVERLOADED, estimate)).then(
        fact.turn_failed(usage=ask.USAGE)
    )


def test_nobody_acknowledges_what_nobody_asked() -> None:
    given(*fact.RUNNING).when(ask.acknowledge_cancel()).refused(InvalidChange, "Nobody has asked")
    waiting = given(*fact.RUNNING, fact.turn_queued(ask.SECOND)).and_then(ask.cancel(ask.SECOND))
    waiting.when(ask.acknowledge_cancel()).refused(InvalidChange, "Nobody has asked")


def test_a_turn_that_ends_by_itself_before_it_has_heard_ends_so() -> None:
    given(*fact.ANSWERED, REQUESTED).when(ask.complete_turn()).then(
        fact.turn_completed(answer=FIRST, usage=ask.USAGE)
    )

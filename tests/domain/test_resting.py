"""Turns that rest: calls that wait for their caller's results, or for a person's consent."""

from __future__ import annotations

from typing import Any

import pytest

from tests.domain import ask, fact
from tests.domain.given import EARLIER, Given, given
from turnlog.domain import commands, events
from turnlog.domain.codec import MAX_DELTA_CHARACTERS, MAX_STATE_BYTES, encode
from turnlog.domain.commands import CallDecision, Command
from turnlog.domain.decisions import decide
from turnlog.domain.errors import (
    CallNotOpen,
    ConversationBusy,
    InvalidChange,
    NotFound,
    TurnSuperseded,
)
from turnlog.domain.takeover import MAX_FRUITLESS
from turnlog.domain.turn import RunningTurn
from turnlog.domain.values import TurnError, timestamp

ONE, TWO, THREE = fact.FIRST_ITEM, fact.FIRST_ITEM + 1, fact.FIRST_ITEM + 2
FIRST, SECOND, THIRD = (f"call_{item}" for item in (ONE, TWO, THREE))
WAITED_MS = (ask.NOW - EARLIER) // 1000
RESULT: dict[str, Any] = {"runs_on": "client"}
CONSENT: dict[str, Any] = {"approval": "required"}
BOTH = RESULT | CONSENT
SERVER: dict[str, Any] = {}
NOBODY_CAME = TurnError(
    code="action_expired",
    message="Nobody gave the results or approvals that this turn was waiting for in time.",
    retryable=False,
)


def called(*calls: dict[str, Any], name: str = "shell", node: str = "a") -> Given:
    """A turn whose model has made these calls, each on its terms, at once."""
    begun = given(fact.created()).and_then(ask.submit(node=node), ask.start_step())
    for _ in calls:
        begun.and_then(ask.start_item(len(running(begun).step_items), "tool_call", name))
    for number, terms in enumerate(calls):
        begun.and_then(ask.append_text("{}", number), ask.complete_item(number, **terms))
    return begun.and_then(ask.complete_step(stop_reason="tool_use"))


def rested(*calls: dict[str, Any]) -> Given:
    return called(*calls).and_then(ask.rest())


def running(conversation: Given) -> RunningTurn:
    assert conversation.state.running is not None
    return conversation.state.running


def resumed(attempt: int = 2, node: str = "b") -> events.TurnResumed:
    return fact.turn_resumed(attempt, node=node)


def given_result(item: int, output: str = "", status: Any = "ok") -> list[Any]:
    said = [events.ToolCallOutputDelta(item, output)] if output else []
    return [*said, fact.call_completed(item, status, output, duration_ms=WAITED_MS)]


def denied(item: int, reason: str | None = None) -> list[Any]:
    return [
        fact.call_denied(item, reason=reason),
        fact.call_completed(item, "cancelled", duration_ms=0),
    ]


def at_items(conversation: Given) -> tuple[int, ...]:
    """The items of the calls that are open."""
    return tuple(running(conversation).calls)


# ------------------------------------------------------------------ coming to rest


def test_a_turn_rests_when_all_its_calls_wait_for_somebody() -> None:
    waits = called(RESULT, CONSENT, BOTH)
    waits.when(ask.rest()).then(
        fact.turn_requires_action(
            fact.wanted(ONE, "result"), fact.wanted(TWO, "approval"), fact.wanted(THREE, "approval")
        )
    )


@pytest.mark.parametrize("calls", [(), (SERVER,), (RESULT, SERVER), (CONSENT, SERVER)], ids=str)
def test_a_turn_of_which_something_could_run_does_not_rest(calls: tuple[Any, ...]) -> None:
    called(*calls).when(ask.rest()).then()


def test_a_call_that_was_cut_off_waits_for_nobody() -> None:
    half = given(fact.created()).and_then(
        ask.submit(),
        ask.start_step(),
        ask.start_item(0, "tool_call", "shell"),
        ask.complete_step(stop_reason="max_tokens"),
    )
    half.when(ask.rest()).then()


def test_a_turn_that_rests_is_nobodys() -> None:
    turn = running(rested(RESULT))
    assert (turn.node, turn.resting) == ("", True)
    assert turn.expires_at == timestamp(ask.NOW + ask.PATIENCE)


LATE: list[Command] = [
    ask.rest(),
    ask.start_step(),
    ask.append_output(FIRST, "late"),
    ask.complete_call(FIRST),
    ask.complete_turn(),
    ask.fail_turn(ask.GIVEN_UP),
    ask.acknowledge_cancel(),
    ask.retry_step(),
]


@pytest.mark.parametrize("command", LATE, ids=lambda command: type(command).__name__)
def test_whoever_ran_a_turn_that_rests_can_say_nothing_more_of_it(command: Command) -> None:
    rested(RESULT).when(command).refused(TurnSuperseded)


def test_a_turn_that_rests_cannot_be_claimed() -> None:
    rested(RESULT).when(ask.resume(1)).refused(TurnSuperseded)


def test_a_turn_that_was_asked_to_stop_ends_and_does_not_rest() -> None:
    """The request and the runner's last word may have come together."""
    stopped = called(RESULT, CONSENT).and_then(
        ask.submit(ask.SECOND, node="c"), ask.cancel(by="bob", reason="enough")
    )
    stopped.when(ask.rest()).then(
        fact.call_completed(ONE, "cancelled", duration_ms=0),
        fact.call_completed(TWO, "cancelled", duration_ms=0),
        fact.turn_cancelled(by="bob", reason="enough", usage=ask.USAGE),
        fact.turn_started(ask.SECOND, node="a"),
    )


# ------------------------------------------------------------------------- results


def test_with_its_result_the_turn_goes_on_where_that_was_given() -> None:
    waits = rested(RESULT)
    waits.when(ask.provide(ask.result(FIRST, "12 °C"), node="b")).then(
        *given_result(ONE, "12 °C"), resumed(2, "b")
    )
    turn = running(waits.and_then(ask.provide(ask.result(FIRST, "12 °C"), node="b")))
    assert (turn.node, turn.attempt, turn.resting) == ("b", 2, False)
    waits.when(ask.start_step(attempt=1)).refused(TurnSuperseded)
    waits.when(ask.complete_turn(attempt=2)).then()
    waits.when(ask.start_step(attempt=2)).then(fact.step_started(2))


def test_results_that_come_together_are_one_append() -> None:
    rested(RESULT, RESULT).when(
        ask.provide(ask.result(SECOND, "two"), ask.result(FIRST, "no", "error"))
    ).then(*given_result(TWO, "two"), *given_result(ONE, "no", "error"), resumed())


def test_with_some_of_its_results_the_turn_rests_on_for_the_others() -> None:
    waits = rested(RESULT, RESULT)
    waits.when(ask.provide(ask.result(SECOND, "two"))).then(*given_result(TWO, "two"))
    waits.and_then(ask.provide(ask.result(SECOND, "two")))
    turn = running(waits)
    assert (turn.attempt, turn.node, turn.resting) == (1, "", True)
    assert turn.expires_at == timestamp(ask.NOW + ask.PATIENCE)
    waits.when(ask.provide(ask.result(FIRST))).then(*given_result(ONE), resumed())


def test_a_result_may_be_empty() -> None:
    rested(RESULT).when(ask.provide(ask.result(FIRST))).then(*given_result(ONE), resumed())


def test_a_result_is_given_once() -> None:
    waits = rested(RESULT, RESULT).and_then(ask.provide(ask.result(FIRST, "one")))
    waits.when(ask.provide(ask.result(FIRST, "again"))).refused(
        CallNotOpen, f"The call '{FIRST}' of this turn waits for no result; of its calls these "
        f"do: {SECOND}."
    )  # fmt: skip


def test_a_result_is_given_once_also_in_one_breath() -> None:
    rested(RESULT, RESULT).when(
        ask.provide(ask.result(FIRST, "one"), ask.result(FIRST, "two"))
    ).refused(CallNotOpen)


@pytest.mark.parametrize("call", [SECOND, THIRD, "call_1", "", "nobody's"])
def test_all_results_are_taken_or_none(call: str) -> None:
    waits = rested(RESULT, CONSENT)
    both = ask.provide(ask.result(FIRST, "one"), ask.result(call))
    waits.when(both).refused(CallNotOpen, f"'{call}'")
    waits.when(both).refused(CallNotOpen, f"these do: {FIRST}.")
    waits.when(ask.provide(ask.result(FIRST))).then(
        *given_result(ONE)
    )  # nothing of the refused one was kept


def test_a_call_of_the_servers_own_takes_no_result_from_outside() -> None:
    called(SERVER, RESULT).when(ask.provide(ask.result(FIRST))).refused(CallNotOpen, SECOND)


def test_a_turn_that_is_not_there_or_has_ended_takes_nothing() -> None:
    asked: list[Command] = [
        ask.provide(ask.result(FIRST)),
        ask.decide_calls(ask.decision(FIRST)),
        ask.provide(ask.result(FIRST), turn=ask.SECOND),
        ask.decide_calls(ask.decision(FIRST), turn=ask.SECOND),
    ]
    waits = rested(RESULT).and_then(ask.submit(ask.SECOND))
    for command in asked[2:]:
        waits.when(command).refused(CallNotOpen, "these do: none")
    waits.and_then(ask.cancel(), ask.cancel(ask.SECOND))
    for command in asked:
        waits.when(command).refused(CallNotOpen, "these do: none")


def test_a_turn_that_was_asked_to_stop_takes_nothing() -> None:
    stopping = called(SERVER, RESULT).and_then(ask.cancel())
    stopping.when(ask.provide(ask.result(SECOND))).refused(CallNotOpen)
    stopping.when(ask.decide_calls(ask.decision(SECOND))).refused(CallNotOpen)


def test_a_result_may_come_while_the_servers_own_calls_still_run() -> None:
    runs = called(SERVER, RESULT)
    runs.when(ask.provide(ask.result(SECOND, "early"))).then(*given_result(TWO, "early"))
    turn = running(runs.and_then(ask.provide(ask.result(SECOND, "early"))))
    assert (turn.node, turn.attempt) == ("a", 1)
    runs.when(ask.complete_call(FIRST)).then(fact.call_completed(ONE))


def test_a_result_may_come_before_its_step_is_whole() -> None:
    """A caller who follows the stream knows of the call before the model has ended."""
    speaks = given(fact.created()).and_then(
        ask.submit(),
        ask.start_step(),
        ask.start_item(0, "tool_call", "ask"),
        ask.complete_item(0, **RESULT),
        ask.start_item(1, "message"),
    )
    speaks.when(ask.provide(ask.result(FIRST, "early"))).then(*given_result(ONE, "early"))
    speaks.and_then(ask.provide(ask.result(FIRST, "early")), ask.complete_item(1))
    speaks.and_then(ask.complete_step())
    speaks.when(ask.rest()).then()
    speaks.when(ask.complete_turn()).then()  # the model has not heard the result
    speaks.when(ask.start_step()).then(fact.step_started(2))


def test_a_result_of_a_step_that_came_to_nothing_counts_no_more() -> None:
    speaks = given(fact.created()).and_then(
        ask.submit(),
        ask.start_step(),
        ask.start_item(0, "tool_call", "ask"),
        ask.complete_item(0, **RESULT),
        ask.provide(ask.result(FIRST, "early")),
    )
    step = ONE - 1
    speaks.when(ask.resume()).then(fact.attempt_superseded(step), fact.turn_resumed(2))
    speaks.and_then(ask.resume())
    speaks.when(ask.provide(ask.result(FIRST, "again"))).refused(CallNotOpen)


def test_a_call_that_is_still_being_written_takes_nothing() -> None:
    writes = given(fact.created()).and_then(
        ask.submit(), ask.start_step(), ask.start_item(0, "tool_call", "ask")
    )
    writes.when(ask.provide(ask.result(FIRST))).refused(CallNotOpen)
    writes.when(ask.decide_calls(ask.decision(FIRST))).refused(CallNotOpen)


def test_a_result_too_long_for_one_event_is_whole_in_its_deltas() -> None:
    output = "".join(f"{number:06}\u2028" for number in range(60_000))
    made = decide(ask.provide(ask.result(FIRST, output)), rested(RESULT).state)
    *said, completed, _ = made
    deltas = [one.delta for one in said if isinstance(one, events.ToolCallOutputDelta)]
    assert "".join(deltas) == output
    assert max(map(len, deltas)) == MAX_DELTA_CHARACTERS
    assert isinstance(completed, events.ToolCallCompleted)
    assert output.startswith(completed.output)
    assert (completed.truncated, completed.bytes) == (True, len(output.encode()))
    assert all(len(encode(one)[1]) <= MAX_STATE_BYTES for one in made)


# ----------------------------------------------------------------------- decisions


def test_a_call_that_is_allowed_is_the_servers_to_run() -> None:
    waits = rested(CONSENT)
    waits.when(ask.decide_calls(ask.decision(FIRST, reason="fine"), by="bob")).then(
        fact.call_approved(ONE, by="bob", reason="fine"), resumed()
    )
    waits.and_then(ask.decide_calls(ask.decision(FIRST)))
    assert running(waits).calls[ONE].wants is None
    waits.when(ask.rest(attempt=2)).then()
    waits.when(ask.complete_call(FIRST, attempt=2)).then(fact.call_completed(ONE))


def test_a_call_that_is_denied_ends_with_that_and_the_model_is_told() -> None:
    waits = rested(CONSENT)
    waits.when(ask.decide_calls(ask.decision(FIRST, "deny", "not today"), by="bob")).then(
        fact.call_denied(ONE, by="bob", reason="not today"),
        fact.call_completed(ONE, "cancelled", duration_ms=0),
        resumed(),
    )
    waits.and_then(ask.decide_calls(ask.decision(FIRST, "deny")))
    waits.when(ask.complete_call(FIRST, attempt=2)).refused(NotFound)
    waits.when(ask.start_step(attempt=2)).then(fact.step_started(2))


def test_a_person_may_give_the_call_other_arguments() -> None:
    waits = rested(CONSENT)
    edited = ask.decision(FIRST, arguments='{"command":"ls"}')
    waits.when(ask.decide_calls(edited)).then(
        fact.call_approved(ONE, arguments='{"command":"ls"}'), resumed()
    )
    assert running(waits).calls[ONE].arguments == "{}"
    assert running(waits.and_then(ask.decide_calls(edited))).calls[ONE].arguments == (
        '{"command":"ls"}'
    )


def test_with_some_decisions_only_the_turn_rests_on() -> None:
    waits = rested(CONSENT, CONSENT)
    waits.when(ask.decide_calls(ask.decision(FIRST, "deny"))).then(*denied(ONE))
    waits.and_then(ask.decide_calls(ask.decision(FIRST, "deny")))
    assert running(waits).resting
    waits.when(ask.decide_calls(ask.decision(SECOND, "deny"))).then(*denied(TWO), resumed())


def test_what_is_allowed_does_not_wait_for_the_other_decisions() -> None:
    """Its tool starts at once; then the turn rests again, for the rest."""
    waits = rested(CONSENT, CONSENT)
    waits.when(ask.decide_calls(ask.decision(SECOND))).then(fact.call_approved(TWO), resumed())
    waits.and_then(ask.decide_calls(ask.decision(SECOND)))
    waits.when(ask.rest(attempt=2)).then()
    waits.and_then(ask.complete_call(SECOND, attempt=2))
    waits.when(ask.rest(attempt=2)).then(fact.turn_requires_action(fact.wanted(ONE, "approval")))


@pytest.mark.parametrize("verdict", ["allow", "allowForTurn", "deny"])
@pytest.mark.parametrize("call", [SECOND, THIRD, "call_1"])
def test_all_decisions_are_taken_or_none(call: str, verdict: Any) -> None:
    waits = rested(CONSENT, RESULT)
    both = ask.decide_calls(ask.decision(FIRST, verdict), ask.decision(call, verdict))
    waits.when(both).refused(CallNotOpen, f"'{call}'")


@pytest.mark.parametrize("first", ["allow", "allowForTurn", "deny"])
@pytest.mark.parametrize("then", ["allow", "allowForTurn", "deny"])
def test_a_call_is_decided_once(first: Any, then: Any) -> None:
    waits = rested(CONSENT, CONSENT)
    again = ask.decide_calls(ask.decision(FIRST, first), ask.decision(FIRST, then))
    waits.when(again).refused(CallNotOpen)
    waits.and_then(ask.decide_calls(ask.decision(FIRST, first)))
    waits.when(ask.decide_calls(ask.decision(FIRST, then))).refused(CallNotOpen)


def test_a_call_that_is_allowed_takes_no_result_from_outside() -> None:
    waits = rested(CONSENT, CONSENT).and_then(ask.decide_calls(ask.decision(FIRST)))
    waits.when(ask.provide(ask.result(FIRST))).refused(CallNotOpen)


# ------------------------------------------------------------ for the rest of the turn


def test_to_allow_a_tool_for_the_turn_allows_its_calls_that_wait_as_well() -> None:
    waits = given(fact.created()).and_then(ask.submit(), ask.start_step())
    for number, name in enumerate(("shell", "writeFile", "shell")):
        waits.and_then(
            ask.start_item(number, "tool_call", name), ask.complete_item(number, **CONSENT)
        )
    waits.and_then(ask.complete_step(), ask.rest())
    one, two, three = at_items(waits)
    waits.when(ask.decide_calls(ask.decision(f"call_{one}", "allowForTurn", "go on"))).then(
        fact.call_approved(one, reason="go on", for_turn=True),
        fact.call_approved(three, for_turn=True),
        resumed(),
    )
    waits.and_then(ask.decide_calls(ask.decision(f"call_{one}", "allowForTurn")))
    assert [call.wants for call in running(waits).calls.values()] == [None, "approval", None]
    assert two in running(waits).calls


def test_what_is_denied_by_name_is_denied_though_its_tool_is_allowed() -> None:
    waits = rested(CONSENT, CONSENT, CONSENT)
    waits.when(
        ask.decide_calls(ask.decision(FIRST, "allowForTurn"), ask.decision(SECOND, "deny"))
    ).then(
        fact.call_approved(ONE, for_turn=True),
        *denied(TWO),
        fact.call_approved(THREE, for_turn=True),
        resumed(),
    )


def second_step(name: str, *commands: Command) -> tuple[Given, int]:
    """The turn's next step calls the tool, and does so after these commands."""
    waits = rested(CONSENT).and_then(ask.decide_calls(ask.decision(FIRST, "allowForTurn")))
    waits.and_then(ask.complete_call(FIRST, attempt=2), *commands)
    attempt: dict[str, Any] = {"attempt": running(waits).attempt}
    waits.and_then(ask.start_step(**attempt), ask.start_item(0, "tool_call", name, **attempt))
    (item,) = running(waits).items
    waits.and_then(ask.complete_item(0, **attempt, **CONSENT))
    return waits, item


def test_later_calls_of_a_tool_that_is_allowed_for_the_turn_need_no_consent() -> None:
    later, item = second_step("shell")
    assert running(later).calls[item].wants is None
    other, item = second_step("writeFile")
    assert running(other).calls[item].wants == "approval"


def test_what_is_allowed_for_the_turn_is_so_after_its_node_is_lost() -> None:
    later, item = second_step("shell", ask.resume(2, node="c"))
    assert running(later).calls[item].wants is None


def test_the_next_turn_asks_again() -> None:
    waits = rested(CONSENT).and_then(
        ask.decide_calls(ask.decision(FIRST, "allowForTurn")), ask.submit(ask.SECOND)
    )
    waits.and_then(ask.fail_turn(ask.GIVEN_UP, attempt=2))
    assert running(waits).turn_id == ask.SECOND
    assert running(waits).allowed == frozenset()


# -------------------------------------------------- consent, and then the caller's result


def test_a_function_that_needs_consent_waits_for_that_and_then_for_its_result() -> None:
    waits = rested(BOTH)
    waits.when(ask.provide(ask.result(FIRST))).refused(CallNotOpen, "these do: none")
    waits.when(ask.decide_calls(ask.decision(FIRST))).then(
        fact.call_approved(ONE), fact.turn_requires_action(fact.wanted(ONE, "result"))
    )
    waits.and_then(ask.decide_calls(ask.decision(FIRST)))
    assert (running(waits).attempt, running(waits).node) == (1, "")
    waits.when(ask.decide_calls(ask.decision(FIRST))).refused(CallNotOpen)
    waits.when(ask.provide(ask.result(FIRST, "ok"))).then(*given_result(ONE, "ok"), resumed())


def test_what_is_wanted_then_is_told_with_what_is_wanted_still() -> None:
    waits = rested(BOTH, CONSENT, RESULT)
    waits.when(ask.decide_calls(ask.decision(FIRST))).then(
        fact.call_approved(ONE),
        fact.turn_requires_action(
            fact.wanted(ONE, "result"), fact.wanted(TWO, "approval"), fact.wanted(THREE, "result")
        ),
    )


def test_the_time_for_the_result_is_counted_from_the_consent() -> None:
    waits = rested(BOTH)
    late = commands.DecideCalls(
        at=ask.NOW + 7,
        turn_id=ask.TURN,
        node="b",
        expires_at=ask.NOW + 7 + ask.PATIENCE,
        decisions=(CallDecision(call_id=FIRST, verdict="allow"),),
        by="alice",
    )
    waits.and_then(late)
    assert running(waits).expires_at == timestamp(ask.NOW + 7 + ask.PATIENCE)


def test_mixed_calls_are_answered_by_each_in_its_way() -> None:
    """The server's own has run, one is allowed, one denied, one answered by its caller."""
    waits = called(SERVER, CONSENT, CONSENT, RESULT)
    items = at_items(waits)
    own, allowed, refused, callers = (f"call_{item}" for item in items)
    waits.when(ask.rest()).then()
    waits.and_then(ask.complete_call(own), ask.rest())
    waits.and_then(ask.provide(ask.result(callers, "from afar"), node="b"))
    assert running(waits).resting
    decisions = ask.decide_calls(ask.decision(allowed), ask.decision(refused, "deny"), node="c")
    waits.when(decisions).then(fact.call_approved(items[1]), *denied(items[2]), resumed(node="c"))
    waits.and_then(decisions)
    waits.when(ask.start_item(0, "message", attempt=2)).refused(InvalidChange)
    waits.and_then(ask.complete_call(allowed, attempt=2))
    waits.when(ask.complete_turn(attempt=2)).then()
    waits.when(ask.start_step(attempt=2)).then(fact.step_started(2))


# ------------------------------------------------- what else happens while a turn rests


def test_what_is_said_to_a_turn_that_rests_does_not_wake_it() -> None:
    waits = rested(RESULT)
    waits.when(ask.submit(ask.SECOND, "Rather", on_busy="steer")).then(fact.turn_steered())
    waits.and_then(ask.submit(ask.SECOND, on_busy="steer"))
    assert running(waits).resting
    waits.when(ask.provide(ask.result(FIRST))).then(*given_result(ONE), resumed())


def test_messages_queue_behind_a_turn_that_rests() -> None:
    waits = rested(RESULT)
    waits.when(ask.submit(ask.SECOND, "Next")).then(fact.turn_queued(ask.SECOND, "Next"))
    waits.when(ask.submit(ask.SECOND, on_busy="reject")).refused(ConversationBusy)


def test_an_interrupted_turn_that_rests_ends_there_and_the_other_starts_where_that_was_said() -> (
    None
):
    waits = rested(RESULT).and_then(ask.submit(ask.THIRD))
    waits.when(ask.submit(ask.SECOND, "Stop", on_busy="interrupt", by="bob", node="c")).then(
        fact.turn_cancel_requested(by="bob", reason="another message interrupts"),
        fact.turn_queued(ask.SECOND, "Stop", on_busy="interrupt"),
        fact.call_completed(ONE, "cancelled", duration_ms=0),
        fact.turn_cancelled(by="bob", reason="another message interrupts", usage=ask.USAGE),
        fact.turn_started(ask.SECOND, node="c"),
    )


def test_a_cancelled_turn_that_rests_ends_with_the_request() -> None:
    waits = rested(RESULT, CONSENT).and_then(ask.submit(ask.SECOND))
    cancel = commands.CancelTurn(at=ask.NOW, turn_id=ask.TURN, by="bob", reason="enough", node="c")
    waits.when(cancel).then(
        fact.turn_cancel_requested(by="bob", reason="enough"),
        fact.call_completed(ONE, "cancelled", duration_ms=0),
        fact.call_completed(TWO, "cancelled", duration_ms=0),
        fact.turn_cancelled(by="bob", reason="enough", usage=ask.USAGE),
        fact.turn_started(ask.SECOND, node="c"),
    )
    waits.and_then(cancel).when(cancel).then()


def test_a_turn_that_rests_is_deleted_with_its_conversation() -> None:
    rested(RESULT).when(ask.delete()).then(
        fact.call_completed(ONE, "cancelled", duration_ms=0),
        fact.turn_cancelled(usage=ask.USAGE),
        fact.deleted(),
    )


# --------------------------------------------------------------------------- expiry


DUE = ask.NOW + ask.PATIENCE


@pytest.mark.parametrize("at", [ask.NOW, DUE - 1])
def test_a_turn_may_rest_until_its_time_is_over(at: int) -> None:
    rested(RESULT).when(ask.expire(at)).then()


@pytest.mark.parametrize("at", [DUE, DUE + 1])
def test_then_it_fails_and_the_next_one_starts_where_that_was_seen(at: int) -> None:
    waits = rested(RESULT, BOTH).and_then(ask.submit(ask.SECOND))
    made = decide(ask.expire(at, node="c"), waits.state)
    one, two, failed, started = made
    for item, closed in ((ONE, one), (TWO, two)):
        assert isinstance(closed, events.ToolCallCompleted)
        assert (closed.item, closed.status) == (item, "cancelled")
    assert isinstance(failed, events.TurnFailed)
    assert (failed.error, failed.usage) == (NOBODY_CAME, ask.USAGE)
    assert isinstance(started, events.TurnStarted)
    assert (started.turn_id, started.node) == (ask.SECOND, "c")


def test_an_answer_that_comes_too_late_but_before_the_end_is_taken() -> None:
    late = commands.ProvideResults(
        at=DUE + 5, turn_id=ask.TURN, node="b", expires_at=DUE, results=(ask.result(FIRST),)
    )
    assert isinstance(decide(late, rested(RESULT).state)[-1], events.TurnResumed)


def test_a_turn_that_runs_does_not_expire() -> None:
    called(RESULT).when(ask.expire(DUE)).then()
    again = rested(RESULT).and_then(ask.provide(ask.result(FIRST)))
    again.when(ask.expire(DUE)).then()


def test_another_turn_does_not_expire_in_its_place() -> None:
    waits = rested(RESULT).and_then(ask.submit(ask.SECOND))
    waits.when(ask.expire(DUE, turn=ask.SECOND)).then()
    waits.and_then(ask.cancel()).when(ask.expire(DUE)).then()
    given(fact.created()).when(ask.expire(DUE)).then()


def test_a_turn_of_an_older_release_that_names_no_end_does_not_expire() -> None:
    given(
        *fact.IN_STEP,
        fact.call_started(FIRST),
        fact.call_requested(ONE, "{}", runs_on="client"),
        fact.step_completed(),
        events.TurnRequiresAction(
            at=fact.AT, turn_id=ask.TURN, calls=(fact.wanted(ONE, "result"),)
        ),
    ).when(ask.expire(DUE)).then()


# -------------------------------------------------------------------------- takeover


def test_calls_that_wait_stay_open_when_their_node_is_lost() -> None:
    lost = called(RESULT, CONSENT, SERVER)
    lost.when(ask.resume(node="c")).then(
        events.ToolCallOutputDelta(THREE, fact.NOBODY_KNOWS),
        fact.call_completed(THREE, "unknown", fact.NOBODY_KNOWS, duration_ms=0),
        fact.turn_resumed(2, node="c"),
    )
    lost.and_then(ask.resume(node="c"))
    lost.when(ask.rest(attempt=2)).then(
        fact.turn_requires_action(fact.wanted(ONE, "result"), fact.wanted(TWO, "approval"))
    )


def test_a_call_that_was_allowed_may_have_begun() -> None:
    lost = rested(CONSENT, BOTH).and_then(ask.decide_calls(ask.decision(FIRST)))
    lost.when(ask.resume(2, node="c")).then(
        events.ToolCallOutputDelta(ONE, fact.NOBODY_KNOWS),
        fact.call_completed(ONE, "unknown", fact.NOBODY_KNOWS, duration_ms=0),
        fact.turn_resumed(3, node="c"),
    )
    safe = rested(CONSENT | {"repeatable": True}).and_then(ask.decide_calls(ask.decision(FIRST)))
    safe.when(ask.resume(2, node="c")).then(fact.turn_resumed(3, node="c"))


def test_calls_of_a_step_that_is_void_are_void_whatever_they_wait_for() -> None:
    speaks = given(fact.created()).and_then(ask.submit(), ask.start_step())
    for number, terms in enumerate((RESULT, CONSENT)):
        speaks.and_then(
            ask.start_item(number, "tool_call", "shell"), ask.complete_item(number, **terms)
        )
    one, two = at_items(speaks)
    speaks.when(ask.resume()).then(
        fact.call_completed(one, "cancelled", duration_ms=0),
        fact.call_completed(two, "cancelled", duration_ms=0),
        fact.attempt_superseded(one - 1),
        fact.turn_resumed(2),
    )


def test_to_be_answered_is_progress() -> None:
    lost = called(RESULT)
    for attempt in range(1, MAX_FRUITLESS + 1):
        lost.and_then(ask.resume(attempt))
    last = MAX_FRUITLESS + 1
    lost.and_then(ask.rest(attempt=last), ask.provide(ask.result(FIRST)))
    lost.when(ask.resume(last + 1)).then(fact.turn_resumed(last + 2))


def test_to_rest_is_not() -> None:
    """A turn that a node's death keeps from resting is given up as any other."""
    lost = called(RESULT)
    for attempt in range(1, MAX_FRUITLESS + 1):
        lost.and_then(ask.resume(attempt))
    closed, failed = decide(ask.resume(MAX_FRUITLESS + 1), lost.state)
    assert closed == fact.call_completed(ONE, "cancelled", duration_ms=0)
    assert isinstance(failed, events.TurnFailed)
    assert failed.error.code == "too_many_attempts"

"""A turn's status and its row."""

from __future__ import annotations

import json
from uuid import UUID

import msgspec
import pytest
from hypothesis import given

from tests.projections.logs import CONVERSATION, SECRET, USAGE, Log, logs, moment, patient
from turnlog.domain.records import TurnRow
from turnlog.domain.values import Usage
from turnlog.projections.levels import Level, Levels
from turnlog.projections.turn_view import Answer, Failure, Thought, TurnView
from turnlog.projections.turns import fold_row, turn_status


def status(log: Log, turn: UUID | None = None, levels: Levels | None = None) -> TurnView:
    mine = [
        (offset, fact) for offset, fact in log.facts if log.turn_of[offset] == (turn or log.turn)
    ]
    return turn_status(CONVERSATION, mine, levels or Levels())


def test_a_queued_turn_is_shown_with_the_moment_of_its_acceptance() -> None:
    log = Log().created()
    log.queued("hello")
    shown = status(log)
    assert (shown.status, shown.started_at, shown.completed_at) == ("queued", moment(2), None)
    assert (shown.attempt, shown.model) == (0, None)


def test_a_queued_turn_shows_the_model_that_its_message_named() -> None:
    log = Log().created()
    log.queued("hello", model="large")
    assert status(log).model == "large"


def test_a_completed_turn_shows_the_text_of_the_message_that_answers() -> None:
    log = Log().created()
    log.asked("hello")
    log.message("Wait.")
    log.completed(log.message("Hello."))
    shown = status(log)
    assert (shown.status, shown.result) == ("completed", Answer(content="Hello."))
    assert (shown.started_at, shown.completed_at) == (moment(3), moment(10))
    assert (shown.model_provider_id, shown.model_provider_api, shown.model, shown.attempt) == (
        "demo",
        "script",
        "small",
        1,
    )


def test_a_turn_that_ends_without_a_message_has_no_result() -> None:
    log = Log().created()
    log.asked("hello")
    assert status(log.completed()).result is None


def test_a_failed_turn_tells_why() -> None:
    log = Log().created()
    log.asked("hello")
    log.message("Hel", partial=True)
    shown = status(log.failed("overloaded", "Too many of you."))
    assert (shown.status, shown.result) == ("failed", None)
    assert shown.error == Failure("overloaded", "Too many of you.")


def test_usage_grows_step_by_step_and_ends_as_the_turn_says() -> None:
    log = Log().created()
    log.asked("hello")
    assert status(log).usage == Usage()
    log.step().step_completed().step(2).step_completed(2)
    assert status(log).usage == USAGE + USAGE
    assert status(log.cancelled()).usage == USAGE


def test_what_was_superseded_is_not_shown_and_the_attempt_is_counted() -> None:
    log = Log().created()
    log.asked("hello")
    log.thought("first")
    from_offset = log.thought("second")
    log.requested()
    log.resumed().superseded(from_offset)
    log.thought("third")
    shown = status(log)
    assert [thought.text for thought in shown.thinking] == ["first", "third"]
    assert (shown.tool_calls, shown.attempt) == ([], 2)


def test_a_call_is_shown_with_the_object_it_was_given_and_what_came_of_it() -> None:
    log = Log().created()
    log.asked("hello")
    item = log.requested("readFile", '{"filePath": "a.txt"}')
    (running,) = status(log).tool_calls
    assert (running.status, running.output, running.completed_at) == ("running", None, None)
    (done,) = status(log.output(item, "text")).tool_calls
    assert json.loads(msgspec.json.encode(done)) == {
        "name": "readFile",
        "callId": f"call_{item}",
        "input": {"filePath": "a.txt"},
        "output": "text",
        "status": "ok",
        "startedAt": moment(item),
        "completedAt": moment(item + 4),
    }


@pytest.mark.parametrize("arguments", ["", "{", "[1]", '"a"', '{"a":' * 5000 + "1" + "}" * 5000])
def test_arguments_that_are_no_object_are_shown_as_their_text(arguments: str) -> None:
    log = Log().created()
    log.asked("hello")
    log.requested("readFile", arguments)
    assert status(log).tool_calls[0].input == arguments


def test_the_required_action_is_what_still_has_no_answer() -> None:
    log = Log().created()
    log.asked("hello")
    one, two = log.requested(client=True), log.requested("shell", approval=True)
    assert status(log).required_action is None
    shown = status(log.requires(result=one, approval=two))
    assert shown.status == "requires_action"
    assert wanted(shown) == [(one, "result", "readFile"), (two, "approval", "shell")]
    shown = status(log.output(one, "1"))
    assert shown.status == "requires_action"
    assert wanted(shown) == [(two, "approval", "shell")]
    assert [call.status for call in shown.tool_calls] == ["ok", "requires_action"]
    shown = status(log.denied(two, "no"))
    assert (shown.status, shown.required_action) == ("running", None)


def wanted(shown: TurnView) -> list[tuple[int, str, str]]:
    calls = shown.required_action.calls if shown.required_action else ()
    return [(call.item, call.kind, call.name) for call in calls]


@patient
@given(logs())
def test_the_levels_say_how_much_is_shown(log: Log) -> None:
    for turn in {turn for turn in log.turn_of.values() if turn is not None}:
        full = status(log, turn, Levels("full", "full"))
        summary = status(log, turn, Levels("summary", "summary"))
        nothing = status(log, turn, Levels("none", "none"))
        assert len(summary.thinking) == len(full.thinking)
        assert all(thought == Thought(status=thought.status) for thought in summary.thinking)
        assert [(call.name, call.status) for call in summary.tool_calls] == [
            (call.name, call.status) for call in full.tool_calls
        ]
        assert (nothing.thinking, nothing.tool_calls) == ([], [])
        for shown in (summary, nothing):
            assert SECRET.encode() not in msgspec.json.encode(shown)


@pytest.mark.parametrize("level", ["none", "summary", "full"])
def test_one_level_does_not_touch_the_other(level: Level) -> None:
    log = Log().created()
    log.asked("hello")
    log.thought("hm")
    log.requested()
    full = status(log)
    assert status(log, levels=Levels("full", level)).thinking == full.thinking
    assert status(log, levels=Levels(level, "full")).tool_calls == full.tool_calls


def rows(log: Log, turn: UUID) -> list[TurnRow | None]:
    seen: list[TurnRow | None] = []
    row: TurnRow | None = None
    for offset, fact in log.facts:
        if log.turn_of[offset] == turn:
            row = fold_row(row, CONVERSATION, offset, fact)
            seen.append(row)
    return seen


def test_a_turns_row_says_where_it_begins_and_ends() -> None:
    log = Log().created()
    turn = log.asked("hello")
    log.message("Hello.")
    log.completed()
    row = rows(log, turn)[-1]
    assert row == TurnRow(
        turn_id=turn,
        conversation_id=CONVERSATION,
        status="completed",
        first_offset=2,
        last_offset=7,
        attempt=1,
    )


def test_a_turns_row_names_the_node_that_runs_it() -> None:
    log = Log().created()
    turn = log.asked("hello")
    log.resumed(attempt=2)
    row = rows(log, turn)[-1]
    assert row is not None
    assert (row.node, row.attempt) == ("elsewhere", 2)


def test_what_a_failed_try_cost_counts_while_the_turn_runs() -> None:
    log = Log().created()
    log.asked("hello")
    before = status(log).usage.input_tokens
    log.superseded(3, usage=Usage(input_tokens=7))
    assert status(log).usage.input_tokens == before + 7


def test_a_turns_row_follows_its_status() -> None:
    log = Log().created()
    turn = log.asked("hello")
    item = log.requested(client=True)
    log.requires(result=item).output(item, "1")
    resting = rows(log, turn)[-1]
    assert resting is not None
    assert (resting.status, resting.node) == ("requires_action", None)
    log.resumed().failed()
    states = [row.status for row in rows(log, turn) if row]
    assert list(dict.fromkeys(states)) == ["queued", "running", "requires_action", "failed"]
    assert states[-2:] == ["running", "failed"]


def test_the_events_of_other_turns_leave_a_row_alone() -> None:
    log = Log().created()
    turn = log.asked("one")
    before = rows(log, turn)[-1]
    log.queued("two")
    log.cancelled()
    for offset, fact in log.facts:
        if log.turn_of[offset] != turn:
            assert fold_row(before, CONVERSATION, offset, fact) is before

"""The log in the words of the Codex EventMsg protocol."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from tests.projections import sse
from tests.projections.logs import SECRET, Log, logs, patient
from turnlog.domain.records import Entry
from turnlog.domain.values import ToolCallStatus
from turnlog.projections.context import Context
from turnlog.projections.cursor import parse
from turnlog.projections.levels import Level, Levels
from turnlog.projections.view import View

WORDS = {
    "task_started",
    "agent_message",
    "thinking_started",
    "thinking_delta",
    "thinking_completed",
    "agent_reasoning",
    "tool_call_begin",
    "tool_call_end",
    "exec_command_begin",
    "exec_command_end",
    "requires_action",
    "error",
    "turn_aborted",
    "task_complete",
}


def told(log: Log, levels: Levels | None = None, after: int = 0) -> list[sse.Frame]:
    view = View(dialect="codex", levels=levels or Levels())
    context = log.context
    return sse.frames(b"".join(view.render(entry, context) for entry in log.entries[after:]))


def events(log: Log, levels: Levels | None = None, after: int = 0) -> list[str]:
    return [frame.event for frame in told(log, levels, after)]


def payload(log: Log, event: str, levels: Levels | None = None) -> Any:
    (frame,) = (frame for frame in told(log, levels) if frame.event == event)
    return frame.json


def test_a_turn_is_told_as_a_task() -> None:
    log = Log().created()
    log.asked("hello")
    log.step()
    log.thought("They greet me.")
    answer = log.message("Hello.")
    log.step_completed()
    log.completed(answer)
    assert events(log) == [
        "task_started",
        "thinking_started",
        "thinking_delta",
        "agent_reasoning",
        "thinking_completed",
        "agent_message",
        "task_complete",
    ]
    assert payload(log, "agent_message")["message"] == "Hello."
    assert payload(log, "agent_reasoning")["text"] == "They greet me."
    assert payload(log, "thinking_delta")["delta"] == "They greet me."
    complete = payload(log, "task_complete")
    assert complete["last_agent_message"] == "Hello."
    assert complete["usage"] == {
        "input_tokens": 100,
        "cached_input_tokens": 40,
        "output_tokens": 20,
        "reasoning_output_tokens": 7,
        "total_tokens": 120,
    }


def test_a_task_without_an_answer_has_no_last_message() -> None:
    log = Log().created()
    log.asked("hello")
    log.message("Hel", partial=True)
    assert payload(log.completed(), "task_complete")["last_agent_message"] is None


def test_the_answer_need_not_be_what_was_said_last() -> None:
    log = Log().created()
    log.asked("hello")
    answer = log.message("Hello.")
    log.step(2).message("Hel", partial=True)
    log.superseded(answer + 3).retrying().step(2).message("Oh")
    log.superseded(answer + 3).resumed().step(2).step_completed(2)
    log.message("Half", partial=True)
    assert payload(log.completed(answer), "task_complete")["last_agent_message"] == "Hello."


def test_retries_and_takeovers_have_no_word_here() -> None:
    log = Log().created()
    log.asked("hello")
    before = log.next - 1
    log.step().superseded(before + 1).retrying().step().resumed().step()
    assert events(log, after=before) == []


def test_a_call_of_which_nobody_knows_whether_it_ran_is_an_error() -> None:
    log = Log().created()
    log.asked("hello")
    log.output(log.requested("shell"), "half", "unknown")
    assert "its outcome is unknown" in payload(log, "error")["message"]


def test_a_call_on_the_server_is_a_command_too() -> None:
    log = Log().created()
    turn = log.asked("hello")
    item = log.requested("shell", '{"command":["ls","-l"]}')
    log.output(item, "a b c")
    assert events(log, after=3) == [
        "tool_call_begin",
        "exec_command_begin",
        "exec_command_end",
        "tool_call_end",
    ]
    begin, end = payload(log, "exec_command_begin"), payload(log, "exec_command_end")
    command = {
        "call_id": f"call_{item}",
        "turn_id": str(turn),
        "command": ["ls", "-l"],
        "cwd": ".",
        "parsed_cmd": [],
        "source": "agent",
    }
    assert begin.items() >= command.items()
    assert end.items() >= command.items()
    assert (end["stdout"], end["stderr"], end["exit_code"]) == ("a b c", "", 0)
    assert end["duration"] == {"secs": 1, "nanos": 500_000_000}
    call = payload(log, "tool_call_end")
    assert (call["name"], call["status"], call["output"]) == ("shell", "ok", "a b c")


DEEP = '{"a":' * 5000 + "1" + "}" * 5000


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (DEEP, ["shell", DEEP]),
        ('{"command":"ls -l"}', ["ls -l"]),
        ('{"filePath":"a"}', ["shell", '{"filePath":"a"}']),
        ('{"command":[1]}', ["shell", '{"command":[1]}']),
        ("[1]", ["shell", "[1]"]),
        ("{", ["shell", "{"]),
    ],
)
def test_every_call_has_a_command_line(arguments: str, command: list[str]) -> None:
    log = Log().created()
    log.asked("hello")
    log.requested("shell", arguments)
    assert payload(log, "exec_command_begin")["command"] == command


def test_a_call_that_the_client_runs_is_no_command() -> None:
    log = Log().created()
    log.asked("hello")
    item = log.requested(client=True)
    log.requires(result=item).output(item, "1")
    assert events(log, after=3) == ["tool_call_begin", "requires_action", "tool_call_end"]


def test_a_command_that_needs_approval_begins_when_it_is_approved() -> None:
    log = Log().created()
    log.asked("hello")
    item = log.requested("shell", approval=True)
    log.requires(approval=item)
    assert events(log, after=3) == ["tool_call_begin", "requires_action"]
    log.approved(item)
    assert events(log, after=3)[-1] == "exec_command_begin"
    log.output(item, "done")
    assert events(log, after=3)[-2:] == ["exec_command_end", "tool_call_end"]


def test_what_never_ran_has_no_end_of_a_command() -> None:
    log = Log().created()
    log.asked("hello")
    denied = log.requested("shell", approval=True)
    log.denied(denied, "no").output(denied, "", "cancelled")
    cut_off = log.requested("shell", '{"comm', partial=True)
    log.output(cut_off, "", "cancelled")
    assert events(log, after=3) == ["tool_call_begin", "tool_call_end"] * 2


def test_the_client_is_told_what_is_wanted_of_it_at_every_level() -> None:
    log = Log().created()
    log.asked("hello")
    item = log.requested("shell", approval=True)
    log.requires(approval=item)
    wanted = {"call_id": f"call_{item}", "kind": "approval", "name": "shell"}
    assert payload(log, "requires_action", Levels("none", "none"))["calls"] == [wanted]


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("error", "shell: no such file"),
        ("timeout", "shell took too long and was stopped"),
        ("unknown", "shell was interrupted, and its outcome is unknown"),
    ],
)
@pytest.mark.parametrize("level", ["none", "summary", "full"])
def test_the_error_of_a_failed_call_passes_at_every_level(
    level: Level, status: ToolCallStatus, message: str
) -> None:
    log = Log().created()
    log.asked("hello")
    item = log.requested("shell")
    log.output(item, "no such file", status)
    error = payload(log, "error", Levels("full", level))
    assert (error["message"], error["call_id"]) == (message, f"call_{item}")
    assert events(log, Levels("full", level))[-1] == "error"


def test_at_none_a_call_that_went_well_leaves_no_trace() -> None:
    log = Log().created()
    log.asked("hello")
    log.output(log.requested("shell"), "fine")
    assert events(log, Levels("full", "none"), after=3) == []


def test_a_failed_turn_is_an_error() -> None:
    log = Log().created()
    log.asked("hello")
    log.failed("context_too_long", "Too long.")
    error = payload(log, "error")
    assert (error["message"], error["code"]) == ("Too long.", "context_too_long")
    assert error["codex_error_info"] == "context_window_exceeded"


def test_a_cancelled_turn_is_aborted_with_the_model_that_it_would_have_had() -> None:
    log = Log().created().updated(model="large")
    log.queued("hello")
    log.cancelled(reason="enough").updated(model="small")
    aborted = payload(log, "turn_aborted")
    assert (aborted["reason"], aborted["message"]) == ("interrupted", "enough")
    assert aborted["model"] == "large"


def test_every_payload_says_which_model_its_turn_has() -> None:
    log = Log().created()
    log.queued("hello")
    log.started(model="large")
    log.completed(log.message("Hello."))
    log.asked("again")
    models = [frame.json["model"] for frame in told(log)]
    assert models == ["large", "large", "large", "small"]


def test_an_event_of_a_later_release_has_no_word_here() -> None:
    context = Log().created().context
    context.learn(2, None)
    assert context.offset == 2
    entry = Entry(2, "turn.paused", b'{"type":"turn.paused"}', None, 0)
    assert View(dialect="codex").render(entry, context) == b""


@patient
@given(logs())
def test_every_payload_says_its_name_twice_and_its_model(log: Log) -> None:
    for frame in told(log):
        assert frame.event in WORDS
        assert frame.json["event"] == frame.json["type"] == frame.event
        assert frame.json["modelProviderId"] == "demo"
        assert frame.json["modelProviderApi"] == "script"
        assert frame.json["model"] == "small"


@patient
@given(logs())
def test_of_an_events_frames_the_last_alone_has_its_id(log: Log) -> None:
    context = log.context
    view = View(dialect="codex")
    for entry in log.entries:
        frames = sse.frames(view.render(entry, context))
        if frames:
            *before, last = frames
            assert last.id == f"{entry.turn_id}:{entry.offset}"
            assert parse(last.id) == entry.offset
            assert [frame.id for frame in before] == [None] * len(before)


@patient
@given(logs())
def test_to_know_more_of_the_log_changes_nothing(log: Log) -> None:
    view = View(dialect="codex")
    whole, growing = log.context, Context()
    for entry, (offset, fact) in zip(log.entries, log.facts, strict=True):
        before = view.render(entry, growing)
        growing.learn(offset, fact)
        assert view.render(entry, growing) == before == view.render(entry, whole)


@patient
@given(logs())
def test_at_none_there_is_no_word_of_reasoning(log: Log) -> None:
    frames = told(log, Levels("none", "full"))
    assert not {frame.event for frame in frames} & {
        "thinking_started",
        "thinking_delta",
        "thinking_completed",
        "agent_reasoning",
    }
    for frame in frames:
        assert "reasoning" not in frame.data
        assert "thinking" not in frame.data


@patient
@given(logs())
def test_summaries_tell_no_text_arguments_or_outputs(log: Log) -> None:
    frames = told(log, Levels("summary", "summary"))
    assert all(SECRET not in frame.data for frame in frames)
    full = told(log)
    dropped = {"agent_reasoning", "thinking_delta"}
    assert [frame.event for frame in frames] == [
        frame.event for frame in full if frame.event not in dropped
    ]


@patient
@given(logs())
def test_even_readers_that_know_many_line_ends_see_one_line_of_data(log: Log) -> None:
    for frame in told(log):
        assert len(frame.data.splitlines()) == 1
        assert json.loads(frame.data) == frame.json

"""What a step is made of: thoughts, messages and calls, told as they come."""

from __future__ import annotations

import pytest

from tests.domain import ask, fact
from tests.domain.given import given
from turnlog.domain import events
from turnlog.domain.commands import Command
from turnlog.domain.errors import InvalidChange, NotFound
from turnlog.domain.values import ProviderData

FIRST, SECOND = fact.FIRST_ITEM, fact.FIRST_ITEM + 1
SIGNED: dict[str, object] = {"signature": "c2lnbmVk"}


def test_steps_are_counted_within_the_turn() -> None:
    running = given(*fact.RUNNING)
    running.when(ask.start_step()).then(fact.step_started(1))
    running.and_then(ask.start_step(), ask.complete_step()).when(ask.start_step()).then(
        fact.step_started(2)
    )


def test_a_thought_is_told_as_it_comes() -> None:
    step = given(*fact.IN_STEP)
    step.when(ask.start_item(kind="thinking")).then(fact.thinking_started())
    step.and_then(ask.start_item(kind="thinking")).when(ask.append_text("Hm")).then(
        events.ThinkingDelta(item=FIRST, delta="Hm")
    )
    step.and_then(ask.append_text("Hm"), ask.append_text(", tea")).when(ask.complete_item()).then(
        fact.thinking_completed(FIRST, "Hm, tea")
    )


def test_a_message_is_told_as_it_comes() -> None:
    step = given(*fact.IN_STEP)
    step.when(ask.start_item()).then(fact.message_started())
    step.and_then(ask.start_item()).when(ask.append_text("Hello")).then(
        events.MessageDelta(item=FIRST, delta="Hello")
    )
    step.and_then(ask.append_text("Hello"), ask.append_text(" you")).when(ask.complete_item()).then(
        fact.message_completed(FIRST, "Hello you")
    )


def test_a_call_is_told_as_it_comes() -> None:
    step = given(*fact.IN_STEP)
    start = ask.start_item(kind="tool_call", name="shell")
    step.when(start).then(fact.call_started(f"call_{FIRST}", "shell"))
    step.and_then(start).when(ask.append_text('{"a":')).then(
        events.ToolCallArgumentsDelta(item=FIRST, delta='{"a":')
    )
    step.and_then(ask.append_text('{"a":'), ask.append_text("1}")).when(ask.complete_item()).then(
        fact.call_requested(FIRST, '{"a":1}', "shell")
    )


def test_the_deltas_of_items_may_be_mixed() -> None:
    step = given(*fact.IN_STEP).and_then(
        ask.start_item(0, "thinking"),
        ask.start_item(1, "message"),
        ask.append_text("Hm", 0),
        ask.append_text("Hel", 1),
        ask.append_text("!", 0),
        ask.append_text("lo", 1),
    )
    step.when(ask.complete_item(0)).then(fact.thinking_completed(FIRST, "Hm!"))
    step.when(ask.complete_item(1)).then(fact.message_completed(SECOND, "Hello"))


def test_an_item_is_named_by_the_offset_of_its_beginning_whatever_came_between() -> None:
    given(*fact.IN_STEP, fact.updated(title="Tea"), None).and_then(ask.start_item()).when(
        ask.append_text("Hi")
    ).then(events.MessageDelta(item=FIRST + 2, delta="Hi"))


def test_items_are_numbered_anew_in_each_step() -> None:
    given(*fact.IN_STEP).and_then(
        ask.start_item(0), ask.complete_item(0), ask.complete_step(), ask.start_step()
    ).when(ask.start_item(0)).then(fact.message_started(step=2))


def test_what_a_provider_wants_back_is_kept_with_the_model_it_is_of() -> None:
    given(*fact.IN_STEP, fact.thinking_started()).when(ask.complete_item(0, SIGNED)).then(
        fact.thinking_completed(FIRST, provider_data=ProviderData(**ask.MODEL, content=SIGNED))
    )


def test_a_step_ends_with_what_it_cost() -> None:
    given(*fact.IN_STEP).when(ask.complete_step(stop_reason="max_tokens")).then(
        fact.step_completed(1, stop_reason="max_tokens")
    )


def test_a_step_cuts_off_what_its_provider_left_open() -> None:
    given(*fact.IN_STEP).and_then(
        ask.start_item(0, "thinking"),
        ask.start_item(1, "tool_call", "shell"),
        ask.append_text("Hm", 0),
        ask.append_text('{"a', 1),
    ).when(ask.complete_step()).then(
        fact.thinking_completed(FIRST, "Hm", partial=True),
        fact.call_requested(SECOND, '{"a', "shell", partial=True),
        fact.step_completed(),
    )


def test_a_call_runs_to_its_one_result() -> None:
    called = given(*fact.CALLED)
    called.when(ask.append_output(fact.CALL, "a.txt")).then(
        events.ToolCallOutputDelta(item=FIRST, delta="a.txt")
    )
    called.and_then(ask.append_output(fact.CALL, "a.txt"), ask.append_output(fact.CALL, "\n")).when(
        ask.complete_call(fact.CALL, "error")
    ).then(fact.call_completed(FIRST, "error", "a.txt\n"))


def test_calls_of_one_step_run_side_by_side() -> None:
    both = given(*fact.IN_STEP).and_then(
        ask.start_item(0, "tool_call", "readFile"),
        ask.start_item(1, "tool_call", "readFile"),
        ask.complete_item(0),
        ask.complete_item(1),
        ask.complete_step(),
        ask.append_output(f"call_{SECOND}", "two"),
        ask.append_output(f"call_{FIRST}", "one"),
    )
    both.when(ask.complete_call(f"call_{FIRST}")).then(fact.call_completed(FIRST, output="one"))
    both.when(ask.complete_call(f"call_{SECOND}")).then(fact.call_completed(SECOND, output="two"))


@pytest.mark.parametrize("number", [1, 2, -1])
def test_an_item_out_of_order_is_refused(number: int) -> None:
    given(*fact.IN_STEP).when(ask.start_item(number)).refused(InvalidChange, f"Item {number} ")


@pytest.mark.parametrize("number", [0, 1])
def test_an_item_outside_a_step_is_refused(number: int) -> None:
    given(*fact.RUNNING).when(ask.start_item(number)).refused(InvalidChange)
    ended = given(*fact.IN_STEP, fact.message_started(), fact.step_completed())
    ended.when(ask.start_item(number)).refused(InvalidChange)


@pytest.mark.parametrize("number", [0, 1, -1], ids=["closed", "unknown", "negative"])
def test_more_of_an_item_that_is_not_open_is_refused(number: int) -> None:
    closed = given(*fact.IN_STEP, fact.message_started(), fact.message_completed(FIRST))
    closed.when(ask.append_text("Hi", number)).refused(NotFound, f"open item '{number}'")
    closed.when(ask.complete_item(number)).refused(NotFound, f"open item '{number}'")


@pytest.mark.parametrize("late", [ask.append_output(fact.CALL, "x"), ask.complete_call(fact.CALL)])
def test_a_call_has_no_second_result(late: Command) -> None:
    given(*fact.CALLED, fact.call_completed(FIRST)).when(late).refused(NotFound, "open tool call")


def test_a_call_that_is_still_being_written_has_no_result_yet() -> None:
    given(*fact.IN_STEP, fact.call_started(fact.CALL)).when(ask.complete_call(fact.CALL)).refused(
        NotFound, fact.CALL
    )

"""Whatever is open is closed before a turn's last event, and no ending is too long."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.domain import ask, fact
from tests.domain.given import EARLIER, Given, given
from turnlog.domain import codec, events
from turnlog.domain.codec import encode, fit
from turnlog.domain.commands import Command
from turnlog.domain.decisions import decide
from turnlog.domain.events import Fact
from turnlog.domain.values import timestamp

FIRST = fact.FIRST_ITEM
LIMIT = 256 * 1024
LONG = 300 * 1024


def _message(text: str) -> Given:
    return given(*fact.IN_STEP, fact.message_started(), events.MessageDelta(FIRST, text))


def _made(command: Command, state: Given) -> Fact:
    return decide(command, state.state)[0]


def _size(made: Fact) -> int:
    return len(encode(made)[1])


# -------------------------------------------------------- all is closed


@pytest.mark.parametrize(
    ("command", "ended"),
    [
        (ask.complete_turn(), (fact.turn_completed(),)),
        (ask.fail_turn(fact.OVERLOADED), (fact.turn_failed(),)),
        (ask.delete(), (fact.turn_cancelled(), fact.deleted())),
    ],
    ids=["completed", "failed", "deleted"],
)
def test_a_turn_closes_all_that_is_open_before_its_last_event(
    command: Command, ended: tuple[Fact, ...]
) -> None:
    given(
        *fact.IN_STEP,
        fact.call_started("call_5"),
        fact.call_requested(5, "{}"),
        events.ToolCallOutputDelta(5, "half of"),
        fact.thinking_started(),
        events.ThinkingDelta(8, "Hm"),
        fact.message_started(),
        events.MessageDelta(10, "Hel"),
        fact.call_started("call_12", "shell"),
        events.ToolCallArgumentsDelta(12, '{"a'),
    ).when(command).then(
        fact.thinking_completed(8, "Hm", partial=True),
        fact.message_completed(10, "Hel", partial=True),
        fact.call_requested(12, '{"a', "shell", partial=True),
        fact.call_completed(12, "cancelled", duration_ms=0),
        fact.call_completed(5, "cancelled", "half of", duration_ms=0),
        *ended,
    )


def test_what_is_closed_already_is_not_closed_again() -> None:
    given(*fact.CALLED, fact.call_completed(FIRST)).when(ask.fail_turn(fact.OVERLOADED)).then(
        fact.turn_failed(usage=ask.USAGE)
    )


def test_a_call_that_its_step_cut_off_gets_a_result_too() -> None:
    given(*fact.IN_STEP, fact.call_started(fact.CALL)).and_then(ask.complete_step()).when(
        ask.fail_turn(fact.OVERLOADED)
    ).then(
        fact.call_completed(FIRST, "cancelled", duration_ms=0),
        fact.turn_failed(usage=ask.USAGE),
    )


def test_items_of_an_earlier_attempt_are_closed_too() -> None:
    given(
        *fact.IN_STEP, fact.message_started(), fact.attempt_superseded(FIRST), fact.turn_resumed(2)
    ).when(ask.fail_turn(fact.OVERLOADED, attempt=2)).then(
        fact.message_completed(FIRST, partial=True), fact.turn_failed()
    )


# ------------------------------------------------- and nothing too long


def test_a_text_that_fits_is_whole() -> None:
    whole = "é" * 120_000
    assert _made(ask.complete_item(), _message(whole)) == fact.message_completed(FIRST, whole)


@pytest.mark.parametrize("character", ["a", "é", "ﬁ", "🫖", '"', "\n", "\0", "\x85", "\u2028"])
def test_a_text_that_is_too_long_is_cut_and_says_how_long_it_was(character: str) -> None:
    made = _made(ask.complete_item(), _message(character * LONG))
    assert isinstance(made, events.MessageCompleted)
    assert made.truncated
    assert made.bytes == len((character * LONG).encode())
    assert set(made.text) == {character}
    assert LIMIT - 4096 < _size(made) <= LIMIT


def test_thoughts_arguments_and_outputs_are_cut_too() -> None:
    long, cut = "a" * LONG, fit("a" * LONG)
    long_thing: dict[str, Any] = {"truncated": True, "bytes": LONG}
    thought = given(*fact.IN_STEP, fact.thinking_started(), events.ThinkingDelta(FIRST, long))
    thought.when(ask.complete_item()).then(fact.thinking_completed(FIRST, cut, **long_thing))
    call = given(*fact.IN_STEP, fact.call_started(fact.CALL))
    call = call.and_then(ask.append_text(long))
    call.when(ask.complete_item()).then(fact.call_requested(FIRST, cut, **long_thing))
    running = given(*fact.CALLED, events.ToolCallOutputDelta(FIRST, long))
    running.when(ask.complete_call(fact.CALL)).then(
        fact.call_completed(FIRST, output=cut, **long_thing)
    )


def test_a_text_that_was_cut_off_can_be_too_long_as_well() -> None:
    _message("a" * LONG).when(ask.complete_turn()).then(
        fact.message_completed(FIRST, fit("a" * LONG), partial=True, truncated=True, bytes=LONG),
        fact.turn_completed(),
    )


def test_the_deltas_of_a_text_that_was_cut_are_whole() -> None:
    texts = ["a" * 100_000, "b" * 100_000, "c" * 100_000]
    message = given(*fact.IN_STEP, fact.message_started())
    deltas = [_made(ask.append_text(text), message) for text in texts]
    assert deltas == [events.MessageDelta(FIRST, text) for text in texts]


def test_a_call_whose_arguments_were_cut_is_run_with_the_whole() -> None:
    whole = json.dumps({"text": "a" * LONG})
    state = (
        given(*fact.IN_STEP)
        .and_then(ask.start_item(0, "tool_call", "writeFile"), ask.append_text(whole))
        .and_then(ask.complete_item())
        .state
    )
    assert state.running is not None
    assert state.running.calls[FIRST].arguments == whole


def test_what_a_provider_wants_back_leaves_the_text_less_room() -> None:
    data: dict[str, object] = {"encrypted": "\u2028" * 30_000}
    made = _made(ask.complete_item(0, data), _message("a" * LONG))
    assert isinstance(made, events.MessageCompleted)
    assert made.provider_data is not None
    assert made.provider_data.content == data
    assert LIMIT - 4096 < _size(made) <= LIMIT


def test_no_text_is_left_if_there_is_no_room() -> None:
    assert fit("a" * LONG, spare=LIMIT) == ""


@examples(st.text(max_size=200), st.integers(0, 300))
@settings(deadline=None, max_examples=300)
def test_the_longest_beginning_that_fits_is_kept(text: str, spare: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec, "MAX_STATE_BYTES", 2048 + 300)
        kept = fit(text, spare)
    assert text.startswith(kept)
    assert _as_json(kept) <= max(300 - spare, 2)
    assert kept == text or _as_json(text[: len(kept) + 1]) > 300 - spare


def _as_json(text: str) -> int:
    return (
        len(encode(events.MessageDelta(1, text))[1])
        - len(encode(events.MessageDelta(1, ""))[1])
        + 2
    )


def test_endings_happen_at_the_moment_of_the_command() -> None:
    late = replace(ask.complete_turn(), at=EARLIER + 5)
    facts = decide(late, given(*fact.IN_STEP, fact.message_started()).state)
    assert {getattr(made, "at", None) for made in facts} == {timestamp(EARLIER + 5)}

"""The small values: moments as text, tokens added up, settings laid over each other."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain import ask
from turnlog.domain.conversation import changed, overridden
from turnlog.domain.events import Changes
from turnlog.domain.values import (
    ItemKind,
    OnBusy,
    Overrides,
    StopReason,
    ToolCallStatus,
    Usage,
    microseconds_of,
    timestamp,
)

moments = st.integers(0, 253_402_300_799_999_999)  # to the end of the year 9999


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1, "1970-01-01T00:00:00.000001Z"),
        (ask.NOW, "2026-01-01T00:00:00.000000Z"),
        (ask.NOW + 120_000, "2026-01-01T00:00:00.120000Z"),
        (1_709_251_199_999_999, "2024-02-29T23:59:59.999999Z"),
    ],
)
def test_a_timestamp_has_always_six_decimals_and_a_z(at: int, text: str) -> None:
    assert timestamp(at) == text


@given(moments)
@settings(deadline=None)
def test_a_timestamp_can_be_read_back_to_the_microsecond(at: int) -> None:
    assert microseconds_of(timestamp(at)) == at


@given(moments, moments)
@settings(deadline=None)
def test_timestamps_sort_as_their_moments_do(one: int, other: int) -> None:
    assert (timestamp(one) < timestamp(other)) == (one < other)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (ToolCallStatus, "ok error timeout cancelled unknown"),
        (
            StopReason,
            "end_turn tool_use max_tokens stop_sequence refusal pause_turn unknown",
        ),
        (OnBusy, "enqueue reject interrupt steer"),
        (ItemKind, "thinking message tool_call"),
    ],
)
def test_words_that_stand_in_logs_stay_readable(words: object, expected: str) -> None:
    assert set(expected.split()) <= set(get_args(words))


def test_nothing_was_used_unless_said() -> None:
    assert set(msgspec.to_builtins(Usage()).values()) == {0}
    assert Usage().estimated is False


def test_usage_is_added_up_member_by_member() -> None:
    one = Usage(
        input_tokens=1,
        output_tokens=2,
        cached_input_tokens=3,
        cache_write_tokens=4,
        reasoning_tokens=5,
    )
    assert one + one == Usage(
        input_tokens=2,
        output_tokens=4,
        cached_input_tokens=6,
        cache_write_tokens=8,
        reasoning_tokens=10,
    )


@pytest.mark.parametrize("one", [True, False])
@pytest.mark.parametrize("other", [True, False])
def test_a_sum_is_estimated_if_a_part_of_it_is(one: bool, other: bool) -> None:
    assert (Usage(estimated=one) + Usage(estimated=other)).estimated is (one or other)


def test_a_turns_settings_lie_over_its_conversations() -> None:
    conversation = ask.configuration(temperature=0.9, title="Tea", tools=("readFile",))
    turn = overridden(conversation, Overrides(temperature=0.0, tools=()))
    assert turn == ask.configuration(temperature=0.0, title="Tea", tools=())


def test_a_change_may_set_nothing_and_leave_the_rest() -> None:
    conversation = ask.configuration(temperature=0.9, title="Tea", tags=("a",))
    changes = Changes(title=None, tags=())
    assert changed(conversation, changes) == ask.configuration(temperature=0.9)


def test_all_that_is_configured_can_be_changed() -> None:
    names = msgspec.structs.fields(ask.configuration())
    assert [name.name for name in names] == list(Changes.__struct_fields__)

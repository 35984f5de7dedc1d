"""The choice of types, and of one turn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.projections import sse
from tests.projections.logs import Log, logs, patient
from turnlog.domain.codec import ENDING_TOPICS, TOPICS
from turnlog.domain.errors import InvalidInput
from turnlog.projections.filters import parse
from turnlog.projections.levels import Levels
from turnlog.projections.view import View

PATTERNS = st.lists(
    st.sampled_from([*TOPICS, "*", "turn.*", "message.*", "t*", "turn.paused"]), min_size=1
).map(",".join)
VIEWS = st.builds(
    View,
    dialect=st.sampled_from(["turnlog", "codex"]),
    levels=st.builds(
        Levels,
        thinking=st.sampled_from(["none", "summary", "full"]),
        tools=st.sampled_from(["none", "summary", "full"]),
    ),
)


def wanted(words: str) -> set[str]:
    types = parse(words)
    return {topic for topic in TOPICS if types.want(topic)}


def test_types_are_chosen_by_name_or_by_beginning() -> None:
    assert wanted("turn.started") == {"turn.started"}
    assert wanted(" message.* , turn.failed") == {
        "message.started",
        "message.delta",
        "message.completed",
        "turn.failed",
    }
    assert wanted("*") == set(TOPICS)


def test_a_type_that_does_not_exist_yet_is_no_mistake() -> None:
    assert wanted("turn.paused,weather.*") == set()


@pytest.mark.parametrize(
    "words", ["", ",", "turn.started,", "Turn.started", "a b", "*.delta", "**"]
)
def test_nonsense_is_refused(words: str) -> None:
    with pytest.raises(InvalidInput):
        parse(words)


def test_endless_lists_are_refused() -> None:
    with pytest.raises(InvalidInput):
        parse(",".join("a" * n for n in range(1, 100)))


def test_equal_choices_make_equal_views() -> None:
    one, two = (View(types=parse(words)) for words in ("a.*,b,b.*", "b, b.*,a.*"))
    assert one == two
    assert hash(one) == hash(two)


@patient
@given(logs(), PATTERNS, VIEWS)
def test_filtering_only_leaves_out(log: Log, words: str, view: View) -> None:
    context = log.context
    types = parse(words)
    chosen = View(dialect=view.dialect, levels=view.levels, types=types)
    for entry in log.entries:
        shown = chosen.render(entry, context)
        assert shown == (view.render(entry, context) if types.want(entry.topic) else b"")


@patient
@given(logs(), PATTERNS, VIEWS)
def test_a_turns_stream_shows_that_turn_and_always_its_last_event(
    log: Log, words: str, view: View
) -> None:
    context = log.context
    for turn in {turn for turn in log.turn_of.values() if turn is not None}:
        chosen = View(dialect=view.dialect, levels=view.levels, types=parse(words), turn_id=turn)
        assert all(entry.turn_id == turn for entry in log.entries if chosen.render(entry, context))
        last = [entry for entry in log.entries if entry.turn_id == turn][-1]
        assert [entry for entry in log.entries if chosen.is_last(entry)] == [last]
        assert last.topic in ENDING_TOPICS
        (*_, frame) = sse.frames(chosen.render(last, context))
        assert (frame.id or "").rpartition(":")[2] == str(last.offset)


def test_a_conversations_stream_goes_on_until_it_is_deleted() -> None:
    log = Log().created()
    log.asked("hello")
    log.completed().deleted()
    view = View(types=parse("message.*"))
    assert [entry.topic for entry in log.entries if view.is_last(entry)] == ["conversation.deleted"]
    assert b"".join(view.render(entry, log.context) for entry in log.entries) == b""

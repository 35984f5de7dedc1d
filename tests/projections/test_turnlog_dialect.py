"""The log over SSE in its own words, and with less of them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from tests.projections import sse
from tests.projections.logs import SECRET, Log, logs, patient
from turnlog.domain.errors import InvalidInput
from turnlog.domain.records import Entry
from turnlog.projections.context import Context
from turnlog.projections.frames import KEEPALIVE, RETRY, unavailable
from turnlog.projections.levels import Level, Levels
from turnlog.projections.view import View, view_of

FULL = View()
NOTHING = Context()


@patient
@given(logs())
def test_a_frame_carries_the_stored_bytes(log: Log) -> None:
    for entry in log.entries:
        rendered = FULL.render(entry, NOTHING)
        (frame,) = sse.frames(rendered)
        assert (frame.id, frame.event) == (str(entry.offset), entry.topic)
        assert frame.data.encode() == entry.state
        assert rendered == b"id: %d\nevent: %s\ndata: %s\n\n" % (
            entry.offset,
            entry.topic.encode(),
            entry.state,
        )


@patient
@given(logs())
def test_even_readers_that_know_many_line_ends_see_one_line_of_data(log: Log) -> None:
    for levels in (Levels(), Levels("summary", "summary")):
        for entry in log.entries:
            rendered = View(levels=levels).render(entry, NOTHING).decode()
            assert len(rendered.splitlines()) in (0, 4)
            assert "\r" not in rendered


def test_nothing_is_decoded_at_full_levels() -> None:
    entry = Entry(7, "message.delta", b"not json", None, 0)
    assert FULL.render(entry, NOTHING) == b"id: 7\nevent: message.delta\ndata: not json\n\n"
    assert not FULL.needs_context


@patient
@given(logs())
def test_at_none_thoughts_and_calls_are_not_there_and_all_else_is(log: Log) -> None:
    view = View(levels=Levels("none", "none"))
    for entry in log.entries:
        left_out = entry.topic.startswith(("thinking.", "tool_call."))
        assert view.render(entry, NOTHING) == (b"" if left_out else FULL.render(entry, NOTHING))


@patient
@given(logs())
def test_a_summary_says_that_it_happened_and_no_word_of_it(log: Log) -> None:
    view = View(levels=Levels("summary", "summary"))
    for entry in log.entries:
        rendered = view.render(entry, NOTHING)
        assert SECRET.encode() not in rendered
        if not entry.topic.startswith(("thinking.", "tool_call.")):
            assert rendered == FULL.render(entry, NOTHING)
        elif entry.topic.endswith("delta"):
            assert rendered == b""
        else:
            (frame,) = sse.frames(rendered)
            assert frame.id == str(entry.offset)
            assert frame.json.items() <= json.loads(entry.state).items()
            assert next(iter(frame.json)) == "type"


def test_a_summary_tells_names_and_status() -> None:
    log = Log().created()
    log.asked("hello")
    item = log.requested("shell", '{"command":"ls"}')
    log.output(item, "a b c", "error")
    view = View(levels=Levels(tools="summary"))
    stream = b"".join(view.render(entry, NOTHING) for entry in log.entries[3:])
    started, requested, completed = (frame.json for frame in sse.frames(stream))
    assert (started["name"], requested["name"]) == ("shell", "shell")
    assert (completed["status"], completed["durationMs"]) == ("error", 1500)


def test_what_a_later_release_says_of_thoughts_stays_out_of_a_summary() -> None:
    state = b'{"type":"thinking.sealed","at":"then","item":3,"seal":"hush"}'
    view = View(levels=Levels(thinking="summary"))
    (frame,) = sse.frames(view.render(Entry(4, "thinking.sealed", state, None, 0), NOTHING))
    assert frame.json == {"type": "thinking.sealed", "at": "then", "item": 3}


@pytest.mark.parametrize(
    ("dialect", "levels"),
    [("turnlog", Levels("full", "full")), ("codex", Levels("full", "none"))],
)
def test_each_dialect_has_its_own_levels(dialect: str, levels: Levels) -> None:
    assert view_of(dialect_name=dialect) == View(dialect=dialect, levels=levels)


@pytest.mark.parametrize("level", ["none", "summary", "full"])
def test_levels_can_be_asked_for(level: Level) -> None:
    assert view_of(thinking=level).levels == Levels(level, "full")
    assert view_of(dialect_name="codex", tools=level).levels == Levels("full", level)


@pytest.mark.parametrize(
    "words", [{"dialect_name": "klingon"}, {"thinking": "some"}, {"tools": ""}, {"types": "?"}]
)
def test_views_that_cannot_be_are_refused(words: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        view_of(**words)  # type: ignore[arg-type]


def test_what_is_not_in_the_log_has_no_id() -> None:
    assert KEEPALIVE.startswith(b":")
    (frame,) = sse.frames(unavailable("draining"))
    assert (frame.id, frame.event) == (None, "stream.unavailable")
    assert frame.json == {"type": "stream.unavailable", "reason": "draining"}
    assert unavailable("draining").startswith(RETRY)

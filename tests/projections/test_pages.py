"""The log as pages and NDJSON."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given

from tests.projections.logs import CONVERSATION, Log, logs, moment, patient
from turnlog.domain.codec import DELTA_TOPICS, TOPICS
from turnlog.domain.records import Entry
from turnlog.projections.pages import line


def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, none of whose members stands twice."""
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)


@patient
@given(logs())
def test_a_line_is_the_stored_object_with_its_place_in_front(log: Log) -> None:
    for entry in log.entries:
        shown = json.loads(line(entry), object_pairs_hook=members)
        place = {"offset": entry.offset, "at": moment(entry.offset)}
        assert shown == json.loads(entry.state) | place
        assert next(iter(shown)) == "offset"
        assert line(entry).endswith(entry.state[1:])


@patient
@given(logs())
def test_where_one_stream_carries_many_each_line_names_its_conversation(log: Log) -> None:
    for entry in log.entries:
        shown = json.loads(line(entry, CONVERSATION), object_pairs_hook=members)
        place = {
            "offset": entry.offset,
            "at": moment(entry.offset),
            "conversationId": str(CONVERSATION),
        }
        assert shown == json.loads(entry.state) | place


@patient
@given(logs())
def test_a_line_is_one_line(log: Log) -> None:
    for entry in log.entries:
        assert len(line(entry).decode().splitlines()) == 1


def test_deltas_are_known_by_their_name() -> None:
    assert {topic for topic in TOPICS if topic.endswith("delta")} == DELTA_TOPICS


def test_an_event_of_a_later_release_is_passed_on() -> None:
    entry = Entry(3, "turn.paused", b'{"type":"turn.paused","at":"then"}', None, 1)
    assert line(entry) == b'{"offset":3,"type":"turn.paused","at":"then"}'

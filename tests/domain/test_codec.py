"""What is stored: `stored.ndjson` has facts of every topic, as logs hold them for ever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain import fact
from turnlog.domain import events
from turnlog.domain.codec import (
    DELTA_TOPICS,
    ENDING_TOPICS,
    TOPICS,
    decode,
    encode,
    escape_line_ends,
    topic_of,
    well_formed,
)

STORED = (Path(__file__).parent / "stored.ndjson").read_bytes().splitlines()

DELTAS = {
    "thinking.delta",
    "message.delta",
    "tool_call.arguments_delta",
    "tool_call.output_delta",
}
ENDINGS = {"turn.completed", "turn.failed", "turn.cancelled"}
OTHERS = {
    "conversation.created",
    "conversation.updated",
    "conversation.deleted",
    "turn.queued",
    "turn.started",
    "turn.steered",
    "step.started",
    "step.completed",
    "thinking.started",
    "thinking.completed",
    "message.started",
    "message.completed",
    "tool_call.started",
    "tool_call.requested",
    "tool_call.approved",
    "tool_call.denied",
    "tool_call.completed",
    "turn.requires_action",
    "turn.retrying",
    "attempt.superseded",
    "turn.resumed",
    "turn.cancel_requested",
}

LINE_ENDS = "\x85\u2028\u2029"
texts = st.text() | st.text(alphabet=[*LINE_ENDS, "\\", '"', "\n", "\r", "u", "2", "0", "8", "é"])


def _topic(state: bytes) -> str:
    return str(json.loads(state)["type"])


# ---------------------------------------------------------------- topics


def test_the_topics_are_those_that_were_promised() -> None:
    assert set(TOPICS) == DELTAS | ENDINGS | OTHERS
    assert DELTA_TOPICS == DELTAS
    assert ENDING_TOPICS == ENDINGS


def test_each_class_of_facts_has_its_topic() -> None:
    assert topic_of(events.MessageDelta) == "message.delta"
    assert {topic_of(kind): kind for kind in TOPICS.values()} == TOPICS


def test_every_topic_stands_in_the_stored_examples() -> None:
    assert {_topic(state) for state in STORED} == set(TOPICS)


# ---------------------------------------------------------------- states


@pytest.mark.parametrize("state", STORED, ids=_topic)
def test_what_was_stored_is_read_and_would_be_stored_alike(state: bytes) -> None:
    topic = _topic(state)
    read = decode(topic, state)
    assert type(read) is TOPICS[topic]
    assert encode(read) == (topic, state)


@pytest.mark.parametrize("state", STORED, ids=_topic)
def test_the_type_comes_first(state: bytes) -> None:
    assert state.startswith(b'{"type":"' + _topic(state).encode() + b'",')


@pytest.mark.parametrize("state", STORED, ids=_topic)
def test_all_but_the_deltas_say_when(state: bytes) -> None:
    members = list(json.loads(state))
    if _topic(state) in DELTAS:
        assert members == ["type", "item", "delta"]
    else:
        assert "at" in members


@pytest.mark.parametrize("state", STORED, ids=_topic)
def test_members_of_later_releases_are_ignored(state: bytes) -> None:
    topic = _topic(state)
    later = state[:-1] + b',"mood":{"type":"calm","words":[1,2.5,null]}}'
    assert decode(topic, later) == decode(topic, state)


@pytest.mark.parametrize("topic", ["turn.applauded", "message", "", "Message.Delta"])
def test_topics_of_later_releases_are_nothing(topic: str) -> None:
    assert decode(topic, b'{"type":"turn.applauded","loudness":11}') is None
    assert decode(topic, b"whatever it may be") is None


# ------------------------------------------------------------- line ends


@given(texts)
@settings(deadline=None, max_examples=200)
def test_a_text_comes_back_as_it_was_on_one_line_for_every_reader(text: str) -> None:
    said = fact.message_completed(5, text)
    topic, state = encode(said)
    assert decode(topic, state) == said
    assert json.loads(state)["text"] == text
    assert len(state.decode().splitlines()) == 1


def test_line_ends_that_only_some_know_are_written_as_escapes() -> None:
    _, state = encode(events.MessageDelta(5, f"a{LINE_ENDS}\\u2028é—"))
    assert state.decode() == (
        r'{"type":"message.delta","item":5,"delta":"a\u0085\u2028\u2029\\u2028é—"}'
    )


@pytest.mark.parametrize("line_end", LINE_ENDS, ids=["NEL", "LS", "PS"])
def test_each_of_them_is_found_alone(line_end: str) -> None:
    _, state = encode(events.MessageDelta(5, line_end))
    assert state.isascii()


def test_other_text_stays_as_it_is() -> None:
    assert (
        escape_line_ends('"é “x” \u2027 \u202a Â…"'.encode()) == '"é “x” \u2027 \u202a Â…"'.encode()
    )


# ------------------------------------------------------------ surrogates


@pytest.mark.parametrize(
    ("given_text", "text"),
    [
        ("tea", "tea"),
        ("\ufeff🫖 é", "\ufeff🫖 é"),
        ("a\ud83eb", "a\ufffdb"),
        ("\udeb6 b", "\ufffd b"),
        ("ends in \ud83e", "ends in \ufffd"),
        ("\ud83e\udeb6", "🪶"),
        ("\udeb6\ud83e", "\ufffd\ufffd"),
        ("\ufeff\ud83e", "\ufeff\ufffd"),
    ],
)
def test_a_lone_surrogate_is_replaced_and_a_pair_is_its_character(
    given_text: str, text: str
) -> None:
    assert well_formed(given_text) == text


@given(st.text(alphabet=st.characters(categories=["L", "Cs", "So"])))
@settings(deadline=None)
def test_what_is_well_formed_can_be_stored(text: str) -> None:
    topic, state = encode(events.MessageDelta(5, well_formed(text)))
    assert decode(topic, state) == events.MessageDelta(5, well_formed(text))

"""Server-sent events are found wherever chunks and lines end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.prompt.speakers import chunks
from turnlog.adapters.wire.event_lines import EventLines

BODY = (
    ": hello\n\n"
    "event: a\ndata: one\n\n"
    "data:two\ndata:  three\nid: 7\n\n"
    "retry: 3\nunknown: x\n\n"
    "data\n\n"
    'data: {"text": "\u2028 \x85 \x0b \x1c é 🙂"}\n\n'
    "data: never ended\n"
)
EVENTS = ["one", "two\n three", "", '{"text": "\u2028 \x85 \x0b \x1c é 🙂"}']


@given(
    st.sampled_from(["\n", "\r", "\r\n"]),
    st.sampled_from(["", "\ufeff"]),
    st.lists(st.integers(1, 60), max_size=5),
)
def test_chunks_and_line_ends_make_no_difference(end: str, bom: str, cuts: list[int]) -> None:
    body = (bom + BODY).replace("\n", end).encode()
    lines = EventLines()
    events = [event for chunk in chunks(body, cuts) for event in lines.feed(chunk)]
    assert [event.decode() for event in events] == EVENTS


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_an_event_is_given_as_soon_as_its_line_has_ended(end: bytes) -> None:
    lines = EventLines()
    assert lines.feed(b"data: one" + end + end[:1]) == [b"one"]
    assert lines.feed(end[1:] + b"data: two" + end + end) == [b"two"]

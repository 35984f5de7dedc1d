"""A place in the feed as one word."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnlog.domain.errors import InvalidCursor
from turnlog.projections import feed_cursor

places = st.lists(st.integers(0, 2**60 - 1), min_size=1, max_size=256).map(tuple)


@given(place=places)
def test_a_word_is_read_back_as_the_place_that_it_stands_for(place: tuple[int, ...]) -> None:
    word = feed_cursor.word(place)
    assert re.fullmatch(r"[0-9A-Za-z:_-]+", word)
    assert feed_cursor.parse(word, len(place)) == place


def test_a_word_of_an_ordinary_feed_is_short() -> None:
    assert len(feed_cursor.word((16_000_000,) * 8)) < 42


@given(place=places, other=places)
def test_a_cursor_of_another_number_of_buckets_is_none(
    place: tuple[int, ...], other: tuple[int, ...]
) -> None:
    if len(place) != len(other):
        with pytest.raises(InvalidCursor):
            feed_cursor.parse(feed_cursor.word(place), len(other))


@pytest.mark.parametrize(
    "word",
    ["", "17", "0:0", "1:", "1:0", "1:0:0:0", "1:0:", "1:00:0", "1:0:é", "1:0: 1", "2:0:0",
     "1:0:01", "1:-1:+1", "1:" + "z" * 11 + ":0", "LATEST", "1:0:0\n"],
)  # fmt: skip
def test_what_is_no_cursor_is_refused(word: str) -> None:
    with pytest.raises(InvalidCursor):
        feed_cursor.parse(word, 2)


def test_the_end_has_a_word_of_its_own() -> None:
    assert feed_cursor.parse("latest", 2) == "latest"


def test_a_place_reaches_another_if_it_does_in_every_bucket() -> None:
    assert feed_cursor.reaches((1, 2), (1, 2))
    assert feed_cursor.reaches((2, 2), (1, 2))
    assert not feed_cursor.reaches((9, 1), (1, 2))

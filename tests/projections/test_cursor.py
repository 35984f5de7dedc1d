"""The words of `Last-Event-ID`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.projections.logs import patient
from turnlog.domain.errors import InvalidCursor
from turnlog.projections.cursor import parse


@patient
@given(st.integers(0, 10**18 - 1), st.uuids())
def test_the_ids_of_every_dialect_are_cursors(offset: int, turn: object) -> None:
    assert parse(str(offset)) == parse(f"{turn}:{offset}") == offset


def test_latest_is_a_cursor() -> None:
    assert parse("latest") == "latest"


@pytest.mark.parametrize(
    "word",
    [
        "",
        "-1",
        "+1",
        "1.0",
        "1e3",
        "0x1",
        " 1",
        "1\n",
        "1 2",
        "٣",
        "²",
        "１",
        "LATEST",
        "null",
        ":1",
        "turn:1",
        "01999999-0000-7000-8000-0000000000aa",
        "01999999-0000-7000-8000-0000000000aa:",
        "01999999-0000-7000-8000-0000000000aa:-1",
        "01999999-0000-7000-8000-0000000000aa:1:2",
        "1000000000000000000",
        "9" * 5000,
        "{0}",
    ],
)
def test_what_is_no_cursor_is_refused(word: str) -> None:
    with pytest.raises(InvalidCursor) as refusal:
        parse(word)
    assert len(str(refusal.value)) < 200

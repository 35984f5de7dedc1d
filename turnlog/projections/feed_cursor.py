"""A place in the feed of all conversations: a position for each bucket, written as one word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from turnlog.domain.errors import InvalidCursor

Place = tuple[int, ...]
"""The position of the last event that was seen, of each bucket."""

# The first number is the form's own: another form would begin with another.
_FORM = "1:"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_NUMBER = re.compile(r"0|[1-9A-Za-z_-][0-9A-Za-z_-]{0,9}")
_EXPECTED = "the id of an event of this feed, or the 'nextAfter' of a page of it"


def word(place: Place) -> str:
    """The cursor of a place: opaque to clients, and made of `[0-9A-Za-z:_-]` only."""
    return joined([number(position) for position in place])


def joined(numbers: Sequence[str]) -> str:
    """The cursor of a place whose positions are written already, each by `number`."""
    return _FORM + ":".join(numbers)


def number(position: int) -> str:
    """A position in 64 digits."""
    digits = ""
    while position or not digits:
        position, digit = divmod(position, 64)
        digits = _DIGITS[digit] + digits
    return digits


def parse(given: str, buckets: int) -> Place | Literal["latest"]:
    """The place of a cursor of a feed with so many buckets; or `latest`.

    Raises `InvalidCursor`. Whether the feed reaches that far is for the caller to see.
    """
    if given == "latest":
        return "latest"
    numbers = given.removeprefix(_FORM).split(":")
    if (
        not given.startswith(_FORM)
        or len(numbers) != buckets
        or not all(_NUMBER.fullmatch(one) for one in numbers)
    ):
        raise InvalidCursor(cursor=given[:80], expected=_EXPECTED)
    return tuple(_value(one) for one in numbers)


def reaches(place: Place, other: Place) -> bool:
    """Whether all that lies before the other place lies before this one."""
    return all(here >= there for here, there in zip(place, other, strict=True))


def _value(digits: str) -> int:
    value = 0
    for digit in digits:
        value = value * 64 + _VALUES[digit]
    return value

"""Where some lines stand among others, in linear time.

By the algorithm of Knuth, Morris and Pratt (SIAM J. Comput. 6, 1977), over lines that
are numbered: equal lines have equal numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

UNKNOWN = -1
"""The number of a line that is nowhere in the text."""

FEW = 64


def few_places(numbers: Iterable[int], text: Sequence[int]) -> dict[int, list[int]]:
    """Where those of the numbers stand that stand in few places; others are left out."""
    found: dict[int, list[int]] = {number: [] for number in numbers}
    for at, number in enumerate(text):
        places = found.get(number)
        if places is None:
            continue
        if len(places) == FEW:
            del found[number]
        else:
            places.append(at)
    return found


@dataclass
class Matches:
    """Where all of it stands, in order; and how many of its first lines stand where, at best."""

    places: list[int] = field(default_factory=list)
    most: int = 0
    nearest: int = 0


def matches(wanted: Sequence[int], text: Sequence[int], first: int, near: int) -> Matches:
    """Find `wanted`, which is not empty, at `first` or after it.

    Of several places where equally many lines stand, `nearest` is the one nearest to `near`.
    """
    found = Matches(nearest=first)
    borders = _borders(wanted)
    matched = 0
    for at in range(first, len(text)):
        while matched and (matched == len(wanted) or wanted[matched] != text[at]):
            _compare(found, matched, at - matched, near)
            matched = borders[matched]
        if wanted[matched] == text[at]:
            matched += 1
            if matched == len(wanted):
                found.places.append(at + 1 - matched)
    if matched:
        _compare(found, matched, len(text) - matched, near)
    return found


def _compare(found: Matches, matched: int, place: int, near: int) -> None:
    nearer = abs(place - near) < abs(found.nearest - near)
    if matched > found.most or (matched == found.most and nearer):
        found.most, found.nearest = matched, place


def _borders(wanted: Sequence[int]) -> list[int]:
    """Of each beginning, by its length, how long the longest is that is its end too."""
    borders = [0] * (len(wanted) + 1)
    border = 0
    for length in range(2, len(wanted) + 1):
        last = wanted[length - 1]
        while border and wanted[border] != last:
            border = borders[border]
        if wanted[border] == last:
            border += 1
        borders[length] = border
    return borders

"""Reading a hunk: its header, and which of the lines after it are its own.

Models count badly. So the counts of a header are believed only if the lines agree;
otherwise the hunk goes on for as long as its lines look like it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from turnlog.adapters.tools.patches.patch import Hunk, not_understood

NUMBERS = re.compile(rb"@@ -(\d{1,9})(?:,(\d{1,9}))? \+\d{1,9}(?:,(\d{1,9}))? @@")
DOTS = b"..."
SIGNS = (b" ", b"+", b"-", b"\\")
MOST_ANCHORS = 8

Ends = Callable[[Sequence[bytes], int], bool]
"""Whether that line begins something else, although it looks like a line of a hunk."""


def read_hunk(lines: Sequence[bytes], first: int, ends: Ends) -> tuple[Hunk, int]:
    """The hunk whose header is the line `first`, and the line after it; both from 0.

    Its first lines may have no header. Raises `ToolFailed`.
    """
    here = first
    anchors: list[bytes] = []
    start = None
    counts: tuple[int, int] | None = None
    while here < len(lines) and lines[here].startswith(b"@@") and counts is None:
        if numbers := NUMBERS.match(lines[here]):
            start = int(numbers[1])
            counts = int(numbers[2] or 1), int(numbers[3] or 1)
        elif (anchor := lines[here][2:].strip().removesuffix(b"@@").strip()) not in (b"", DOTS):
            anchors.append(anchor)
        here += 1
    if len(anchors) > MOST_ANCHORS:
        raise not_understood(first + 1, f"over {MOST_ANCHORS} lines that begin with '@@'.")
    after = None if counts is None else _counted(lines, here, counts, ends)
    if after is None:
        start = None if start == 0 else start
        after = _shaped(lines, here, ends)
    own = [line for line in lines[here:after] if not line.startswith(b"\\")]
    if not any(line[:1] in (b"+", b"-") for line in own):
        raise not_understood(
            first + 1,
            "a hunk follows in which nothing is changed. Its lines begin with '+' for a new line, "
            "'-' for one that goes, and a space for one that stays.",
        )
    hunk = Hunk(
        at=first + 1,
        header=lines[first],
        lines=own,
        start=start,
        anchors=tuple(anchors),
        unended=_unended(lines, here, after),
    )
    return hunk, after


def _counted(lines: Sequence[bytes], here: int, counts: tuple[int, int], ends: Ends) -> int | None:
    """Where it ends by its header's counts; None if they are wrong."""
    old, new = counts
    while old > 0 or new > 0:
        sign = lines[here][:1] if here < len(lines) else b"@"
        if sign not in (b"", *SIGNS):
            return None
        old -= sign in (b"", b" ", b"-")
        new -= sign in (b"", b" ", b"+")
        here += 1
    if (old, new) != (0, 0):
        return None
    while here < len(lines) and lines[here].startswith(b"\\"):
        here += 1
    more = here < len(lines) and lines[here][:1] in SIGNS and not ends(lines, here)
    return None if more else here


def _shaped(lines: Sequence[bytes], here: int, ends: Ends) -> int:
    """Where it ends by the look of its lines; empty ones before the end are not its own."""
    while here < len(lines) and lines[here][:1] in (b"", *SIGNS) and not ends(lines, here):
        here += 1
    while not lines[here - 1]:
        here -= 1
    return here


def _unended(lines: Sequence[bytes], here: int, after: int) -> frozenset[bytes]:
    """The sides ('-' and '+') whose last line is said to have no newline."""
    sides: set[bytes] = set()
    for at in range(here + 1, after):
        if lines[at].startswith(b"\\"):
            sign = lines[at - 1][:1]
            sides |= {sign} if sign in (b"-", b"+") else {b"-", b"+"}
    return frozenset(sides)

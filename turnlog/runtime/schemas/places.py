"""Where in a value something is, in words: `edits[2].line`."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST_PLACE = 200


def at(path: Iterable[str | int]) -> str:
    """The beginning of a sentence about what is there."""
    place = ""
    for part in path:
        if isinstance(part, int):
            place += f"[{part}]"
        elif part and all(letter.isalnum() or letter in "_-$" for letter in part):
            place += f".{part}" if place else part
        else:
            place += f"[{part!r}]"
    if len(place) > LONGEST_PLACE:
        place = f"{place[:LONGEST_PLACE]}…"
    return f'at "{place}": ' if place else "at the top: "

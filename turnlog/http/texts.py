"""What can be stored: texts that are Unicode, without the NUL that PostgreSQL does not take.

And values that are not nested so deeply that they could be written here, and not read there.
And numbers that are no larger than what readers of JSON take; else they would be kept as null.
"""

from __future__ import annotations

from itertools import islice
from math import isfinite
from typing import Any

MAX_VALUES = 10_000
MAX_DEPTH = 100


def flaw(text: str) -> str | None:
    """What keeps a text from being stored, if anything does."""
    if "\0" in text:
        return "holds a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "holds half of a surrogate pair"
    return None


def first_flaw(name: str, value: Any) -> tuple[str, str] | None:
    """Where in a value, names included, something is that cannot be stored, and why it cannot."""
    left: list[tuple[str, Any, int]] = [(name, value, 0)]
    for _ in range(MAX_VALUES):
        if not left:
            return None
        path, value, depth = left.pop()
        match value:
            case list() | dict() if depth >= MAX_DEPTH:
                return name, "is nested too deeply"
            case str() if problem := flaw(value):
                return path, problem
            case float() if not isfinite(value):
                return path, "is a number out of range"
            case list():
                items = islice(enumerate(value), MAX_VALUES)
                left += [(f"{path}[{place}]", item, depth + 1) for place, item in items]
            case dict():
                members = [*islice(value.items(), MAX_VALUES)]
                left += [(path, name, depth) for name, _ in members]
                left += [(f"{path}.{name}", item, depth + 1) for name, item in members]
            case _:
                pass
    return name, "has too many values in it"

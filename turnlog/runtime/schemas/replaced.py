"""The keywords that are checked in another way than `jsonschema` does.

Patterns run on RE2, not on Python's `re`; `multipleOf` counts in decimals, so that 19.99
is a multiple of 0.01; `uniqueItems` takes linear time; and what is not known, or not
allowed, is told with its name.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from jsonschema import ValidationError

from turnlog.runtime.schemas.budget import CHARACTERS_A_STEP, spend, spend_on
from turnlog.runtime.schemas.patterns import Pattern, compiled

BITS_A_STEP = 100
MOST_NAMES = 5


def _matches(pattern: Pattern, text: str) -> bool:
    data = text.encode("utf-8", "replace")
    spend(1 + len(data) * pattern.programsize // CHARACTERS_A_STEP)
    return pattern.search(data) is not None


def check_pattern(_: Any, pattern: str, text: Any, __: dict[str, Any]) -> Iterator[ValidationError]:
    """`pattern`."""
    known = compiled(pattern)
    if isinstance(text, str) and known is not None and not _matches(known, text):
        yield ValidationError(f"{text!r} does not match {pattern!r}")


def check_pattern_properties(
    validator: Any, patterns: dict[str, Any], value: Any, _: dict[str, Any]
) -> Iterator[ValidationError]:
    """`patternProperties`."""
    if not isinstance(value, dict):
        return
    for pattern, schema in patterns.items():
        known = compiled(pattern)
        for name, member in value.items():
            if known is not None and _matches(known, name):
                yield from validator.descend(member, schema, path=name, schema_path=pattern)


def check_additional_properties(
    validator: Any, allowed: Any, value: Any, schema: dict[str, Any]
) -> Iterator[ValidationError]:
    """`additionalProperties`."""
    if not isinstance(value, dict) or allowed is True:
        return
    properties = schema.get("properties", {})
    patterns = [compiled(pattern) for pattern in schema.get("patternProperties", {})]
    # A pattern that cannot be matched here may be the one that allows the name.
    extra = [
        name
        for name in value
        if name not in properties
        and not any(known is None or _matches(known, name) for known in patterns)
    ]
    if allowed is False and extra:
        names = ", ".join(map(repr, extra[:MOST_NAMES]))
        more = f" and {len(extra) - MOST_NAMES} more" if len(extra) > MOST_NAMES else ""
        verb = "is" if len(extra) == 1 else "are"
        known_names = ", ".join(map(repr, properties)) or "none"
        there = "" if patterns else f"; there are: {known_names}"
        yield ValidationError(f"{names}{more} {verb} not known{there}")
    elif isinstance(allowed, dict):
        for name in extra:
            yield from validator.descend(value[name], allowed, path=name)


def check_properties(
    validator: Any, properties: dict[str, Any], value: Any, _: dict[str, Any]
) -> Iterator[ValidationError]:
    """`properties`."""
    if not isinstance(value, dict):
        return
    for name, schema in properties.items():
        if name in value and schema is False:
            yield ValidationError(f"{name!r} is not allowed here")
        elif name in value:
            yield from validator.descend(value[name], schema, path=name, schema_path=name)


def check_multiple_of(
    _: Any, step: Any, value: Any, __: dict[str, Any]
) -> Iterator[ValidationError]:
    """`multipleOf`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    spend(int(value).bit_length() // BITS_A_STEP + int(step).bit_length() // BITS_A_STEP)
    if (_exactly(value) / _exactly(step)).denominator != 1:
        yield ValidationError(f"{value!r} is not a multiple of {step}")


def _exactly(number: float) -> Fraction:
    """The decimal number that was written, not the binary one next to it."""
    return Fraction(number if isinstance(number, int) else repr(number))


def check_unique_items(
    _: Any, unique: bool, value: Any, __: dict[str, Any]
) -> Iterator[ValidationError]:
    """`uniqueItems`."""
    if unique and isinstance(value, list):
        seen: set[object] = set()
        for index, item in enumerate(map(_identity, value)):
            if item in seen:
                yield ValidationError(f"the item [{index}] is there before")
                return
            seen.add(item)


def _identity(value: Any) -> object:
    """The same for two values if JSON Schema calls them equal: 1 and 1.0, but not 1 and true."""
    spend_on(value)
    match value:
        case dict():
            return frozenset((name, _identity(member)) for name, member in value.items())
        case list():
            return tuple(map(_identity, value))
        case bool() | str() | None:
            return (type(value), value)
        case _:
            # Numbers are hashed as text: whoever sends them could choose many of one hash.
            exact = int(value) if isinstance(value, float) and value.is_integer() else value
            return (float, repr(exact))

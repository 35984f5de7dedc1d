"""The drafts of JSON Schema, as validators whose every step is counted.

Some keywords are ours: patterns run on RE2, not on Python's `re`; `multipleOf` counts in
decimals, so that 19.99 is a multiple of 0.01; `uniqueItems` takes linear time; and
OpenAPI's `nullable`, which many schemas have, is understood.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from jsonschema import (  # type: ignore[import-untyped]
    Draft4Validator,
    Draft6Validator,
    Draft7Validator,
    Draft201909Validator,
    Draft202012Validator,
    ValidationError,
)
from jsonschema.validators import extend  # type: ignore[import-untyped]

from turnlog.runtime.schemas.budget import (
    BUDGET,
    CHARACTERS_A_STEP,
    look_down,
    spend,
    spend_on,
)
from turnlog.runtime.schemas.patterns import Pattern, compiled

Keyword = Callable[[Any, Any, Any, dict[str, Any]], Iterator[ValidationError] | None]
"""Takes the validator, the keyword's value, what is checked, and the schema it stands in."""


def _matches(pattern: Pattern, text: str) -> bool:
    data = text.encode("utf-8", "replace")
    spend(1 + len(data) * pattern.programsize // CHARACTERS_A_STEP)
    return pattern.search(data) is not None


def _pattern(_: Any, pattern: str, text: Any, __: dict[str, Any]) -> Iterator[ValidationError]:
    known = compiled(pattern)
    if isinstance(text, str) and known is not None and not _matches(known, text):
        yield ValidationError(f"{text!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, patterns: dict[str, Any], value: Any, _: dict[str, Any]
) -> Iterator[ValidationError]:
    if not isinstance(value, dict):
        return
    for pattern, schema in patterns.items():
        known = compiled(pattern)
        for name, member in value.items():
            if known is not None and _matches(known, name):
                yield from validator.descend(member, schema, path=name, schema_path=pattern)


def _additional_properties(
    validator: Any, allowed: Any, value: Any, schema: dict[str, Any]
) -> Iterator[ValidationError]:
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
        known_names = ", ".join(map(repr, properties)) or "none"
        there = "" if patterns else f"; there are: {known_names}"
        verb = "is" if len(extra) == 1 else "are"
        yield ValidationError(f"{', '.join(map(repr, extra))} {verb} not known{there}")
    elif isinstance(allowed, dict):
        for name in extra:
            yield from validator.descend(value[name], allowed, path=name)


def _properties(
    validator: Any, properties: dict[str, Any], value: Any, _: dict[str, Any]
) -> Iterator[ValidationError]:
    if not isinstance(value, dict):
        return
    for name, schema in properties.items():
        if name in value and schema is False:
            yield ValidationError(f"{name!r} is not allowed here")
        elif name in value:
            yield from validator.descend(value[name], schema, path=name, schema_path=name)


def _multiple_of(_: Any, step: Any, value: Any, __: dict[str, Any]) -> Iterator[ValidationError]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    if (_exactly(value) / _exactly(step)).denominator != 1:
        yield ValidationError(f"{value!r} is not a multiple of {step}")


def _exactly(number: float) -> Fraction:
    """The decimal number that was written, not the binary one next to it."""
    return Fraction(number if isinstance(number, int) else repr(number))


def _unique_items(
    _: Any, unique: bool, value: Any, __: dict[str, Any]
) -> Iterator[ValidationError]:
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
        case bool():
            return (bool, value)
        case str():
            return (str, value)
        case _:
            return value


def _unless_null(keyword: Keyword) -> Keyword:
    def check(
        validator: Any, value: Any, checked: Any, schema: dict[str, Any]
    ) -> Iterator[ValidationError]:
        if checked is not None or schema.get("nullable") is not True:
            yield from keyword(validator, value, checked, schema) or ()

    return check


def _comparing(keyword: Keyword) -> Keyword:
    def check(
        validator: Any, value: Any, checked: Any, schema: dict[str, Any]
    ) -> Iterator[ValidationError]:
        spend(BUDGET.get().telling)
        yield from keyword(validator, value, checked, schema) or ()

    return check


def _counted(keyword: Keyword) -> Keyword:
    def check(
        validator: Any, value: Any, checked: Any, schema: dict[str, Any]
    ) -> Iterator[ValidationError]:
        spend_on(value)
        spend_on(checked)
        for error in keyword(validator, value, checked, schema) or ():
            spend(BUDGET.get().telling)
            yield error

    return check


def _dialect(draft: Any) -> Any:
    keywords: dict[str, Keyword] = {**draft.VALIDATORS}
    keywords |= {
        "additionalProperties": _additional_properties,
        "enum": _unless_null(_comparing(keywords["enum"])),
        "multipleOf": _multiple_of,
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "properties": _properties,
        "type": _unless_null(keywords["type"]),
        "uniqueItems": _unique_items,
    }
    if "const" in keywords:
        keywords["const"] = _comparing(keywords["const"])
    dialect = extend(draft, {name: _counted(keyword) for name, keyword in keywords.items()})
    evolve = dialect.evolve

    def counted_evolve(self: Any, **changes: Any) -> Any:
        """Every way down goes through here, some of them through no keyword."""
        spend(1)
        look_down()
        return evolve(self, **changes)

    dialect.evolve = counted_evolve
    return dialect


LATEST = _dialect(Draft202012Validator)
DIALECTS: Mapping[str, Any] = {
    "http://json-schema.org/draft-04/schema": _dialect(Draft4Validator),
    "http://json-schema.org/draft-06/schema": _dialect(Draft6Validator),
    "http://json-schema.org/draft-07/schema": _dialect(Draft7Validator),
    "https://json-schema.org/draft/2019-09/schema": _dialect(Draft201909Validator),
    "https://json-schema.org/draft/2020-12/schema": LATEST,
}


def dialect_named(uri: object) -> Any:
    """The validator for a schema whose `$schema` that is; None if it is not known."""
    return DIALECTS.get(uri.rstrip("#")) if isinstance(uri, str) else None

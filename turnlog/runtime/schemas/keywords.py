"""What may stand behind each keyword of JSON Schema.

https://json-schema.org/draft/2020-12/schema, with what older drafts had and many write.
A keyword that is not here says nothing, and anything may stand behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from turnlog.runtime.schemas.patterns import fault

SCHEMAS = frozenset(
    {
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
LISTS_OF_SCHEMAS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
NAMED_BY_PATTERNS = frozenset({"patternProperties"})
MAPS_OF_SCHEMAS = NAMED_BY_PATTERNS | {
    "$defs",
    "definitions",
    "dependencies",
    "dependentSchemas",
    "properties",
}
REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")

_ANCHOR = re.compile(r"[A-Za-z_][-A-Za-z0-9._]*")

Complaint = Callable[[Any], str | None]
"""Says what is wrong with a keyword's value, without an end; None if nothing is."""


def _must(fits: Callable[[Any], bool], words: str) -> Complaint:
    return lambda value: None if fits(value) else f"this must be {words}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_number(value) and value >= 0 and value == value // 1


def _are_names(value: Any) -> bool:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        return False
    return len(set(value)) == len(value)


def _type(value: Any) -> str | None:
    named = value if isinstance(value, list) else [value]
    for name in named:
        if name not in TYPES:
            return f"{name!r} is no type; there are {', '.join(TYPES)}"
    if not named or len(set(named)) < len(named):
        return "this must be a type, or a list of different ones"
    return None


def _pattern(value: Any) -> str | None:
    if not isinstance(value, str):
        return "this must be a string"
    wrong = fault(value)
    return wrong and f"{value!r} is no pattern: {wrong}"


_string = _must(lambda value: isinstance(value, str), "a string")
_switch = _must(lambda value: isinstance(value, bool), "true or false")
_number = _must(_is_number, "a number")
_count = _must(_is_count, "a whole number from 0")
different_names = _must(_are_names, "a list of different names")
_list = _must(lambda value: isinstance(value, list), "a list")
_anchor = _must(
    lambda value: isinstance(value, str) and _ANCHOR.fullmatch(value) is not None,
    "a name of letters, digits, '.', '-' and '_'",
)

KEYWORDS: Mapping[str, Complaint] = {
    "$anchor": _anchor,
    "$comment": _string,
    "$dynamicAnchor": _anchor,
    "$dynamicRef": _string,
    "$id": _must(lambda value: isinstance(value, str) and "#" not in value[:-1], "a URI"),
    "$recursiveRef": _string,
    "$ref": _string,
    "$schema": _string,
    "contentEncoding": _string,
    "contentMediaType": _string,
    "dependentRequired": _must(
        lambda value: isinstance(value, dict) and all(map(_are_names, value.values())),
        "an object whose members are lists of different names",
    ),
    "deprecated": _switch,
    "description": _string,
    "enum": _list,
    "examples": _list,
    "exclusiveMaximum": _number,
    "exclusiveMinimum": _number,
    "format": _string,
    "maxContains": _count,
    "maxItems": _count,
    "maxLength": _count,
    "maxProperties": _count,
    "maximum": _number,
    "minContains": _count,
    "minItems": _count,
    "minLength": _count,
    "minProperties": _count,
    "minimum": _number,
    "multipleOf": _must(lambda value: _is_number(value) and value > 0, "a number above 0"),
    "pattern": _pattern,
    "readOnly": _switch,
    "required": different_names,
    "title": _string,
    "type": _type,
    "uniqueItems": _switch,
    "writeOnly": _switch,
}

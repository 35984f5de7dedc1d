"""What is a schema, and what fits it, is what the specification says, for any of them."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, SchemaError

from turnlog.domain.errors import InvalidSchema
from turnlog.runtime.schemas import check_schema, problems
from turnlog.runtime.schemas.keywords import (
    KEYWORDS,
    LISTS_OF_SCHEMAS,
    MAPS_OF_SCHEMAS,
    SCHEMAS,
    TYPES,
)

NAMES = st.sampled_from(["a", "b", "c"])
NUMBERS = st.integers(-3, 3) | st.sampled_from([0.5, 1.0, 2.0])
SCALARS = st.none() | st.booleans() | NUMBERS | st.sampled_from(["", "a", "ab", "abc"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=10,
)
ARGUMENTS = st.dictionaries(NAMES, VALUES, max_size=3)
COUNTS = st.integers(0, 3)
TYPE = st.sampled_from(TYPES) | st.lists(st.sampled_from(TYPES), min_size=1, unique=True)


def _schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    named = st.dictionaries(NAMES, inner, max_size=2)
    several = st.lists(inner, min_size=1, max_size=3)
    return st.fixed_dictionaries(
        {},
        optional={
            "$ref": st.sampled_from(["#/$defs/a", "#/$defs/b"]),
            "additionalProperties": inner,
            "allOf": several,
            "anyOf": several,
            "const": VALUES,
            "contains": inner,
            "dependentRequired": st.dictionaries(NAMES, st.lists(NAMES, unique=True), max_size=1),
            "dependentSchemas": named,
            "enum": st.lists(VALUES, max_size=3),
            "exclusiveMaximum": NUMBERS,
            "if": inner,
            "then": inner,
            "else": inner,
            "items": inner,
            "maxItems": COUNTS,
            "maxLength": COUNTS,
            "maximum": NUMBERS,
            "minContains": COUNTS,
            "minLength": COUNTS,
            "minProperties": COUNTS,
            "multipleOf": st.sampled_from([1, 2, 0.5]),
            "not": inner,
            "oneOf": several,
            "pattern": st.sampled_from(["a", "^a", "b$", "^(ab|c)*$"]),
            "patternProperties": st.dictionaries(st.sampled_from(["a", "[bc]"]), inner, max_size=1),
            "prefixItems": several,
            "properties": named,
            "propertyNames": inner,
            "required": st.lists(NAMES, unique=True, max_size=2),
            "type": TYPE,
            "uniqueItems": st.booleans(),
        },
    )


LEAVES: st.SearchStrategy[Any] = st.booleans() | st.fixed_dictionaries(
    {"type": st.sampled_from(TYPES)}
)
SCHEMAS_OF_ANY_KIND = st.recursive(LEAVES, _schemas, max_leaves=6)
DEFINITIONS = st.fixed_dictionaries({"a": LEAVES, "b": LEAVES})


@settings(max_examples=150, deadline=None)
@given(_schemas(SCHEMAS_OF_ANY_KIND), DEFINITIONS, st.lists(ARGUMENTS, min_size=1, max_size=5))
def test_arguments_fit_if_and_only_if_the_reference_says_so(
    schema: dict[str, Any], definitions: dict[str, Any], tried: list[dict[str, Any]]
) -> None:
    schema["$defs"] = definitions
    schema["type"] = "object"
    check_schema(schema)
    reference = Draft202012Validator(schema)
    for arguments in tried:
        assert (problems(schema, arguments) == []) is reference.is_valid(arguments)


KNOWN = [*KEYWORDS, *LISTS_OF_SCHEMAS, *MAPS_OF_SCHEMAS, *SCHEMAS, "const", "x-odd"]
OURS_ALONE = {"$schema", "$ref", "$dynamicRef", "$recursiveRef", "$id", "pattern"}
ODD = VALUES | st.sampled_from(["object", ["string", "null"], [{"type": "string"}], {"a": {}}])


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        ODD,
        lambda inner: st.dictionaries(
            st.sampled_from([name for name in KNOWN if name not in OURS_ALONE]), inner, max_size=3
        ),
        max_leaves=6,
    ).filter(lambda schema: isinstance(schema, dict) and schema.get("type", "object") == "object")
)
def test_a_schema_is_one_if_and_only_if_the_meta_schema_says_so(schema: dict[str, Any]) -> None:
    try:
        Draft202012Validator.check_schema(schema, format_checker=None)
        is_one = True
    except SchemaError:
        is_one = False
    try:
        check_schema(schema)
        taken = True
    except InvalidSchema:
        taken = False
    assert taken is is_one


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KNOWN) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.sampled_from(KNOWN), ANYTHING, max_size=5),
    st.dictionaries(st.text(max_size=3) | NAMES, ANYTHING, max_size=4),
)
def test_whatever_is_given_it_is_refused_or_decided(
    schema: dict[str, Any], arguments: dict[str, Any]
) -> None:
    try:
        check_schema(schema)
    except InvalidSchema:
        pass
    assert all(isinstance(told, str) for told in problems(schema, arguments))

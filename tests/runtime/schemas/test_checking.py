"""A schema that cannot be used is refused with the place and the reason."""

from __future__ import annotations

from functools import reduce
from typing import Any

import pytest

from turnlog.domain.errors import InvalidInput, InvalidSchema
from turnlog.runtime.schemas import check_schema, problems
from turnlog.runtime.schemas.checking import DEEPEST, LARGEST_BYTES, MOST_VALUES

DRAFT_7 = "http://json-schema.org/draft-07/schema#"


def refusal(schema: dict[str, Any]) -> str:
    with pytest.raises(InvalidSchema) as refused:
        check_schema(schema)
    assert isinstance(refused.value, InvalidInput)
    return str(refused.value)


def nested(levels: int) -> dict[str, Any]:
    return reduce(lambda inner, _: {"not": inner}, range(levels), dict[str, Any]())


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        {"type": "object", "properties": {"$ref": {"type": "string"}}},
        {"properties": {"type": {"enum": [{"$ref": "http://elsewhere"}, {"type": "x"}]}}},
        {"$defs": {"node": {"properties": {"next": {"$ref": "#/$defs/node"}}}}},
        {"properties": {"a": {"$anchor": "here"}, "b": {"$ref": "#here"}}},
        {"properties": {"a": {"$id": "T", "items": {"$ref": "T"}}}},
        {"$id": "https://example.com/a", "properties": {"a": {"$ref": "#"}}},
        {"properties": {"a": {"pattern": "^(?=.*[0-9]).{8}$", "format": "no-such-format"}}},
        {"properties": {"a": {"type": "string", "nullable": True, "x-mine": ["anything"]}}},
        {"$schema": DRAFT_7, "definitions": {"a": {}}, "allOf": [{"$ref": "#/definitions/a"}]},
        {"$schema": DRAFT_7, "properties": {"pair": {"items": [{}, {"type": "string"}]}}},
        {
            "$schema": "http://json-schema.org/draft-04/schema#",
            "properties": {"a": {"minimum": 0, "exclusiveMinimum": True}},
        },
        nested(DEEPEST - 1),
    ],
)
def test_what_is_a_schema_is_taken(schema: dict[str, Any]) -> None:
    check_schema(schema)


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "string"}, "at \"type\": arguments are an object, so this must be 'object'."),
        (
            {"properties": {"edits": {"items": {"type": "objet"}}}},
            "at \"properties.edits.items.type\": 'objet' is no type; there are array, boolean, "
            "integer, null, number, object, string.",
        ),
        ({"properties": []}, 'at "properties": this must be an object whose members are schemas.'),
        (
            {"properties": {"a": "string"}},
            'at "properties.a": this must be a schema: an object, true or false.',
        ),
        (
            {"anyOf": [{}, {"required": "a"}]},
            'at "anyOf[1].required": this must be a list of different names.',
        ),
        (
            {"dependencies": {"a": ["b", None]}},
            'at "dependencies.a": this must be a list of different names.',
        ),
        ({"properties": {"a b": {"minLength": -1}}}, "at \"properties['a b'].minLength\": this"),
        ({"properties": {"a": {"pattern": "("}}}, "'(' is no pattern: missing ): (."),
        ({"patternProperties": {"[": {}}}, "that is no pattern: missing ]"),
        ({"properties": {"a": {"items": [{}]}}}, 'at "properties.a.items": this must be a'),
        ({"allOf": []}, 'at "allOf": this must be a list of schemas, and not empty.'),
        ({"$schema": "http://example.com/mine"}, "is no draft that is known here."),
        ({"properties": {"a": {"$schema": DRAFT_7}}}, "it may stand at the top only."),
        ({"minimum": float("nan")}, ""),
        ({"title": "\ud800"}, "It cannot be written as JSON"),
        (nested(DEEPEST), "It is nested too deeply; 64 levels are the limit."),
        (nested(100_000), "It is nested too deeply"),
        ({"enum": [0] * MOST_VALUES}, "It is too large; 10,000 values are the limit."),
        ({"title": "x" * LARGEST_BYTES}, "It is too large; 262,144 bytes are the limit."),
    ],
)
def test_what_is_none_is_refused_with_the_place(schema: dict[str, Any], told: str) -> None:
    assert told in refusal(schema)


@pytest.mark.parametrize(
    "reference",
    [
        "http://127.0.0.1:1/schema.json",
        "https://json-schema.org/draft/2020-12/schema",
        "file:///etc/passwd",
        "other.json",
        "#/$defs/missing",
        "#missing",
        "#/required/x",
        "http://[",
    ],
)
def test_a_reference_that_leads_outside_is_refused(reference: str) -> None:
    schema = {"required": ["a"], "properties": {"a": {"title": "A", "$ref": reference}}}
    told = refusal(schema)
    assert told.startswith(f'at "properties.a.$ref": {reference!r} leads nowhere')
    assert problems(schema, {"a": 1}) == []


def test_what_a_reference_leads_to_is_looked_at_where_no_keyword_leads() -> None:
    hidden = {"properties": {"a": {"$ref": "#/x-hidden/b"}}, "x-hidden": {"b": {"type": "odd"}}}
    assert "'odd' is no type" in refusal(hidden)
    assert "this must be a schema" in refusal({"required": [], "allOf": [{"$ref": "#/required"}]})

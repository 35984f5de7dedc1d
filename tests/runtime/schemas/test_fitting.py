"""Arguments that do not fit are told with the place, and nothing takes long."""

from __future__ import annotations

from typing import Any

import pytest
import structlog

from turnlog.runtime.schemas import check_schema, problems
from turnlog.runtime.schemas.budget import STEPS, Budget

PRIME = 2**61 - 1
"""Whose multiples have one hash in Python."""

EDITS = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "minLength": 1},
        "edits": {"type": "array", "items": {"$ref": "#/$defs/Edit"}, "maxItems": 1000},
        "mode": {"enum": ["fast", "safe"]},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "required": ["path"],
    "additionalProperties": False,
    "$defs": {
        "Edit": {
            "properties": {"line": {"type": "integer", "minimum": 1}},
            "required": ["line"],
        }
    },
}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"path": "a"}, []),
        ({"path": "a", "edits": [{"line": 1}], "note": None}, []),
        ({}, ["at the top: 'path' is a required property"]),
        (
            {"path": "a", "edits": [{"line": 1}, {}, {"line": "x"}, {"line": 0}]},
            [
                "at \"edits[1]\": 'line' is a required property",
                "at \"edits[2].line\": 'x' is not of type 'integer'",
                'at "edits[3].line": 0 is less than the minimum of 1',
            ],
        ),
        (
            {"path": "a", "edit": []},
            [
                "at the top: 'edit' is not known; there are: 'path', 'edits', 'mode', 'note'",
            ],
        ),
        (
            {"path": "a", **{f"x{n}": n for n in range(7)}},
            [
                "at the top: 'x0', 'x1', 'x2', 'x3', 'x4' and 2 more are not known; there are: "
                "'path', 'edits', 'mode', 'note'"
            ],
        ),
        ({"path": "a", "mode": "x"}, ["at \"mode\": 'x' is not one of ['fast', 'safe']"]),
        ({"path": "a", "note": [1]}, ["at \"note\": [1] is not of type 'string', 'null'"]),
        ({"path": None}, ["at \"path\": null is not of type 'string'"]),
    ],
)
def test_every_problem_is_told_with_its_place(arguments: dict[str, Any], told: list[str]) -> None:
    assert problems(EDITS, arguments) == told


def test_of_alternatives_the_nearest_tells_what_is_missing() -> None:
    schema = {
        "properties": {
            "shape": {
                "oneOf": [
                    {
                        "properties": {"type": {"const": "circle"}, "radius": {"type": "number"}},
                        "required": ["type", "radius"],
                    },
                    {"properties": {"type": {"const": "square"}}, "required": ["type", "side"]},
                ]
            }
        }
    }
    assert problems(schema, {"shape": {"type": "circle", "radius": "1"}}) == [
        "at \"shape.radius\": '1' is not of type 'number'"
    ]
    (told,) = problems(schema, {"shape": {}})
    assert told.startswith('at "shape": {} fits none of 2 alternatives: ')


def test_ten_problems_are_told_and_each_once() -> None:
    integers = {"properties": {"a": {"items": {"type": "integer"}}}}
    assert len(problems(integers, {"a": ["x"] * 50})) == 10
    twice = {"allOf": [{"required": ["a"]}, {"required": ["a"]}]}
    assert len(problems(twice, {})) == 1


def test_what_was_sent_is_shortened() -> None:
    (told,) = problems({"properties": {"a": {"type": "integer"}}}, {"a": "x" * 1_000_000})
    assert len(told) < 200
    assert told.endswith("… is not of type 'integer'")
    (told,) = problems({"properties": {"a": {"enum": ["x" * 5000]}}}, {"a": ["y" * 5000]})
    assert len(told) < 700


def test_numbers_are_those_that_were_written() -> None:
    price = {"properties": {"price": {"multipleOf": 0.01}}}
    assert problems(price, {"price": 19.99}) == []
    assert problems(price, {"price": 19.999}) == ['at "price": 19.999 is not a multiple of 0.01']
    assert problems({"properties": {"n": {"type": "integer"}}}, {"n": 1.0}) == []
    assert problems({"properties": {"n": {"type": "integer"}}}, {"n": True}) != []
    assert problems({"properties": {"n": {"multipleOf": 1e-300}}}, {"n": 10**300}) == []


def test_items_are_unique_as_json_has_it() -> None:
    unique = {"properties": {"a": {"uniqueItems": True}}}
    assert problems(unique, {"a": [1, True, "1", [1], {"a": 1}, None, [], {}]}) == []
    assert problems(unique, {"a": [{"a": 1, "b": [2]}, 3, {"b": [2.0], "a": 1}]}) == [
        'at "a": the item [2] is there before'
    ]


def test_patterns_are_those_of_ecma() -> None:
    schema = {"properties": {"a": {"pattern": "^\\u0041\\d+$"}}}
    assert problems(schema, {"a": "A12"}) == []
    assert problems(schema, {"a": "A12\n"}) != []
    assert problems(schema, {"a": "A٣"}) != []


def test_a_pattern_that_cannot_be_matched_here_fits_and_the_rest_is_checked() -> None:
    schema = {
        "properties": {"a": {"pattern": "^(?=x)", "maxLength": 3}},
        "patternProperties": {"^(?!x)": {"type": "integer"}},
        "additionalProperties": False,
    }
    check_schema(schema)
    assert problems(schema, {"a": "yyyy", "b": "z"}) == ["at \"a\": 'yyyy' is too long"]


def test_pattern_properties_allow_their_names() -> None:
    schema = {"patternProperties": {"^x-": {"type": "integer"}}, "additionalProperties": False}
    assert problems(schema, {"x-a": 1}) == []
    assert problems(schema, {"x-a": "1", "y": 1}) == [
        "at \"x-a\": '1' is not of type 'integer'",
        "at the top: 'y' is not known",
    ]


def test_older_drafts_are_read_as_they_are() -> None:
    draft_7 = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": {"name": {"type": "string"}},
        "properties": {"a": {"items": [{"$ref": "#/definitions/name"}], "additionalItems": False}},
    }
    assert problems(draft_7, {"a": ["x"]}) == []
    assert len(problems(draft_7, {"a": [1, 2]})) == 2
    draft_4 = {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "properties": {"a": {"minimum": 0, "exclusiveMinimum": True}},
    }
    assert problems(draft_4, {"a": 1}) == []
    assert problems(draft_4, {"a": 0}) != []


def test_a_recursive_schema_keeps_to_its_draft() -> None:
    tree = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "properties": {"value": {"pattern": "^(a+)+$"}, "left": {"$ref": "#"}},
    }
    text = "a" * 100_000 + "b"
    (told,) = problems(tree, {"left": {"left": {"value": text}}})
    assert told.startswith('at "left.left.value": ')


def test_nullable_is_understood() -> None:
    schema = {"properties": {"a": {"type": "string", "enum": ["x"], "nullable": True}}}
    assert problems(schema, {"a": None}) == []
    assert problems(schema, {"a": 1}) != []


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"type": "any"}}},
        {"properties": {"a": {"type": "string", "required": True}}},
        {"properties": {"a": {"exclusiveMinimum": True}}},
        {"properties": None},
        {"$ref": "https://example.com/tool.json"},
        {"unevaluatedProperties": False, "patternProperties": {"^(a+)+$": {}}},
    ],
)
def test_a_schema_that_is_none_stops_no_tool_and_is_logged_once(schema: dict[str, Any]) -> None:
    schema |= {"title": f"so that it is seen here first: {schema}"}
    with structlog.testing.capture_logs() as logs:
        assert problems(schema, {"a": 1}) == []
        assert problems(schema, {"a": 2}) == []
    assert [line["event"] for line in logs] in ([], ["schema.unchecked"])


def doubling(keyword: str, levels: int, last: dict[str, Any]) -> dict[str, Any]:
    """A schema of so many lines that looks 2 to the power of so many times at its last one."""

    def both(level: int) -> Any:
        following = {"$ref": f"#/$defs/{level + 1}"}
        if keyword in ("dependentSchemas", "properties", "patternProperties"):
            return {keyword: {"a": following, "b": following}}
        if keyword == "if":
            return {"if": following, "then": following, "else": following}
        return {keyword: [following, following]}

    definitions: dict[str, Any] = {str(level): both(level) for level in range(levels)}
    return {"$defs": definitions | {str(levels): last}, "$ref": "#/$defs/0"}


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf", "dependentSchemas", "if"])
@pytest.mark.parametrize("last", [{}, {"type": "integer"}, {"enum": list(range(5000))}])
@pytest.mark.parametrize("around", [{}, {"unevaluatedProperties": False}])
def test_a_schema_that_doubles_its_work_on_every_line_ends_soon(
    keyword: str, last: dict[str, Any], around: dict[str, Any]
) -> None:
    schema = around | doubling(keyword, 50, last)
    check_schema(schema)
    problems(schema, {"a": 1, "b": "x" * 100_000})


def test_two_ways_into_the_same_tree_end_soon() -> None:
    ways = [{"properties": {"a": {"$ref": "#"}}, "required": [name]} for name in "bc"]
    arguments: dict[str, Any] = {}
    for _ in range(60):
        arguments = {"a": arguments}
    problems({"anyOf": ways}, arguments)


@pytest.mark.parametrize(
    ("schema", "arguments"),
    [
        ({"$ref": "#"}, {"a": 1}),
        ({"allOf": [{"$ref": "#"}, {"$ref": "#"}]}, {"a": 1}),
        ({"not": {"$ref": "#"}}, {}),
        ({"properties": {"a": {"$dynamicRef": "#x", "$dynamicAnchor": "x"}}}, {"a": 1}),
        ({"properties": {"a": {"pattern": "^(a|aa)+$"}}}, {"a": "a" * 1_000_000 + "b"}),
        ({"properties": {"a": {"pattern": "(a|b)*a(a|b){500}"}}}, {"a": "ab" * 250_000}),
        ({"patternProperties": {"(x+x+)+y": {}}}, {"x" * 50_000: 1}),
        ({"properties": {"a": {"uniqueItems": True}}}, {"a": [{"b": n} for n in range(99_999)]}),
        ({"properties": {"a": {"uniqueItems": True}}}, {"a": [n * PRIME for n in range(45_000)]}),
        ({"properties": {"a": {"contains": {"enum": [*range(999)]}}}}, {"a": [-1] * 99_999}),
        ({"properties": {"a": {"type": "string", "multipleOf": 0.1}}}, {"a": 10**4000}),
        ({"properties": {"a": {"type": "string", "multipleOf": 0.1}}}, {"a": 10**5000}),
        ({"properties": {"a": {"multipleOf": 0.1}}}, {"a": float("inf")}),
        ({"properties": {"a": {"type": "string"}}}, {"a": "\ud800"}),
    ],
)
def test_nothing_hangs_or_raises(schema: dict[str, Any], arguments: dict[str, Any]) -> None:
    problems(schema, arguments)


def test_what_was_found_before_the_steps_ran_out_is_told() -> None:
    last = {"required": ["c"]}
    schema = {"required": ["z"], **doubling("anyOf", 50, last)}
    assert problems(schema, {"a": 1})[0] == "at the top: 'z' is a required property"


@pytest.fixture
def budgets(monkeypatch: pytest.MonkeyPatch) -> list[Budget]:
    """Those of all answers of this test."""
    made: list[Budget] = []

    class Kept(Budget):
        def __init__(self, characters: int) -> None:
            super().__init__(characters)
            made.append(self)

    monkeypatch.setattr("turnlog.runtime.schemas.fitting.Budget", Kept)
    return made


def test_arguments_of_a_usual_size_are_within_the_steps(budgets: list[Budget]) -> None:
    assert problems(EDITS, {"path": "a", "edits": [{"line": 1}] * 1000}) == []
    assert budgets[0].left > STEPS / 2


@pytest.mark.parametrize(
    ("schema", "arguments"),
    [
        ({"required": [f"x{n}" for n in range(4000)]}, {f"x{n}": 1 for n in range(4000)}),
        ({"properties": {"a": {"items": True}}}, {"a": [0] * 8000}),
        ({"properties": {"a": {"enum": ["x" * 200_000, "y"]}}}, {"a": "y"}),
        ({"properties": {"a": {"pattern": "^[a-z]+$"}}}, {"a": "a" * 250_000}),
        ({"properties": {"a": {"multipleOf": 1}}}, {"a": 10**4200}),
    ],
)
def test_a_step_that_takes_long_counts_as_many(
    budgets: list[Budget], schema: dict[str, Any], arguments: dict[str, Any]
) -> None:
    problems(schema, arguments)
    assert STEPS - budgets[0].left > 100


def test_schemas_of_one_content_are_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems({"title": "T1", "required": ["a"]}, {"a": 1}) == []
    monkeypatch.setattr("turnlog.runtime.schemas.fitting.check_keywords", None)
    assert problems({"title": "T1", "required": ["a"]}, {}) != []

"""A function's signature is a tool's schema, or it is refused where it is written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, Struct

from turnlog.runtime.schemas import check_schema, problems
from turnlog.toolkit import Call, PythonTool, tool


class Address(Struct):
    city: Annotated[str, Meta(min_length=1)]
    zip: str = ""


@dataclass
class Line:
    article: str
    count: Annotated[int, Meta(ge=1)] = 1


class Tree(Struct):
    name: str
    children: list[Tree] = []


class Custom:
    pass


@tool(repeatable=True, approval="always", seconds=5)
async def place_order(
    lines: list[Line],
    ship: Annotated[Address, Meta(description="Where to.")],
    bill: Address | None = None,
    due: date | None = None,
    speed: Literal["slow", "fast"] = "slow",
    tags: list[str] = [],  # noqa: B006
    *,
    call: Call,
) -> str:
    """Place an order.

    It is paid later.
    """
    return f"{lines} {ship} {bill} {due} {speed} {tags} {call.key}"


def test_the_schema_is_what_the_signature_says() -> None:
    spec = place_order.spec
    assert spec.name == "place_order"
    assert spec.description == "Place an order.\n\nIt is paid later."
    assert (spec.repeatable, spec.approval, spec.seconds, spec.unasked) == (
        True,
        "always",
        5.0,
        False,
    )
    assert spec.parameters == {
        "type": "object",
        "properties": {
            "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
            "ship": {"$ref": "#/$defs/Address", "description": "Where to."},
            "bill": {
                "anyOf": [{"$ref": "#/$defs/Address"}, {"type": "null"}],
                "default": None,
            },
            "due": {
                "anyOf": [{"type": "string", "format": "date"}, {"type": "null"}],
                "default": None,
            },
            "speed": {"enum": ["fast", "slow"], "default": "slow"},
            "tags": {"type": "array", "items": {"type": "string"}, "default": []},
        },
        "required": ["lines", "ship"],
        "additionalProperties": False,
        "$defs": {
            "Address": {
                "title": "Address",
                "type": "object",
                "properties": {
                    "city": {"type": "string", "minLength": 1},
                    "zip": {"type": "string", "default": ""},
                },
                "required": ["city"],
            },
            "Line": {
                "title": "Line",
                "type": "object",
                "properties": {
                    "article": {"type": "string"},
                    "count": {"type": "integer", "minimum": 1, "default": 1},
                },
                "required": ["article"],
            },
        },
    }
    check_schema(spec.parameters)


def test_the_schema_tells_the_same_as_the_types() -> None:
    fits: dict[str, Any] = {"lines": [{"article": "a"}], "ship": {"city": "b"}}
    assert problems(place_order.spec.parameters, fits) == []
    assert problems(place_order.spec.parameters, fits | {"bill": {"city": ""}, "x": 1}) == [
        "at \"bill.city\": '' should be non-empty",
        "at the top: 'x' is not known; there are: 'lines', 'ship', 'bill', 'due', 'speed', 'tags'",
    ]


def test_a_type_may_contain_itself() -> None:
    @tool
    def grow(tree: Tree) -> str:
        """Grow."""
        return tree.name

    check_schema(grow.spec.parameters)
    assert problems(grow.spec.parameters, {"tree": {"name": "a", "children": [{}]}}) == [
        "at \"tree.children[0]\": 'name' is a required property"
    ]


def test_name_and_description_may_be_given() -> None:
    @tool(name="order-status_2", description="Look it up.")
    def status() -> str:
        return "shipped"

    assert (status.spec.name, status.spec.description) == ("order-status_2", "Look it up.")
    assert status.spec.parameters == {
        "type": "object",
        "properties": {},
        "required": [],
        "additionalProperties": False,
    }


def test_a_tool_is_still_its_function() -> None:
    @tool
    def double(number: int) -> int:
        """Double it."""
        return 2 * number

    assert double(4) == 8
    assert double.__doc__ == "Double it."


def undocumented(number: int) -> None: ...


def unannotated(number) -> None:  # type: ignore[no-untyped-def]
    """Documented."""


def several(*numbers: int) -> None:
    """Documented."""


def named(**numbers: int) -> None:
    """Documented."""


def positional(number: int, /) -> None:
    """Documented."""


def custom(what: Custom) -> None:
    """Documented."""


def ambiguous(what: Address | Tree) -> None:
    """Documented."""


def unknown(what: Nowhere) -> None:  # type: ignore[name-defined]  # noqa: F821
    """Documented."""


def odd_default(what: Any = Custom()) -> None:  # noqa: B008
    """Documented."""


def filled_default(what: list[int] = [1]) -> None:  # noqa: B006
    """Documented."""


def generator() -> Iterator[str]:
    """Documented."""
    yield ""


def two_calls(one: Call, other: Call) -> None:
    """Documented."""


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (undocumented, "'undocumented' cannot be a tool: it has no docstring"),
        (unannotated, "'number' has no annotation"),
        (several, "'*numbers' cannot be described: name each parameter"),
        (named, "'*numbers' cannot be described"),
        (positional, "'number' must not be positional-only"),
        (custom, "'what' has a type that JSON cannot have"),
        (ambiguous, "cannot be a tool"),
        (unknown, "its annotations cannot be read: name 'Nowhere' is not defined"),
        (odd_default, "'what' has a default that JSON cannot have"),
        (filled_default, "its parameters cannot be arguments"),
        (generator, "write 'async def'"),
        (two_calls, "two parameters of the type Call"),
        (lambda: None, "a name has 1 to 64 letters"),
    ],
)
def test_a_function_that_cannot_be_a_tool_is_refused_where_it_is_written(
    function: Any, told: str
) -> None:
    with pytest.raises((TypeError, ValueError)) as refused:
        tool(function)
    assert told in str(refused.value)
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize(
    "said",
    [
        {"name": ""},
        {"name": "a b"},
        {"name": "x" * 65},
        {"name": "größe"},
        {"approval": "maybe"},
        {"seconds": 0},
        {"seconds": "60"},
        {"seconds": 1e9},
    ],
)
def test_what_is_said_of_a_tool_is_checked(said: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="cannot be a tool"):
        tool(**said)(positionless)


def positionless() -> None:
    """Documented."""


async def test_an_asynchronous_generator_is_typed_as_one() -> None:
    @tool
    async def count(until: int) -> AsyncIterator[str]:
        """Count."""
        for number in range(until):
            yield str(number)

    assert isinstance(count, PythonTool)
    assert [piece async for piece in count(3)] == ["0", "1", "2"]

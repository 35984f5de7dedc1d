"""The arguments of a tool: a Struct gives their JSON Schema, and reads what a model sent."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from turnlog.domain.errors import ToolFailed

PathArgument = Annotated[
    str, Meta(description="Relative to the workspace's top folder; the top folder if left out.")
]
LONGEST_PATTERN = 1000


class Arguments(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What all arguments have in common: names in camelCase, and no unknown ones."""


A = TypeVar("A", bound=Arguments)


def parameters(of: type[Arguments]) -> dict[str, Any]:
    """The JSON Schema of the arguments object, without references."""
    _, components = msgspec.json.schema_components([of])
    schema = dict(components[of.__name__])
    schema.pop("title", None)
    return schema


def read_arguments(of: type[A], given: dict[str, Any], tool: str) -> A:
    """What the model sent, checked; null means left out. Raises `ToolFailed`."""
    present = {name: value for name, value in given.items() if value is not None}
    try:
        return msgspec.convert(present, of, strict=False)
    except (msgspec.ValidationError, UnicodeError) as error:
        raise ToolFailed(f"{tool} did not run, its arguments are wrong: {error}.") from None

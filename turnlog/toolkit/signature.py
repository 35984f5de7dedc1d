"""What a function's signature says: the arguments that a model sends, and their schema."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from turnlog.toolkit.call import Call


class Signature(Struct, frozen=True):
    """`arguments` is a Struct with a member for each parameter that a model gives."""

    arguments: type[Struct]
    parameters: dict[str, Any]
    call: str | None


def read_signature(function: Callable[..., Any], name: str) -> Signature:
    """The signature; raises `TypeError` with the parameter that cannot be, and why."""
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except Exception as error:
        raise TypeError(f"its annotations cannot be read: {error}") from error
    call = None
    members: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for parameter in inspect.signature(function).parameters.values():
        kind = _kind(parameter, hints)
        if kind is Call:
            if call is not None:
                raise TypeError("it has two parameters of the type Call")
            call = parameter.name
        elif parameter.default is parameter.empty:
            members.append((parameter.name, kind))
        else:
            _check_default(parameter)
            members.append((parameter.name, kind, parameter.default))
    try:
        arguments = msgspec.defstruct(
            name, members, kw_only=True, frozen=True, forbid_unknown_fields=True
        )
        return Signature(arguments, _schema(arguments), call)
    except Exception as error:
        raise TypeError(f"its parameters cannot be arguments: {error}") from error


def _kind(parameter: inspect.Parameter, hints: dict[str, Any]) -> Any:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        raise TypeError(f"'*{parameter.name}' cannot be described: name each parameter")
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise TypeError(f"'{parameter.name}' must not be positional-only")
    if parameter.name not in hints:
        raise TypeError(f"'{parameter.name}' has no annotation, which is what its schema is")
    kind = hints[parameter.name]
    if kind is not Call:
        try:
            msgspec.json.schema(kind)
        except Exception as error:
            raise TypeError(f"'{parameter.name}' has a type that JSON cannot have: {error}") from (
                error
            )
    return kind


def _check_default(parameter: inspect.Parameter) -> None:
    try:
        msgspec.json.encode(parameter.default)
    except Exception as error:
        raise TypeError(f"'{parameter.name}' has a default that JSON cannot have") from error


def _schema(arguments: type[Struct]) -> dict[str, Any]:
    """Of an object; what is used in several places stands in its `$defs`."""
    (reference,), components = msgspec.json.schema_components(
        [arguments], ref_template="#/$defs/{name}"
    )
    own = reference["$ref"].removeprefix("#/$defs/")
    schema = dict(components.pop(own))
    schema.pop("title", None)
    return schema | ({"$defs": components} if components else {})

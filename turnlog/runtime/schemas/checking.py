"""Whether something is a JSON Schema that can be used here, and if not, where and why.

A draft's own meta-schema could tell the same, 100 times slower and in words that help
nobody ("'objet' is not valid under any of the given schemas").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from referencing import Registry, Specification
from referencing.jsonschema import DRAFT4, DRAFT202012, specification_with

from turnlog.domain.errors import InvalidSchema
from turnlog.runtime.schemas.dialects import dialect_named
from turnlog.runtime.schemas.keywords import (
    KEYWORDS,
    LISTS_OF_SCHEMAS,
    MAPS_OF_SCHEMAS,
    NAMED_BY_PATTERNS,
    REFERENCES,
    SCHEMAS,
    different_names,
)
from turnlog.runtime.schemas.patterns import fault
from turnlog.runtime.schemas.places import at

DEEPEST = 64
MOST_VALUES = 10_000
LARGEST_BYTES = 256 * 1024

Path = tuple[str | int, ...]


def check_schema(schema: dict[str, Any]) -> None:
    """That arguments can be checked against it; raises `InvalidSchema` with where and what.

    It is JSON Schema 2020-12, or the draft that its `$schema` names, of an object's
    properties. Its references stay within it: nothing is ever fetched.
    """
    _checked(written(schema))


@lru_cache(maxsize=256)
def _checked(encoded: bytes) -> None:
    schema = msgspec.json.decode(encoded)
    named = schema.get("$schema")
    if named is not None and dialect_named(named) is None:
        raise InvalidSchema(f"{at(['$schema'])}{named!r} is no draft that is known here.")
    if schema.get("type", "object") != "object":
        raise InvalidSchema(f"{at(['type'])}arguments are an object, so this must be 'object'.")
    check_keywords(schema)


def written(schema: dict[str, Any]) -> bytes:
    """The schema in JSON; raises `InvalidSchema` if it cannot be, or is too large or deep."""
    left = MOST_VALUES
    level: list[Any] = [schema]
    for _ in range(DEEPEST):
        left -= len(level)
        if left < 0:
            raise InvalidSchema(f"It is too large; {MOST_VALUES:,} values are the limit.")
        level = [inner for value in level for inner in _within(value)]
        if not level:
            break
    else:
        raise InvalidSchema(f"It is nested too deeply; {DEEPEST} levels are the limit.")
    try:
        encoded = msgspec.json.encode(schema)
    except (TypeError, ValueError) as error:
        raise InvalidSchema(f"It cannot be written as JSON: {error}.") from None
    if len(encoded) > LARGEST_BYTES:
        raise InvalidSchema(f"It is too large; {LARGEST_BYTES:,} bytes are the limit.")
    return encoded


def _within(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list | tuple):
        yield from value


def check_keywords(schema: dict[str, Any]) -> None:
    """That every keyword is used as its draft says; raises `InvalidSchema`."""
    named = schema.get("$schema")
    known = named if isinstance(named, str) and dialect_named(named) else ""
    specification = specification_with(known, default=DRAFT202012)
    _Check(schema, specification).run()


class _Check:
    """One walk through a schema, and then through what it refers to."""

    def __init__(self, schema: dict[str, Any], specification: Specification[Any]) -> None:
        self._schema = schema
        self._specification = specification
        self._old = specification is not DRAFT202012
        self._is_draft_4 = specification is DRAFT4
        self._seen: set[int] = set()
        self._references: list[tuple[Path, str, Sequence[dict[str, Any]]]] = []

    def run(self) -> None:
        self._walk(self._schema, (), ())
        resource = self._specification.create_resource(self._schema)
        root = Registry[Any]().resolver_with_root(resource)
        # What is referred to may stand where no keyword leads, and refer to more.
        for path, reference, scopes in self._references:
            try:
                resolver = root
                for scope in scopes:
                    inner = self._specification.create_resource(scope)
                    resolver = resolver.in_subresource(inner)
                target = resolver.lookup(reference).contents
            except Exception:
                raise InvalidSchema(
                    f"{at(path)}{reference!r} leads nowhere within this schema, and nothing "
                    "is fetched from outside."
                ) from None
            self._walk(target, path, scopes)

    def _walk(self, schema: Any, path: Path, scopes: Sequence[dict[str, Any]]) -> None:
        if isinstance(schema, bool) or id(schema) in self._seen:
            return
        if not isinstance(schema, dict):
            raise InvalidSchema(f"{at(path)}this must be a schema: an object, true or false.")
        self._seen.add(id(schema))
        if path and "$schema" in schema:
            raise InvalidSchema(f"{at((*path, '$schema'))}it may stand at the top only.")
        if path and ("$id" in schema or "id" in schema):
            scopes = (*scopes, schema)
        for keyword, value in schema.items():
            self._keyword(keyword, value, (*path, keyword), scopes)

    def _keyword(
        self, keyword: str, value: Any, path: Path, scopes: Sequence[dict[str, Any]]
    ) -> None:
        if self._is_schema(keyword, value):
            self._walk(value, path, scopes)
        elif keyword in LISTS_OF_SCHEMAS or (keyword == "items" and isinstance(value, list)):
            if not isinstance(value, list) or not value:
                raise InvalidSchema(f"{at(path)}this must be a list of schemas, and not empty.")
            for index, inner in enumerate(value):
                self._walk(inner, (*path, index), scopes)
        elif keyword in MAPS_OF_SCHEMAS:
            if not isinstance(value, dict):
                raise InvalidSchema(f"{at(path)}this must be an object whose members are schemas.")
            for name, inner in value.items():
                if keyword in NAMED_BY_PATTERNS and (wrong := fault(name)):
                    raise InvalidSchema(f"{at((*path, name))}that is no pattern: {wrong}.")
                if keyword != "dependencies" or not isinstance(inner, list):
                    self._walk(inner, (*path, name), scopes)
                elif wrong := different_names(inner):
                    raise InvalidSchema(f"{at((*path, name))}{wrong}.")
        elif wrong := self._complaint(keyword, value):
            raise InvalidSchema(f"{at(path)}{wrong}.")
        if keyword in REFERENCES:
            self._references.append((path, value, scopes))

    def _complaint(self, keyword: str, value: Any) -> str | None:
        if self._is_draft_4 and keyword in ("exclusiveMaximum", "exclusiveMinimum"):
            return None if isinstance(value, bool) else "this must be true or false in draft 4"
        complaint = KEYWORDS.get(keyword)
        return complaint and complaint(value)

    def _is_schema(self, keyword: str, value: Any) -> bool:
        if keyword == "items":
            return not (self._old and isinstance(value, list))
        return keyword in SCHEMAS

"""The OpenAPI 3.1 document, from the types by which requests are checked and answers made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from turnlog import __version__
from turnlog.http.encoding import json
from turnlog.http.errors import Problem
from turnlog.http.operations import OPERATIONS
from turnlog.http.terms import Answer, Operation, Parameter

_REFERENCE = "#/components/schemas/{name}"
_WORD = re.compile(r"{(\w+)}")

Document = dict[str, Any]


class OpenApi:
    """Serves the document."""

    def routes(self) -> Sequence[web.RouteDef]:
        """Where it is reached, below the API's root."""
        return [web.get("/openapi.json", self.show)]

    async def show(self, request: web.Request) -> web.Response:
        """The document, which is the same for everyone."""
        return json(document())


@cache
def document() -> Document:
    """The whole document."""
    kinds = [*_kinds(OPERATIONS), Problem]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
    writer = _Writer(kinds, schemas)
    paths: dict[str, Document] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = writer.operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "turnlog",
            "version": __version__,
            "description": "Conversations with AI agents whose log is the record.",
        },
        "servers": [{"url": "/api/v1"}],
        "paths": paths,
        "components": {"schemas": components},
    }


def _kinds(operations: Iterable[Operation]) -> Iterable[Any]:
    for operation in operations:
        if operation.body is not None:
            yield operation.body
        for answer in operation.answers.values():
            yield from answer.bodies.values()
        for parameter in operation.parameters:
            yield parameter.kind


class _Writer:
    """Writes operations, with the schema of each type at hand."""

    def __init__(self, kinds: Sequence[Any], schemas: Iterable[Document]) -> None:
        self._schemas = dict(zip(kinds, schemas, strict=True))

    def operation(self, operation: Operation) -> Document:
        written: Document = {"operationId": operation.name, "summary": operation.summary}
        words = [self._path_word(name) for name in _WORD.findall(operation.path)]
        if parameters := [*words, *map(self._parameter, operation.parameters)]:
            written["parameters"] = parameters
        if operation.body is not None:
            content = {"application/json": {"schema": self._schemas[operation.body]}}
            written["requestBody"] = {
                "required": not operation.body_optional,
                "content": content,
            }
        problem = {"application/problem+json": {"schema": self._schemas[Problem]}}
        written["responses"] = {
            **{str(int(status)): self._answer(a) for status, a in operation.answers.items()},
            **{
                str(int(status)): {"description": HTTPStatus(status).phrase, "content": problem}
                for status in operation.refusals
            },
            "default": {"description": "Any other problem", "content": problem},
        }
        return written

    def _path_word(self, name: str) -> Document:
        return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}

    def _parameter(self, parameter: Parameter) -> Document:
        return {
            "name": parameter.name,
            "in": parameter.place,
            "description": parameter.summary,
            "schema": self._schemas[parameter.kind],
        }

    def _answer(self, answer: Answer) -> Document:
        written: Document = {"description": answer.summary}
        if answer.bodies:
            written["content"] = {
                media_type: {"schema": self._schemas[kind]}
                for media_type, kind in answer.bodies.items()
            }
        if answer.headers:
            written["headers"] = {name: {"schema": {"type": "string"}} for name in answer.headers}
        return written

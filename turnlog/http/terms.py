"""The words in which operations are described: parameters, answers, refusals."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Literal

from msgspec import Struct

from turnlog.projections.levels import Level

JSON = "application/json"
SSE = "text/event-stream"
NDJSON = "application/x-ndjson"


class Parameter(Struct, frozen=True):
    """A word in the query or a header, and the type of its text."""

    name: str
    summary: str
    kind: Any = str
    place: Literal["query", "header"] = "query"


class Answer(Struct, frozen=True):
    """An answer that is no problem; `bodies` are the types of its body, by media type."""

    summary: str
    bodies: Mapping[str, Any] = {}
    headers: tuple[str, ...] = ()


class Operation(Struct, frozen=True, kw_only=True):
    """A method at a path below the API's root; `refusals` are the statuses of its problems."""

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    name: str
    summary: str
    answers: Mapping[HTTPStatus, Answer]
    refusals: tuple[HTTPStatus, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    body: type[Struct] | None = None
    body_optional: bool = False


LIMIT = Parameter("limit", "How many on a page, 1 to 100; others are clamped.", int)
CURSOR = Parameter("cursor", "The `nextCursor` of the page before.")
IF_MATCH = Parameter("If-Match", "The ETag of the conversation as it is known.", place="header")
IF_NONE_MATCH = Parameter("If-None-Match", "An ETag that is held already.", place="header")
ONCE = Parameter(
    "Idempotency-Key",
    "Do this once; whoever asks again with the same key gets the first answer.",
    place="header",
)
LEVELS = (
    Parameter("thinkingLevel", "How much of thoughts is shown.", Level),
    Parameter("toolLevel", "How much of tool calls is shown.", Level),
)
READING = (
    Parameter("Last-Event-ID", "Go on after this event.", place="header"),
    Parameter("after", "The same, where no header can be set; `latest`: only what is new."),
    Parameter("types", "Only these types of events, with `*` for what begins so."),
    Parameter("dialect", "The vocabulary in which the log is told."),
    Parameter("follow", "`false`: end the stream where the log ends.", bool),
)
HELD = Answer("It is the one that is held")

BAD, NOT_FOUND = HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND
CONFLICT, PRECONDITION = HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED
TOO_LARGE, MEDIA_TYPE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE
REUSED = HTTPStatus.UNPROCESSABLE_ENTITY

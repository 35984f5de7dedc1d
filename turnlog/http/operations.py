"""The table of what can be asked, as clients are told it: `openapi.py` makes a document of it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Literal

from msgspec import Struct

from turnlog.domain.events import Fact
from turnlog.http.catalogue import Health, ModelList, ProviderList, ToolList
from turnlog.http.conversations import ConversationPage
from turnlog.http.messages import SubmittedTurn
from turnlog.http.requests import CreateConversation, SubmitMessage, UpdateConversation
from turnlog.http.turns import TurnPage
from turnlog.projections.levels import Level
from turnlog.projections.listing import ConversationStatus
from turnlog.projections.turn_view import TurnView
from turnlog.runtime.queries import ConversationDetails

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


class EventPage(Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of a log: the stored events, each with its `offset` and `at` in front."""

    events: list[Fact]
    next_after: int
    head: int


CONVERSATION = "/conversations/{conversationId}"
TURN = "/turns/{turnId}"

LIMIT = Parameter("limit", "How many on a page, 1 to 100; others are clamped.", int)
CURSOR = Parameter("cursor", "The `nextCursor` of the page before.")
IF_MATCH = Parameter("If-Match", "The ETag of the conversation as it is known.", place="header")
IF_NONE_MATCH = Parameter("If-None-Match", "An ETag that is held already.", place="header")
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

_BAD, _NOT_FOUND = HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND
_CONFLICT, _PRECONDITION = HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED
_TOO_LARGE, _MEDIA_TYPE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE

OPERATIONS = (
    Operation(
        method="GET",
        path="/health",
        name="getHealth",
        summary="Whether the server answers",
        parameters=(Parameter("ready", "`1`: ask the database, too."),),
        answers={HTTPStatus.OK: Answer("It does", {JSON: Health})},
        refusals=(HTTPStatus.SERVICE_UNAVAILABLE,),
    ),
    Operation(
        method="GET",
        path="/openapi.json",
        name="getOpenApi",
        summary="This document",
        answers={HTTPStatus.OK: Answer("OpenAPI 3.1", {JSON: dict[str, Any]})},
    ),
    Operation(
        method="GET",
        path="/providers",
        name="listProviders",
        summary="The providers of models, and whether they may be used",
        answers={HTTPStatus.OK: Answer("All that are known", {JSON: ProviderList})},
    ),
    Operation(
        method="GET",
        path="/providers/{providerId}/models",
        name="listModels",
        summary="Models of a provider",
        answers={HTTPStatus.OK: Answer("Some that it has", {JSON: ModelList})},
        refusals=(_NOT_FOUND,),
    ),
    Operation(
        method="GET",
        path="/tools",
        name="listTools",
        summary="The tools of this server",
        answers={HTTPStatus.OK: Answer("All of them", {JSON: ToolList})},
    ),
    Operation(
        method="POST",
        path="/conversations",
        name="createConversation",
        summary="Create a conversation",
        body=CreateConversation,
        answers={
            HTTPStatus.CREATED: Answer(
                "The conversation", {JSON: ConversationDetails}, ("Location", "ETag")
            )
        },
        refusals=(_BAD, _TOO_LARGE, _MEDIA_TYPE),
    ),
    Operation(
        method="GET",
        path="/conversations",
        name="listConversations",
        summary="Conversations, newest first",
        parameters=(
            LIMIT,
            CURSOR,
            Parameter("tag", "Only those that have all of these.", tuple[str, ...]),
            Parameter("agentRole", "Only those with this role."),
            Parameter("status", "Only those with this status.", ConversationStatus),
            Parameter("include", "`history`: what was said, too.", Literal["history"]),
        ),
        answers={HTTPStatus.OK: Answer("A page", {JSON: ConversationPage})},
        refusals=(_BAD,),
    ),
    Operation(
        method="GET",
        path=CONVERSATION,
        name="getConversation",
        summary="A conversation with its history",
        parameters=(IF_NONE_MATCH,),
        answers={
            HTTPStatus.OK: Answer("The conversation", {JSON: ConversationDetails}, ("ETag",)),
            HTTPStatus.NOT_MODIFIED: HELD,
        },
        refusals=(_NOT_FOUND,),
    ),
    Operation(
        method="PATCH",
        path=CONVERSATION,
        name="updateConversation",
        summary="Change a conversation's metadata, or the model of its later turns",
        parameters=(IF_MATCH,),
        body=UpdateConversation,
        answers={HTTPStatus.OK: Answer("The conversation", {JSON: ConversationDetails}, ("ETag",))},
        refusals=(_BAD, _NOT_FOUND, _PRECONDITION, _TOO_LARGE, _MEDIA_TYPE),
    ),
    Operation(
        method="DELETE",
        path=CONVERSATION,
        name="deleteConversation",
        summary="Close a conversation and hide it",
        answers={HTTPStatus.NO_CONTENT: Answer("It is closed")},
        refusals=(_NOT_FOUND,),
    ),
    Operation(
        method="GET",
        path=f"{CONVERSATION}/events",
        name="readEvents",
        summary="A conversation's log, in the form that `Accept` asks for",
        parameters=(
            *READING,
            *LEVELS,
            Parameter("limit", "How many events on a JSON page, 1 to 1000.", int),
        ),
        answers={
            HTTPStatus.OK: Answer("The log", {JSON: EventPage, SSE: str, NDJSON: str}),
        },
        refusals=(_BAD, _NOT_FOUND, HTTPStatus.NOT_ACCEPTABLE, _CONFLICT),
    ),
    Operation(
        method="GET",
        path=f"{CONVERSATION}/turns",
        name="listTurns",
        summary="A conversation's turns, newest first",
        parameters=(LIMIT, CURSOR, *LEVELS),
        answers={HTTPStatus.OK: Answer("A page", {JSON: TurnPage})},
        refusals=(_BAD, _NOT_FOUND),
    ),
    Operation(
        method="GET",
        path=f"{CONVERSATION}/blobs/{{sha256}}",
        name="getBlob",
        summary="An image or a long text of a conversation's messages",
        parameters=(IF_NONE_MATCH,),
        answers={
            HTTPStatus.OK: Answer("Its bytes", {"*/*": bytes}, ("ETag",)),
            HTTPStatus.NOT_MODIFIED: HELD,
        },
        refusals=(_NOT_FOUND,),
    ),
    Operation(
        method="POST",
        path=f"{CONVERSATION}/messages",
        name="submitMessage",
        summary="Say something, which starts a turn",
        parameters=(IF_MATCH,),
        body=SubmitMessage,
        answers={HTTPStatus.ACCEPTED: Answer("The turn is recorded", {JSON: SubmittedTurn})},
        refusals=(_BAD, _NOT_FOUND, _CONFLICT, _PRECONDITION, _TOO_LARGE, _MEDIA_TYPE),
    ),
    Operation(
        method="GET",
        path=TURN,
        name="getTurn",
        summary="A turn's status",
        parameters=LEVELS,
        answers={HTTPStatus.OK: Answer("Its status", {JSON: TurnView})},
        refusals=(_BAD, _NOT_FOUND),
    ),
    Operation(
        method="GET",
        path=f"{TURN}/stream-events",
        name="streamTurn",
        summary="A turn's events until its end",
        parameters=(*READING, *LEVELS),
        answers={
            HTTPStatus.OK: Answer("Its events", {SSE: str}),
            HTTPStatus.NO_CONTENT: Answer("It has ended, and nothing follows the cursor"),
        },
        refusals=(_BAD, _NOT_FOUND, HTTPStatus.NOT_ACCEPTABLE, _CONFLICT),
    ),
)

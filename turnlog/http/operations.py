"""The table of what can be asked, as clients are told it: `openapi.py` makes a document of it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Literal

from msgspec import Struct

from turnlog.domain.events import Fact
from turnlog.domain.records import GroupBy
from turnlog.http.catalogue import Health, ModelList, ProviderList, ToolList
from turnlog.http.conversations import ConversationPage
from turnlog.http.messages import SubmittedTurn
from turnlog.http.requests import (
    Approvals,
    CancelTurn,
    CreateConversation,
    SubmitMessage,
    ToolResults,
    UpdateConversation,
)
from turnlog.http.terms import (
    BAD,
    CONFLICT,
    CURSOR,
    HELD,
    IF_MATCH,
    IF_NONE_MATCH,
    JSON,
    LEVELS,
    LIMIT,
    MEDIA_TYPE,
    NDJSON,
    NOT_FOUND,
    ONCE,
    PRECONDITION,
    READING,
    REUSED,
    SSE,
    TOO_LARGE,
    Answer,
    Operation,
    Parameter,
)
from turnlog.http.turns import TurnPage, TurnStanding
from turnlog.http.usage import UsagePage
from turnlog.http.webhooks import CreatedWebhook, CreateWebhook, WebhookList
from turnlog.projections.listing import ConversationStatus
from turnlog.projections.turn_view import TurnView
from turnlog.runtime.queries import ConversationDetails

CONVERSATION = "/conversations/{conversationId}"
TURN = "/turns/{turnId}"


class EventPage(Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of a log: the stored events, each with its `offset` and `at` in front."""

    events: list[Fact]
    next_after: int
    head: int


class FeedPage(Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of all conversations: events with `conversationId` too, and cursors of the feed."""

    events: list[Fact]
    next_after: str
    head: str


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
        refusals=(NOT_FOUND,),
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
        parameters=(ONCE,),
        body=CreateConversation,
        answers={
            HTTPStatus.CREATED: Answer(
                "The conversation", {JSON: ConversationDetails}, ("Location", "ETag")
            )
        },
        refusals=(BAD, TOO_LARGE, MEDIA_TYPE, REUSED),
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
            Parameter("q", "Only those that say this, best first, with excerpts."),
            Parameter("include", "`history`: what was said, too.", Literal["history"]),
        ),
        answers={HTTPStatus.OK: Answer("A page", {JSON: ConversationPage})},
        refusals=(BAD,),
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
        refusals=(NOT_FOUND,),
    ),
    Operation(
        method="PATCH",
        path=CONVERSATION,
        name="updateConversation",
        summary="Change a conversation's metadata, or the model of its later turns",
        parameters=(IF_MATCH,),
        body=UpdateConversation,
        answers={HTTPStatus.OK: Answer("The conversation", {JSON: ConversationDetails}, ("ETag",))},
        refusals=(BAD, NOT_FOUND, PRECONDITION, TOO_LARGE, MEDIA_TYPE),
    ),
    Operation(
        method="DELETE",
        path=CONVERSATION,
        name="deleteConversation",
        summary="Close a conversation and hide it",
        answers={HTTPStatus.NO_CONTENT: Answer("It is closed")},
        refusals=(NOT_FOUND,),
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
        refusals=(BAD, NOT_FOUND, HTTPStatus.NOT_ACCEPTABLE, CONFLICT),
    ),
    Operation(
        method="GET",
        path="/events",
        name="readFeed",
        summary="The events of all conversations, in the form that `Accept` asks for",
        parameters=(
            *READING,
            *LEVELS,
            Parameter("conversation", "Only those of any of these.", tuple[str, ...]),
            Parameter(
                "tag", "Only those of conversations that have all of these now.", tuple[str, ...]
            ),
            Parameter("limit", "How many events are looked at for a JSON page, 1 to 1000.", int),
        ),
        answers={HTTPStatus.OK: Answer("The feed", {JSON: FeedPage, SSE: str, NDJSON: str})},
        refusals=(BAD, HTTPStatus.NOT_ACCEPTABLE, CONFLICT),
    ),
    Operation(
        method="GET",
        path="/usage",
        name="getUsage",
        summary="What conversations have cost, in tokens",
        parameters=(
            Parameter("groupBy", "By what; without it, it is one sum.", GroupBy),
            Parameter("from", "What happened since then: a date (UTC) or a time (RFC 3339)."),
            Parameter("to", "What happened before then."),
            Parameter("limit", "How many groups on a page, 1 to 1000; others are clamped.", int),
            CURSOR,
        ),
        answers={HTTPStatus.OK: Answer("A page of groups", {JSON: UsagePage})},
        refusals=(BAD,),
    ),
    Operation(
        method="GET",
        path=f"{CONVERSATION}/turns",
        name="listTurns",
        summary="A conversation's turns, newest first",
        parameters=(LIMIT, CURSOR, *LEVELS),
        answers={HTTPStatus.OK: Answer("A page", {JSON: TurnPage})},
        refusals=(BAD, NOT_FOUND),
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
        refusals=(NOT_FOUND,),
    ),
    Operation(
        method="POST",
        path=f"{CONVERSATION}/messages",
        name="submitMessage",
        summary="Say something, which starts a turn",
        parameters=(ONCE, IF_MATCH),
        body=SubmitMessage,
        answers={HTTPStatus.ACCEPTED: Answer("The turn is recorded", {JSON: SubmittedTurn})},
        refusals=(BAD, NOT_FOUND, CONFLICT, PRECONDITION, TOO_LARGE, MEDIA_TYPE, REUSED),
    ),
    Operation(
        method="POST",
        path="/webhooks",
        name="createWebhook",
        summary="Have events sent to an address, by the Standard Webhooks scheme",
        parameters=(ONCE,),
        body=CreateWebhook,
        answers={HTTPStatus.CREATED: Answer("The webhook", {JSON: CreatedWebhook})},
        refusals=(BAD, TOO_LARGE, MEDIA_TYPE, REUSED),
    ),
    Operation(
        method="GET",
        path="/webhooks",
        name="listWebhooks",
        summary="The webhooks, and how they stand",
        answers={HTTPStatus.OK: Answer("All of them", {JSON: WebhookList})},
    ),
    Operation(
        method="DELETE",
        path="/webhooks/{webhookId}",
        name="deleteWebhook",
        summary="Send nothing more to a webhook",
        answers={HTTPStatus.NO_CONTENT: Answer("It is gone")},
        refusals=(NOT_FOUND,),
    ),
    Operation(
        method="GET",
        path=TURN,
        name="getTurn",
        summary="A turn's status",
        parameters=LEVELS,
        answers={HTTPStatus.OK: Answer("Its status", {JSON: TurnView})},
        refusals=(BAD, NOT_FOUND),
    ),
    Operation(
        method="POST",
        path=f"{TURN}/cancel",
        name="cancelTurn",
        summary="Ask a turn to stop",
        parameters=(ONCE,),
        body=CancelTurn,
        body_optional=True,
        answers={HTTPStatus.ACCEPTED: Answer("It was asked", {JSON: TurnStanding})},
        refusals=(BAD, NOT_FOUND, TOO_LARGE, MEDIA_TYPE, REUSED),
    ),
    Operation(
        method="POST",
        path=f"{TURN}/tool-results",
        name="provideToolResults",
        summary="Give the results of calls that the caller runs",
        parameters=(ONCE,),
        body=ToolResults,
        answers={HTTPStatus.ACCEPTED: Answer("They are recorded", {JSON: TurnStanding})},
        refusals=(BAD, NOT_FOUND, CONFLICT, TOO_LARGE, MEDIA_TYPE, REUSED),
    ),
    Operation(
        method="POST",
        path=f"{TURN}/approvals",
        name="decideCalls",
        summary="Allow or deny calls that wait for a person",
        parameters=(ONCE,),
        body=Approvals,
        answers={HTTPStatus.ACCEPTED: Answer("It is recorded", {JSON: TurnStanding})},
        refusals=(BAD, NOT_FOUND, CONFLICT, TOO_LARGE, MEDIA_TYPE, REUSED),
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
        refusals=(BAD, NOT_FOUND, HTTPStatus.NOT_ACCEPTABLE, CONFLICT),
    ),
)

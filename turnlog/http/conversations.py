"""Conversations: create, list, show, change, delete."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import get_args

from aiohttp import web
from msgspec import UNSET, Struct
from msgspec.structs import fields, replace

from turnlog.domain.errors import InvalidInput, NotAvailable
from turnlog.domain.events import Changes
from turnlog.domain.records import ListQuery
from turnlog.domain.search import SearchQuery
from turnlog.domain.values import Configuration
from turnlog.http import parameters
from turnlog.http.body import read_object
from turnlog.http.choices import check_model, check_tools
from turnlog.http.encoding import json
from turnlog.http.once import OnceEach, Posted
from turnlog.http.preconditions import etag, if_match, not_modified
from turnlog.http.requests import CreateConversation, UpdateConversation, as_part_of, check_size
from turnlog.http.validation import valid
from turnlog.projections.listing import ConversationStatus
from turnlog.runtime import queries
from turnlog.runtime.application import TENANT, Turnlog
from turnlog.runtime.queries import ConversationDetails
from turnlog.runtime.standing import Standing

MAX_WORDS = 1000

Page = list[ConversationDetails]

_SHOWN = frozenset(field.encode_name for field in fields(ConversationDetails))


class ConversationPage(Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of the list, newest first by `createdAt`."""

    conversations: list[ConversationDetails]
    next_cursor: str | None


class Conversations:
    """What can be done with conversations."""

    def __init__(self, turnlog: Turnlog, once_each: OnceEach) -> None:
        self._turnlog = turnlog
        self._once_each = once_each
        self._parts = turnlog.parts

    def routes(self) -> Sequence[web.RouteDef]:
        """Where these are reached, below the API's root."""
        return [
            web.post("/conversations", self._once_each.handler(self.create)),
            web.get("/conversations", self.list),
            web.get("/conversations/{conversationId}", self.show),
            web.patch("/conversations/{conversationId}", self.update),
            web.delete("/conversations/{conversationId}", self.delete),
        ]

    async def create(self, request: web.Request, posted: Posted) -> web.Response:
        """A new conversation."""
        wanted = valid(CreateConversation, posted.members())
        check_size(wanted)
        check_model(
            self._parts.models, wanted.model_provider_id, wanted.model_provider_api, wanted.model
        )
        check_tools(self._parts, wanted.tools or ())
        configuration = as_part_of(Configuration, wanted)
        return _created(await self._turnlog.create(configuration, once=posted.once(_created)))

    async def list(self, request: web.Request) -> web.Response:
        """A page of the list, or of what is found."""
        words = _words(request)
        limit = parameters.limit(request)
        query = ListQuery(
            tenant_id=TENANT,
            limit=limit + 1,
            before=None if words else parameters.list_place(request),
            tags=parameters.texts(request, "tag"),
            agent_role=parameters.text(request, "agentRole"),
            status=_status(request),
        )
        wants_history = _wants_history(request)
        if words:
            place = parameters.search_place(request)
            page, following = await self._found(SearchQuery(words=words, listed=query, after=place))
        else:
            page, following = await self._listed(query)
        if wants_history:
            page = [await queries.with_history(self._parts, shown) for shown in page]
        return json(ConversationPage(conversations=page, next_cursor=following))

    async def _listed(self, query: ListQuery) -> tuple[Page, str | None]:
        """A page, and the cursor of the next; the query asks for one row more than that."""
        found = await queries.conversations(self._parts, query)
        page = found[: query.limit - 1]
        if len(found) == len(page):
            return page, None
        return page, parameters.list_cursor(page[-1].created_at, page[-1].conversation_id)

    async def _found(self, query: SearchQuery) -> tuple[Page, str | None]:
        found = await queries.found(self._parts, query)
        page = found[: query.listed.limit - 1]
        shown = [each for each, _ in page]
        if len(found) == len(page):
            return shown, None
        last, rank = page[-1]
        return shown, parameters.search_cursor(rank.score, last.created_at, last.conversation_id)

    async def show(self, request: web.Request) -> web.Response:
        """One conversation with its history."""
        conversation_id = parameters.conversation_id(request)
        parameters.not_yet(request, "at")
        shown = await queries.conversation(self._parts, conversation_id)
        tag = etag(shown.offset)
        if known := not_modified(request, tag):
            return known
        shown = await queries.with_history(self._parts, shown)
        return json(shown, headers={"ETag": tag})

    async def update(self, request: web.Request) -> web.Response:
        """Change what it is set to."""
        conversation_id = parameters.conversation_id(request)
        offset = if_match(request)
        changes = valid(UpdateConversation, await read_object(request), immutable=_SHOWN)
        check_size(changes)
        check_model(
            self._parts.models,
            changes.model_provider_id,
            changes.model_provider_api,
            changes.model,
        )
        if changes.tools is not UNSET:
            check_tools(self._parts, changes.tools or ())
        standing = await self._turnlog.update(conversation_id, as_part_of(Changes, changes), offset)
        shown = await queries.with_history(self._parts, queries.standing_at(standing))
        return json(shown, headers={"ETag": etag(shown.offset)})

    async def delete(self, request: web.Request) -> web.Response:
        """Close it and hide it."""
        conversation_id = parameters.conversation_id(request)
        if parameters.flag(request, "erase"):
            raise NotAvailable(feature="To erase what a conversation holds")
        await self._turnlog.delete(conversation_id, by="client")
        return web.Response(status=HTTPStatus.NO_CONTENT)


def _created(standing: Standing) -> web.Response:
    shown = replace(queries.standing_at(standing), history=[])
    headers = {
        "Location": f"/api/v1/conversations/{shown.conversation_id}",
        "ETag": etag(shown.offset),
    }
    return json(shown, status=HTTPStatus.CREATED, headers=headers)


def _status(request: web.Request) -> str | None:
    word = parameters.text(request, "status")
    known = get_args(ConversationStatus)
    if word is not None and word not in known:
        raise InvalidInput(message=f"'status' is one of: {', '.join(known)}.")
    return word


def _words(request: web.Request) -> str:
    """What is looked for; blank: everything."""
    words = (parameters.text(request, "q") or "").strip()
    if len(words) > MAX_WORDS:
        raise InvalidInput(message=f"'q' is longer than {MAX_WORDS} characters.")
    return words


def _wants_history(request: web.Request) -> bool:
    words = parameters.texts(request, "include")
    if any(word != "history" for word in words):
        raise InvalidInput(message="'include' can be: history.")
    return bool(words)

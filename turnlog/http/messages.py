"""Messages: what is said to the agent, and starts a turn."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from uuid import UUID

from aiohttp import web
from msgspec import Struct
from msgspec.structs import fields

from turnlog.domain.values import Overrides
from turnlog.http import parameters
from turnlog.http.body import MESSAGE_BYTES
from turnlog.http.choices import check_model, check_tools
from turnlog.http.content import content_of
from turnlog.http.encoding import json
from turnlog.http.once import OnceEach, Posted
from turnlog.http.preconditions import if_match
from turnlog.http.requests import MAX_OVERRIDES_BYTES, SubmitMessage, as_part_of, check_size
from turnlog.http.validation import MemberProblem, invalid, valid
from turnlog.runtime import queries
from turnlog.runtime.application import Submitted, Turnlog


class SubmittedTurn(Struct, frozen=True, kw_only=True, rename="camel"):
    """The turn of a message that is durably recorded, and where to follow it."""

    turn_id: UUID
    conversation_id: UUID
    status: str
    offset: int
    stream_url: str
    status_url: str


class Messages:
    """What can be said to a conversation."""

    def __init__(self, turnlog: Turnlog, once_each: OnceEach) -> None:
        self._turnlog = turnlog
        self._once_each = once_each
        self._parts = turnlog.parts

    def routes(self) -> Sequence[web.RouteDef]:
        """Where these are reached, below the API's root."""
        submit = self._once_each.handler(self.submit, limit=MESSAGE_BYTES)
        return [web.post("/conversations/{conversationId}/messages", submit)]

    async def submit(self, request: web.Request, posted: Posted) -> web.Response:
        """A user message; answered when its turn is on disk, never waiting for the model."""
        conversation_id = parameters.conversation_id(request)
        offset = if_match(request)
        message = valid(SubmitMessage, posted.members())
        overrides = as_part_of(Overrides, message)
        check_size(overrides, MAX_OVERRIDES_BYTES)
        if message.on_busy == "steer":
            _check_unchanged(overrides)
        check_model(
            self._parts.models,
            message.model_provider_id,
            message.model_provider_api,
            message.model,
        )
        check_tools(self._parts, message.tools or ())
        content = content_of(message)
        if content.blobs:
            await queries.conversation(self._parts, conversation_id)
        submitted = await self._turnlog.submit(
            conversation_id,
            content.parts,
            blobs=content.blobs,
            on_busy=message.on_busy,
            overrides=overrides,
            if_match=offset,
            once=posted.once(_accepted),
        )
        return _accepted(submitted)


def _check_unchanged(overrides: Overrides) -> None:
    named = [
        field.encode_name
        for field in fields(overrides)
        if getattr(overrides, field.name) is not None
    ]
    if named:
        raise invalid([MemberProblem(name, _STEERS) for name in named])


_STEERS = "cannot be given with onBusy 'steer': the turn that runs keeps its model and settings"


def _accepted(submitted: Submitted) -> web.Response:
    url = f"/api/v1/turns/{submitted.turn_id}"
    shown = SubmittedTurn(
        turn_id=submitted.turn_id,
        conversation_id=submitted.conversation_id,
        status=submitted.status,
        offset=submitted.offset,
        stream_url=f"{url}/stream-events",
        status_url=url,
    )
    return json(shown, status=HTTPStatus.ACCEPTED)

"""Turns: how they stand, and asking them to stop."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from uuid import UUID

import msgspec
from aiohttp import web
from msgspec import Struct

from turnlog.domain.records import TurnRow
from turnlog.http import parameters
from turnlog.http.encoding import json
from turnlog.http.once import OnceEach, Posted
from turnlog.http.requests import CancelTurn
from turnlog.http.validation import valid
from turnlog.projections.turn_view import TurnStatus, TurnView
from turnlog.runtime import queries
from turnlog.runtime.application import Turnlog


class TurnPage(Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of a conversation's turns, newest first."""

    turns: list[TurnView]
    next_cursor: str | None


class TurnStanding(Struct, frozen=True, kw_only=True, rename="camel"):
    """How a turn stands after it was asked to stop, or was given what it wanted."""

    turn_id: UUID
    conversation_id: UUID
    status: TurnStatus


class Turns:
    """What can be asked about turns, and of them."""

    def __init__(self, turnlog: Turnlog, once_each: OnceEach) -> None:
        self._turnlog = turnlog
        self._once_each = once_each
        self._parts = turnlog.parts

    def routes(self) -> Sequence[web.RouteDef]:
        """Where these are reached, below the API's root."""
        return [
            web.get("/turns/{turnId}", self.show),
            web.post(
                "/turns/{turnId}/cancel", self._once_each.handler(self.cancel, body_optional=True)
            ),
            web.get("/conversations/{conversationId}/turns", self.list),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """One turn's status."""
        turn_id = parameters.turn_id(request)
        levels = parameters.levels(request)
        return json(await queries.turn(self._parts, turn_id, levels))

    async def cancel(self, request: web.Request, posted: Posted) -> web.Response:
        """Ask it to stop; one that was asked before, or has ended, stands as it does."""
        turn_id = parameters.turn_id(request)
        wanted = valid(CancelTurn, posted.members() if posted.body else {})
        row = await queries.turn_row(self._parts, turn_id)
        return stands(
            await self._turnlog.cancel(
                row, by="client", reason=wanted.reason, once=posted.once(stands)
            )
        )

    async def list(self, request: web.Request) -> web.Response:
        """A conversation's turns, paged."""
        turns, before = await queries.turns(
            self._parts,
            parameters.conversation_id(request),
            parameters.levels(request),
            limit=parameters.limit(request),
            before=parameters.turns_place(request),
        )
        following = None if before is None else str(before)
        return json(TurnPage(turns=turns, next_cursor=following))


def stands(turn: TurnRow) -> web.Response:
    """The answer to whoever has asked something of a turn."""
    shown = TurnStanding(
        turn_id=turn.turn_id,
        conversation_id=turn.conversation_id,
        status=msgspec.convert(turn.status, TurnStatus),
    )
    return json(shown, status=HTTPStatus.ACCEPTED)

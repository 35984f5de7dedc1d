"""Turns: how they stand."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from msgspec import Struct

from turnlog.http import parameters
from turnlog.http.encoding import json
from turnlog.projections.turn_view import TurnView
from turnlog.runtime import queries
from turnlog.runtime.application import Turnlog


class TurnPage(Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of a conversation's turns, newest first."""

    turns: list[TurnView]
    next_cursor: str | None


class Turns:
    """What can be asked about turns."""

    def __init__(self, turnlog: Turnlog) -> None:
        self._parts = turnlog.parts

    def routes(self) -> Sequence[web.RouteDef]:
        """Where these are reached, below the API's root."""
        return [
            web.get("/turns/{turnId}", self.show),
            web.get("/conversations/{conversationId}/turns", self.list),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """One turn's status."""
        turn_id = parameters.turn_id(request)
        levels = parameters.levels(request)
        return json(await queries.turn(self._parts, turn_id, levels))

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

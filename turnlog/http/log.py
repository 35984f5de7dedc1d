"""The log over HTTP: server-sent events, a JSON page, or NDJSON, by `Accept`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

from aiohttp import web
from aiohttp.http_writer import StreamWriter
from msgspec import Struct

from turnlog.domain.errors import CursorAhead, NotFound, StoreUnavailable
from turnlog.domain.records import Entry, TurnRow
from turnlog.http import parameters, sending
from turnlog.http.forms import Form, form_of
from turnlog.http.portions import MOST, Portions
from turnlog.http.streams import Stream, Streams
from turnlog.projections import cursor as cursors
from turnlog.projections import pages
from turnlog.projections.view import View, view_of
from turnlog.runtime.application import Turnlog


class Place(Struct, frozen=True, kw_only=True):
    """Where a reading begins, in which view, and where the log ends now."""

    conversation_id: UUID
    view: View
    after: int
    head: int
    follow: bool


class Log:
    """Reads logs for `GET …/events` and `GET …/stream-events`."""

    def __init__(self, turnlog: Turnlog, streams: Streams, default_dialect: str) -> None:
        self._turnlog = turnlog
        self._store = turnlog.parts.store
        self._views = turnlog.parts.views
        self._streams = streams
        self._default_dialect = default_dialect

    def routes(self) -> list[web.RouteDef]:
        """The routes of the log."""
        return [
            web.get("/conversations/{conversationId}/events", self.conversation, allow_head=False),
            web.get("/turns/{turnId}/stream-events", self.turn, allow_head=False),
        ]

    async def conversation(self, request: web.Request) -> web.StreamResponse:
        """A conversation's log."""
        form = form_of(request, ("json", "sse", "ndjson"))
        try:
            return await self._conversation(request, form)
        except StoreUnavailable:
            if form != "sse":
                raise
            return await sending.unavailable(request, "the database is away")

    async def turn(self, request: web.Request) -> web.StreamResponse:
        """A turn's part of its conversation's log, as server-sent events only."""
        form_of(request, ("sse",))
        try:
            return await self._turn(request)
        except StoreUnavailable:
            return await sending.unavailable(request, "the database is away")

    async def _conversation(self, request: web.Request, form: Form) -> web.StreamResponse:
        conversation_id = parameters.conversation_id(request)
        listed = await self._views.conversation(conversation_id)
        if listed is None or listed.row.deleted:
            raise NotFound(thing="conversation", id=conversation_id)
        place = self._place(request, conversation_id, None, head=listed.offset)
        if form == "json":
            return await self._page(request, place)
        if form == "ndjson":
            return await self._lines(request, place)
        return await self._stream(request, place)

    async def _turn(self, request: web.Request) -> web.StreamResponse:
        turn_id = parameters.turn_id(request)
        row = await self._views.turn(turn_id)
        listed = None if row is None else await self._views.conversation(row.conversation_id)
        if row is None or listed is None or listed.row.deleted:
            raise NotFound(thing="turn", id=turn_id)
        place = self._place(request, row.conversation_id, row, head=listed.offset)
        if row.last_offset is not None and place.after >= row.last_offset:
            return web.Response(status=204)
        return await self._stream(request, place)

    def _place(
        self, request: web.Request, conversation_id: UUID, turn: TurnRow | None, *, head: int
    ) -> Place:
        query = request.query
        word = sending.cursor(request)
        parsed = cursors.parse("0" if word is None else word)
        after = head if parsed == "latest" else parsed
        if after > head:
            raise CursorAhead(cursor=after, head=head)
        if turn is not None:
            after = max(after, turn.first_offset - 1)
        return Place(
            conversation_id=conversation_id,
            view=view_of(
                dialect_name=query.get("dialect", self._default_dialect),
                types=query.get("types"),
                thinking=query.get("thinkingLevel") or query.get("thinkingFormat"),
                tools=query.get("toolLevel") or query.get("toolFormat"),
                turn_id=None if turn is None else turn.turn_id,
            ),
            after=after,
            head=head,
            follow=sending.follows(request),
        )

    async def _stream(self, request: web.Request, place: Place) -> web.StreamResponse:
        tail = self._turnlog.tails.open(place.conversation_id)

        def outlet(transport: asyncio.Transport, writer: StreamWriter) -> Stream:
            return Stream(transport, writer, tail, place.view, place.after, follow=place.follow)

        def closed() -> None:
            self._turnlog.tails.close(tail)

        return await sending.stream(request, self._streams, self._store, outlet, closed)

    async def _page(self, request: web.Request, place: Place) -> web.Response:
        limit = sending.page_limit(request)
        lines: list[bytes] = []
        size, last = 0, place.after
        async for entries in self._portions(place, limit):
            shown = [pages.line(entry) for entry in entries if place.view.includes(entry)]
            lines += shown
            size += sum(map(len, shown))
            last = entries[-1].offset
            if size > sending.PAGE_BYTES:
                break
        body = b'{"events":[%b],"nextAfter":%d,"head":%d}' % (b",".join(lines), last, place.head)
        return web.Response(body=body, content_type="application/json", charset="utf-8")

    async def _lines(self, request: web.Request, place: Place) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        sending.without_length(request, response)
        await response.prepare(request)
        async for entries in self._portions(place):
            lines = [pages.line(entry) + b"\n" for entry in entries if place.view.includes(entry)]
            await response.write(b"".join(lines))
        return response

    async def _portions(self, place: Place, limit: int | None = None) -> AsyncIterator[list[Entry]]:
        """The log from the place to its end as it was, or so many entries of it."""
        log = Portions(self._store, place.conversation_id)
        after, left = place.after, limit
        while left is None or left > 0:
            most = MOST if left is None else min(MOST, left)
            entries = await log.read(after, until=place.head, most=most)
            if not entries:
                return
            yield entries
            after = entries[-1].offset
            left = None if left is None else left - len(entries)

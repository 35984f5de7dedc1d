"""All conversations in one stream: server-sent events, a JSON page, or NDJSON, by `Accept`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

from aiohttp import web
from aiohttp.http_writer import StreamWriter
from msgspec import Struct

from turnlog.domain.errors import CursorAhead, InvalidInput, StoreUnavailable
from turnlog.http import parameters, sending
from turnlog.http.feed_streams import FeedStream
from turnlog.http.forms import form_of
from turnlog.http.streams import Streams
from turnlog.projections import feed_cursor, pages
from turnlog.projections.feed_cursor import Place
from turnlog.projections.feed_view import FeedView, feed_view
from turnlog.runtime.application import TENANT, Turnlog
from turnlog.runtime.feed_pages import MOST, FeedPages

MAX_CONVERSATIONS = 100


class Reading(Struct, frozen=True, kw_only=True):
    """Where a reading of the feed begins, in which view, and where the feed ends now."""

    view: FeedView
    after: Place
    head: Place


class Events:
    """Reads the feed for `GET /events`."""

    def __init__(self, turnlog: Turnlog, streams: Streams) -> None:
        self._feed = turnlog.feed
        self._store = turnlog.parts.store
        self._views = turnlog.parts.views
        self._streams = streams

    def routes(self) -> list[web.RouteDef]:
        """Where it is reached, below the API's root."""
        return [web.get("/events", self.read, allow_head=False)]

    async def read(self, request: web.Request) -> web.StreamResponse:
        """The events of all conversations, in the form that is asked for."""
        form = form_of(request, ("json", "sse", "ndjson"))
        try:
            reading = await self._reading(request)
        except StoreUnavailable:
            if form != "sse":
                raise
            return await sending.unavailable(request, "the database is away")
        match form:
            case "json":
                return await self._page(request, reading)
            case "ndjson":
                return await self._lines(request, reading)
            case "sse":
                return await self._stream(request, reading)

    async def _reading(self, request: web.Request) -> Reading:
        query = request.query
        view = feed_view(
            TENANT,
            dialect_name=query.get("dialect"),
            types=query.get("types"),
            conversations=_conversations(request),
            tags=parameters.texts(request, "tag"),
            thinking=query.get("thinkingLevel") or query.get("thinkingFormat"),
            tools=query.get("toolLevel") or query.get("toolFormat"),
        )
        word = sending.cursor(request)
        after: Place | str = (0,) * self._store.buckets
        if word is not None:
            after = feed_cursor.parse(word, self._store.buckets)
        head = tuple(await self._store.positions())
        if isinstance(after, str):
            after = head
        if not feed_cursor.reaches(head, after):
            raise CursorAhead(cursor=feed_cursor.word(after), head=feed_cursor.word(head))
        return Reading(view=view, after=after, head=head)

    async def _stream(self, request: web.Request, reading: Reading) -> web.StreamResponse:
        until = None if sending.follows(request) else reading.head

        def outlet(transport: asyncio.Transport, writer: StreamWriter) -> FeedStream:
            return FeedStream(
                transport, writer, self._feed, reading.view, reading.after, until=until
            )

        self._feed.open()
        return await sending.stream(request, self._streams, self._store, outlet, self._feed.close)

    async def _page(self, request: web.Request, reading: Reading) -> web.Response:
        lines: list[bytes] = []
        size, place = 0, reading.after
        async for shown, after in self._portions(reading, sending.page_limit(request)):
            place = after
            lines += shown
            size += sum(map(len, shown))
            if size > sending.PAGE_BYTES:
                break
        body = b'{"events":[%b],"nextAfter":"%b","head":"%b"}' % (
            b",".join(lines),
            feed_cursor.word(place).encode(),
            feed_cursor.word(reading.head).encode(),
        )
        return web.Response(body=body, content_type="application/json", charset="utf-8")

    async def _lines(self, request: web.Request, reading: Reading) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        sending.without_length(request, response)
        await response.prepare(request)
        async for shown, _ in self._portions(reading):
            await response.write(b"".join(line + b"\n" for line in shown))
        return response

    async def _portions(
        self, reading: Reading, limit: int | None = None
    ) -> AsyncIterator[tuple[list[bytes], Place]]:
        """The lines of the feed up to its end as it was, or of so many events of it; and the
        place after each portion."""
        table = FeedPages(self._store)
        after, left = reading.after, limit
        while left is None or left > 0:
            most = MOST if left is None else min(MOST, left)
            found = await table.between(after, reading.head, most)
            if not found:
                return
            labels = await self._views.labels(list({fed.conversation_id for fed in found}))
            place = list(after)
            place[found[-1].bucket] = found[-1].position
            after = tuple(place)
            left = None if left is None else left - len(found)
            yield (
                [
                    pages.line(fed.entry, fed.conversation_id)
                    for fed in found
                    if reading.view.includes(fed, labels.get(fed.conversation_id))
                ],
                after,
            )


def _conversations(request: web.Request) -> frozenset[UUID] | None:
    words = parameters.texts(request, "conversation")
    if len(words) > MAX_CONVERSATIONS:
        raise InvalidInput(message=f"'conversation' names more than {MAX_CONVERSATIONS}.")
    try:
        return frozenset(map(parameters.canonical, words)) if words else None
    except ValueError:
        raise InvalidInput(message="'conversation' is the id of a conversation.") from None

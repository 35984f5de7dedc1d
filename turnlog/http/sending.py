"""How a log is sent: from where on, with which headers, and over which connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from aiohttp import web
from aiohttp.http_writer import StreamWriter

from turnlog.domain.errors import InvalidInput, StoreUnavailable
from turnlog.domain.ports import EventStore
from turnlog.http.errors import REQUEST_ID
from turnlog.http.handover import StreamResponse, hand_over
from turnlog.http.streams import Outlet, Streams
from turnlog.projections import frames

MAX_STREAMS = 20_000
PAGE_EVENTS = 1000
PAGE_BYTES = 4 << 20

log = structlog.get_logger(__name__)

_SSE_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}


def cursor(request: web.Request) -> str | None:
    """Where the reader wants to go on; None: from the beginning. The header wins."""
    return request.headers.get("Last-Event-ID") or request.query.get("after")


def page_limit(request: web.Request) -> int:
    """How many events on a page; raises `InvalidInput`."""
    word = request.query.get("limit")
    if word is None:
        return PAGE_EVENTS
    if not word.isascii() or not word.isdigit() or not 1 <= int(word[:9]) <= PAGE_EVENTS:
        raise InvalidInput(message=f"'limit' is a number from 1 to {PAGE_EVENTS}.")
    return int(word[:9])


def follows(request: web.Request) -> bool:
    """Whether a stream goes on at the log's end, as it does unless it is said."""
    word = request.query.get("follow", "true")
    if word not in ("true", "false"):
        raise InvalidInput(message="'follow' is true or false.")
    return word == "true"


async def stream(
    request: web.Request,
    streams: Streams,
    store: EventStore,
    outlet: Callable[[asyncio.Transport, StreamWriter], Outlet],
    closed: Callable[[], None],
) -> web.StreamResponse:
    """Begin the stream that `outlet` makes of the connection, once its headers are written.

    It goes on by itself when this has returned. `closed` is called when it is over.
    """
    begun = False
    try:
        if streams.draining or len(streams) >= MAX_STREAMS:
            return await unavailable(request, "this node takes no more streams just now")
        response = StreamResponse(headers=_SSE_HEADERS)
        without_length(request, response)
        response.force_close()
        await response.prepare(request)
        # From here on nothing is waited for: whoever hangs up is noticed by the stream.
        transport, connection = request.transport, hand_over(request, response)
        if transport is None or connection is None:
            return response
        opened = outlet(transport, connection.writer)
        streams.add(opened)

        def over() -> None:
            streams.remove(opened)
            closed()

        connection.stream(_run(opened, store, str(request.get(REQUEST_ID, ""))), over)
        begun = True
        return response
    finally:
        if not begun:
            closed()


async def _run(opened: Outlet, store: EventStore, request_id: str) -> None:
    try:
        await opened.run(store)
    except StoreUnavailable:
        pass  # the reader comes back, and its cursor is good
    except ConnectionError:
        return  # it has gone
    except Exception:
        log.exception("http.failed", request_id=request_id)
        opened.abort()
        return
    opened.close()


async def unavailable(request: web.Request, reason: str) -> web.StreamResponse:
    """A 200, since anything from 500 up stops a browser's `EventSource` for good."""
    response = web.StreamResponse(headers=_SSE_HEADERS)
    without_length(request, response)
    await response.prepare(request)
    await response.write(frames.unavailable(reason))
    return response


def without_length(request: web.Request, response: web.StreamResponse) -> None:
    """Say that the body ends when it ends."""
    if request.version >= (1, 1):
        response.enable_chunked_encoding()
    else:
        response.force_close()

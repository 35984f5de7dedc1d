"""The server's web application: every route, and what stands around them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Protocol

from aiohttp import web

from turnlog.http import guard
from turnlog.http.actions import Actions
from turnlog.http.blobs import Blobs
from turnlog.http.body import MESSAGE_BYTES
from turnlog.http.catalogue import Catalogue
from turnlog.http.conversations import Conversations
from turnlog.http.events import Events
from turnlog.http.later import Later
from turnlog.http.log import Log
from turnlog.http.messages import Messages
from turnlog.http.middleware import expected, name_request, recorded, refusals_told
from turnlog.http.once import OnceEach
from turnlog.http.openapi import OpenApi
from turnlog.http.streams import Streams
from turnlog.http.turns import Turns
from turnlog.http.usage import UsageReport
from turnlog.http.webhooks import WebhookRoutes
from turnlog.runtime.application import Turnlog

ROOT = "/api/v1"
CLOSING_SECONDS = 2.0
STREAMS = web.AppKey("streams", Streams)


class Resource(Protocol):
    """Handlers that belong together."""

    def routes(self) -> Sequence[web.RouteDef]:
        """Where they are reached, below the API's root."""


def make_app(
    turnlog: Turnlog, *, default_dialect: str = "turnlog", loopback_only: bool = True
) -> web.Application:
    """The application of a node that is at work; `app[STREAMS]` are the streams that it serves.

    `loopback_only`: there are no keys, so whoever is not on this machine is refused.
    """
    middlewares = [recorded, refusals_told]
    if loopback_only:
        middlewares.append(guard.loopback_only)
    app = web.Application(middlewares=middlewares, client_max_size=MESSAGE_BYTES)
    app.on_response_prepare.append(name_request)
    app.cleanup_ctx.append(_streams_looked_after)
    app.on_shutdown.append(_streams_ended)
    app[STREAMS] = streams = Streams()
    catalogue = Catalogue(turnlog)
    once_each = OnceEach(turnlog)
    resources: list[Resource] = [
        catalogue,
        Conversations(turnlog, once_each),
        Messages(turnlog, once_each),
        Turns(turnlog, once_each),
        Actions(turnlog, once_each),
        Log(turnlog, streams, default_dialect),
        Events(turnlog, streams),
        UsageReport(turnlog),
        Blobs(turnlog),
        WebhookRoutes(turnlog, once_each),
        OpenApi(),
        Later(),
    ]
    app.add_routes([web.get("/health", catalogue.health)])
    for resource in resources:
        app.add_routes(_below(ROOT, resource.routes()))
    return app


async def _streams_looked_after(app: web.Application) -> AsyncIterator[None]:
    ticking = asyncio.create_task(app[STREAMS].tick())
    yield
    ticking.cancel()
    await asyncio.gather(ticking, return_exceptions=True)


async def _streams_ended(app: web.Application) -> None:
    app[STREAMS].end()
    await app[STREAMS].closed(CLOSING_SECONDS)


def _below(root: str, routes: Iterable[web.RouteDef]) -> list[web.RouteDef]:
    return [
        web.RouteDef(
            route.method,
            root + route.path,
            route.handler,
            {**route.kwargs, "expect_handler": expected},
        )
        for route in routes
    ]

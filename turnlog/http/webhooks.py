"""Webhooks: addresses that events are sent to, by the Standard Webhooks scheme."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Literal
from urllib.parse import urlsplit
from uuid import UUID

from aiohttp import web
from msgspec import Meta, Struct
from msgspec.structs import asdict

from turnlog.domain.errors import InvalidInput, NotFound
from turnlog.domain.identity import uuid7
from turnlog.domain.values import timestamp
from turnlog.domain.webhooks import DEFAULT_TYPES, Webhook, WebhookStanding
from turnlog.http import parameters
from turnlog.http.encoding import json
from turnlog.http.once import OnceEach, Posted
from turnlog.http.validation import MemberProblem, invalid, valid
from turnlog.projections import filters
from turnlog.runtime.application import TENANT, Turnlog

MAX_WEBHOOKS = 100
SECRET_BYTES = 32


class CreateWebhook(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to send events; without `types`, those that end a turn or ask for action."""

    url: Annotated[str, Meta(min_length=1, max_length=2048)]
    types: Annotated[tuple[str, ...], Meta(min_length=1, max_length=64)] = tuple(DEFAULT_TYPES)


class ShownWebhook(Struct, frozen=True, kw_only=True, rename="camel"):
    """A webhook as it stands.

    `behind` counts the events of the log that it has not come by; while a delivery fails,
    `failingSince` and `lastError` say so. A `disabled` one is sent nothing, for the `reason`.
    """

    webhook_id: UUID
    url: str
    types: tuple[str, ...]
    created_at: str
    state: Literal["active", "failing", "disabled"]
    reason: str | None
    behind: int
    failing_since: str | None
    last_error: str | None


class CreatedWebhook(ShownWebhook, frozen=True, kw_only=True):
    """A new webhook; its `secret`, to verify signatures with, is shown this once."""

    secret: str


class WebhookList(Struct, frozen=True, kw_only=True):
    """All webhooks, oldest first."""

    webhooks: list[ShownWebhook]


class WebhookRoutes:
    """What can be done with webhooks."""

    def __init__(self, turnlog: Turnlog, once_each: OnceEach) -> None:
        self._parts = turnlog.parts
        self._once_each = once_each

    def routes(self) -> Sequence[web.RouteDef]:
        """Where these are reached, below the API's root."""
        return [
            web.post("/webhooks", self._once_each.handler(self.create)),
            web.get("/webhooks", self.list),
            web.delete("/webhooks/{webhookId}", self.delete),
        ]

    async def create(self, request: web.Request, posted: Posted) -> web.Response:
        """A new webhook, which begins with what is appended from now on."""
        wanted = valid(CreateWebhook, posted.members())
        _check_url(wanted.url)
        _check_types(wanted.types)
        if len(await self._parts.webhooks.all(TENANT)) >= MAX_WEBHOOKS:
            raise InvalidInput(message=f"There are {MAX_WEBHOOKS} webhooks already; delete some.")
        now = self._parts.clock.now()
        webhook = Webhook(
            webhook_id=uuid7(now, os.urandom(8)),
            tenant_id=TENANT,
            url=wanted.url,
            types=wanted.types,
            secret="whsec_" + base64.b64encode(os.urandom(SECRET_BYTES)).decode(),
            created_at=now,
        )
        await self._parts.webhooks.add(webhook)
        shown = asdict(_shown(WebhookStanding(webhook=webhook, behind=0)))
        created = CreatedWebhook(**shown, secret=webhook.secret)
        return json(created, status=HTTPStatus.CREATED)

    async def list(self, request: web.Request) -> web.Response:
        """All of them, and how they stand."""
        standings = await self._parts.webhooks.all(TENANT)
        return json(WebhookList(webhooks=[_shown(each) for each in standings]))

    async def delete(self, request: web.Request) -> web.Response:
        """Send nothing more there, and forget the secret."""
        word = request.match_info["webhookId"]
        try:
            webhook_id = parameters.canonical(word)
        except ValueError:
            raise NotFound(thing="webhook", id=word[:80]) from None
        if not await self._parts.webhooks.remove(TENANT, webhook_id):
            raise NotFound(thing="webhook", id=webhook_id)
        return web.Response(status=HTTPStatus.NO_CONTENT)


def _shown(standing: WebhookStanding) -> ShownWebhook:
    hook, since = standing.webhook, standing.failing_since
    return ShownWebhook(
        webhook_id=hook.webhook_id,
        url=hook.url,
        types=hook.types,
        created_at=timestamp(hook.created_at),
        state="disabled" if hook.disabled else "failing" if since is not None else "active",
        reason=hook.disabled,
        behind=standing.behind,
        failing_since=None if since is None else timestamp(since),
        last_error=standing.last_error,
    )


def _check_url(url: str) -> None:
    if problem := _url_problem(url):
        raise invalid([MemberProblem("url", problem)])


def _url_problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return "is no URL"
    if not right or not url.isascii() or not url.isprintable() or " " in url:
        return "must be a URL that begins with https:// or http://, in ASCII"
    if parts.username or parts.password or parts.fragment:
        return "must have no credentials and no fragment in it"
    return None


def _check_types(types: Sequence[str]) -> None:
    for number, pattern in enumerate(types):
        if "," in pattern:
            raise invalid([MemberProblem(f"types[{number}]", "must be one type of events")])
    filters.parse(",".join(types))

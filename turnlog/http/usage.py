"""What conversations have cost, for charts and bills."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import get_args
from uuid import UUID

import msgspec
from aiohttp import web
from msgspec import UNSET, Struct, UnsetType

from turnlog.domain.errors import InvalidCursor, InvalidInput
from turnlog.domain.records import GroupBy, UsageGroup, UsageKey, UsageQuery
from turnlog.domain.values import Usage, microseconds_of
from turnlog.http import parameters
from turnlog.http.encoding import json
from turnlog.runtime.application import TENANT, Turnlog

DEFAULT_GROUPS = 100
MAX_GROUPS = 1000

_LAST = 2**63 - 1
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_WIDTHS: dict[GroupBy, int] = {"conversation": 1, "model": 3, "day": 1, "tag": 1}


class GroupUsage(Struct, frozen=True, kw_only=True, rename="camel"):
    """What one group has cost; `superseded` is the part of `usage` that was spent in vain.

    Its own members say which group it is; a `tag` of null is that of what has no tags.
    `turns` are those that have ended.
    """

    conversation_id: UUID | UnsetType = UNSET
    model_provider_id: str | UnsetType = UNSET
    model_provider_api: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    day: str | UnsetType = UNSET
    tag: str | UnsetType | None = UNSET
    turns: int
    usage: Usage
    superseded: Usage


class UsagePage(Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of groups, in the order of what they are groups of."""

    groups: list[GroupUsage]
    next_cursor: str | None


class UsageReport:
    """Answers `GET /usage`."""

    def __init__(self, turnlog: Turnlog) -> None:
        self._usage = turnlog.parts.usage

    def routes(self) -> Sequence[web.RouteDef]:
        """Where it is reached, below the API's root."""
        return [web.get("/usage", self.show)]

    async def show(self, request: web.Request) -> web.Response:
        """Tokens by conversation, model, day or tag; or all of them."""
        group_by = _group_by(request)
        since, until = _moment(request, "from", 0), _moment(request, "to", _LAST)
        if since >= until:
            raise InvalidInput(message="'from' must be before 'to'.")
        limit = parameters.limit(request, default=DEFAULT_GROUPS, most=MAX_GROUPS)
        query = UsageQuery(
            tenant_id=TENANT,
            group_by=group_by,
            since=since,
            until=until,
            after=_place(request, group_by),
            limit=limit + 1,
        )
        found = await self._usage.groups(query)
        following = _cursor(found[limit - 1].key) if len(found) > limit else None
        groups = [_shown(group_by, group) for group in found[:limit]]
        return json(UsagePage(groups=groups, next_cursor=following))


def _shown(group_by: GroupBy | None, group: UsageGroup) -> GroupUsage:
    costs = {"turns": group.turns, "usage": group.usage, "superseded": group.superseded}
    match group_by:
        case None:
            named = {}
        case "conversation":
            named = {"conversationId": group.key[0]}
        case "model":
            names = ("modelProviderId", "modelProviderApi", "model")
            named = dict(zip(names, group.key, strict=True))
        case _:
            named = {group_by: group.key[0]}
    return msgspec.convert({**named, **costs}, GroupUsage, from_attributes=True)


def _group_by(request: web.Request) -> GroupBy | None:
    word = parameters.text(request, "groupBy")
    for known in get_args(GroupBy):
        if word == known:
            return known  # type: ignore[no-any-return]
    if word is not None:
        raise InvalidInput(message=f"'groupBy' is one of: {', '.join(get_args(GroupBy))}.")
    return None


def _moment(request: web.Request, name: str, otherwise: int) -> int:
    """A date, which stands for its beginning in UTC, or a time; in microseconds."""
    word = parameters.text(request, name)
    if word is None:
        return otherwise
    try:
        if _DATE.fullmatch(word):
            return microseconds_of(datetime.fromisoformat(word).replace(tzinfo=UTC).isoformat())
        if _MOMENT.fullmatch(word.upper()):
            return microseconds_of(word.upper())
    except ValueError:
        pass
    raise InvalidInput(
        message=f"'{name}' is a date such as 2026-01-31, or a time such as 2026-01-31T12:00:00Z."
    )


def _cursor(key: UsageKey) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def _place(request: web.Request, group_by: GroupBy | None) -> UsageKey | None:
    word = parameters.text(request, "cursor")
    if word is None:
        return None
    try:
        padded = word.encode("ascii") + b"=" * (-len(word) % 4)
        decoded = base64.b64decode(padded, altchars=b"-_", validate=True)
        key = msgspec.json.decode(decoded, type=tuple[str, ...])
        if group_by is None or len(key) != _WIDTHS[group_by]:
            raise ValueError(word)
        if group_by == "conversation":
            parameters.canonical(key[0])
        if group_by == "day":
            date.fromisoformat(key[0])
    except (ValueError, msgspec.MsgspecError):
        expected = "it should be the 'nextCursor' of a page before, with the same 'groupBy'"
        raise InvalidCursor(cursor=word[:120], expected=expected) from None
    return key

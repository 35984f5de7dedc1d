"""Conditional requests (RFC 9110, 13) on an entity tag that is a conversation's offset."""

from __future__ import annotations

from aiohttp import web

from turnlog.domain.errors import InvalidInput


def etag(offset: int) -> str:
    """The strong entity tag of a conversation that stands there."""
    return f'"{offset}"'


def not_modified(request: web.Request, tag: str) -> web.Response | None:
    """The 304 for a client that has it already, if `If-None-Match` says so."""
    held = request.if_none_match or ()
    if any(one.value in ("*", tag.strip('"')) for one in held):
        return web.Response(status=304, headers={"ETag": tag})
    return None


def if_match(request: web.Request) -> int | None:
    """The offset of `If-Match`, the newest if it names several; None if any will do.

    A tag that was never given out is -1: no conversation stands there. Raises
    `InvalidInput` where there are no entity tags.
    """
    if "If-Match" not in request.headers:
        return None
    tags = request.if_match
    if not tags:
        raise InvalidInput(message='If-Match must be * or entity tags such as "17", in quotes.')
    if any(tag.value == "*" for tag in tags):
        return None
    return max(_offset(tag.value) if not tag.is_weak else -1 for tag in tags)


def _offset(tag: str) -> int:
    return int(tag) if tag.isascii() and tag.isdigit() and len(tag) <= 18 else -1

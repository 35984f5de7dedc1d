"""The JSON object in a request's body, and nothing else than that."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

from aiohttp import web

from turnlog.domain.errors import InvalidInput
from turnlog.http.errors import BodyStalled, BodyTooLarge, InvalidJson, UnsupportedMediaType
from turnlog.http.validation import MemberProblem, invalid

JSON_BYTES = 1 << 20
MESSAGE_BYTES = 16 << 20
STALL_SECONDS = 30.0


async def read_object(request: web.Request) -> dict[str, Any]:
    """The members of the object that the body is."""
    return object_in(await read_body(request, JSON_BYTES))


async def read_body(request: web.Request, limit: int, *, optional: bool = False) -> bytes:
    """The body, which says that it is JSON; `limit` in bytes. An optional one may be empty."""
    if not optional:
        _check_type(request)
    body = await _read(request, limit)
    if body:
        _check_type(request)
    return body


def object_in(body: bytes) -> dict[str, Any]:
    """The members of the object that the body is."""
    value = _parsed(body)
    if not isinstance(value, dict):
        raise InvalidInput(message="The body must be a JSON object.")
    return value


def _check_type(request: web.Request) -> None:
    charset = (request.charset or "utf-8").lower()
    if request.content_type != "application/json" or charset not in ("utf-8", "utf8"):
        raise UnsupportedMediaType(given=request.headers.get("Content-Type", "")[:80])


async def _read(request: web.Request, limit: int) -> bytes:
    if (request.content_length or 0) > limit:
        raise BodyTooLarge(limit=limit)
    body = bytearray()
    try:
        while True:
            async with asyncio.timeout(STALL_SECONDS):
                chunk = await request.content.readany()
            if not chunk:
                return bytes(body)
            body += chunk
            if len(body) > limit:
                raise BodyTooLarge(limit=limit)
    except TimeoutError:
        raise BodyStalled(seconds=f"{STALL_SECONDS:g}") from None
    except (web.RequestPayloadError, ConnectionError):
        raise InvalidJson(problem="it could not be read to its end") from None


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body.decode(), object_pairs_hook=_members, parse_constant=_no_number)
    except UnicodeDecodeError:
        raise InvalidJson(problem="it is not UTF-8") from None
    except json.JSONDecodeError as error:
        where = f"at line {error.lineno}, column {error.colno}"
        raise InvalidJson(problem=f"{error.msg} {where}") from None
    except RecursionError:
        raise InvalidJson(problem="it is nested too deeply") from None
    except ValueError as error:
        raise InvalidJson(problem=str(error).partition(";")[0]) from None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        raise invalid(
            [MemberProblem(name, "is given twice") for name in counts if counts[name] > 1]
        )
    return members


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no JSON number")

"""What stands in paths and queries: ids, limits, cursors, levels."""

from __future__ import annotations

import re
from uuid import UUID

from aiohttp import web

from turnlog.domain.errors import InvalidCursor, InvalidInput, NotAvailable, NotFound
from turnlog.domain.search import Rank
from turnlog.domain.values import microseconds_of
from turnlog.http.texts import flaw
from turnlog.projections.levels import STATUS_LEVELS, Levels, parse

DEFAULT_LIMIT = 20
MAX_LIMIT = 100

_INTEGER = re.compile(r"[+-]?[0-9]{1,4000}")
_OFFSET = re.compile(r"[0-9]{1,18}")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")


def conversation_id(request: web.Request) -> UUID:
    """The conversation that the path names; what is no UUID is an id that does not exist."""
    return _uuid("conversation", request.match_info["conversationId"])


def turn_id(request: web.Request) -> UUID:
    """The turn that the path names."""
    return _uuid("turn", request.match_info["turnId"])


def text(request: web.Request, name: str) -> str | None:
    """A parameter, of which the first counts."""
    return next(iter(texts(request, name)), None)


def texts(request: web.Request, name: str) -> tuple[str, ...]:
    """A parameter that may be repeated."""
    words = request.query.getall(name, [])
    for word in words:
        if problem := flaw(word):
            raise InvalidInput(message=f"'{name}' {problem}.")
    return tuple(words)


def flag(request: web.Request, name: str) -> bool:
    """A parameter that is true or false, which it is unless it is said."""
    word = text(request, name) or "false"
    if word not in ("true", "1", "false", "0"):
        raise InvalidInput(message=f"'{name}' is true or false.")
    return word in ("true", "1")


def limit(request: web.Request, *, default: int = DEFAULT_LIMIT, most: int = MAX_LIMIT) -> int:
    """How many on a page: clamped, but a number."""
    word = text(request, "limit")
    if word is None:
        return default
    if not _INTEGER.fullmatch(word):
        raise InvalidInput(message=f"'limit' is a whole number from 1 to {most}.")
    return max(1, min(most, int(word)))


def levels(request: web.Request) -> Levels:
    """How much of thoughts and tool calls a status shows."""
    thinking = [*texts(request, "thinkingLevel"), *texts(request, "thinkingFormat")]
    tools = [*texts(request, "toolLevel"), *texts(request, "toolFormat")]
    return Levels(
        thinking=parse(thinking[0]) if thinking else STATUS_LEVELS.thinking,
        tools=parse(tools[0]) if tools else STATUS_LEVELS.tools,
    )


def not_yet(request: web.Request, *names: str) -> None:
    """Refuse parameters whose meaning comes with a later version."""
    for name in names:
        if name in request.query:
            raise NotAvailable(feature=f"The parameter '{name}'")


def list_cursor(created_at: str, conversation: UUID) -> str:
    """The cursor after a row of the list."""
    return f"{created_at}:{conversation}"


def list_place(request: web.Request) -> tuple[int, UUID] | None:
    """The row after which the page begins: its time in microseconds, and its id."""
    word = text(request, "cursor")
    return None if word is None else _listed_place(word, word)


def _listed_place(word: str, row: str) -> tuple[int, UUID]:
    """The place that stands in (a part of) a cursor; raises `InvalidCursor`."""
    moment, _, last = row.rpartition(":")
    try:
        if not _MOMENT.fullmatch(moment):
            raise ValueError(moment)
        return microseconds_of(moment), canonical(last)
    except ValueError:
        raise InvalidCursor(cursor=word[:120], expected=_A_NEXT_CURSOR) from None


def search_cursor(score: float, created_at: str, conversation: UUID) -> str:
    """The cursor after a row of what was found."""
    return f"{score!r}~{list_cursor(created_at, conversation)}"


def search_place(request: web.Request) -> Rank | None:
    """The place in what was found after which the page begins."""
    word = text(request, "cursor")
    if word is None:
        return None
    score, _, row = word.partition("~")
    if not _SCORE.fullmatch(score):
        raise InvalidCursor(cursor=word[:120], expected=_A_NEXT_CURSOR)
    created_at, conversation_id = _listed_place(word, row)
    return Rank(score=float(score), created_at=created_at, conversation_id=conversation_id)


def turns_place(request: web.Request) -> int | None:
    """The offset before which the turns of the page began."""
    word = text(request, "cursor")
    if word is None:
        return None
    if not _OFFSET.fullmatch(word):
        raise InvalidCursor(cursor=word[:120], expected=_A_NEXT_CURSOR)
    return int(word)


def canonical(word: str) -> UUID:
    """The UUID of a text in canonical form; raises `ValueError` for other forms too."""
    found = UUID(word)
    if str(found) != word.lower():
        raise ValueError(word)
    return found


_SCORE = re.compile(r"[0-9]{1,10}(\.[0-9]{1,20})?(e-[0-9]{1,2})?")
_A_NEXT_CURSOR = "it should be the 'nextCursor' of a page before"


def _uuid(thing: str, word: str) -> UUID:
    try:
        return canonical(word)
    except ValueError:
        raise NotFound(thing=thing, id=word[:80]) from None

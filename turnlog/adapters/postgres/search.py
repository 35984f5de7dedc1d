"""Full-text search in PostgreSQL: what fits is ranked, and only a page of it is read whole."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg
from msgspec.structs import replace

from turnlog.adapters.postgres.arrays import storable
from turnlog.adapters.postgres.connections import Connections
from turnlog.adapters.postgres.views import conditions, listed
from turnlog.domain.search import Excerpt, Found, Rank, SearchQuery, Segment

MOST_EXCERPTS = 3
# Private-use characters: no text that people write has them, and none is made of them.
OPEN, CLOSE = "\ue000", "\ue001"
HEADLINE = f"StartSel={OPEN}, StopSel={CLOSE}, MaxFragments=2, MaxWords=30, MinWords=10"

# What has the words is found by the index on them; the rank says how close together they
# stand, and counts titles most. What was found is then looked up row by row (`LIMIT 1` leaves
# no other way): however many conversations there are, only those that fit are read.
FOUND = """
WITH asked AS (
    SELECT websearch_to_tsquery($3::text::regconfig, $4) AS query
), fitting AS (
    SELECT t.bucket, t.conversation_id, max(ts_rank_cd(t.vector, asked.query)) AS score
    FROM search_texts t, asked
    WHERE t.tenant_id = $1 AND t.vector @@ asked.query
        AND t.generation = (SELECT generation FROM projections WHERE projection = 'search')
    GROUP BY t.bucket, t.conversation_id
)
SELECT c.conversation_id, c.created_at, c.updated_at, c.status, c.agent_role, c.tags,
    c.deleted, c.document, h.head, f.score
FROM fitting f
CROSS JOIN LATERAL (
    SELECT * FROM conversations
    WHERE bucket = f.bucket AND conversation_id = f.conversation_id
    LIMIT 1
) c
CROSS JOIN LATERAL (
    SELECT head FROM conversation_heads
    WHERE bucket = f.bucket AND conversation_id = f.conversation_id
    LIMIT 1
) h
WHERE NOT c.deleted AND c.tenant_id = $1"""

BEST_FIRST = " ORDER BY f.score DESC, c.created_at DESC, c.conversation_id DESC LIMIT $2"

EXCERPTS = """
WITH asked AS (
    SELECT websearch_to_tsquery($2::text::regconfig, $3) AS query
)
SELECT best.conversation_id, best.part, best.event_offset, best.turn_id,
    ts_headline($2::text::regconfig, best.content, asked.query, $5) AS headline
FROM asked, unnest($1::smallint[], $6::uuid[]) AS page (bucket, conversation_id),
LATERAL (
    SELECT t.*
    FROM search_texts t
    WHERE t.bucket = page.bucket AND t.conversation_id = page.conversation_id
        AND t.vector @@ asked.query
        AND t.generation = (SELECT generation FROM projections WHERE projection = 'search')
    ORDER BY ts_rank_cd(t.vector, asked.query) DESC, t.event_offset
    LIMIT $4
) best
"""


LANGUAGES = "SELECT cfgname::text FROM pg_ts_config WHERE pg_ts_config_is_visible(oid) ORDER BY 1"


class UnknownLanguage(Exception):
    """The database has no text search configuration of that name; it says which it has."""


async def check_language(readers: Connections, language: str) -> None:
    """Raises `UnknownLanguage`."""
    known = [name for (name,) in await readers.rows(LANGUAGES)]
    if language not in known:
        raise UnknownLanguage(f"the database knows {', '.join(known)}")


class PostgresSearch:
    """`Search`; `language` is the name of a text search configuration of the database."""

    def __init__(self, readers: Connections, buckets: int, language: str) -> None:
        self._readers = readers
        self._buckets = buckets
        self._language = language

    async def find(self, query: SearchQuery) -> list[Found]:
        statement, arguments = search_query(query, self._language)
        rows = await self._readers.rows(statement, *arguments)
        found = [(listed(row), _rank(row)) for row in rows]
        excerpts = await self._excerpts(query, [rank.conversation_id for _, rank in found])
        return [
            Found(listed=each, rank=rank, excerpts=tuple(excerpts[rank.conversation_id]))
            for each, rank in found
        ]

    async def _excerpts(self, query: SearchQuery, page: list[UUID]) -> dict[UUID, list[Excerpt]]:
        excerpts: dict[UUID, list[Excerpt]] = {conversation_id: [] for conversation_id in page}
        if not page:
            return excerpts
        buckets = [conversation_id.bytes[-1] % self._buckets for conversation_id in page]
        words = storable(query.words)
        rows = await self._readers.rows(
            EXCERPTS, buckets, self._language, words, MOST_EXCERPTS, HEADLINE, page
        )
        for row in rows:
            excerpts[row["conversation_id"]].append(_excerpt(row))
        return excerpts


def search_query(query: SearchQuery, language: str) -> tuple[str, list[Any]]:
    """The statement for a page of what is found, and its arguments."""
    filters = replace(query.listed, before=None)
    arguments: list[Any] = [
        filters.tenant_id,
        filters.limit,
        language,
        storable(query.words),
    ]
    statement = FOUND + conditions(filters, arguments)
    if query.after is not None:
        place = (query.after.score, query.after.created_at, query.after.conversation_id)
        first = len(arguments) + 1
        arguments += place
        statement += (
            " AND (f.score, c.created_at, c.conversation_id)"
            f" < (${first}::real, ${first + 1}, ${first + 2})"
        )
    return statement + BEST_FIRST, arguments


def _rank(row: asyncpg.Record) -> Rank:
    return Rank(
        score=row["score"], created_at=row["created_at"], conversation_id=row["conversation_id"]
    )


def _excerpt(row: asyncpg.Record) -> Excerpt:
    segments = []
    for number, piece in enumerate(row["headline"].split(OPEN)):
        match, _, rest = piece.rpartition(CLOSE) if number else ("", "", piece)
        told = (Segment(match, True), Segment(rest, False))
        segments += [segment for segment in told if segment.text]
    return Excerpt(
        part=row["part"],
        offset=row["event_offset"] or None,
        turn_id=row["turn_id"],
        segments=tuple(segments),
    )

"""Searching what conversations say: what is asked, what is found, and who promises to find it."""

from __future__ import annotations

from typing import Literal, Protocol
from uuid import UUID

from msgspec import Struct

from turnlog.domain.records import Listed, ListQuery

Part = Literal["title", "summary", "user", "assistant"]


class Rank(Struct, frozen=True, kw_only=True):
    """A place in what was found: by how well it fits, then newest first."""

    score: float
    created_at: int
    conversation_id: UUID


class SearchQuery(Struct, frozen=True, kw_only=True):
    """A page of what is found; `words` as people write them into a search box.

    Words that all have to be in one title, summary or message; `"a phrase"`, `or`, and
    `-word` for one that must not. `listed` holds the other filters, and the limit;
    `after` is the last place that was seen.
    """

    words: str
    listed: ListQuery
    after: Rank | None = None


class Segment(Struct, frozen=True):
    """A piece of an excerpt; `match`: it is what was looked for."""

    text: str
    match: bool


class Excerpt(Struct, frozen=True, kw_only=True, rename="camel"):
    """Where the words stand. A message is named by the `offset` of the event that holds it."""

    part: Part
    offset: int | None
    turn_id: UUID | None
    segments: tuple[Segment, ...]


class Found(Struct, frozen=True, kw_only=True):
    """A conversation that was found, with its best excerpts."""

    listed: Listed
    rank: Rank
    excerpts: tuple[Excerpt, ...]


class Search(Protocol):
    """Full-text search over conversations that are not deleted. May raise `StoreUnavailable`.

    What was said a moment ago may not be found yet.
    """

    async def find(self, query: SearchQuery) -> list[Found]:
        """A page, best first."""

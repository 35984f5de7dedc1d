"""Searching what conversations say: what is asked, what is found, and who promises to find it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol
from uuid import UUID

from msgspec import Struct

from turnlog.domain.projecting import Claim
from turnlog.domain.records import Listed, ListQuery

Part = Literal["title", "summary", "user", "assistant"]


class Say(Struct, frozen=True, kw_only=True):
    """This text stands in that part; of a title or summary (`offset` 0) it replaces the one before.

    `blobs` name by their SHA-256 what is kept beside the log and belongs to the text.
    """

    part: Part
    offset: int
    turn_id: UUID | None
    text: str
    blobs: tuple[str, ...] = ()


class Unsay(Struct, frozen=True, kw_only=True):
    """What the agent said in a turn in items from that offset on no longer counts."""

    turn_id: UUID
    from_offset: int


class UnsayAll(Struct, frozen=True):
    """Nothing of the conversation is to be found any more."""


class TextChange(Struct, frozen=True, kw_only=True):
    """One change to what can be found of a conversation."""

    conversation_id: UUID
    tenant_id: str
    change: Say | Unsay | UnsayAll


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


class SearchTexts(Protocol):
    """What can be found, as the projection `search` writes it."""

    async def write(self, claim: Claim, changes: Sequence[TextChange]) -> None:
        """Make the changes, in their order, with the claim."""

    async def forget(self, bucket: int, generation: int) -> bool:
        """Drop some rows of a generation that has ended; whether there may be more."""

"""What can be read of conversations and turns: rows, with folds of the log where rows do not do."""

from __future__ import annotations

from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import asdict, replace

from turnlog.domain.errors import NotFound
from turnlog.domain.records import Blob, Listed, ListQuery, TurnRow
from turnlog.domain.search import Excerpt, Rank, SearchQuery
from turnlog.projections.history import Message, blobs_of, history
from turnlog.projections.levels import Levels
from turnlog.projections.listing import ConversationView
from turnlog.projections.turn_view import TurnView
from turnlog.projections.turns import turn_status
from turnlog.runtime.application import Parts
from turnlog.runtime.reading import read_facts
from turnlog.runtime.standing import Standing

_views = msgspec.json.Decoder(ConversationView)


class ConversationDetails(ConversationView, frozen=True, kw_only=True):
    """A conversation as it stood at an offset; its history where that was asked for.

    `excerpts` show where it has what was searched for.
    """

    offset: int
    history: list[Message] | UnsetType = UNSET
    excerpts: tuple[Excerpt, ...] | UnsetType = UNSET


def standing_at(standing: Standing) -> ConversationDetails:
    """The conversation after a command, as whoever gave the command is shown it."""
    assert standing.listing is not None, "a conversation that was written to has its listing"
    return _details(standing.listing.view, standing.head.offset)


async def conversation(parts: Parts, conversation_id: UUID) -> ConversationDetails:
    """One conversation, without its history; raises `NotFound`, also if it was deleted."""
    listed = await parts.views.conversation(conversation_id)
    if listed is None or listed.row.deleted:
        raise NotFound(thing="conversation", id=conversation_id)
    return _listed(listed)


async def conversations(parts: Parts, query: ListQuery) -> list[ConversationDetails]:
    """A page of the list, without histories."""
    return [_listed(listed) for listed in await parts.views.conversations(query)]


async def found(parts: Parts, query: SearchQuery) -> list[tuple[ConversationDetails, Rank]]:
    """A page of what is found, each with its excerpts and its place."""
    return [
        (replace(_listed(each.listed), excerpts=each.excerpts), each.rank)
        for each in await parts.search.find(query)
    ]


async def with_history(parts: Parts, shown: ConversationDetails) -> ConversationDetails:
    """The same, with what had been said by then."""
    facts = await read_facts(parts.store, shown.conversation_id, until=shown.offset)
    texts = {}
    for sha256 in blobs_of(facts):
        if kept := await parts.blobs.get(shown.conversation_id, sha256):
            texts[sha256] = kept.data
    return replace(shown, history=history(facts, texts))


async def turn(parts: Parts, turn_id: UUID, levels: Levels) -> TurnView:
    """The status of one turn; raises `NotFound`, also if its conversation was deleted."""
    return await _turn(parts, await turn_row(parts, turn_id), levels)


async def turn_row(parts: Parts, turn_id: UUID) -> TurnRow:
    """Where one turn stands; raises `NotFound`, also if its conversation was deleted."""
    row = await parts.views.turn(turn_id)
    listed = None if row is None else await parts.views.conversation(row.conversation_id)
    if row is None or listed is None or listed.row.deleted:
        raise NotFound(thing="turn", id=turn_id)
    return row


async def turns(
    parts: Parts, conversation_id: UUID, levels: Levels, *, limit: int, before: int | None
) -> tuple[list[TurnView], int | None]:
    """A page of a conversation's turns, newest first, and the `before` of the next page."""
    await conversation(parts, conversation_id)
    rows = await parts.views.turns(conversation_id, limit=limit + 1, before=before)
    following = rows[limit - 1].first_offset if len(rows) > limit else None
    return [await _turn(parts, row, levels) for row in rows[:limit]], following


async def blob(parts: Parts, conversation_id: UUID, sha256: str) -> Blob:
    """What a message of the conversation names by its SHA-256; raises `NotFound`."""
    await conversation(parts, conversation_id)
    kept = await parts.blobs.get(conversation_id, sha256)
    if kept is None:
        raise NotFound(thing="blob", id=sha256)
    return kept


def _listed(listed: Listed) -> ConversationDetails:
    return _details(_views.decode(listed.row.document), listed.offset)


def _details(view: ConversationView, offset: int) -> ConversationDetails:
    return ConversationDetails(**asdict(view), offset=offset)


async def _turn(parts: Parts, row: TurnRow, levels: Levels) -> TurnView:
    facts = await read_facts(
        parts.store,
        row.conversation_id,
        after=row.first_offset - 1,
        until=row.last_offset,
        turn_id=row.turn_id,
    )
    return turn_status(row.conversation_id, facts, levels)

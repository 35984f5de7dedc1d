"""A conversation as the list shows it, kept up to date event by event."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from turnlog.domain import events
from turnlog.domain.events import Changes, Fact, WantedCall
from turnlog.domain.records import ConversationRow
from turnlog.domain.values import Configuration, Usage, microseconds_of
from turnlog.projections.waiting import still_wanted

ConversationStatus = Literal["idle", "running", "requires_action"]


class ConversationView(Configuration, frozen=True, kw_only=True):
    """What the API shows of a conversation, less `offset` and `history`.

    It has the whole configuration. `updated_at` moves with every `conversation.*`
    and `turn.*` event; `status` is `running` also while turns only wait in the
    queue; `usage` is that of the turns that have ended.
    """

    conversation_id: UUID
    created_at: str
    updated_at: str
    parent: UUID | None = None
    status: ConversationStatus = "idle"
    usage: Usage = Usage()


class Listing(Struct, frozen=True, kw_only=True):
    """The view, and what it takes to keep it: the turns that have not ended, and the one that runs.

    `wanted` are the calls that the running turn waits for.
    """

    view: ConversationView
    unfinished: tuple[UUID, ...] = ()
    running: UUID | None = None
    wanted: tuple[WantedCall, ...] = ()
    deleted: bool = False


def fold(listing: Listing | None, fact: Fact) -> Listing:
    """The listing after one more event; the same object if the event changes nothing in it."""
    if isinstance(fact, events.ConversationCreated):
        return Listing(view=_created(fact))
    assert listing is not None, "a log begins with conversation.created"
    match fact:
        case events.ConversationUpdated():
            listing = _with(listing, **_named(fact))
        case events.ConversationDeleted():
            listing = replace(listing, deleted=True)
        case events.TurnQueued():
            listing = replace(listing, unfinished=(*listing.unfinished, fact.turn_id))
        case events.TurnStarted():
            listing = replace(listing, running=fact.turn_id)
        case events.TurnCompleted() | events.TurnFailed() | events.TurnCancelled():
            listing = _ended(listing, fact)
        case (
            events.TurnSteered()
            | events.TurnRequiresAction()
            | events.TurnRetrying()
            | events.TurnResumed()
            | events.TurnCancelRequested()
        ):
            pass
        case _:
            return _settled(listing, fact)
    return _with(_settled(listing, fact), updated_at=fact.at)


def row(listing: Listing) -> ConversationRow:
    """The conversation's place in the list."""
    view = listing.view
    return ConversationRow(
        conversation_id=view.conversation_id,
        created_at=microseconds_of(view.created_at),
        updated_at=microseconds_of(view.updated_at),
        status=view.status,
        agent_role=view.agent_role,
        tags=view.tags,
        deleted=listing.deleted,
        document=msgspec.json.encode(view),
    )


def _created(fact: events.ConversationCreated) -> ConversationView:
    configuration = {name: getattr(fact, name) for name in Configuration.__struct_fields__}
    return ConversationView(
        **configuration,
        conversation_id=fact.conversation_id,
        created_at=fact.at,
        updated_at=fact.at,
        parent=None if fact.parent is UNSET else fact.parent,
    )


def _named(changes: Changes) -> dict[str, Any]:
    members = {name: getattr(changes, name) for name in Changes.__struct_fields__}
    return {name: value for name, value in members.items() if value is not UNSET}


def _ended(listing: Listing, fact: events.TurnEnded) -> Listing:
    listing = replace(
        listing,
        unfinished=tuple(turn for turn in listing.unfinished if turn != fact.turn_id),
        running=None if listing.running == fact.turn_id else listing.running,
    )
    return _with(listing, usage=listing.view.usage + fact.usage)


def _settled(listing: Listing, fact: Fact) -> Listing:
    """The listing with its status put right."""
    wanted = listing.wanted
    if listing.running is None:
        wanted = ()
    elif getattr(fact, "turn_id", None) == listing.running:
        wanted = still_wanted(wanted, fact)
    if wanted != listing.wanted:
        listing = replace(listing, wanted=wanted)
    status: ConversationStatus = "idle"
    if listing.unfinished:
        status = "requires_action" if listing.wanted else "running"
    return listing if status == listing.view.status else _with(listing, status=status)


def _with(listing: Listing, **members: Any) -> Listing:
    return replace(listing, view=replace(listing.view, **members))

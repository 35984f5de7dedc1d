"""What of a conversation can be searched, event by event."""

from __future__ import annotations

from uuid import UUID

from msgspec import UNSET

from turnlog.domain import events
from turnlog.domain.codec import topic_of
from turnlog.domain.events import Fact
from turnlog.domain.search import Part, Say, Unsay, UnsayAll
from turnlog.domain.values import ContentPart, TextPart

TOPICS = frozenset(
    topic_of(kind)
    for kind in (
        events.ConversationCreated,
        events.ConversationUpdated,
        events.ConversationDeleted,
        events.TurnQueued,
        events.TurnSteered,
        events.MessageCompleted,
        events.AttemptSuperseded,
    )
)
"""The types of events that change something."""


def changes(offset: int, fact: Fact) -> list[Say | Unsay | UnsayAll]:
    """What the event at that offset changes."""
    match fact:
        case events.ConversationCreated():
            return [_named("title", fact.title), _named("summary", fact.summary)]
        case events.ConversationUpdated():
            named = []
            if fact.title is not UNSET:
                named.append(_named("title", fact.title))
            if fact.summary is not UNSET:
                named.append(_named("summary", fact.summary))
            return [*named]
        case events.ConversationDeleted():
            return [UnsayAll()]
        case events.TurnQueued() | events.TurnSteered():
            return [_said(offset, fact.turn_id, fact.content)]
        case events.MessageCompleted():
            return [Say(part="assistant", offset=fact.item, turn_id=fact.turn_id, text=fact.text)]
        case events.AttemptSuperseded():
            return [Unsay(turn_id=fact.turn_id, from_offset=fact.from_offset)]
        case _:
            return []


def _named(part: Part, text: str | None) -> Say:
    return Say(part=part, offset=0, turn_id=None, text=text or "")


def _said(offset: int, turn_id: UUID, content: tuple[ContentPart, ...]) -> Say:
    texts = [part for part in content if isinstance(part, TextPart)]
    return Say(
        part="user",
        offset=offset,
        turn_id=turn_id,
        text="\n".join(part.text for part in texts if part.text is not None),
        blobs=tuple(part.blob for part in texts if part.text is None and part.blob),
    )

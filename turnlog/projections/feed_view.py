"""The feed of all conversations as a subscriber sees it: which events, and their frames."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from turnlog.domain.errors import InvalidInput
from turnlog.domain.records import FedEntry, Labels
from turnlog.projections import feed_cursor, filters, pages
from turnlog.projections import levels as level_names
from turnlog.projections.feed_cursor import Place
from turnlog.projections.filters import Types
from turnlog.projections.frames import frame
from turnlog.projections.levels import Levels

DELETED = "conversation.deleted"


class Placed(Struct, frozen=True):
    """An event on one way through the feed: `cursor` is the place after it, `frame` all of it.

    The frame is empty where the event's conversation was deleted after it.
    """

    fed: FedEntry
    cursor: str
    frame: bytes


class FeedView(Struct, frozen=True, kw_only=True):
    """Whose events are shown, and which of them. Equal views see the same bytes."""

    tenant_id: str
    types: Types | None = None
    conversations: frozenset[UUID] | None = None
    tags: frozenset[str] = frozenset()
    levels: Levels = Levels()

    def includes(self, fed: FedEntry, labels: Labels | None) -> bool:
        """Whether the event is shown; `labels` are its conversation's, where they are known.

        Of a conversation that was deleted only that is told. Where tags were asked for and
        the labels are not known, nothing is.
        """
        if fed.tenant_id != self.tenant_id:
            return False
        if self.conversations is not None and fed.conversation_id not in self.conversations:
            return False
        if self.types is not None and not self.types.want(fed.entry.topic):
            return False
        if labels is None:
            return not self.tags
        return self.tags <= labels.tags and not (labels.deleted and fed.entry.topic != DELETED)

    def render(self, placed: Placed) -> bytes:
        """The frame of an event that is included, or nothing where its level is `none`."""
        fed = placed.fed
        level = self.levels.of(fed.entry.topic)
        if level == "full":
            return placed.frame
        if level == "none" or not placed.frame:
            return b""
        state = level_names.summary(fed.entry.topic, fed.entry.state)
        if not state:
            return b""
        line = pages.line(replace(fed.entry, state=state), fed.conversation_id)
        return frame(placed.cursor, fed.entry.topic, line)


def feed_view(
    tenant_id: str,
    *,
    dialect_name: str | None,
    types: str | None,
    conversations: frozenset[UUID] | None,
    tags: Sequence[str],
    thinking: str | None,
    tools: str | None,
) -> FeedView:
    """The view that a request's words ask for; raises `InvalidInput`."""
    if dialect_name not in (None, "turnlog"):
        raise InvalidInput(
            message="The feed of all conversations is told in the dialect 'turnlog' only; "
            "a conversation's or a turn's own stream has the others."
        )
    return FeedView(
        tenant_id=tenant_id,
        types=None if types is None else filters.parse(types),
        conversations=conversations,
        tags=frozenset(tags),
        levels=Levels(
            thinking="full" if thinking is None else level_names.parse(thinking),
            tools="full" if tools is None else level_names.parse(tools),
        ),
    )


def placed(found: Sequence[FedEntry], after: Place) -> tuple[list[Placed], Place]:
    """The events, in this order, on a way that goes on from a place; and where it leads."""
    numbers = [feed_cursor.number(position) for position in after]
    place, events = list(after), []
    for fed in found:
        place[fed.bucket] = fed.position
        numbers[fed.bucket] = feed_cursor.number(fed.position)
        cursor = feed_cursor.joined(numbers)
        line = pages.line(fed.entry, fed.conversation_id)
        events.append(Placed(fed, cursor, frame(cursor, fed.entry.topic, line)))
    return events, tuple(place)

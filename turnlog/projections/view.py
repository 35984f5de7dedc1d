"""How a subscriber looks at a log, and the bytes that it is then shown."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from msgspec import Struct

from turnlog.domain.codec import ENDING_TOPICS
from turnlog.domain.records import Entry
from turnlog.projections import filters
from turnlog.projections import levels as level_names
from turnlog.projections.context import Context
from turnlog.projections.dialects import DIALECTS, dialect
from turnlog.projections.filters import Types
from turnlog.projections.frames import stored
from turnlog.projections.levels import Levels


class View(Struct, frozen=True, kw_only=True):
    """What one subscriber sees: a dialect, its levels, and a choice of turn and types.

    Subscribers with equal views see the same bytes. They are not remembered here:
    render once per event and view, and share.
    """

    dialect: str = "turnlog"
    levels: Levels = Levels()
    types: Types | None = None
    turn_id: UUID | None = None

    @property
    def needs_context(self) -> bool:
        """Whether `render` looks at the context at all."""
        return DIALECTS[self.dialect].needs_context

    def includes(self, entry: Entry) -> bool:
        """Whether the event is of the turn and types that were chosen, by its columns alone.

        A turn's last event passes every filter on the turn's stream.
        """
        if self.turn_id is not None and entry.turn_id != self.turn_id:
            return False
        if self.types is None or self.types.want(entry.topic):
            return True
        return self.turn_id is not None and self.is_last(entry)

    def is_last(self, entry: Entry) -> bool:
        """Whether a stream of this view ends after the event."""
        if self.turn_id is None:
            return entry.topic == "conversation.deleted"
        return entry.turn_id == self.turn_id and entry.topic in ENDING_TOPICS

    def frames(self, entries: Iterable[Entry], context: Context) -> bytes:
        """The frames of events, one after the other: of each what `render` makes of it."""
        if self == _ALL:
            return b"".join([stored(entry) for entry in entries])
        return b"".join([self.render(entry, context) for entry in entries])

    def render(self, entry: Entry, context: Context) -> bytes:
        """The frames of one event, or nothing. Ids are the same whatever is left out."""
        if not self.includes(entry):
            return b""
        return DIALECTS[self.dialect].render(entry, self.levels, context)


_ALL = View()


def view_of(
    *,
    dialect_name: str = "turnlog",
    types: str | None = None,
    thinking: str | None = None,
    tools: str | None = None,
    turn_id: UUID | None = None,
) -> View:
    """The view that a request's words ask for; raises `InvalidInput`."""
    default = dialect(dialect_name).levels
    return View(
        dialect=dialect_name,
        levels=Levels(
            thinking=default.thinking if thinking is None else level_names.parse(thinking),
            tools=default.tools if tools is None else level_names.parse(tools),
        ),
        types=None if types is None else filters.parse(types),
        turn_id=turn_id,
    )

"""Where a conversation stands, and a draft of what is to be written next."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from turnlog.domain import events
from turnlog.domain.chain import genesis, link
from turnlog.domain.codec import DELTA_TOPICS, decode, encode
from turnlog.domain.commands import Command
from turnlog.domain.conversation import Conversation, evolve
from turnlog.domain.decisions import decide, moment
from turnlog.domain.errors import NotFound
from turnlog.domain.events import Fact
from turnlog.domain.ports import EventStore
from turnlog.domain.records import AnswerRecord, Append, Entry, Head, TurnRow
from turnlog.projections import listing, turns
from turnlog.projections.listing import Listing


class Standing(Struct, frozen=True, kw_only=True):
    """A conversation's folded state with its head and inline projections.

    `turns` are those that have not ended; `ended` those that did with the last append here.
    """

    conversation_id: UUID
    head: Head
    state: Conversation
    listing: Listing | None = None
    turns: dict[UUID, TurnRow] = {}
    ended: dict[UUID, TurnRow] = {}

    def turn(self, turn_id: UUID) -> TurnRow | None:
        """How a turn stands that had not ended before the last append."""
        return self.turns.get(turn_id) or self.ended.get(turn_id)


def unborn(conversation_id: UUID, secret: bytes, tenant_id: str) -> Standing:
    """The standing before the first event."""
    head = Head(offset=0, hash=genesis(conversation_id), secret=secret, tenant_id=tenant_id)
    state = Conversation(conversation_id=conversation_id)
    return Standing(conversation_id=conversation_id, head=head, state=state)


async def load(store: EventStore, conversation_id: UUID) -> Standing:
    """The standing from the log, without its deltas but those of items still open."""
    head = await store.head(conversation_id)
    if head is None:
        raise NotFound(thing="conversation", id=conversation_id)
    standing = unborn(conversation_id, head.secret, head.tenant_id)
    entries = await store.read(conversation_id, until=head.offset, deltas=False)
    folded = _folded(standing, entries)
    if (running := folded.state.running) is not None and (running.items or running.calls):
        first = min([*running.items, *running.calls])
        before = [entry for entry in entries if entry.offset < first]
        rest = await store.read(conversation_id, after=first - 1, until=head.offset)
        folded = _folded(standing, [*before, *rest])
    return replace(folded, head=head, state=replace(folded.state, offset=head.offset))


async def caught_up(store: EventStore, standing: Standing) -> tuple[Standing, list[Entry]]:
    """The standing after what others have written meanwhile, and those entries."""
    head = await store.head(standing.conversation_id)
    if head is None:
        raise NotFound(thing="conversation", id=standing.conversation_id)
    entries = await store.read(
        standing.conversation_id, after=standing.head.offset, until=head.offset
    )
    return replace(_folded(standing, entries), head=head), entries


class Draft:
    """Entries for the end of a log, decided upon a standing and not yet written."""

    def __init__(self, standing: Standing) -> None:
        self._before = standing
        self._state = standing.state
        self._listing = standing.listing
        self._turns = dict(standing.turns)
        self._touched: set[UUID] = set()
        self._hash = standing.head.hash
        self.entries: list[Entry] = []

    @property
    def conversation_id(self) -> UUID:
        """Whose log it is for."""
        return self._before.conversation_id

    @property
    def offset(self) -> int:
        """The offset of the last entry so far."""
        return self._state.offset

    def add(self, command: Command) -> None:
        """Decide one more command; if that fails, the draft stays as it was."""
        at = moment(command, self._state)
        made = [(fact, *encode(fact)) for fact in decide(command, self._state)]
        for fact, topic, state in made:
            self._add(fact, topic, state, at)

    def append(self, records: tuple[AnswerRecord, ...] = ()) -> Append:
        """The draft for the journal."""
        head = self._before.head
        row = None
        if self._listing is not None and self._listing is not self._before.listing:
            row = listing.row(self._listing)
        return Append(
            conversation_id=self._before.conversation_id,
            head=head,
            entries=tuple(self.entries),
            conversation=row,
            turns=tuple(self._turns[turn_id] for turn_id in self._touched),
            records=records,
        )

    def written(self) -> Standing:
        """The standing once the draft is on disk."""
        touched = {turn_id: self._turns[turn_id] for turn_id in self._touched}
        return Standing(
            conversation_id=self._before.conversation_id,
            head=replace(self._before.head, offset=self.offset, hash=self._hash),
            state=self._state,
            listing=self._listing,
            turns=_unended(self._turns),
            ended={key: row for key, row in touched.items() if row.last_offset is not None},
        )

    def _add(self, fact: Fact, topic: str, state: bytes, at: int) -> None:
        secret = self._before.head.secret
        offset = self.offset + 1
        self._hash = link(self._hash, offset, at, topic, secret, state)
        turn_id = getattr(fact, "turn_id", None)
        if isinstance(fact, events.Delta) and self._state.running is not None:
            turn_id = self._state.running.turn_id
        self.entries.append(Entry(offset, topic, state, turn_id, at, self._hash))
        self._state = evolve(self._state, fact)
        if topic in DELTA_TOPICS:
            return
        self._listing = listing.fold(self._listing, fact)
        if turn_id is not None:
            self._fold_turn(turn_id, offset, fact)

    def _fold_turn(self, turn_id: UUID, offset: int, fact: Fact) -> None:
        before = self._turns.get(turn_id)
        row = turns.fold_row(before, self._before.conversation_id, offset, fact)
        if row is not None and row != before:
            self._turns[turn_id] = row
            self._touched.add(turn_id)


def _folded(standing: Standing, entries: Iterable[Entry]) -> Standing:
    state, listed, rows = standing.state, standing.listing, dict(standing.turns)
    for entry in entries:
        fact = decode(entry.topic, entry.state)
        state = evolve(replace(state, offset=entry.offset - 1), fact)
        if fact is None or entry.topic in DELTA_TOPICS:
            continue
        listed = listing.fold(listed, fact)
        if entry.turn_id is not None:
            row = turns.fold_row(
                rows.get(entry.turn_id), standing.conversation_id, entry.offset, fact
            )
            if row is not None:
                rows[entry.turn_id] = row
    return replace(standing, state=state, listing=listed, turns=_unended(rows), ended={})


def _unended(rows: dict[UUID, TurnRow]) -> dict[UUID, TurnRow]:
    return {turn_id: row for turn_id, row in rows.items() if row.last_offset is None}

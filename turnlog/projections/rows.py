"""The rows of one conversation that are written with its events, folded from the whole log."""

from __future__ import annotations

from uuid import UUID

from turnlog.domain.codec import DELTA_TOPICS, decode
from turnlog.domain.records import Entry, FoldedRows, TurnRow
from turnlog.projections import listing, turns
from turnlog.projections.listing import Listing


class Rows:
    """The row of the list and those of the turns, as far as the log was learned.

    What an append writes is the same fold's outcome; so the rows are what they would be if
    all had been written in one append.
    """

    def __init__(self, conversation_id: UUID) -> None:
        self._conversation_id = conversation_id
        self._offset = 0
        self._listing: Listing | None = None
        self._turns: dict[UUID, TurnRow] = {}

    def learn(self, entry: Entry) -> None:
        """Take in one more entry; deltas may be left out."""
        self._offset = entry.offset
        fact = None if entry.topic in DELTA_TOPICS else decode(entry.topic, entry.state)
        if fact is None:
            return
        self._listing = listing.fold(self._listing, fact)
        if entry.turn_id is not None:
            before = self._turns.get(entry.turn_id)
            row = turns.fold_row(before, self._conversation_id, entry.offset, fact)
            if row is not None:
                self._turns[entry.turn_id] = row

    def folded(self, head: int) -> FoldedRows:
        """The rows of a log that ends at `head`."""
        return FoldedRows(
            conversation_id=self._conversation_id,
            head=head,
            conversation=None if self._listing is None else listing.row(self._listing),
            turns=tuple(self._turns.values()),
        )

"""Reading a log in portions that are small in bytes, whatever the size of its events."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from turnlog.domain.ports import EventStore
from turnlog.domain.records import Entry

PORTION_BYTES = 256 * 1024
MOST = 4096
FIRST = 16


class Portions:
    """Reads one log. How many events make a portion is learned from those before."""

    def __init__(self, store: EventStore, conversation_id: UUID) -> None:
        self._store = store
        self._conversation_id = conversation_id
        self._limit = FIRST

    async def read(self, after: int, *, until: int | None = None, most: int = MOST) -> list[Entry]:
        """What follows the offset; empty at the log's end."""
        entries = await self._store.read(
            self._conversation_id, after=after, until=until, limit=min(most, self._limit)
        )
        if size := _size(entries):
            fits = max(1, len(entries) * PORTION_BYTES // size)
            self._limit = min(MOST, 4 * self._limit, fits)  # what follows may be larger
        return entries if size <= PORTION_BYTES else portion(entries)


def portion(entries: Sequence[Entry]) -> list[Entry]:
    """The first of them that make a portion; one at least, if there is one."""
    size = 0
    for number, entry in enumerate(entries):
        size += len(entry.state)
        if number and size > PORTION_BYTES:
            return list(entries[:number])
    return list(entries)


def _size(entries: Sequence[Entry]) -> int:
    return sum([len(entry.state) for entry in entries])

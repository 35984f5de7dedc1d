"""The usage of conversations, counted as their events come."""

from __future__ import annotations

from collections.abc import Sequence

from turnlog.domain.projecting import Claim, UsageTable
from turnlog.domain.records import FedEntry
from turnlog.projections import usage


class UsageProjection:
    """`Projection`."""

    name = "usage"
    topics: frozenset[str] | None = usage.TOPICS

    def __init__(self, table: UsageTable) -> None:
        self._table = table

    async def take_in(self, claim: Claim, found: Sequence[FedEntry]) -> None:
        turn_ids = {fed.entry.turn_id for fed in found if fed.entry.turn_id is not None}
        known = await self._table.open_turns(claim, list(turn_ids))
        counted = usage.count(known, found)
        await self._table.write(claim, counted.entries, counted.turns)

    async def forget(self, bucket: int, generation: int) -> bool:
        return await self._table.forget(bucket, generation)

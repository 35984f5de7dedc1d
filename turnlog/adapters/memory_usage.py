"""What conversations have cost, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from msgspec.structs import replace

from turnlog.adapters.memory import MemoryStore
from turnlog.adapters.memory_checkpoints import MemoryCheckpoints, within
from turnlog.domain.projecting import Claim
from turnlog.domain.records import OpenTurn, UsageEntry, UsageGroup, UsageKey, UsageQuery
from turnlog.domain.values import Usage, timestamp

_Place = tuple[int, int]


class MemoryUsage:
    """`UsageTable`."""

    def __init__(self, store: MemoryStore, checkpoints: MemoryCheckpoints) -> None:
        self._store = store
        self._checkpoints = checkpoints
        self._entries: dict[_Place, dict[tuple[UUID, int], UsageEntry]] = {}
        self._turns: dict[_Place, dict[UUID, OpenTurn]] = {}

    async def open_turns(self, claim: Claim, turn_ids: Sequence[UUID]) -> dict[UUID, OpenTurn]:
        known = self._turns.get((claim.bucket, claim.generation), {})
        return {turn_id: known[turn_id] for turn_id in turn_ids if turn_id in known}

    async def write(
        self,
        claim: Claim,
        entries: Sequence[UsageEntry],
        turns: Mapping[UUID, OpenTurn | None],
    ) -> None:
        place = claim.bucket, claim.generation
        kept = self._entries.setdefault(place, {})
        known = self._turns.setdefault(place, {})

        def write() -> None:
            kept.update({(entry.conversation_id, entry.offset): entry for entry in entries})
            for turn_id, turn in turns.items():
                if turn is None:
                    known.pop(turn_id, None)
                else:
                    known[turn_id] = turn

        within(claim).writes.append(write)

    async def groups(self, query: UsageQuery) -> list[UsageGroup]:
        groups: dict[UsageKey, UsageGroup] = {}
        if query.group_by is None:
            groups[()] = UsageGroup(key=(), turns=0, usage=Usage(), superseded=Usage())
        current = self._checkpoints.current("usage")
        for (_, generation), entries in self._entries.items():
            for entry in entries.values():
                if (
                    generation == current
                    and entry.tenant_id == query.tenant_id
                    and query.since <= entry.at < query.until
                ):
                    for key in await self._keys(query, entry):
                        groups[key] = _with(groups.get(key), key, entry)
        after = None if query.after is None else _order(query.after)
        found = sorted(groups.values(), key=lambda group: _order(group.key))
        return [group for group in found if after is None or _order(group.key) > after][
            : query.limit
        ]

    async def forget(self, bucket: int, generation: int) -> bool:
        self._turns.pop((bucket, generation), None)
        return self._entries.pop((bucket, generation), None) is not None

    async def _keys(self, query: UsageQuery, entry: UsageEntry) -> list[UsageKey]:
        match query.group_by:
            case None:
                return [()]
            case "conversation":
                return [(str(entry.conversation_id),)]
            case "model":
                model = entry.model
                return [(model.model_provider_id, model.model_provider_api, model.model)]
            case "day":
                return [(timestamp(entry.at)[:10],)]
            case "tag":
                labels = await self._store.labels([entry.conversation_id])
                tags = [found for one in labels.values() for found in one.tags]
                return [(tag,) for tag in tags] if tags else [(None,)]


def _with(group: UsageGroup | None, key: UsageKey, entry: UsageEntry) -> UsageGroup:
    group = group or UsageGroup(key=key, turns=0, usage=Usage(), superseded=Usage())
    superseded = group.superseded + entry.usage if entry.superseded else group.superseded
    return replace(
        group,
        turns=group.turns + entry.turns,
        usage=group.usage + entry.usage,
        superseded=superseded,
    )


def _order(key: UsageKey) -> list[tuple[bool, str]]:
    """What has no tag comes last."""
    return [(word is None, word or "") for word in key]

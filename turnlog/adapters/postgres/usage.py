"""What conversations have cost, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from turnlog.adapters.postgres.arrays import storable
from turnlog.adapters.postgres.checkpoints import within
from turnlog.adapters.postgres.connections import Connections
from turnlog.domain.projecting import Claim
from turnlog.domain.records import OpenTurn, UsageEntry, UsageGroup, UsageQuery
from turnlog.domain.values import Model, Usage

KINDS = "input_tokens, output_tokens, cached_input_tokens, cache_write_tokens, reasoning_tokens"
MODEL = "model_provider_id, model_provider_api, model"

OPEN_TURNS = f"""
SELECT turn_id, {MODEL}, {KINDS}, estimated FROM usage_turns
WHERE bucket = $1 AND generation = $2 AND turn_id = ANY ($3)
"""

WRITE = f"""
INSERT INTO usage_entries (
    bucket, generation, conversation_id, event_offset, at, tenant_id, {MODEL}, {KINDS}, estimated,
    turns, superseded
)
SELECT $1, $2, e.* FROM unnest(
    $3::uuid[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::boolean[],
    $16::integer[], $17::boolean[]
) AS e
"""

KEEP_TURNS = f"""
INSERT INTO usage_turns (bucket, generation, turn_id, {MODEL}, {KINDS}, estimated)
SELECT $1, $2, t.* FROM unnest(
    $3::uuid[], $4::text[], $5::text[], $6::text[],
    $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::boolean[]
) AS t
ON CONFLICT (bucket, generation, turn_id) DO UPDATE SET
    input_tokens = excluded.input_tokens,
    output_tokens = excluded.output_tokens,
    cached_input_tokens = excluded.cached_input_tokens,
    cache_write_tokens = excluded.cache_write_tokens,
    reasoning_tokens = excluded.reasoning_tokens,
    estimated = excluded.estimated
"""

DROP_TURNS = """
DELETE FROM usage_turns WHERE bucket = $1 AND generation = $2 AND turn_id = ANY ($3)
"""

FORGET = """
DELETE FROM usage_entries WHERE bucket = $1 AND ctid = ANY (ARRAY(
    SELECT ctid FROM usage_entries WHERE bucket = $1 AND generation = $2 LIMIT 10000
)) RETURNING true
"""
FORGET_TURNS = "DELETE FROM usage_turns WHERE bucket = $1 AND generation = $2"

_SUMS = ", ".join(f"coalesce(sum(e.{kind}){{filter}}, 0)::bigint" for kind in KINDS.split(", "))
_ESTIMATED = "coalesce(bool_or(e.estimated){filter}, false)"
_ONLY_SUPERSEDED = " FILTER (WHERE e.superseded)"

GROUPS = f"""
SELECT {{key}}, coalesce(sum(e.turns), 0)::bigint,
    {_SUMS.format(filter="")}, {_ESTIMATED.format(filter="")},
    {_SUMS.format(filter=_ONLY_SUPERSEDED)}, {_ESTIMATED.format(filter=_ONLY_SUPERSEDED)}
FROM usage_entries e{{tags}}
WHERE e.tenant_id = $1 AND e.at >= $2 AND e.at < $3
    AND e.generation = (SELECT p.generation FROM projections p WHERE p.projection = 'usage')
"""

_TAGS = """
JOIN conversations c USING (bucket, conversation_id)
CROSS JOIN LATERAL (
    SELECT DISTINCT unnest(c.tags) UNION ALL SELECT NULL WHERE c.tags = '{}'
) AS t (tag)"""

_MEMBERS = (*KINDS.split(", "), "estimated")
_DAY = 86_400_000_000
_EPOCH = date(1970, 1, 1).toordinal()

_KEYS: dict[str | None, tuple[str, ...]] = {
    None: (),
    "conversation": ("e.conversation_id",),
    "model": tuple(f'e.{name} COLLATE "C"' for name in MODEL.split(", ")),
    "day": (f"e.at / {_DAY}",),
    "tag": ('t.tag COLLATE "C"',),
}


class PostgresUsage:
    """`UsageTable`."""

    def __init__(self, readers: Connections) -> None:
        self._readers = readers

    async def open_turns(self, claim: Claim, turn_ids: Sequence[UUID]) -> dict[UUID, OpenTurn]:
        rows = await within(claim).rows(OPEN_TURNS, claim.bucket, claim.generation, turn_ids)
        return {
            turn_id: OpenTurn(turn_id=turn_id, model=_model(*model), counted=_usage(usage))
            for turn_id, *rest in rows
            for model, usage in [(rest[:3], rest[3:])]
        }

    async def write(
        self,
        claim: Claim,
        entries: Sequence[UsageEntry],
        turns: Mapping[UUID, OpenTurn | None],
    ) -> None:
        here, place = within(claim), (claim.bucket, claim.generation)
        if entries:
            await here.rows(
                WRITE,
                *place,
                [entry.conversation_id for entry in entries],
                [entry.offset for entry in entries],
                [entry.at for entry in entries],
                [entry.tenant_id for entry in entries],
                *_models([entry.model for entry in entries]),
                *_usages([entry.usage for entry in entries]),
                [entry.turns for entry in entries],
                [entry.superseded for entry in entries],
            )
        if kept := [turn for turn in turns.values() if turn is not None]:
            await here.rows(
                KEEP_TURNS,
                *place,
                [turn.turn_id for turn in kept],
                *_models([turn.model for turn in kept]),
                *_usages([turn.counted for turn in kept]),
            )
        if ended := [turn_id for turn_id, turn in turns.items() if turn is None]:
            await here.rows(DROP_TURNS, *place, ended)

    async def groups(self, query: UsageQuery) -> list[UsageGroup]:
        if query.after is not None and None in query.after:
            return []  # what has no tag comes last
        statement, arguments = groups_query(query)
        rows = await self._readers.rows(statement, *arguments)
        return [_group(query, list(row)) for row in rows]

    async def forget(self, bucket: int, generation: int) -> bool:
        await self._readers.rows(FORGET_TURNS, bucket, generation)
        return bool(await self._readers.rows(FORGET, bucket, generation))


def groups_query(query: UsageQuery) -> tuple[str, list[Any]]:
    """The statement for a page of groups, and its arguments."""
    keys = _KEYS[query.group_by]
    statement = GROUPS.format(
        key=", ".join(keys) or "NULL", tags=_TAGS if query.group_by == "tag" else ""
    )
    arguments: list[Any] = [query.tenant_id, query.since, query.until]
    if not keys:
        return statement, arguments
    names = ", ".join(keys)
    if query.after is not None:
        arguments += _asked(query)
        numbers = ", ".join(f"${n}" for n in range(4, 4 + len(keys)))
        after = f"({names}) > ({numbers})"
        statement += (
            f" AND ({after} OR t.tag IS NULL)" if query.group_by == "tag" else f" AND {after}"
        )
    arguments.append(query.limit)
    statement += f" GROUP BY {names} ORDER BY {names} LIMIT ${len(arguments)}"
    return statement, arguments


def _asked(query: UsageQuery) -> list[Any]:
    """The key after which the page begins, as the database has it."""
    assert query.after is not None
    match query.group_by:
        case "conversation":
            return [UUID(query.after[0])]
        case "day":
            return [date.fromisoformat(str(query.after[0])).toordinal() - _EPOCH]
        case _:
            return [storable(str(word)) for word in query.after]


def _group(query: UsageQuery, row: list[Any]) -> UsageGroup:
    width = max(1, len(_KEYS[query.group_by]))
    key, (turns, *sums) = row[:width], row[width:]
    match query.group_by:
        case None:
            key = []
        case "day":
            key = [date.fromordinal(key[0] + _EPOCH).isoformat()]
        case "conversation":
            key = [str(key[0])]
        case _:
            pass
    return UsageGroup(
        key=tuple(key), turns=turns, usage=_usage(sums[:6]), superseded=_usage(sums[6:])
    )


def _model(provider: str, api: str, model: str) -> Model:
    return Model(model_provider_id=provider, model_provider_api=api, model=model)


def _models(models: Sequence[Model]) -> list[list[str]]:
    return [[storable(getattr(model, name)) for model in models] for name in MODEL.split(", ")]


def _usages(usages: Sequence[Usage]) -> list[list[Any]]:
    return [[getattr(usage, kind) for usage in usages] for kind in _MEMBERS]


def _usage(values: Sequence[Any]) -> Usage:
    return Usage(**dict(zip(_MEMBERS, values, strict=True)))

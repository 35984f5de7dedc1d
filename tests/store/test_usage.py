"""What every store promises of the usage: sums over entries, by group, in pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.store.conftest import Stores
from tests.store.given import NOON, Writer, written
from turnlog.domain.records import (
    GroupBy,
    OpenTurn,
    UsageEntry,
    UsageGroup,
    UsageKey,
    UsageQuery,
)
from turnlog.domain.values import Model, Usage, timestamp

DAY = 86_400_000_000
MODELS = [
    Model(model_provider_id=provider, model_provider_api="x", model=name)
    for provider in ("a", "B", "é")
    for name in ("one", "two\0")
]
TAGS: list[tuple[str, ...]] = [(), ("a",), ("b", "a", "b"), ("Z", "é")]
ALL = UsageQuery(tenant_id="acme", group_by=None, since=0, until=2**62, limit=100)

usages = st.builds(
    Usage,
    input_tokens=st.integers(0, 9),
    output_tokens=st.integers(0, 2**40),
    cached_input_tokens=st.integers(0, 9),
    cache_write_tokens=st.integers(0, 9),
    reasoning_tokens=st.integers(0, 9),
    estimated=st.booleans(),
)
entries = st.builds(
    UsageEntry,
    conversation_id=st.integers(0, 3).map(lambda number: UUID(int=number)),
    offset=st.just(0),
    at=st.integers(NOON, NOON + 3 * DAY),
    tenant_id=st.sampled_from(["acme", "acme", "acme", "other"]),
    model=st.sampled_from(MODELS),
    usage=usages,
    turns=st.integers(0, 1),
    superseded=st.booleans(),
)


async def add(stores: Stores, *added: UsageEntry, generation: int | None = None) -> None:
    for entry in added:
        bucket = entry.conversation_id.bytes[-1] % stores.store.buckets
        async with stores.checkpoints.claim("usage", bucket, generation) as claim:
            assert claim is not None
            await stores.usage.write(claim, [entry], {})


async def conversations(stores: Stores) -> list[UUID]:
    """One for each of the choices of tags, in different buckets."""
    ids = []
    for bucket, tags in enumerate(TAGS):
        writer = Writer(bucket)
        await written(stores.store, writer, b"1", row=writer.row(tags=tags, deleted=bucket == 1))
        ids.append(writer.conversation_id)
    return ids


def keys_of(entry: UsageEntry, tags: tuple[str, ...], group_by: GroupBy | None) -> list[UsageKey]:
    match group_by:
        case None:
            return [()]
        case "conversation":
            return [(str(entry.conversation_id),)]
        case "model":
            name = entry.model.model.replace("\0", "\ufffd")
            return [(entry.model.model_provider_id, entry.model.model_provider_api, name)]
        case "day":
            return [(timestamp(entry.at)[:10],)]
        case "tag":
            return [(tag,) for tag in set(tags)] or [(None,)]


@pytest.mark.parametrize("group_by", [None, "conversation", "model", "day", "tag"])
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    added=st.lists(entries, max_size=12),
    since=st.integers(NOON, NOON + DAY),
    span=st.integers(1, 3 * DAY),
    limit=st.integers(1, 3),
)
async def test_groups_are_sums_of_what_happened_in_the_time(
    stores: Stores,
    group_by: GroupBy | None,
    added: list[UsageEntry],
    since: int,
    span: int,
    limit: int,
) -> None:
    ids = await conversations(stores)
    await stores.generations.begin("usage")
    generation = await stores.generations.renew("usage")
    assert await stores.generations.swap("usage", generation)
    added = [
        replace(entry, conversation_id=ids[entry.conversation_id.int], offset=number)
        for number, entry in enumerate(added)
    ]
    await add(stores, *added)

    expected: dict[UsageKey, UsageGroup] = {}
    if group_by is None:
        expected[()] = UsageGroup(key=(), turns=0, usage=Usage(), superseded=Usage())
    for entry in added:
        if entry.tenant_id != "acme" or not since <= entry.at < since + span:
            continue
        for key in keys_of(entry, TAGS[ids.index(entry.conversation_id)], group_by):
            group = expected.get(key) or UsageGroup(
                key=key, turns=0, usage=Usage(), superseded=Usage()
            )
            in_vain = entry.usage if entry.superseded else Usage()
            expected[key] = replace(
                group,
                turns=group.turns + entry.turns,
                usage=group.usage + entry.usage,
                superseded=group.superseded + in_vain,
            )
    query = replace(ALL, group_by=group_by, since=since, until=since + span, limit=limit)
    assert await paged(stores, query) == [
        expected[key]
        for key in sorted(expected, key=lambda key: [(word is None, word or "") for word in key])
    ]


async def paged(stores: Stores, query: UsageQuery) -> list[UsageGroup]:
    found: list[UsageGroup] = []
    while page := await stores.usage.groups(query):
        found += [replace(group, key=tuple(map(storable, group.key))) for group in page]
        if query.group_by is None:
            break
        query = replace(query, after=page[-1].key)
    return found


def storable(word: str | None) -> str | None:
    return word and word.replace("\0", "\ufffd")


async def test_open_turns_are_known_until_they_end(stores: Stores) -> None:
    writer = Writer()
    turn = OpenTurn(turn_id=writer.new_turn_id(), model=MODELS[0])
    other = OpenTurn(turn_id=writer.new_turn_id(), model=MODELS[2], counted=Usage(input_tokens=3))
    await stores.generations.begin("usage")

    async def write(turns: dict[UUID, OpenTurn | None]) -> None:
        async with stores.checkpoints.claim("usage", 0) as claim:
            assert claim is not None
            await stores.usage.write(claim, [], turns)

    async def known() -> Any:
        async with stores.checkpoints.claim("usage", 0) as claim:
            assert claim is not None
            return await stores.usage.open_turns(claim, [turn.turn_id, other.turn_id])

    await write({turn.turn_id: turn, other.turn_id: other})
    assert await known() == {turn.turn_id: turn, other.turn_id: other}
    turn = replace(turn, counted=Usage(output_tokens=2, estimated=True))
    await write({turn.turn_id: turn, other.turn_id: None})
    assert await known() == {turn.turn_id: turn}


async def test_a_generation_is_forgotten_whole_and_alone(stores: Stores) -> None:
    await stores.generations.begin("usage")
    second = await stores.generations.renew("usage")
    entry = UsageEntry(
        conversation_id=Writer().conversation_id,
        offset=1,
        at=NOON,
        tenant_id="acme",
        model=MODELS[0],
        usage=Usage(input_tokens=1),
    )
    await add(stores, entry)
    await add(stores, entry, replace(entry, offset=2), generation=second)
    assert [group.usage.input_tokens for group in await stores.usage.groups(ALL)] == [1]
    assert await stores.generations.swap("usage", second)
    assert [group.usage.input_tokens for group in await stores.usage.groups(ALL)] == [2]
    while await stores.usage.forget(0, 1):
        pass
    assert [group.usage.input_tokens for group in await stores.usage.groups(ALL)] == [2]
    while await stores.usage.forget(0, second):
        pass
    assert [group.usage.input_tokens for group in await stores.usage.groups(ALL)] == [0]

"""Twins: asked at the same time, after a 503, on another node, after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.http.nodes import serving
from tests.http.once import HELD, KEY, replayed, same, say
from tests.http.server import DEMO, Api, node_on, postgres_ports
from turnlog.adapters.postgres import open_postgres
from turnlog.domain.errors import StoreUnavailable
from turnlog.domain.records import AnswerRecord


@pytest.fixture
async def two(database_url: str) -> AsyncIterator[tuple[Api, Api]]:
    """Clients of two nodes on one PostgreSQL."""
    async with (
        open_postgres(database_url) as one,
        open_postgres(database_url) as other,
        serving(node_on(postgres_ports(one))) as here,
        serving(node_on(postgres_ports(other))) as there,
    ):
        yield here, there


async def test_twins_that_arrive_together_make_one_turn(api: Api) -> None:
    conversation = await api.create()

    answers = await asyncio.gather(*(api.post(say(conversation), HELD, KEY) for _ in range(10)))

    assert {answer.body for answer in answers} == {answers[0].body}
    assert sorted(map(replayed, answers)) == [False] + [True] * 9
    assert (await api.topics(conversation)).count("turn.queued") == 1


async def test_a_twin_waits_for_the_first(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    conversation = await api.create()
    begun, go = asyncio.Event(), asyncio.Event()
    append = api.node.parts.store.append

    async def held(bucket: int, appends: Any) -> list[bool]:
        begun.set()
        await go.wait()
        return await append(bucket, appends)

    monkeypatch.setattr(api.node.parts.store, "append", held)
    first = asyncio.create_task(api.post(say(conversation), HELD, KEY))
    await begun.wait()
    twin = asyncio.create_task(api.post(say(conversation), HELD, KEY))
    await api.get("/health")
    assert not twin.done()
    go.set()

    assert same(await first, await twin)
    assert replayed(await twin)


async def test_what_was_recorded_while_its_client_gave_up_is_found(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit's outcome is unknown: it was done, and the client was told 503."""
    conversation = await api.create()
    store = api.node.parts.store
    append = store.append

    async def silent(bucket: int, appends: Any) -> list[bool]:
        await append(bucket, appends)
        raise StoreUnavailable()

    monkeypatch.setattr(store, "append", silent)
    told = await api.post(say(conversation), HELD, KEY)
    created = await api.post("/conversations", DEMO, KEY)
    monkeypatch.setattr(store, "append", append)

    for first in (told, created):
        assert (first.status, first.headers["Retry-After"]) == (503, "1")
    again = await api.post(say(conversation), HELD, KEY)
    assert (again.status, replayed(again)) == (202, True)
    assert (await api.topics(conversation)).count("turn.queued") == 1
    made = await api.post("/conversations", DEMO, KEY)
    assert (made.status, replayed(made)) == (201, True)
    assert len((await api.get("/conversations")).json["conversations"]) == 2


async def test_what_was_not_recorded_is_done_when_it_is_asked_again(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = await api.create()

    async def away(*_: object) -> Any:
        raise StoreUnavailable()

    with monkeypatch.context() as patched:
        patched.setattr(api.node.parts.store, "append", away)
        assert (await api.post(say(conversation), HELD, KEY)).status == 503

    again = await api.post(say(conversation), HELD, KEY)

    assert (again.status, replayed(again)) == (202, False)


def spied_on(api: Api, monkeypatch: pytest.MonkeyPatch) -> asyncio.Queue[bytes]:
    """The keys that are looked up from now on."""
    records = api.node.parts.records
    get = records.get
    looked_up: asyncio.Queue[bytes] = asyncio.Queue()

    async def seen(bucket: int, key: bytes) -> AnswerRecord | None:
        looked_up.put_nowait(key)
        return await get(bucket, key)

    monkeypatch.setattr(records, "get", seen)
    return looked_up


async def test_a_client_that_hung_up_and_came_back_finds_one_turn(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = await api.create()
    begun, go = asyncio.Event(), asyncio.Event()
    store = api.node.parts.store
    append = store.append

    async def held(bucket: int, appends: Any) -> list[bool]:
        begun.set()
        await go.wait()
        return await append(bucket, appends)

    monkeypatch.setattr(store, "append", held)
    here = say(conversation).removesuffix("/messages")
    busy = asyncio.create_task(api.patch(here, {"title": "x"}))
    await begun.wait()
    looked_up = spied_on(api, monkeypatch)
    first = asyncio.create_task(api.post(say(conversation), HELD, KEY))
    await looked_up.get()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    again = asyncio.create_task(api.post(say(conversation), HELD, KEY))
    await looked_up.get()
    await api.get("/health")
    go.set()

    assert (await again).status == 202
    await busy
    assert (await api.topics(conversation)).count("turn.queued") == 1


async def test_another_node_gives_the_same_answer(two: tuple[Api, Api]) -> None:
    here, there = two
    created = await here.post("/conversations", DEMO, KEY)
    said = await here.post(say(created.json), HELD, KEY)

    assert same(created, await there.post("/conversations", DEMO, KEY))
    again = await there.post(say(created.json), HELD, KEY)

    assert same(said, again)
    assert replayed(again)


async def test_twins_on_two_nodes_make_one_turn_and_one_conversation(two: tuple[Api, Api]) -> None:
    for number in range(10):
        key = {"Idempotency-Key": f"{number}"}
        conversation = await two[0].create()

        made = await asyncio.gather(
            *(api.post("/conversations", DEMO, key) for api in two * 5),
            *(api.post(say(conversation), HELD, key) for api in two * 5),
        )

        for answers in (made[:10], made[10:]):
            assert {answer.body for answer in answers} == {answers[0].body}
            assert sorted(map(replayed, answers)) == [False] + [True] * 9
        assert (await two[0].topics(conversation)).count("turn.queued") == 1
    listed = (await two[0].get("/conversations")).json["conversations"]
    assert len(listed) == 20


async def test_twins_on_two_nodes_with_different_bodies_do_one_of_them(
    two: tuple[Api, Api],
) -> None:
    for number in range(10):
        key = {"Idempotency-Key": f"{number}"}
        conversation = await two[0].create()

        answers = await asyncio.gather(
            *(
                api.post(say(conversation), {"message": f"/say {place}\n/delay 1"}, key)
                for place, api in enumerate(two)
            )
        )

        assert sorted(answer.status for answer in answers) == [202, 422]
        assert (await two[0].topics(conversation)).count("turn.queued") == 1


async def test_twins_on_two_nodes_are_refused_alike(two: tuple[Api, Api]) -> None:
    for number in range(10):
        key = {"Idempotency-Key": f"{number}"}

        answers = await asyncio.gather(*(api.post("/conversations", {}, key) for api in two * 5))

        assert {(answer.status, answer.body) for answer in answers} == {(400, answers[0].body)}
        assert sorted(map(replayed, answers)) == [False] + [True] * 9


async def test_a_key_outlives_its_node(database_url: str) -> None:
    async with (
        open_postgres(database_url) as postgres,
        serving(node_on(postgres_ports(postgres))) as before,
    ):
        created = await before.post("/conversations", DEMO, KEY)
        said = await before.post(say(created.json), HELD, KEY)
        refused = await before.post(say(created.json), {}, {"Idempotency-Key": "two"})
    async with (
        open_postgres(database_url) as postgres,
        serving(node_on(postgres_ports(postgres))) as after,
    ):
        assert same(created, await after.post("/conversations", DEMO, KEY))
        assert same(said, await after.post(say(created.json), HELD, KEY))
        again = await after.post(say(created.json), {}, {"Idempotency-Key": "two"})
        assert (again.status, replayed(again)) == (400, True)
        assert same(refused, again)

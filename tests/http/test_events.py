"""All conversations in one stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientResponse

from tests.e2e.client import Frame, frames
from tests.http.nodes import two_nodes
from tests.http.server import NOWHERE, PATIENCE, Api, memory_ports
from turnlog.runtime import feed

SSE = {"Accept": "text/event-stream"}
NDJSON = {"Accept": "application/x-ndjson"}


class Reader:
    """One who follows the feed, frame by frame."""

    def __init__(self, response: ClientResponse) -> None:
        self._frames = frames(response.content)

    async def next(self) -> Frame:
        async with asyncio.timeout(PATIENCE):
            return await anext(self._frames)

    async def until(self, event: str) -> list[Frame]:
        """The frames up to the next one of that type."""
        seen = [await self.next()]
        while seen[-1].event != event:
            seen.append(await self.next())
        return seen


@asynccontextmanager
async def reading(
    api: Api, query: str = "", headers: Mapping[str, str] = {}
) -> AsyncIterator[Reader]:
    path = f"/api/v1/events{query}"
    async with api.client.get(path, headers={**SSE, **headers}) as response:
        assert response.status == 200
        yield Reader(response)


async def whole(api: Api, query: str = "", headers: Mapping[str, str] = {}) -> list[Frame]:
    """The feed up to its end."""
    mark = "&" if "?" in query else "?"
    async with reading(api, f"{query}{mark}follow=false", headers) as reader:
        return [frame async for frame in reader._frames]


async def talk(api: Api, turns: int = 1, **members: Any) -> dict[str, Any]:
    conversation = await api.create(**members)
    for _ in range(turns):
        await api.ended(await api.say(conversation, "/think Hm.\n/say one two three"))
    return conversation


def places(shown: list[Frame]) -> list[tuple[str, int]]:
    return [(frame.payload["conversationId"], frame.payload["offset"]) for frame in shown]


async def everything(api: Api) -> list[tuple[str, int]]:
    store = api.node.parts.store
    feeds = [await store.feed(bucket, after=0, limit=100_000) for bucket in range(store.buckets)]
    return sorted((str(fed.conversation_id), fed.entry.offset) for part in feeds for fed in part)


async def test_a_frame_has_its_conversation_and_offset_in_front_of_what_is_stored(
    api: Api,
) -> None:
    conversation = await talk(api)
    shown = await whole(api)
    log = (await api.get(f"/conversations/{conversation['conversationId']}/events")).json["events"]

    for frame, event in zip(shown, log, strict=True):
        assert frame.event == event["type"]
        assert frame.payload == event | {"conversationId": conversation["conversationId"]}
        front = f'{{"offset":{event["offset"]},'
        if event["type"] != "conversation.created":
            front += f'"conversationId":"{conversation["conversationId"]}",'
        assert frame.data.startswith(front)
        assert frame.data.count('"at":') == 1


async def test_what_is_written_is_shown_live_to_all_who_follow(api: Api) -> None:
    async with reading(api) as early, reading(api, "?after=latest") as late:
        conversation = await talk(api)
        first = await early.until("turn.completed")
        assert [frame.raw for frame in await late.until("turn.completed")] == [
            frame.raw for frame in first
        ]
        assert {conversation_id for conversation_id, _ in places(first)} == {
            conversation["conversationId"]
        }
        other = await talk(api)
        second = await early.until("turn.completed")
    assert sorted(places(first + second)) == await everything(api)
    assert {each for each, _ in places(second)} == {other["conversationId"]}


async def test_a_reader_may_go_on_after_any_frame(api: Api) -> None:
    for _ in range(4):
        await talk(api)
    shown = await whole(api)
    assert sorted(places(shown)) == await everything(api)
    for number, frame in enumerate(shown):
        rest = await whole(api, headers={"Last-Event-ID": frame.id})
        assert sorted(places(shown[: number + 1] + rest)) == await everything(api)
    assert await whole(api, f"?after={shown[-1].id}") == []


async def test_a_cursor_is_good_on_every_node() -> None:
    async with (
        two_nodes(memory_ports()) as (one, other),
        reading(one) as here,
        reading(other) as there,
    ):
        for api in (one, other, one):
            await talk(api)
        every = await everything(one)
        seen = [await here.next() for _ in every[:-9]]
        elsewhere = [await there.next() for _ in every[:-4]]
        async with (
            reading(other, headers={"Last-Event-ID": seen[-1].id}) as crossed,
            reading(one, headers={"Last-Event-ID": elsewhere[-1].id}) as back,
        ):
            seen += [await crossed.next() for _ in every[-9:]]
            elsewhere += [await back.next() for _ in every[-4:]]
            assert sorted(places(seen)) == sorted(places(elsewhere)) == every
            await talk(other)
            assert places(await crossed.until("turn.completed")) == places(
                await back.until("turn.completed")
            )


async def test_pages_lead_through_the_whole_feed_and_say_where_it_ends(api: Api) -> None:
    for _ in range(3):
        await talk(api)
    seen: list[tuple[str, int]] = []
    page = (await api.get("/events?limit=7")).json
    while True:
        assert len(page["events"]) <= 7
        seen += [(event["conversationId"], event["offset"]) for event in page["events"]]
        if page["nextAfter"] == page["head"]:
            break
        page = (await api.get("/events", params={"limit": 7, "after": page["nextAfter"]})).json
    assert sorted(seen) == await everything(api)
    assert (await api.get("/events", params={"after": page["head"]})).json == {
        "events": [], "nextAfter": page["head"], "head": page["head"]
    }  # fmt: skip
    assert (await api.get("/events?after=latest")).json["nextAfter"] == page["head"]


async def test_lines_are_the_whole_feed(api: Api) -> None:
    for _ in range(3):
        await talk(api)
    async with api.client.get("/api/v1/events", headers=NDJSON) as answer:
        assert answer.headers["Content-Type"] == "application/x-ndjson"
        lines = [json.loads(line) for line in (await answer.read()).splitlines()]
    assert sorted((line["conversationId"], line["offset"]) for line in lines) == await everything(
        api
    )
    assert all("at" in line for line in lines)


async def test_only_what_was_asked_for_is_shown_and_ids_stay_the_same(api: Api) -> None:
    red = await talk(api, tags=["red", "big"])
    blue = await talk(api, tags=["blue", "big"])
    ids = {frame.raw for frame in await whole(api)}

    async def found(query: str) -> set[str]:
        shown = await whole(api, query)
        assert all(frame.raw in ids for frame in shown)
        page = (await api.get(f"/events{query}")).json["events"]
        assert sorted((event["conversationId"], event["offset"]) for event in page) == sorted(
            places(shown)
        )
        return {f"{frame.payload['conversationId']} {frame.event}" for frame in shown}

    both = {red["conversationId"], blue["conversationId"]}
    one = f"conversation={red['conversationId']}"
    assert await found("?types=turn.completed") == {f"{each} turn.completed" for each in both}
    assert await found(f"?types=turn.completed,x.*&{one}") == {
        f"{red['conversationId']} turn.completed"
    }
    assert await found(f"?types=turn.completed&{one}&conversation={blue['conversationId']}") == {
        f"{each} turn.completed" for each in both
    }
    assert await found("?types=turn.queued&tag=red") == {f"{red['conversationId']} turn.queued"}
    assert await found("?types=turn.queued&tag=red&tag=big") == {
        f"{red['conversationId']} turn.queued"
    }
    assert await found("?tag=red&tag=blue") == set()
    assert await found(f"?conversation={NOWHERE}") == set()
    assert await found("?types=thinking.*&thinkingLevel=full") == {
        f"{each} thinking.{what}" for each in both for what in ("started", "delta", "completed")
    }


async def test_levels_apply(api: Api) -> None:
    await talk(api)
    bare = await whole(api, "?thinkingLevel=none")
    assert not [frame for frame in bare if frame.event.startswith("thinking.")]
    lean = await whole(api, "?thinkingLevel=summary&types=thinking.*")
    assert [frame.event for frame in lean] == ["thinking.started", "thinking.completed"]
    assert "text" not in lean[1].payload
    assert {"offset", "conversationId", "at", "type"} <= lean[1].payload.keys()


async def test_tags_are_those_that_a_conversation_has_now(api: Api) -> None:
    conversation = await talk(api, tags=["old"])
    here = f"/conversations/{conversation['conversationId']}"
    async with reading(api, "?tag=new&after=latest") as reader:
        await api.patch(here, {"tags": ["new"]})
        await api.ended(await api.say(conversation, "/say seen"))
        assert (await reader.next()).event == "conversation.updated"
        await reader.until("turn.completed")
        await api.patch(here, {"tags": ["other"]})
        await api.ended(await api.say(conversation, "/say unseen"))
        another = await api.create(tags=["new"])
        shown = await reader.next()
        assert shown.payload["conversationId"] == another["conversationId"]
    assert places(await whole(api, "?tag=new")) == [(another["conversationId"], 1)]
    assert await whole(api, "?tag=old") == []
    await api.patch(here, {"tags": ["new"]})
    assert sorted(places(await whole(api, "?tag=new"))) == await everything(api)


async def test_of_a_deleted_conversation_only_that_is_told(api: Api) -> None:
    gone, kept = await talk(api, tags=["a"]), await talk(api)
    here = f"/conversations/{gone['conversationId']}"
    async with reading(api) as live, reading(api, "?tag=a&after=latest") as tagged:
        await live.until("turn.completed")
        await live.until("turn.completed")
        async with reading(api, "?after=latest") as latest:
            assert (await api.delete(here)).status == 204
            assert (await latest.next()).event == "conversation.deleted"
        assert (await tagged.next()).event == "conversation.deleted"
        assert (await live.next()).event == "conversation.deleted"
        later = await whole(api)
    assert [frame.event for frame in later if frame.payload["conversationId"] == gone[
        "conversationId"]] == ["conversation.deleted"]  # fmt: skip
    assert {each for each, _ in places(later)} == {
        gone["conversationId"], kept["conversationId"]
    }  # fmt: skip
    for answer in (await api.get("/events"), await api.get("/events?tag=a")):
        told = [
            event["type"]
            for event in answer.json["events"]
            if event["conversationId"] == gone["conversationId"]
        ]
        assert told == ["conversation.deleted"]


async def test_who_reads_what_is_remembered_is_shown_nothing_of_the_deleted(api: Api) -> None:
    """The place is on the line, so that the table is not asked."""
    async with reading(api, "?after=latest") as live:
        gone = await talk(api)
        first = await live.next()
        await live.until("turn.completed")
        await api.delete(f"/conversations/{gone['conversationId']}")
        await live.until("conversation.deleted")
        rest = await whole(api, headers={"Last-Event-ID": first.id})
    assert [frame.event for frame in rest] == ["conversation.deleted"]


@pytest.mark.parametrize(
    "query",
    ["after=17", "after=", "after=-1", "after=0:0", "after=1:0:0", "after=1:0:0:0:0:0:0:0:0:0"],
)
async def test_a_cursor_that_is_none_is_refused(api: Api, query: str) -> None:
    for headers in ({}, SSE, NDJSON):
        answer = await api.get(f"/events?{query}", headers=headers)
        assert (answer.status, answer.code) == (400, "INVALID_CURSOR")


async def test_a_cursor_beyond_the_end_is_told_to_be_ahead(api: Api) -> None:
    await talk(api)
    head = (await api.get("/events?limit=1")).json["head"]
    ahead = ":".join([*head.split(":")[:-1], "zz"])
    for headers in ({}, SSE, NDJSON):
        answer = await api.get("/events", headers={**headers, "Last-Event-ID": ahead})
        assert (answer.status, answer.code) == (409, "CURSOR_AHEAD")
        assert answer.json["error"]["details"] == {"cursor": ahead, "head": head}


@pytest.mark.parametrize(
    "query",
    ["dialect=codex", "dialect=x", "types=!", "conversation=x", "limit=0", "limit=1001",
     "tag=%00", "thinkingLevel=some"],
)  # fmt: skip
async def test_what_cannot_be_asked_for_is_refused(api: Api, query: str) -> None:
    answer = await api.get(f"/events?{query}")
    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")


async def test_a_follow_that_is_neither_is_refused(api: Api) -> None:
    assert (await api.get("/events?follow=maybe", headers=SSE)).status == 400


async def test_what_accept_does_not_want_is_refused(api: Api) -> None:
    assert (await api.get("/events", headers={"Accept": "image/png"})).status == 406


async def test_a_feed_that_goes_back_ends_its_streams_and_their_cursors_are_ahead(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a restored backup: nothing may be passed over in silence."""
    monkeypatch.setattr(feed, "POLL_SECONDS", 0.01)
    conversation = await talk(api)
    async with reading(api) as live, reading(api) as idle:
        shown = await live.until("turn.completed")
        await idle.until("turn.completed")
        store: Any = api.node.parts.store
        bucket = int(conversation["conversationId"][-2:], 16) % store.buckets
        del store._feeds[bucket][-3:]
        for reader in (live, idle):
            with pytest.raises(StopAsyncIteration):
                await reader.next()
    answer = await api.get("/events", headers={**SSE, "Last-Event-ID": shown[-1].id})
    assert (answer.status, answer.code) == (409, "CURSOR_AHEAD")

"""The list of conversations."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.server import NOWHERE, Api


async def test_the_list_is_newest_first_and_pages_to_its_end(api: Api) -> None:
    made = [(await api.create(title=str(number)))["conversationId"] for number in range(5)]

    seen: list[str] = []
    params: dict[str, Any] = {"limit": 2}
    while params.get("cursor", "") is not None:
        page = (await api.get("/conversations", params=params)).json
        assert len(page["conversations"]) <= 2
        seen += [each["conversationId"] for each in page["conversations"]]
        params["cursor"] = page["nextCursor"]

    assert seen == made[::-1]


async def test_the_next_cursor_is_the_time_and_id_of_the_last_row(api: Api) -> None:
    await api.create()
    newer = await api.create()

    page = (await api.get("/conversations?limit=1")).json

    assert page["nextCursor"] == f"{newer['createdAt']}:{newer['conversationId']}"


async def test_pages_do_not_move_when_conversations_are_added(api: Api) -> None:
    older = await api.create()
    await api.create()
    page = (await api.get("/conversations?limit=1")).json
    await api.create()

    following = await api.get("/conversations", params={"limit": 1, "cursor": page["nextCursor"]})

    assert [each["conversationId"] for each in following.json["conversations"]] == [
        older["conversationId"]
    ]


@pytest.mark.parametrize(
    ("limit", "rows"), [("0", 1), ("-5", 1), ("2", 2), ("101", 3), ("9" * 3000, 3), ("+2", 2)]
)
async def test_a_limit_is_clamped(api: Api, limit: str, rows: int) -> None:
    for _ in range(3):
        await api.create()

    page = (await api.get("/conversations", params={"limit": limit})).json

    assert len(page["conversations"]) == rows


@pytest.mark.parametrize("limit", ["", "ten", "1.5", "1e2", "٣", "0x1", "9" * 5000])
async def test_a_limit_that_is_no_number_is_refused(api: Api, limit: str) -> None:
    answer = await api.get("/conversations", params={"limit": limit})

    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "17",
        "nonsense",
        NOWHERE,
        f":{NOWHERE}",
        f"2026-01-01T00:00:00Z:{NOWHERE}",
        f"2026-13-01T00:00:00.000000Z:{NOWHERE}",
        f"0000-01-01T00:00:00.000000Z:{NOWHERE}",
        f"2026-01-01T00:00:00.000000Z:{NOWHERE[:-1]}",
        f"2026-01-01T00:00:00.000000Z:{{{NOWHERE}}}",
        f"2026-01-01T00:00:00.000000+00:00:{NOWHERE}",
        "x" * 5000,
    ],
)
async def test_a_cursor_that_is_none_is_refused(api: Api, cursor: str) -> None:
    answer = await api.get("/conversations", params={"cursor": cursor})

    assert (answer.status, answer.code) == (400, "INVALID_CURSOR")


async def test_a_cursor_may_lie_outside_all_that_ever_was(api: Api) -> None:
    await api.create()

    before = await api.get(
        "/conversations", params={"cursor": f"0001-01-01T00:00:00.000000Z:{NOWHERE}"}
    )
    after = await api.get(
        "/conversations", params={"cursor": f"9999-12-31T23:59:59.999999Z:{NOWHERE}"}
    )

    assert before.json["conversations"] == []
    assert len(after.json["conversations"]) == 1


async def test_the_list_can_be_narrowed(api: Api) -> None:
    first = await api.create(tags=["red", "big"], agentRole="scribe")
    second = await api.create(tags=["red"])
    await api.say(second, "/delay 1 /say later")

    async def found(query: str) -> list[str]:
        page = (await api.get(f"/conversations?{query}")).json
        return [each["conversationId"] for each in page["conversations"]]

    assert await found("tag=red") == [second["conversationId"], first["conversationId"]]
    assert await found("tag=red&tag=big") == [first["conversationId"]]
    assert await found("tag=") == []
    assert await found("agentRole=scribe") == [first["conversationId"]]
    assert await found("status=idle") == [first["conversationId"]]
    assert await found("status=running") == [second["conversationId"]]
    assert await found("unknown=1") == [second["conversationId"], first["conversationId"]]


async def test_histories_are_listed_only_if_asked_for(api: Api) -> None:
    conversation = await api.create()
    await api.ended(await api.say(conversation, "/say yes"))

    bare = (await api.get("/conversations")).json["conversations"][0]
    full = (await api.get("/conversations?include=history")).json["conversations"][0]

    assert "history" not in bare
    assert [each["content"] for each in full["history"]] == ["/say yes", "yes"]
    assert full == await api.show(conversation)


@pytest.mark.parametrize("query", ["status=gone", "include=everything", "tag=%00", "agentRole=%00"])
async def test_a_filter_that_cannot_be_is_refused(api: Api, query: str) -> None:
    answer = await api.get(f"/conversations?{query}")

    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")

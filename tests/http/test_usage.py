"""What conversations have cost, as it is told over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.server import Api


async def talk(api: Api, message: str = "/say one two three", **members: Any) -> dict[str, Any]:
    conversation = await api.create(**members)
    await api.ended(await api.say(conversation, message))
    await api.node.turnlog.projectors.settle()
    return await api.show(conversation)  # type: ignore[no-any-return]


async def groups(api: Api, query: str = "") -> list[dict[str, Any]]:
    answer = await api.get(f"/usage{query}")
    assert answer.status == 200, answer.body
    return list(answer.json["groups"])


async def test_a_conversation_s_usage_is_what_its_turns_have_told(api: Api) -> None:
    one, other = await talk(api), await talk(api, "/say four")
    found = {group["conversationId"]: group for group in await groups(api, "?groupBy=conversation")}
    assert {an_id: group["usage"] for an_id, group in found.items()} == {
        each["conversationId"]: each["usage"] for each in (one, other)
    }
    nothing = dict.fromkeys(one["usage"], 0) | {"estimated": False}
    assert found[one["conversationId"]] == {
        "conversationId": one["conversationId"],
        "turns": 1,
        "usage": one["usage"],
        "superseded": nothing,
    }
    (whole,) = await groups(api)
    assert whole["turns"] == 2
    assert whole["usage"]["outputTokens"] == sum(
        each["usage"]["outputTokens"] for each in (one, other)
    )
    assert set(whole) == {"turns", "usage", "superseded"}


async def test_it_is_grouped_by_model_day_and_tag(api: Api) -> None:
    await talk(api, tags=["red", "big"])
    await talk(api, tags=["big"])
    await talk(api)
    (model,) = await groups(api, "?groupBy=model")
    assert (model["modelProviderId"], model["modelProviderApi"], model["model"]) == (
        "demo",
        "script",
        "demo",
    )
    (day,) = await groups(api, "?groupBy=day")
    assert (day["day"], day["turns"]) == ("2026-01-01", 3)
    tags = await groups(api, "?groupBy=tag")
    assert [(group["tag"], group["turns"]) for group in tags] == [("big", 2), ("red", 1), (None, 1)]


async def test_it_is_that_of_a_time(api: Api) -> None:
    await talk(api)

    async def turns(query: str) -> int:
        return int((await groups(api, query))[0]["turns"])

    assert await turns("?from=2026-01-01") == 1
    assert await turns("?from=2026-01-02") == 0
    assert await turns("?to=2026-01-01") == 0
    assert await turns("?from=2025-12-31T23:59:59.5-00:30&to=2026-01-02") == 0
    assert await turns("?from=2026-01-01T01:00:00%2B01:00&to=2026-01-01T00:00:59Z") == 1
    assert await groups(api, "?to=2026-01-01&groupBy=day") == []


async def test_groups_are_paged(api: Api) -> None:
    for tag in ("a", "b", "c"):
        await talk(api, tags=[tag])
    await talk(api)
    for group_by, name in (("tag", "tag"), ("conversation", "conversationId")):
        seen: list[str] = []
        params: dict[str, Any] = {"groupBy": group_by, "limit": 1}
        while params.get("cursor", "") is not None:
            page = (await api.get("/usage", params=params)).json
            seen += [group[name] for group in page["groups"]]
            params["cursor"] = page["nextCursor"]
        assert seen == [group[name] for group in await groups(api, f"?groupBy={group_by}")]
        assert len(seen) == 4


async def test_a_deleted_conversation_has_still_cost_what_it_cost(api: Api) -> None:
    gone = await talk(api)
    await api.delete(f"/conversations/{gone['conversationId']}")
    await api.node.turnlog.projectors.settle()
    assert (await groups(api))[0]["usage"] == gone["usage"]


@pytest.mark.parametrize(
    "query",
    ["groupBy=user", "from=yesterday", "to=2026-13-01", "from=2026-01-01T00:00:00", "limit=x",
     "from=2026-01-02&to=2026-01-01", "from=2026-01-01&to=2026-01-01", "to=2026-02-30"],
)  # fmt: skip
async def test_what_cannot_be_asked_for_is_refused(api: Api, query: str) -> None:
    answer = await api.get(f"/usage?{query}")
    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    "query",
    ["cursor=W10", "groupBy=day&cursor=x", "groupBy=day&cursor=WyJ4Il0",
     "groupBy=model&cursor=WyJ4Il0", "groupBy=conversation&cursor=WyJ4Il0",
     "groupBy=tag&cursor=W251bGxd", "groupBy=tag&cursor=é",
     "groupBy=tag&cursor="],
)  # fmt: skip
async def test_a_cursor_that_is_none_is_refused(api: Api, query: str) -> None:
    answer = await api.get(f"/usage?{query}")
    assert (answer.status, answer.code) == (400, "INVALID_CURSOR")

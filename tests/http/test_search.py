"""Searching over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.server import Api


async def found(api: Api, **query: str) -> Any:
    await api.node.turnlog.projectors.settle()
    answer = await api.get("/conversations", params=query)
    assert answer.status == 200, answer.body
    return answer.json


async def test_what_was_said_is_found_with_an_excerpt(api: Api) -> None:
    conversation = await api.create(title="In the kitchen")
    turn = await api.say(conversation, "/say The kettle is on the stove.")
    await api.ended(turn)
    await api.create(title="Somewhere else")

    page = await found(api, q="kettle stove")

    (shown,) = page["conversations"]
    assert shown["conversationId"] == conversation["conversationId"]
    assert page["nextCursor"] is None
    assert {each["part"] for each in shown["excerpts"]} == {"user", "assistant"}
    best = shown["excerpts"][0]
    assert best["turnId"] == turn["turnId"]
    assert [each["text"] for each in best["segments"] if each["match"]] == ["kettle", "stove"]


async def test_pages_and_filters_go_with_it(api: Api) -> None:
    made = [await api.create(title="tea", tags=["a"]) for _ in range(5)]
    await api.create(title="tea", tags=["b"])
    seen: list[str] = []
    query = {"q": "tea", "tag": "a", "limit": "2"}
    while True:
        page = await found(api, **query)
        seen += [each["conversationId"] for each in page["conversations"]]
        if page["nextCursor"] is None:
            break
        query["cursor"] = page["nextCursor"]
    assert sorted(seen) == sorted(each["conversationId"] for each in made)


async def test_blank_words_are_no_search(api: Api) -> None:
    await api.create(title="tea")
    page = await found(api, q="  ")
    assert len(page["conversations"]) == 1
    assert "excerpts" not in page["conversations"][0]


@pytest.mark.parametrize(
    "cursor", ["x", "0.1", "1~", "nan~2026-01-01T00:00:00.000000Z:0", "0.1~2026", "~", "-1~a:b"]
)
async def test_a_cursor_of_something_else_is_refused(api: Api, cursor: str) -> None:
    answer = await api.get("/conversations", params={"q": "tea", "cursor": cursor})
    assert (answer.status, answer.code) == (400, "INVALID_CURSOR")


async def test_a_cursor_of_the_list_is_none_of_a_search(api: Api) -> None:
    for _ in range(2):
        await api.create(title="tea")
    listed = await found(api, limit="1")
    searched = await found(api, q="tea", limit="1")
    for query in (
        {"q": "tea", "cursor": listed["nextCursor"]},
        {"cursor": searched["nextCursor"]},
    ):
        answer = await api.get("/conversations", params=query)
        assert (answer.status, answer.code) == (400, "INVALID_CURSOR")


async def test_too_many_words_are_refused(api: Api) -> None:
    answer = await api.get("/conversations", params={"q": "a " * 600})
    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")

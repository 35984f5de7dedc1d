"""Changing a conversation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.server import DEMO, NOWHERE, Api


async def test_what_is_named_changes_and_the_rest_stays(api: Api) -> None:
    before = await api.create(title="old", tags=["a"], metadata={"k": "v"}, temperature=1.5)
    path = f"/conversations/{before['conversationId']}"

    answer = await api.patch(path, {"title": "new", "temperature": None, "tags": []})

    assert answer.status == 200
    assert answer.headers["ETag"] == '"2"'
    changed: dict[str, Any] = {"title": "new", "temperature": None, "tags": []}
    moved = {"updatedAt": answer.json["updatedAt"], "offset": 2}
    assert answer.json == before | changed | moved
    assert answer.json["updatedAt"] > before["updatedAt"]
    assert await api.show(before) == answer.json


async def test_the_model_changes_in_one_piece(api: Api) -> None:
    before = await api.create()
    path = f"/conversations/{before['conversationId']}"

    answer = await api.patch(path, DEMO | {"model": "another"})

    assert answer.json["model"] == "another"


@pytest.mark.parametrize(
    ("members", "code", "words"),
    [
        ({}, "VALIDATION_ERROR", "no member"),
        ({"colour": "red"}, "VALIDATION_ERROR", "colour: is no member"),
        ({"conversationId": NOWHERE}, "VALIDATION_ERROR", "conversationId: cannot be changed"),
        ({"title": "x", "createdAt": "now"}, "VALIDATION_ERROR", "createdAt: cannot be changed"),
        ({"history": []}, "VALIDATION_ERROR", "history: cannot be changed"),
        ({"title": 1}, "VALIDATION_ERROR", "title: expected string | null, got integer"),
        ({"tags": None}, "VALIDATION_ERROR", "tags"),
        ({"model": "x"}, "VALIDATION_ERROR", "all three fields"),
        ({"model": "x", "modelProviderId": "demo"}, "VALIDATION_ERROR", "all three fields"),
        ({"model": None}, "VALIDATION_ERROR", "model"),
        (DEMO | {"modelProviderId": "acme"}, "INVALID_PROVIDER", "Supported providers:"),
        (DEMO | {"modelProviderApi": "chat"}, "UNSUPPORTED_API", "chat"),
        ({"tools": ["fly"]}, "UNKNOWN_TOOL", "fly"),
        ({"instructions": "x" * 131_072}, "VALIDATION_ERROR", "128 KiB"),
    ],
)
async def test_a_change_that_cannot_be_changes_nothing(
    api: Api, members: dict[str, Any], code: str, words: str
) -> None:
    before = await api.create()

    answer = await api.patch(f"/conversations/{before['conversationId']}", members)

    assert (answer.status, answer.code) == (400, code)
    assert words in answer.message
    assert await api.show(before) == before


@pytest.mark.parametrize("tag", ['"1"', "*", '"1", "0"', 'W/"7", "1"'])
async def test_a_change_of_what_is_known_is_made(api: Api, tag: str) -> None:
    before = await api.create()

    answer = await api.patch(
        f"/conversations/{before['conversationId']}", {"title": "x"}, headers={"If-Match": tag}
    )

    assert answer.status == 200


@pytest.mark.parametrize("tag", ['"0"', '"2"', 'W/"1"', '"x"', '"99999999999999999999"'])
async def test_a_change_of_something_else_is_refused(api: Api, tag: str) -> None:
    before = await api.create()

    answer = await api.patch(
        f"/conversations/{before['conversationId']}", {"title": "x"}, headers={"If-Match": tag}
    )

    assert (answer.status, answer.code) == (412, "PRECONDITION_FAILED")
    assert await api.show(before) == before


@pytest.mark.parametrize("tag", ["1", "nonsense", "", '"1', "\xff"])
async def test_a_precondition_that_is_none_is_refused(api: Api, tag: str) -> None:
    before = await api.create()

    answer = await api.patch(
        f"/conversations/{before['conversationId']}", {"title": "x"}, headers={"If-Match": tag}
    )

    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")


async def test_a_running_turns_own_steps_do_not_spoil_a_precondition(api: Api) -> None:
    conversation = await api.create()
    turn = await api.say(conversation, "/say yes")
    await api.ended(turn)

    path = f"/conversations/{conversation['conversationId']}"
    tag = {"If-Match": f'"{turn["offset"]}"'}

    assert (await api.patch(path, {"title": "x"}, headers=tag)).status == 200
    assert (await api.patch(path, {"title": "y"}, headers=tag)).status == 412


async def test_what_does_not_exist_cannot_be_changed(api: Api) -> None:
    answer = await api.patch(f"/conversations/{NOWHERE}", {"title": "x"})

    assert (answer.status, answer.code) == (404, "NOT_FOUND")

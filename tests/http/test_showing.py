"""Showing one conversation, and not showing it again to those who have it."""

from __future__ import annotations

import pytest

from tests.http.server import NOWHERE, Api


async def test_the_history_is_what_was_said_oldest_first(api: Api) -> None:
    conversation = await api.create()
    first = await api.say(conversation, "/say one")
    await api.ended(first)
    second = await api.say(conversation, "/say two")
    await api.ended(second)

    shown = await api.show(conversation)

    said = [(each["role"], each["content"], each["turnId"]) for each in shown["history"]]
    assert said == [
        ("user", "/say one", first["turnId"]),
        ("assistant", "one", first["turnId"]),
        ("user", "/say two", second["turnId"]),
        ("assistant", "two", second["turnId"]),
    ]
    assert shown["history"][0]["offset"] == first["offset"]
    assert shown["status"] == "idle"


async def test_a_conversation_that_works_is_shown_as_running(api: Api) -> None:
    conversation = await api.create()
    turn = await api.say(conversation, "/delay 1 /say done")

    assert (await api.show(conversation))["status"] == "running"

    api.node.gate.set()
    await api.ended(turn)
    assert (await api.show(conversation))["status"] == "idle"


@pytest.mark.parametrize(
    "held", ['"1"', 'W/"1"', "*", '"7", "1"', 'W/"x" , W/"1"'], ids=lambda tag: str(tag)
)
async def test_whoever_holds_it_is_not_sent_it_again(api: Api, held: str) -> None:
    conversation = await api.create()
    path = f"/conversations/{conversation['conversationId']}"

    answer = await api.get(path, headers={"If-None-Match": held})

    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers["ETag"] == '"1"'


@pytest.mark.parametrize("held", ['"2"', "1", "nonsense", '""', '"1', "", '"01"'])
async def test_whoever_holds_another_is_sent_it(api: Api, held: str) -> None:
    conversation = await api.create()
    path = f"/conversations/{conversation['conversationId']}"

    answer = await api.get(path, headers={"If-None-Match": held})

    assert answer.status == 200
    assert answer.headers["ETag"] == '"1"'


async def test_the_etag_moves_with_every_event(api: Api) -> None:
    conversation = await api.create()
    turn = await api.say(conversation, "/say yes")
    await api.ended(turn)

    answer = await api.get(f"/conversations/{conversation['conversationId']}")

    assert answer.headers["ETag"] == f'"{answer.json["offset"]}"'
    assert answer.json["offset"] == len(await api.topics(conversation))


async def test_head_says_the_same_without_the_body(api: Api) -> None:
    conversation = await api.create()
    path = f"/conversations/{conversation['conversationId']}"

    shown = await api.get(path)
    answer = await api.ask("HEAD", path)

    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["ETag"] == shown.headers["ETag"]
    assert answer.headers["Content-Length"] == shown.headers["Content-Length"]


@pytest.mark.parametrize(
    "word", [NOWHERE, "7", "nonsense", "%00", NOWHERE.replace("-", ""), f"%7B{NOWHERE}%7D"]
)
async def test_what_does_not_exist_is_not_found(api: Api, word: str) -> None:
    answer = await api.get(f"/conversations/{word}")

    assert (answer.status, answer.code) == (404, "NOT_FOUND")


async def test_ids_are_known_in_capitals_too(api: Api) -> None:
    conversation = await api.create()

    answer = await api.get(f"/conversations/{conversation['conversationId'].upper()}")

    assert answer.json["conversationId"] == conversation["conversationId"]


async def test_the_past_comes_later(api: Api) -> None:
    conversation = await api.create()

    answer = await api.get(f"/conversations/{conversation['conversationId']}?at=1")

    assert (answer.status, answer.code) == (400, "NOT_AVAILABLE")

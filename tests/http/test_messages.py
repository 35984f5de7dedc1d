"""Saying something: the turn is recorded before the answer, and runs after it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.server import DEMO, NOWHERE, Api


async def test_a_message_starts_a_turn_that_ends_with_an_answer(api: Api) -> None:
    conversation = await api.create()

    turn = await api.say(conversation, "/say Good morning.")

    assert turn == {
        "turnId": turn["turnId"],
        "conversationId": conversation["conversationId"],
        "status": "running",
        "offset": 2,
        "streamUrl": f"/api/v1/turns/{turn['turnId']}/stream-events",
        "statusUrl": f"/api/v1/turns/{turn['turnId']}",
    }
    ended = await api.ended(turn)
    assert ended["status"] == "completed"
    assert ended["result"] == {"role": "assistant", "content": "Good morning."}


async def test_the_turn_is_in_the_log_when_it_is_accepted(api: Api) -> None:
    conversation = await api.create()

    turn = await api.say(conversation, "/delay 1 /say later")

    page = (await api.get(f"/conversations/{conversation['conversationId']}/events")).json
    queued = page["events"][turn["offset"] - 1]
    assert (queued["type"], queued["turnId"]) == ("turn.queued", turn["turnId"])
    assert queued["content"] == [{"type": "text", "text": "/delay 1 /say later"}]


async def test_a_message_to_a_busy_conversation_waits_its_turn(api: Api) -> None:
    conversation = await api.create()
    first = await api.say(conversation, "/delay 1 /say one")

    second = await api.say(conversation, "/say two")

    assert second["status"] == "queued"
    assert (await api.get(second["statusUrl"])).json["status"] == "queued"
    api.node.gate.set()
    assert (await api.ended(first))["result"]["content"] == "one"
    assert (await api.ended(second))["result"]["content"] == "two"


async def test_a_message_may_ask_to_be_rejected_when_busy(api: Api) -> None:
    conversation = await api.create()
    path = f"/conversations/{conversation['conversationId']}/messages"
    await api.say(conversation, "/delay 1 /say one", onBusy="reject")

    answer = await api.post(path, {"message": "two", "onBusy": "reject"})

    assert (answer.status, answer.code) == (409, "CONVERSATION_BUSY")
    assert (await api.topics(conversation)).count("turn.queued") == 1


async def test_a_turn_may_have_a_model_of_its_own(api: Api) -> None:
    conversation = await api.create()

    turn = await api.say(conversation, "/say yes", **DEMO | {"model": "demo-2"})

    assert (await api.ended(turn))["model"] == "demo-2"
    assert (await api.show(conversation))["model"] == "demo"


async def test_a_message_to_what_is_known_is_accepted_and_to_something_else_refused(
    api: Api,
) -> None:
    conversation = await api.create()
    path = f"/conversations/{conversation['conversationId']}/messages"

    refused = await api.post(path, {"message": "/say no"}, headers={"If-Match": '"7"'})
    accepted = await api.post(path, {"message": "/say yes"}, headers={"If-Match": '"1"'})

    assert (refused.status, refused.code) == (412, "PRECONDITION_FAILED")
    assert accepted.status == 202
    assert (await api.topics(conversation)).count("turn.queued") == 1


@pytest.mark.parametrize(
    ("members", "code", "words"),
    [
        ({}, "VALIDATION_ERROR", "message: is missing"),
        ({"message": ""}, "VALIDATION_ERROR", "message: is empty"),
        ({"message": " \n\u3000"}, "VALIDATION_ERROR", "message: is empty"),
        ({"message": None}, "VALIDATION_ERROR", "message: is missing"),
        ({"message": 7}, "VALIDATION_ERROR", "message: expected string | null"),
        ({"message": "x", "content": []}, "VALIDATION_ERROR", "content"),
        ({"content": []}, "VALIDATION_ERROR", "content: is empty"),
        ({"content": "x"}, "VALIDATION_ERROR", "content: expected array"),
        ({"content": [{"type": "text", "text": " "}]}, "VALIDATION_ERROR", "content[0]: is empty"),
        ({"content": [{"type": "text"}]}, "VALIDATION_ERROR", "content[0]"),
        ({"content": [{"type": "sound"}]}, "VALIDATION_ERROR", "content[0].type"),
        ({"content": [{"text": "x"}]}, "VALIDATION_ERROR", "content[0]"),
        ({"content": [{"type": "text", "text": "x"}] * 257}, "VALIDATION_ERROR", "content"),
        ({"message": "x", "model": "y"}, "VALIDATION_ERROR", "all three fields"),
        ({"message": "x", "modelProviderId": "demo"}, "VALIDATION_ERROR", "all three fields"),
        (
            {"message": "x", "model": "y", "modelProviderApi": "script"},
            "VALIDATION_ERROR",
            "all three",
        ),
        ({"message": "x"} | DEMO | {"modelProviderId": "acme"}, "INVALID_PROVIDER", "Supported"),
        ({"message": "x"} | DEMO | {"modelProviderApi": "chat"}, "UNSUPPORTED_API", "chat"),
        ({"message": "x", "onBusy": "shout"}, "VALIDATION_ERROR", "onBusy"),
        ({"message": "x", "temperature": 3}, "VALIDATION_ERROR", "temperature"),
        ({"message": "x", "tools": ["fly"]}, "UNKNOWN_TOOL", "fly"),
        ({"message": "x", "title": "y"}, "VALIDATION_ERROR", "title: is no member of this"),
    ],
)
async def test_a_message_that_cannot_be_leaves_no_trace(
    api: Api, members: dict[str, Any], code: str, words: str
) -> None:
    conversation = await api.create()
    before = await api.node.heads()

    answer = await api.post(f"/conversations/{conversation['conversationId']}/messages", members)

    assert (answer.status, answer.code) == (400, code)
    assert words in answer.message
    assert await api.node.heads() == before


async def test_nothing_can_be_said_to_what_does_not_exist(api: Api) -> None:
    answer = await api.post(f"/conversations/{NOWHERE}/messages", {"message": "hello"})

    assert (answer.status, answer.code) == (404, "NOT_FOUND")
    assert not any(await api.node.heads())

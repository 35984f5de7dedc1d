"""Asking a turn to stop."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.nodes import two_nodes
from tests.http.server import NOWHERE, Api, memory_ports

WAITS = "/say one\n/delay 1"


async def events(api: Api, conversation: Any, topic: str) -> list[Any]:
    """The events of that type in the conversation's log."""
    page = await api.get(f"/conversations/{conversation['conversationId']}/events")
    return [event for event in page.json["events"] if event["type"] == topic]


async def cancel(api: Api, turn: Any, **body: Any) -> Any:
    answer = await api.post(f"/turns/{turn['turnId']}/cancel", body)
    assert answer.status == 202, answer.body
    return answer.json


async def test_a_running_turn_that_is_asked_to_stop_ends_cancelled(api: Api) -> None:
    conversation = await api.create()
    turn = await api.say(conversation, WAITS)

    answer = await cancel(api, turn, reason="enough of this")

    assert answer == {
        "turnId": turn["turnId"],
        "conversationId": conversation["conversationId"],
        "status": "running",
    }
    assert (await api.ended(turn))["status"] == "cancelled"
    (ended,) = await events(api, conversation, "turn.cancelled")
    assert (ended["by"], ended["reason"]) == ("client", "enough of this")
    assert (await api.show(conversation))["status"] == "idle"


async def test_a_turn_that_waits_ends_with_the_request(api: Api) -> None:
    conversation = await api.create()
    running = await api.say(conversation, WAITS)
    waiting = await api.say(conversation, "/say two")

    assert (await cancel(api, waiting))["status"] == "cancelled"

    assert (await api.get(waiting["statusUrl"])).json["status"] == "cancelled"
    assert (await api.get(running["statusUrl"])).json["status"] == "running"


async def test_the_turn_that_waits_runs_after_the_cancelled_one(api: Api) -> None:
    conversation = await api.create()
    first = await api.say(conversation, WAITS)
    second = await api.say(conversation, "/say two")

    await cancel(api, first)

    assert (await api.ended(second))["result"]["content"] == "two"


async def test_asking_again_adds_nothing_to_the_log(api: Api) -> None:
    conversation = await api.create()
    turn = await api.say(conversation, WAITS)
    await cancel(api, turn)
    await cancel(api, turn)
    await api.ended(turn)

    again = await cancel(api, turn, reason="really")

    assert again["status"] == "cancelled"
    assert len(await events(api, conversation, "turn.cancel_requested")) == 1


async def test_a_turn_that_has_ended_stays_as_it_ended(api: Api) -> None:
    conversation = await api.create()
    turn = await api.say(conversation, "/say done")
    await api.ended(turn)
    before = await api.node.heads()

    assert (await cancel(api, turn))["status"] == "completed"

    assert await api.node.heads() == before


@pytest.mark.parametrize("body", [b"", b"{}", b'{"reason": null}'])
async def test_a_reason_need_not_be_given(api: Api, body: bytes) -> None:
    turn = await api.say(await api.create(), WAITS)
    headers = {"Content-Type": "application/json"} if body else {}

    answer = await api.ask("POST", f"/turns/{turn['turnId']}/cancel", data=body, headers=headers)

    assert answer.status == 202
    assert (await api.ended(turn))["status"] == "cancelled"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"[]", "VALIDATION_ERROR"),
        (b"null", "VALIDATION_ERROR"),
        (b'{"reason": 7}', "VALIDATION_ERROR"),
        (b'{"reason": "\\u0000"}', "VALIDATION_ERROR"),
        (b'{"because": "x"}', "VALIDATION_ERROR"),
        (b'{"reason": "' + b"x" * 1025 + b'"}', "VALIDATION_ERROR"),
        (b"{", "INVALID_JSON"),
    ],
)
async def test_a_request_that_cannot_be_stops_nothing(api: Api, body: bytes, code: str) -> None:
    turn = await api.say(await api.create(), WAITS)

    answer = await api.send("POST", f"/turns/{turn['turnId']}/cancel", body)

    assert (answer.status, answer.code) == (400, code)
    assert (await api.get(turn["statusUrl"])).json["status"] == "running"


async def test_a_body_of_another_kind_stops_nothing(api: Api) -> None:
    turn = await api.say(await api.create(), WAITS)

    answer = await api.ask(
        "POST", f"/turns/{turn['turnId']}/cancel", data=b"x", headers={"Content-Type": "text/plain"}
    )

    assert (answer.status, answer.code) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("word", [NOWHERE, "7", "%00"])
async def test_a_turn_that_does_not_exist_is_not_found(api: Api, word: str) -> None:
    answer = await api.post(f"/turns/{word}/cancel", {})

    assert (answer.status, answer.code) == (404, "NOT_FOUND")


async def test_a_turn_of_a_deleted_conversation_is_not_found(api: Api) -> None:
    conversation = await api.create()
    turn = await api.say(conversation, WAITS)
    await api.delete(f"/conversations/{conversation['conversationId']}")

    answer = await api.post(f"/turns/{turn['turnId']}/cancel", {})

    assert (answer.status, answer.code) == (404, "NOT_FOUND")


async def test_any_node_may_be_asked_even_one_that_has_not_heard_of_the_turn() -> None:
    async with two_nodes(memory_ports()) as (here, there):
        conversation = await here.create()
        turn = await there.say(conversation, WAITS)

        await cancel(here, turn)

        assert (await here.ended(turn))["status"] == "cancelled"
        assert len(await events(here, conversation, "turn.cancel_requested")) == 1

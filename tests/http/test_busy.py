"""Messages to a conversation in which a turn runs: waiting, interrupting, steering."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.nodes import two_nodes
from tests.http.server import DEMO, Api, memory_ports

WAITS = "/say one\n/delay 1"


async def log(api: Api, conversation: Any) -> list[Any]:
    page = await api.get(f"/conversations/{conversation['conversationId']}/events")
    return list(page.json["events"])


async def starts(api: Api, conversation: Any) -> list[str]:
    """The turns in the order in which they began."""
    events = await log(api, conversation)
    return [event["turnId"] for event in events if event["type"] == "turn.started"]


async def test_a_message_that_interrupts_goes_before_those_that_wait(api: Api) -> None:
    conversation = await api.create()
    running = await api.say(conversation, WAITS)
    waiting = await api.say(conversation, "/say two")

    urgent = await api.say(conversation, "/say now", onBusy="interrupt")

    assert urgent["status"] == "queued"
    assert (await api.ended(urgent))["result"]["content"] == "now"
    assert (await api.ended(waiting))["result"]["content"] == "two"
    assert (await api.ended(running))["status"] == "cancelled"
    assert await starts(api, conversation) == [
        running["turnId"],
        urgent["turnId"],
        waiting["turnId"],
    ]


async def test_the_request_and_the_turn_that_interrupts_stand_together(api: Api) -> None:
    conversation = await api.create()
    running = await api.say(conversation, WAITS)

    urgent = await api.say(conversation, "/say now", onBusy="interrupt")

    asked, queued = (await log(api, conversation))[urgent["offset"] - 2 : urgent["offset"]]
    assert (asked["type"], asked["turnId"]) == ("turn.cancel_requested", running["turnId"])
    assert (queued["type"], queued["turnId"]) == ("turn.queued", urgent["turnId"])
    assert queued["onBusy"] == "interrupt"


async def test_a_message_that_steers_is_answered_within_the_turn_that_runs(api: Api) -> None:
    conversation = await api.create()
    running = await api.say(conversation, WAITS)

    steered = await api.say(conversation, "/say two", onBusy="steer")
    api.node.gate.set()

    assert (steered["turnId"], steered["status"]) == (running["turnId"], "running")
    assert steered["streamUrl"] == running["streamUrl"]
    ended = await api.ended(running)
    assert (ended["status"], ended["result"]["content"]) == ("completed", "two")
    event = (await log(api, conversation))[steered["offset"] - 1]
    assert (event["type"], event["content"]) == (
        "turn.steered",
        [{"type": "text", "text": "/say two"}],
    )
    assert await starts(api, conversation) == [running["turnId"]]


@pytest.mark.parametrize("on_busy", ["interrupt", "steer"])
async def test_on_an_idle_conversation_it_is_an_ordinary_turn(api: Api, on_busy: str) -> None:
    conversation = await api.create()

    turn = await api.say(conversation, "/say yes", onBusy=on_busy)

    assert (turn["status"], turn["offset"]) == ("running", 2)
    assert (await api.ended(turn))["result"]["content"] == "yes"


@pytest.mark.parametrize(
    ("members", "named"),
    [
        (DEMO, "modelProviderId"),
        ({"model": "demo"}, "model"),
        ({"reasoning": {"effort": "low"}}, "reasoning"),
        ({"maxOutputTokens": 7}, "maxOutputTokens"),
        ({"temperature": 0}, "temperature"),
        ({"tools": []}, "tools"),
    ],
    ids=["all three", "one of the three", "reasoning", "length", "temperature", "tools"],
)
@pytest.mark.parametrize("busy", [True, False], ids=["busy", "idle"])
async def test_a_message_that_steers_changes_nothing_of_how_the_turn_runs(
    api: Api, busy: bool, members: dict[str, Any], named: str
) -> None:
    conversation = await api.create()
    if busy:
        await api.say(conversation, WAITS)
    path = f"/conversations/{conversation['conversationId']}/messages"

    answer = await api.post(path, {"message": "/say two", "onBusy": "steer", **members})

    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")
    assert f"{named}: cannot be given with onBusy 'steer'" in answer.message
    assert "turn.steered" not in await api.topics(conversation)


async def test_a_turn_is_steered_and_interrupted_from_any_node() -> None:
    async with two_nodes(memory_ports()) as (here, there):
        conversation = await here.create()
        running = await there.say(conversation, WAITS)

        steered = await here.say(conversation, "/say two\n/delay 1", onBusy="steer")
        assert steered["turnId"] == running["turnId"]
        urgent = await here.say(conversation, "/say now", onBusy="interrupt")

        assert (await here.ended(running))["status"] == "cancelled"
        assert (await here.ended(urgent))["result"]["content"] == "now"

"""Saying something: the turn is recorded before the answer, and runs after it."""

from __future__ import annotations

from tests.http.server import DEMO, NOWHERE, Api


async def test_a_message_starts_a_turn_that_ends_with_an_answer(api: Api) -> None:
    conversation = await api.create()

    turn = await api.say(conversation, "/say Good morning.")

    assert turn["status"] == "running"
    assert turn["conversationId"] == conversation["conversationId"]
    assert turn["streamUrl"] == f"/api/v1/turns/{turn['turnId']}/stream-events"
    assert turn["statusUrl"] == f"/api/v1/turns/{turn['turnId']}"
    assert turn["offset"] == 2
    ended = await api.ended(turn)
    assert ended["status"] == "completed"
    assert ended["result"] == {"role": "assistant", "content": "Good morning."}

"""Deleting a conversation."""

from __future__ import annotations

from tests.http.server import NOWHERE, Api


async def test_a_deleted_conversation_is_gone_from_everywhere(api: Api) -> None:
    conversation = await api.create()
    turn = await api.say(conversation, "/say yes")
    await api.ended(turn)
    path = f"/conversations/{conversation['conversationId']}"

    answer = await api.delete(path)

    assert (answer.status, answer.body) == (204, b"")
    for gone in (path, f"{path}/turns", f"{path}/events", turn["statusUrl"], turn["streamUrl"]):
        assert (await api.get(gone)).status == 404
    assert (await api.get("/conversations")).json["conversations"] == []
    assert (await api.delete(path)).status == 404
    assert (await api.patch(path, {"title": "x"})).status == 404
    assert (await api.post(f"{path}/messages", {"message": "x"})).status == 404


async def test_deleting_ends_the_turn_that_runs(api: Api) -> None:
    conversation = await api.create()
    await api.say(conversation, "/delay 1 /say never")

    await api.delete(f"/conversations/{conversation['conversationId']}")

    assert (await api.topics(conversation))[-2:] == ["turn.cancelled", "conversation.deleted"]


async def test_what_does_not_exist_cannot_be_deleted(api: Api) -> None:
    assert (await api.delete(f"/conversations/{NOWHERE}")).status == 404


async def test_erasing_comes_later(api: Api) -> None:
    conversation = await api.create()

    answer = await api.delete(f"/conversations/{conversation['conversationId']}?erase=true")

    assert (answer.status, answer.code) == (400, "NOT_AVAILABLE")
    assert await api.show(conversation) == conversation

"""How turns stand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.server import NOWHERE, Api


async def thoughtful(api: Api) -> dict[str, Any]:
    """A turn that thought, called a tool that is not there, and answered."""
    conversation = await api.create()
    turn = await api.say(conversation, '/think Hm.\n/call fly {"to": "Rome"}\n/say Done.')
    await api.ended(turn)
    return dict(turn)


async def test_a_turn_is_shown_with_its_thoughts_and_without_its_tool_calls(api: Api) -> None:
    turn = await thoughtful(api)

    shown = (await api.get(turn["statusUrl"])).json

    assert shown["turnId"] == turn["turnId"]
    assert shown["conversationId"] == turn["conversationId"]
    assert shown["status"] == "completed"
    assert shown["completedAt"] > shown["startedAt"]
    assert shown["result"] == {"role": "assistant", "content": "Done."}
    assert shown["thinking"] == [{"text": "Hm."}]
    assert shown["toolCalls"] == []
    assert shown["error"] is None
    assert shown["requiredAction"] is None
    assert (shown["modelProviderId"], shown["model"], shown["attempt"]) == ("demo", "demo", 1)
    assert shown["usage"]["outputTokens"] > 0


@pytest.mark.parametrize("word", ["toolLevel", "toolFormat"])
async def test_tool_calls_are_shown_as_far_as_is_asked_for(api: Api, word: str) -> None:
    turn = await thoughtful(api)

    async def calls(level: str) -> Any:
        return (await api.get(turn["statusUrl"], params={word: level})).json["toolCalls"]

    assert await calls("none") == []
    (summary,) = await calls("summary")
    assert (summary["name"], summary["status"]) == ("fly", "error")
    assert "input" not in summary
    assert "output" not in summary
    (full,) = await calls("full")
    assert full["input"] == {"to": "Rome"}
    assert "no tool" in full["output"]


@pytest.mark.parametrize("word", ["thinkingLevel", "thinkingFormat"])
async def test_thoughts_are_shown_as_far_as_is_asked_for(api: Api, word: str) -> None:
    turn = await thoughtful(api)

    async def thoughts(level: str) -> Any:
        return (await api.get(turn["statusUrl"], params={word: level})).json["thinking"]

    assert await thoughts("none") == []
    assert await thoughts("summary") == [{"status": "completed"}]
    assert await thoughts("full") == [{"text": "Hm."}]


@pytest.mark.parametrize(
    "query", ["thinkingLevel=loud", "toolLevel=", "thinkingFormat=FULL", "toolFormat=%00"]
)
async def test_a_level_that_is_none_is_refused(api: Api, query: str) -> None:
    turn = await thoughtful(api)

    answer = await api.get(f"{turn['statusUrl']}?{query}")

    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")


async def test_a_turn_that_failed_says_why(api: Api) -> None:
    conversation = await api.create()
    turn = await api.say(conversation, "/say half\n/fail overloaded")

    ended = await api.ended(turn)

    assert ended["status"] == "failed"
    assert ended["result"] is None
    assert ended["error"]["code"] == "overloaded"
    assert ended["error"]["message"]


@pytest.mark.parametrize("word", [NOWHERE, "7", "%00", "x" * 500])
async def test_a_turn_that_does_not_exist_is_not_found(api: Api, word: str) -> None:
    answer = await api.get(f"/turns/{word}")

    assert (answer.status, answer.code) == (404, "NOT_FOUND")


async def test_turns_are_listed_newest_first_page_by_page(api: Api) -> None:
    conversation = await api.create()
    made = []
    for number in range(3):
        turn = await api.say(conversation, f"/say {number}")
        await api.ended(turn)
        made.append(turn["turnId"])
    path = f"/conversations/{conversation['conversationId']}/turns"

    first = (await api.get(path, params={"limit": 2})).json
    second = (await api.get(path, params={"limit": 2, "cursor": first["nextCursor"]})).json

    assert [each["turnId"] for each in first["turns"]] == made[:0:-1]
    assert [each["turnId"] for each in second["turns"]] == made[:1]
    assert second["nextCursor"] is None
    assert second["turns"][0] == (await api.get(f"/turns/{made[0]}")).json


async def test_the_turns_of_a_quiet_conversation_are_none(api: Api) -> None:
    conversation = await api.create()

    answer = await api.get(f"/conversations/{conversation['conversationId']}/turns")

    assert answer.json == {"turns": [], "nextCursor": None}


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "9" * 19, "٣", NOWHERE])
async def test_a_cursor_that_is_none_is_refused(api: Api, cursor: str) -> None:
    conversation = await api.create()

    answer = await api.get(
        f"/conversations/{conversation['conversationId']}/turns", params={"cursor": cursor}
    )

    assert (answer.status, answer.code) == (400, "INVALID_CURSOR")

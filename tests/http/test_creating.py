"""Creating a conversation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.server import DEMO, Api


async def test_a_new_conversation_is_shown_whole(api: Api) -> None:
    answer = await api.post("/conversations", DEMO)

    assert answer.status == 201
    shown = answer.json
    assert answer.headers["Location"] == f"/api/v1/conversations/{shown['conversationId']}"
    assert answer.headers["ETag"] == '"1"'
    assert shown["updatedAt"] == shown["createdAt"] == "2026-01-01T00:00:00.002000Z"
    assert {name: shown[name] for name in DEMO} == DEMO
    for absent in ("title", "summary", "agentRole", "instructions", "parent", "tools"):
        assert shown[absent] is None
    assert shown["tags"] == []
    assert shown["metadata"] == {}
    assert shown["history"] == []
    assert (shown["status"], shown["offset"]) == ("idle", 1)
    assert shown["usage"]["outputTokens"] == 0


async def test_everything_that_can_be_set_is_kept(api: Api) -> None:
    settings = {
        "title": "Träume",
        "summary": "of \u2028 lines",
        "agentRole": "scribe",
        "instructions": "Be brief.",
        "tags": ["a", "b"],
        "metadata": {"ticket": "T-1"},
        "reasoning": {"effort": "high", "budgetTokens": 1024},
        "maxOutputTokens": 4096,
        "temperature": 1,
        "tools": [],
    }

    created = await api.create(**settings)

    shown = await api.show(created)
    assert shown == created
    assert {name: shown[name] for name in settings} == settings


async def test_every_missing_and_ill_typed_member_is_named(api: Api) -> None:
    members = {"model": 7, "tags": ["a", 1], "temperature": "hot", "colour": "red"}

    answer = await api.post("/conversations", members)

    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")
    problems = {
        each["member"]: each["problem"] for each in answer.json["error"]["details"]["errors"]
    }
    assert problems == {
        "modelProviderId": "is missing",
        "modelProviderApi": "is missing",
        "model": "expected string, got integer",
        "tags[1]": "expected string, got integer",
        "temperature": "expected number | null, got string",
        "colour": "is no member of this",
    }
    assert all(member in answer.message for member in problems)


async def test_an_unknown_provider_is_answered_with_those_that_there_are(api: Api) -> None:
    answer = await api.post("/conversations", DEMO | {"modelProviderId": "acme"})

    assert (answer.status, answer.code) == (400, "INVALID_PROVIDER")
    assert "Supported providers: openai, demo" in answer.message


async def test_a_provider_that_does_not_speak_the_api_is_named_with_it(api: Api) -> None:
    answer = await api.post("/conversations", DEMO | {"modelProviderApi": "chat"})

    assert (answer.status, answer.code) == (400, "UNSUPPORTED_API")
    assert "'demo'" in answer.message
    assert "'chat'" in answer.message


async def test_a_provider_without_its_key_is_answered_with_the_variable_to_set(api: Api) -> None:
    members = {"modelProviderId": "openai", "modelProviderApi": "responses", "model": "gpt"}

    answer = await api.post("/conversations", members)

    assert (answer.status, answer.code) == (400, "CONFIGURATION_ERROR")
    assert "OPENAI_API_KEY" in answer.message


@pytest.mark.parametrize(
    ("members", "member"),
    [
        ({"model": ""}, "model"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"maxOutputTokens": 0}, "maxOutputTokens"),
        ({"maxOutputTokens": 2**70}, "maxOutputTokens"),
        ({"maxOutputTokens": True}, "maxOutputTokens"),
        ({"maxOutputTokens": 1.5}, "maxOutputTokens"),
        ({"reasoning": {"budgetTokens": 0}}, "reasoning.budgetTokens"),
        ({"reasoning": {"depth": 1}}, "reasoning"),
        ({"agentRole": "x" * 257}, "agentRole"),
        ({"tags": ["x" * 257]}, "tags[0]"),
        ({"tags": ["x"] * 65}, "tags"),
        ({"tags": None}, "tags"),
        ({"metadata": {"a": 1}}, "metadata[...]"),
        ({"metadata": {"x" * 257: ""}}, "metadata"),
        ({"metadata": {str(n): "" for n in range(65)}}, "metadata"),
        ({"tools": [{"type": "spell", "name": "x"}]}, "tools[0].type"),
        ({"tools": [{"name": "readFile"}]}, "tools[0]"),
    ],
)
async def test_what_is_out_of_bounds_is_named(
    api: Api, members: dict[str, Any], member: str
) -> None:
    answer = await api.post("/conversations", DEMO | members)

    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")
    assert [each["member"] for each in answer.json["error"]["details"]["errors"]] == [member]


async def test_a_configuration_that_fits_no_event_is_refused_with_the_limit(api: Api) -> None:
    answer = await api.post("/conversations", DEMO | {"instructions": "x" * 131_072})

    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")
    assert "128 KiB" in answer.message


async def test_a_long_configuration_of_many_escapes_is_measured_as_it_is_stored(api: Api) -> None:
    answer = await api.post("/conversations", DEMO | {"instructions": "\u2028" * 30_000})

    assert answer.status == 400

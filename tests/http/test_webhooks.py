"""Webhooks over HTTP: made, listed, deleted, and what is wrong with a URL."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.server import NOWHERE, Api
from turnlog.domain.webhooks import DEFAULT_TYPES

URL = "https://example.com/hook"


async def made(api: Api, **members: Any) -> dict[str, Any]:
    answer = await api.post("/webhooks", {"url": URL} | members)
    assert answer.status == 201, answer.body
    return dict(answer.json)


async def listed(api: Api) -> list[dict[str, Any]]:
    return list((await api.get("/webhooks")).json["webhooks"])


async def test_the_secret_is_shown_once(api: Api) -> None:
    created = await made(api)
    secret = created.pop("secret")
    assert secret.startswith("whsec_")
    assert await listed(api) == [created]
    assert secret not in (await api.get("/webhooks")).body.decode()
    assert created == {
        "webhookId": created["webhookId"],
        "url": URL,
        "types": list(DEFAULT_TYPES),
        "createdAt": created["createdAt"],
        "state": "active",
        "reason": None,
        "behind": 0,
        "failingSince": None,
        "lastError": None,
    }


async def test_types_may_be_chosen(api: Api) -> None:
    await made(api, types=["message.*", "turn.completed"])
    assert (await listed(api))[0]["types"] == ["message.*", "turn.completed"]


async def test_a_deleted_webhook_is_gone(api: Api) -> None:
    first, second = await made(api), await made(api)
    path = f"/webhooks/{first['webhookId']}"
    assert (await api.delete(path)).status == 204
    assert [each["webhookId"] for each in await listed(api)] == [second["webhookId"]]
    again = await api.delete(path)
    assert (again.status, again.code) == (404, "NOT_FOUND")


@pytest.mark.parametrize("word", [NOWHERE, "1", "%00"])
async def test_what_is_no_webhook_cannot_be_deleted(api: Api, word: str) -> None:
    answer = await api.delete(f"/webhooks/{word}")
    assert answer.status == 404


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, "url: is missing"),
        ({"url": 1}, "url: expected string"),
        ({"url": ""}, "url"),
        ({"url": "example.com"}, "begins with https://"),
        ({"url": "ftp://example.com"}, "begins with https://"),
        ({"url": "https://"}, "begins with https://"),
        ({"url": "https://[::1"}, "is no URL"),
        ({"url": "https://example.com:0"}, "begins with https://"),
        ({"url": "https://example.com:99999"}, "is no URL"),
        ({"url": "https://example.com/ä"}, "in ASCII"),
        ({"url": "https://example.com/a b"}, "in ASCII"),
        ({"url": "https://example.com/\r\nHost: evil"}, "url"),
        ({"url": "https://me:secret@example.com"}, "no credentials"),
        ({"url": "https://example.com/#part"}, "no fragment"),
        ({"url": "https://e.com/" + "a" * 2048}, "length"),
        ({"url": URL, "types": []}, "types: expected array of length >= 1"),
        ({"url": URL, "types": ["Turn"]}, "'Turn' is no type of events"),
        ({"url": URL, "types": ["a,b"]}, "types[0]: must be one type"),
        ({"url": URL, "types": "turn.*"}, "types: expected array"),
        ({"url": URL, "secret": "mine"}, "secret: is no member of this"),
    ],
)
async def test_bad_input_is_named(api: Api, body: object, word: str) -> None:
    answer = await api.post("/webhooks", body)
    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")
    assert word.lower() in answer.message.lower()
    assert await listed(api) == []


async def test_what_is_posted_under_a_key_makes_one_webhook(api: Api) -> None:
    key = {"Idempotency-Key": "once"}
    first = await api.post("/webhooks", {"url": URL}, key)
    again = await api.post("/webhooks", {"url": URL}, key)
    assert again.json == first.json
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(await listed(api)) == 1


async def test_there_is_a_most(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turnlog.http.webhooks.MAX_WEBHOOKS", 1)
    await made(api)
    answer = await api.post("/webhooks", {"url": URL})
    assert answer.status == 400
    assert "delete some" in answer.message

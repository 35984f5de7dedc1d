"""Requests with an Idempotency-Key, and whether their answers are alike."""

from __future__ import annotations

from typing import Any

from tests.http.server import Answer

KEY = {"Idempotency-Key": "5f0c-one"}
HELD = {"message": "/say yes\n/delay 1"}
KEPT_HEADERS = ("Content-Type", "Location", "ETag")


def say(conversation: Any) -> str:
    return f"/conversations/{conversation['conversationId']}/messages"


def replayed(answer: Answer) -> bool:
    return answer.headers.get("Idempotent-Replayed") == "true"


def same(one: Answer, other: Answer) -> bool:
    return (one.status, one.body) == (other.status, other.body) and all(
        one.headers.get(name) == other.headers.get(name) for name in KEPT_HEADERS
    )

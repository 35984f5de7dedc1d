"""How errors are told, and what every answer carries."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs
from yarl import URL

from tests.http.server import NOWHERE, Api
from turnlog.domain import errors
from turnlog.domain.errors import StoreUnavailable, TurnlogError
from turnlog.http.errors import status_of


async def test_an_error_is_a_problem_document_with_one_member_more(api: Api) -> None:
    answer = await api.get(f"/turns/{NOWHERE}", headers={"X-Request-Id": "r-1"})

    message = f"There is no turn '{NOWHERE}'."
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": message,
        "instance": f"/api/v1/turns/{NOWHERE}",
        "error": {
            "code": "NOT_FOUND",
            "message": message,
            "details": {"thing": "turn", "id": NOWHERE},
            "requestId": "r-1",
        },
    }


@pytest.mark.parametrize("path", ["/turns/a%20b", "/nothing/%C3%A9/%00", "/%ff"])
async def test_what_an_error_is_about_is_named_as_a_uri(api: Api, path: str) -> None:
    answer = await api.get(URL(f"/api/v1{path}", encoded=True))

    assert answer.json["instance"] == f"/api/v1{path}"


@pytest.mark.parametrize("path", ["/health", f"/turns/{NOWHERE}", "/nothing/here"])
async def test_every_answer_has_a_request_id_of_its_own(api: Api, path: str) -> None:
    ids = {(await api.get(path)).headers["X-Request-Id"] for _ in range(3)}

    assert len(ids) == 3


@pytest.mark.parametrize("given", ["has spaces", "x" * 129, "", "ä", "a\tb", '"'])
async def test_a_request_id_that_is_not_sane_is_replaced(api: Api, given: str) -> None:
    answer = await api.get("/health", headers={"X-Request-Id": given})

    assert len(answer.headers["X-Request-Id"]) == 36


async def test_the_log_of_a_stream_has_its_request_id_too(api: Api) -> None:
    turn = await api.say(await api.create(), "/say yes")

    answer = await api.get(turn["streamUrl"], headers={"X-Request-Id": "mine"})

    assert answer.headers["X-Request-Id"] == "mine"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/conversations", "GET, HEAD, POST"),
        ("POST", f"/conversations/{NOWHERE}", "DELETE, GET, HEAD, PATCH"),
        ("GET", f"/conversations/{NOWHERE}/messages", "POST"),
        ("DELETE", f"/turns/{NOWHERE}", "GET, HEAD"),
    ],
)
async def test_a_method_that_is_not_there_is_answered_with_those_that_are(
    api: Api, method: str, path: str, allowed: str
) -> None:
    answer = await api.ask(method, path)

    assert (answer.status, answer.code) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["Allow"] == allowed


async def test_options_are_told(api: Api) -> None:
    answer = await api.ask("OPTIONS", "/conversations")

    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["Allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize("path", ["", "/", "/conversations/", "/health/", "/nothing", "//health"])
async def test_where_nothing_is_nothing_is_found(api: Api, path: str) -> None:
    answer = await api.ask("GET", f"/api/v1{path}")

    assert (answer.status, answer.code) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"/conversations/{NOWHERE}/fork"),
        ("POST", "/stream-tickets"),
    ],
)
async def test_what_comes_later_says_so(api: Api, method: str, path: str) -> None:
    answer = await api.ask(method, path)

    assert (answer.status, answer.code) == (404, "NOT_FOUND")
    assert "This version of turnlog does not have" in answer.message


async def test_a_database_that_is_away_is_told_with_when_to_come_back(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = await api.create()

    async def away(*_: object, **__: object) -> Any:
        raise StoreUnavailable()

    for port, method in (
        (api.node.parts.views, "conversation"),
        (api.node.parts.views, "conversations"),
        (api.node.parts.store, "append"),
    ):
        monkeypatch.setattr(port, method, away)
    path = f"/conversations/{conversation['conversationId']}"

    for answer in (
        await api.get(path),
        await api.get("/conversations"),
        await api.patch(path, {"title": "x"}),
        await api.post(f"{path}/messages", {"message": "x"}),
    ):
        assert (answer.status, answer.code) == (503, "STORE_UNAVAILABLE")
        assert answer.headers["Retry-After"] == "1"


async def test_a_defect_is_told_to_the_log_and_not_to_the_client(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> Any:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr(api.node.parts.views, "conversations", broken)
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logged:
        answer = await api.get("/conversations")

    assert (answer.status, answer.code) == (500, "INTERNAL_ERROR")
    assert b"swordfish" not in answer.body
    (failed,) = [line for line in logged if line["event"] == "http.failed"]
    assert failed["request_id"] == answer.headers["X-Request-Id"]


async def test_the_log_says_what_was_asked_and_not_what_was_said(api: Api) -> None:
    conversation = await api.create()
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logged:
        await api.say(conversation, "/say swordfish")

    (line,) = [line for line in logged if line["event"] == "http.request"]
    assert line["method"] == "POST"
    assert line["path"] == "/api/v1/conversations/{conversationId}/messages"
    assert line["status"] == 202
    assert line["conversation_id"] == conversation["conversationId"]
    assert "swordfish" not in str(logged)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8470"},
        {"Host": "localhost.evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "0.0.0.0"},
        {"Host": "[::"},
        {"Host": ""},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://localhost@evil.example"},
        {"Origin": ""},
    ],
    ids=str,
)
async def test_whoever_comes_from_elsewhere_is_refused(api: Api, headers: dict[str, str]) -> None:
    answer = await api.get("/conversations", headers=headers)

    assert (answer.status, answer.code) == (403, "FORBIDDEN")


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "localhost"},
        {"Host": "LOCALHOST:8470"},
        {"Host": "127.0.0.2:8470"},
        {"Host": "[::1]:8470"},
        {"Host": "turnlog.localhost"},
        {"Origin": "http://localhost:5173"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "https://[::1]:8470"},
    ],
    ids=str,
)
async def test_whoever_is_on_this_machine_is_served(api: Api, headers: dict[str, str]) -> None:
    assert (await api.get("/conversations", headers=headers)).status == 200


def kinds(above: type[TurnlogError] = TurnlogError) -> Iterator[type[TurnlogError]]:
    for kind in above.__subclasses__():
        if kind.__module__.startswith(("turnlog.domain", "turnlog.http")):
            yield kind
            yield from kinds(kind)


def test_every_refusal_has_a_status_and_only_those_for_others_are_defects() -> None:
    defects = {
        kind
        for kind in kinds()
        if status_of(kind.__new__(kind)) == HTTPStatus.INTERNAL_SERVER_ERROR
    }

    assert defects == {
        errors.TurnSuperseded,
        errors.ModelFailed,
        errors.ToolFailed,
        errors.DeliveryFailed,
        errors.ToolTimedOut,
        errors.ProjectionStopped,
    }

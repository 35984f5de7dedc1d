"""A person consents to calls, or does not, or has them run with other arguments."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from tests.http.nodes import two_nodes
from tests.http.once import KEY, replayed, same
from tests.http.resting import (
    ROME,
    STRIKE,
    Hammer,
    decide,
    events,
    provide,
    required,
    rests,
    shown,
)
from tests.http.server import NOWHERE, Api, memory_ports
from turnlog.domain.codec import MAX_STATE_BYTES
from turnlog.domain.ports import Tool


@pytest.fixture
def hammer() -> Hammer:
    return Hammer()


@pytest.fixture
def tools(hammer: Hammer) -> Sequence[Tool]:
    return (hammer,)


def decision(call: str, word: str = "allow", **members: Any) -> dict[str, Any]:
    return {"callId": call, "decision": word, **members}


async def test_a_call_that_needs_consent_waits_for_it(api: Api, hammer: Hammer) -> None:
    view = await rests(api, STRIKE)

    (call,) = view["requiredAction"]["calls"]
    assert (call["kind"], call["name"], call["input"]) == ("approval", "hammer", {"nail": "long"})
    (request,) = await events(api, view, "tool_call.requested")
    assert (request["runsOn"], request["approval"]) == ("server", "required")
    assert hammer.struck == []


async def test_what_is_allowed_runs(api: Api, hammer: Hammer) -> None:
    view = await rests(api, STRIKE)

    answer = await decide(api, view, [decision(required(view)[0], reason="go on")], by="alice")

    assert (answer.status, answer.json["status"]) == (202, "running")
    (call,) = (await api.ended(view))["toolCalls"]
    assert (call["status"], call["output"]) == ("ok", "struck long")
    assert hammer.struck == [{"nail": "long"}]
    (approved,) = await events(api, view, "tool_call.approved")
    assert (approved["by"], approved["reason"]) == ("alice", "go on")
    assert "forTurn" not in approved
    assert "arguments" not in approved


async def test_what_is_denied_does_not_and_the_model_is_told_why(api: Api, hammer: Hammer) -> None:
    view = await rests(api, STRIKE, "/tokens 1")
    (call_id,) = required(view)

    answer = await decide(api, view, [decision(call_id, "deny", reason="too loud")])

    assert (answer.status, answer.json["status"]) == (202, "running")
    (call,) = (await api.ended(view))["toolCalls"]
    assert call["status"] == "cancelled"
    assert hammer.struck == []
    (denied,) = await events(api, view, "tool_call.denied")
    assert (denied["by"], denied["reason"], denied["callId"]) == ("client", "too loud", call_id)
    assert await events(api, view, "tool_call.approved") == []


async def test_a_call_may_be_given_other_arguments(api: Api, hammer: Hammer) -> None:
    view = await rests(api, STRIKE)
    edited = {"nail": "short", "n": 12345678901234567890123, "deep": [{"é\u2028": None}, 1.5]}

    await decide(api, view, [decision(required(view)[0], arguments=edited)])

    (call,) = (await api.ended(view))["toolCalls"]
    assert call["input"] == edited
    assert call["output"] == "struck short"
    assert hammer.struck == [edited]
    (request,) = await events(api, view, "tool_call.requested")
    assert json.loads(request["arguments"]) == {"nail": "long"}
    (approved,) = await events(api, view, "tool_call.approved")
    assert json.loads(approved["arguments"]) == edited


async def test_a_tool_may_be_allowed_for_the_rest_of_the_turn(api: Api, hammer: Hammer) -> None:
    view = await rests(api, STRIKE, STRIKE, "/steps 3")
    first, second = required(view)

    await decide(api, view, [decision(first, "allowForTurn")])

    assert (await api.ended(view))["status"] == "completed"
    assert len(hammer.struck) == 6
    approved = await events(api, view, "tool_call.approved")
    assert [each["callId"] for each in approved] == [first, second]
    assert all(each["forTurn"] for each in approved)
    assert len(await events(api, view, "turn.requires_action")) == 1


async def test_some_decisions_may_come_before_the_others(api: Api, hammer: Hammer) -> None:
    view = await rests(api, STRIKE, STRIKE)
    first, second = required(view)

    assert (await decide(api, view, [decision(first, "deny")])).json["status"] == "requires_action"
    assert (await decide(api, view, [decision(second)])).json["status"] == "running"

    statuses = [call["status"] for call in (await api.ended(view))["toolCalls"]]
    assert statuses == ["cancelled", "ok"]


async def test_what_is_allowed_runs_at_once_and_the_turn_rests_again_for_the_rest(
    api: Api, hammer: Hammer
) -> None:
    view = await rests(api, STRIKE, ROME, "/call book {}")
    strike, weather, book = required(view)

    assert (await decide(api, view, [decision(strike)])).json["status"] == "running"
    again = await shown(
        api, view, lambda it: it["status"] == "requires_action" and it["attempt"] == 2
    )
    assert hammer.struck == [{"nail": "long"}]
    assert required(again) == [weather, book]
    assert (await decide(api, view, [decision(book)])).json["status"] == "requires_action"
    assert [call["kind"] for call in (await shown(api, view, bool))["requiredAction"]["calls"]] == [
        "result",
        "result",
    ]
    results = [{"callId": call, "output": "ok"} for call in (weather, book)]
    assert (await provide(api, view, results)).json["status"] == "running"
    assert (await api.ended(view))["status"] == "completed"


async def test_a_function_is_shown_with_the_arguments_that_a_person_gave_it(api: Api) -> None:
    view = await rests(api, '/call book {"seat": "aisle"}')
    (book,) = required(view)

    answer = await decide(api, view, [decision(book, arguments={"seat": "window"})])

    assert answer.json["status"] == "requires_action"
    (call,) = (await shown(api, view, bool))["requiredAction"]["calls"]
    assert (call["kind"], call["input"]) == ("result", {"seat": "window"})


@pytest.mark.parametrize("query", ["", "?toolLevel=none", "?toolLevel=summary"])
async def test_the_codex_dialect_tells_what_is_asked_and_begins_the_command_with_the_consent(
    api: Api, query: str
) -> None:
    view = await rests(api, STRIKE)
    await decide(api, view, [decision(required(view)[0])])
    await api.ended(view)

    path = f"/turns/{view['turnId']}/stream-events?dialect=codex&{query[1:]}"
    told = [
        line.removeprefix("event: ")
        for line in (await api.get(path)).body.decode().splitlines()
        if line.startswith("event: ")
    ]

    assert "requires_action" in told
    begun = [name for name in told if name in ("requires_action", "exec_command_begin")]
    assert begun == ["requires_action", *(["exec_command_begin"] if "summary" in query else [])]


# ---------------------------------------------------------------------------- refusals


async def refused(api: Api, view: Any, answer: Any, status: int, code: str) -> None:
    """It was, and nothing came of it."""
    assert (answer.status, answer.code) == (status, code), answer.body
    now = (await api.get(f"/turns/{view['turnId']}")).json
    assert now["requiredAction"] == view["requiredAction"]


@pytest.mark.parametrize("word", ["allow", "allowForTurn", "deny"])
async def test_a_call_that_waits_for_no_consent_is_told_which_do(api: Api, word: str) -> None:
    view = await rests(api, STRIKE, ROME)
    strike, weather = required(view)
    before = await api.node.heads()

    answer = await decide(api, view, [decision(strike, word), decision(weather, word)])

    await refused(api, view, answer, 409, "CALL_NOT_OPEN")
    assert f"these do: {strike}." in answer.message
    assert await api.node.heads() == before


async def test_a_call_is_decided_once(api: Api, hammer: Hammer) -> None:
    view = await rests(api, STRIKE)
    call = required(view)[0]
    await decide(api, view, [decision(call, "deny")])
    await api.ended(view)

    again = await decide(api, view, [decision(call)])

    assert (again.status, again.code) == (409, "CALL_NOT_OPEN")
    assert hammer.struck == []


@pytest.mark.parametrize("word", [NOWHERE, "7", "%00"])
async def test_a_turn_that_does_not_exist_is_not_found(api: Api, word: str) -> None:
    answer = await decide(api, {"turnId": word}, [decision("call_1", arguments={})])

    assert (answer.status, answer.code) == (404, "NOT_FOUND")


BAD: dict[str, tuple[Any, str]] = {
    "nothing": ({}, "decisions: is missing"),
    "none": ({"decisions": []}, "decisions"),
    "too many": ({"decisions": [decision(f"call_{n}") for n in range(257)]}, "decisions"),
    "no call": ({"decisions": [{"decision": "allow"}]}, "callId"),
    "no decision": ({"decisions": [{"callId": "CALL"}]}, "decision"),
    "another decision": ({"decisions": [decision("CALL", "maybe")]}, "decisions[0].decision"),
    "another case": ({"decisions": [decision("CALL", "Allow")]}, "decisions[0].decision"),
    "a reason of another kind": ({"decisions": [decision("CALL", reason=7)]}, "reason"),
    "a long reason": ({"decisions": [decision("CALL", reason="x" * 1025)]}, "reason"),
    "arguments as text": ({"decisions": [decision("CALL", arguments="{}")]}, "arguments"),
    "arguments as a list": ({"decisions": [decision("CALL", arguments=[])]}, "arguments"),
    "arguments of what is denied": (
        {"decisions": [decision("CALL", "deny", arguments={})]},
        "decisions[0].arguments",
    ),
    "a NUL in arguments": ({"decisions": [decision("CALL", arguments={"a": "\0"})]}, "NUL"),
    "half a character in arguments": (
        {"decisions": [decision("CALL", arguments={"\udfff": 1})]},
        "surrogate",
    ),
    "an unknown member": ({"decisions": [decision("CALL", colour=1)]}, "colour"),
    "nobody": ({"decisions": [decision("CALL")], "by": ""}, "by"),
    "somebody of another kind": ({"decisions": [decision("CALL")], "by": 7}, "by"),
    "a call twice": ({"decisions": [decision("CALL"), decision("CALL", "deny")]}, "CALL' twice"),
}


@pytest.mark.parametrize("name", BAD)
async def test_what_cannot_be_is_refused_by_name_and_changes_nothing(
    api: Api, hammer: Hammer, name: str
) -> None:
    view = await rests(api, STRIKE)
    (call,) = required(view)
    body, told = BAD[name]
    path = f"/turns/{view['turnId']}/approvals"

    answer = await api.send("POST", path, json.dumps(body).replace("CALL", call).encode())

    await refused(api, view, answer, 400, "VALIDATION_ERROR")
    assert told.replace("CALL", call) in answer.message
    assert hammer.struck == []


RAW = {
    "a number that is none": '{"a": 1e999}',
    "too deep": '{"a":' * 960 + "1" + "}" * 960,
    "too long": '{"a": "' + "x" * 400_000 + '"}',
    "too long once it is quoted": '{"a": ["' + '","' * 60_000 + '"]}',
    "a member twice": '{"a": 1, "a": 2}',
}


@pytest.mark.parametrize("name", RAW)
async def test_arguments_that_cannot_be_kept_as_they_are_are_refused(api: Api, name: str) -> None:
    view = await rests(api, STRIKE)
    (call,) = required(view)
    body = (
        f'{{"decisions": [{{"callId": "{call}", "decision": "allow", "arguments": {RAW[name]}}}]}}'
    )

    answer = await api.send("POST", f"/turns/{view['turnId']}/approvals", body.encode())

    code = "INVALID_JSON" if name == "too deep" else "VALIDATION_ERROR"
    await refused(api, view, answer, 400, code)


async def test_arguments_as_long_as_may_be_make_no_event_that_is_too_long(api: Api) -> None:
    """Each of their quotes is escaped once more where they are kept."""
    view = await rests(api, STRIKE)
    (call,) = required(view)

    long = {"a": '"' * 49_000}
    longer = {"a": '"' * 50_000}
    refusal = await decide(api, view, [decision(call, arguments=longer)])
    answer = await decide(
        api, view, [decision(call, arguments=long, reason="\x01" * 1024)], by="\x01" * 256
    )

    assert (refusal.status, answer.status) == (400, 202)
    assert "decisions[0].arguments: takes" in refusal.message
    await api.ended(view)
    log = await api.node.parts.store.read(UUID(view["conversationId"]))
    assert max(len(entry.state) for entry in log) <= MAX_STATE_BYTES


@pytest.mark.parametrize(
    ("body", "given", "status", "code"),
    [
        (b"{", "application/json", 400, "INVALID_JSON"),
        (b"{}", "text/plain", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b" " * (1 << 20) + b"{}", "application/json", 413, "PAYLOAD_TOO_LARGE"),
    ],
    ids=["half", "text", "too large"],
)
async def test_what_is_no_such_body_is_refused(
    api: Api, body: bytes, given: str, status: int, code: str
) -> None:
    view = await rests(api, STRIKE)

    path = f"/turns/{view['turnId']}/approvals"
    answer = await api.send("POST", path, body, {"Content-Type": given})

    await refused(api, view, answer, status, code)


# ---------------------------------------------------------- idempotency, and any node


async def test_the_same_under_a_key_is_decided_once_and_answered_alike(
    api: Api, hammer: Hammer
) -> None:
    view = await rests(api, STRIKE)
    decisions = [decision(required(view)[0])]

    answers = await asyncio.gather(*(decide(api, view, decisions, KEY) for _ in range(5)))
    await api.ended(view)
    again = await decide(api, view, decisions, KEY)

    assert all(same(answer, again) for answer in answers)
    assert replayed(again)
    assert len(hammer.struck) == 1
    another = await decide(api, view, [decision(required(view)[0], "deny")], KEY)
    assert (another.status, another.code) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_two_nodes_that_are_told_at_once_run_the_tool_once() -> None:
    hammer = Hammer()
    async with two_nodes(memory_ports(), [hammer]) as (here, there):
        view = await rests(here, STRIKE, STRIKE)
        first, second = required(view)

        answers = await asyncio.gather(
            decide(here, view, [decision(first)]),
            decide(there, view, [decision(first)]),
            decide(there, view, [decision(second)]),
        )

        assert sorted(answer.status for answer in answers) == [202, 202, 409]
        assert (await here.ended(view))["status"] == "completed"
        assert len(hammer.struck) == 2
        assert len(await events(here, view, "tool_call.completed")) == 2

"""A caller runs its functions: the turn rests meanwhile, and goes on with their results."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.http.nodes import two_nodes
from tests.http.once import KEY, replayed, same
from tests.http.resting import (
    BOOK,
    ROME,
    WEATHER,
    after,
    events,
    provide,
    required,
    rests,
    shown,
    waits,
)
from tests.http.server import NOWHERE, Api, memory_ports

PARIS = '/call weather {"city": "Paris"}'
OTHER_KEY = {"Idempotency-Key": "5f0c-two"}


def result(call: str, output: str = "12 °C", **members: Any) -> dict[str, Any]:
    return {"callId": call, "output": output, **members}


# ---------------------------------------------------------------------- what is shown


async def test_a_turn_says_what_it_waits_for_and_until_when(api: Api) -> None:
    view = await rests(api, ROME)

    (call,) = view["toolCalls"]
    assert view["requiredAction"] == {
        "calls": [
            {
                "item": int(call["callId"].removeprefix("call_")),
                "callId": call["callId"],
                "kind": "result",
                "name": "weather",
                "input": {"city": "Rome"},
            }
        ],
        "expiresAt": view["requiredAction"]["expiresAt"],
    }
    assert view["requiredAction"]["expiresAt"] > view["startedAt"]
    assert (call["status"], call["output"], call["completedAt"]) == ("requires_action", None, None)
    assert (view["completedAt"], view["result"], view["error"]) == (None, None, None)


@pytest.mark.parametrize("level", ["none", "summary", "full"])
async def test_what_is_required_is_shown_at_every_level(api: Api, level: str) -> None:
    view = await rests(api, ROME)

    answer = await api.get(f"/turns/{view['turnId']}", params={"toolLevel": level})

    assert answer.json["requiredAction"] == view["requiredAction"]


async def test_the_conversation_waits_with_it(api: Api) -> None:
    view = await rests(api, ROME)
    idle = await api.create()

    assert (await api.show(view))["status"] == "requires_action"
    listed = (await api.get("/conversations", params={"status": "requires_action"})).json
    assert [each["conversationId"] for each in listed["conversations"]] == [view["conversationId"]]
    assert (await api.show(idle))["status"] == "idle"

    await provide(api, view, [result(required(view)[0])])
    await api.ended(view)

    assert (await api.show(view))["status"] == "idle"
    listed = (await api.get("/conversations", params={"status": "requires_action"})).json
    assert listed["conversations"] == []


async def test_the_log_tells_which_calls_are_the_callers_to_run(api: Api) -> None:
    view = await rests(api, ROME)

    (request,) = await events(api, view, "tool_call.requested")
    assert (request["runsOn"], request["approval"]) == ("client", "none")
    (rest,) = await events(api, view, "turn.requires_action")
    call = view["requiredAction"]["calls"][0]
    assert rest["calls"] == [{name: call[name] for name in ("item", "callId", "kind")}]
    assert rest["expiresAt"] == view["requiredAction"]["expiresAt"]


@pytest.mark.parametrize(
    "query",
    ["", "?toolLevel=none&thinkingLevel=none", "?toolLevel=summary", "?types=turn.*"],
)
async def test_a_turns_stream_tells_it_at_every_level(api: Api, query: str) -> None:
    view = await rests(api, ROME)
    await provide(api, view, [result(required(view)[0])])

    answer = await api.get(f"/turns/{view['turnId']}/stream-events{query}")

    assert answer.body.count(b"event: turn.requires_action\n") == 1
    assert b"event: turn.completed\n" in answer.body


async def test_the_codex_dialect_tells_it_too_with_all_that_it_takes_to_answer(api: Api) -> None:
    view = await rests(api, ROME)
    await provide(api, view, [result(required(view)[0])])

    answer = await api.get(f"/turns/{view['turnId']}/stream-events?dialect=codex")

    frames = [frame for frame in answer.body.decode().split("\n\n") if "requires_action" in frame]
    (data,) = [
        json.loads(line.removeprefix("data: "))
        for line in frames[0].splitlines()
        if line.startswith("data: ")
    ]
    assert data["event"] == data["type"] == "requires_action"
    assert view["requiredAction"]["calls"][0]["callId"] in json.dumps(data)


# ----------------------------------------------------------------------- the results


async def test_with_its_result_the_turn_goes_on_to_its_end(api: Api) -> None:
    view = await rests(api, ROME)

    answer = await provide(api, view, [result(required(view)[0], "12 °C")])

    assert answer.status == 202
    assert answer.json == {
        "turnId": view["turnId"],
        "conversationId": view["conversationId"],
        "status": "running",
    }
    ended = await api.ended(view)
    assert (ended["status"], ended["requiredAction"]) == ("completed", None)
    (call,) = ended["toolCalls"]
    assert (call["status"], call["output"]) == ("ok", "12 °C")
    assert ended["attempt"] == 2


async def test_a_result_may_be_a_failure(api: Api) -> None:
    view = await rests(api, ROME)

    await provide(api, view, [result(required(view)[0], "no such city", status="error")])

    (call,) = (await api.ended(view))["toolCalls"]
    assert (call["status"], call["output"]) == ("error", "no such city")


async def test_some_results_may_come_before_the_others(api: Api) -> None:
    view = await rests(api, ROME, PARIS)
    rome, paris = required(view)

    first = await provide(api, view, [result(paris, "9 °C")])

    assert first.json["status"] == "requires_action"
    meanwhile = (await api.get(f"/turns/{view['turnId']}", params={"toolLevel": "full"})).json
    assert required(meanwhile) == [rome]
    assert [call["status"] for call in meanwhile["toolCalls"]] == ["requires_action", "ok"]
    assert (await provide(api, view, [result(rome)])).json["status"] == "running"
    assert (await api.ended(view))["status"] == "completed"


async def test_an_output_may_be_long_and_of_any_characters(api: Api) -> None:
    view = await rests(api, ROME)
    output = "é\u2028\x85😀\n\t" * 60_000

    assert (await provide(api, view, [result(required(view)[0], output)])).status == 202

    (call,) = (await api.ended(view))["toolCalls"]
    assert call["output"] == output
    (completed,) = await events(api, view, "tool_call.completed")
    assert completed["truncated"]
    assert completed["bytes"] == len(output.encode())


async def test_the_next_step_calls_again_and_the_turn_rests_again(api: Api) -> None:
    view = await rests(api, ROME, "/steps 2")
    await provide(api, view, [result(required(view)[0])])
    again = await shown(
        api, view, lambda it: it["status"] == "requires_action" and it["attempt"] == 2
    )

    assert required(again) != required(view)
    assert (await provide(api, view, [result(required(again)[0])])).status == 202
    assert (await api.ended(view))["attempt"] == 3


# ---------------------------------------------------------------------------- refusals


async def refused(api: Api, view: Any, answer: Any, status: int, code: str) -> None:
    """It was, and nothing came of it."""
    assert (answer.status, answer.code) == (status, code), answer.body
    now = (await api.get(f"/turns/{view['turnId']}")).json
    assert now["requiredAction"] == view["requiredAction"]


@pytest.mark.parametrize("call", ["call_1", "nobody's", "x" * 256])
async def test_a_call_that_waits_for_no_result_is_told_which_do(api: Api, call: str) -> None:
    view = await rests(api, ROME, PARIS)
    rome, paris = required(view)
    before = await api.node.heads()

    answer = await provide(api, view, [result(rome), result(call)])

    await refused(api, view, answer, 409, "CALL_NOT_OPEN")
    assert f"{rome}, {paris}" in answer.message
    assert await api.node.heads() == before


async def test_a_result_is_taken_once(api: Api) -> None:
    view = await rests(api, ROME, PARIS)
    rome, _ = required(view)
    await provide(api, view, [result(rome)])

    again = await provide(api, view, [result(rome)])

    assert (again.status, again.code) == (409, "CALL_NOT_OPEN")
    assert len(await events(api, view, "tool_call.completed")) == 1


async def test_a_turn_that_has_ended_takes_none(api: Api) -> None:
    view = await rests(api, ROME)
    await api.post(f"/turns/{view['turnId']}/cancel", {})

    answer = await provide(api, view, [result(required(view)[0])])

    assert (answer.status, answer.code) == (409, "CALL_NOT_OPEN")


async def test_a_function_that_needs_consent_takes_none_before(api: Api) -> None:
    view = await rests(api, "/call book {}")

    answer = await provide(api, view, [result(required(view)[0])])

    await refused(api, view, answer, 409, "CALL_NOT_OPEN")


@pytest.mark.parametrize("word", [NOWHERE, "7", "%00", "x" * 500])
async def test_a_turn_that_does_not_exist_is_not_found(api: Api, word: str) -> None:
    answer = await provide(api, {"turnId": word}, [result("call_1")])

    assert (answer.status, answer.code) == (404, "NOT_FOUND")


async def test_a_turn_of_a_deleted_conversation_is_not_found(api: Api) -> None:
    view = await rests(api, ROME)
    await api.delete(f"/conversations/{view['conversationId']}")

    answer = await provide(api, view, [result(required(view)[0])])

    assert (answer.status, answer.code) == (404, "NOT_FOUND")


BAD: dict[str, tuple[Any, str]] = {
    "nothing": ({}, "results: is missing"),
    "no list": ({"results": {}}, "results"),
    "null": ({"results": None}, "results"),
    "none": ({"results": []}, "results"),
    "too many": ({"results": [result(f"call_{n}") for n in range(257)]}, "results"),
    "text": ({"results": ["call_1"]}, "results[0]"),
    "no call": ({"results": [{"output": ""}]}, "callId"),
    "no output": ({"results": [{"callId": "CALL"}]}, "output"),
    "an empty call": ({"results": [result("")]}, "results[0].callId"),
    "a long call": ({"results": [result("x" * 257)]}, "results[0].callId"),
    "an output of another kind": ({"results": [{"callId": "CALL", "output": {}}]}, "output"),
    "a null output": ({"results": [{"callId": "CALL", "output": None}]}, "output"),
    "a status of its own": ({"results": [result("CALL", status="timeout")]}, "status"),
    "an unknown member": ({"results": [result("CALL", colour=1)]}, "colour"),
    "a member too much": ({"results": [result("CALL")], "by": "me"}, "by"),
    "a NUL": ({"results": [result("CALL", "\0")]}, "NUL"),
    "half a character": ({"results": [result("CALL", "\ud800")]}, "surrogate"),
    "a call twice": ({"results": [result("CALL", "a"), result("CALL", "b")]}, "CALL' twice"),
    "decisions": ({"decisions": [{"callId": "CALL", "decision": "allow"}]}, "decisions"),
}


@pytest.mark.parametrize("name", BAD)
async def test_what_cannot_be_is_refused_by_name_and_changes_nothing(api: Api, name: str) -> None:
    view = await rests(api, ROME)
    (call,) = required(view)
    body, told = BAD[name]
    path = f"/turns/{view['turnId']}/tool-results"

    answer = await api.send("POST", path, json.dumps(body).replace("CALL", call).encode())

    await refused(api, view, answer, 400, "VALIDATION_ERROR")
    assert told.replace("CALL", call) in answer.message


@pytest.mark.parametrize(
    ("body", "given", "status", "code"),
    [
        (b"{", "application/json", 400, "INVALID_JSON"),
        (b"[]", "application/json", 400, "VALIDATION_ERROR"),
        (b"{}", "text/plain", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b" " * (1 << 20) + b"{}", "application/json", 413, "PAYLOAD_TOO_LARGE"),
    ],
    ids=["half", "a list", "text", "too large"],
)
async def test_what_is_no_such_body_is_refused(
    api: Api, body: bytes, given: str, status: int, code: str
) -> None:
    view = await rests(api, ROME)
    path = f"/turns/{view['turnId']}/tool-results"

    answer = await api.send("POST", path, body, {"Content-Type": given})

    await refused(api, view, answer, status, code)


@pytest.mark.parametrize("path", ["tool-results", "approvals"])
async def test_they_are_posted_and_nothing_else(api: Api, path: str) -> None:
    answer = await api.get(f"/turns/{NOWHERE}/{path}")

    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


# ------------------------------------------------------------------------ idempotency


async def test_the_same_under_a_key_is_taken_once_and_answered_alike(api: Api) -> None:
    view = await rests(api, ROME)
    results = [result(required(view)[0])]

    first = await provide(api, view, results, KEY)
    await api.ended(view)
    again = await provide(api, view, results, KEY)

    assert (first.status, first.json["status"], replayed(first)) == (202, "running", False)
    assert same(first, again)
    assert replayed(again)
    assert len(await events(api, view, "tool_call.completed")) == 1


async def test_another_body_under_the_key_is_refused(api: Api) -> None:
    view = await rests(api, ROME, PARIS)
    rome, paris = required(view)
    await provide(api, view, [result(rome)], KEY)

    answer = await provide(api, view, [result(paris)], KEY)

    assert (answer.status, answer.code) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_a_refusal_is_kept_too(api: Api) -> None:
    view = await rests(api, ROME)
    wrong = [result("call_1")]

    first = await provide(api, view, wrong, KEY)
    again = await provide(api, view, wrong, KEY)

    assert (first.status, first.code) == (409, "CALL_NOT_OPEN")
    assert same(first, again)
    assert replayed(again)


async def test_ten_twins_at_once_are_one_result(api: Api) -> None:
    view = await rests(api, ROME)
    results = [result(required(view)[0])]

    answers = await asyncio.gather(*(provide(api, view, results, KEY) for _ in range(10)))

    assert {answer.body for answer in answers} == {answers[0].body}
    assert sorted(map(replayed, answers)) == [False] + [True] * 9
    assert len(await events(api, view, "tool_call.completed")) == 1
    assert (await api.ended(view))["status"] == "completed"


# -------------------------------------------------------------------------- any node


async def test_any_node_takes_a_result_and_goes_on_with_the_turn() -> None:
    async with two_nodes(memory_ports()) as (here, there):
        view = await rests(here, ROME)

        answer = await provide(there, view, [result(required(view)[0])])

        assert answer.json["status"] == "running"
        (resumed,) = await events(here, view, "turn.resumed")
        assert resumed["node"] == there.node.turnlog.node
        assert (await here.ended(view))["status"] == "completed"


@pytest.mark.parametrize("keys", [({}, {}), (KEY, KEY), (KEY, OTHER_KEY)])
async def test_two_nodes_take_one_result_once(keys: Any) -> None:
    async with two_nodes(memory_ports()) as (here, there):
        view = await rests(here, ROME)
        results = [result(required(view)[0])]

        answers = await asyncio.gather(
            provide(here, view, results, keys[0]), provide(there, view, results, keys[1])
        )

        twins = keys == (KEY, KEY)
        assert sorted(answer.status for answer in answers) == [202, 202 if twins else 409]
        if twins:
            assert same(*answers)
        assert (await here.ended(view))["status"] == "completed"
        assert len(await events(here, view, "tool_call.completed")) == 1


# ------------------------------------------------------------- what else may be said


async def test_a_message_may_bring_functions_of_its_own(api: Api) -> None:
    conversation = await api.create()
    turn = await api.say(conversation, after(ROME), tools=[WEATHER])

    view = await waits(api, turn)

    assert view["requiredAction"]["calls"][0]["name"] == "weather"


async def test_a_call_of_a_function_that_was_not_offered_asks_nobody(api: Api) -> None:
    conversation = await api.create(tools=[BOOK])
    turn = await api.say(conversation, after(ROME))

    (call,) = (await api.ended(turn))["toolCalls"]

    assert call["status"] == "error"
    assert "There is no tool 'weather'" in call["output"]


async def test_what_is_said_to_a_turn_that_rests_goes_in_after_the_results(api: Api) -> None:
    view = await rests(api, ROME)
    steered = await api.say(view, "/say Rather this.", onBusy="steer")
    assert steered["turnId"] == view["turnId"]
    assert (await api.get(f"/turns/{view['turnId']}")).json["status"] == "requires_action"

    await provide(api, view, [result(required(view)[0])])

    assert (await api.ended(view))["result"]["content"] == "Rather this."


async def test_an_interrupted_turn_that_rests_ends_and_the_other_runs(api: Api) -> None:
    view = await rests(api, ROME)

    other = await api.say(view, "/say Now this.", onBusy="interrupt")

    assert (await api.ended(other))["result"]["content"] == "Now this."
    assert (await api.get(f"/turns/{view['turnId']}")).json["status"] == "cancelled"


async def test_a_cancelled_turn_that_rests_has_ended_when_that_is_answered(api: Api) -> None:
    view = await rests(api, ROME)
    waiting = await api.say(view, "/say Next.")

    answer = await api.post(f"/turns/{view['turnId']}/cancel", {"reason": "enough"}, KEY)

    assert answer.json["status"] == "cancelled"
    assert (await api.get(f"/turns/{view['turnId']}")).json["requiredAction"] is None
    assert (await api.ended(waiting))["result"]["content"] == "Next."

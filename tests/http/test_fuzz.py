"""Bodies that nobody would think of: each is done or refused, and never something between."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.http.resting import ROME, required, rests
from tests.http.server import DEMO, Api

ASKED_FOR = ("conversation.created", "conversation.updated", "turn.queued")

texts = st.text(max_size=20)
wild = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
settings_of_a_turn: dict[str, Any] = {
    "temperature": st.floats(-0.5, 2.5) | st.none(),
    "maxOutputTokens": st.integers(-1, 10**9) | st.none(),
    "reasoning": st.fixed_dictionaries({}, optional={"effort": texts}) | st.none(),
    "tools": st.just([]) | st.none(),
}
settings_of_a_conversation = settings_of_a_turn | {
    "title": texts | st.none(),
    "summary": texts,
    "instructions": texts,
    "agentRole": texts,
    "tags": st.lists(texts),
    "metadata": st.dictionaries(texts, texts),
}
parts_of_a_message = st.fixed_dictionaries({"type": st.just("text"), "text": texts}) | wild


def bodies(base: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Good bodies, and such as have a wild member or two."""
    good = st.fixed_dictionaries({}, optional=optional).map(lambda members: base | members)
    noise = st.dictionaries(st.sampled_from([*base, *optional]) | texts, wild, max_size=2)
    return good | st.builds(lambda members, more: members | more, good, noise)


requests = st.one_of(
    st.tuples(st.just("POST"), st.just("/conversations"), bodies(DEMO, settings_of_a_conversation)),
    st.tuples(
        st.just("PATCH"), st.just("/conversations/HERE"), bodies({}, settings_of_a_conversation)
    ),
    st.tuples(
        st.just("POST"),
        st.just("/conversations/HERE/messages"),
        bodies({"message": "/say x"}, settings_of_a_turn | {"message": texts})
        | bodies({}, {"content": st.lists(parts_of_a_message, max_size=3)}),
    ),
)
Request = tuple[str, str, dict[str, Any]]

many = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
async def here(api: Api) -> str:
    """The id of a conversation to try things on."""
    return str((await api.create())["conversationId"])


@many
@given(request=requests)
async def test_members_of_any_kind_are_accepted_or_refused(
    api: Api, here: str, request: Request
) -> None:
    method, path, members = request
    await done_or_refused(api, method, path.replace("HERE", here), json.dumps(members).encode())


@many
@given(request=requests, noise=st.binary(min_size=1, max_size=8), at=st.integers(0, 60))
async def test_noise_in_a_body_is_accepted_or_refused(
    api: Api, here: str, request: Request, noise: bytes, at: int
) -> None:
    method, path, members = request
    body = json.dumps(members).encode()
    body = body[:at] + noise + body[at:]
    await done_or_refused(api, method, path.replace("HERE", here), body)


answers = st.fixed_dictionaries(
    {"callId": st.sampled_from(["CALL0", "CALL1", "CALL2"])},
    optional={
        "output": texts | wild,
        "status": st.sampled_from(["ok", "error"]) | wild,
        "decision": st.sampled_from(["allow", "allowForTurn", "deny"]) | wild,
        "reason": texts | wild,
        "arguments": st.dictionaries(texts, wild, max_size=3) | wild,
    },
)
given_answers = st.fixed_dictionaries(
    {}, optional={"results": st.lists(answers | wild, max_size=3), "by": texts}
) | st.fixed_dictionaries({"decisions": st.lists(answers, max_size=3)}, optional={"by": texts})


@settings(many, max_examples=150)
@given(path=st.sampled_from(["tool-results", "approvals"]), members=given_answers)
async def test_answers_of_any_kind_are_taken_or_refused(
    api: Api, path: str, members: dict[str, Any]
) -> None:
    view = await rests(api, ROME, "/call book {}", '/call book {"a": 1}')
    body = json.dumps(members)
    for number, call in enumerate(required(view)):
        body = body.replace(f"CALL{number}", call)
    before = await api.node.heads()

    answer = await api.send("POST", f"/turns/{view['turnId']}/{path}", body.encode())

    assert answer.status in (202, 400, 409)
    assert (await api.node.heads() == before) == (answer.status != 202)
    await api.post(f"/turns/{view['turnId']}/cancel", {})
    assert (await api.ended(view))["status"] in ("cancelled", "completed")


async def done_or_refused(api: Api, method: str, path: str, body: bytes) -> None:
    before = await asked_for(api)

    answer = await api.send(method, path, body)

    assert answer.status in (200, 201, 202, 400)
    assert await asked_for(api) - before == (answer.status < 400)


async def asked_for(api: Api) -> int:
    """How many events there are that requests, and not turns, have made."""
    store = api.node.parts.store
    feeds = [await store.feed(bucket, after=0, limit=100_000) for bucket in range(store.buckets)]
    return sum(fed.entry.topic in ASKED_FOR for feed in feeds for fed in feed)

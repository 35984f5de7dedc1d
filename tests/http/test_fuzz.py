"""Bodies that nobody would think of: each is done or refused, and never something between."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.http.server import DEMO, Api
from turnlog.http.requests import CreateConversation, SubmitMessage

ASKED_FOR = ("conversation.created", "conversation.updated", "turn.queued")

texts = st.text(max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
names = st.sampled_from(
    sorted(
        field.encode_name
        for kind in (CreateConversation, SubmitMessage)
        for field in msgspec.structs.fields(kind)
    )
)
members = st.dictionaries(names | texts, values, max_size=5)
targets = st.sampled_from(
    [
        ("POST", "/conversations", DEMO),
        ("PATCH", "/conversations/HERE", {}),
        ("POST", "/conversations/HERE/messages", {"message": "/say x"}),
    ]
)
Target = tuple[str, str, dict[str, Any]]

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
@given(target=targets, extra=members)
async def test_members_of_any_kind_are_accepted_or_refused(
    api: Api, here: str, target: Target, extra: dict[str, Any]
) -> None:
    await done_or_refused(api, here, target, json.dumps(target[2] | extra).encode())


@many
@given(target=targets, noise=st.binary(min_size=1, max_size=20), at=st.integers(0, 60))
async def test_noise_in_a_good_body_is_accepted_or_refused(
    api: Api, here: str, target: Target, noise: bytes, at: int
) -> None:
    body = json.dumps(target[2]).encode()

    await done_or_refused(api, here, target, body[:at] + noise + body[at:])


async def done_or_refused(api: Api, here: str, target: Target, body: bytes) -> None:
    method, path, _ = target
    before = await asked_for(api)

    answer = await api.send(method, path.replace("HERE", here), body)

    assert answer.status in (200, 201, 202, 400)
    assert await asked_for(api) - before == (answer.status < 400)


async def asked_for(api: Api) -> int:
    """How many events there are that requests, and not turns, have made."""
    store = api.node.parts.store
    feeds = [await store.feed(bucket, after=0, limit=100_000) for bucket in range(store.buckets)]
    return sum(entry.topic in ASKED_FOR for feed in feeds for _, _, entry in feed)

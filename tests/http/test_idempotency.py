"""Asking again with the same Idempotency-Key: it is done once, and answered alike."""

from __future__ import annotations

import pytest

from tests.http.nodes import two_nodes
from tests.http.once import HELD, KEY, replayed, same, say
from tests.http.server import DEMO, NOWHERE, Answer, Api, memory_ports
from turnlog.runtime.forgetting import KEPT_SECONDS, Forgetting


async def test_a_message_that_is_sent_again_makes_no_second_turn(api: Api) -> None:
    conversation = await api.create()

    first = await api.post(say(conversation), HELD, KEY)
    again = await api.post(say(conversation), HELD, KEY)

    assert (first.status, replayed(first)) == (202, False)
    assert same(first, again)
    assert replayed(again)
    assert (await api.topics(conversation)).count("turn.queued") == 1


async def test_a_conversation_that_is_created_again_is_the_same(api: Api) -> None:
    first = await api.post("/conversations", DEMO, KEY)
    again = await api.post("/conversations", DEMO, KEY)

    assert (first.status, replayed(first)) == (201, False)
    assert first.headers["Location"].endswith(first.json["conversationId"])
    assert first.headers["ETag"] == '"1"'
    assert same(first, again)
    assert replayed(again)
    assert len((await api.get("/conversations")).json["conversations"]) == 1


async def test_a_turn_is_cancelled_once_and_told_alike(api: Api) -> None:
    turn = await api.say(await api.create(), HELD["message"])
    path = f"/turns/{turn['turnId']}/cancel"

    first = await api.post(path, {}, KEY)
    await api.ended(turn)
    again = await api.post(path, {}, KEY)

    assert first.json["status"] == "running"
    assert same(first, again)
    assert replayed(again)


async def test_an_answer_that_came_with_no_event_is_kept_too(api: Api) -> None:
    turn = await api.say(await api.create(), "/say done")
    await api.ended(turn)
    path = f"/turns/{turn['turnId']}/cancel"

    first = await api.post(path, {}, KEY)

    assert (first.json["status"], replayed(first)) == ("completed", False)
    assert replayed(await api.post(path, {}, KEY))


async def test_a_refusal_is_given_again_even_when_it_would_be_accepted_now(api: Api) -> None:
    conversation = await api.create()
    running = await api.say(conversation, HELD["message"])
    rejected = {"message": "/say two", "onBusy": "reject"}

    first = await api.post(say(conversation), rejected, KEY)
    api.node.gate.set()
    await api.ended(running)
    again = await api.post(say(conversation), rejected, KEY)

    assert (first.status, first.code) == (409, "CONVERSATION_BUSY")
    assert same(first, again)
    assert replayed(again)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/conversations", b"{}", 400),
        ("/conversations", b"{", 400),
        (f"/conversations/{NOWHERE}/messages", b'{"message": "x"}', 404),
        ("/conversations/7/messages", b'{"message": "x"}', 404),
        (f"/turns/{NOWHERE}/cancel", b"{}", 404),
    ],
)
async def test_what_cannot_be_is_refused_alike(
    api: Api, path: str, body: bytes, status: int
) -> None:
    first = await api.send("POST", path, body, KEY)
    again = await api.send("POST", path, body, KEY)

    assert (first.status, replayed(first)) == (status, False)
    assert same(first, again)
    assert replayed(again)


async def test_the_key_is_looked_at_before_what_the_request_rests_on(api: Api) -> None:
    conversation = await api.create()
    headers = {**KEY, "If-Match": '"1"'}

    first = await api.post(say(conversation), HELD, headers)
    again = await api.post(say(conversation), HELD, headers)

    assert (first.status, again.status) == (202, 202)
    assert replayed(again)


async def test_a_key_with_another_body_is_refused(api: Api) -> None:
    conversation = await api.create()
    first = await api.post(say(conversation), HELD, KEY)

    other = await api.post(say(conversation), {"message": "/say no"}, KEY)

    assert (other.status, other.code) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert same(await api.post(say(conversation), HELD, KEY), first)
    assert (await api.topics(conversation)).count("turn.queued") == 1


async def test_a_key_holds_for_its_own_path_only(api: Api) -> None:
    one, other = await api.create(), await api.create()

    answers = [await api.post(say(each), HELD, KEY) for each in (one, other)]

    assert [answer.status for answer in answers] == [202, 202]
    assert answers[0].json["turnId"] != answers[1].json["turnId"]


@pytest.mark.parametrize("key", ["", "x" * 256, "ä", "a\tb"])
@pytest.mark.parametrize("path", ["/conversations", f"/turns/{NOWHERE}/cancel"])
async def test_a_key_that_is_none_is_refused(api: Api, path: str, key: str) -> None:
    answer = await api.post(path, DEMO, {"Idempotency-Key": key})

    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")
    assert "Idempotency-Key" in answer.message
    assert not any(await api.node.heads())


@pytest.mark.parametrize("key", ["x" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "a b ~!"])
async def test_any_printable_key_will_do(api: Api, key: str) -> None:
    headers = {"Idempotency-Key": key}
    first = await api.post("/conversations", DEMO, headers)

    assert first.status == 201
    assert replayed(await api.post("/conversations", DEMO, headers))


async def test_records_are_forgotten_after_two_days_and_not_before() -> None:
    async with two_nodes(memory_ports()) as (api, _):
        conversation = await api.create()
        first = await api.post(say(conversation), HELD, KEY)
        parts = api.node.parts
        now = parts.clock.now()

        async def swept_after(seconds: int) -> Answer:
            clock = _At(now + seconds * 1_000_000)
            await Forgetting(parts.records, clock, parts.store.buckets).sweep()
            return await api.post(say(conversation), HELD, KEY)

        assert same(await swept_after(KEPT_SECONDS - 10), first)
        assert (await swept_after(KEPT_SECONDS + 10)).json["turnId"] != first.json["turnId"]


class _At:
    def __init__(self, now: int) -> None:
        self._now = now

    def now(self) -> int:
        return self._now

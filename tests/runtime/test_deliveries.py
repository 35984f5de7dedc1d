"""Sending to webhooks: each event at least once, and those of a conversation in their order."""

from __future__ import annotations

import asyncio

import pytest

from tests.receiver import Inbox
from tests.store.given import Writer, written
from tests.store.test_webhooks import hook
from turnlog.adapters.memory import MemoryStore
from turnlog.adapters.memory_webhooks import MemoryWebhooks
from turnlog.domain.errors import DeliveryFailed
from turnlog.runtime.deliveries import (
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    PATIENCE_SECONDS,
    Deliveries,
    pause_after,
)

EVENT = b'{"type":"turn.completed","at":"2026-01-01T00:00:00.000000Z"}'


class Post:
    """A node that sends, and a clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.store = MemoryStore()
        self.webhooks = MemoryWebhooks(self.store, lambda: self.now)
        self.inbox = Inbox()
        self.one = self.node("one")

    def node(self, name: str) -> Deliveries:
        return Deliveries(self.webhooks, self.inbox, self.store, name)

    async def sent(self, node: Deliveries | None = None) -> list[tuple[str, int]]:
        """What was received by the time that nothing is left to be done."""
        sender = node or self.one
        await sender.look()
        await sender.settle()
        return [message.place for message in self.inbox.messages]

    async def log(self, writer: Writer, times: int = 1, topic: str = "turn.completed") -> None:
        await written(self.store, writer, *[EVENT] * times, topic=topic)


@pytest.fixture
async def post() -> Post:
    post = Post()
    await post.webhooks.add(hook())
    return post


def places(writer: Writer, *offsets: int) -> list[tuple[str, int]]:
    return [(str(writer.conversation_id), offset) for offset in offsets]


async def test_what_is_wanted_is_sent_once_and_in_order(post: Post) -> None:
    writer = Writer()
    await post.log(writer, 3)
    assert await post.sent() == places(writer, 1, 2, 3)
    assert await post.sent() == places(writer, 1, 2, 3)
    await post.log(writer)
    assert await post.sent() == places(writer, 1, 2, 3, 4)


async def test_other_types_and_other_tenants_are_passed_over(post: Post) -> None:
    writer = Writer()
    await post.log(writer, 2, "message.delta")
    await post.log(writer, 1, "message.completed")
    await post.webhooks.add(hook("other", 1))
    await post.log(writer, 1, "step.started")
    assert await post.sent() == places(writer, 3)
    assert await post.webhooks.due() == []


async def test_a_message_is_the_event_with_its_place(post: Post) -> None:
    writer = Writer()
    await post.log(writer)
    await post.sent()
    (message,) = post.inbox.messages
    assert message.id == f"evt_{writer.conversation_id.hex}_1"
    assert message.body["type"] == "turn.completed"
    assert message.body["data"] == {
        "offset": 1,
        "conversationId": str(writer.conversation_id),
        "type": "turn.completed",
        "at": "2026-01-01T00:00:00.000000Z",
    }


async def test_one_that_was_away_gets_everything_in_order_afterwards(post: Post) -> None:
    writer = Writer()
    await post.log(writer, 2)
    post.inbox.failure = DeliveryFailed("No answer.")
    assert await post.sent() == []
    await post.log(writer, 2)
    assert await post.sent() == []
    assert post.inbox.tries == 1, "it is left alone for a while"
    post.inbox.failure = None
    post.now += LONGEST_PAUSE_SECONDS
    assert await post.sent() == places(writer, 1, 2, 3, 4)


async def test_one_bucket_that_fails_does_not_hold_up_another(post: Post) -> None:
    first, second = Writer(0), Writer(1)
    await post.log(first)
    post.inbox.failure = DeliveryFailed("No.")
    await post.sent()
    post.inbox.failure = None
    await post.log(second)
    assert await post.sent() == places(second, 1)


async def test_one_that_says_that_it_is_gone_is_disabled_at_once(post: Post) -> None:
    await post.log(Writer())
    post.inbox.failure = DeliveryFailed("The receiver answered 410 Gone.", for_good=True)
    await post.sent()
    (standing,) = await post.webhooks.all("acme")
    assert standing.webhook.disabled == "The receiver answered 410 Gone."


async def test_one_that_fails_for_days_is_disabled_and_goes_on_when_resumed(post: Post) -> None:
    writer = Writer()
    await post.log(writer)
    post.inbox.failure = DeliveryFailed("No answer.")
    await post.sent()
    while not (await post.webhooks.all("acme"))[0].webhook.disabled:
        post.now += LONGEST_PAUSE_SECONDS * 2
        await post.sent()
    (standing,) = await post.webhooks.all("acme")
    assert standing.webhook.disabled == "No answer. It failed for 74 h."
    assert post.inbox.tries == PATIENCE_SECONDS // (LONGEST_PAUSE_SECONDS * 2) + 2
    post.inbox.failure = None
    await post.webhooks.resume(hook().webhook_id)
    assert await post.sent() == places(writer, 1)


async def test_nothing_is_lost_when_the_node_stops_in_the_middle(post: Post) -> None:
    writer = Writer()
    await post.log(writer, 3)
    stuck = asyncio.Event()

    class Slow(Inbox):
        async def send(self, *words: object) -> None:
            stuck.set()
            await asyncio.Event().wait()

    leaving = Deliveries(post.webhooks, Slow(), post.store, "leaving")
    running = asyncio.create_task(leaving.run())
    await stuck.wait()
    assert await post.sent() == [], "somebody has the place"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await post.sent() == places(writer, 1, 2, 3)


async def test_whoever_has_lost_the_place_stops(post: Post) -> None:
    writer = Writer()
    await post.log(writer, 3)
    two = post.node("two")

    class Late(Inbox):
        async def send(self, *words: object) -> None:
            post.now += 3600
            await two.look()
            await two.settle()

    late = Deliveries(post.webhooks, Late(), post.store, "late")
    await late.look()
    await late.settle()
    assert await post.sent() == places(writer, 1, 2, 3)


async def test_pauses_grow_up_to_a_bound_and_honour_what_was_asked() -> None:
    pauses = [pause_after(failures, None) for failures in range(30)]
    assert FIRST_PAUSE_SECONDS * 0.75 <= pauses[0] <= FIRST_PAUSE_SECONDS * 1.25
    assert all(pause <= LONGEST_PAUSE_SECONDS * 1.25 for pause in pauses)
    assert min(pauses[15:]) >= LONGEST_PAUSE_SECONDS * 0.75
    assert pause_after(0, 120.0) == 120.0
    assert pause_after(0, 1e9) == LONGEST_PAUSE_SECONDS


async def test_a_store_that_fails_for_a_moment_ends_nothing(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    due = post.webhooks.due

    async def fail_once() -> list[int]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise RuntimeError("broken")
        return await due()

    monkeypatch.setattr(post.webhooks, "due", fail_once)
    monkeypatch.setattr("turnlog.runtime.deliveries.POLL_SECONDS", 0)
    await post.log(Writer())
    running = asyncio.create_task(post.one.run())
    await post.inbox.has(1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

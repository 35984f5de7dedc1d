"""What the keeper of webhooks promises, in memory and in PostgreSQL."""

from __future__ import annotations

import asyncpg
import pytest
from msgspec.structs import replace

from tests.store.conftest import Stores
from tests.store.given import NOON, Writer, written
from turnlog.adapters.postgres import Postgres
from turnlog.domain.identity import uuid7
from turnlog.domain.webhooks import Webhook, WebhookPlace

LEASE = 60.0
SHORT = "UPDATE webhook_places SET leased_until = clock_timestamp() WHERE leased_until > now()"


def hook(tenant: str = "acme", number: int = 0) -> Webhook:
    return Webhook(
        webhook_id=uuid7(NOON + number, bytes([number] * 8)),
        tenant_id=tenant,
        url="https://example.com/hook",
        types=("turn.*", "message.completed"),
        secret="whsec_c2VjcmV0",
        created_at=NOON + number,
    )


async def moved(stores: Stores, bucket: int = 0, times: int = 1) -> None:
    """So many events of the bucket."""
    await written(stores.store, Writer(bucket), *[b"{}"] * times)


async def claimed(stores: Stores, node: str = "one", bucket: int = 0) -> WebhookPlace:
    (place,) = await stores.webhooks.claim(bucket, node, LEASE)
    return place


async def test_a_webhook_is_kept_as_it_was_given(stores: Stores) -> None:
    await stores.webhooks.add(hook())
    assert await stores.webhooks.get(hook().webhook_id) == hook()
    assert await stores.webhooks.get(hook(number=1).webhook_id) is None


async def test_each_tenant_sees_its_own_oldest_first(stores: Stores) -> None:
    for each in (hook(number=2), hook(number=1), hook("other", 3)):
        await stores.webhooks.add(each)
    shown = [standing.webhook for standing in await stores.webhooks.all("acme")]
    assert shown == [hook(number=1), hook(number=2)]
    assert not await stores.webhooks.remove("acme", hook("other", 3).webhook_id)
    assert await stores.webhooks.remove("other", hook("other", 3).webhook_id)
    assert not await stores.webhooks.remove("other", hook("other", 3).webhook_id)
    assert await stores.webhooks.get(hook("other", 3).webhook_id) is None


async def test_it_begins_with_what_is_appended_from_then_on(stores: Stores) -> None:
    await moved(stores, times=3)
    await stores.webhooks.add(hook())
    assert await stores.webhooks.due() == []
    assert await stores.webhooks.claim(0, "one", LEASE) == []
    await moved(stores, bucket=2, times=2)
    assert await stores.webhooks.due() == [2]
    (standing,) = await stores.webhooks.all("acme")
    assert standing.behind == 2


async def test_a_place_has_one_sender(stores: Stores) -> None:
    await stores.webhooks.add(hook())
    await moved(stores)
    place = await claimed(stores)
    assert (place.webhook, place.bucket, place.position, place.failures) == (hook(), 0, 0, 0)
    assert await stores.webhooks.due() == []
    assert await stores.webhooks.claim(0, "two", LEASE) == []
    await stores.webhooks.release(place, "one")
    assert (await claimed(stores, "two")).position == 0
    assert not await stores.webhooks.move(place, "one", 1, LEASE)


async def test_it_goes_on_from_where_it_was_received(stores: Stores) -> None:
    await stores.webhooks.add(hook())
    await moved(stores, times=3)
    place = await claimed(stores)
    assert await stores.webhooks.move(place, "one", 2, LEASE)
    await stores.webhooks.release(place, "one")
    assert (await claimed(stores)).position == 2
    assert await stores.webhooks.move(place, "one", 3, LEASE)
    await stores.webhooks.release(place, "one")
    assert await stores.webhooks.due() == []


async def test_one_that_fails_is_left_alone_for_a_while(stores: Stores) -> None:
    await stores.webhooks.add(hook())
    await moved(stores)
    await stores.webhooks.fail(await claimed(stores), "one", "No answer.", pause=600)
    assert await stores.webhooks.due() == []
    (standing,) = await stores.webhooks.all("acme")
    assert standing.last_error == "No answer."
    assert standing.failing_since is not None
    assert await stores.webhooks.resume(hook().webhook_id)
    assert (await claimed(stores)).failures == 0


async def test_failures_are_counted_until_one_is_received(stores: Stores) -> None:
    await stores.webhooks.add(hook())
    await moved(stores)
    for failures in range(3):
        place = await claimed(stores)
        assert place.failures == failures
        assert await stores.webhooks.fail(place, "one", "No.", pause=0) >= 0
    place = await claimed(stores)
    assert await stores.webhooks.move(place, "one", 1, LEASE)
    (standing,) = await stores.webhooks.all("acme")
    assert (standing.failing_since, standing.last_error) == (None, None)


async def test_a_disabled_one_is_sent_nothing_and_loses_nothing(stores: Stores) -> None:
    await stores.webhooks.add(hook())
    await moved(stores)
    await stores.webhooks.disable(hook().webhook_id, "It is gone.")
    assert await stores.webhooks.due() == []
    assert await stores.webhooks.claim(0, "one", LEASE) == []
    assert await stores.webhooks.get(hook().webhook_id) == replace(hook(), disabled="It is gone.")
    await moved(stores)
    assert await stores.webhooks.resume(hook().webhook_id)
    assert await stores.webhooks.due() == [0]
    (standing,) = await stores.webhooks.all("acme")
    assert standing.behind == 2
    assert not await stores.webhooks.resume(hook(number=9).webhook_id)


async def test_whose_lease_has_ended_loses_the_place_to_the_next(
    postgres: Postgres, admin: asyncpg.Connection
) -> None:
    stores = Stores.of(postgres)
    await stores.webhooks.add(hook())
    await moved(stores)
    place = await claimed(stores)
    await admin.execute(SHORT)
    assert await stores.webhooks.move(place, "one", 0, LEASE)  # nobody else came
    await admin.execute(SHORT)
    await claimed(stores, "two")
    assert not await stores.webhooks.move(place, "one", 1, LEASE)
    assert await stores.webhooks.fail(place, "one", "No.", 0.0) == 0.0
    await stores.webhooks.release(place, "one")
    assert await stores.webhooks.claim(0, "one", LEASE) == []


@pytest.mark.parametrize("bad", ["a\0b", "half \ud800"])
async def test_any_reason_can_be_kept(stores: Stores, bad: str) -> None:
    await stores.webhooks.add(hook())
    await moved(stores)
    await stores.webhooks.fail(await claimed(stores), "one", bad, pause=0)
    await stores.webhooks.disable(hook().webhook_id, bad)
    (standing,) = await stores.webhooks.all("acme")
    assert standing.webhook.disabled

"""Webhooks from a real server to a real receiver, which may be away, and so may the server."""

from __future__ import annotations

import aiohttp

from tests.e2e.client import Client
from tests.e2e.process import server
from tests.receiver import Receiver, receiving

PRIVATE = {"TURNLOG_WEBHOOK_PRIVATE_ADDRESSES": "1"}
TURNS = 5


async def hooked(client: Client, receiver: Receiver) -> None:
    """A webhook for the receiver, of all that turns say."""
    body = {"url": receiver.url, "types": ["turn.*"]}
    async with client.http.post(f"{client.api}/webhooks", json=body) as answer:
        assert answer.status == 201, await answer.text()
        receiver.secret = (await answer.json())["secret"]


async def expected(client: Client, conversation_id: str) -> list[tuple[str, int]]:
    return [
        (conversation_id, event["offset"])
        for event in await client.log(conversation_id)
        if event["type"].startswith("turn.")
    ]


async def test_a_receiver_that_is_away_gets_everything_in_order_afterwards(
    database_url: str,
) -> None:
    url = ("--database-url", database_url)
    async with aiohttp.ClientSession() as http, receiving() as receiver:
        async with server(*url, env=PRIVATE) as running:
            client = Client(http, running.api)
            await hooked(client, receiver)
            conversation_id = await client.create()
            await client.turn(await client.say(conversation_id, "/say one"))
            first = await expected(client, conversation_id)
            assert [m.place for m in await receiver.has(len(first))] == first
            receiver.status = 503
            for _ in range(TURNS):
                await client.turn(await client.say(conversation_id, "/say more"))
            await running.says("deliveries.refused")
            running.kill()
        receiver.status = 200
        async with server(*url, env=PRIVATE) as running:
            client = Client(http, running.api)
            wanted = await expected(client, conversation_id)
            assert [m.place for m in await receiver.has(len(wanted))] == wanted
    assert len({m.id for m in receiver.messages}) == len(wanted)


async def test_a_private_address_is_not_sent_to_unless_that_is_allowed(database_url: str) -> None:
    async with (
        aiohttp.ClientSession() as http,
        receiving() as receiver,
        server("--database-url", database_url) as running,
    ):
        client = Client(http, running.api)
        await hooked(client, receiver)
        await client.turn(await client.say(await client.create(), "/say one"))
        await running.says("is an address of a private network")
        async with http.get(f"{running.api}/webhooks") as answer:
            (shown,) = (await answer.json())["webhooks"]
    assert shown["state"] == "failing"
    assert "private network" in shown["lastError"]
    assert receiver.tries == 0

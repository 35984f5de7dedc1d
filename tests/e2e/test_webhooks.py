"""Webhooks from a real server to a real receiver, which may be away, and so may the server."""

from __future__ import annotations

import asyncio
import os
import re
import sys

import aiohttp

from tests.e2e.client import Client
from tests.e2e.process import ROOT, server
from tests.receiver import Receiver, receiving

PRIVATE = {"TURNLOG_WEBHOOK_PRIVATE_ADDRESSES": "1"}
TURNS = 5
NOBODY = "01890000-0000-7000-8000-000000000000"


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


async def turnlog(*words: str) -> tuple[int, str]:
    """A command, on the database that it is told; its exit code, and what it says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "turnlog", *words,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **PRIVATE, "COLUMNS": "200"}, cwd=ROOT,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_an_operator_tries_a_webhook_out_and_resumes_it(database_url: str) -> None:
    url = ("--database-url", database_url)
    async with aiohttp.ClientSession() as http, receiving() as receiver:
        async with server(*url, env=PRIVATE) as running:
            client = Client(http, running.api)
            await hooked(client, receiver)
            receiver.status = 410
            conversation_id = await client.create()
            await client.turn(await client.say(conversation_id, "/say one"))
            await running.says("deliveries.disabled")
            wanted = await expected(client, conversation_id)
        code, listed = await turnlog("webhooks", "list", *url)
        assert code == 0
        assert "disabled: The receiver answered 410 Gone." in listed
        (webhook_id,) = set(re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", listed))
        code, told = await turnlog("webhooks", "test", webhook_id, *url)
        assert (code, "answered 410 Gone" in told) == (1, True)
        receiver.status = 200
        assert (await turnlog("webhooks", "test", webhook_id, *url))[0] == 0
        assert receiver.messages.pop().body["type"] == "webhook.test"
        assert (await turnlog("webhooks", "resume", webhook_id, *url))[0] == 0
        async with server(*url, env=PRIVATE):
            assert [m.place for m in await receiver.has(len(wanted))] == wanted
        code, told = await turnlog("webhooks", "resume", NOBODY, *url)
        assert (code, "There is no webhook" in told) == (1, True)


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

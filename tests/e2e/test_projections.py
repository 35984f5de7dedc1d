"""Projections of servers that are killed, and of several at work: nothing twice, nothing lost."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import aiohttp

from tests.e2e.client import Client
from tests.e2e.process import PATIENCE, server

ROUNDS = 3
SPEAKS = "/think hm /tokens 40 /delay 1"


async def shown(client: Client, path: str) -> Any:
    async with client.http.get(f"{client.api}{path}") as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def assert_usage_becomes_what_the_conversations_tell(client: Client) -> None:
    """Both are sums of what turns have cost; the one is written with them, the other follows."""
    listed = (await shown(client, "/conversations?limit=100"))["conversations"]
    told = {each["conversationId"]: each["usage"] for each in listed}
    counted: dict[str, Any] = {}
    async with asyncio.timeout(PATIENCE):
        while counted != told:
            groups = (await shown(client, "/usage?groupBy=conversation"))["groups"]
            counted = {group["conversationId"]: group["usage"] for group in groups}
            assert all(
                usage["outputTokens"] <= told[an_id]["outputTokens"]
                for an_id, usage in counted.items()
            )


async def test_usage_is_right_after_servers_were_killed(
    database_url: str, http: aiohttp.ClientSession
) -> None:
    chance = random.Random(5)
    turns: list[dict[str, Any]] = []
    for _ in range(ROUNDS):
        async with server("--database-url", database_url) as running:
            client = Client(http, running.api)
            turns += [await client.say(await client.create(), SPEAKS) for _ in range(8)]
            for turn in chance.sample(turns, 2):
                await client.turn(turn)
            running.kill()
            await running.gone()
    async with server("--database-url", database_url, "--workers", "2") as running:
        client = Client(http, running.api)
        for turn in turns:
            assert (await client.turn(turn))[-1].event == "turn.completed"
        await assert_usage_becomes_what_the_conversations_tell(client)

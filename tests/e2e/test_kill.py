"""A server that is killed at any moment has shown nothing that is not in the log."""

from __future__ import annotations

import asyncio
import random

import aiohttp
import pytest

from tests.e2e.client import Client, Frame
from tests.e2e.process import server

ROUNDS = 4
READERS = 3
CONVERSATIONS = 5


@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_what_a_client_saw_before_the_kill_is_in_the_log_afterwards(
    seed: int, database_url: str, http: aiohttp.ClientSession
) -> None:
    chance = random.Random(seed)
    seen: dict[str, list[list[Frame]]] = {}

    async with server("--database-url", database_url) as running:
        client = Client(http, running.api)
        enough = asyncio.Event()
        frames_left = chance.randrange(20, 400)

        async def read(conversation: str, frames: list[Frame]) -> None:
            nonlocal frames_left
            try:
                async for frame in client.follow(f"/conversations/{conversation}/events"):
                    frames.append(frame)
                    frames_left -= 1
                    if frames_left == 0:
                        enough.set()
            except aiohttp.ClientError:
                pass

        readers = []
        for _ in range(CONVERSATIONS):
            conversation = await client.create()
            await client.say(conversation, "/think hm, let me see /tokens 200 /delay 3")
            seen[conversation] = [[] for _ in range(READERS)]
            readers += [asyncio.create_task(read(conversation, it)) for it in seen[conversation]]
        await enough.wait()
        running.kill()
        await asyncio.gather(*readers)

    async with server("--database-url", database_url) as running:
        client = Client(http, running.api)
        for conversation, readings in seen.items():
            kept = client.follow(f"/conversations/{conversation}/events", follow="false")
            log = [frame async for frame in kept]
            assert [frame.offset for frame in log] == list(range(1, len(log) + 1))
            for frames in readings:
                assert frames == log[: len(frames)]

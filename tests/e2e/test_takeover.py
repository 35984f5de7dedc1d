"""A turn goes on when its server is gone."""

from __future__ import annotations

import aiohttp

from tests.e2e.client import Client
from tests.e2e.process import server

LONG = "/think let me see /tokens 100 /delay 10"


async def test_a_turn_goes_on_at_once_when_its_killed_server_is_started_again(
    database_url: str, http: aiohttp.ClientSession
) -> None:
    async with server("--database-url", database_url) as running:
        client = Client(http, running.api)
        conversation = await client.create()
        submitted = await client.say(conversation, LONG)
        path = f"/turns/{submitted['turnId']}/stream-events"
        seen = []
        async for frame in client.follow(path):
            seen.append(frame)
            if len(seen) == 20:
                running.kill()
                break
    async with server("--database-url", database_url) as running:
        client = Client(http, running.api)
        rest = await client.turn(submitted, after=seen[-1].offset)
        assert "turn.resumed" in [frame.event for frame in rest]
        assert rest[-1].event == "turn.completed"
        whole = await client.turn(submitted)
        assert whole == seen + rest


async def test_another_node_takes_over_the_turns_of_one_that_was_killed(
    database_url: str, http: aiohttp.ClientSession
) -> None:
    async with (
        server("--database-url", database_url) as doomed,
        server("--database-url", database_url) as other,
    ):
        client = Client(http, doomed.api)
        conversation = await client.create()
        submitted = await client.say(conversation, LONG)
        elsewhere = Client(http, other.api)
        frames = []
        async for frame in elsewhere.follow(f"/turns/{submitted['turnId']}/stream-events"):
            frames.append(frame)
            if len(frames) == 20:
                doomed.kill()
        assert frames[-1].event == "turn.completed"
        assert [frame.event for frame in frames].count("turn.resumed") == 1
        offsets = [frame.offset for frame in frames]
        assert offsets == list(range(offsets[0], offsets[0] + len(offsets)))

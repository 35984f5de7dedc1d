"""A real server and a provider: whoever must let go of the provider's stream does, in time.

What the provider's own trouble does to a turn is in `tests/runtime/test_provider_trouble.py`.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest

from tests.e2e.client import Client
from tests.e2e.process import Server, server
from tests.upstream import Gate, Reply, Say, Upstream

CLAUDE = {"modelProviderId": "anthropic", "modelProviderApi": "messages", "model": "claude"}
OBEYED_SECONDS = 1.0
HALF = 20


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as upstream:
        upstream.replies(Reply([Say("word " * 50)]))
        yield upstream


@pytest.fixture(autouse=True)
def gate(upstream: Upstream) -> Gate:
    """The provider stops here, in the middle of its answers."""
    return upstream.hold(HALF)


@pytest.fixture
def env(upstream: Upstream) -> Mapping[str, str]:
    return {
        "ANTHROPIC_API_KEY": "key",
        "ANTHROPIC_BASE_URL": upstream.url,
        "TURNLOG_NODE_TIMEOUT": "1",
    }


@pytest.fixture
async def running(database_url: str, env: Mapping[str, str]) -> AsyncIterator[Server]:
    async with server("--database-url", database_url, env=env) as running:
        yield running


@pytest.fixture
async def other(
    running: Server, database_url: str, env: Mapping[str, str], http: aiohttp.ClientSession
) -> AsyncIterator[Client]:
    """A client of another node, which was started later: the first runs what it is asked."""
    async with server("--database-url", database_url, env=env) as other:
        yield Client(http, other.api)


async def half_said(client: Client) -> dict[str, Any]:
    """A turn whose answer has begun, as seen by a client."""
    submitted = await client.say(await client.create(**CLAUDE), "Hello")
    async for frame in client.follow(f"/turns/{submitted['turnId']}/stream-events"):
        if frame.event == "message.delta":
            break
    return submitted


async def cancel(client: Client, submitted: Mapping[str, Any]) -> None:
    url = f"{client.api}/turns/{submitted['turnId']}/cancel"
    async with client.http.post(url) as answer:
        assert answer.status == 202, await answer.text()


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "elsewhere"])
async def test_a_cancel_closes_the_providers_stream_through_whichever_node_it_came(
    elsewhere: bool, upstream: Upstream, client: Client, other: Client
) -> None:
    submitted = await half_said(client)
    async with asyncio.timeout(OBEYED_SECONDS):
        await cancel(other if elsewhere else client, submitted)
        await upstream.until(lambda up: len(up.hangups) == 1)
    last = (await other.turn(submitted))[-1]
    assert last.event == "turn.cancelled"
    assert last.payload["usage"]["inputTokens"] > 0


async def test_a_node_that_wakes_up_hangs_up_and_commits_nothing(
    upstream: Upstream, gate: Gate, running: Server, client: Client, other: Client
) -> None:
    submitted = await half_said(client)
    running.process.send_signal(signal.SIGSTOP)
    await upstream.until(lambda up: len(up.requests) == 2)
    assert upstream.hangups == []
    async with asyncio.timeout(OBEYED_SECONDS):
        running.process.send_signal(signal.SIGCONT)
        await upstream.until(lambda up: len(up.hangups) == 1)
    gate.open()
    frames = await other.turn(submitted)
    assert frames[-1].event == "turn.completed"
    assert [frame.event for frame in frames].count("turn.resumed") == 1
    assert await client.turn(submitted) == frames
    assert upstream.violations == []

"""Projections of servers that are killed, and of several at work: nothing twice, nothing lost."""

from __future__ import annotations

import asyncio
import random
import sys
from typing import Any

import aiohttp
import asyncpg

from tests.e2e.client import Client
from tests.e2e.process import PATIENCE, ROOT, Server, clean_environment, server

ROUNDS = 3
SPEAKS = "/think hm /tokens 40 /delay 1"


async def shown(client: Client, path: str) -> Any:
    async with client.http.get(f"{client.api}{path}") as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def assert_usage_becomes_what_the_conversations_tell(client: Client) -> None:
    """Both are sums of what turns have cost; the one is written with them, the other follows."""
    told: dict[str, Any] = {}
    page = await shown(client, "/conversations?limit=100")
    while True:
        told |= {each["conversationId"]: each["usage"] for each in page["conversations"]}
        if page["nextCursor"] is None:
            break
        page = await shown(client, f"/conversations?limit=100&cursor={page['nextCursor']}")
    counted: dict[str, Any] = {}
    async with asyncio.timeout(PATIENCE):
        while counted != told:
            groups = (await shown(client, "/usage?groupBy=conversation&limit=1000"))["groups"]
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


async def turnlog(*words: str, url: str) -> tuple[int, str, str]:
    """A command of its own; its code, and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "turnlog", "projections", *words, "--database-url", url),
        cwd=ROOT,
        env={**clean_environment(), "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE):
        printed, told = await process.communicate()
    assert process.returncode is not None
    return process.returncode, printed.decode(), told.decode()


async def test_all_is_rebuilt_while_a_server_runs_and_reads_as_before(
    running: Server, client: Client, database_url: str
) -> None:
    over = asyncio.Event()

    async def talk() -> None:
        while not over.is_set():
            await client.turn(await client.say(await client.create(tags=["t"]), SPEAKS))

    talking = [asyncio.create_task(talk()) for _ in range(3)]
    for name in ("usage", "conversations", "turns", "usage"):
        code, _, told = await turnlog("rebuild", name, url=database_url)
        assert (code, told.splitlines()[-1]) == (0, f"{name} is what the log says.")
    over.set()
    await asyncio.gather(*talking)
    await assert_usage_becomes_what_the_conversations_tell(client)
    code, printed, _ = await turnlog("list", url=database_url)
    assert code == 0
    for name in ("conversations", "turns", "usage"):
        assert name in printed
    assert "stopped" not in printed
    connection = await asyncpg.connect(database_url)
    kept = await connection.fetch("SELECT DISTINCT generation FROM usage_entries")
    assert [generation for (generation,) in kept] == [3]
    await connection.close()


async def test_an_event_that_cannot_be_counted_stops_the_usage_there_until_it_is_resumed(
    database_url: str, running: Server, client: Client
) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute("ALTER TABLE usage_entries ADD CONSTRAINT nothing CHECK (turns = 0)")
    conversation = await client.create()
    await client.turn(await client.say(conversation, SPEAKS))
    await running.says("projection.stopped")
    assert "tokens" not in "".join(line for line in running.said if "projection.stopped" in line)

    code, printed, _ = await turnlog("list", url=database_url)
    assert code == 0
    assert f"of {conversation}: CheckViolationError" in printed
    assert "turnlog projections resume usage" in printed
    assert (await turnlog("rebuild", "usage", url=database_url))[0] == 1
    await client.turn(await client.say(await client.create(), SPEAKS))

    await connection.execute("ALTER TABLE usage_entries DROP CONSTRAINT nothing")
    code, _, told = await turnlog("resume", "usage", url=database_url)
    assert (code, "tries again" in told) == (0, True)
    await assert_usage_becomes_what_the_conversations_tell(client)
    assert "has not stopped" in (await turnlog("resume", "usage", url=database_url))[2]
    await connection.close()


async def test_what_is_not_there_is_told_with_what_is(database_url: str) -> None:
    for command in ("rebuild", "resume"):
        code, _, told = await turnlog(command, "everything", url=database_url)
        assert code == 1
        assert "There are: conversations, turns, search, usage" in told

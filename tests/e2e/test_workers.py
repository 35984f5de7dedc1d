"""`serve --workers`: several nodes on one port, kept alive by their parent."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import psutil
import pytest

from tests.e2e.client import Client, Frame
from tests.e2e.process import READY, Server, server

WORKERS = 3
LONG = "/think let me see /tokens 100 /delay 10"
SHORT = "/say hello /delay 0"
_PID = (1 << 22) - 1  # see `turnlog.adapters.processes`


@pytest.fixture
async def running(database_url: str) -> AsyncIterator[Server]:
    async with server("--database-url", database_url, "--workers", str(WORKERS)) as running:
        await running.says("worker.serves", WORKERS)
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A connection for each request, so that no worker is preferred."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        yield session


def workers(running: Server) -> set[int]:
    """Their process ids."""
    return {child.pid for child in psutil.Process(running.process.pid).children()}


async def kill_worker(running: Server, pid: int) -> None:
    """End it as a power cut would; its parent has seen that when this returns."""
    buried = sum("worker.ended" in line for line in running.said)
    os.kill(pid, signal.SIGKILL)
    await running.says("worker.ended", buried + 1)


async def process_of(node: str, database_url: str) -> int:
    connection = await asyncpg.connect(database_url)
    try:
        found = await connection.fetchval("SELECT process FROM nodes WHERE node = $1", node)
    finally:
        await connection.close()
    return int(found) & _PID


async def until_it_ends(client: Client, submitted: dict[str, Any]) -> AsyncIterator[Frame]:
    """The turn's frames for a reader who comes back, with its cursor, when it was cut off."""
    path = f"/turns/{submitted['turnId']}/stream-events"
    after: int | None = None
    ended = False
    while not ended:
        try:
            async for frame in client.follow(path, after):
                after, ended = frame.offset, frame.event == "turn.completed"
                yield frame
        except aiohttp.ClientError:
            pass


async def test_requests_go_on_while_workers_are_killed_and_replaced(
    running: Server, client: Client
) -> None:
    first = workers(running)
    for killed, pid in enumerate(first):
        await kill_worker(running, pid)
        for _ in range(2 * WORKERS):
            frames = await client.turn(await client.say(await client.create(), SHORT))
            assert frames[-1].event == "turn.completed"
        await running.says("worker.serves", WORKERS + killed + 1)
    assert len(workers(running)) == WORKERS
    assert not workers(running) & first
    assert sum(READY in line for line in running.said) == 1


async def test_the_turns_of_a_killed_worker_go_on_and_so_do_their_readers(
    running: Server, client: Client, database_url: str
) -> None:
    submitted = await client.say(await client.create(), LONG)
    node = ""
    frames: list[Frame] = []
    async for frame in until_it_ends(client, submitted):
        frames.append(frame)
        if frame.event == "turn.started":
            node = frame.payload["node"]
        if len(frames) == 20:
            await kill_worker(running, await process_of(node, database_url))
    resumed = [frame.payload for frame in frames if frame.event == "turn.resumed"]
    assert [payload["attempt"] for payload in resumed] == [2]
    assert resumed[0]["node"] != node
    offsets = [frame.offset for frame in frames]
    assert offsets == list(range(offsets[0], offsets[0] + len(offsets)))
    assert await client.turn(submitted) == frames


@pytest.mark.parametrize("to_all", [False, True], ids=["to the parent", "to all"])
async def test_a_stop_ends_streams_cleanly_lets_turns_finish_and_leaves_no_process(
    to_all: bool, running: Server, client: Client, database_url: str
) -> None:
    """A terminal, and a service manager, signal the workers too: that is no second signal."""
    begun = asyncio.Semaphore(0)
    conversations = [await client.create() for _ in range(2 * WORKERS)]

    async def read(conversation: str) -> None:
        await client.say(conversation, "/tokens 40 /delay 10")
        async for frame in client.follow(f"/conversations/{conversation}/events"):
            if frame.event == "message.started":
                begun.release()

    readings = [asyncio.create_task(read(conversation)) for conversation in conversations]
    for _ in readings:
        await begun.acquire()
    for pid in (running.process.pid, *(workers(running) if to_all else ())):
        os.kill(pid, signal.SIGINT)
    assert await running.process.wait() == 0
    await running.gone()
    await asyncio.gather(*readings)
    async with server("--database-url", database_url) as later:
        for conversation in conversations:
            log = await Client(client.http, later.api).log(conversation)
            assert [event.get("attempt", 1) for event in log] == [1] * len(log)
            assert log[-1]["type"] == "turn.completed"


async def test_a_second_signal_ends_all_at_once(running: Server, client: Client) -> None:
    await client.say(await client.create(), "/tokens 1000 /delay 1000")
    running.process.send_signal(signal.SIGTERM)
    await running.says("server.stopping", WORKERS)
    running.process.send_signal(signal.SIGTERM)
    assert await running.process.wait() == 0
    await running.gone()


async def test_workers_do_not_outlive_a_parent_that_was_killed(running: Server) -> None:
    running.kill()
    await running.gone()
    assert await running.process.wait() == -signal.SIGKILL


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder; pytest's own are closed to PostgreSQL's account by the next run of pytest."""
    with tempfile.TemporaryDirectory(prefix="turnlog-workers-") as name:
        yield Path(name)


async def test_workers_share_the_embedded_database_and_stop_it_when_they_leave(
    folder: Path, http: aiohttp.ClientSession
) -> None:
    async with server("--data-dir", str(folder), "--workers", "2") as running:
        await running.says("worker.serves", 2)
        client = Client(http, running.api)
        frames = await client.turn(await client.say(await client.create(), SHORT))
        assert frames[-1].event == "turn.completed"
        for pid in workers(running):
            await kill_worker(running, pid)
        await running.says("worker.serves", 4)
        assert len(await client.log(await client.create())) == 1
        assert await running.stop() == 0
        await running.gone()
    assert not (folder / "postgres" / "postmaster.pid").exists()

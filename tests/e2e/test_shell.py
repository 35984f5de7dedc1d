"""A server that lets agents run commands: they end with their turn, and with the server."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import aiohttp
import psutil
import pytest

from tests.e2e.client import Client, Frame
from tests.e2e.process import ROOT, Server, server
from tests.processes import kill_all, marked, new_mark, wait_until_gone
from tests.tools.shells import confined_or_skipped

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="commands run on Linux only")


@pytest.fixture
def mark() -> Iterator[str]:
    mark = new_mark()
    yield mark
    kill_all(mark)


@pytest.fixture
def allowed(tmp_path: Path) -> Mapping[str, str]:
    """Settings with which commands may be run, confined."""
    confined_or_skipped()
    return {"TURNLOG_WORKSPACE": str(tmp_path), "TURNLOG_SHELL": "confined"}


@pytest.fixture
async def running(database_url: str, allowed: Mapping[str, str]) -> AsyncIterator[Server]:
    async with server("--database-url", database_url, env=allowed) as running:
        yield running


async def run(client: Client, command: str) -> tuple[str, str, AsyncIterator[Frame]]:
    """Let the model run it: the ids of the conversation and the turn, and what happens in it."""
    conversation = await client.create(tools=["shell"])
    message = f"/delay 0 /call shell {json.dumps({'command': command})}"
    submitted = await client.say(conversation, message)
    path = f"/turns/{submitted['turnId']}/stream-events"
    return conversation, submitted["turnId"], client.follow(path)


async def test_what_a_command_says_is_streamed(
    running: Server, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    command = "echo go; while [ ! -e go ]; do sleep 0.01; done; pwd; exit 3"
    _, _, frames = await run(Client(http, running.api), command)
    told = ""
    async for frame in frames:
        if frame.event == "tool_call.output_delta":
            told += frame.payload["delta"]
            (tmp_path / "go").touch()
        if frame.event == "tool_call.completed":
            assert (frame.payload["status"], frame.payload["output"]) == ("ok", told)
    assert told == "go\n/workspace\n[exit code 3]"


async def test_cancelling_a_turn_ends_every_process_of_its_command(
    running: Server, http: aiohttp.ClientSession, mark: str
) -> None:
    command = f"(setsid sleep {mark} &); trap '' TERM; echo ready; sleep {mark}"
    _, turn, frames = await run(Client(http, running.api), command)
    seen: list[Frame] = []
    async for frame in frames:
        seen.append(frame)
        if frame.event == "tool_call.output_delta":
            assert marked(mark)
            async with http.post(f"{running.api}/turns/{turn}/cancel") as answer:
                assert answer.status == 202
    results = [frame.payload for frame in seen if frame.event == "tool_call.completed"]
    assert [result["status"] for result in results] == ["cancelled"]
    assert seen[-1].event == "turn.cancelled"
    await asyncio.to_thread(wait_until_gone, mark)


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_commands_end_with_their_server_and_are_not_run_again(
    workers: str,
    database_url: str,
    allowed: Mapping[str, str],
    http: aiohttp.ClientSession,
    mark: str,
    tmp_path: Path,
) -> None:
    flags = ("--database-url", database_url, "--workers", workers)
    command = f"echo ran >> runs; (setsid sleep {mark} &); echo ready; sleep {mark}"
    async with server(*flags, env=allowed) as running:
        conversation, turn, frames = await run(Client(http, running.api), command)
        while (await anext(frames)).event != "tool_call.output_delta":
            pass
        assert marked(mark)
        workers_of = psutil.Process(running.process.pid).children() if workers != "1" else []
        running.kill()
        for worker in workers_of:
            worker.kill()
        await asyncio.to_thread(wait_until_gone, mark)
    async with server(*flags, env=allowed) as running:
        client = Client(http, running.api)
        rest = [frame async for frame in client.follow(f"/turns/{turn}/stream-events")]
        assert rest[-1].event == "turn.completed"
        log = await client.log(conversation)
        (result,) = [event for event in log if event["type"] == "tool_call.completed"]
        assert result["status"] == "unknown"
        assert result["output"].startswith("ready\n")
    assert (tmp_path / "runs").read_text() == "ran\n"


async def test_shell_is_off_unless_it_is_allowed(
    database_url: str, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    env = {"TURNLOG_WORKSPACE": str(tmp_path)}
    async with server("--database-url", database_url, env=env) as running:
        client = Client(http, running.api)
        with pytest.raises(AssertionError, match="TURNLOG_SHELL"):
            await client.create(tools=["shell"])


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_confinement_that_cannot_be_had_ends_with_code_2_and_why(
    workers: str, tmp_path: Path
) -> None:
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'No permissions' >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    code, said = await refused("--workers", workers, "--database-url", "postgresql://nowhere", env={
        "TURNLOG_WORKSPACE": str(tmp_path), "TURNLOG_SHELL": "confined",
        "PATH": f"{tmp_path}:/usr/bin:/bin",
    })  # fmt: skip
    assert code == 2
    assert said.count("TURNLOG_SHELL is 'confined': a command that was tried did not run") == 1
    assert "No permissions" in said


async def test_commands_may_not_reach_the_log(tmp_path: Path) -> None:
    code, said = await refused("--data-dir", str(tmp_path / "data"), env={
        "TURNLOG_WORKSPACE": str(tmp_path), "TURNLOG_SHELL": "unconfined", "PATH": "/usr/bin:/bin",
    })  # fmt: skip
    assert code == 2
    assert "TURNLOG_DATA_DIR lies in TURNLOG_WORKSPACE" in said
    assert not (tmp_path / "data").exists()


async def refused(*flags: str, env: Mapping[str, str]) -> tuple[int | None, str]:
    """The exit code of a server that does not start, and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "turnlog", "serve", "--port", "0", *flags,
        cwd=ROOT, env=env, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await process.communicate()
    return process.returncode, " ".join(said.decode().split())

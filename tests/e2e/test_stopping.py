"""Starting and stopping: what a process says, and the code with which it ends."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.client import Client, Frame
from tests.e2e.process import ROOT, server


async def test_a_stop_lets_turns_finish_and_ends_streams_cleanly(
    database_url: str, http: aiohttp.ClientSession
) -> None:
    async with server("--database-url", database_url) as running:
        client = Client(http, running.api)
        conversation = await client.create()
        submitted = await client.say(conversation, "/tokens 40 /delay 10")
        frames: list[Frame] = []
        async for frame in client.follow(f"/conversations/{conversation}/events"):
            frames.append(frame)
            if frame.event == "message.started":
                running.process.send_signal(signal.SIGTERM)
        assert frames[-1].event == "turn.completed"
        assert frames[-1].payload["turnId"] == submitted["turnId"]
        assert await running.process.wait() == 0


async def test_a_second_signal_ends_the_process_at_once(
    database_url: str, http: aiohttp.ClientSession
) -> None:
    async with server("--database-url", database_url) as running:
        client = Client(http, running.api)
        conversation = await client.create()
        await client.say(conversation, "/tokens 1000 /delay 1000")
        running.process.send_signal(signal.SIGTERM)
        await running.says("server.stopping")
        running.process.send_signal(signal.SIGTERM)
        assert await running.process.wait() == 0


async def test_bad_settings_end_with_code_2_and_name_what_is_wrong() -> None:
    code, said = await _run("--port", "99999", env={"TURNLOG_WORKSPCAE": "/"})
    assert code == 2
    assert "--port" in said
    assert "did you mean TURNLOG_WORKSPACE?" in said


@pytest.mark.parametrize("workers", ["1", "3"])
async def test_a_port_that_is_taken_is_told_at_once(workers: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, said = await _run("--workers", workers, "--port", str(taken.getsockname()[1]))
    assert code == 2
    assert said.count("in use") == 1


async def test_a_workspace_that_is_none_ends_with_code_2(tmp_path: Path) -> None:
    for folder, why in ((tmp_path / "gone", "No such file"), (Path(__file__), "Not a directory")):
        env = {"TURNLOG_WORKSPACE": str(folder)}
        code, said = await _run("--ephemeral", "--port", "0", env=env)
        assert (code, f"TURNLOG_WORKSPACE is '{folder}': {why}" in said) == (2, True), said


@pytest.mark.parametrize("workers", ["1", "3"])
async def test_a_database_that_is_not_there_ends_with_code_3_without_its_password(
    workers: str,
) -> None:
    nowhere = "postgresql://someone:secret@127.0.0.1:1/none"
    code, said = await _run("--workers", workers, "--database-url", nowhere)
    assert code == 3
    assert said.count("turnlog has no database") == 1
    assert "secret" not in said


async def test_an_ephemeral_server_needs_no_database(http: aiohttp.ClientSession) -> None:
    async with server("--ephemeral") as running:
        client = Client(http, running.api)
        conversation = await client.create()
        frames = await client.turn(await client.say(conversation, "/say hello /delay 0"))
        assert frames[-1].event == "turn.completed"


async def _run(*flags: str, env: dict[str, str] | None = None) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "turnlog",
        "serve",
        *flags,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **(env or {})},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    return process.returncode, said.decode()

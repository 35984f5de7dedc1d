"""MCP servers are processes of their node, and end with it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.process import PATIENCE, server

# It neither speaks MCP nor minds that nobody listens; what it leaves behind is found by its name.
DEAF = "sleep {name} & sleep {name}"


def running(name: str) -> list[str]:
    """The processes that have the name in their command line."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if folder.name.isdigit() and words[:1] == [b"sleep"] and name.encode() in words:
            found.append(folder.name)
    return found


@pytest.mark.parametrize("ended", ["killed", "stopped"])
async def test_a_server_that_listens_to_nobody_ends_with_its_node(
    tmp_path: Path, ended: str
) -> None:
    name = f"90{abs(hash(tmp_path)) % 1_000_000}"
    config = tmp_path / "servers.json"
    deaf = {"command": "sh", "args": ["-c", DEAF.format(name=name)]}
    config.write_text(json.dumps({"mcpServers": {"deaf": deaf}}))
    async with (
        server("--ephemeral", env={"TURNLOG_MCP_SERVERS": str(config)}) as node,
        aiohttp.ClientSession() as http,
        asyncio.timeout(PATIENCE),
    ):
        asking = asyncio.create_task(http.get(f"{node.api}/tools"))
        while len(running(name)) < 2:  # noqa: ASYNC110 - they are no children of ours
            await asyncio.sleep(0.01)
        if ended == "killed":
            node.kill()
            await node.gone()
        else:
            await node.stop()
        while running(name):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

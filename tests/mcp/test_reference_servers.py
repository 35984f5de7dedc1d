"""Servers of other people's making: one in Python, and one in another SDK, over both transports."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

import pytest

from tests.mcp.calling import PATIENCE, call, heard, refusal
from tests.mcp.conftest import Serve
from tests.mcp.over_http import free_port, url_of
from turnlog.adapters.mcp import HttpWire, StdioWire

ROOT = Path(__file__).parents[2]
EVERYTHING = (
    ROOT / "tests/clients/node_modules/@modelcontextprotocol/server-everything/dist/index.js"
)
needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not EVERYTHING.exists(),
    reason="needs Node and its `server-everything`, which `make test` installs where npm is",
)


async def test_the_time_is_told_by_the_reference_server(connect: Serve) -> None:
    arguments = ["-m", "mcp_server_time", "--local-timezone", "UTC"]
    server = connect(lambda: StdioWire(sys.executable, arguments))
    names = [found.spec.name for found in await server.tools()]
    assert names == ["test__get_current_time", "test__convert_time"]
    told = await call(
        server,
        "convert_time",
        source_timezone="Europe/Berlin",
        time="12:00",
        target_timezone="Asia/Kathmandu",
    )
    assert "Asia/Kathmandu" in told
    assert "Nowhere" in await refusal(server, "get_current_time", timezone="Nowhere")


@needs_node
async def test_everything_is_understood_over_standard_streams(connect: Serve) -> None:
    server = connect(lambda: StdioWire("node", [str(EVERYTHING), "stdio"]))
    assert await call(server, "echo", message="hello") == "Echo: hello"
    assert "not shown" in await call(server, "get-tiny-image")
    output, pieces = await heard(server, "trigger-long-running-operation", duration=0.1, steps=2)
    assert pieces == []  # it counts, and says nothing
    assert "completed" in output


@needs_node
async def test_everything_is_understood_over_http(connect: Serve) -> None:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        "node",
        str(EVERYTHING),
        "streamableHttp",
        env={"PORT": str(port), "PATH": "/usr/bin:/bin"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            while b"listening" not in await process.stderr.readline():
                assert process.returncode is None
        server = connect(lambda: HttpWire(url_of(port)))
        assert await call(server, "echo", message="hello") == "Echo: hello"
        await server.close()
    finally:
        process.kill()
        await process.communicate()

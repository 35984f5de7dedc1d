"""Calling the tools of a server as a turn does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from turnlog.adapters.mcp import McpServer
from turnlog.domain.errors import ToolFailed
from turnlog.domain.ports import Tool

PATIENCE = 30.0  # seconds; nothing here takes so long unless it fails


async def tool(server: McpServer, name: str) -> Tool:
    """The server's tool, by the server's own name for it."""
    tools = {tool.spec.name: tool for tool in await server.tools()}
    return tools[f"{server.name}__{name}"]


async def call(server: McpServer, name: str, **arguments: Any) -> str:
    """What the model is told."""
    return (await heard(server, name, **arguments))[0]


async def heard(server: McpServer, name: str, **arguments: Any) -> tuple[str, list[str]]:
    """What the model is told, and the pieces in which it was told before."""
    pieces: list[str] = []

    async def hear(piece: str) -> None:
        pieces.append(piece)

    found = await tool(server, name)
    async with asyncio.timeout(PATIENCE):
        return await found.run(arguments, "turn/call", hear), pieces


async def refusal(server: McpServer, name: str, **arguments: Any) -> str:
    """What the model is told when the call fails, as it must."""
    with pytest.raises(ToolFailed) as failed:
        await call(server, name, **arguments)
    return str(failed.value)


async def unlisted(server: McpServer) -> str:
    """Why the tools are not told, as they must not be."""
    with pytest.raises(ToolFailed) as failed:
        async with asyncio.timeout(PATIENCE):
            await server.tools()
    return str(failed.value)


async def given_up(server: McpServer, name: str, **arguments: Any) -> None:
    """Call the tool, and cancel the call when it is under way."""
    found = await tool(server, name)

    async def unheard(_: str) -> None:
        pass

    running = asyncio.create_task(found.run(arguments, "turn/call", unheard))
    await call(server, "pid")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

"""A server of tools that does all that a server should not.

Run by its path, as operators run servers: over its standard streams, or over HTTP on a socket
whose number it is given.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

server = MCPServer("troublesome", log_level="CRITICAL")


@server.tool()
def say(text: str) -> CallToolResult:
    """Say it."""
    return CallToolResult(content=[TextContent(text=text)])


@server.tool()
def pid() -> CallToolResult:
    """The number of this process."""
    return say(str(os.getpid()))


@server.tool()
def environment() -> CallToolResult:
    """The names of the variables."""
    return say(json.dumps(dict(os.environ)))


@server.tool()
def key(context: Context) -> CallToolResult:
    """What came with the request, and is no argument."""
    return say(str((context.request_context.meta or {}).get("turnlog/idempotencyKey")))


@server.tool()
def crash() -> None:
    """End without a word."""
    os._exit(7)


@server.tool()
async def hang(path: str) -> None:
    """Never answer, and note in a file that it was told to stop."""
    try:
        await asyncio.Event().wait()
    finally:
        os.close(os.open(path, os.O_CREAT))


@server.tool()
async def freeze() -> None:
    """Never answer, and hear nothing either."""
    time.sleep(3600)  # noqa: ASYNC251 - that is the trouble


@server.tool()
async def grow(context: Context) -> None:
    """Get one tool more, and say so."""
    server.add_tool(pid, name="grown")
    await context.session.send_tool_list_changed()


@server.tool()
async def report(context: Context, steps: int, size: int) -> CallToolResult:
    """Say how far it is."""
    for step in range(1, steps + 1):
        await context.report_progress(step, steps, f"{step:04}".rjust(size, "."))
    return say("done")


@server.tool()
async def report_and_fail(context: Context) -> None:
    """Say how far it is, and fail."""
    await context.report_progress(1, 2, "half")
    raise ToolError("The other half is missing.")


@server.tool()
def huge(size: int) -> CallToolResult:
    """So many letters."""
    return say("x" * size)


@server.tool()
def pictures() -> CallToolResult:
    """All that is no text."""
    return CallToolResult(
        content=[
            TextContent(text="NUL: \0"),
            ImageContent(data="QUJD" * 1000, mime_type="image/png"),
            AudioContent(data="QUI=", mime_type="audio/wav"),
            EmbeddedResource(resource=TextResourceContents(uri="file:///a", text="embedded")),
            EmbeddedResource(resource=BlobResourceContents(uri="file:///b", blob="QQ==")),
            ResourceLink(uri="https://example.org/c", name="linked"),
        ]
    )


@server.tool()
def structured() -> CallToolResult:
    """No content that is meant for models."""
    return CallToolResult(content=[], structured_content={"temperature": 21.5})


class Answer(BaseModel):
    """What a person would be asked for."""

    sure: bool


@server.tool()
async def ask(context: Context) -> CallToolResult:
    """Ask a person, which cannot be done here."""
    answered = await context.elicit("Are you sure?", Answer)
    return say(answered.action)


@server.tool()
def leave_child_behind() -> CallToolResult:
    """Start a process that outlives this one, and holds its standard output open."""
    return say(str(subprocess.Popen(["sleep", "3600"]).pid))


class Guarded:
    """Lets nobody in without the header."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            header = Request(scope).headers.get("authorization")
            if header != "Bearer right":
                await Response(status_code=401)(scope, receive, send)
                return
        await self._app(scope, receive, send)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        import uvicorn  # over standard streams it is not needed

        app = server.streamable_http_app(json_response="json" in sys.argv)
        served = Guarded(app) if "guarded" in sys.argv else app
        config = uvicorn.Config(served, log_level="critical", timeout_graceful_shutdown=1)
        uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
    else:
        server.run()

"""A server of tools over standard input and output, with the SDK's server side.

Run by turnlog, if TURNLOG_MCP_SERVERS names servers.json beside this file. The notes are
kept in memory, and lost when it ends.
"""

from __future__ import annotations

from typing import Annotated

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

server = MCPServer("notes", instructions="Notes that last as long as the server does.")
notes: dict[str, str] = {}


@server.tool(annotations=ToolAnnotations(idempotent_hint=True))
def write_note(
    title: Annotated[str, Field(description="What the note is found by.")],
    text: Annotated[str, Field(description="What it says.")],
) -> str:
    """Write a note; one of the same title is replaced."""
    notes[title] = text
    return f"There are {len(notes)} notes now."


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def read_note(title: str) -> str:
    """Read a note."""
    if title not in notes:
        raise ToolError(f"There is no note '{title}', only: {', '.join(sorted(notes)) or 'none'}.")
    return notes[title]


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
async def count_words(context: Context) -> int:
    """Count the words of all notes, and say how far it is."""
    words = 0
    for number, (title, text) in enumerate(sorted(notes.items()), 1):
        words += len(text.split())
        await context.report_progress(number, len(notes), f"{title}: {words} words so far")
        await anyio.lowlevel.checkpoint()
    return words


if __name__ == "__main__":
    server.run()

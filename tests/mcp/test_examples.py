"""The example file and its server, joined to a node as an operator does it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from turnlog.bootstrap import open_node
from turnlog.config import BadSettings, Settings

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/mcp/servers.json"


async def test_the_example_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PYTHON", sys.executable)
    pieces: list[str] = []

    async def hear(piece: str) -> None:
        pieces.append(piece)

    async with open_node(Settings(ephemeral=True, mcp_servers=EXAMPLE)) as node:
        (server,) = node.parts.servers.values()
        tools = {tool.spec.name: tool for tool in await server.tools()}
        assert list(tools) == ["notes__write_note", "notes__read_note", "notes__count_words"]
        assert all(tool.spec.repeatable for tool in tools.values())
        assert {tool.spec.seconds for tool in tools.values()} == {20.0}
        write = tools["notes__write_note"]
        assert "1 notes" in await write.run({"title": "a", "text": "b c"}, "key", hear)
        assert await tools["notes__count_words"].run({}, "key", hear) == "a: 2 words so far\n2"
    assert pieces == ["a: 2 words so far\n", "2"]


async def test_a_node_without_the_file_has_no_servers() -> None:
    async with open_node(Settings(ephemeral=True)) as node:
        assert node.parts.servers == {}


async def test_a_node_does_not_open_with_a_file_that_cannot_be(tmp_path: Path) -> None:
    path = tmp_path / "servers.json"
    path.write_text("{}")
    with pytest.raises(BadSettings, match="has no object 'mcpServers'"):
        async with open_node(Settings(ephemeral=True, mcp_servers=path)):
            pass

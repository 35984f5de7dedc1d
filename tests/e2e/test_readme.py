"""The README's commands do what it says that they do."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from tests.e2e.process import ROOT, server

BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)


async def test_the_commands_of_the_readme_run_as_they_stand(database_url: str) -> None:
    create, resume, log = blocks("README.md")
    (wait,) = blocks("docs/tools.md")
    workspace = {"TURNLOG_WORKSPACE": "examples/workspace"}
    async with server("--database-url", database_url, env=workspace) as running:
        create, wait = (re.sub(r"API=\S+", f"API={running.api}", each) for each in (create, wait))
        output = await _shell("\necho ======\n".join([create, resume, log, wait]))
    first, rest, lines, waited = output.split("======\n")
    assert "event: thinking.delta" in first
    assert "event: tool_call.requested" in first
    assert "glossary.md" in first
    assert re.search(r"event: turn\.completed\ndata: .*\n\n$", first)
    assert first.endswith(rest.partition("retry: 3000\n")[2])
    assert re.findall(r"^id: (\d+)$", rest, re.MULTILINE)[0] == "8"
    offsets = [json.loads(line)["offset"] for line in lines.splitlines()]
    assert offsets == list(range(1, len(offsets) + 1))
    assert '"kind":"result","name":"weather"' in waited
    assert '"kind":"approval","name":"readFile"' in waited
    assert "12 °C" in waited
    assert "event: tool_call.approved" in waited
    assert re.search(r"event: turn\.completed\ndata: .*\n\n$", waited)


async def test_the_line_that_the_server_prints_works_as_it_stands(database_url: str) -> None:
    async with server("--database-url", database_url) as running:
        await running.says("event-stream'")
        lines = (
            "".join(running.said)
            .partition("in another terminal:\n")[2]
            .replace("/events -H", "/events?follow=false -H")
        )
        assert "event: conversation.created" in await _shell(lines)


@pytest.mark.parametrize(
    "path", ["docs/decisions", "docs/tools.md", "CONTRIBUTING.md", "CHANGELOG.md"]
)
def test_what_the_readme_links_to_is_there(path: str) -> None:
    assert f"]({path})" in (ROOT / "README.md").read_text()
    assert (ROOT / path).exists()


def blocks(document: str) -> list[str]:
    """The commands that a document shows."""
    return BLOCK.findall((ROOT / document).read_text())


async def _shell(script: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "bash", "-euc", script, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()

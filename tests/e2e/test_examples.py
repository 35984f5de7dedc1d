"""The examples do what they say, as programs of their own."""

from __future__ import annotations

import asyncio
import sys

import pytest

from tests.e2e.process import PATIENCE, ROOT, server

WORKSPACE = {"TURNLOG_WORKSPACE": "examples/workspace"}


async def run(*words: str, said: str = "") -> str:
    """What the program prints, given what a person types."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *words,
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE):
        output, _ = await process.communicate(said.encode())
    assert process.returncode == 0
    return output.decode()


@pytest.mark.parametrize(
    ("typed", "listed"), [("y\n", "welcome.md"), ("n\n", "cancelled")], ids=["allowed", "denied"]
)
async def test_a_caller_runs_its_own_tool_and_asks_a_person_before_another(
    typed: str, listed: str
) -> None:
    async with server("--ephemeral", env=WORKSPACE) as running:
        output = await run("examples/caller/agent.py", running.api, said=typed)
    assert "It is 18 °C in the kitchen." in output
    assert "May it call listFiles {}? [y/n]" in output
    assert listed in output
    assert output.endswith("[turn.completed]\n")

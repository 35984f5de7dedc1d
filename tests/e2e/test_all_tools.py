"""Tools of every kind in one step, on every provider's API."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import aiohttp

from tests.e2e.client import Client
from tests.e2e.process import server
from tests.e2e.test_providers import APIS, served_by
from tests.e2e.test_waiting import WEATHER, allowed, decide, provide, until, wanted
from tests.tools.shells import confined_or_skipped
from tests.upstream import Call, Reply, Say, Think, Upstream

TOOLS: list[Any] = [
    WEATHER,
    "readFile",
    "writeFile",
    {"type": "builtin", "name": "shell", "approval": "always"},
    "order_status",
    {"type": "mcp", "server": "notes"},
]
CALLS = [
    Call("weather", {"city": "Rome"}),
    Call("readFile", {"filePath": "welcome.md"}),
    Call("writeFile", {"filePath": "new.md", "content": "New.\n"}),
    Call("shell", {"command": "cat welcome.md"}),
    Call("order_status", {"order_id": "A-1001"}),
    Call("order_status", {"order_id": 7}),
    Call("notes__write_note", {"title": "a", "text": "b"}),
    Call("fly", {}),
]
EXPECTED = {
    "weather": ("ok", "20 °C"),
    "readFile": ("ok", "Welcome."),
    "writeFile": ("ok", "new.md"),
    "shell": ("ok", "Welcome."),
    "notes__write_note": ("ok", "There are 1 notes now."),
    "fly": ("error", "There is no tool 'fly'"),
}


async def all_at_once(
    upstream: Upstream, client: Client, model: dict[str, str]
) -> list[dict[str, Any]]:
    upstream.replies(Reply([Think("All of them."), *CALLS]), Reply([Think("So."), Say("Done.")]))
    conversation = await client.create(**model, tools=TOOLS, reasoning={"effort": "high"})
    turn = await client.say(conversation, "Do everything.")
    seen = await until(client, turn, "turn.requires_action")
    calls = await wanted(client, turn)
    assert set(calls) == {"weather", "shell"}
    assert (await decide(client, turn, allowed(calls["shell"])))[0] == 202
    seen = await until(client, turn, "turn.requires_action", seen[-1].offset)
    assert (await provide(client, turn, **{calls["weather"]: "20 °C"}))[0] == 202
    assert (await client.turn(turn, after=seen[-1].offset))[-1].event == "turn.completed"
    return await client.log(conversation)


def outcomes(log: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    names = {
        event["callId"]: event["name"] for event in log if event["type"] == "tool_call.started"
    }
    return [
        (names[event["callId"]], event["status"], event["output"])
        for event in log
        if event["type"] == "tool_call.completed"
    ]


async def test_tools_of_every_kind_go_together_on_each_api(
    database_url: str, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    confined_or_skipped()
    (tmp_path / "welcome.md").write_text("Welcome.\n")
    env = {
        "TURNLOG_SHELL": "confined",
        "TURNLOG_TOOLS": "examples/tools/orders.py",
        "TURNLOG_MCP_SERVERS": "examples/mcp/servers.json",
        "PYTHON": sys.executable,
    }
    logs = []
    async with Upstream() as upstream:
        for model in APIS:
            # Each with a tool server of its own, whose notes are new.
            said = env | served_by(upstream, model) | {"TURNLOG_WORKSPACE": str(tmp_path)}
            async with server("--database-url", database_url, env=said) as running:
                logs.append(await all_at_once(upstream, Client(http, running.api), model))
        assert upstream.violations == []
    for log in logs:
        told = outcomes(log)
        assert len(told) == len(CALLS)
        for name, (status, words) in EXPECTED.items():
            (outcome,) = [each for each in told if each[0] == name]
            assert (outcome[1], words in outcome[2]) == (status, True), outcome
        asked = sorted(each[1:] for each in told if each[0] == "order_status")
        assert [status for status, _ in asked] == ["error", "ok"]
        assert "7 is not of type 'string'" in asked[0][1] or "order_id" in asked[0][1]
    assert (tmp_path / "new.md").read_text() == "New.\n"
    kinds = [sorted(e["type"] for e in log if not e["type"].endswith("delta")) for log in logs]
    assert kinds[0] == kinds[1] == kinds[2]

"""Turns that rest for their callers and for persons, and what these may say to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.http.server import PATIENCE, Answer, Api
from turnlog.domain.ports import Progress
from turnlog.domain.tools import ToolSpec

WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
CAREFUL = {"type": "builtin", "name": "hammer", "approval": "always"}
BOOK = {"type": "function", "name": "book", "parameters": {}, "approval": "always"}
ROME = '/call weather {"city": "Rome"}'
STRIKE = '/call hammer {"nail": "long"}'


class Hammer:
    """A tool that keeps the arguments of its runs (`Tool`)."""

    def __init__(self) -> None:
        self.struck: list[dict[str, Any]] = []
        self.spec = ToolSpec(name="hammer", description="Strikes a nail.", parameters={})

    async def run(self, arguments: dict[str, Any], key: str, progress: Progress) -> str:
        self.struck.append(arguments)
        return f"struck {arguments.get('nail')}"


def after(*lines: str) -> str:
    """The script of a model that makes these calls at once, and then answers."""
    return "\n".join([*lines, "/say Done."])


async def rests(api: Api, *lines: str, **members: Any) -> dict[str, Any]:
    """A turn that has made these calls, and waits: its status."""
    careful = [CAREFUL] if "hammer" in api.node.parts.tools else []
    conversation = await api.create(tools=[WEATHER, BOOK, *careful])
    turn = await api.say(conversation, after(*lines), **members)
    return await waits(api, turn)


async def waits(api: Api, turn: Mapping[str, Any]) -> dict[str, Any]:
    """The turn's status once it rests."""
    return await shown(api, turn, lambda view: view["status"] == "requires_action")


async def shown(api: Api, turn: Mapping[str, Any], wanted: Callable[[Any], bool]) -> dict[str, Any]:
    """The turn's status once it is as wanted."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await api.get(f"/turns/{turn['turnId']}", params={"toolLevel": "full"})
            assert answer.status == 200, answer.body
            if wanted(answer.json):
                return dict(answer.json)


def required(view: Mapping[str, Any]) -> list[str]:
    """The ids of the calls that a turn waits for."""
    return [call["callId"] for call in view["requiredAction"]["calls"]]


async def provide(
    api: Api,
    turn: Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
    headers: Mapping[str, str] = {},
) -> Answer:
    path = f"/turns/{turn['turnId']}/tool-results"
    return await api.post(path, {"results": results}, headers)


async def decide(
    api: Api,
    turn: Mapping[str, Any],
    decisions: Sequence[Mapping[str, Any]],
    headers: Mapping[str, str] = {},
    **members: Any,
) -> Answer:
    path = f"/turns/{turn['turnId']}/approvals"
    return await api.post(path, {"decisions": decisions, **members}, headers)


async def events(api: Api, turn: Mapping[str, Any], topic: str) -> list[Any]:
    """The events of that type in the log of the turn's conversation."""
    page = await api.get(f"/conversations/{turn['conversationId']}/events")
    return [event for event in page.json["events"] if event["type"] == topic]

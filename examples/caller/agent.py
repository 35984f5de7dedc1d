"""An application that runs a tool of its own, and asks a person before others are run.

    python examples/caller/agent.py [--yes] [API]

It speaks to a server that `make run` started (http://127.0.0.1:8470/api/v1), as the `demo`
model, which calls two tools: `roomTemperature`, a function of this program, and the
server's `listFiles`, which this program wants a person to allow. `--yes` allows it.
Needs nothing of turnlog's but its API: copy what you like.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

TOOLS = [
    {
        "type": "function",
        "name": "roomTemperature",
        "description": "The temperature of a room, in degrees Celsius.",
        "parameters": {
            "type": "object",
            "properties": {"room": {"type": "string"}},
            "required": ["room"],
        },
    },
    {"type": "builtin", "name": "listFiles", "approval": "always"},
]
ENDS = ("turn.completed", "turn.failed", "turn.cancelled")
MESSAGE = '/call roomTemperature {"room": "kitchen"} /call listFiles {}'


def room_temperature(room: str) -> str:
    """What the function does; here it is made up."""
    return f"It is {18 + len(room) % 7} °C in the {room}."


async def main(api: str, allow: bool) -> None:
    """One conversation, from the question to the answer."""
    async with aiohttp.ClientSession() as http:
        conversation = await post(
            http,
            f"{api}/conversations",
            {"modelProviderId": "demo", "modelProviderApi": "script", "model": "demo"}
            | {"tools": TOOLS},
        )
        url = f"{api}/conversations/{conversation['conversationId']}/messages"
        turn = f"{api}/turns/{(await post(http, url, {'message': MESSAGE}))['turnId']}"
        async for event in events(http, f"{turn}/stream-events"):
            match event["type"]:
                case "turn.requires_action":
                    await answer(http, turn, allow)
                case "tool_call.completed":
                    print(f"[{event['callId']}: {event['status']}] {event['output'].strip()}")
                case "message.delta":
                    print(event["delta"], end="", flush=True)
                case ended if ended in ENDS:
                    print(f"\n[{event['type']}]")


async def answer(http: aiohttp.ClientSession, turn: str, allow: bool) -> None:
    """Give all that the turn waits for."""
    async with http.get(turn) as response:
        wanted = (await response.json())["requiredAction"]["calls"]
    results, decisions = [], []
    for call in wanted:
        if call["kind"] == "result":
            results.append({"callId": call["callId"], "output": room_temperature(**call["input"])})
        else:
            told = f"{call['name']} {json.dumps(call['input'])}"
            allowed = allow or await asyncio.to_thread(input, f"May it call {told}? [y/n] ") == "y"
            decisions.append(
                {"callId": call["callId"], "decision": "allowForTurn" if allowed else "deny"}
            )
    if results:
        await post(http, f"{turn}/tool-results", {"results": results})
    if decisions:
        await post(http, f"{turn}/approvals", {"decisions": decisions, "by": "who runs this"})


async def post(http: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> Any:
    """The answer, or an error with what the server said of it."""
    async with http.post(url, json=body) as response:
        told = await response.json()
        if not response.ok:
            raise SystemExit(f"{response.status}: {told['detail']}")
        return told


async def events(http: aiohttp.ClientSession, url: str) -> AsyncIterator[dict[str, Any]]:
    """The events of a turn until its last, taken up again wherever the stream is cut off."""
    seen, forever = "0", aiohttp.ClientTimeout(total=None)
    while True:
        try:
            async with http.get(url, headers={"Last-Event-ID": seen}, timeout=forever) as response:
                fields: dict[str, str] = {}
                async for line in response.content:
                    name, _, value = line.decode().rstrip("\n").partition(": ")
                    fields[name] = value
                    if name or "id" not in fields:
                        continue
                    seen, event = fields["id"], json.loads(fields["data"])
                    fields = {}
                    yield event
                    if event["type"] in ENDS:
                        return
        except aiohttp.ClientError as error:
            print(f"[cut off: {error}]")
        await asyncio.sleep(1)


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--yes"]
    asyncio.run(main(words[0] if words else "http://127.0.0.1:8470/api/v1", "--yes" in sys.argv))

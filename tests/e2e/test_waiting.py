"""Turns that wait for their callers and for persons, on servers that die meanwhile."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.client import Client, Frame
from tests.e2e.process import server
from tests.e2e.test_providers import APIS, served_by
from tests.upstream import Call, ParsedRequest, Reply, Say, Think, Upstream

WORKSPACE = {"TURNLOG_WORKSPACE": "examples/workspace"}
WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
CAREFUL = {"type": "builtin", "name": "readFile", "approval": "always"}
TOOLS = [WEATHER, CAREFUL, "listFiles"]
SCRIPT = """
/think Let me ask.
/call weather {"city": "Rome"}
/call readFile {"filePath": "welcome.md"}
/call listFiles {}
/say All is known.
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder; pytest's own are closed to PostgreSQL's account by the next run of pytest."""
    with tempfile.TemporaryDirectory(prefix="turnlog-waiting-") as name:
        yield Path(name)


async def until(client: Client, turn: dict[str, Any], event: str, after: int = 0) -> list[Frame]:
    """The frames of the turn's stream up to an event of that type."""
    frames = []
    async for frame in client.follow(f"/turns/{turn['turnId']}/stream-events", after):
        frames.append(frame)
        if frame.event == event:
            break
    assert frames[-1].event == event, frames[-1]
    return frames


async def wanted(client: Client, turn: dict[str, Any]) -> dict[str, str]:
    """The calls that the turn waits for, by the names of their tools."""
    status, view = await client.get(f"/turns/{turn['turnId']}")
    assert (status, view["status"]) == (200, "requires_action")
    return {call["name"]: call["callId"] for call in view["requiredAction"]["calls"]}


async def provide(client: Client, turn: dict[str, Any], **results: str) -> tuple[int, Any]:
    given = [{"callId": call, "output": output} for call, output in results.items()]
    return await client.post(f"/turns/{turn['turnId']}/tool-results", {"results": given})


async def decide(client: Client, turn: dict[str, Any], *decisions: Any) -> tuple[int, Any]:
    body = {"decisions": decisions, "by": "alice"}
    return await client.post(f"/turns/{turn['turnId']}/approvals", body)


def allowed(call: str, **members: Any) -> dict[str, Any]:
    return {"callId": call, "decision": "allow", **members}


async def answer_all(client: Client, turn: dict[str, Any]) -> None:
    """The result, and then the consent, as the turn asks for them."""
    calls = await wanted(client, turn)
    assert (await provide(client, turn, **{calls["weather"]: "12 °C"}))[0] == 202
    assert (await decide(client, turn, allowed(calls["readFile"])))[0] == 202


def statuses(log: list[dict[str, Any]]) -> list[str]:
    return [event["status"] for event in log if event["type"] == "tool_call.completed"]


async def test_a_turn_waits_through_the_death_of_its_server_on_its_data_folder(
    folder: Path, http: aiohttp.ClientSession
) -> None:
    flags = ("--data-dir", str(folder))
    async with server(*flags, env=WORKSPACE) as running:
        client = Client(http, running.api)
        conversation = await client.create(tools=TOOLS)
        turn = await client.say(conversation, SCRIPT)
        before = await until(client, turn, "turn.requires_action")
        calls = await wanted(client, turn)
        running.kill()
        await running.process.wait()
    async with server(*flags, env=WORKSPACE) as running:
        client = Client(http, running.api)
        assert await wanted(client, turn) == calls
        assert (await provide(client, turn, **{calls["weather"]: "12 °C"}))[0] == 202
        running.kill()
        await running.process.wait()
    async with server(*flags, env=WORKSPACE) as running:
        client = Client(http, running.api)
        assert list(await wanted(client, turn)) == ["readFile"]
        assert (await provide(client, turn, **{calls["weather"]: "again"}))[0] == 409
        assert (await decide(client, turn, allowed(calls["readFile"])))[0] == 202
        rest = await client.turn(turn, after=before[-1].offset)
        assert rest[-1].event == "turn.completed"
        assert await client.turn(turn) == before + rest
        log = await client.log(conversation)
    assert statuses(log) == ["ok", "ok", "ok"]
    assert [event["type"] for event in log].count("turn.resumed") == 1
    assert log[-1]["result"]["item"]


async def test_another_node_takes_the_answers_when_the_one_that_ran_the_turn_is_dead(
    database_url: str, http: aiohttp.ClientSession
) -> None:
    flags = ("--database-url", database_url)
    async with server(*flags, env=WORKSPACE) as doomed, server(*flags, env=WORKSPACE) as other:
        here, there = Client(http, doomed.api), Client(http, other.api)
        conversation = await here.create(tools=TOOLS)
        turn = await here.say(conversation, SCRIPT)
        await until(here, turn, "turn.requires_action")
        doomed.kill()
        await answer_all(there, turn)
        frames = await there.turn(turn)
        assert frames[-1].event == "turn.completed"
        resumed = [frame.payload for frame in frames if frame.event == "turn.resumed"]
        started = next(frame.payload for frame in frames if frame.event == "turn.started")
        assert len(resumed) == 1
        assert resumed[0]["node"] != started["node"]
        assert statuses(await there.log(conversation)) == ["ok", "ok", "ok"]


async def test_a_stream_follows_through_the_rest_on_any_node_and_can_be_taken_up_there(
    database_url: str, http: aiohttp.ClientSession
) -> None:
    flags = ("--database-url", database_url)
    async with server(*flags, env=WORKSPACE) as one, server(*flags, env=WORKSPACE) as two:
        here, there = Client(http, one.api), Client(http, two.api)
        conversation = await here.create(tools=TOOLS)
        turn = await here.say(conversation, SCRIPT)
        path = f"/turns/{turn['turnId']}/stream-events"
        readings: list[list[Frame]] = [[], []]
        rests = [asyncio.Event(), asyncio.Event()]

        async def read(client: Client, frames: list[Frame], rests: asyncio.Event) -> None:
            async for frame in client.follow(path):
                frames.append(frame)
                if frame.event == "turn.requires_action":
                    rests.set()

        async with asyncio.TaskGroup() as group:
            for client, frames, rest in zip((here, there), readings, rests, strict=True):
                group.create_task(read(client, frames, rest))
            for rest in rests:
                await rest.wait()
            await answer_all(there, turn)
        whole, same = readings
        assert whole == same
        assert whole[-1].event == "turn.completed"
        (place,) = [n for n, frame in enumerate(whole) if frame.event == "turn.requires_action"]
        assert await here.turn(turn, after=whole[place].offset) == whole[place + 1 :]
        assert await there.turn(turn, after=whole[-1].offset) == []


async def test_a_turn_that_nobody_answers_ends_in_time(
    database_url: str, http: aiohttp.ClientSession
) -> None:
    env = {"TURNLOG_ACTION_TIMEOUT": "1"}
    async with server("--database-url", database_url, env=env) as running:
        client = Client(http, running.api)
        conversation = await client.create(tools=[WEATHER])
        turn = await client.say(conversation, SCRIPT)
        frames = await client.turn(turn)
        assert frames[-1].event == "turn.failed"
        assert frames[-1].payload["error"]["code"] == "action_expired"
        assert (await client.get(f"/conversations/{conversation}"))[1]["status"] == "idle"


# ------------------------------------------------------------- over the providers' APIs


def mixed() -> list[Reply]:
    """A step of calls of every kind, then one of two of them again, then the answer."""
    return [
        Reply(
            [
                Think("I should ask around."),
                Say("Let me see."),
                Call("weather", {"city": "Rome"}),
                Call("listFiles", {}),
                Call("readFile", {"filePath": "secret.md"}),
                Call("readFile", {"filePath": "nowhere.md"}),
            ]
        ),
        Reply([Think("Once more."), Call("weather", {"city": "Paris"})]),
        Reply([Think("Now I know."), Say("It is warm.")]),
    ]


async def waits_and_goes_on(
    upstream: Upstream, client: Client, model: dict[str, str]
) -> list[dict[str, Any]]:
    upstream.replies(*mixed())
    conversation = await client.create(**model, tools=TOOLS, reasoning={"effort": "high"})
    turn = await client.say(conversation, "How is the weather?")
    seen = await until(client, turn, "turn.requires_action")
    calls = [call["callId"] for call in seen[-1].payload["calls"]]
    weather, secret, nowhere = calls
    denial = {"callId": secret, "decision": "deny", "reason": "that is a secret"}
    edit = allowed(nowhere, arguments={"filePath": "welcome.md"})
    assert (await decide(client, turn, denial, edit))[0] == 202
    seen = await until(client, turn, "turn.requires_action", seen[-1].offset)
    assert [call["callId"] for call in seen[-1].payload["calls"]] == [weather]
    assert (await provide(client, turn, **{weather: "20 °C"}))[0] == 202
    seen = await until(client, turn, "turn.requires_action", seen[-1].offset)
    (again,) = seen[-1].payload["calls"]
    body = {"results": [{"callId": again["callId"], "output": "no such city", "status": "error"}]}
    assert (await client.post(f"/turns/{turn['turnId']}/tool-results", body))[0] == 202
    assert (await client.turn(turn, after=seen[-1].offset))[-1].event == "turn.completed"
    return await client.log(conversation)


def heard(upstream: Upstream, request: int) -> str:
    """All of a request's body, as text."""
    return json.dumps(upstream.requests[request].body, ensure_ascii=False)


async def test_calls_of_every_kind_wait_and_go_on_alike_on_each_api(
    database_url: str, http: aiohttp.ClientSession
) -> None:
    async with Upstream() as upstream:
        async with server("--database-url", database_url, env=served_by(upstream)) as running:
            client = Client(http, running.api)
            logs = [await waits_and_goes_on(upstream, client, model) for model in APIS]
        assert upstream.violations == []
        for number in range(len(APIS)):
            second, third = heard(upstream, 3 * number + 1), heard(upstream, 3 * number + 2)
            assert "that is a secret" in second
            assert "20 °C" in second
            assert "other arguments" in second
            assert "no such city" in third
    told = [[event["type"] for event in log] for log in logs]
    told = [[kind for kind in log if not kind.endswith("delta")] for log in told]
    assert told[0] == told[1] == told[2]
    assert told[0].count("turn.requires_action") == 3
    for log in logs:
        assert sorted(statuses(log)) == ["cancelled", "error", "ok", "ok", "ok"]
        approved = next(event for event in log if event["type"] == "tool_call.approved")
        assert (approved["by"], json.loads(approved["arguments"])) == (
            "alice",
            {"filePath": "welcome.md"},
        )
        attempts = [event["attempt"] for event in log if event["type"] == "turn.resumed"]
        assert attempts == [2, 3, 4]


@pytest.mark.parametrize("model", APIS, ids=lambda model: model["modelProviderApi"])
async def test_a_turn_waits_for_its_caller_through_a_kill_on_each_api(
    model: dict[str, str], database_url: str, http: aiohttp.ClientSession
) -> None:
    """What the provider gave with the call comes back to it from the log alone."""

    def script(request: ParsedRequest) -> Reply:
        if request.results:
            return Reply([Say(f"They said {request.results[-1].text}.")])
        return Reply([Think("Hm."), Call("weather", {"city": "Rome"})])

    async with Upstream(script) as upstream:
        flags = ("--database-url", database_url)
        async with server(*flags, env=served_by(upstream, model)) as running:
            client = Client(http, running.api)
            conversation = await client.create(
                **model, tools=[WEATHER], reasoning={"effort": "high"}
            )
            turn = await client.say(conversation, "How is the weather?")
            seen = await until(client, turn, "turn.requires_action")
            running.kill()
            await running.process.wait()
        async with server(*flags, env=served_by(upstream, model)) as running:
            client = Client(http, running.api)
            (call,) = (await wanted(client, turn)).values()
            assert (await provide(client, turn, **{call: "20 °C"}))[0] == 202
            rest = await client.turn(turn, after=seen[-1].offset)
            assert rest[-1].event == "turn.completed"
            _, view = await client.get(f"/turns/{turn['turnId']}")
        assert view["result"]["content"] == "They said 20 °C."
        assert upstream.violations == []
        assert len(upstream.requests) == 2

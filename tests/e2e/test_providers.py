"""The same conversation on every provider's API, by the official SDKs over real HTTP."""

from __future__ import annotations

import aiohttp
import pytest

from tests.e2e.client import Client
from tests.e2e.process import server
from tests.upstream import Call, Reply, Say, Think, Upstream

APIS = [
    {"modelProviderId": "anthropic", "modelProviderApi": "messages", "model": "claude"},
    {"modelProviderId": "openai", "modelProviderApi": "responses", "model": "gpt"},
    {"modelProviderId": "openrouter", "modelProviderApi": "chat", "model": "any/model"},
]


def served_by(upstream: Upstream, *models: dict[str, str]) -> dict[str, str]:
    """The settings of a server that takes the upstream for the providers of these models.

    Of all of `APIS` unless some are named: a server takes a second to import each SDK.
    """
    env = {"TURNLOG_WORKSPACE": "examples/workspace"}
    for provider in (model["modelProviderId"] for model in models or APIS):
        url = upstream.url if provider == "anthropic" else upstream.openai_url
        env |= {f"{provider.upper()}_API_KEY": "key", f"{provider.upper()}_BASE_URL": url}
    return env


def play(upstream: Upstream) -> None:
    """Two turns: one that looks at two files at once, and one that only answers."""
    upstream.replies(
        Reply(
            [
                Think("I should look."),
                Say("Let me see."),
                Call("listFiles", {}),
                Call("readFile", {"filePath": "welcome.md"}),
            ]
        ),
        Reply([Think("Now I know."), Say("There are two files.")]),
        Reply([Think("Easy."), Say("You are welcome.")]),
    )


async def types_on(upstream: Upstream, client: Client, model: dict[str, str]) -> list[str]:
    play(upstream)
    conversation = await client.create(**model, reasoning={"effort": "high"})
    await client.turn(await client.say(conversation, "What files are there?"))
    await client.turn(await client.say(conversation, "Thank you!"))
    return [event["type"] for event in await client.log(conversation)]


async def test_one_conversation_gives_the_same_types_of_events_on_each_api(
    database_url: str, http: aiohttp.ClientSession
) -> None:
    async with Upstream() as upstream:
        async with server("--database-url", database_url, env=served_by(upstream)) as running:
            client = Client(http, running.api)
            logs = [await types_on(upstream, client, model) for model in APIS]
        assert upstream.violations == []
    told = [[kind for kind in log if not kind.endswith("delta")] for log in logs]
    assert told[0] == told[1] == told[2]
    assert told[0].count("tool_call.completed") == 2
    assert told[0].count("turn.completed") == 2


@pytest.mark.parametrize("model", APIS, ids=lambda model: model["modelProviderApi"])
async def test_a_turn_may_go_to_another_provider_and_back(
    model: dict[str, str], database_url: str, http: aiohttp.ClientSession
) -> None:
    async with Upstream() as upstream:
        async with server("--database-url", database_url, env=served_by(upstream)) as running:
            client = Client(http, running.api)
            play(upstream)
            conversation = await client.create(**model, reasoning={"effort": "high"})
            await client.turn(await client.say(conversation, "What files are there?"))
            for other in APIS:
                upstream.replies(Reply([Think("Hm."), Say("Yes.")]))
                frames = await client.turn(await client.say(conversation, "Sure?", **other))
                assert frames[-1].event == "turn.completed", frames[-1]
        assert upstream.violations == []

"""The time to the first token of one turn, against the SDK called directly."""

from __future__ import annotations

import time

from openai import AsyncOpenAI

from benchmarks.apparatus.bench import Bench
from benchmarks.apparatus.clients import Client, client
from benchmarks.apparatus.figures import Figure, median, ms, percentile
from benchmarks.apparatus.servers import node
from benchmarks.apparatus.upstream import play, upstream

TOKENS = 3
AIM = 0.010


async def measure(bench: Bench) -> list[Figure]:
    """By turns, from this process."""
    tries = 3 if bench.small else 150
    ours: list[float] = []
    direct: list[float] = []
    async with (
        upstream() as provider,
        bench.database() as database,
        node(database, provider.env) as server,
        client(server.api) as talker,
        AsyncOpenAI(api_key="key", base_url=provider.url, max_retries=0) as sdk,
    ):
        for number in range(-2, tries):  # the first make connections
            if number % 10 == 0:
                bench.say(f"{number} of {tries}")
            conversation = await talker.create()
            taken = [await _direct(sdk), await _ours(talker, conversation)]
            if number >= 0:
                direct.append(taken[0])
                ours.append(taken[1])
    more = median(ours) - median(direct)
    return [
        Figure(
            what="overhead",
            work="time to the first token of one turn, from POST …/messages",
            yardstick=f"the SDK called directly: p50 {ms(median(direct))}, "
            f"p99 {ms(percentile(direct, 0.99))}",
            aim=f"≤ {ms(AIM)} more",
            reached=f"{ms(more)} more (p50 {ms(median(ours))}, p99 {ms(percentile(ours, 0.99))})",
            held=more <= AIM,
            details={"p50": median(ours), "direct_p50": median(direct)},
        )
    ]


async def _direct(sdk: AsyncOpenAI) -> float:
    began = time.perf_counter()
    message = play(TOKENS, 0, stamped=True)
    first = 0.0
    async with await sdk.responses.create(model="bench", input=message, stream=True) as events:
        async for event in events:
            if event.type == "response.output_text.delta" and not first:
                first = time.perf_counter() - began
    return first


async def _ours(talker: Client, conversation: str) -> float:
    began = time.perf_counter()
    turn = await talker.say(conversation, play(TOKENS, 0, stamped=True))
    first = 0.0
    async for chunk in talker.follow(f"/turns/{turn}/stream-events"):
        if b"event: message.delta" in chunk and not first:
            first = time.perf_counter() - began
    return first

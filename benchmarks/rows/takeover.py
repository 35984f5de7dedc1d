"""A node with 50 turns is killed: how long until each has a new event, and what is broken."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec
from msgspec import Struct

from benchmarks.apparatus.bench import Bench
from benchmarks.apparatus.clients import DEMO, Client, client, each
from benchmarks.apparatus.figures import Figure, median
from benchmarks.apparatus.servers import node

MESSAGE = "/think what is there /call listFiles {} /tokens %d /delay 25"
AIM = 6.0


class Seen(Struct):
    """What a reader on another node saw of one turn."""

    offsets: list[int] = []
    resumed_at: float = 0.0
    completed: bool = False


async def measure(bench: Bench) -> list[Figure]:
    """Readers on one node, turns on another, which is killed in their midst."""
    turns, tokens = (3, 60) if bench.small else (50, 600)
    env = {"TURNLOG_WORKSPACE": str(Path(__file__).parents[1]), "TURNLOG_LOG_FORMAT": "json"}
    if bench.small:
        env["TURNLOG_NODE_TIMEOUT"] = "0.5"
    async with (
        bench.database() as database,
        node(database, env) as doomed,
        node(database, env) as heir,
        client(doomed.api) as talker,
        client(heir.api) as elsewhere,
    ):
        logs = await each(range(turns), lambda _: talker.create(DEMO))
        said = await each(logs, lambda log: talker.say(log, MESSAGE % tokens))
        seen = [Seen([], 0.0, False) for _ in said]
        reading = [
            asyncio.create_task(_read(elsewhere, turn, one))
            for turn, one in zip(said, seen, strict=True)
        ]
        bench.say(f"{turns} turns are under way")
        async with asyncio.timeout(60):
            while min(len(one.offsets) for one in seen) < 12:  # noqa: ASYNC110 - for so many
                await asyncio.sleep(0.05)
        doomed.kill()
        killed = time.perf_counter()
        bench.say("the node is killed")
        async with asyncio.timeout(180):
            await asyncio.gather(*reading)
        broken = [one for one in seen if not _is_whole(one)]
        twice = sum(await each(logs, lambda log: _tools_run_twice(elsewhere, log)))
    taken = [one.resumed_at - killed for one in seen]
    return [
        Figure(
            what="takeover",
            work=f"kill -9 of a node with {turns} turns; until each has a new event",
            yardstick="—",
            aim=f"≤ {AIM:g} s, no event lost or repeated, no tool run twice",
            reached=f"{max(taken):.2f} s at most, {median(taken):.2f} s in the middle; "
            f"{len(broken)} turns with an event lost or repeated, {twice} tools run twice",
            held=max(taken) <= AIM and not broken and not twice,
            details={"slowest": max(taken), "quickest": min(taken)},
        )
    ]


async def _read(elsewhere: Client, turn: str, seen: Seen) -> None:
    data = b""
    async for chunk in elsewhere.follow(f"/turns/{turn}/stream-events"):
        *frames, data = (data + chunk).split(b"\n\n")
        for frame in frames:
            fields = dict(line.split(b": ", 1) for line in frame.splitlines() if line[:1] != b":")
            if b"id" not in fields:
                continue
            seen.offsets.append(int(fields[b"id"]))
            if fields[b"event"] == b"turn.resumed" and not seen.resumed_at:
                seen.resumed_at = time.perf_counter()
            seen.completed |= fields[b"event"] == b"turn.completed"


def _is_whole(seen: Seen) -> bool:
    first = seen.offsets[0]
    return seen.completed and seen.offsets == list(range(first, first + len(seen.offsets)))


async def _tools_run_twice(elsewhere: Client, log: str) -> int:
    """Calls with more than one result."""
    async with elsewhere.http.get(
        f"{elsewhere.api}/conversations/{log}/events?types=tool_call.completed",
        headers={"Accept": "application/x-ndjson"},
    ) as answer:
        calls = [msgspec.json.decode(line)["callId"] async for line in answer.content]
    return len(calls) - len(set(calls))

"""The server's memory over 10,000 turns."""

from __future__ import annotations

import gc

from benchmarks.apparatus.bench import Bench
from benchmarks.apparatus.clients import DEMO, Client, client, each
from benchmarks.apparatus.figures import Figure
from benchmarks.apparatus.servers import node
from benchmarks.apparatus.spent import memory_bytes

MB = 1 << 20
TURNS_EACH = 10
PORTIONS = 10
FLAT = 0.05  # of what it holds after the first portions, in which caches fill


async def measure(bench: Bench) -> list[Figure]:
    """Memory after each tenth; every conversation is new, and has ten turns."""
    turns = 100 if bench.small else 10_000
    conversations = turns // TURNS_EACH // PORTIONS
    memory: list[int] = []
    async with (
        bench.database() as database,
        node(database) as server,
        client(server.api) as talker,
    ):
        begun = server.processor_seconds() + database.processor_seconds()
        for portion in range(PORTIONS):
            bench.say(f"{portion * turns // PORTIONS:,} of {turns:,} turns")
            await each(range(conversations), lambda _: _converse(talker), at_once=20)
            gc.collect()
            memory.append(memory_bytes(server.pid))
        spent = server.processor_seconds() + database.processor_seconds() - begun
    middle = PORTIONS // 2
    grown = (memory[-1] - memory[middle - 1]) / memory[middle - 1]
    each_kib = (memory[-1] - memory[middle - 1]) / ((PORTIONS - middle) * conversations) / 1024
    return [
        Figure(
            what="growth",
            work=f"memory of the server over {turns:,} turns of {turns // TURNS_EACH:,} "
            "conversations",
            yardstick="its own after half of them",
            aim="flat",
            reached=f"{grown:+.1%} in the second half ({memory[0] / MB:.1f} MiB after a tenth, "
            f"{memory[middle - 1] / MB:.1f} after half, {memory[-1] / MB:.1f} at the end; "
            f"{each_kib:.1f} KiB for each conversation; {spent / turns * 1000:.2f} ms of "
            "processor time a turn, server and database)",
            held=grown <= FLAT,
            details={"bytes": list(memory)},
        )
    ]


async def _converse(talker: Client) -> None:
    log = await talker.create(DEMO)
    for _ in range(TURNS_EACH):
        turn = await talker.say(log, "/say hello there /delay 0")
        await talker.ended(turn)

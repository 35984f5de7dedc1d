"""The first command to a cold conversation, however many deltas its log has."""

from __future__ import annotations

import time
from uuid import UUID

from benchmarks.apparatus.bench import Bench
from benchmarks.apparatus.clients import DEMO, client
from benchmarks.apparatus.figures import Figure, median, ms, spread
from benchmarks.apparatus.seeds import lengthen, settled
from benchmarks.apparatus.servers import node
from turnlog.adapters.postgres import Postgres, open_postgres
from turnlog.domain.commands import UpdateConversation
from turnlog.domain.events import Changes
from turnlog.runtime.actor import Actor
from turnlog.runtime.journal import Journal
from turnlog.runtime.tail import Tails

FLAT = 1.5


async def measure(bench: Bench) -> list[Figure]:
    """The time to the answer of an actor that is new each time."""
    lengths = (10, 100) if bench.small else (100, 1_000, 10_000, 100_000, 1_000_000)
    tries = 3 if bench.small else 100
    logs: dict[int, UUID] = {}
    async with bench.database() as database, database.connected() as admin:
        async with node(database) as server, client(server.api) as talker:
            for length in lengths:
                bench.say(f"making a log of {length:,} deltas")
                log = await talker.create(DEMO)
                turn = await talker.say(log, "/say hello /delay 0")
                await talker.ended(turn)
                await lengthen(admin, log, turn, length)
                logs[length] = UUID(log)
        await settled(admin)
        taken: dict[int, list[float]] = {length: [] for length in lengths}
        async with open_postgres(database.url) as postgres:
            for number in range(tries):
                bench.say(f"{number} of {tries}")
                for length, of in logs.items():
                    taken[length].append(await _first_command(postgres, of, number))
    each = [median(of) for of in taken.values()]
    return [
        Figure(
            what="load",
            work=f"first command to a cold conversation of {lengths[0]:,} … {lengths[-1]:,} deltas",
            yardstick="the same at the fewest",
            aim="flat in deltas",
            reached=f"{spread(each):.2f} × between the quickest and the slowest ("
            + ", ".join(ms(one) for one in each)
            + ")",
            held=spread(each) <= FLAT,
            details={"lengths": list(lengths), "seconds": list(each)},
        )
    ]


async def _first_command(postgres: Postgres, log: UUID, number: int) -> float:
    actor = Actor(
        log,
        store=postgres.store,
        records=postgres.records,
        journal=Journal(postgres.store),
        tails=Tails(postgres.store),
        moved=lambda *_: None,
    )
    began = time.perf_counter()
    changes = Changes(title=f"Number {number}")
    await actor.ask(UpdateConversation(at=time.time_ns() // 1000, changes=changes))
    return time.perf_counter() - began

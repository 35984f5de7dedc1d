"""What it costs to join at the end of a log, however long that is."""

from __future__ import annotations

from benchmarks.apparatus.bench import Bench
from benchmarks.apparatus.clients import DEMO, client
from benchmarks.apparatus.figures import Figure, spread, us
from benchmarks.apparatus.readers import readers
from benchmarks.apparatus.seeds import lengthen, settled
from benchmarks.apparatus.servers import node

FLAT = 1.5  # times; the noise of one minute on a shared machine


async def measure(bench: Bench) -> list[Figure]:
    """Processor time of server and database for a stream that begins at the end."""
    lengths = (10, 100) if bench.small else (100, 1_000, 10_000, 100_000, 1_000_000)
    joins = 5 if bench.small else 200
    async with (
        bench.database() as database,
        node(database) as server,
        client(server.api) as talker,
        database.connected() as admin,
        readers() as crowd,
    ):
        logs: dict[int, str] = {}
        for length in lengths:
            bench.say(f"making a log of {length:,} events")
            log = logs[length] = await talker.create(DEMO)
            turn = await talker.say(log, "/say hello /delay 0")
            await talker.ended(turn)
            await lengthen(admin, log, turn, length)
        await settled(admin)
        cost: dict[int, list[float]] = {length: [] for length in lengths}
        for _ in range(1 if bench.small else 3):
            for length, log in logs.items():
                bench.say(f"joining a log of {length:,} events")
                path = f"/api/v1/conversations/{log}/events?after=latest"
                before = server.processor_seconds() + database.processor_seconds()
                await crowd.open(talker.root, [path] * joins)
                after = server.processor_seconds() + database.processor_seconds()
                await crowd.close()
                cost[length].append((after - before) / joins)
    each = [min(of) for of in cost.values()]  # what else runs in the database only adds
    return [
        Figure(
            what="resume",
            work=f"joining at the end of a log of {lengths[0]:,} … {lengths[-1]:,} events",
            yardstick="the same at the shortest",
            aim="flat",
            reached=f"{spread(each):.2f} × between the cheapest and the dearest ("
            + ", ".join(us(one) for one in each)
            + " of processor time)",
            held=spread(each) <= FLAT,
            details={"lengths": list(lengths), "seconds": list(each)},
        )
    ]

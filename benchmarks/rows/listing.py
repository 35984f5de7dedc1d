"""The list's first page and its thousandth, however many conversations there are."""

from __future__ import annotations

import time

from benchmarks.apparatus.bench import Bench
from benchmarks.apparatus.clients import DEMO, Client, client
from benchmarks.apparatus.figures import Figure, median, ms, percentile, spread, us
from benchmarks.apparatus.seeds import PLACE, copies, settled
from benchmarks.apparatus.servers import node
from turnlog.domain.values import timestamp

PAGE = 20
AIM = 0.020
FLAT = 2.0


async def measure(bench: Bench) -> list[Figure]:
    """Times of pages over HTTP, one at a time, and what a page costs."""
    sizes = (30, 100) if bench.small else (1_000, 10_000, 100_000, 1_000_000)
    tries = 5 if bench.small else 300
    p99: dict[str, list[float]] = {"first": [], "thousandth": []}
    p50: dict[str, list[float]] = {"first": [], "thousandth": []}
    cost: list[float] = []
    async with (
        bench.database() as database,
        node(database) as server,
        client(server.api) as talker,
        database.connected() as admin,
    ):
        model = await talker.create(DEMO, title="A conversation", tags=["tag1"])
        there = 0
        for size in sizes:
            bench.say(f"making {size:,} conversations")
            await copies(admin, model, there, size)
            there = size
            await settled(admin)
            bench.say(f"pages of {size:,} conversations")
            place = await admin.fetchrow(PLACE, min(999 * PAGE, size - PAGE))
            assert place is not None
            deep = f"&cursor={timestamp(place['created_at'])}:{place['conversation_id']}"
            before = server.processor_seconds() + database.processor_seconds()
            for name, cursor in (("first", ""), ("thousandth", deep)):
                taken = await _pages(talker, cursor, tries)
                p50[name].append(median(taken))
                p99[name].append(percentile(taken, 0.99))
            after = server.processor_seconds() + database.processor_seconds()
            cost.append((after - before) / (2 * tries))
    worst = max(max(times) for times in p99.values())
    return [
        Figure(
            what="list",
            work=f"first and thousandth page of {PAGE} at {sizes[0]:,} … {sizes[-1]:,} "
            "conversations",
            yardstick="the same at the fewest",
            aim=f"p99 flat, ≤ {ms(AIM)}",
            reached=f"p99 {ms(worst)} at most (first "
            + ", ".join(ms(one) for one in p99["first"])
            + "; thousandth "
            + ", ".join(ms(one) for one in p99["thousandth"])
            + f"), {spread(cost):.2f} × between the cheapest and the dearest: "
            + ", ".join(us(one) for one in cost)
            + " of processor time a page",
            held=worst <= AIM and spread(cost) <= FLAT,
            details={"sizes": list(sizes), "first_p50": list(p50["first"]), "cost": list(cost)},
        )
    ]


async def _pages(talker: Client, cursor: str, tries: int) -> list[float]:
    taken = []
    for number in range(tries + 5):  # the first make connections and plans
        began = time.perf_counter()
        await talker.get(f"/conversations?limit={PAGE}{cursor}")
        if number >= 5:
            taken.append(time.perf_counter() - began)
    return taken

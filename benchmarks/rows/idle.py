"""5,000 subscribers that wait: memory, wake-ups, connections to the database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from msgspec import Struct

from benchmarks.apparatus.bench import Bench
from benchmarks.apparatus.clients import DEMO, client, each
from benchmarks.apparatus.figures import Figure, skipped
from benchmarks.apparatus.readers import readers
from benchmarks.apparatus.servers import node
from benchmarks.apparatus.spent import memory_bytes, wakeups
from benchmarks.yardsticks.nchan import MISSING, installed, nchan

SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
WORK = "subscribers that wait"
POOLS = 20
WARM = 64  # as many at once take every connection to the database that there may be
AIM = "≤ 10 KiB each, no wake-ups of their own, no database connection"


class Size(Struct, frozen=True):
    """How many subscribers, of how many conversations, for how long."""

    subscribers: int
    conversations: int
    seconds: float


FULL = Size(subscribers=5000, conversations=500, seconds=8.0)
SMALL = Size(subscribers=50, conversations=5, seconds=0.5)


class Waiting(Struct):
    """What so many that wait have cost: bytes each, wake-ups and processor time a second."""

    each: float
    wakeups: float
    processor: float


async def measure(bench: Bench) -> list[Figure]:
    """Ours and nchan's, one after the other."""
    size = SMALL if bench.small else FULL
    bench.say("nchan")
    theirs = await _nchan(bench, size) if installed() else None
    bench.say("turnlog")
    ours, before, sessions = await _turnlog(bench, size)
    work = f"{size.subscribers:,} {WORK}, of {size.conversations} conversations"
    # The pools' connections are as many for all; what would count is one that is held.
    held = ours.each <= 10 * 1024 and sessions <= POOLS
    yardstick = "nginx with nchan"
    if theirs is None:
        return [skipped("idle", work, yardstick, AIM, MISSING)]
    return [
        Figure(
            what="idle",
            work=work,
            yardstick=f"{yardstick}: {theirs.each / 1024:.1f} KiB each, "
            f"{theirs.wakeups:.1f} wake-ups/s, {theirs.processor * 1000:.2f} ms/s",
            aim=AIM,
            reached=f"{ours.each / 1024:.1f} KiB each, {ours.wakeups:.1f} wake-ups/s "
            f"(without any: {before.wakeups:.1f}), {ours.processor * 1000:.2f} ms/s "
            f"(without: {before.processor * 1000:.2f}), {sessions} more database connections",
            held=held,
            details={"bytes_each": ours.each, "nchan_bytes_each": theirs.each},
        )
    ]


async def _turnlog(bench: Bench, size: Size) -> tuple[Waiting, Waiting, int]:
    async with (
        bench.database() as database,
        node(database) as server,
        client(server.api) as talker,
        database.connected() as admin,
        readers() as crowd,
    ):
        logs = await each(range(size.conversations), lambda _: talker.create(DEMO))
        paths = [f"/api/v1/conversations/{log}/events?after=latest" for log in logs]
        # What is made once, for the first of all, is not theirs.
        await crowd.open(talker.root, paths[:1] * WARM)
        await crowd.close()
        await bench.settle(1.5)
        alone = await _watch(server.pid, server.processor_seconds, size.seconds / 2)
        sessions, memory = await admin.fetchval(SESSIONS), memory_bytes(server.pid)
        every = [paths[n % len(paths)] for n in range(size.subscribers)]
        await crowd.open(talker.root, every)
        await bench.settle(1.5)
        waiting = await _watch(server.pid, server.processor_seconds, size.seconds)
        waiting.each = (memory_bytes(server.pid) - memory) / size.subscribers
        return waiting, alone, max(0, await admin.fetchval(SESSIONS) - sessions)


async def _nchan(bench: Bench, size: Size) -> Waiting:
    async with nchan(bench.folder / "nchan-idle") as server, readers() as crowd:
        await crowd.open(server.url, ["/sub?id=first"])
        await crowd.close()
        memory = server.memory_bytes()
        paths = [f"/sub?id={n % size.conversations}" for n in range(size.subscribers)]
        await crowd.open(server.url, paths)
        await bench.settle(0.5)
        waiting = await _watch(server.pid, server.processor_seconds, size.seconds / 2)
        waiting.each = (server.memory_bytes() - memory) / size.subscribers
        return waiting


async def _watch(pid: int, spent: Callable[[], float], seconds: float) -> Waiting:
    began, woken, cost = time.perf_counter(), wakeups(pid), spent()
    await asyncio.sleep(seconds)
    passed = time.perf_counter() - began
    return Waiting(0.0, (wakeups(pid) - woken) / passed, (spent() - cost) / passed)

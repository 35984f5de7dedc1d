"""One conversation of 100,000 events, cold, to one reader, against `COPY … TO STDOUT`."""

from __future__ import annotations

import asyncio
import shutil
import time
from asyncio.subprocess import DEVNULL, PIPE
from uuid import UUID

from benchmarks.apparatus.bench import Bench, Database
from benchmarks.apparatus.clients import DEMO, client
from benchmarks.apparatus.figures import Figure, median
from benchmarks.apparatus.readers import Readers, readers
from benchmarks.apparatus.seeds import buckets, lengthen, settled
from benchmarks.apparatus.servers import node
from benchmarks.apparatus.spent import forget_peak, memory_bytes, peak_bytes
from turnlog.domain.identity import bucket_of

# The same columns that a frame shows, the state as the text that it is.
COPY = """
COPY (
    SELECT originator_version, topic, convert_from(state, 'UTF8') FROM stored_events
    WHERE bucket = {bucket} AND originator_id = '{log}' ORDER BY originator_version
) TO STDOUT
"""
MB = 1_000_000
FLAT = 4 * MB  # a few portions, and what the allocator keeps


async def measure(bench: Bench) -> list[Figure]:
    """Bytes a second of each, by turns; and the server's memory meanwhile."""
    events, rounds = (500, 1) if bench.small else (100_000, 5)
    async with (
        bench.database() as database,
        node(database) as server,
        client(server.api) as talker,
        database.connected() as admin,
        readers() as reader,
    ):
        log = await talker.create(DEMO)
        turn = await talker.say(log, "/say hello /delay 0")
        await talker.ended(turn)
        bench.say(f"making a log of {events:,} events")
        await lengthen(admin, log, turn, events)
        await settled(admin)
        bucket = bucket_of(UUID(log), await buckets(admin))
        path = f"/api/v1/conversations/{log}/events?follow=false"
        await _replay(reader, talker.root, path)  # connections and plans are made
        forget_peak(server.pid)
        memory = memory_bytes(server.pid)
        ours, copied, spent = [], [], []
        for number in range(rounds):
            bench.say(f"replay, then COPY: {number + 1} of {rounds}")
            before = server.processor_seconds()
            ours.append(await _replay(reader, talker.root, path))
            spent.append((server.processor_seconds() - before) / events)
            copied.append(await _copy(database, UUID(log), bucket))
        grown = peak_bytes(server.pid) - memory
    ratio = median(ours) / median(copied)
    return [
        Figure(
            what="replay",
            work=f"one conversation of {events:,} events, cold, to one reader",
            yardstick=f"psql COPY … TO STDOUT of the same rows: {median(copied) / MB:.1f} MB/s",
            aim="≥ 0.5 × its bytes/s; memory flat",
            reached=f"{ratio:.2f} × ({median(ours) / MB:.1f} MB/s, "
            f"{median(spent) * 1e6:.2f} µs of the server an event); "
            f"memory {grown / MB:+.1f} MB at most",
            held=ratio >= 0.5 and grown <= FLAT,
            details={"ours": list(ours), "copy": list(copied), "grown_bytes": grown},
        )
    ]


async def _replay(reader: Readers, url: str, path: str) -> float:
    """Bytes a second, from the request to the end of the stream."""
    began = time.perf_counter()
    await reader.open(url, [path])
    seen = await reader.until_ended()
    seconds = time.perf_counter() - began
    await reader.close()
    return float(seen["bytes"] / seconds)


async def _copy(database: Database, log: UUID, bucket: int) -> float:
    psql = shutil.which("psql")
    assert psql is not None, "psql is not installed (Debian: apt install postgresql-client)"
    process = await asyncio.create_subprocess_exec(
        psql, "--no-psqlrc", "--quiet", database.url,
        "--command", COPY.format(bucket=bucket, log=log),
        stdin=DEVNULL, stdout=PIPE, limit=1 << 20,
    )  # fmt: skip
    assert process.stdout is not None
    size = len(await process.stdout.read(1 << 16))
    began = time.perf_counter()  # it has connected, and sorted out what it will send
    while data := await process.stdout.read(1 << 18):
        size += len(data)
    await process.wait()
    return size / (time.perf_counter() - began)

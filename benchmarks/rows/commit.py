"""One event at a time from one idle conversation, against one bare autocommit insert."""

from __future__ import annotations

import os
import time
from uuid import uuid4

import asyncpg

from benchmarks.apparatus.bench import Bench
from benchmarks.apparatus.figures import Figure, median, ms, percentile
from benchmarks.rows.append import STATE, TOPIC
from tests.store.given import NOON, Writer, written
from turnlog.adapters.postgres import open_postgres
from turnlog.domain.identity import turn_id_in
from turnlog.runtime.journal import Journal

TABLE = "CREATE TABLE bare (id uuid, number bigint, state bytea, PRIMARY KEY (id, number))"
INSERT = "INSERT INTO bare VALUES ($1, $2, $3)"


async def measure(bench: Bench) -> list[Figure]:
    """The time to a durable event, by turns."""
    tries = 20 if bench.small else 1000
    ours: list[float] = []
    bare: list[float] = []
    async with bench.database() as database, open_postgres(database.url) as postgres:
        journal = Journal(postgres.store)
        writer = Writer()
        await written(postgres.store, writer, b"{}")
        turn = turn_id_in(writer.conversation_id, NOON, os.urandom(8))
        connection = await asyncpg.connect(database.url)
        await connection.execute(TABLE)
        statement = await connection.prepare(INSERT)
        log = uuid4()
        for number in range(tries):
            if number % 100 == 0:
                bench.say(f"{number} of {tries}")
            began = time.perf_counter()
            await journal.append(writer.ready(STATE, topic=TOPIC, turn_id=turn))
            between = time.perf_counter()
            await statement.fetch(log, number, STATE)
            ours.append(between - began)
            bare.append(time.perf_counter() - between)
        await connection.close()
    ratio = median(ours) / median(bare)
    return [
        Figure(
            what="commit",
            work="one event at a time from one idle conversation",
            yardstick=f"one bare autocommit insert: p50 {ms(median(bare))}, "
            f"p99 {ms(percentile(bare, 0.99))}",
            aim="≤ 2 ×",
            reached=f"{ratio:.2f} × (p50 {ms(median(ours))}, p99 {ms(percentile(ours, 0.99))})",
            held=ratio <= 2,
            details={"p50": median(ours), "bare_p50": median(bare)},
        )
    ]

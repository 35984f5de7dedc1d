"""Deltas of 1,000 conversations at once, through the journal, against bare inserts.

Both write rows of the same size, on as many connections, in batches as large as the
journal's were in this run. The hash chain is made within the measured time, by us alone.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import asyncpg
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from msgspec import Struct

from benchmarks.apparatus.bench import Bench, Database
from benchmarks.apparatus.figures import Figure, median
from tests.store.given import NOON, Writer, written
from turnlog.adapters.postgres import Postgres, open_postgres
from turnlog.adapters.postgres.store import PostgresEventStore
from turnlog.domain.identity import turn_id_in
from turnlog.domain.ports import EventStore
from turnlog.domain.records import Append
from turnlog.runtime.journal import Journal

BUCKETS = 8
STATE = b'{"type":"message.delta","item":12,"delta":" and so on, and so on"}'
TOPIC = "message.delta"
THREADS = 8

BARE_TABLE = """
CREATE TABLE bare (
    originator_version bigint NOT NULL, notification_id bigint NOT NULL, at bigint NOT NULL,
    originator_id uuid NOT NULL, turn_id uuid, bucket smallint NOT NULL,
    tenant_id text NOT NULL, topic text NOT NULL, hash bytea NOT NULL, state bytea NOT NULL,
    PRIMARY KEY (bucket, originator_id, originator_version)
)
"""
BARE = """
INSERT INTO bare
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::uuid[], $5::uuid[],
    $6::smallint[], $7::text[], $8::text[], $9::bytea[], $10::bytea[])
"""


class Size(Struct, frozen=True):
    """How much is written: `seconds` each, in `rounds` A B A B."""

    conversations: int
    seconds: float
    rounds: int


FULL = Size(conversations=1000, seconds=2.5, rounds=3)
SMALL = Size(conversations=20, seconds=0.1, rounds=1)


class _Counting:
    """A store that counts its batches."""

    def __init__(self, store: PostgresEventStore) -> None:
        self._store = store
        self.batches = 0
        self.appends = 0

    @property
    def buckets(self) -> int:
        return self._store.buckets

    async def append(self, bucket: int, appends: Sequence[Append]) -> list[bool]:
        self.batches += 1
        self.appends += len(appends)
        return await self._store.append(bucket, appends)

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


async def measure(bench: Bench) -> list[Figure]:
    """Events a second of each, and of the store alone in batches of a given size."""
    size = SMALL if bench.small else FULL
    async with (
        bench.database() as database,
        open_postgres(database.url) as postgres,
        _bare_connections(database, BUCKETS) as bare,
    ):
        counting = _Counting(postgres.store)
        writers = [Writer(n % BUCKETS) for n in range(size.conversations)]
        for writer in writers:
            await written(postgres.store, writer, b"{}")
        ours: list[float] = []
        theirs: list[float] = []
        for turn in range(size.rounds):
            bench.say(f"journal, then bare inserts: {turn + 1} of {size.rounds}")
            ours.append(await _through_journal(counting, writers, size.seconds))
            batch = max(1, round(counting.appends / max(1, counting.batches)))
            theirs.append(await _bare_inserts(bare, batch, size.seconds))
        by_batch = await _by_batch(bench, postgres, bare, size)
    bench.say("the stock recorder")
    stock = await _stock_recorder(bench, size.seconds)
    ratio = median([a / b for a, b in zip(ours, theirs, strict=True)])
    work = f"{size.conversations:,} conversations appending deltas at once through the journal"
    reached = median(ours)
    batch = round(counting.appends / max(1, counting.batches))
    return [
        Figure(
            what="append",
            work=work,
            yardstick=f"bare INSERT … SELECT FROM unnest, batches of {batch}, "
            f"{BUCKETS} connections: {median(theirs):,.0f}/s",
            aim="≥ 0.5 ×",
            reached=f"{ratio:.2f} × ({reached:,.0f} events/s)",
            held=ratio >= 0.5,
            details={"ours": list(ours), "bare": list(theirs), "batch": batch},
        ),
        Figure(
            what="append",
            work=work,
            yardstick=f"the stock eventsourcing recorder, {THREADS} threads: {stock:,.0f}/s",
            aim="≥ 20 ×",
            reached=f"{reached / stock:.1f} ×",
            held=reached / stock >= 20,
            details={"stock": stock},
        ),
        *by_batch,
    ]


async def _through_journal(store: _Counting, writers: list[Writer], seconds: float) -> float:
    typed: EventStore = store  # type: ignore[assignment]  # what it lacks, it passes on
    journal = Journal(typed)
    deadline = time.perf_counter() + seconds
    written = 0

    async def converse(writer: Writer) -> None:
        nonlocal written
        turn = turn_id_in(writer.conversation_id, NOON, os.urandom(8))
        while time.perf_counter() < deadline:
            append = writer.ready(STATE, topic=TOPIC, turn_id=turn)
            assert await journal.append(append)
            written += 1

    began = time.perf_counter()
    await asyncio.gather(*(converse(writer) for writer in writers))
    return written / (time.perf_counter() - began)


async def _bare_inserts(connections: list[asyncpg.Connection], batch: int, seconds: float) -> float:
    deadline = time.perf_counter() + seconds
    numbers = itertools.count(time.time_ns())
    written = 0

    async def insert(connection: asyncpg.Connection, bucket: int) -> None:
        nonlocal written
        statement = await connection.prepare(BARE)
        logs = [uuid4() for _ in range(batch)]
        while time.perf_counter() < deadline:
            await statement.fetch(*_rows(logs, bucket, next(numbers)))
            written += batch

    began = time.perf_counter()
    await asyncio.gather(*(insert(one, bucket) for bucket, one in enumerate(connections)))
    return written / (time.perf_counter() - began)


def _rows(logs: list[UUID], bucket: int, number: int) -> list[list[object]]:
    many = len(logs)
    return [
        [number] * many, [number] * many, [NOON] * many, list(logs), list(logs), [bucket] * many,
        ["default"] * many, [TOPIC] * many, [b"h" * 32] * many, [STATE] * many,
    ]  # fmt: skip


async def _by_batch(
    bench: Bench, postgres: Postgres, bare: list[asyncpg.Connection], size: Size
) -> list[Figure]:
    """The store without the journal: so many conversations of each bucket in every call."""
    figures = []
    for batch in (1, 10) if bench.small else (1, 10, 100):
        bench.say(f"the store alone, batches of {batch}")
        lanes = [[Writer(bucket) for _ in range(batch)] for bucket in range(BUCKETS)]
        for lane in lanes:
            for writer in lane:
                await written(postgres.store, writer, b"{}")
        ratios, rates = [], []
        for _ in range(2 if not bench.small else 1):
            rates.append(await _store_alone(postgres.store, lanes, size.seconds / 2))
            ratios.append(rates[-1] / await _bare_inserts(bare, batch, size.seconds / 2))
        figures.append(
            Figure(
                what="append",
                work=f"the store's append alone, batches of {batch}, {BUCKETS} buckets",
                yardstick="bare inserts of the same batches",
                aim="≥ 0.5 ×",
                reached=f"{median(ratios):.2f} × ({median(rates):,.0f} events/s)",
                held=median(ratios) >= 0.5,
            )
        )
    return figures


async def _store_alone(
    store: PostgresEventStore, lanes: list[list[Writer]], seconds: float
) -> float:
    deadline = time.perf_counter() + seconds
    written = 0

    async def write(bucket: int, writers: list[Writer]) -> None:
        nonlocal written
        turns = [turn_id_in(w.conversation_id, NOON, os.urandom(8)) for w in writers]
        while time.perf_counter() < deadline:
            batch = [
                writer.ready(STATE, topic=TOPIC, turn_id=turn)
                for writer, turn in zip(writers, turns, strict=True)
            ]
            assert all(await store.append(bucket, batch))
            written += len(batch)

    began = time.perf_counter()
    await asyncio.gather(*(write(bucket, lane) for bucket, lane in enumerate(lanes)))
    return written / (time.perf_counter() - began)


@asynccontextmanager
async def _bare_connections(
    database: Database, number: int
) -> AsyncIterator[list[asyncpg.Connection]]:
    connections = [await asyncpg.connect(database.url) for _ in range(number)]
    try:
        await connections[0].execute(BARE_TABLE)
        yield connections
    finally:
        for connection in connections:
            await connection.close()


async def _stock_recorder(bench: Bench, seconds: float) -> float:
    async with bench.database() as database:
        return await asyncio.to_thread(_record, database.url, seconds)


def _record(url: str, seconds: float) -> float:
    """Events a second, each of another conversation, as our appends are."""
    parts = urlsplit(url)
    options = parse_qs(parts.query)
    with PostgresDatastore(
        dbname=parts.path.removeprefix("/"),
        host=parts.hostname or options["host"][0],
        port=parts.port or options.get("port", ["5432"])[0],
        user=parts.username or "postgres",
        password=parts.password or "",
        pool_size=THREADS,
    ) as datastore:
        recorder = PostgresApplicationRecorder(datastore, events_table_name="stock_events")
        recorder.create_table()
        deadline = time.perf_counter() + seconds

        def write(_: int) -> int:
            written = 0
            while time.perf_counter() < deadline:
                recorder.insert_events([StoredEvent(uuid4(), 1, TOPIC, STATE)])
                written += 1
            return written

        began = time.perf_counter()
        with ThreadPoolExecutor(THREADS) as threads:
            written = sum(threads.map(write, range(THREADS)))
        return written / (time.perf_counter() - began)

"""What keeps the way to a distributed database open (SCALING.md: rules 1, 4 and 6)."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from tests.store.given import NOON, Writer
from turnlog.adapters.postgres import (
    Postgres,
    blobs,
    checkpoints,
    generations,
    inline_rows,
    nodes,
    records,
    store,
    usage,
    views,
)
from turnlog.adapters.postgres.views import list_query
from turnlog.domain.records import ListQuery

ROOT = Path(__file__).parent.parent.parent
LOG = {
    "stored_events", "feed_heads", "conversation_heads", "conversation_secrets",
    "conversations", "turns", "blobs", "idempotency_records", "projection_checkpoints",
    "usage_entries", "usage_turns",
}  # fmt: skip

KEYS = """
SELECT i.indrelid::regclass::text, i.indexrelid::regclass::text, a.attname
FROM pg_index i
JOIN pg_attribute a ON a.attrelid = i.indexrelid AND a.attnum = 1
WHERE i.indisunique AND i.indrelid::regclass::text = ANY ($1)
"""
INDEX_COLUMNS = """
SELECT i.indexrelid::regclass::text, am.amname,
    ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = i.indexrelid)
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_am am ON am.oid = c.relam
WHERE i.indrelid::regclass::text = ANY ($1)
"""
TRIGGERS = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
SEQUENCES = "SELECT relname FROM pg_class WHERE relkind = 'S'"
DEFAULTS = "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef"
RULES = "SELECT tablename FROM pg_rules WHERE schemaname = 'public'"
FOREIGN_KEYS = "SELECT conname FROM pg_constraint WHERE contype = 'f'"
COMMENTS = """
SELECT relname, obj_description(oid, 'pg_class') FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
"""
BODY = "SELECT prosrc FROM pg_proc WHERE proname = 'append_batch'"

READS_OF_ONE_BUCKET = [
    *(
        store.HEAD,
        *store.READS.values(),
        store.FEED,
        blobs.GET,
        views.CONVERSATION,
    ),
    *(views.ONE_TURN, views.TURNS, nodes.ORPHANS, nodes.ENTRUSTED, nodes.EXPIRED),
    *(records.GET, records.FORGET),
    *(checkpoints.CLAIM, checkpoints.END, checkpoints.READ_TOPICS, checkpoints.READ_NO_DELTAS),
    *(inline_rows.HEADS, inline_rows.LOCK, inline_rows.UNMOVED, inline_rows.DROP_TURNS),
    *inline_rows.DROP_STRANGERS.values(),
    *(usage.OPEN_TURNS, usage.DROP_TURNS, usage.FORGET, usage.FORGET_TURNS),
    *(checkpoints.ADVANCE, checkpoints.STOP, checkpoints.RESUME, generations.END),
]


async def test_every_key_begins_with_the_bucket(admin: asyncpg.Connection) -> None:
    keys = await admin.fetch(KEYS, LOG)
    assert {table for table, _, _ in keys} == LOG
    assert {index: first for _, index, first in keys if first != "bucket"} == {}


async def test_every_index_of_the_log_holds_the_bucket(admin: asyncpg.Connection) -> None:
    """But for GIN, which would need an extension for it, and is never unique."""
    indexes = await admin.fetch(INDEX_COLUMNS, LOG)
    without = [
        name for name, kind, columns in indexes if kind == "btree" and "bucket" not in columns
    ]
    assert without == []


@pytest.mark.parametrize("query", [TRIGGERS, SEQUENCES, DEFAULTS, RULES, FOREIGN_KEYS])
async def test_nothing_happens_by_itself(admin: asyncpg.Connection, query: str) -> None:
    assert await admin.fetch(query) == []


async def test_every_statement_of_the_write_path_names_the_bucket(
    admin: asyncpg.Connection,
) -> None:
    body = await admin.fetchval(BODY)
    for sql in [body, blobs.PUT, records.PUT]:
        for table, rest in tables_named_in(sql):
            assert re.match(r".*?\bbucket\b", rest.partition(";")[0], re.DOTALL), table
    reads = re.findall(r"\b(?:FROM|UPDATE|JOIN)\s+(\w+)\b(?!\()", body)
    looked_up = [table for table in reads if table in LOG]
    assert len(looked_up) == body.count("bucket = the_bucket") == 5
    inserts = re.findall(r"INSERT INTO (\w+) \(\s*bucket,", body)
    assert len(inserts) == body.count("INSERT INTO") == 6
    assert body.count("ON CONFLICT") == body.count("ON CONFLICT (bucket,")


def test_every_read_of_one_conversation_names_its_bucket() -> None:
    for query in READS_OF_ONE_BUCKET:
        assert re.search(r"WHERE (\w\.)?bucket = \$1", query), query


async def test_nothing_reaches_beyond_its_bucket(admin: asyncpg.Connection) -> None:
    body = (await admin.fetchval(BODY)).lower()
    for word in ("nextval", "advisory", "notify", "txid", "xmin", "now()", "random", "pg_current"):
        assert word not in body


async def test_the_write_path_leaves_heartbeats_alone(admin: asyncpg.Connection) -> None:
    """They are one table for all buckets, and every node looks at it all the time."""
    body = await admin.fetchval(BODY)
    assert not re.search(r"\b(FROM|UPDATE|JOIN|INTO)\s+nodes\b", body)
    assert "nodes" not in LOG


async def test_every_table_says_which_file_writes_it(admin: asyncpg.Connection) -> None:
    for table, comment in await admin.fetch(COMMENTS):
        file = re.search(r"Written by (\S+\.py)\.$", comment or "")
        assert file, table
        assert (ROOT / file[1]).is_file(), table


async def test_cold_loading_goes_through_the_index_without_deltas(
    postgres: Postgres, admin: asyncpg.Connection
) -> None:
    writers = [Writer() for _ in range(50)]
    for _ in range(4):
        batch = [writer.ready(b"1") for writer in writers]
        deltas = [writer.ready(*[b"2"] * 50, topic="message.delta") for writer in writers]
        assert all(await postgres.store.append(0, batch))
        assert all(await postgres.store.append(0, deltas))
    await admin.execute("ANALYZE stored_events")

    arguments = (0, writers[7].conversation_id, 0, 2**63 - 1, 100)
    plan = await plan_of(admin, store.READS[False, False], *arguments)
    assert "stored_events_bearing_state" in plan
    assert "Seq Scan" not in plan
    assert "stored_events_pkey" in await plan_of(admin, store.READS[True, False], *arguments)


async def test_the_ends_of_logs_are_read_off_the_index_each(
    postgres: Postgres, admin: asyncpg.Connection
) -> None:
    writers = [Writer(bucket) for bucket in range(8) for _ in range(10)]
    for writer in writers:
        states = [b"2"] * 100
        assert await postgres.store.append(writer.bucket, [writer.ready(*states)]) == [True]
    await admin.execute("ANALYZE stored_events")
    some = writers[::5]
    buckets, ids = [w.bucket for w in some], [w.conversation_id for w in some]
    plan = await plan_of(admin, store.READ_EACH, buckets, ids, [90] * len(some), 256)
    assert "stored_events_pkey" in plan
    assert "Seq Scan" not in plan


async def test_pages_of_the_list_are_read_off_an_index(
    postgres: Postgres, admin: asyncpg.Connection
) -> None:
    middle = Writer().conversation_id
    for bucket in range(8):
        writers = [Writer(bucket) for _ in range(50)]
        appends = [writer.ready(b"1", row=writer.row(tags=("t",))) for writer in writers]
        assert all(await postgres.store.append(bucket, appends))
    await admin.execute("ANALYZE conversations")

    page = ListQuery(tenant_id="acme", limit=20, before=(NOON, middle))
    plan = await plan_of(admin, list_query(page)[0], *list_query(page)[1])
    assert "conversations_by_age" in plan
    assert "Sort" not in plan


async def test_orphans_are_read_off_the_index_of_unfinished_turns(
    postgres: Postgres, admin: asyncpg.Connection
) -> None:
    """Nearly all turns have ended; the others are found without looking at those."""
    for bucket in range(2):
        for number in range(20):
            writer = Writer(bucket)
            ended = [writer.turn(writer.new_turn_id(), node="a", last_offset=1) for _ in range(50)]
            runs = writer.turn(writer.new_turn_id(), node="gone" if number % 2 else "a")
            assert await postgres.store.append(bucket, [writer.ready(b"1", turns=[*ended, runs])])
    await admin.execute("ANALYZE turns")

    for timeout in (None, timedelta(seconds=5)):
        plan = await plan_of(admin, nodes.ORPHANS, 0, timeout, 64)
        assert "turns_unfinished" in plan
        assert "Sort" not in plan
        assert "on turns " not in plan.replace("turns_unfinished on turns ", "")


async def test_turns_that_rested_too_long_are_read_off_an_index_of_their_own(
    postgres: Postgres, admin: asyncpg.Connection
) -> None:
    """Most turns have ended, and of the others most may rest for days."""
    for bucket in range(2):
        for number in range(20):
            writer = Writer(bucket)
            ended = [writer.turn(writer.new_turn_id(), last_offset=1) for _ in range(50)]
            rests = writer.turn(writer.new_turn_id(), expires_at=NOON + number * 1_000_000)
            assert await postgres.store.append(bucket, [writer.ready(b"1", turns=[*ended, rests])])
    await admin.execute("ANALYZE turns")

    plan = await plan_of(admin, nodes.EXPIRED, 0, NOON + 3_000_000, 64)
    assert "turns_resting" in plan
    assert "Sort" not in plan


async def plan_of(connection: asyncpg.Connection, query: str, *arguments: object) -> str:
    return "\n".join(line for (line,) in await connection.fetch(f"EXPLAIN {query}", *arguments))


def tables_named_in(sql: str) -> list[tuple[str, str]]:
    """Each mention of a table of the log, with the rest of the text."""
    mentions = re.finditer(r"\b(?:FROM|UPDATE|JOIN|INTO)\s+(\w+)", sql)
    return [(found[1], sql[found.end() :]) for found in mentions if found[1] in LOG]

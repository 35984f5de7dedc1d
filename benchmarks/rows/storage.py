"""Bytes on disk for a 1,000-token answer at 50 tokens a second, table and indexes."""

from __future__ import annotations

import asyncpg

from benchmarks.apparatus.bench import Bench
from benchmarks.apparatus.clients import client, each
from benchmarks.apparatus.figures import Details, Figure
from benchmarks.apparatus.servers import node
from benchmarks.apparatus.upstream import play, upstream, words

RATE = 50
AIM = 40
INTERVALS = (0.0, 0.04)

PARTS = """
SELECT c.relname, pg_relation_size(c.oid) + pg_relation_size(c.oid, 'vm')
    + CASE c.reltoastrelid WHEN 0 THEN 0 ELSE pg_total_relation_size(c.reltoastrelid) END AS bytes
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'i')
"""


async def measure(bench: Bench) -> list[Figure]:
    """As it is, and with an interval in which text gathers."""
    return [await _measured(bench, interval) for interval in INTERVALS]


async def _measured(bench: Bench, interval: float) -> Figure:
    """Turns of many conversations at once, as their events lie on disk then."""
    turns, tokens = (4, 20) if bench.small else (20, 1000)
    said_so = {"TURNLOG_TEXT_INTERVAL": f"{interval:g}"} if interval else {}
    async with (
        upstream() as provider,
        bench.database() as database,
        node(database, {**provider.env, **said_so}) as server,
        client(server.api) as talker,
        database.connected() as admin,
    ):
        before = await _parts(admin)
        logs = await each(range(turns), lambda _: talker.create())
        bench.say(f"{turns} answers of {tokens} tokens {_words(said_so)}")
        message = play(tokens, RATE, stamped=False)
        said = await each(logs, lambda log: talker.say(log, message))
        await each(said, talker.ended, at_once=turns)
        after = await _parts(admin)
        events = await admin.fetchval("SELECT count(*) FROM stored_events")
    text = len("".join(words(tokens)).encode()) * turns
    grown = {name: after[name] - before.get(name, 0) for name in after}
    parts = {name: size for name, size in grown.items() if size > 0.01 * sum(grown.values())}
    details: Details = {name: round(size / turns) for name, size in parts.items()}
    times = sum(grown.values()) / text
    told = ", ".join(
        f"{name} {size / text:.1f} ×" for name, size in sorted(parts.items(), key=lambda it: -it[1])
    )
    return Figure(
        what="storage",
        work=f"bytes on disk, table and indexes, of a {tokens:,}-token answer at "
        f"{RATE} tokens/s ({turns} at once){_words(said_so)}",
        yardstick=f"its text: {text // turns:,} bytes",
        aim=f"≤ {AIM} ×",
        reached=f"{times:.1f} × ({events / turns:.0f} events an answer, "
        f"{sum(grown.values()) / events:.0f} bytes each; {told})",
        held=times <= AIM,
        details=details,
    )


def _words(settings: dict[str, str]) -> str:
    return "".join(f", {name}={value}" for name, value in settings.items())


async def _parts(admin: asyncpg.Connection) -> dict[str, int]:
    await admin.execute("CHECKPOINT")
    return {row["relname"]: row["bytes"] for row in await admin.fetch(PARTS)}

"""After the breaking: everything comes to rest, is stopped, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import signal
import time

from tests.chaos.world import World

UNFINISHED = "SELECT count(*) FROM turns WHERE last_offset IS NULL"
HEADS = "SELECT conversation_id, head FROM conversation_heads"
NODES = "SELECT node FROM nodes"
CONNECTED = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'turnlog%'"
GONE_SECONDS = 0.2


async def settle(world: World) -> list[str]:
    """Let every turn end, and every client see it; what did not come to rest in time."""
    deadline = time.monotonic() + world.options.settle
    left: list[str] = []
    while time.monotonic() < deadline:
        left = await _unsettled(world)
        if not left:
            break
        await asyncio.sleep(0.1)
    return left


async def _unsettled(world: World) -> list[str]:
    left = []
    if unfinished := (await world.database.rows(UNFINISHED))[0][0]:
        left.append(f"{unfinished} turns have not ended")
    if world.upstream.answering:
        left.append(f"{world.upstream.answering} answers of the upstream are under way")
    heads = {str(row[0]): row[1] for row in await world.database.rows(HEADS)}
    for reading in world.diary.readings:
        behind = reading.cursor < heads[reading.conversation_id]
        if not reading.over if reading.turn_id else behind:
            left.append(f"{reading.path} is read up to {reading.cursor}")
    return left


async def stop(world: World) -> list[str]:
    """Stop the nodes in order; what they left behind."""
    left: list[str] = []
    for node in world.nodes:
        await node.end(signal.SIGTERM)
        if node.life.code != 0:
            left.append(f"SIGTERM ended node {node.number} with {node.life.code}")
    await asyncio.sleep(GONE_SECONDS)
    for node in world.nodes:
        if node.to_database.lines:
            left.append(f"node {node.number} has {node.to_database.lines} database connections")
    if world.upstream.connections:
        left.append(f"{world.upstream.connections} connections to the upstream")
    if rows := await world.database.rows(NODES):
        left.append(f"nodes that are known and gone: {rows}")
    if rows := await world.database.rows(CONNECTED):
        left.append(f"connections that PostgreSQL has open: {rows}")
    return left

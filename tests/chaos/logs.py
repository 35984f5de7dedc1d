"""The logs as they stand in the database at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from tests.chaos.database import Database
from turnlog.domain.chain import genesis, link

HEADS = """
SELECT h.conversation_id, h.head, h.hash, s.secret
FROM conversation_heads h JOIN conversation_secrets s USING (bucket, conversation_id)
"""
EVENTS = """
SELECT originator_id, originator_version, topic, state, turn_id, at, hash
FROM stored_events ORDER BY originator_id, originator_version
"""
TURNS = "SELECT turn_id, conversation_id, status, first_offset, last_offset, attempt FROM turns"


class Stored(Struct):
    """One event."""

    offset: int
    type: str
    state: bytes
    turn_id: str
    at: float
    payload: dict[str, Any]

    @property
    def frame(self) -> bytes:
        """The bytes that a client must be sent."""
        return b"id: %d\nevent: %b\ndata: %b\n" % (self.offset, self.type.encode(), self.state)


class Log(Struct):
    """A conversation's events; `wrong` is what its head and hashes say against them."""

    conversation_id: str
    events: list[Stored]
    wrong: list[str]

    def of_turn(self, turn_id: str) -> Iterator[Stored]:
        """A turn's events."""
        return (event for event in self.events if event.turn_id == turn_id)


async def logs(database: Database) -> dict[str, Log]:
    """All of them, by conversation."""
    found: dict[str, Log] = {}
    heads = {row["conversation_id"]: row for row in await database.rows(HEADS)}
    hashes = {key: genesis(key) for key in heads}
    for row in await database.rows(EVENTS):
        key = row["originator_id"]
        log = found.setdefault(str(key), Log(str(key), [], []))
        offset, topic, state, at = row[1], row[2], row[3], row[5]
        hashes[key] = link(hashes[key], offset, at, topic, heads[key]["secret"], state)
        if row["hash"] != hashes[key]:
            log.wrong.append(f"the hash of {offset} does not follow from those before")
        if offset != len(log.events) + 1:
            log.wrong.append(f"{offset} follows {len(log.events)}")
        log.events.append(
            Stored(offset, topic, state, str(row["turn_id"] or ""), at / 1e6, json.loads(state))
        )
    for key, row in heads.items():
        log = found.setdefault(str(key), Log(str(key), [], []))
        if row["head"] != len(log.events) or row["hash"] != hashes[key]:
            log.wrong.append(f"its head says {row['head']}, and it has {len(log.events)}")
    return found

"""A batch of appends as the arrays that the SQL function `append_batch` takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from turnlog.domain.codec import well_formed
from turnlog.domain.records import AnswerRecord, Append, ConversationRow, TurnRow

_OF_EVENTS = """
smallint integer
uuid[] text[] bytea[] bigint[] bytea[] bigint[] bytea[]
integer[] bigint[] text[] bytea[] uuid[] bigint[] bytea[]
"""
_OF_ROWS = """
integer[] bigint[] bigint[] text[] text[] text[] boolean[] bytea[]
integer[] uuid[] text[] bigint[] bigint[] integer[] text[] bigint[]
integer[] bytea[] bytea[] bytea[] bigint[]
"""


def _statement(types: str) -> str:
    arguments = (f"${n}::{kind}" for n, kind in enumerate(types.split(), 1))
    return f"SELECT append_batch({', '.join(arguments)})"


APPEND = _statement(_OF_EVENTS + _OF_ROWS)
APPEND_EVENTS = _statement(_OF_EVENTS)


def call(bucket: int, buckets: int, appends: Sequence[Append]) -> tuple[str, list[Any]]:
    """The statement that writes them, and its arguments.

    Most batches have events alone; each argument more costs both sides, be it empty.
    """
    entries = [(n, entry) for n, append in enumerate(appends, 1) for entry in append.entries]
    listed = [(n, row) for n, append in enumerate(appends, 1) if (row := append.conversation)]
    turns = [
        (n, turn)
        for n, append in enumerate(appends, 1)
        # The last of an id counts; to the database, two would be an error.
        for turn in {turn.turn_id: turn for turn in append.turns}.values()
    ]
    records = [(n, record) for n, append in enumerate(appends, 1) for record in append.records]
    new = any(append.head.offset == 0 for append in appends)
    arguments = [
        bucket,
        buckets,
        [append.conversation_id for append in appends],
        [append.head.tenant_id for append in appends],
        [None if append.head.offset else append.head.secret for append in appends] if new else None,
        [append.head.offset for append in appends],
        [append.head.hash for append in appends],
        [append.entries[-1].offset for append in appends],
        [append.entries[-1].hash for append in appends],
        [n for n, _ in entries],
        [entry.offset for _, entry in entries],
        [entry.topic for _, entry in entries],
        [entry.state for _, entry in entries],
        [entry.turn_id for _, entry in entries],
        [entry.at for _, entry in entries],
        [entry.hash for _, entry in entries],
    ]
    if not (listed or turns or records):
        return APPEND_EVENTS, arguments
    arguments += _of_listed(listed) if listed else [None] * 8
    arguments += _of_turns(turns) if turns else [None] * 8
    arguments += _of_records(records) if records else [None] * 5
    return APPEND, arguments


def _of_listed(listed: Sequence[tuple[int, ConversationRow]]) -> list[list[Any]]:
    return [
        [n for n, _ in listed],
        [row.created_at for _, row in listed],
        [row.updated_at for _, row in listed],
        [row.status for _, row in listed],
        [row.agent_role and storable(row.agent_role) for _, row in listed],
        [array_text(row.tags) for _, row in listed],
        [row.deleted for _, row in listed],
        [row.document for _, row in listed],
    ]


def _of_turns(turns: Sequence[tuple[int, TurnRow]]) -> list[list[Any]]:
    return [
        [n for n, _ in turns],
        [turn.turn_id for _, turn in turns],
        [turn.status for _, turn in turns],
        [turn.first_offset for _, turn in turns],
        [turn.last_offset for _, turn in turns],
        [turn.attempt for _, turn in turns],
        [turn.node for _, turn in turns],
        [turn.expires_at for _, turn in turns],
    ]


def _of_records(records: Sequence[tuple[int, AnswerRecord]]) -> list[list[Any]]:
    return [
        [n for n, _ in records],
        [record.key for _, record in records],
        [record.fingerprint for _, record in records],
        [record.answer for _, record in records],
        [record.at for _, record in records],
    ]


def storable(text: str) -> str:
    """Text as PostgreSQL can hold it: U+0000 and lone surrogates become U+FFFD."""
    return well_formed(text).replace("\0", "\ufffd")


def array_text(texts: Sequence[str]) -> str:
    """Texts as PostgreSQL writes an array; arrays of arrays could not differ in length."""
    escaped = (storable(text).replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in escaped) + "}"

"""Writes what can be searched, in the transaction of whoever follows the feed."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from turnlog.adapters.postgres.arrays import storable
from turnlog.adapters.postgres.search import CLOSE, OPEN
from turnlog.domain.codec import decode
from turnlog.domain.records import FedEntry
from turnlog.projections.searching import Say, Unsay, UnsayAll, changes

MAX_CHARACTERS = 128 * 1024

_WEIGHTS = {"title": "A", "summary": "B", "user": "C", "assistant": "D"}

PUT = """
INSERT INTO search_texts (
    bucket, conversation_id, part, "offset", tenant_id, turn_id, said_at, text, vector
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, setweight(to_tsvector($9::regconfig, $8), $10))
ON CONFLICT (bucket, conversation_id, part, "offset") DO UPDATE SET
    said_at = excluded.said_at,
    text = excluded.text,
    vector = excluded.vector
"""
DROP = """
DELETE FROM search_texts
WHERE bucket = $1 AND conversation_id = $2 AND part = $3 AND "offset" = $4
"""
UNSAY = """
DELETE FROM search_texts
WHERE bucket = $1 AND conversation_id = $2 AND part = 'assistant' AND turn_id = $3
    AND "offset" >= $4
"""
UNSAY_ALL = "DELETE FROM search_texts WHERE bucket = $1 AND conversation_id = $2"
BLOB = "SELECT data FROM blobs WHERE bucket = $1 AND conversation_id = $2 AND sha256 = $3"

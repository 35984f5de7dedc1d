"""Writes what can be searched, in the transactions of the projection `search`."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from turnlog.adapters.postgres.arrays import storable
from turnlog.adapters.postgres.checkpoints import within
from turnlog.adapters.postgres.connections import Connections
from turnlog.domain.projecting import Claim
from turnlog.domain.search import Say, TextChange, Unsay, UnsayAll

# A vector holds a megabyte of words at most; nobody looks for what stands so far behind.
MAX_CHARACTERS = 128 * 1024

PUT = """
INSERT INTO search_texts (
    bucket, generation, conversation_id, part, event_offset, tenant_id, turn_id, content, vector
)
SELECT $1, $2, t.conversation_id, t.part, t.event_offset, t.tenant_id, t.turn_id, t.content,
    setweight(to_tsvector($3::text::regconfig, t.content), t.weight::"char")
FROM unnest($4::uuid[], $5::text[], $6::bigint[], $7::text[], $8::uuid[], $9::text[], $10::text[])
    AS t (conversation_id, part, event_offset, tenant_id, turn_id, content, weight)
ON CONFLICT (bucket, generation, conversation_id, part, event_offset) DO UPDATE SET
    content = excluded.content,
    vector = excluded.vector
"""
DROP = """
DELETE FROM search_texts t
USING unnest($3::uuid[], $4::text[], $5::bigint[]) AS gone (conversation_id, part, event_offset)
WHERE t.bucket = $1 AND t.generation = $2 AND t.conversation_id = gone.conversation_id
    AND t.part = gone.part AND t.event_offset = gone.event_offset
"""
UNSAY = """
DELETE FROM search_texts
WHERE bucket = $1 AND generation = $2 AND conversation_id = $3 AND part = 'assistant'
    AND turn_id = $4 AND event_offset >= $5
"""
UNSAY_ALL = """
DELETE FROM search_texts WHERE bucket = $1 AND generation = $2 AND conversation_id = $3
"""
BLOB = "SELECT data FROM blobs WHERE bucket = $1 AND conversation_id = $2 AND sha256 = $3"
FORGET = """
DELETE FROM search_texts WHERE bucket = $1 AND ctid = ANY (ARRAY(
    SELECT ctid FROM search_texts WHERE bucket = $1 AND generation = $2 LIMIT 10000
)) RETURNING true
"""

_WEIGHTS = {"title": "A", "summary": "B", "user": "C", "assistant": "D"}
_Key = tuple[UUID, str, int]


class PostgresSearchTexts:
    """`SearchTexts`; `language` is the name of a text search configuration of the database."""

    def __init__(self, connections: Connections, language: str) -> None:
        self._connections = connections
        self._language = language

    async def write(self, claim: Claim, changes: Sequence[TextChange]) -> None:
        said: dict[_Key, tuple[TextChange, Say]] = {}
        for change in changes:
            match change.change:
                case Say() as say:
                    said[change.conversation_id, say.part, say.offset] = change, say
                case Unsay() as unsaid:
                    await self._say(claim, said)
                    await self._rows(
                        claim, UNSAY, change.conversation_id, unsaid.turn_id, unsaid.from_offset
                    )
                case UnsayAll():
                    await self._say(claim, said)
                    await self._rows(claim, UNSAY_ALL, change.conversation_id)
        await self._say(claim, said)

    async def forget(self, bucket: int, generation: int) -> bool:
        return bool(await self._connections.rows(FORGET, bucket, generation))

    async def _say(self, claim: Claim, said: dict[_Key, tuple[TextChange, Say]]) -> None:
        """Write the texts, and forget that they were to be written."""
        texts = [
            (change, say, await self._whole(claim, change, say)) for change, say in said.values()
        ]
        said.clear()
        kept = [each for each in texts if each[2]]
        gone = [each for each in texts if not each[2]]
        if kept:
            await self._rows(
                claim,
                PUT,
                self._language,
                [change.conversation_id for change, _, _ in kept],
                [say.part for _, say, _ in kept],
                [say.offset for _, say, _ in kept],
                [change.tenant_id for change, _, _ in kept],
                [say.turn_id for _, say, _ in kept],
                [text for _, _, text in kept],
                [_WEIGHTS[say.part] for _, say, _ in kept],
            )
        if gone:
            await self._rows(
                claim,
                DROP,
                [change.conversation_id for change, _, _ in gone],
                [say.part for _, say, _ in gone],
                [say.offset for _, say, _ in gone],
            )

    async def _whole(self, claim: Claim, change: TextChange, say: Say) -> str:
        """The text as it is kept, with the beginning of what stands beside the log."""
        text = say.text
        for sha256 in say.blobs:
            place = (claim.bucket, change.conversation_id, sha256)
            for (data,) in await within(claim).rows(BLOB, *place):
                text += "\n" + data[: MAX_CHARACTERS * 4].decode(errors="replace")
        return storable(text[:MAX_CHARACTERS]).strip()

    async def _rows(self, claim: Claim, statement: str, *arguments: object) -> None:
        await within(claim).rows(statement, claim.bucket, claim.generation, *arguments)

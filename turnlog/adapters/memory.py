"""The reference of what a store promises, in memory: for `--ephemeral`, and to compare with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from uuid import UUID

from msgspec.structs import replace

from turnlog.adapters.batches import check
from turnlog.domain.codec import DELTA_TOPICS
from turnlog.domain.identity import bucket_of
from turnlog.domain.records import (
    AnswerRecord,
    Append,
    Blob,
    ConversationRow,
    Entry,
    FedEntry,
    FoldedRows,
    Head,
    InlineKind,
    Labels,
    Listed,
    ListQuery,
    Process,
    Replaced,
    TurnRow,
)


class MemoryStore:
    """The log and what is written with it (`EventStore`, `Views`, `InlineRows`,
    `Nodes` and `Records`).

    Its nodes are of one process, and die with it: none is ever late.
    """

    def __init__(self, buckets: int = 8) -> None:
        self._feeds: list[list[tuple[UUID, Entry]]] = [[] for _ in range(buckets)]
        self._heads: dict[UUID, Head] = {}
        self._logs: dict[UUID, list[Entry]] = {}
        self._conversations: dict[UUID, ConversationRow] = {}
        self._turns: dict[UUID, TurnRow] = {}
        self._nodes: set[str] = set()
        self._records: dict[tuple[int, bytes], AnswerRecord] = {}

    @property
    def buckets(self) -> int:
        return len(self._feeds)

    async def append(self, bucket: int, appends: Sequence[Append]) -> list[bool]:
        check(bucket, appends, self.buckets)
        return [self._append(bucket, append) for append in appends]

    def _append(self, bucket: int, append: Append) -> bool:
        conversation_id, last = append.conversation_id, append.entries[-1]
        log = self._logs.setdefault(conversation_id, [])
        head = self._heads.get(conversation_id, replace(append.head, offset=0))
        if (head.offset, head.hash) != (append.head.offset, append.head.hash):
            return last in log[last.offset - 1 : last.offset]
        if any((bucket, record.key) in self._records for record in append.records):
            return False
        self._heads[conversation_id] = replace(head, offset=last.offset, hash=last.hash)
        log.extend(append.entries)
        self._feeds[bucket].extend((conversation_id, entry) for entry in append.entries)
        if append.conversation is not None:
            self._conversations[conversation_id] = append.conversation
        self._turns.update({turn.turn_id: turn for turn in append.turns})
        self._records.update({(bucket, record.key): record for record in append.records})
        return True

    async def head(self, conversation_id: UUID) -> Head | None:
        return self._heads.get(conversation_id)

    async def read(
        self,
        conversation_id: UUID,
        *,
        after: int = 0,
        until: int | None = None,
        limit: int | None = None,
        turn_id: UUID | None = None,
        deltas: bool = True,
    ) -> list[Entry]:
        entries = (
            replace(entry, hash=b"")
            for entry in self._logs.get(conversation_id, [])[after:until]
            if (turn_id is None or entry.turn_id == turn_id)
            and (deltas or entry.topic not in DELTA_TOPICS)
        )
        return list(islice(entries, limit))

    async def read_each(self, after: Mapping[UUID, int], *, limit: int) -> dict[UUID, list[Entry]]:
        found = {an_id: await self.read(an_id, after=n, limit=limit) for an_id, n in after.items()}
        return {an_id: entries for an_id, entries in found.items() if entries}

    async def feed(self, bucket: int, *, after: int, limit: int) -> list[FedEntry]:
        return [
            FedEntry(
                bucket, position, an_id, self._heads[an_id].tenant_id, replace(entry, hash=b"")
            )
            for position, (an_id, entry) in enumerate(
                self._feeds[bucket][after : after + limit], after + 1
            )
        ]

    async def offsets(self, conversation_ids: Sequence[UUID]) -> dict[UUID, int]:
        return {
            an_id: head.offset for an_id in conversation_ids if (head := self._heads.get(an_id))
        }

    async def positions(self) -> list[int]:
        return [len(feed) for feed in self._feeds]

    async def conversation(self, conversation_id: UUID) -> Listed | None:
        row = self._conversations.get(conversation_id)
        return None if row is None else self._listed(row)

    async def conversations(self, query: ListQuery) -> list[Listed]:
        return (await self.matching(query))[: query.limit]

    async def matching(self, query: ListQuery) -> list[Listed]:
        """All that a query's page is of."""
        rows = [row for row in self._conversations.values() if self._is_wanted(row, query)]
        rows.sort(key=_age, reverse=True)
        return [self._listed(row) for row in rows]

    async def labels(self, conversation_ids: Sequence[UUID]) -> dict[UUID, Labels]:
        return {
            an_id: Labels(frozenset(row.tags), row.deleted)
            for an_id in conversation_ids
            if (row := self._conversations.get(an_id))
        }

    async def turn(self, turn_id: UUID) -> TurnRow | None:
        return self._turns.get(turn_id)

    async def turns(
        self, conversation_id: UUID, *, limit: int, before: int | None = None
    ) -> list[TurnRow]:
        turns = [
            turn
            for turn in self._turns.values()
            if turn.conversation_id == conversation_id
            and (before is None or turn.first_offset < before)
        ]
        turns.sort(key=lambda turn: turn.first_offset, reverse=True)
        return turns[:limit]

    async def beat(self, node: str, process: Process) -> None:
        self._nodes.add(node)

    async def leave(self, node: str) -> None:
        self._nodes.discard(node)

    async def beside(self, node: str, machine: str) -> dict[str, int]:
        return {}

    async def others(self, node: str, timeout: float, *, without: str | None = None) -> int:
        return 0 if without else len(self._nodes - {node})  # all are in this process

    async def entrusted(self, bucket: int, node: str, known: Sequence[UUID]) -> list[TurnRow]:
        return [
            turn
            for turn in self._turns.values()
            if turn.last_offset is None
            and turn.node == node
            and turn.turn_id not in known
            and bucket_of(turn.turn_id, self.buckets) == bucket
        ]

    async def orphans(self, bucket: int, *, timeout: float | None, limit: int) -> list[TurnRow]:
        turns = [
            turn
            for turn in self._turns.values()
            if turn.last_offset is None
            and turn.node is not None
            and turn.node not in self._nodes
            and bucket_of(turn.turn_id, self.buckets) == bucket
        ]
        return sorted(turns, key=lambda turn: turn.turn_id)[:limit]

    async def expired(self, bucket: int, now: int, limit: int) -> list[TurnRow]:
        turns = [
            (turn.expires_at, turn)
            for turn in self._turns.values()
            if turn.last_offset is None
            and turn.expires_at is not None
            and turn.expires_at <= now
            and bucket_of(turn.turn_id, self.buckets) == bucket
        ]
        turns.sort(key=lambda timed: timed[0])
        return [turn for _, turn in turns[:limit]]

    async def heads(self, bucket: int, *, after: UUID | None, limit: int) -> list[tuple[UUID, int]]:
        found = sorted(
            (an_id, head.offset)
            for an_id, head in self._heads.items()
            if bucket_of(an_id, self.buckets) == bucket and (after is None or an_id > after)
        )
        return found[:limit]

    async def replace(
        self, bucket: int, kind: InlineKind, folded: Sequence[FoldedRows]
    ) -> Replaced:
        still = [rows for rows in folded if self._heads[rows.conversation_id].offset == rows.head]
        ids = {rows.conversation_id for rows in still}
        changed = 0
        if kind == "conversations":
            for rows in still:
                if rows.conversation is not None:
                    changed += self._conversations.get(rows.conversation_id) != rows.conversation
                    self._conversations[rows.conversation_id] = rows.conversation
        else:
            right = {turn.turn_id: turn for rows in still for turn in rows.turns}
            kept = {
                turn_id: turn
                for turn_id, turn in self._turns.items()
                if turn_id in right or turn.conversation_id in ids
            }
            changed = sum(kept.get(turn_id) != turn for turn_id, turn in right.items())
            for turn_id in kept.keys() - right.keys():
                changed += 1
                del self._turns[turn_id]
            self._turns |= right
        moved = [rows.conversation_id for rows in folded if rows.conversation_id not in ids]
        return Replaced(changed=changed, moved=moved)

    async def drop_strangers(self, bucket: int, kind: InlineKind) -> int:
        conversations = self._conversations.keys() - self._heads.keys()
        turns = [
            turn_id
            for turn_id, turn in self._turns.items()
            if turn.conversation_id not in self._heads
        ]
        strangers = conversations if kind == "conversations" else turns
        gone = [an_id for an_id in strangers if bucket_of(an_id, self.buckets) == bucket]
        for an_id in gone:
            if kind == "conversations":
                del self._conversations[an_id]
            else:
                del self._turns[an_id]
        return len(gone)

    async def get(self, bucket: int, key: bytes) -> AnswerRecord | None:
        return self._records.get((bucket, key))

    async def put(self, bucket: int, record: AnswerRecord) -> bool:
        return self._records.setdefault((bucket, record.key), record) is record

    async def forget(self, bucket: int, before: int) -> None:
        old = [key for key, record in self._records.items() if record.at < before]
        for key in old:
            if key[0] == bucket:
                del self._records[key]

    def _is_wanted(self, row: ConversationRow, query: ListQuery) -> bool:
        return (
            not row.deleted
            and self._heads[row.conversation_id].tenant_id == query.tenant_id
            and (query.before is None or _age(row) < query.before)
            and set(query.tags) <= set(row.tags)
            and query.agent_role in (None, row.agent_role)
            and query.status in (None, row.status)
        )

    def _listed(self, row: ConversationRow) -> Listed:
        return Listed(row=row, offset=self._heads[row.conversation_id].offset)


class MemoryBlobs:
    """Bytes beside the log."""

    def __init__(self) -> None:
        self._blobs: dict[tuple[UUID, str], Blob] = {}

    async def put(self, conversation_id: UUID, blob: Blob) -> None:
        self._blobs.setdefault((conversation_id, blob.sha256), blob)

    async def get(self, conversation_id: UUID, sha256: str) -> Blob | None:
        return self._blobs.get((conversation_id, sha256))


class MemoryHints:
    """Words that a node says to itself."""

    def __init__(self) -> None:
        self._hearers: list[Callable[[UUID, int], None]] = []

    async def say(self, moved: dict[UUID, int]) -> None:
        for hear in tuple(self._hearers):
            for conversation_id, offset in moved.items():
                hear(conversation_id, offset)

    async def listen(
        self, hear: Callable[[UUID, int], None], reconnected: Callable[[], None]
    ) -> None:
        self._hearers.append(hear)
        try:
            reconnected()
            await asyncio.Event().wait()
        finally:
            self._hearers.remove(hear)


def _age(row: ConversationRow) -> tuple[int, UUID]:
    return row.created_at, row.conversation_id

"""Writers with valid hash chains, and the rows that they write."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from turnlog.domain.chain import genesis, link
from turnlog.domain.identity import turn_id_in, uuid7
from turnlog.domain.ports import EventStore
from turnlog.domain.records import Append, ConversationRow, Entry, FedEntry, Head, TurnRow

NOON = 1_750_000_000_000_000


class Writer:
    """What a node believes of one log. `bucket` is the same for any number of them above it."""

    def __init__(self, bucket: int = 0, tenant_id: str = "acme") -> None:
        self.bucket = bucket
        self.conversation_id = uuid7(NOON, os.urandom(8), last_byte=bucket)
        self.head = Head(
            offset=0,
            hash=genesis(self.conversation_id),
            secret=os.urandom(32),
            tenant_id=tenant_id,
        )

    def ready(
        self,
        *states: bytes,
        topic: str = "message.completed",
        begun: int = NOON,
        turn_id: UUID | None = None,
        row: ConversationRow | None = None,
        turns: Sequence[TurnRow] = (),
    ) -> Append:
        """An append of these states. The writer goes on as if it had been written."""
        expected, entries = self.head, []
        offset, hash = expected.offset, expected.hash
        for state in states:
            offset, at = offset + 1, begun + offset
            hash = link(hash, offset, at, topic, expected.secret, state)
            entries.append(Entry(offset, topic, state, turn_id, at, hash))
        self.head = replace(expected, offset=offset, hash=hash)
        return Append(
            conversation_id=self.conversation_id,
            head=expected,
            entries=tuple(entries),
            conversation=row,
            turns=tuple(turns),
        )

    def twin(self) -> Writer:
        """Another node that believes the same."""
        twin = Writer.__new__(Writer)
        twin.__dict__.update(self.__dict__)
        return twin

    def row(self, **fields: Any) -> ConversationRow:
        """The conversation's place in the list."""
        row = ConversationRow(
            conversation_id=self.conversation_id,
            created_at=NOON,
            updated_at=NOON,
            status="idle",
            agent_role=None,
            tags=(),
            deleted=False,
            document=b"{}",
        )
        return replace(row, **fields)

    def turn(self, turn_id: UUID, **fields: Any) -> TurnRow:
        """Where a turn of the conversation stands."""
        turn = TurnRow(
            turn_id=turn_id,
            conversation_id=self.conversation_id,
            status="running",
            first_offset=self.head.offset + 1,
        )
        return replace(turn, **fields)

    def new_turn_id(self, at: int = NOON) -> UUID:
        return turn_id_in(self.conversation_id, at, os.urandom(8))


async def written(store: EventStore, writer: Writer, *states: bytes, **rest: Any) -> Append:
    """An append that was written, alone in its batch."""
    append = writer.ready(*states, **rest)
    assert await store.append(writer.bucket, [append]) == [True]
    return append


async def states_in(store: EventStore, writer: Writer) -> list[bytes]:
    """What a log holds."""
    return [entry.state for entry in await store.read(writer.conversation_id)]


async def feed_of(store: EventStore, bucket: int = 0) -> list[FedEntry]:
    """All of a bucket's feed."""
    return await store.feed(bucket, after=0, limit=10_000)

"""Writers with valid hash chains, and the rows that they write."""

from __future__ import annotations

import os
from collections.abc import Sequence
from uuid import UUID

from msgspec.structs import replace

from turnlog.domain.chain import genesis, link
from turnlog.domain.identity import turn_id_in, uuid7
from turnlog.domain.records import Append, ConversationRow, Entry, Head, TurnRow

NOON = 1_750_000_000_000_000
BUCKETS = 4

Said = tuple[str, bytes]


class Writer:
    """A node's idea of where one log ends."""

    def __init__(self, head: Head, conversation_id: UUID) -> None:
        self.head = head
        self.conversation_id = conversation_id

    def appending(
        self,
        *said: Said | bytes,
        turn_id: UUID | None = None,
        listed: ConversationRow | None = None,
        turns: Sequence[TurnRow] = (),
    ) -> Append:
        """An append of these states at the end of the log as the writer knows it."""
        entries = []
        offset, hash = self.head.offset, self.head.hash
        for thing in said:
            topic, state = thing if isinstance(thing, tuple) else ("message.completed", thing)
            offset, at = offset + 1, NOON + offset
            hash = link(hash, offset, at, topic, self.head.secret, state)
            entries.append(Entry(offset, topic, state, turn_id, at, hash))
        return Append(
            conversation_id=self.conversation_id,
            head=self.head,
            entries=tuple(entries),
            conversation=listed,
            turns=tuple(turns),
        )

    def moved(self, append: Append) -> Writer:
        """The writer after the append was written."""
        return Writer(head_after(append), self.conversation_id)


def head_after(append: Append) -> Head:
    last = append.entries[-1]
    return replace(append.head, offset=last.offset, hash=last.hash)


def new_id(bucket: int = 0, at: int = NOON) -> UUID:
    """A conversation's id in the bucket, whatever number of buckets up to 256 there is."""
    return uuid7(at, os.urandom(8), last_byte=bucket)


def new_turn_id(conversation_id: UUID, at: int = NOON) -> UUID:
    return turn_id_in(conversation_id, at, os.urandom(8))


def writer_of_a_new_log(bucket: int = 0, tenant_id: str = "acme") -> Writer:
    conversation_id = new_id(bucket)
    secret = os.urandom(32)
    head = Head(offset=0, hash=genesis(conversation_id), secret=secret, tenant_id=tenant_id)
    return Writer(head, conversation_id)

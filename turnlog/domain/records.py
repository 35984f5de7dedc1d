"""What passes between the runtime and a store: entries, and what is written with them."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from msgspec import Struct

from turnlog.domain.values import Model, Usage


class Entry(Struct, frozen=True, gc=False):
    """One event as it is stored. `at` in microseconds since the epoch; `state` is its JSON.

    The garbage collector need not look at it: no cycle goes through what it holds.
    """

    offset: int
    topic: str
    state: bytes
    turn_id: UUID | None
    at: int
    hash: bytes = b""


class FedEntry(Struct, frozen=True):
    """An entry as the feed has it: at which position of which bucket, and whose it is."""

    bucket: int
    position: int
    conversation_id: UUID
    tenant_id: str
    entry: Entry


class Labels(Struct, frozen=True):
    """What of a conversation, as it is now, decides who is shown its events in the feed."""

    tags: frozenset[str]
    deleted: bool


class Head(Struct, frozen=True, kw_only=True):
    """Where a conversation's log ends. `secret` opens the commitments of its hashes."""

    offset: int
    hash: bytes
    secret: bytes
    tenant_id: str


class ConversationRow(Struct, frozen=True, kw_only=True):
    """A conversation's place in the list; `document` is all that the list shows, as JSON."""

    conversation_id: UUID
    created_at: int
    updated_at: int
    status: str
    agent_role: str | None
    tags: tuple[str, ...]
    deleted: bool
    document: bytes


class TurnRow(Struct, frozen=True, kw_only=True):
    """Where a turn's events stand in its log, whether it has ended, and which node runs it.

    `expires_at` (µs): when a turn that rests ends, should nobody answer.
    """

    turn_id: UUID
    conversation_id: UUID
    status: str
    first_offset: int
    last_offset: int | None = None
    attempt: int = 0
    node: str | None = None
    expires_at: int | None = None


class AnswerRecord(Struct, frozen=True, kw_only=True):
    """What was answered to a request that carried an Idempotency-Key.

    `key` and `fingerprint` are SHA-256: of the key with its scope, and of the body.
    """

    key: bytes
    fingerprint: bytes
    answer: bytes
    at: int


class Append(Struct, frozen=True, kw_only=True):
    """Events for the end of one log, to be written whole or not at all.

    `head` is where the writer believes the log to end; `entries` follow it
    without a gap, each with its hash. The rows replace the ones of the same ids.
    An append with a record whose key was used before has lost.
    """

    conversation_id: UUID
    head: Head
    entries: tuple[Entry, ...]
    conversation: ConversationRow | None = None
    turns: tuple[TurnRow, ...] = ()
    records: tuple[AnswerRecord, ...] = ()


class ListQuery(Struct, frozen=True, kw_only=True):
    """A page of the list; `before` is the (created_at, id) of the last row that was seen."""

    tenant_id: str
    limit: int
    before: tuple[int, UUID] | None = None
    tags: tuple[str, ...] = ()
    agent_role: str | None = None
    status: str | None = None


class Listed(Struct, frozen=True, kw_only=True):
    """One row of the list: the document, and the offset of the log's last event."""

    row: ConversationRow
    offset: int


class Blob(Struct, frozen=True, kw_only=True):
    """Bytes kept beside the log; `sha256` in lower-case hex."""

    sha256: str
    media_type: str
    data: bytes


class Checkpoint(Struct, frozen=True):
    """How far a generation of a projection has come in one bucket, and how far the bucket goes.

    `current`: it is the generation that is read. `stopped_at` is the position of an event
    that it could not take in, for that `reason`; it goes no further until it is resumed.
    """

    projection: str
    bucket: int
    generation: int
    current: bool
    position: int
    head: int
    stopped_at: int | None = None
    reason: str | None = None

    @property
    def behind(self) -> int:
        """How many events it has still to take in."""
        return max(0, self.head - self.position)


InlineKind = Literal["conversations", "turns"]


class FoldedRows(Struct, frozen=True, kw_only=True):
    """The inline rows of one conversation as its log has them, up to the offset `head`."""

    conversation_id: UUID
    head: int
    conversation: ConversationRow | None
    turns: tuple[TurnRow, ...]


class Replaced(Struct, frozen=True, kw_only=True):
    """How many rows were not what they should be; and which conversations have moved since."""

    changed: int
    moved: list[UUID]


class OpenTurn(Struct, frozen=True, kw_only=True):
    """A turn that has begun and not ended, and what of its usage is counted already."""

    turn_id: UUID
    model: Model
    counted: Usage = Usage()


class UsageEntry(Struct, frozen=True, kw_only=True):
    """What one event has cost; `superseded`: in vain. `turns` is 1 where a turn ended."""

    conversation_id: UUID
    offset: int
    at: int
    tenant_id: str
    model: Model
    usage: Usage
    turns: int = 0
    superseded: bool = False


GroupBy = Literal["conversation", "model", "day", "tag"]

UsageKey = tuple[str | None, ...]
"""What a group is of: an id; the three members of a model; a day in UTC; a tag, or None
for what has none. Of no groups: nothing."""


class UsageQuery(Struct, frozen=True, kw_only=True):
    """A page of groups by their keys, after one; of what happened from `since` until before
    `until`, in microseconds."""

    tenant_id: str
    group_by: GroupBy | None
    since: int
    until: int
    limit: int
    after: UsageKey | None = None


class UsageGroup(Struct, frozen=True, kw_only=True):
    """What a group has cost in all, and which part of that was spent in vain."""

    key: UsageKey
    turns: int
    usage: Usage
    superseded: Usage


class Process(Struct, frozen=True, kw_only=True):
    """Where a node runs. `machine` names a host as its processes are told apart on it."""

    machine: str
    process: int
